/* Dropout2d: whole channels, independently per sample. Dropout: values. Identities in evaluation.
 */
#include "layers/layer.h"

/* p = 1 would leave nothing to scale. */
static const cnn_argument arguments[] = {
    {"p",
     CNN_ARGUMENT_NUMBER,
     offsetof(cnn_layer_options, dropout.p),
     false,
     0.5,
     0,
     1.0 - 0x1p-24,
     {{0}}},
    CNN_INPLACE,
};

uint32_t cnn_dropout_threshold(double p)
{
    /* A power of two scales without rounding, so p below 1 stays below 2^32. */
    return (uint32_t)(p * 0x1p32);
}

static double forward_flops(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 1.0);
}

const cnn_layer_class cnn_dropout_layer = {
    .name = "Dropout",
    .torch_name = "dropout",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = cnn_layer_keep_shape,
    .forward_flops = forward_flops,
};

const cnn_layer_class cnn_dropout2d_layer = {
    .name = "Dropout2d",
    .torch_name = "dropout2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = cnn_layer_keep_shape,
    .forward_flops = forward_flops,
};
