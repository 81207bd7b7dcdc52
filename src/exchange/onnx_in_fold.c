/* Operators on constants: shapes that are put together of parts, weights in another form. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

enum { CONSTANT_TENSOR = 5, CONSTANT_FLOATS = 7 }; /* fields of an attribute */

typedef cnn_status (*fold_function)(onnx_tensor **result, onnx_reader *reader,
                                    const onnx_node *node);

/* A required constant of a node. */
cnn_status cnn_onnx_constant(onnx_tensor **tensor, const onnx_reader *reader, const onnx_node *node,
                             int input)
{
    onnx_value *value = cnn_onnx_input(reader, node, input);
    *tensor = value ? value->constant : NULL;
    return *tensor
               ? CNN_OK
               : cnn_onnx_fail(reader, node, "expected a constant as input %d, found none", input);
}

cnn_status cnn_onnx_take_floats(float **values, onnx_reader *reader, const onnx_node *node,
                                int input, size_t count)
{
    onnx_tensor *tensor = NULL;
    const float *from = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&tensor, reader, node, input));
    if (tensor->count != count)
        return cnn_onnx_fail(reader, node, "expected %zu values in its input %d, found %zu", count,
                             input, tensor->count);
    CNN_TRY(cnn_onnx_floats(&from, reader, tensor));
    CNN_TRY(cnn_onnx_take(values, reader, count, sizeof **values));
    if (count > 0)
        memcpy(*values, from, count * sizeof *from);
out:
    return status;
}

static cnn_status take_ints(const int64_t **ints, int *count, onnx_reader *reader,
                            const onnx_node *node, int input)
{
    onnx_tensor *tensor = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&tensor, reader, node, input));
    CNN_TRY(cnn_onnx_ints(ints, reader, tensor));
    *count = (int)tensor->count;
out:
    return status;
}

static cnn_status make_ints(onnx_tensor **result, onnx_reader *reader, const int64_t *ints,
                            int64_t count)
{
    cnn_status status = cnn_onnx_make_tensor(result, reader, ONNX_INT64, 1, &count);
    if (status == CNN_OK && count > 0)
        memcpy((*result)->ints, ints, (size_t)count * sizeof *ints);
    return status;
}

/* The same values in another shape. */
static cnn_status make_view(onnx_tensor **result, onnx_reader *reader, const onnx_node *node,
                            const onnx_tensor *from, int rank, const int64_t *dims)
{
    cnn_status status = CNN_OK;
    size_t count = 1;
    for (int axis = 0; axis < rank; axis++)
        if (dims[axis] < 0 || __builtin_mul_overflow(count, (size_t)dims[axis], &count))
            count = SIZE_MAX;
    if (count != from->count)
        return cnn_onnx_fail(reader, node, "its shape is not one of the %zu values of its constant",
                             from->count);
    CNN_TRY(cnn_onnx_take(result, reader, 1, sizeof **result));
    **result = *from;
    (*result)->rank = rank;
    for (int axis = 0; axis < rank; axis++)
        (*result)->dims[axis] = dims[axis];
out:
    return status;
}

static cnn_status fold_float_list(onnx_tensor **result, onnx_reader *reader, cnn_bytes message,
                                  uint32_t number, int rank)
{
    cnn_number_list list = {.rest = message, .number = number, .wire = CNN_WIRE_32};
    cnn_number_list again = list;
    int64_t count = 0;
    uint64_t bits;
    while (cnn_number_next(&bits, &list))
        count++;
    cnn_status status = cnn_onnx_make_tensor(result, reader, ONNX_FLOAT, rank, &count);
    for (int64_t i = 0; status == CNN_OK && cnn_number_next(&bits, &again) && i < count; i++) {
        uint32_t word = (uint32_t)bits;
        memcpy(&(*result)->floats[i], &word, sizeof word);
    }
    return status;
}

static cnn_status fold_constant(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    int64_t ints[CNN_RAW_RANK];
    int count = -1;
    cnn_bytes message;
    cnn_field field = {0};
    if (cnn_onnx_attribute(&message, node, "value") &&
        cnn_field_find(&field, message, CONSTANT_TENSOR))
        return cnn_onnx_read_tensor(result, reader, field.bytes);
    if (cnn_onnx_attribute(&message, node, "value_int")) {
        ints[0] = cnn_onnx_int(node, "value_int", 0);
        cnn_status status = make_ints(result, reader, ints, 1);
        if (status == CNN_OK)
            (*result)->rank = 0;
        return status;
    }
    if (cnn_onnx_attribute(&message, node, "value_float"))
        return fold_float_list(result, reader, message, 2, 0);
    if (cnn_onnx_attribute(&message, node, "value_floats"))
        return fold_float_list(result, reader, message, CONSTANT_FLOATS, 1);
    if (!cnn_onnx_int_list(ints, &count, node, "value_ints", CNN_RAW_RANK) || count < 0)
        return cnn_onnx_fail(reader, node, "expected a tensor, or up to eight whole numbers");
    return make_ints(result, reader, ints, count);
}

