/* Which chains of layers become one step. */
#ifndef PLAN_RULES_H
#define PLAN_RULES_H

#include "net/network.h"
#include "ops/op.h"

typedef struct cnn_rule {
    const char *name;
    int layer_count;
    cnn_layer_kind kinds[CNN_OP_MAX_LAYERS];
    /* May the rule take these layers on this device? NULL: always. */
    bool (*accepts)(const cnn_chain *chain, const cnn_device *device);
    const cnn_op_class *op; /* without a backward: where nothing is trained up to its output */
} cnn_rule;

/* All rules, longer chains and special cases first among equals. */
const cnn_rule *cnn_rules(int *count);
/* Those of a device that is to be exact (cnn_device_use_exact()), which has no others: its plans are of plain
 * steps but for these, whether they are to be fused or not. */
const cnn_rule *cnn_exact_rules(int *count);

#endif
