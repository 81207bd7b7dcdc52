/* MaxPool2d: 2x2, stride 2, floor: an odd last row or column is left out. */
#include "layers/layer.h"

static bool set_output(cnn_layer *layer)
{
    layer->out = (cnn_shape){layer->in.c, layer->in.h / CNN_POOL_SIZE, layer->in.w / CNN_POOL_SIZE};
    return layer->out.h > 0 && layer->out.w > 0;
}

static double forward_flops(const cnn_layer *layer)
{
    return 3.0 * (double)cnn_shape_count(layer->out);
}

const cnn_layer_class cnn_maxpool_layer = {"maxpool2d", set_output, NULL, forward_flops};
