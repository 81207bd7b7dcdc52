/* BatchNorm2d: per channel, over samples and positions. */
#include "layers/layer.h"

static bool set_output(cnn_layer *layer)
{
    layer->out = layer->in;
    return true;
}

static void set_params(cnn_layer *layer)
{
    layer->param_count = 2;
    layer->params[0] =
        (cnn_param){.suffix = "weight", .rank = 1, .shape = {layer->in.c}, .fill = 1.0f};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {layer->in.c}};
    layer->statistic_count = 2 * layer->in.c;
}

/* Normalise, scale, shift. */
static double forward_flops(const cnn_layer *layer)
{
    return 4.0 * (double)cnn_shape_count(layer->out);
}

const cnn_layer_class cnn_batchnorm_layer = {"batchnorm2d", set_output, set_params, forward_flops};
