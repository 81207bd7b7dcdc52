/* Means and maxima of planes: of a whole one; and means of parts. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

/* Is a whole plane's mean wanted, or its maximum? By the operator. */
static cnn_layer_kind set_whole(cnn_layer_options *options, const onnx_node *node, cnn_shape in)
{
    bool mean = strcmp(node->op, "ReduceMean") == 0 || strcmp(node->op, "GlobalAveragePool") == 0;
    cnn_layer_kind kind = mean ? CNN_LAYER_ADAPTIVEAVGPOOL : CNN_LAYER_MAXPOOL;
    cnn_layer_default_options(options, kind);
    if (mean) {
        options->adaptive.output[0] = options->adaptive.output[1] = 1;
        return kind;
    }
    options->pool.kernel[0] = options->pool.stride[0] = in.h;
    options->pool.kernel[1] = options->pool.stride[1] = in.w;
    return kind;
}

/* One number of a plane, (H, W), of (C, H, W) or (H, W, C), or of what they are as one axis. */
static cnn_status add_whole(onnx_reader *reader, const onnx_node *node, int base, bool keeps)
{
    const onnx_value from = *cnn_onnx_input(reader, node, 0);
    cnn_layer_options options;
    cnn_layer_kind kind = set_whole(&options, node, cnn_onnx_shape(reader, base));
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_plan_simple(&base, reader, node, kind, &options, base));
    onnx_value *to = cnn_onnx_set_output(reader, node, base, !keeps);
    if (keeps && from.rank == 2) {
        to->rank = 2;
    } else if (keeps && from.rows_first) {
        to->dims[2] = to->dims[0];
        to->dims[0] = 1;
    }
out:
    return status;
}

cnn_status cnn_onnx_global(onnx_reader *reader, onnx_node *node)
{
    int base = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_check_first(reader, node));
    CNN_TRY(cnn_onnx_planes(&base, reader, node, node->inputs[0]));
    status = add_whole(reader, node, base, true);
out:
    return status;
}

cnn_status cnn_onnx_reduce(onnx_reader *reader, onnx_node *node)
{
    int64_t axes[CNN_RAW_RANK];
    int count = 0, base = 0;
    unsigned chosen = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_check_first(reader, node));
    const onnx_value *from = cnn_onnx_input(reader, node, 0);
    cnn_shape in = cnn_onnx_shape(reader, from->base);
    CNN_TRY(cnn_onnx_list(axes, &count, reader, node, "axes", 1, CNN_RAW_RANK));
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + from->rank + 1 : axes[i];
        chosen |= axis >= 0 && axis < CNN_RAW_RANK ? 1u << axis : 1u;
    }
    bool planes =
        from->rank == 3 && chosen == (from->rows_first ? 1u << 1 | 1u << 2 : 1u << 2 | 1u << 3);
    int64_t plane = (int64_t)in.h * in.w;
    bool folded = from->rank == 2 && !from->rows_first && chosen == 1u << 2;
    bool whole = from->rank == 3 ? from->dims[from->rows_first ? 2 : 0] == in.c &&
                                       from->dims[from->rows_first ? 0 : 1] == in.h
                                 : from->dims[0] == in.c && from->dims[1] == plane;
    if (!(planes || folded) || !whole)
        return cnn_onnx_fail(reader, node, "axes: expected those of rows and columns");
    CNN_TRY(cnn_onnx_settle(&base, reader, node, node->inputs[0]));
    status = add_whole(reader, node, base, cnn_onnx_int(node, "keepdims", 1) != 0);
out:
    return status;
}

/* Does the matrix (out, in), or its transpose, average as AdaptiveAvgPool2d does along an axis? */
static bool averages(const float *matrix, int64_t out, int64_t in, bool transposed)
{
    for (int64_t to = 0; to < out; to++) {
        int64_t begin = to * in / out, end = ((to + 1) * in + out - 1) / out;
        for (int64_t from = 0; from < in; from++) {
            double found = matrix[transposed ? from * out + to : to * in + from];
            double wanted = from >= begin && from < end ? 1.0 / (double)(end - begin) : 0.0;
            if (!(fabs(found - wanted) <= 1e-6))
                return false;
        }
    }
    return true;
}

/* The means along rows: those along columns are to follow. */
static cnn_status begin_product(bool *done, onnx_reader *reader, const onnx_node *node)
{
    const onnx_value *from = cnn_onnx_input(reader, node, 1);
    onnx_tensor *matrix = cnn_onnx_input(reader, node, 0)->constant;
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    const float *values = NULL;
    cnn_status status = CNN_OK;
    int base = 0;
    if (!from || from->rank != 3 || from->rows_first || matrix->rank != 2 ||
        matrix->dims[1] != from->dims[1] || matrix->dims[0] < 1)
        return CNN_OK;
    CNN_TRY(cnn_onnx_floats(&values, reader, matrix));
    if (!averages(values, matrix->dims[0], matrix->dims[1], false))
        return CNN_OK;
    *done = true;
    CNN_TRY(cnn_onnx_planes(&base, reader, node, node->inputs[1]));
    cnn_onnx_set_output(reader, node, base, false);
    to->rows = (int)matrix->dims[0];
    to->dims[1] = to->rows;
out:
    return status;
}

static cnn_status end_product(bool *done, onnx_reader *reader, const onnx_node *node)
{
    const onnx_value *from = cnn_onnx_input(reader, node, 0);
    onnx_value *second = cnn_onnx_input(reader, node, 1);
    onnx_tensor *matrix = second ? second->constant : NULL;
    cnn_layer_options options = {.adaptive = {{from->rows, 1}}};
    const float *values = NULL;
    cnn_status status = CNN_OK;
    int base = from->base;
    if (!matrix || matrix->rank != 2 || matrix->dims[0] != from->dims[2] || matrix->dims[1] < 1)
        return CNN_OK;
    CNN_TRY(cnn_onnx_floats(&values, reader, matrix));
    if (!averages(values, matrix->dims[1], matrix->dims[0], true))
        return CNN_OK;
    *done = true;
    options.adaptive.output[1] = (int)matrix->dims[1];
    CNN_TRY(cnn_onnx_plan_simple(&base, reader, node, CNN_LAYER_ADAPTIVEAVGPOOL, &options, base));
    cnn_onnx_set_output(reader, node, base, false);
out:
    return status;
}

cnn_status cnn_onnx_mean_product(bool *done, onnx_reader *reader, onnx_node *node)
{
    const onnx_value *first = cnn_onnx_input(reader, node, 0);
    if (first && first->constant)
        return begin_product(done, reader, node);
    return first && first->rows > 0 ? end_product(done, reader, node) : CNN_OK;
}
