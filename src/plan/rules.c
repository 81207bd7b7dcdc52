/* The fusions: this table tells everything that can fuse. */
#include "plan/rules.h"

#include "plan/fused.h"

static bool has_plain_pool(const cnn_chain *chain)
{
    for (int i = 0; i < chain->layer_count; i++)
        if (chain->layers[i]->kind == CNN_LAYER_MAXPOOL && !cnn_pool_is_plain(chain->layers[i]))
            return false;
    return true;
}

/* Long work-items, a sample's tile that stays near the processor, and weights of which every
 * work-item can have some copies of its own. */
static bool accepts_conv_block(const cnn_chain *chain, const cnn_device *device)
{
    enum { MOST_CHANNELS = 1024, MOST_TILE = 1 << 20, MOST_WEIGHTS = 1 << 20 };
    const cnn_layer *conv = chain->layers[0];
    return device->kernel_class == CNN_KERNEL_CPU && cnn_conv_is_square(conv) &&
           has_plain_pool(chain) && conv->in.c <= MOST_CHANNELS && conv->out.c <= MOST_CHANNELS &&
           cnn_shape_count(conv->in) <= MOST_TILE && conv->params[0].count <= MOST_WEIGHTS;
}

/* Without dropped channels to leave out Winograd's method is faster where it suits. Of large planes a
 * sample alone keeps all processors busy, which a block, whose work-items take whole samples, does not. */
static bool accepts_whole_conv_block(const cnn_chain *chain, const cnn_device *device)
{
    enum { MOST_WINDOWS = 1 << 10 };
    cnn_shape pooled = chain->layers[chain->layer_count - 1]->out;
    return accepts_conv_block(chain, device) && (int64_t)pooled.h * pooled.w <= MOST_WINDOWS &&
           !cnn_winograd_conv_suits(chain->layers[0]);
}

/* Their kernels know the family's convolutions, and batch norms with parameters. */
static bool accepts_norm_block(const cnn_chain *chain, const cnn_device *device)
{
    return accepts_conv_block(chain, device) && cnn_conv_is_plain(chain->layers[0]) &&
           chain->layers[1]->options.norm.affine;
}

/* Of an input of few channels the products of all taps are fewer than the convolution's output. */
static bool accepts_norm_first(const cnn_chain *chain, const cnn_device *device)
{
    return accepts_norm_block(chain, device) && cnn_norm_first_suits(chain);
}

/* The same as conv blocks for devices of many small work-items: tiles in local memory. */
static bool accepts_gpu_conv_block(const cnn_chain *chain, const cnn_device *device)
{
    return device->kernel_class == CNN_KERNEL_GPU && cnn_conv_is_square(chain->layers[0]) &&
           has_plain_pool(chain) && cnn_gpu_conv_block_fits(chain, device);
}

/* Long work-items with memory of their own. */
static bool accepts_winograd_conv(const cnn_chain *chain, const cnn_device *device)
{
    return device->kernel_class == CNN_KERNEL_CPU && cnn_winograd_conv_suits(chain->layers[0]);
}

/* A block of channels for each processor, in both directions. */
static bool accepts_winograd_columns(const cnn_chain *chain, const cnn_device *device)
{
    enum { BLOCK = 32 };
    const cnn_layer *conv = chain->layers[0];
    int fewer = conv->in.c < conv->out.c ? conv->in.c : conv->out.c;
    return device->kernel_class == CNN_KERNEL_CPU && cnn_winograd_columns_suits(conv) &&
           (cl_uint)(fewer / BLOCK) >= device->info.compute_units;
}

static bool accepts_pointwise(const cnn_chain *chain, const cnn_device *device)
{
    return device->kernel_class == CNN_KERNEL_CPU && cnn_pointwise_suits(chain->layers[0]);
}

/* Explicit vectors; devices of many work-items have the plain steps. */
static bool accepts_norm(const cnn_chain *chain, const cnn_device *device)
{
    (void)chain;
    return device->kernel_class == CNN_KERNEL_CPU;
}

static bool accepts_pool_block(const cnn_chain *chain, const cnn_device *device)
{
    (void)device;
    return has_plain_pool(chain);
}

static const cnn_layer *find_linear(const cnn_chain *chain)
{
    return chain->layers[chain->layers[0]->kind == CNN_LAYER_LINEAR ? 0 : 1];
}

/* Long work-items. CLBlast's products are measured to be slower up to a width of 1024 at least, and
 * take seconds to build (docs/benchmarks.md). */
static bool accepts_dense_block(const cnn_chain *chain, const cnn_device *device)
{
    enum { MOST_OUTPUTS = 1024 };
    const cnn_layer *linear = find_linear(chain);
    return device->kernel_class == CNN_KERNEL_CPU && linear->options.linear.bias &&
           linear->out.c <= MOST_OUTPUTS;
}

