/* The same values in another shape: nothing is computed, and a layer Flatten is made only where a
 * linear layer, or what else wants a vector, reads a plane. */
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

void cnn_onnx_copy_view(onnx_value *to, const onnx_value *from)
{
    const onnx_value kept = *to;
    *to = *from;
    to->name = kept.name;
    to->constant = NULL;
    to->readers = kept.readers;
    to->made = kept.made;
    to->wanted = kept.wanted;
    to->alone = from->alone && from->readers == 1;
}

onnx_value *cnn_onnx_set_output(onnx_reader *reader, const onnx_node *node, int base, bool flat)
{
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_shape shape = cnn_onnx_shape(reader, base);
    to->base = base;
    to->rank = flat ? 1 : 3;
    to->dims[0] = flat ? (int64_t)cnn_shape_count(shape) : shape.c;
    to->dims[1] = shape.h;
    to->dims[2] = shape.w;
    to->alone = true;
    return to;
}

static bool has_dims(const onnx_value *value, int64_t a, int64_t b, int64_t c)
{
    return value->rank == 3 && value->dims[0] == a && value->dims[1] == b && value->dims[2] == c;
}

/* One axis alone, or pixels and channels with only one of them: the order is none. */
static bool has_no_order(cnn_shape shape)
{
    return shape.c == 1 || (shape.h == 1 && shape.w == 1);
}

static cnn_status flatten(int *base, onnx_reader *reader, const onnx_node *node,
                          const onnx_value *value)
{
    const onnx_node *maker = value->view >= 0 ? cnn_onnx_node_at(reader, value->view) : node;
    cnn_layer_options options;
    cnn_layer_default_options(&options, CNN_LAYER_FLATTEN);
    return cnn_onnx_plan_simple(base, reader, maker, CNN_LAYER_FLATTEN, &options, *base);
}

cnn_status cnn_onnx_planes(int *base, onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *value = cnn_onnx_value(reader, index);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_settle(base, reader, node, index));
    cnn_shape shape = cnn_onnx_shape(reader, *base);
    bool ordered = !value->rows_first || has_no_order(shape);
    if (ordered && has_dims(value, shape.c, shape.h, shape.w))
        return CNN_OK;
    if (ordered && has_dims(value, (int64_t)cnn_shape_count(shape), 1, 1))
        return flatten(base, reader, node, value);
    if (value->rank != 3)
        return cnn_onnx_fail(reader, node,
                             "expected (batch, channels, height, width), found %d "
                             "axes: of one or three dimensions there is no kind of "
                             "layer",
                             value->rank + 1);
    status = cnn_onnx_fail(reader, node,
                           "expected (batch, %d, %d, %d), found (batch, %lld, %lld, "
                           "%lld): no kind of layer moves axes",
                           shape.c, shape.h, shape.w, (long long)value->dims[0],
                           (long long)value->dims[1], (long long)value->dims[2]);
out:
    return status;
}

cnn_status cnn_onnx_vector(int *base, cnn_shape *hwc, onnx_reader *reader, const onnx_node *node,
                           int index)
{
    const onnx_value *value = cnn_onnx_value(reader, index);
    cnn_status status = CNN_OK;
    *hwc = (cnn_shape){0};
    CNN_TRY(cnn_onnx_settle(base, reader, node, index));
    cnn_shape shape = cnn_onnx_shape(reader, *base);
    for (int axis = 1; axis < value->rank; axis++)
        if (value->dims[axis] != 1)
            return cnn_onnx_fail(reader, node, "expected (batch, features), found %d axes",
                                 value->rank + 1);
    if (value->rows_first && !has_no_order(shape))
        *hwc = shape;
    if (shape.h != 1 || shape.w != 1)
        status = flatten(base, reader, node, value);
out:
    return status;
}

/* The output is the input, seen with other dims. */
static cnn_status set_view(onnx_reader *reader, const onnx_node *node, int index, int rank,
                           const int64_t *dims)
{
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_onnx_copy_view(to, cnn_onnx_value(reader, node->inputs[0]));
    if (to->pad >= 0 && strcmp(node->op, "Transpose") != 0)
        return cnn_onnx_fail(reader, cnn_onnx_node_at(reader, to->pad),
                             "only convolutions and pools may read a padded value, found %s",
                             node->op);
    to->rank = rank;
    memcpy(to->dims, dims, (size_t)rank * sizeof *dims);
    to->view = index;
    return CNN_OK;
}

