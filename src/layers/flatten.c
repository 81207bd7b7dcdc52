/* Flatten: (C, H, W) to (C * H * W), in that order. */
#include "layers/layer.h"

/* All axes but the samples': PyTorch's defaults are what there is. */
static const cnn_argument arguments[] = {
    {"start_dim",
     CNN_ARGUMENT_INT,
     offsetof(cnn_layer_options, flatten.first),
     false,
     1,
     1,
     1,
     {{0}}},
    {"end_dim",
     CNN_ARGUMENT_INT,
     offsetof(cnn_layer_options, flatten.last),
     false,
     -1,
     -1,
     -1,
     {{0}}},
};

static cnn_status set_output(cnn_layer *layer)
{
    layer->out = (cnn_shape){(int)cnn_shape_count(layer->in), 1, 1};
    return CNN_OK;
}

static double forward_flops(const cnn_layer *layer)
{
    (void)layer;
    return 0.0;
}

const cnn_layer_class cnn_flatten_layer = {
    .name = "Flatten",
    .torch_name = "flatten",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = set_output,
    .forward_flops = forward_flops,
};
