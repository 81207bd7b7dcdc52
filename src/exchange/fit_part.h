/* What fit.c, which finds a tensor for each slot, and fit_fail.c, which tells what has none, share.
 */
#ifndef EXCHANGE_FIT_PART_H
#define EXCHANGE_FIT_PART_H

#include "exchange/fit.h"

/* Does a slot get the tensor? */
bool cnn_fit_is_source(const cnn_fit *fit, const cnn_model *model, const cnn_raw_tensor *tensor);
/* Has the slot no tensor, and needs one? */
bool cnn_fit_is_missing(const cnn_fit *fit, const cnn_model *model, size_t index);
/* The file's tensor beside a module's weight, "bias" of "conv1.weight"; NULL where there is none.
 */
const cnn_raw_tensor *cnn_fit_member(const cnn_state_dict *dict, const cnn_raw_tensor *weight,
                                     const char *suffix);
bool cnn_fit_has_shape(const cnn_tensor_info *wanted, const cnn_raw_tensor *found);
/* The file's tensor that a layer's parameter would have, "bias" of "conv1"; NULL where there is
 * none. */
const cnn_raw_tensor *cnn_fit_parameter(const cnn_fit *fit, const cnn_model *model,
                                        const cnn_state_dict *dict, int layer, const char *suffix);

/* Appends the list of what of the file no slot gets. Returns how many; *first is the first. */
size_t cnn_fit_list_extra(cnn_text *text, const cnn_raw_tensor **first, const cnn_fit *fit,
                          const cnn_model *model, const cnn_state_dict *dict);
/* All that the model needs is there, with its shape, and nothing that its layers leave out; sets
 * fit->extra_count. Errors: DATA, MEMORY. */
cnn_status cnn_fit_check(cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict);

#endif
