/* From a file's tensors to the options of a network of the notebook's family. */
#ifndef EXCHANGE_INFER_H
#define EXCHANGE_INFER_H

#include <cnncl/exchange.h>

#include "exchange/state_dict.h"
#include "layers/layer.h"

/* A layer that has a weight in the file. */
typedef struct cnn_found_layer {
    cnn_layer_kind kind;
    int index; /* in the sequence, as its name says; by shape: 0 */
    const cnn_raw_tensor *weight;
} cnn_found_layer;

/* The network's options as the file tells them: all that its tensors' names and shapes say. What is
 * assumed is logged, what cannot be told is refused. by_shape: the names are not the family's, and
 * the order of the layers follows from their shapes. options->name and dropout are not looked at.
 * Errors: DATA, MEMORY. */
cnn_status cnn_infer(cnn_config *config, bool *by_shape, const cnn_state_dict *dict,
                     const cnn_import_options *options);

/* The layers (room for every tensor of the dict) of a file with other names, in the order in which
 * each takes what the one before gives. Errors: DATA: a layer that the family does not have, or
 * layers that make no chain, or more than one. */
cnn_status cnn_find_chain(cnn_found_layer *layers, size_t *count, const cnn_state_dict *dict);

/* The images' shape, from the first linear layer's inputs, or why it cannot be told. config has all
 * else. Errors: DATA. */
cnn_status cnn_infer_xdim(cnn_config *config, const cnn_raw_tensor *conv,
                          const cnn_raw_tensor *linear, const char *path);
/* Refuses a shape that was given, where it fits the first linear layer only if the convolutions do
 * not pad. Errors: DATA. */
cnn_status cnn_check_xdim(const cnn_config *config, const cnn_raw_tensor *conv,
                          const cnn_raw_tensor *linear, const char *path);

#endif