static cnn_status fold_constant_of_shape(onnx_tensor **result, onnx_reader *reader,
                                         const onnx_node *node)
{
    const int64_t *dims = NULL;
    onnx_tensor *fill = NULL;
    cnn_status status = CNN_OK;
    cnn_bytes message;
    cnn_field field = {0};
    int rank = 0;
    CNN_TRY(take_ints(&dims, &rank, reader, node, 0));
    if (cnn_onnx_attribute(&message, node, "value") &&
        cnn_field_find(&field, message, CONSTANT_TENSOR))
        CNN_TRY(cnn_onnx_read_tensor(&fill, reader, field.bytes));
    if (rank > CNN_RAW_RANK || (fill && fill->count != 1))
        return cnn_onnx_fail(reader, node, "expected up to eight axes, and one number as value");
    bool integer = fill && cnn_onnx_is_integer(fill);
    const float *number = NULL;
    const int64_t *whole = NULL;
    CNN_TRY(cnn_onnx_make_tensor(result, reader, integer ? ONNX_INT64 : ONNX_FLOAT, rank, dims));
    if (integer)
        CNN_TRY(cnn_onnx_ints(&whole, reader, fill));
    else if (fill)
        CNN_TRY(cnn_onnx_floats(&number, reader, fill));
    for (size_t i = 0; fill && i < (*result)->count; i++)
        if (integer)
            (*result)->ints[i] = whole[0];
        else
            (*result)->floats[i] = number[0];
out:
    return status;
}

static cnn_status fold_identity(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    return cnn_onnx_constant(result, reader, node, 0);
}

static cnn_status fold_cast(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    onnx_tensor *from, to = {.type = (int)cnn_onnx_int(node, "to", 0)};
    const float *values = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    bool whole = (to.type >= 2 && to.type <= 7) || to.type == 9;
    *result = from;
    if (!whole && cnn_onnx_is_integer(from)) {
        CNN_TRY(cnn_onnx_floats(&values, reader, from));
        CNN_TRY(cnn_onnx_make_tensor(result, reader, ONNX_FLOAT, from->rank, from->dims));
        memcpy((*result)->floats, values, from->count * sizeof *values);
    } else if (whole && !cnn_onnx_is_integer(from)) {
        CNN_TRY(cnn_onnx_floats(&values, reader, from));
        CNN_TRY(cnn_onnx_make_tensor(result, reader, ONNX_INT64, from->rank, from->dims));
        for (size_t i = 0; i < from->count; i++) {
            if (!(fabsf(values[i]) < 0x1p62f))
                return cnn_onnx_fail(reader, node, "a number that no whole number is");
            (*result)->ints[i] = (int64_t)values[i];
        }
    }
out:
    return status;
}

/* Constants are floats where the network's values are. */
static cnn_status fold_cast_like(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    const onnx_value *like = cnn_onnx_input(reader, node, 1);
    onnx_tensor *from = NULL;
    const float *values = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    *result = from;
    if (!cnn_onnx_is_integer(from) ||
        (like && like->constant && cnn_onnx_is_integer(like->constant)))
        return CNN_OK;
    CNN_TRY(cnn_onnx_floats(&values, reader, from));
    CNN_TRY(cnn_onnx_make_tensor(result, reader, ONNX_FLOAT, from->rank, from->dims));
    memcpy((*result)->floats, values, from->count * sizeof *values);
out:
    return status;
}

static cnn_status fold_shape(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    const onnx_value *value = cnn_onnx_input(reader, node, 0);
    int64_t dims[CNN_RAW_RANK + 1];
    int rank = 0;
    if (!value)
        return cnn_onnx_fail(reader, node, "expected an input, found none");
    if (!value->constant)
        dims[rank++] = ONNX_BATCH;
    for (int axis = 0; axis < (value->constant ? value->constant->rank : value->rank); axis++)
        dims[rank++] = value->constant ? value->constant->dims[axis] : value->dims[axis];
    int64_t start = cnn_onnx_int(node, "start", 0), end = cnn_onnx_int(node, "end", rank);
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end > rank ? rank : end;
    if (start < 0 || start > end)
        return cnn_onnx_fail(reader, node, "expected a part of the %d axes", rank);
    return make_ints(result, reader, dims + start, end - start);
}

static cnn_status fold_reshape(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    int64_t dims[CNN_RAW_RANK];
    int rank = 0, open = -1;
    size_t known = 1;
    onnx_tensor *from = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    CNN_TRY(cnn_onnx_list(dims, &rank, reader, node, "shape", 1, CNN_RAW_RANK));
    for (int axis = 0; axis < rank; axis++) {
        if (axis < from->rank && dims[axis] == 0)
            dims[axis] = from->dims[axis];
        if (dims[axis] == -1)
            open = axis;
        else if (dims[axis] < 1 || __builtin_mul_overflow(known, (size_t)dims[axis], &known))
            return cnn_onnx_fail(reader, node, "expected sizes above 0");
    }
    if (open >= 0)
        dims[open] = (int64_t)(from->count / known);
    status = make_view(result, reader, node, from, rank, dims);
out:
    return status;
}

