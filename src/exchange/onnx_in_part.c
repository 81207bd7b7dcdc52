/* Constants whose places are others: transposed, cut out, repeated. */
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

/* Of each axis of the result its size, and how far apart its places are in what it is taken of. */
typedef struct places {
    int rank;
    int64_t dims[CNN_RAW_RANK], steps[CNN_RAW_RANK], first;
} places;

static void set_steps(int64_t steps[CNN_RAW_RANK], const onnx_tensor *tensor)
{
    int64_t step = 1;
    for (int axis = tensor->rank - 1; axis >= 0; axis--) {
        steps[axis] = step;
        step *= tensor->dims[axis];
    }
}

static cnn_status copy_places(onnx_tensor **result, onnx_reader *reader, onnx_tensor *from,
                              const places *of)
{
    int64_t place[CNN_RAW_RANK] = {0}, offset = of->first;
    bool whole = cnn_onnx_is_integer(from);
    const int64_t *ints = NULL;
    const float *floats = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(whole ? cnn_onnx_ints(&ints, reader, from) : cnn_onnx_floats(&floats, reader, from));
    CNN_TRY(
        cnn_onnx_make_tensor(result, reader, whole ? ONNX_INT64 : ONNX_FLOAT, of->rank, of->dims));
    for (size_t i = 0; i < (*result)->count; i++) {
        if (whole)
            (*result)->ints[i] = ints[offset];
        else
            (*result)->floats[i] = floats[offset];
        for (int axis = of->rank - 1; axis >= 0; axis--) {
            offset += of->steps[axis];
            if (++place[axis] < of->dims[axis])
                break;
            offset -= of->steps[axis] * of->dims[axis];
            place[axis] = 0;
        }
    }
out:
    return status;
}

cnn_status cnn_onnx_fold_transpose(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    int64_t order[CNN_RAW_RANK], steps[CNN_RAW_RANK];
    int count = -1;
    unsigned seen = 0;
    onnx_tensor *from = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    places of = {.rank = from->rank};
    if (!cnn_onnx_int_list(order, &count, node, "perm", CNN_RAW_RANK) ||
        (count >= 0 && count != of.rank))
        return cnn_onnx_fail(reader, node, "perm: expected %d numbers", of.rank);
    set_steps(steps, from);
    for (int axis = 0; axis < of.rank; axis++) {
        int64_t at = count < 0 ? of.rank - 1 - axis : order[axis];
        if (at < 0 || at >= of.rank || seen >> at & 1)
            return cnn_onnx_fail(reader, node, "perm: expected each axis once");
        seen |= 1u << at;
        of.dims[axis] = from->dims[at];
        of.steps[axis] = steps[at];
    }
    status = copy_places(result, reader, from, &of);
out:
    return status;
}

/* Python's slices: numbers below 0 count from the end, those beyond it are the end. */
static int64_t clamp(int64_t at, int64_t size, int64_t low, int64_t high)
{
    at = at < 0 ? at + size : at;
    return at < low ? low : at > high ? high : at;
}

static bool cut(places *of, int64_t axis, int64_t start, int64_t end, int64_t step)
{
    int64_t size = axis < 0 || axis >= of->rank ? 0 : of->dims[axis];
    if (size == 0 || step == 0 || step < -INT32_MAX || step > INT32_MAX)
        return false;
    start = clamp(start, size, 0, step > 0 ? size : size - 1);
    end = end == INT64_MIN ? -1 : clamp(end, size, step > 0 ? 0 : -1, size);
    int64_t span = step > 0 ? end - start : start - end, each = step > 0 ? step : -step;
    of->dims[axis] = span > 0 ? (span + each - 1) / each : 0;
    of->first += start * of->steps[axis];
    of->steps[axis] *= step;
    return true;
}

cnn_status cnn_onnx_fold_slice(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    static const char *const names[] = {"starts", "ends", "axes", "steps"};
    int64_t lists[4][CNN_RAW_RANK];
    int counts[4];
    onnx_tensor *from = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    places of = {.rank = from->rank};
    memcpy(of.dims, from->dims, sizeof of.dims);
    set_steps(of.steps, from);
    for (int i = 0; i < 4; i++) {
        CNN_TRY(cnn_onnx_list(lists[i], &counts[i], reader, node, names[i], i + 1, CNN_RAW_RANK));
        if (counts[i] != counts[0] && (i == 1 || counts[i] >= 0))
            return cnn_onnx_fail(reader, node, "%s: expected %d numbers, found %d", names[i],
                                 counts[0], counts[i]);
    }
    for (int i = 0; i < counts[0]; i++) {
        int64_t axis = counts[2] < 0 ? i : lists[2][i] < 0 ? lists[2][i] + of.rank : lists[2][i];
        if (!cut(&of, axis, lists[0][i], lists[1][i], counts[3] < 0 ? 1 : lists[3][i]))
            return cnn_onnx_fail(reader, node,
                                 "expected axes of its constant, and steps that are "
                                 "not 0");
    }
    status = copy_places(result, reader, from, &of);
out:
    return status;
}

cnn_status cnn_onnx_fold_expand(onnx_tensor **result, onnx_reader *reader, const onnx_node *node)
{
    int64_t wanted[CNN_RAW_RANK], steps[CNN_RAW_RANK];
    int count = 0;
    onnx_tensor *from = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_constant(&from, reader, node, 0));
    CNN_TRY(cnn_onnx_list(wanted, &count, reader, node, "shape", 1, CNN_RAW_RANK));
    places of = {.rank = count > from->rank ? count : from->rank};
    set_steps(steps, from);
    for (int axis = 0; axis < of.rank; axis++) {
        int own = axis - (of.rank - from->rank), asked = axis - (of.rank - count);
        int64_t dim = own < 0 ? 1 : from->dims[own], size = asked < 0 ? 1 : wanted[asked];
        if (dim != size && dim != 1 && size != 1)
            return cnn_onnx_fail(reader, node, "its shape is none that its constant expands to");
        of.dims[axis] = dim == 1 ? size : dim;
        of.steps[axis] = dim == 1 ? 0 : steps[own];
    }
    status = copy_places(result, reader, from, &of);
out:
    return status;
}
