/* ReLU: max(x, 0), NaN kept. */
#include "layers/layer.h"

static bool set_output(cnn_layer *layer)
{
    layer->out = layer->in;
    return true;
}

static double forward_flops(const cnn_layer *layer)
{
    return (double)cnn_shape_count(layer->out);
}

const cnn_layer_class cnn_relu_layer = {"relu", set_output, NULL, forward_flops};
