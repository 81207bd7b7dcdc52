/* Linear: y = x W^T + b with W (out, in). */
#include "layers/layer.h"

static bool set_output(cnn_layer *layer)
{
    layer->out.h = layer->out.w = 1;
    return layer->in.h == 1 && layer->in.w == 1;
}

static void set_params(cnn_layer *layer)
{
    int in = layer->in.c, out = layer->out.c;
    layer->param_count = 2;
    layer->params[0] = (cnn_param){.suffix = "weight", .rank = 2, .shape = {out, in}, .fan_in = in};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {out}};
}

static double forward_flops(const cnn_layer *layer)
{
    return 2.0 * layer->in.c * layer->out.c;
}

const cnn_layer_class cnn_linear_layer = {"linear", set_output, set_params, forward_flops};
