/* MaxPool2d, AvgPool2d and AdaptiveAvgPool2d. */
#include "base/status.h"
#include "layers/layer.h"

enum { MAX_EXTENT = 65535 };

#define AT(field) offsetof(cnn_layer_options, pool.field)

static const cnn_argument max_arguments[] = {
    {"kernel_size", CNN_ARGUMENT_PAIR, AT(kernel), true, 0, 1, MAX_EXTENT, {{0}}},
    {"stride",
     CNN_ARGUMENT_PAIR,
     AT(stride),
     false,
     CNN_STRIDE_KERNEL,
     1,
     MAX_EXTENT,
     {{"none", CNN_STRIDE_KERNEL}}},
    {"padding", CNN_ARGUMENT_PADDING, AT(padding), false, 0, 0, MAX_EXTENT, {{0}}},
    {"dilation", CNN_ARGUMENT_PAIR, AT(dilation), false, 1, 1, MAX_EXTENT, {{0}}},
    CNN_RETURN_INDICES,
    {"ceil_mode", CNN_ARGUMENT_BOOL, AT(ceil_mode), false, 0, 0, 1, {{0}}},
};

static const cnn_argument average_arguments[] = {
    {"kernel_size", CNN_ARGUMENT_PAIR, AT(kernel), true, 0, 1, MAX_EXTENT, {{0}}},
    {"stride",
     CNN_ARGUMENT_PAIR,
     AT(stride),
     false,
     CNN_STRIDE_KERNEL,
     1,
     MAX_EXTENT,
     {{"none", CNN_STRIDE_KERNEL}}},
    {"padding", CNN_ARGUMENT_PADDING, AT(padding), false, 0, 0, MAX_EXTENT, {{0}}},
    {"ceil_mode", CNN_ARGUMENT_BOOL, AT(ceil_mode), false, 0, 0, 1, {{0}}},
    {"count_include_pad", CNN_ARGUMENT_BOOL, AT(count_include_pad), false, 1, 0, 1, {{0}}},
    CNN_DIVISOR_OVERRIDE,
};

static const cnn_argument adaptive_arguments[] = {
    {"output_size",
     CNN_ARGUMENT_PAIR,
     offsetof(cnn_layer_options, adaptive.output),
     true,
     0,
     1,
     MAX_EXTENT,
     {{0}}},
};

/* PyTorch's rule for the padding. Taps are counted with int. */
static cnn_status check_window(const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    if ((int64_t)pool->kernel[0] * pool->kernel[1] > INT32_MAX)
        return cnn_layer_fail(layer, "a kernel of %d x %d exceeds 2^31 - 1 values", pool->kernel[0],
                              pool->kernel[1]);
    for (int side = 0; side < 4; side++)
        if (pool->padding[side] > pool->kernel[side % 2] / 2)
            return cnn_layer_fail(layer,
                                  "padding: expected at most half of the kernel's %d, found %d",
                                  pool->kernel[side % 2], pool->padding[side]);
    return CNN_OK;
}

/* A window that begins in the padding may step over a plane smaller than its dilation. PyTorch
 * makes -inf of it. */
static bool misses_plane(const cnn_pool_options *pool, int axis, int size, int out)
{
    int dilation = pool->dilation[axis];
    for (int at = 0; at < out; at++) {
        int64_t begin = (int64_t)at * pool->stride[axis] - pool->padding[axis];
        if (begin >= 0)
            return false;
        if ((begin % dilation + dilation) % dilation >= size)
            return true;
    }
    return false;
}

static cnn_status set_output(cnn_layer *layer)
{
    cnn_pool_options *pool = &layer->options.pool;
    cnn_shape in = layer->in;
    int size[2] = {in.h, in.w}, out[2];
    cnn_status status = CNN_OK;
    CNN_TRY(check_window(layer));
    for (int axis = 0; axis < 2; axis++) {
        if (pool->dilation[axis] == 0)
            pool->dilation[axis] = 1; /* a kind without it */
        if (pool->stride[axis] == CNN_STRIDE_KERNEL)
            pool->stride[axis] = pool->kernel[axis];
        out[axis] = cnn_window_count(size[axis], pool->kernel[axis], pool->stride[axis],
                                     pool->padding[axis], pool->padding[axis + 2],
                                     pool->dilation[axis], pool->ceil_mode);
        if (misses_plane(pool, axis, size[axis], out[axis]))
            return cnn_layer_fail(layer,
                                  "expected windows with a value of the input's %d x %d, found one "
                                  "of padding alone: less dilation, or no padding",
                                  in.h, in.w);
    }
    layer->out = (cnn_shape){in.c, out[0], out[1]};
out:
    return status;
}

bool cnn_pool_is_plain(const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    bool plain = !pool->ceil_mode;
    for (int axis = 0; axis < 2; axis++)
        plain = plain && pool->kernel[axis] == CNN_POOL_SIZE &&
                pool->stride[axis] == CNN_POOL_SIZE && pool->dilation[axis] == 1 &&
                pool->padding[axis] == 0 && pool->padding[axis + 2] == 0;
    return plain;
}

static double window_flops(const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    return cnn_layer_flops_each(layer, (double)pool->kernel[0] * pool->kernel[1] - 1.0);
}

static cnn_status set_adaptive_output(cnn_layer *layer)
{
    const int *output = layer->options.adaptive.output;
    layer->out = (cnn_shape){layer->in.c, output[0], output[1]};
    return CNN_OK;
}

static double adaptive_flops(const cnn_layer *layer)
{
    return (double)cnn_shape_count(layer->in);
}

const cnn_layer_class cnn_maxpool_layer = {
    .name = "MaxPool2d",
    .torch_name = "maxpool2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = max_arguments,
    .argument_count = sizeof max_arguments / sizeof max_arguments[0],
    .set_output = set_output,
    .forward_flops = window_flops,
};

const cnn_layer_class cnn_avgpool_layer = {
    .name = "AvgPool2d",
    .torch_name = "avgpool2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = average_arguments,
    .argument_count = sizeof average_arguments / sizeof average_arguments[0],
    .set_output = set_output,
    .forward_flops = window_flops,
};

const cnn_layer_class cnn_adaptiveavgpool_layer = {
    .name = "AdaptiveAvgPool2d",
    .torch_name = "adaptiveavgpool2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = adaptive_arguments,
    .argument_count = 1,
    .set_output = set_adaptive_output,
    .forward_flops = adaptive_flops,
};
