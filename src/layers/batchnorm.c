/* BatchNorm2d: per channel, over samples and positions. */
#include "layers/layer.h"

#define AT(field) offsetof(cnn_layer_options, norm.field)

static const cnn_argument arguments[] = {
    {"eps", CNN_ARGUMENT_NUMBER, AT(eps), false, 1e-5, 0, CNN_MAX_EPS, {{0}}},
    {"momentum", CNN_ARGUMENT_NUMBER, AT(momentum), false, 0.1, 0, 1, {{0}}},
    {"affine", CNN_ARGUMENT_BOOL, AT(affine), false, 1, 0, 1, {{0}}},
    CNN_TRACK_RUNNING_STATS,
};

static void set_params(cnn_layer *layer)
{
    layer->param_count = layer->options.norm.affine ? 2 : 0;
    layer->params[0] =
        (cnn_param){.suffix = "weight", .rank = 1, .shape = {layer->in.c}, .fill = 1.0f};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {layer->in.c}};
    layer->statistic_count = 2 * layer->in.c;
}

/* Normalise, scale, shift. */
static double forward_flops(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 4.0);
}

const cnn_layer_class cnn_batchnorm_layer = {
    .name = "BatchNorm2d",
    .torch_name = "batchnorm2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = cnn_layer_keep_shape,
    .set_params = set_params,
    .forward_flops = forward_flops,
};
