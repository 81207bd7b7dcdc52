/* Flatten: (C, H, W) to (C * H * W), in that order. */
#include "layers/layer.h"

static bool set_output(cnn_layer *layer)
{
    layer->out = (cnn_shape){(int)cnn_shape_count(layer->in), 1, 1};
    return true;
}

static double forward_flops(const cnn_layer *layer)
{
    (void)layer;
    return 0.0;
}

const cnn_layer_class cnn_flatten_layer = {"flatten", set_output, NULL, forward_flops};
