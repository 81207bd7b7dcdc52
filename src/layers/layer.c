#include "layers/layer.h"

#include <stdio.h>

#include "base/status.h"

static const cnn_layer_class *const classes[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = &cnn_conv_layer,       [CNN_LAYER_BATCHNORM] = &cnn_batchnorm_layer,
    [CNN_LAYER_RELU] = &cnn_relu_layer,       [CNN_LAYER_MAXPOOL] = &cnn_maxpool_layer,
    [CNN_LAYER_DROPOUT] = &cnn_dropout_layer, [CNN_LAYER_FLATTEN] = &cnn_flatten_layer,
    [CNN_LAYER_LINEAR] = &cnn_linear_layer,
};

const cnn_layer_class *cnn_layer_get_class(cnn_layer_kind kind)
{
    return classes[kind];
}

size_t cnn_shape_count(cnn_shape shape)
{
    return (size_t)shape.c * (size_t)shape.h * (size_t)shape.w;
}

/* The kernels index one sample with int. */
static bool fits_an_int(cnn_shape shape)
{
    return (int64_t)shape.c * shape.h <= INT32_MAX &&
           (int64_t)shape.c * shape.h * shape.w <= INT32_MAX;
}

static bool count_params(cnn_layer *layer)
{
    for (int i = 0; i < layer->param_count; i++) {
        cnn_param *param = &layer->params[i];
        int64_t count = 1;
        for (int axis = 0; axis < param->rank; axis++) {
            count *= param->shape[axis];
            if (count > INT32_MAX)
                return false;
        }
        param->count = (size_t)count;
    }
    return true;
}

cnn_status cnn_layer_init(cnn_layer *layer)
{
    const cnn_layer_class *class = cnn_layer_get_class(layer->kind);
    snprintf(layer->name, sizeof layer->name, "%s_%02d", class->torch_name, layer->index);
    cnn_shape in = layer->in;
    if (!fits_an_int(in))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "layer %s: an input of %d x %d x %d per sample exceeds 2^31 - 1 values",
                        layer->name, in.c, in.h, in.w);
    if (!class->set_output(layer))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "layer %s: an input of %d x %d x %d leaves no output: use fewer cdims or "
                        "larger images",
                        layer->name, in.c, in.h, in.w);
    if (!fits_an_int(layer->out))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "layer %s: an output of %d x %d x %d per sample exceeds 2^31 - 1 values",
                        layer->name, layer->out.c, layer->out.h, layer->out.w);
    if (class->set_params)
        class->set_params(layer);
    if (!count_params(layer))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "layer %s: its weights for an input of %d x %d x %d exceed 2^31 - 1 values",
                        layer->name, in.c, in.h, in.w);
    return CNN_OK;
}
