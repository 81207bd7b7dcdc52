/* Random networks: branches, sums, products, concatenations, every kind of layer. */
#ifndef TESTS_RANDOM_GRAPH_H
#define TESTS_RANDOM_GRAPH_H

#include "net/network.h"

typedef struct random_graph_limits {
    int least_nodes, most_nodes; /* those that gather what is loose at the end are beyond */
    int channels, extent; /* at most, of every value and of the input; twice the channels behind a
                             Concat, any number behind a Flatten */
    int least_extent;     /* of the input */
    int classes;
    double dropout;     /* the largest p */
    bool only_torch;    /* nothing that PyTorch's layers do not have: pools that pad sides unlike */
    bool spreads_names; /* some layers have names of their own */
} random_graph_limits;

/* 5 to 40 nodes, 8 channels, planes up to 12 x 12, 7 classes, p up to 0.5, with names. */
random_graph_limits random_graph_defaults(void);

/* The network of a seed, the same on every machine; to be freed with cnn_network_destroy(). Aborts
 * the test where it cannot be made. */
cnn_network *random_graph(uint64_t seed, const random_graph_limits *limits);

/* A small network around a node of this kind with random options, whose index is *node. As above.
 */
cnn_network *random_kind(int *node, uint64_t seed, cnn_layer_kind kind,
                         const random_graph_limits *limits);

#endif
