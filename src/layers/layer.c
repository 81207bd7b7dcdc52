#include "layers/layer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "base/status.h"
#include "base/text.h"

static const cnn_layer_class *const classes[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = &cnn_conv_layer,
    [CNN_LAYER_LINEAR] = &cnn_linear_layer,
    [CNN_LAYER_BATCHNORM] = &cnn_batchnorm_layer,
    [CNN_LAYER_GROUPNORM] = &cnn_groupnorm_layer,
    [CNN_LAYER_RELU] = &cnn_relu_layer,
    [CNN_LAYER_RELU6] = &cnn_relu6_layer,
    [CNN_LAYER_LEAKYRELU] = &cnn_leakyrelu_layer,
    [CNN_LAYER_SILU] = &cnn_silu_layer,
    [CNN_LAYER_GELU] = &cnn_gelu_layer,
    [CNN_LAYER_HARDSWISH] = &cnn_hardswish_layer,
    [CNN_LAYER_SIGMOID] = &cnn_sigmoid_layer,
    [CNN_LAYER_TANH] = &cnn_tanh_layer,
    [CNN_LAYER_MAXPOOL] = &cnn_maxpool_layer,
    [CNN_LAYER_AVGPOOL] = &cnn_avgpool_layer,
    [CNN_LAYER_ADAPTIVEAVGPOOL] = &cnn_adaptiveavgpool_layer,
    [CNN_LAYER_DROPOUT] = &cnn_dropout_layer,
    [CNN_LAYER_DROPOUT2D] = &cnn_dropout2d_layer,
    [CNN_LAYER_FLATTEN] = &cnn_flatten_layer,
    [CNN_LAYER_ADD] = &cnn_add_layer,
    [CNN_LAYER_CONCAT] = &cnn_concat_layer,
    [CNN_LAYER_MUL] = &cnn_mul_layer,
    [CNN_LAYER_SCALE] = &cnn_scale_layer,
};

const cnn_layer_class *cnn_layer_get_class(cnn_layer_kind kind)
{
    return classes[kind];
}

bool cnn_layer_find_kind(cnn_layer_kind *kind, const char *name)
{
    for (int i = 0; i < CNN_LAYER_KIND_COUNT; i++)
        if (strcmp(classes[i]->name, name) == 0) {
            *kind = (cnn_layer_kind)i;
            return true;
        }
    return false;
}

static void set_default(cnn_layer_options *options, const cnn_argument *argument)
{
    static const int counts[] = {
        [CNN_ARGUMENT_INT] = 1, [CNN_ARGUMENT_PAIR] = 2, [CNN_ARGUMENT_PADDING] = 4};
    void *at = (char *)options + argument->offset;
    switch (argument->type) {
    case CNN_ARGUMENT_INT:
    case CNN_ARGUMENT_PAIR:
    case CNN_ARGUMENT_PADDING:
        for (int i = 0; i < counts[argument->type]; i++)
            ((int *)at)[i] = (int)argument->fallback;
        break;
    case CNN_ARGUMENT_BOOL:
    case CNN_ARGUMENT_CHOICE:
        *(bool *)at = argument->fallback != 0.0;
        break;
    case CNN_ARGUMENT_NUMBER:
        *(double *)at = argument->fallback;
        break;
    case CNN_ARGUMENT_MOOT:
        break;
    }
}

void cnn_layer_default_options(cnn_layer_options *options, cnn_layer_kind kind)
{
    memset(options, 0, sizeof *options);
    for (int i = 0; i < classes[kind]->argument_count; i++)
        set_default(options, &classes[kind]->arguments[i]);
}

size_t cnn_shape_count(cnn_shape shape)
{
    return (size_t)shape.c * (size_t)shape.h * (size_t)shape.w;
}

bool cnn_shape_equal(cnn_shape a, cnn_shape b)
{
    return a.c == b.c && a.h == b.h && a.w == b.w;
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

cnn_status cnn_layer_fail(const cnn_layer *layer, const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(message, sizeof message, format, arguments);
    va_end(arguments);
    return layer->input_names ? cnn_fail(CNN_ERROR_ARGUMENT, "%s", message)
                              : cnn_fail(CNN_ERROR_ARGUMENT, "layer %s: %s", layer->name, message);
}

const char *cnn_layer_describe_input(char buffer[CNN_INPUT_TEXT_SIZE], const cnn_layer *layer,
                                     int input)
{
    cnn_shape shape = cnn_layer_input(layer, input);
    char quoted[CNN_QUOTE_SIZE];
    const char *name = "";
    if (layer->input_names)
        name = cnn_quote(quoted, layer->input_names[input]);
    else if (layer->nodes)
        name = layer->inputs[input] == 0 ? "input" : layer->nodes[layer->inputs[input] - 1].name;
    snprintf(buffer, CNN_INPUT_TEXT_SIZE, "%s%s(%d, %d, %d)", name, *name ? " " : "", shape.c,
             shape.h, shape.w);
    return buffer;
}

static cnn_status check_output(const cnn_layer *layer)
{
    cnn_shape in = layer->in, out = layer->out;
    if (out.c < 1 || out.h < 1 || out.w < 1)
        return cnn_layer_fail(layer,
                              "an input of %d x %d x %d leaves no output: use fewer layers that "
                              "shrink it (--cdims) or larger images",
                              in.c, in.h, in.w);
    if (!fits_an_int(out))
        return cnn_layer_fail(layer, "an output of %d x %d x %d per sample exceeds 2^31 - 1 values",
                              out.c, out.h, out.w);
    return CNN_OK;
}

cnn_status cnn_layer_init(cnn_layer *layer)
{
    const cnn_layer_class *class = cnn_layer_get_class(layer->kind);
    cnn_status status = CNN_OK;
    cnn_shape in = layer->in;
    if (!layer->name[0])
        snprintf(layer->name, sizeof layer->name, "%s_%02d", class->torch_name, layer->index);
    if (!fits_an_int(in))
        return cnn_layer_fail(layer, "an input of %d x %d x %d per sample exceeds 2^31 - 1 values",
                              in.c, in.h, in.w);
    CNN_TRY(class->set_output(layer));
    CNN_TRY(check_output(layer));
    if (class->set_params)
        class->set_params(layer);
    if (!count_params(layer))
        status =
            cnn_layer_fail(layer, "its weights for an input of %d x %d x %d exceed 2^31 - 1 values",
                           in.c, in.h, in.w);
out:
    return status;
}

cnn_status cnn_layer_keep_shape(cnn_layer *layer)
{
    layer->out = layer->in;
    return CNN_OK;
}

double cnn_layer_flops_each(const cnn_layer *layer, double flops)
{
    return flops * (double)cnn_shape_count(layer->out);
}
