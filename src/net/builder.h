/* Makes a network node by node: the family, network files and importers build with it. */
#ifndef NET_BUILDER_H
#define NET_BUILDER_H

#include "net/network.h"

typedef struct cnn_builder {
    cnn_network *network;
    size_t room; /* nodes that network->layers has memory for */
} cnn_builder;

/* name: of the network, which takes the tensors' prefix, too; the prefix is not copied. Errors:
 * MEMORY. */
cnn_status cnn_builder_init(cnn_builder *builder, const char *name, const char *prefix,
                            cnn_shape input);
/* What was not taken is freed. */
void cnn_builder_finish(cnn_builder *builder);

/* Appends a node; *value is what it makes. options: NULL for the defaults. name: NULL for KIND_NN.
 * inputs: input_count values, each below *value. Errors: ARGUMENT (the layer and the shapes),
 * MEMORY. */
cnn_status cnn_builder_add(cnn_builder *builder, int *value, cnn_layer_kind kind,
                           const cnn_layer_options *options, const char *name, const int *inputs,
                           int input_count);

/* Appends a node that reads the one before (the network's input where there is none). */
cnn_status cnn_builder_append(cnn_builder *builder, cnn_layer_kind kind,
                              const cnn_layer_options *options);

/* Hands the network over. *culprit: the node that is wrong, -1 for the whole network. Errors:
 * ARGUMENT (no node; no parameter; two nodes of one name; a value that nobody reads; an output that
 * is not (classes, 1, 1)). */
cnn_status cnn_builder_take(cnn_network **network, int *culprit, cnn_builder *builder);

#endif
