/* A number for each channel: part of the layer before, where nobody else reads that one; of what
 * normalises the pixels; else a convolution of 1 x 1 of each channel alone. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

/* value times scale plus shift, for each channel. */
typedef struct affine {
    int count;
    float *scale, *shift;
    bool known; /* it is a factor and a summand; else some function of each value */
} affine;

static cnn_status fill(float **values, onnx_reader *reader, int count, float number)
{
    cnn_status status = CNN_OK;
    if (*values)
        return CNN_OK;
    CNN_TRY(cnn_onnx_take(values, reader, (size_t)count, sizeof **values));
    for (int i = 0; i < count; i++)
        (*values)[i] = number;
out:
    return status;
}

/* The layer computes scale (W x + b) + shift instead. */
static cnn_status fold_into(onnx_layer *layer, onnx_reader *reader, const affine *by)
{
    bool norm = layer->kind == CNN_LAYER_BATCHNORM || layer->kind == CNN_LAYER_GROUPNORM;
    int channels = layer->out.c;
    cnn_status status = CNN_OK;
    if (norm) {
        layer->options.norm.affine = true;
        layer->weight_count = (size_t)channels;
        CNN_TRY(fill(&layer->weight, reader, channels, 1.0f));
    }
    CNN_TRY(fill(&layer->bias, reader, channels, 0.0f));
    size_t each = layer->weight_count / (size_t)channels;
    for (int c = 0; c < channels; c++) {
        for (size_t i = 0; i < each; i++)
            layer->weight[(size_t)c * each + i] *= by->scale[c];
        layer->bias[c] = layer->bias[c] * by->scale[c] + by->shift[c];
    }
    if (layer->kind == CNN_LAYER_CONV)
        layer->options.conv.bias = true;
    if (layer->kind == CNN_LAYER_LINEAR)
        layer->options.linear.bias = true;
out:
    return status;
}

static bool takes_affine(const onnx_layer *layer, int count)
{
    return layer->out.c == count &&
           (layer->kind == CNN_LAYER_CONV || layer->kind == CNN_LAYER_LINEAR ||
            layer->kind == CNN_LAYER_BATCHNORM || layer->kind == CNN_LAYER_GROUPNORM);
}

/* A convolution of each channel alone. */
static cnn_status plan_apart(int *base, onnx_reader *reader, const onnx_node *node,
                             const affine *by)
{
    int input = *base;
    onnx_layer layer = {.kind = CNN_LAYER_CONV, .inputs = &input, .input_count = 1};
    cnn_layer_default_options(&layer.options, CNN_LAYER_CONV);
    layer.options.conv.kernel[0] = layer.options.conv.kernel[1] = 1;
    layer.options.conv.channels = layer.options.conv.groups = by->count;
    layer.weight = by->scale;
    layer.bias = by->shift;
    layer.weight_count = (size_t)by->count;
    return cnn_onnx_plan(base, reader, node, &layer);
}

/* Part of the layer that the plan's value is of, where nobody else reads it; else one of its own.
 */
static cnn_status plan_affine(int *base, onnx_reader *reader, const onnx_node *node,
                              const affine *by, bool alone)
{
    return alone && *base > 0 && takes_affine(cnn_onnx_layer(reader, *base), by->count)
               ? fold_into(cnn_onnx_layer(reader, *base), reader, by)
               : plan_apart(base, reader, node, by);
}

cnn_status cnn_onnx_plan_line(int *base, onnx_reader *reader, const onnx_node *node, int input,
                              const float line[2], bool alone)
{
    affine by = {.count = cnn_onnx_shape(reader, input).c};
    cnn_status status = CNN_OK;
    *base = input;
    CNN_TRY(fill(&by.scale, reader, by.count, line[0]));
    CNN_TRY(fill(&by.shift, reader, by.count, line[1]));
    status = plan_affine(base, reader, node, &by, alone);
out:
    return status;
}

/* Part of what normalises the pixels. */
static cnn_status fold_into_pixels(onnx_reader *reader, const affine *by)
{
    cnn_status status = CNN_OK;
    CNN_TRY(fill(&reader->scale, reader, by->count, 1.0f));
    CNN_TRY(fill(&reader->shift, reader, by->count, 0.0f));
    for (int c = 0; c < by->count; c++) {
        reader->scale[c] *= by->scale[c];
        reader->shift[c] = reader->shift[c] * by->scale[c] + by->shift[c];
    }
out:
    return status;
}

