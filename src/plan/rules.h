/* Which runs of layers become one step. */
#ifndef PLAN_RULES_H
#define PLAN_RULES_H

#include "net/network.h"
#include "ops/op.h"

typedef struct cnn_rule {
    const char *name;
    int layer_count;
    cnn_layer_kind kinds[CNN_OP_MAX_LAYERS];
    /* May the rule take these layers on this device? NULL: always. */
    bool (*accepts)(const cnn_layer *layers, const cnn_device *device);
    const cnn_op_class *op;
} cnn_rule;

/* The rule for the layers that begin at `first`, the longest that fits; NULL: the plain step of
 * that one layer. */
const cnn_rule *cnn_rule_find(const cnn_network *network, int first, const cnn_device *device);

/* All rules, for the test that compares each with the plain steps. */
const cnn_rule *cnn_rules(int *count);

#endif