/* Axes of size 1 come, or go. */
static cnn_status fold_squeeze(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    bool comes = strcmp(node->op, "Unsqueeze") == 0, chosen[CNN_RAW_RANK] = {false};
    int64_t axes[CNN_RAW_RANK], dims[CNN_RAW_RANK];
    int count = 0, rank = 0, from_axis = 0;
    onnx_tensor *from = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    CNN_TRY(cnn_onnx_list(axes, &count, reader, node, "axes", 1, CNN_RAW_RANK));
    int whole = from->rank + (comes && count > 0 ? count : 0);
    for (int i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + whole : axes[i];
        if (axis < 0 || axis >= whole || whole > CNN_RAW_RANK)
            return cnn_onnx_fail(reader, node, "axes: expected numbers below %d", whole);
        chosen[axis] = true;
    }
    for (int axis = 0; axis < whole; axis++) {
        bool goes = chosen[axis] || (count < 0 && from->dims[axis] == 1);
        if (comes)
            dims[rank++] = chosen[axis] || from_axis >= from->rank ? 1 : from->dims[from_axis++];
        else if (!goes)
            dims[rank++] = from->dims[axis];
    }
    status = make_view(result, reader, node, from, rank, dims);
out:
    return status;
}

static cnn_status fold_gather(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    const int64_t *from = NULL, *places = NULL;
    int count = 0, wanted = 0;
    onnx_tensor *index = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(take_ints(&from, &count, reader, node, 0));
    CNN_TRY(take_ints(&places, &wanted, reader, node, 1));
    CNN_TRY(cnn_onnx_constant(&index, reader, node, 1));
    if (cnn_onnx_input(reader, node, 0)->constant->rank != 1 || index->rank > 1)
        return cnn_onnx_fail(reader, node, "expected a list of whole numbers to take some of");
    CNN_TRY(cnn_onnx_make_tensor(result, reader, ONNX_INT64, index->rank, index->dims));
    for (int i = 0; i < wanted; i++) {
        int64_t at = places[i] < 0 ? places[i] + count : places[i];
        if (at < 0 || at >= count)
            return cnn_onnx_fail(reader, node, "expected places in a list of %d", count);
        (*result)->ints[i] = from[at];
    }
out:
    return status;
}

static cnn_status fold_concat(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    const int64_t *part = NULL;
    int64_t total = 0;
    int count = 0;
    cnn_status status = CNN_OK;
    for (int i = 0; i < node->input_count; i++) {
        CNN_TRY(take_ints(&part, &count, reader, node, i));
        if (cnn_onnx_input(reader, node, i)->constant->rank != 1)
            return cnn_onnx_fail(reader, node, "expected lists of whole numbers");
        total += count;
    }
    CNN_TRY(cnn_onnx_make_tensor(result, reader, ONNX_INT64, 1, &total));
    int64_t *at = (*result)->ints;
    for (int i = 0; i < node->input_count; i++) {
        CNN_TRY(take_ints(&part, &count, reader, node, i));
        for (int j = 0; j < count; j++)
            *at++ = part[j];
    }
out:
    return status;
}

/* operator, what computes it */
static const struct {
    const char *op;
    fold_function fold;
} rows[] = {
    {"Constant", fold_constant},
    {"ConstantOfShape", fold_constant_of_shape},
    {"Identity", fold_identity},
    {"Dropout", fold_identity},
    {"Cast", fold_cast},
    {"Shape", fold_shape},
    {"Reshape", fold_reshape},
    {"Unsqueeze", fold_squeeze},
    {"Squeeze", fold_squeeze},
    {"Transpose", cnn_onnx_fold_transpose},
    {"Gather", fold_gather},
    {"Slice", cnn_onnx_fold_slice},
    {"Expand", cnn_onnx_fold_expand},
    {"CastLike", fold_cast_like},
    {"Concat", fold_concat},
    {"Add", cnn_onnx_fold_arithmetic},
    {"Sub", cnn_onnx_fold_arithmetic},
    {"Mul", cnn_onnx_fold_arithmetic},
    {"Div", cnn_onnx_fold_arithmetic},
    {"Sqrt", cnn_onnx_fold_function},
    {"Neg", cnn_onnx_fold_function},
    {"Exp", cnn_onnx_fold_function},
    {"Reciprocal", cnn_onnx_fold_function},
};

cnn_status cnn_onnx_fold(bool *done, onnx_reader *reader, onnx_node *node)
{
    onnx_tensor *result = NULL;
    *done = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].op, node->op) != 0)
            continue;
        *done = true;
        if (node->output_count < 1 || node->outputs[0] < 0)
            return cnn_onnx_fail(reader, node, "expected an output, found none");
        cnn_status status = rows[i].fold(&result, reader, node);
        if (status == CNN_OK)
            cnn_onnx_value(reader, node->outputs[0])->constant = result;
        return status;
    }
    return CNN_OK;
}
