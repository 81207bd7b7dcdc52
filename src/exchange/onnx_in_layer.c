/* Linear layers, norms, means, Concat and Dropout. */
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

/* The network's value that the node reads first. */
cnn_status cnn_onnx_check_first(const onnx_reader *reader, const onnx_node *node)
{
    onnx_value *value = cnn_onnx_input(reader, node, 0);
    return value && !value->constant
               ? CNN_OK
               : cnn_onnx_fail(reader, node, "expected a value of the network as its first input");
}

/* w (out, in): its columns from the order (H, W, C) to (C, H, W). */
static cnn_status reorder(float *w, int out, cnn_shape hwc, onnx_reader *reader)
{
    size_t in = cnn_shape_count(hwc), plane = (size_t)hwc.h * (size_t)hwc.w,
           channels = (size_t)hwc.c;
    float *row = NULL;
    cnn_status status = CNN_OK;
    if (in == 0)
        return CNN_OK;
    CNN_TRY(cnn_onnx_take(&row, reader, in, sizeof *row));
    for (int o = 0; o < out; o++, w += in) {
        memcpy(row, w, in * sizeof *row);
        for (size_t i = 0; i < in; i++)
            w[i] = row[i % plane * channels + i / plane];
    }
out:
    return status;
}

/* A linear layer of b, (in, out) or transposed, times alpha, and c. */
static cnn_status add_linear(onnx_reader *reader, onnx_node *node, bool transposed, double alpha,
                             double beta)
{
    onnx_layer layer = {.kind = CNN_LAYER_LINEAR, .input_count = 1};
    onnx_tensor *b = NULL;
    cnn_shape hwc = {0};
    const float *from = NULL;
    cnn_status status = CNN_OK;
    int base = 0;
    CNN_TRY(cnn_onnx_check_first(reader, node));
    CNN_TRY(cnn_onnx_vector(&base, &hwc, reader, node, node->inputs[0]));
    CNN_TRY(cnn_onnx_constant(&b, reader, node, 1));
    int in = cnn_onnx_shape(reader, base).c;
    int64_t out = b->rank == 2 ? b->dims[transposed ? 0 : 1] : 0;
    if (b->rank != 2 || out < 1 || b->dims[transposed ? 1 : 0] != in)
        return cnn_onnx_fail(reader, node, "expected a weight of two axes, for %d features", in);
    CNN_TRY(cnn_onnx_floats(&from, reader, b));
    CNN_TRY(cnn_onnx_take(&layer.weight, reader, b->count, sizeof *layer.weight));
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            layer.weight[o * in + i] =
                (float)(alpha * (double)from[transposed ? o * in + i : i * out + o]);
    CNN_TRY(reorder(layer.weight, (int)out, hwc, reader));
    layer.weight_count = b->count;
    layer.options.linear.features = (int)out;
    onnx_value *c = strcmp(node->op, "Gemm") == 0 ? cnn_onnx_input(reader, node, 2) : NULL;
    if (c) {
        bool same = c->constant && c->constant->count == 1;
        float *bias = NULL;
        CNN_TRY(cnn_onnx_take_floats(&bias, reader, node, 2, same ? 1 : (size_t)out));
        CNN_TRY(cnn_onnx_take(&layer.bias, reader, (size_t)out, sizeof *layer.bias));
        for (int64_t o = 0; o < out; o++)
            layer.bias[o] = (float)(beta * (double)bias[same ? 0 : o]);
        layer.options.linear.bias = true;
    }
    layer.inputs = &base;
    CNN_TRY(cnn_onnx_plan(&base, reader, node, &layer));
    cnn_onnx_set_output(reader, node, base, true);
out:
    return status;
}

static cnn_status add_gemm(onnx_reader *reader, onnx_node *node)
{
    if (cnn_onnx_int(node, "transA", 0) != 0)
        return cnn_onnx_fail(reader, node, "transA: expected 0");
    return add_linear(reader, node, cnn_onnx_int(node, "transB", 0) != 0,
                      cnn_onnx_float(node, "alpha", 1.0), cnn_onnx_float(node, "beta", 1.0));
}

static cnn_status add_matmul(onnx_reader *reader, onnx_node *node)
{
    bool done = false;
    cnn_status status = cnn_onnx_mean_product(&done, reader, node);
    if (done || status != CNN_OK)
        return status;
    return add_linear(reader, node, false, 1.0, 1.0);
}

/* A norm keeps the shape; of a vector it is one of (C, 1, 1). */
static cnn_status plan_norm(onnx_reader *reader, onnx_node *node, onnx_layer *layer, int base)
{
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_take(&layer->inputs, reader, 1, sizeof *layer->inputs));
    layer->inputs[0] = base;
    layer->input_count = 1;
    layer->weight_count = (size_t)cnn_onnx_shape(reader, base).c;
    CNN_TRY(cnn_onnx_plan(&base, reader, node, layer));
    cnn_onnx_copy_view(to, cnn_onnx_value(reader, node->inputs[0]));
    to->base = base;
    to->alone = true;
