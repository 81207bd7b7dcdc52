/* Which tensor of a file each tensor of a network gets: by name, or by shape. Knows nothing of what
 * kind of network it is. */
#ifndef EXCHANGE_FIT_H
#define EXCHANGE_FIT_H

#include "exchange/state_dict.h"
#include "net/network.h"

typedef struct cnn_fit {
    const cnn_raw_tensor **sources; /* per slot of the model; NULL: not in the file, zero */
    size_t extra_count;             /* tensors of the file that no slot gets */
    bool by_shape;
    size_t guess_count; /* layers that several modules suit, with nothing but their names' order to
                           tell which */
} cnn_fit;

/* By name: the file's names may have a common part before the model's, and "net." may lack. Where
 * no name fits and by_shape is set: each of the model's layers, in order, gets the first module of
 * the file that has its tensors' shapes. First is by the numbers in names that differ in nothing
 * else; by the order in which PyTorch saved them; and where the file does not keep that, by name,
 * which is logged. Counts of batches may lack. The model may be only described. What is left over,
 * and what was matched by shape, is logged. Errors: DATA (what does not fit: the first names, how
 * many), MEMORY. */
cnn_status cnn_fit_init(cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict,
                        bool by_shape);
/* Are the file's tensors those of the model, all by name and with their shapes, and no more? Logs
 * nothing. */
bool cnn_fit_is_exact(const cnn_model *model, const cnn_state_dict *dict);
/* The same by shape: no name fits, each layer has a module of its shapes, and no tensor is left
 * over. Errors: MEMORY. */
cnn_status cnn_fit_has_shapes(bool *fits, const cnn_model *model, const cnn_state_dict *dict);
/* Are most of the model's tensors there, by name and with their shapes? */
bool cnn_fit_has_most(const cnn_model *model, const cnn_state_dict *dict);
/* The file's tensor for a slot of the model, by name. NULL where there is none. */
const cnn_raw_tensor *cnn_fit_find(const cnn_model *model, size_t slot, const cnn_state_dict *dict);
/* Has the file's tensor the shape of the model's? */
bool cnn_fit_suits(const cnn_tensor_info *wanted, const cnn_raw_tensor *found);
/* Copies all values to the model. Errors: DATA, also where a value is not finite. */
cnn_status cnn_fit_copy(cnn_model *model, const cnn_fit *fit, const char *path);
void cnn_fit_finish(cnn_fit *fit);

#endif
