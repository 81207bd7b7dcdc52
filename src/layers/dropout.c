/* Dropout2d: whole channels, independently per sample; identity in evaluation. */
#include "layers/layer.h"

uint32_t cnn_dropout_threshold(double p)
{
    /* A power of two scales without rounding, so p below 1 stays below 2^32. */
    return (uint32_t)(p * 0x1p32);
}

static bool set_output(cnn_layer *layer)
{
    layer->out = layer->in;
    return true;
}

static double forward_flops(const cnn_layer *layer)
{
    return (double)cnn_shape_count(layer->out);
}

const cnn_layer_class cnn_dropout_layer = {"dropout2d", set_output, NULL, forward_flops};
