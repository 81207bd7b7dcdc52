/* Conv2d: stride 1, zero padding ksize / 2 on every side, so an even ksize grows the plane by one.
 */
#include "layers/layer.h"

int cnn_conv_padding(const cnn_layer *layer)
{
    return layer->ksize / 2;
}

static bool set_output(cnn_layer *layer)
{
    int growth = 2 * cnn_conv_padding(layer) - layer->ksize + 1;
    layer->out.h = layer->in.h + growth;
    layer->out.w = layer->in.w + growth;
    return layer->out.h > 0 && layer->out.w > 0;
}

static void set_params(cnn_layer *layer)
{
    int k = layer->ksize, in = layer->in.c, out = layer->out.c;
    layer->param_count = 2;
    layer->params[0] =
        (cnn_param){.suffix = "weight", .rank = 4, .shape = {out, in, k, k}, .fan_in = in * k * k};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {out}};
}

static double forward_flops(const cnn_layer *layer)
{
    return 2.0 * (double)cnn_shape_count(layer->out) * layer->in.c * layer->ksize * layer->ksize;
}

const cnn_layer_class cnn_conv_layer = {"conv2d", set_output, set_params, forward_flops};