out:
    return status;
}

/* (batch, C, H, W), or a vector. */
static cnn_status take_channels(int *base, onnx_reader *reader, const onnx_node *node)
{
    cnn_shape hwc = {0};
    cnn_status status = cnn_onnx_check_first(reader, node);
    if (status != CNN_OK)
        return status;
    if (cnn_onnx_input(reader, node, 0)->rank != 1)
        return cnn_onnx_planes(base, reader, node, node->inputs[0]);
    status = cnn_onnx_vector(base, &hwc, reader, node, node->inputs[0]);
    if (status == CNN_OK && hwc.c > 0)
        status = cnn_onnx_fail(reader, node, "expected channels before rows and columns");
    return status;
}

static cnn_status add_batchnorm(onnx_reader *reader, onnx_node *node)
{
    onnx_layer layer = {.kind = CNN_LAYER_BATCHNORM};
    float **const tensors[] = {&layer.weight, &layer.bias, &layer.mean, &layer.variance};
    cnn_status status = CNN_OK;
    int base = 0;
    CNN_TRY(take_channels(&base, reader, node));
    if (cnn_onnx_int(node, "training_mode", 0) != 0 || cnn_onnx_int(node, "spatial", 1) != 1)
        return cnn_onnx_fail(reader, node,
                             "expected one for evaluation, with a number for each "
                             "channel");
    size_t channels = (size_t)cnn_onnx_shape(reader, base).c;
    for (int i = 0; i < 4; i++)
        CNN_TRY(cnn_onnx_take_floats(tensors[i], reader, node, i + 1, channels));
    cnn_layer_default_options(&layer.options, CNN_LAYER_BATCHNORM);
    layer.options.norm.eps = cnn_onnx_float(node, "epsilon", 1e-5);
    /* ONNX's is the part that stays */
    double stays = cnn_onnx_float(node, "momentum", 0.9);
    layer.options.norm.momentum = cnn_onnx_widen((float)(1.0 - stays));
    if (!(layer.options.norm.momentum >= 0.0 && layer.options.norm.momentum <= 1.0))
        layer.options.norm.momentum = 0.1;
    status = plan_norm(reader, node, &layer, base);
out:
    return status;
}

/* Are all of these numbers the same? */
static bool are_all(const float *values, size_t count, float number)
{
    for (size_t i = 0; i < count; i++)
        if (values[i] != number)
            return false;
    return true;
}

/* Of (G, all of a group), which is how GroupNorm is written before opset 18, or of (C, H, W). */
static cnn_status add_instance_norm(onnx_reader *reader, onnx_node *node)
{
    onnx_layer layer = {.kind = CNN_LAYER_GROUPNORM};
    cnn_status status = CNN_OK;
    int base = 0;
    CNN_TRY(cnn_onnx_check_first(reader, node));
    const onnx_value *from = cnn_onnx_input(reader, node, 0);
    CNN_TRY(cnn_onnx_settle(&base, reader, node, node->inputs[0]));
    cnn_shape in = cnn_onnx_shape(reader, base);
    int64_t groups = from->rank > 0 ? from->dims[0] : 0;
    if (groups > 0 && in.c % groups != 0 && cnn_shape_count(in) % (size_t)groups == 0) {
        /* of a plane's values as channels */
        CNN_TRY(cnn_onnx_plan_simple(&base, reader, node, CNN_LAYER_FLATTEN, &layer.options, base));
        in = cnn_onnx_shape(reader, base);
    }
    if (groups < 1 || groups > in.c || in.c % groups != 0 || from->rows_first)
        return cnn_onnx_fail(reader, node, "expected groups of the %d channels before it", in.c);
    CNN_TRY(cnn_onnx_take_floats(&layer.weight, reader, node, 1, (size_t)groups));
    CNN_TRY(cnn_onnx_take_floats(&layer.bias, reader, node, 2, (size_t)groups));
    layer.options.norm.groups = (int)groups;
    layer.options.norm.eps = cnn_onnx_float(node, "epsilon", 1e-5);
    layer.options.norm.affine = groups == in.c;
    if (!layer.options.norm.affine &&
        !(are_all(layer.weight, (size_t)groups, 1.0f) && are_all(layer.bias, (size_t)groups, 0.0f)))
        return cnn_onnx_fail(reader, node, "expected a scale of 1 and no bias for groups");
    if (!layer.options.norm.affine)
        layer.weight = layer.bias = NULL;
    status = plan_norm(reader, node, &layer, base);
out:
    return status;
}