cnn_status cnn_onnx_same(onnx_reader *reader, const onnx_node *node)
{
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    int base = 0;
    cnn_onnx_copy_view(to, cnn_onnx_value(reader, node->inputs[0]));
    return to->curve && to->readers > 1 && to->pad < 0 && to->soft < 0 && to->rows == 0
               ? cnn_onnx_settle(&base, reader, node, node->outputs[0])
               : CNN_OK;
}

static cnn_status view_same(onnx_reader *reader, const onnx_node *node, int index)
{
    (void)index;
    return cnn_onnx_same(reader, node);
}

/* From one type of floats to another, and from whole numbers: the same values. To whole numbers
 * floats lose their fractions, which no kind of layer does. */
static cnn_status view_cast(onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *from = cnn_onnx_value(reader, node->inputs[0]);
    const onnx_value *like = cnn_onnx_input(reader, node, 1);
    bool is_like = strcmp(node->op, "CastLike") == 0;
    int64_t type = !is_like         ? cnn_onnx_int(node, "to", 0)
                   : !like          ? 0
                   : like->constant ? like->constant->type
                   : like->whole    ? ONNX_INT64
                                    : ONNX_FLOAT;
    bool floats =
        type == ONNX_FLOAT || type == ONNX_FLOAT16 || type == ONNX_DOUBLE || type == ONNX_BFLOAT16;
    (void)index;
    if (!floats && !(from->whole && cnn_onnx_holds_pixels(type)))
        return cnn_onnx_fail(reader, node,
                             "%s: expected a type of floats, found %s: no kind of layer "
                             "rounds",
                             is_like ? "its second input" : "to", cnn_onnx_type_name(type));
    cnn_status status = cnn_onnx_same(reader, node);
    cnn_onnx_value(reader, node->outputs[0])->whole = !floats;
    return status;
}

/* The batch stays the batch; one of the others may follow from the count. */
static cnn_status view_reshape(onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *value = cnn_onnx_value(reader, node->inputs[0]);
    int64_t target[CNN_RAW_RANK + 1], *dims = target + 1;
    uint64_t known = 1, count = 1;
    int rank = 0, open = 0;
    cnn_status status = CNN_OK;
    bool zero_is_zero = cnn_onnx_int(node, "allowzero", 0) != 0;
    CNN_TRY(cnn_onnx_list(target, &rank, reader, node, "shape", 1, CNN_RAW_RANK));
    if (rank < 1 ||
        (target[0] != ONNX_BATCH && target[0] != -1 && !(target[0] == 0 && !zero_is_zero) &&
         (reader->batch == 0 || target[0] != reader->batch)))
        return cnn_onnx_fail(reader, node, "expected a shape that begins with the batch");
    for (int axis = 0; axis < value->rank; axis++)
        count *= (uint64_t)value->dims[axis];
    for (int axis = 1; axis < rank; axis++) {
        if (target[axis] == 0 && !zero_is_zero && axis <= value->rank)
            target[axis] = value->dims[axis - 1];
        if (target[axis] == -1 && !open && target[0] != -1)
            open = axis;
        else if (target[axis] < 1 || __builtin_mul_overflow(known, (uint64_t)target[axis], &known))
            return cnn_onnx_fail(reader, node, "expected sizes above 0, one of them -1 at most");
    }
    if (open)
        target[open] = (int64_t)(count / known);
    if (open ? known * (uint64_t)target[open] != count : known != count)
        return cnn_onnx_fail(reader, node,
                             "expected a shape of %llu values a sample, found "
                             "another: the batch must stay as it is",
                             (unsigned long long)count);
    status = set_view(reader, node, index, rank - 1, dims);
out:
    return status;
}

static cnn_status view_flatten(onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *value = cnn_onnx_value(reader, node->inputs[0]);
    int64_t axis = cnn_onnx_int(node, "axis", 1), count = 1;
    if (axis != 1 && axis != -value->rank)
        return cnn_onnx_fail(reader, node, "axis: expected 1, behind the batch, found %lld",
                             (long long)axis);
    for (int i = 0; i < value->rank; i++)
        count *= value->dims[i];
    return set_view(reader, node, index, 1, &count);
}