/* Layers that are too small for CLBlast's tiles. */
static bool accepts_gpu_dense_block(const cnn_chain *chain, const cnn_device *device)
{
    enum { MOST_OUTPUTS = 256 };
    const cnn_layer *linear = find_linear(chain);
    return device->kernel_class == CNN_KERNEL_GPU && linear->options.linear.bias &&
           linear->out.c <= MOST_OUTPUTS;
}

/* Of devices that are to be exact: sums whose order no device decides. */
static const cnn_rule exact_rules[] = {
    {"linear", 1, {CNN_LAYER_LINEAR}, NULL, &cnn_pointwise_op},
};

static const cnn_rule rules[] = {
    {"conv+batchnorm+relu+maxpool+dropout",
     5,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT2D},
     accepts_norm_first,
     &cnn_norm_first_op},
    {"conv+batchnorm+relu+maxpool+dropout",
     5,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT2D},
     accepts_norm_block,
     &cnn_norm_block_op},
    {"conv+relu+maxpool+dropout",
     4,
     {CNN_LAYER_CONV, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT2D},
     accepts_conv_block,
     &cnn_conv_block_op},
    {"conv+relu+maxpool+dropout",
     4,
     {CNN_LAYER_CONV, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT2D},
     accepts_gpu_conv_block,
     &cnn_gpu_conv_block_op},
    {"conv+relu+maxpool",
     3,
     {CNN_LAYER_CONV, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL},
     accepts_whole_conv_block,
     &cnn_conv_block_op},
    {"conv+relu+maxpool",
     3,
     {CNN_LAYER_CONV, CNN_LAYER_RELU, CNN_LAYER_MAXPOOL},
     accepts_gpu_conv_block,
     &cnn_gpu_conv_block_op},
    {"relu+maxpool+dropout",
     3,
     {CNN_LAYER_RELU, CNN_LAYER_MAXPOOL, CNN_LAYER_DROPOUT2D},
     accepts_pool_block,
     &cnn_pool_block_op},
    {"relu+maxpool",
     2,
     {CNN_LAYER_RELU, CNN_LAYER_MAXPOOL},
     accepts_pool_block,
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
    {"conv+batchnorm+add+relu",
     4,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_ADD, CNN_LAYER_RELU},
     NULL,
     &cnn_conv_norm_op},
    {"conv+batchnorm+add",
     3,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_ADD},
     NULL,
     &cnn_conv_norm_op},
    {"conv+batchnorm+relu",
     3,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_RELU},
     NULL,
     &cnn_conv_norm_op},
    {"conv+batchnorm+relu6",
     3,
     {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM, CNN_LAYER_RELU6},
     NULL,
     &cnn_conv_norm_op},
    {"conv+batchnorm", 2, {CNN_LAYER_CONV, CNN_LAYER_BATCHNORM}, NULL, &cnn_conv_norm_op},
    {"conv+add+relu",
     3,
     {CNN_LAYER_CONV, CNN_LAYER_ADD, CNN_LAYER_RELU},
     NULL,
     &cnn_conv_norm_op},
    {"conv+add", 2, {CNN_LAYER_CONV, CNN_LAYER_ADD}, NULL, &cnn_conv_norm_op},
    {"conv+relu", 2, {CNN_LAYER_CONV, CNN_LAYER_RELU}, NULL, &cnn_conv_norm_op},
    {"conv+relu6", 2, {CNN_LAYER_CONV, CNN_LAYER_RELU6}, NULL, &cnn_conv_norm_op},
    {"batchnorm+add+relu",
     3,
     {CNN_LAYER_BATCHNORM, CNN_LAYER_ADD, CNN_LAYER_RELU},
     accepts_norm,
     &cnn_batchnorm_op},
    {"batchnorm+add", 2, {CNN_LAYER_BATCHNORM, CNN_LAYER_ADD}, accepts_norm, &cnn_batchnorm_op},
    {"batchnorm+relu", 2, {CNN_LAYER_BATCHNORM, CNN_LAYER_RELU}, accepts_norm, &cnn_batchnorm_op},
    {"batchnorm+relu6", 2, {CNN_LAYER_BATCHNORM, CNN_LAYER_RELU6}, accepts_norm, &cnn_batchnorm_op},
    {"pointwise conv", 1, {CNN_LAYER_CONV}, accepts_pointwise, &cnn_pointwise_op},
    {"winograd columns", 1, {CNN_LAYER_CONV}, accepts_winograd_columns, &cnn_winograd_columns_op},
    {"winograd conv", 1, {CNN_LAYER_CONV}, accepts_winograd_conv, &cnn_winograd_conv_op},
    {"linear", 1, {CNN_LAYER_LINEAR}, accepts_dense_block, &cnn_dense_block_op},
    {"linear", 1, {CNN_LAYER_LINEAR}, accepts_gpu_dense_block, &cnn_gpu_dense_block_op},
};

const cnn_rule *cnn_rules(int *count)
{
    *count = sizeof rules / sizeof rules[0];
    return rules;
}

const cnn_rule *cnn_exact_rules(int *count)
{
    *count = sizeof exact_rules / sizeof exact_rules[0];
    return exact_rules;
}
