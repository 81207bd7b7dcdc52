/* Flatten: (C, H, W) to (C * H * W), in that order. */
#include "layers/layer.h"

static bool set_output(cnn_layer *layer)
{
    int64_t plane = (int64_t)layer->in.h * layer->in.w;
    if (plane > INT32_MAX || plane * layer->in.c > INT32_MAX)
        return false;
    layer->out = (cnn_shape){(int)(plane * layer->in.c), 1, 1};
    return true;
}

static double forward_flops(const cnn_layer *layer)
{
    (void)layer;
    return 0.0;
}

const cnn_layer_class cnn_flatten_layer = {"flatten", set_output, NULL, forward_flops};