static cnn_status view_squeeze(onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *value = cnn_onnx_value(reader, node->inputs[0]);
    bool comes = strcmp(node->op, "Unsqueeze") == 0, chosen[CNN_RAW_RANK + 1] = {false};
    int64_t axes[CNN_RAW_RANK], dims[CNN_RAW_RANK];
    int count = 0, rank = 0, from = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_list(axes, &count, reader, node, "axes", 1, CNN_RAW_RANK));
    int whole = value->rank + 1 + (comes && count > 0 ? count : 0);
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + whole : axes[i];
        if (axis < 1 || axis >= whole || whole > CNN_RAW_RANK)
            return cnn_onnx_fail(reader, node,
                                 "axes: expected numbers from 1, behind the batch, to "
                                 "%d",
                                 whole - 1);
        chosen[axis] = true;
    }
    for (int axis = 1; axis < whole; axis++) {
        bool goes = chosen[axis] || (count < 0 && value->dims[axis - 1] == 1);
        if (comes)
            dims[rank++] = chosen[axis] || from >= value->rank ? 1 : value->dims[from++];
        else if (goes && value->dims[axis - 1] != 1)
            return cnn_onnx_fail(reader, node, "axes: expected axes of size 1");
        else if (!goes)
            dims[rank++] = value->dims[axis - 1];
    }
    status = set_view(reader, node, index, rank, dims);
out:
    return status;
}

/* (C, H, W) to (H, W, C) and back; else only axes of size 1 may move. */
static cnn_status view_transpose(onnx_reader *reader, const onnx_node *node, int index)
{
    const onnx_value *value = cnn_onnx_value(reader, node->inputs[0]);
    int64_t order[CNN_RAW_RANK], dims[CNN_RAW_RANK];
    int count = -1, last = -1;
    bool moves = false;
    if (!cnn_onnx_int_list(order, &count, node, "perm", CNN_RAW_RANK) || count != value->rank + 1 ||
        order[0] != 0)
        return cnn_onnx_fail(reader, node, "perm: expected %d numbers, the first of them 0",
                             value->rank + 1);
    unsigned seen = 1;
    for (int axis = 1; axis < count; axis++) {
        if (order[axis] < 1 || order[axis] >= count || seen >> order[axis] & 1)
            return cnn_onnx_fail(reader, node, "perm: expected each axis once");
        seen |= 1u << order[axis];
        dims[axis - 1] = value->dims[order[axis] - 1];
        if (dims[axis - 1] == 1)
            continue;
        moves = moves || order[axis] < last;
        last = (int)order[axis];
    }
    cnn_shape shape = cnn_onnx_shape(reader, value->base);
    bool rows_first = value->rows_first;
    if (moves) {
        bool whole = rows_first ? has_dims(value, shape.h, shape.w, shape.c)
                                : has_dims(value, shape.c, shape.h, shape.w);
        const int64_t *expected =
            rows_first ? (const int64_t[]){0, 3, 1, 2} : (const int64_t[]){0, 2, 3, 1};
        if (!whole || memcmp(order, expected, 4 * sizeof *order) != 0)
            return cnn_onnx_fail(reader, node,
                                 "expected NCHW to NHWC, or back: no kind of layer "
                                 "moves other axes");
        rows_first = !rows_first;
    }
    cnn_status status = set_view(reader, node, index, value->rank, dims);
    cnn_onnx_value(reader, node->outputs[0])->rows_first = rows_first;
    return status;
}

/* What the output of a classifier goes through last is left out: the program knows logits. */
static cnn_status view_softmax(onnx_reader *reader, const onnx_node *node, int index)
{
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    const onnx_value *from = cnn_onnx_value(reader, node->inputs[0]);
    int64_t axis = cnn_onnx_int(node, "axis", reader->opset < 13 ? 1 : -1);
    axis = axis < 0 ? axis + from->rank + 1 : axis;
    if (axis != 1 || from->soft >= 0)
        return cnn_onnx_fail(reader, node, "expected it over the classes, once, at the end");
    cnn_onnx_copy_view(to, from);
    to->soft = index;
    return CNN_OK;
}

static const struct {
    const char *op;
    cnn_status (*view)(onnx_reader *reader, const onnx_node *node, int index);
} rows[] = {
    {"Identity", view_same},      {"Cast", view_cast},           {"CastLike", view_cast},
    {"Reshape", view_reshape},    {"Flatten", view_flatten},     {"Squeeze", view_squeeze},
    {"Unsqueeze", view_squeeze},  {"Transpose", view_transpose}, {"Softmax", view_softmax},
    {"LogSoftmax", view_softmax},
};

cnn_status cnn_onnx_view(bool *done, onnx_reader *reader, onnx_node *node, int index)
{
    *done = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].op, node->op) != 0)
            continue;
        *done = true;
        if (node->input_count < 1 || node->inputs[0] < 0 ||
            cnn_onnx_value(reader, node->inputs[0])->constant)
            return cnn_onnx_fail(reader, node, "expected a value of the network");
        return rows[i].view(reader, node, index);
    }
    return CNN_OK;
}
