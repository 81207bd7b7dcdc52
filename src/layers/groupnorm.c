/* GroupNorm: per sample, over the channels of a group and all positions. */
#include "layers/layer.h"

#define AT(field) offsetof(cnn_layer_options, norm.field)

enum { MAX_GROUPS = 1 << 20 };

static const cnn_argument arguments[] = {
    {"num_groups", CNN_ARGUMENT_INT, AT(groups), true, 0, 1, MAX_GROUPS, {{0}}},
    {"eps", CNN_ARGUMENT_NUMBER, AT(eps), false, 1e-5, 0, CNN_MAX_EPS, {{0}}},
    {"affine", CNN_ARGUMENT_BOOL, AT(affine), false, 1, 0, 1, {{0}}},
};

static cnn_status set_output(cnn_layer *layer)
{
    int groups = layer->options.norm.groups;
    if (layer->in.c % groups != 0)
        return cnn_layer_fail(layer,
                              "num_groups: expected a divisor of the input's %d channels, found %d",
                              layer->in.c, groups);
    return cnn_layer_keep_shape(layer);
}

static void set_params(cnn_layer *layer)
{
    layer->param_count = layer->options.norm.affine ? 2 : 0;
    layer->params[0] =
        (cnn_param){.suffix = "weight", .rank = 1, .shape = {layer->in.c}, .fill = 1.0f};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {layer->in.c}};
}

/* Moments, normalise, scale, shift. */
static double forward_flops(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 7.0);
}

const cnn_layer_class cnn_groupnorm_layer = {
    .name = "GroupNorm",
    .torch_name = "groupnorm",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = set_output,
    .set_params = set_params,
    .forward_flops = forward_flops,
};
