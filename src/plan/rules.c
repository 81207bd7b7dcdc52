/* The fusions: this table tells everything that can fuse. */
#include "plan/rules.h"

#include "plan/fused.h"

/* Long work-items, a sample's tile that stays near the processor, and weights of which every
 * work-item can have some copies of its own. */
static bool accepts_conv_block(const cnn_layer *layers, const cnn_device *device)
{
    enum { MOST_CHANNELS = 1024, MOST_TILE = 1 << 20, MOST_WEIGHTS = 1 << 20 };
    return device->kernel_class == CNN_KERNEL_CPU && layers->in.c <= MOST_CHANNELS &&
           layers->out.c <= MOST_CHANNELS && cnn_shape_count(layers->in) <= MOST_TILE &&
           layers->params[0].count <= MOST_WEIGHTS;
}

/* Of an input of few channels the products of all taps are fewer than the convolution's output. */
static bool accepts_norm_first(const cnn_layer *layers, const cnn_device *device)
{
    return accepts_conv_block(layers, device) && cnn_norm_first_suits(layers);
}

/* The same as conv blocks for devices of many small work-items: tiles in local memory. */
static bool accepts_gpu_conv_block(const cnn_layer *layers, const cnn_device *device)
{
    return device->kernel_class == CNN_KERNEL_GPU && cnn_gpu_conv_block_fits(layers, device);
}

static int count_outputs(const cnn_layer *layers)
{
    return layers[0].kind == CNN_LAYER_LINEAR ? layers[0].out.c : layers[1].out.c;
}

/* Long work-items. CLBlast's products are measured to be slower up to a width of 1024 at least, and
 * take seconds to build (docs/benchmarks.md). */
static bool accepts_dense_block(const cnn_layer *layers, const cnn_device *device)
{
    enum { MOST_OUTPUTS = 1024 };
    return device->kernel_class == CNN_KERNEL_CPU && count_outputs(layers) <= MOST_OUTPUTS;
}

/* Layers that are too small for CLBlast's tiles. */
static bool accepts_gpu_dense_block(const cnn_layer *layers, const cnn_device *device)
{
    enum { MOST_OUTPUTS = 256 };
    return device->kernel_class == CNN_KERNEL_GPU && count_outputs(layers) <= MOST_OUTPUTS;
}

static const cnn_rule rules[] = {
    {"conv+batchnorm+relu+maxpool+dropout",
     5,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT},
     accepts_norm_first,
     &cnn_norm_first_op},
    {"conv+batchnorm+relu+maxpool+dropout",
     5,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT},
     accepts_conv_block,
     &cnn_norm_block_op},
    {"conv+relu+maxpool+dropout",
     4,
     {CNN_LAYER_CONV, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT},
     accepts_conv_block,
     &cnn_conv_block_op},
    {"conv+relu+maxpool+dropout",
     4,
     {CNN_LAYER_CONV, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT},
     accepts_gpu_conv_block,
     &cnn_gpu_conv_block_op},
    {"relu+maxpool+dropout",
     3,
     {CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT},
     NULL,
     &cnn_pool_block_op},
    {"flatten+linear+relu",
     3,
     {CNN_LAYER_FLATTEN, CNN_LAYER_LINEAR, CNN_LAYER_RELU},
     accepts_dense_block,
     &cnn_dense_block_op},
    {"flatten+linear+relu",
     3,
     {CNN_LAYER_FLATTEN, CNN_LAYER_LINEAR, CNN_LAYER_RELU},
     accepts_gpu_dense_block,
     &cnn_gpu_dense_block_op},
    {"flatten+linear",
     2,
     {CNN_LAYER_FLATTEN, CNN_LAYER_LINEAR},
     accepts_dense_block,
     &cnn_dense_block_op},
    {"flatten+linear",
     2,
     {CNN_LAYER_FLATTEN, CNN_LAYER_LINEAR},
     accepts_gpu_dense_block,
     &cnn_gpu_dense_block_op},
    {"linear+relu",
     2,
     {CNN_LAYER_LINEAR, CNN_LAYER_RELU},
     accepts_dense_block,
     &cnn_dense_block_op},
    {"linear+relu",
     2,
     {CNN_LAYER_LINEAR, CNN_LAYER_RELU},
     accepts_gpu_dense_block,
     &cnn_gpu_dense_block_op},
    {"linear", 1, {CNN_LAYER_LINEAR}, accepts_dense_block, &cnn_dense_block_op},
    {"linear", 1, {CNN_LAYER_LINEAR}, accepts_gpu_dense_block, &cnn_gpu_dense_block_op},
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