/* Opset 18 has a number for each group, 21 one for each channel. */
static cnn_status add_group_norm(onnx_reader *reader, onnx_node *node)
{
    onnx_layer layer = {.kind = CNN_LAYER_GROUPNORM};
    cnn_status status = CNN_OK;
    int base = 0;
    CNN_TRY(take_channels(&base, reader, node));
    int channels = cnn_onnx_shape(reader, base).c;
    int64_t groups = cnn_onnx_int(node, "num_groups", 0);
    if (groups < 1 || groups > channels || channels % groups != 0)
        return cnn_onnx_fail(reader, node, "num_groups: expected a divisor of %d, found %lld",
                             channels, (long long)groups);
    int count = reader->opset < 21 ? (int)groups : channels;
    float *given[2], **const tensors[2] = {&layer.weight, &layer.bias};
    for (int i = 0; i < 2; i++) {
        CNN_TRY(cnn_onnx_take_floats(&given[i], reader, node, i + 1, (size_t)count));
        CNN_TRY(cnn_onnx_take(tensors[i], reader, (size_t)channels, sizeof(float)));
        for (int c = 0; c < channels; c++)
            (*tensors[i])[c] = given[i][c / (channels / count)];
    }
    layer.options.norm.groups = (int)groups;
    layer.options.norm.eps = cnn_onnx_float(node, "epsilon", 1e-5);
    layer.options.norm.affine = true;
    status = plan_norm(reader, node, &layer, base);
out:
    return status;
}

/* Of channels, or of vectors. */
static cnn_status add_concat(onnx_reader *reader, onnx_node *node)
{
    onnx_layer layer = {.kind = CNN_LAYER_CONCAT, .input_count = node->input_count};
    cnn_status status = CNN_OK;
    cnn_shape hwc = {0};
    int base = 0;
    CNN_TRY(cnn_onnx_check_first(reader, node));
    const onnx_value *first = cnn_onnx_input(reader, node, 0);
    bool flat = first->rank == 1;
    int64_t axis = cnn_onnx_int(node, "axis", 1);
    if ((first->rank != 1 && first->rank != 3) || (axis < 0 ? axis + first->rank + 1 : axis) != 1)
        return cnn_onnx_fail(reader, node, "axis: expected 1, the channels, found %lld",
                             (long long)axis);
    CNN_TRY(cnn_onnx_take(&layer.inputs, reader, (size_t)layer.input_count, sizeof *layer.inputs));
    for (int i = 0; i < node->input_count; i++) {
        const onnx_value *value = cnn_onnx_input(reader, node, i);
        if (!value || value->constant || value->rank != first->rank)
            return cnn_onnx_fail(reader, node, "expected values of the network, of as many axes");
        CNN_TRY(flat ? cnn_onnx_vector(&layer.inputs[i], &hwc, reader, node, node->inputs[i])
                     : cnn_onnx_planes(&layer.inputs[i], reader, node, node->inputs[i]));
        if (flat && hwc.c > 0)
            return cnn_onnx_fail(reader, node,
                                 "expected vectors with channels before rows and "
                                 "columns");
    }
    base = layer.inputs[0];
    if (layer.input_count > 1)
        CNN_TRY(cnn_onnx_plan(&base, reader, node, &layer));
    cnn_onnx_set_output(reader, node, base, flat);
out:
    return status;
}

/* Of the values, whatever their shape; it does something in training. */
static cnn_status add_dropout(onnx_reader *reader, onnx_node *node)
{
    cnn_layer_options options = {.dropout = {cnn_onnx_float(node, "ratio", 0.5)}};
    cnn_status status = CNN_OK;
    double number = 0;
    int base = 0;
    CNN_TRY(cnn_onnx_check_first(reader, node));
    if (cnn_onnx_input(reader, node, 1)) {
        if (!cnn_onnx_scalar(&number, reader, cnn_onnx_input(reader, node, 1)))
            return cnn_onnx_fail(reader, node, "expected a constant as its ratio");
        options.dropout.p = cnn_onnx_widen((float)number);
    }
    CNN_TRY(cnn_onnx_settle(&base, reader, node, node->inputs[0]));
    CNN_TRY(cnn_onnx_plan_simple(&base, reader, node, CNN_LAYER_DROPOUT, &options, base));
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_onnx_copy_view(to, cnn_onnx_value(reader, node->inputs[0]));
    to->base = base;
    to->alone = true;
out:
    return status;
}

cnn_status cnn_onnx_other(bool *done, onnx_reader *reader, onnx_node *node)
{
    static const struct {
        const char *op;
        cnn_status (*add)(onnx_reader *reader, onnx_node *node);
    } rows[] = {
        {"Gemm", add_gemm},
        {"MatMul", add_matmul},
        {"BatchNormalization", add_batchnorm},
        {"InstanceNormalization", add_instance_norm},
        {"GroupNormalization", add_group_norm},
        {"GlobalAveragePool", cnn_onnx_global},
        {"GlobalMaxPool", cnn_onnx_global},
        {"ReduceMean", cnn_onnx_reduce},
        {"ReduceMax", cnn_onnx_reduce},
        {"Concat", add_concat},
        {"Dropout", add_dropout},
    };
    *done = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].op, node->op) == 0)
            return rows[i].add(reader, node);
    *done = false;
    return CNN_OK;
}
