/* The fusions: this table tells everything that can fuse. */
#include "plan/rules.h"

#include "plan/fused.h"

static const cnn_rule rules[] = {
    {"relu+maxpool+dropout",
     3,
     {CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT},
     NULL,
     &cnn_pool_block_op},
};

enum { RULE_COUNT = sizeof rules / sizeof rules[0] };

const cnn_rule *cnn_rules(int *count)
{
    *count = RULE_COUNT;
    return rules;
}

static bool fits(const cnn_rule *rule, const cnn_network *network, int first,
                 const cnn_device *device)
{
    if (first + rule->layer_count > network->layer_count)
        return false;
    const cnn_layer *layers = &network->layers[first];
    for (int i = 0; i < rule->layer_count; i++)
        if (layers[i].kind != rule->kinds[i])
            return false;
    return !rule->accepts || rule->accepts(layers, device);
}

const cnn_rule *cnn_rule_find(const cnn_network *network, int first, const cnn_device *device)
{
    const cnn_rule *best = NULL;
    for (int i = 0; i < RULE_COUNT; i++)
        if ((!best || rules[i].layer_count > best->layer_count) &&
            fits(&rules[i], network, first, device))
            best = &rules[i];
    return best;
}