cnn_status cnn_onnx_scale_pixels(onnx_reader *reader, float factor)
{
    cnn_status status = CNN_OK;
    CNN_TRY(fill(&reader->scale, reader, reader->shape.c, 1.0f));
    CNN_TRY(fill(&reader->shift, reader, reader->shape.c, 0.0f));
    for (int c = 0; c < reader->shape.c; c++)
        reader->scale[c] *= factor;
out:
    return status;
}

/* Which of the constant's axes is the channels'? -1: it is another shape; its axes end where the
 * value's do. */
static bool fits_channels(const onnx_value *value, const onnx_tensor *constant, int count)
{
    int channel = value->rank == 3 && value->rows_first ? 2 : 0;
    if (value->rank != 1 && value->rank != 3)
        return false;
    for (int axis = 0; axis < constant->rank; axis++) {
        int at = value->rank - constant->rank + axis; /* -1: the batch */
        int64_t dim = constant->dims[axis];
        if (dim != 1 && (at != channel || dim != count))
            return false;
    }
    return constant->count == (size_t)count || constant->count == 1;
}

/* By operator; false: none of them. */
static bool set_numbers(affine *to, const char *op, const float *values, size_t count, bool first)
{
    for (int c = 0; c < to->count; c++) {
        float number = values[count == 1 ? 0 : c];
        bool minus = strcmp(op, "Sub") == 0;
        to->scale[c] = 1.0f;
        if (strcmp(op, "Add") == 0 || minus) {
            to->shift[c] = minus && !first ? -number : number;
            to->scale[c] = minus && first ? -1.0f : 1.0f;
        } else if (strcmp(op, "Mul") == 0) {
            to->scale[c] = number;
        } else if (strcmp(op, "Div") == 0 && !first) {
            to->scale[c] = 1.0f / number;
        } else {
            return false;
        }
    }
    return true;
}

/* The plan's value with one channel for each number, and what it is multiplied with. */
static cnn_status prepare(affine *by, int *base, onnx_reader *reader, const onnx_node *node,
                          int index, onnx_tensor *constant, bool first)
{
    const onnx_value *value = cnn_onnx_value(reader, index);
    const float *values = NULL;
    cnn_shape hwc = {0};
    cnn_status status = CNN_OK;
    if (constant->count == 1 || value->rows_first)
        CNN_TRY(cnn_onnx_settle(base, reader, node, index));
    else
        CNN_TRY(value->rank == 1 ? cnn_onnx_vector(base, &hwc, reader, node, index)
                                 : cnn_onnx_planes(base, reader, node, index));
    by->count = cnn_onnx_shape(reader, *base).c;
    if (!fits_channels(value, constant, by->count))
        return cnn_onnx_fail(reader, node,
                             "expected one number, or one for each of %d channels, "
                             "found a constant of another shape",
                             by->count);
    CNN_TRY(cnn_onnx_floats(&values, reader, constant));
    CNN_TRY(cnn_onnx_take(&by->scale, reader, (size_t)by->count, sizeof(float)));
    CNN_TRY(cnn_onnx_take(&by->shift, reader, (size_t)by->count, sizeof(float)));
    by->known = set_numbers(by, node->op, values, constant->count, first);
    if (!by->known && constant->count != 1)
        return cnn_onnx_fail(reader, node,
                             "no kind of layer computes this operator with a number for each "
                             "channel");
out:
    return status;
}

/* Can it be (pixel - mean) / deviation? */
static bool normalizes(const affine *by)
{
    bool good = true;
    for (int c = 0; c < by->count; c++)
        good =
            good && by->scale[c] >= 0x1p-100f && by->scale[c] <= 0x1p100f && isfinite(by->shift[c]);
    return good;
}

cnn_status cnn_onnx_affine(bool *done, onnx_reader *reader, onnx_node *node, int index,
                           onnx_tensor *constant, bool first)
{
    onnx_value *value = cnn_onnx_value(reader, index);
    affine by = {0};
    cnn_status status = CNN_OK;
    int base = 0;
    *done = true;
    CNN_TRY(prepare(&by, &base, reader, node, index, constant, first));
    bool of_pixels = base == 0 && by.known && normalizes(&by);
    if (constant->count == 1 && !of_pixels) {
        *done = false; /* a formula */
        return CNN_OK;
    }
    bool alone = value->alone && value->readers == 1 && value->base == base;
    if (alone && of_pixels)
        CNN_TRY(fold_into_pixels(reader, &by));
    else
        CNN_TRY(plan_affine(&base, reader, node, &by, alone));
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_onnx_copy_view(to, value);
    to->base = base;
    to->alone = true;
out:
    return status;
}
