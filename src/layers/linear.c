/* Linear: y = x W^T + b with W (out, in). */
#include "layers/layer.h"

enum { MAX_FEATURES = 1 << 20 };

static const cnn_argument arguments[] = {
    {"out_features",
     CNN_ARGUMENT_INT,
     offsetof(cnn_layer_options, linear.features),
     true,
     0,
     1,
     MAX_FEATURES,
     {{0}}},
    {"bias", CNN_ARGUMENT_BOOL, offsetof(cnn_layer_options, linear.bias), false, 1, 0, 1, {{0}}},
};

static cnn_status set_output(cnn_layer *layer)
{
    if (layer->in.h != 1 || layer->in.w != 1)
        return cnn_layer_fail(layer,
                              "expected an input of (features, 1, 1), found (%d, %d, %d): put "
                              "Flatten() before it",
                              layer->in.c, layer->in.h, layer->in.w);
    layer->out = (cnn_shape){layer->options.linear.features, 1, 1};
    return CNN_OK;
}

static void set_params(cnn_layer *layer)
{
    int in = layer->in.c, out = layer->out.c;
    layer->param_count = layer->options.linear.bias ? 2 : 1;
    layer->params[0] = (cnn_param){.suffix = "weight", .rank = 2, .shape = {out, in}, .fan_in = in};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {out}};
}

static double forward_flops(const cnn_layer *layer)
{
    return 2.0 * layer->in.c * layer->out.c;
}

const cnn_layer_class cnn_linear_layer = {
    .name = "Linear",
    .torch_name = "linear",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = set_output,
    .set_params = set_params,
    .forward_flops = forward_flops,
};
