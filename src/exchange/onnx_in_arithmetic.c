/* Sums, products and functions of constants. */
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

/* Places of an operand for each value of the broadcast result. */
typedef struct stepper {
    int rank;
    int64_t dims[CNN_RAW_RANK], steps[2][CNN_RAW_RANK], place[CNN_RAW_RANK], offsets[2];
} stepper;

static bool stepper_init(stepper *at, const onnx_tensor *const parts[2])
{
    *at = (stepper){.rank = parts[0]->rank > parts[1]->rank ? parts[0]->rank : parts[1]->rank};
    for (int axis = 0; axis < at->rank; axis++)
        at->dims[axis] = 1;
    for (int p = 0; p < 2; p++) {
        int64_t step = 1;
        for (int i = parts[p]->rank - 1; i >= 0; i--) {
            int axis = i + at->rank - parts[p]->rank;
            int64_t dim = parts[p]->dims[i];
            if (dim != 1 && at->dims[axis] != 1 && at->dims[axis] != dim)
                return false;
            at->dims[axis] = dim != 1 ? dim : at->dims[axis];
            at->steps[p][axis] = dim != 1 ? step : 0;
            step *= dim;
        }
    }
    return true;
}

static void stepper_next(stepper *at)
{
    for (int axis = at->rank - 1; axis >= 0; axis--) {
        for (int p = 0; p < 2; p++)
            at->offsets[p] += at->steps[p][axis];
        if (++at->place[axis] < at->dims[axis])
            return;
        for (int p = 0; p < 2; p++)
            at->offsets[p] -= at->steps[p][axis] * at->dims[axis];
        at->place[axis] = 0;
    }
}

static double compute(int op, double a, double b)
{
    return op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a / b;
}

/* False: too large, a division by 0, or a number that depends on the batch. */
static bool compute_int(int64_t *result, int op, int64_t a, int64_t b)
{
    int64_t neutral = op == '+' || op == '-' ? 0 : 1;
    if (b == neutral || (a == neutral && (op == '+' || op == '*'))) {
        *result = b == neutral ? a : b;
        return true;
    }
    if (a == ONNX_BATCH || b == ONNX_BATCH)
        return false;
    if (op == '/') {
        *result = b ? a / b : 0;
        return b != 0;
    }
    return op == '+'   ? !__builtin_add_overflow(a, b, result)
           : op == '-' ? !__builtin_sub_overflow(a, b, result)
                       : !__builtin_mul_overflow(a, b, result);
}

cnn_status cnn_onnx_fold_arithmetic(onnx_tensor **result, onnx_reader *reader,
                                    const onnx_node *node)
{
    int op = strcmp(node->op, "Add") == 0   ? '+'
             : strcmp(node->op, "Sub") == 0 ? '-'
             : strcmp(node->op, "Mul") == 0 ? '*'
                                            : '/';
    onnx_tensor *a = NULL, *b = NULL;
    const float *x[2] = {NULL};
    const int64_t *n[2] = {NULL};
    stepper at = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&a, reader, node, 0));
    CNN_TRY(cnn_onnx_constant(&b, reader, node, 1));
    bool whole = cnn_onnx_is_integer(a) && cnn_onnx_is_integer(b);
    for (int p = 0; p < 2; p++)
        CNN_TRY(whole ? cnn_onnx_ints(&n[p], reader, p ? b : a)
                      : cnn_onnx_floats(&x[p], reader, p ? b : a));
    if (!stepper_init(&at, (const onnx_tensor *[]){a, b}))
        return cnn_onnx_fail(reader, node, "its constants' shapes do not go together");
    CNN_TRY(
        cnn_onnx_make_tensor(result, reader, whole ? ONNX_INT64 : ONNX_FLOAT, at.rank, at.dims));
    for (size_t i = 0; i < (*result)->count; i++, stepper_next(&at)) {
        if (!whole)
            (*result)->floats[i] = (float)compute(op, x[0][at.offsets[0]], x[1][at.offsets[1]]);
        else if (!compute_int(&(*result)->ints[i], op, n[0][at.offsets[0]], n[1][at.offsets[1]]))
            return cnn_onnx_fail(reader, node, "a shape that depends on the batch, or is none");
    }
out:
    return status;
}

/* Of each value. */
cnn_status cnn_onnx_fold_function(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    double parameters[2];
    const char *problem = NULL;
    onnx_function function = cnn_onnx_find_function(parameters, &problem, reader, node);
    onnx_tensor *from = NULL;
    const float *values = NULL;
    cnn_status status = CNN_OK;
    if (!function)
        return cnn_onnx_fail(reader, node, "%s", problem);
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    CNN_TRY(cnn_onnx_floats(&values, reader, from));
    CNN_TRY(cnn_onnx_make_tensor(result, reader, ONNX_FLOAT, from->rank, from->dims));
    for (size_t i = 0; i < from->count; i++)
        (*result)->floats[i] = (float)function(values[i], parameters);
out:
    return status;
}
