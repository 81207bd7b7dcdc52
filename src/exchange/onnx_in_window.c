/* Convolutions and pools, with the zeros around them: attributes, auto_pad, and a Pad before. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

enum { MAX_EXTENT = 65535 };

/* What windows have in common. */
typedef struct window {
    int kernel[2], stride[2], dilation[2], padding[4];
    bool ceil_mode;
} window;

static bool set_list(int *to, int count, const onnx_node *node, const char *name, int low,
                     bool required)
{
    int64_t values[4];
    int found = -1;
    if (!cnn_onnx_int_list(values, &found, node, name, count) || (found < 0 && required) ||
        (found >= 0 && found != count))
        return false;
    for (int i = 0; i < found; i++) {
        if (values[i] < low || values[i] > MAX_EXTENT)
            return false;
        to[i] = (int)values[i];
    }
    return true;
}

/* SAME_UPPER and SAME_LOWER: as many zeros as make the output the input's size over the stride. */
static cnn_status set_auto_pad(window *to, const onnx_reader *reader, const onnx_node *node,
                               cnn_shape in)
{
    cnn_bytes name = cnn_onnx_text(node, "auto_pad");
    const int size[2] = {in.h, in.w};
    if (name.size == 0 || cnn_bytes_are(name, "NOTSET"))
        return CNN_OK;
    for (int side = 0; side < 4; side++)
        to->padding[side] = 0;
    if (cnn_bytes_are(name, "VALID"))
        return CNN_OK;
    bool upper = cnn_bytes_are(name, "SAME_UPPER");
    if (!upper && !cnn_bytes_are(name, "SAME_LOWER"))
        return cnn_onnx_fail(reader, node,
                             "auto_pad: expected NOTSET, VALID, SAME_UPPER or "
                             "SAME_LOWER");
    for (int axis = 0; axis < 2; axis++) {
        int64_t count = (size[axis] + to->stride[axis] - 1) / to->stride[axis];
        int64_t total = (count - 1) * to->stride[axis] +
                        (int64_t)to->dilation[axis] * (to->kernel[axis] - 1) + 1 - size[axis];
        total = total > 0 ? total : 0;
        int64_t before = upper ? total / 2 : total - total / 2;
        if (total > MAX_EXTENT)
            return cnn_onnx_fail(reader, node, "its kernel is larger than %d", MAX_EXTENT);
        to->padding[axis] = (int)before;
        to->padding[axis + 2] = (int)(total - before);
    }
    return CNN_OK;
}

/* kernel: where it is known without the attribute; zeros. */
static cnn_status read_window(window *to, const onnx_reader *reader, const onnx_node *node,
                              cnn_shape in, const int kernel[2])
{
    *to = (window){.kernel = {kernel[0], kernel[1]}, .stride = {1, 1}, .dilation = {1, 1}};
    const struct {
        const char *name;
        int *values, count, low;
    } lists[] = {{"kernel_shape", to->kernel, 2, 1},
                 {"strides", to->stride, 2, 1},
                 {"dilations", to->dilation, 2, 1},
                 {"pads", to->padding, 4, 0}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (!set_list(lists[i].values, lists[i].count, node, lists[i].name, lists[i].low,
                      i == 0 && kernel[0] == 0))
            return cnn_onnx_fail(reader, node,
                                 "%s: expected %d numbers from %d to %d: other than "
                                 "two dimensions no kind of layer has",
                                 lists[i].name, lists[i].count, lists[i].low, MAX_EXTENT);
    to->ceil_mode = cnn_onnx_int(node, "ceil_mode", 0) != 0;
    return set_auto_pad(to, reader, node, in);
}

/* The plane that a window slides over: the zeros around it are not yet there. */
static cnn_status take_planes(int *base, onnx_value *padded, onnx_reader *reader,
                              const onnx_node *node)
{
    if (node->input_count < 1 || node->inputs[0] < 0 ||
        cnn_onnx_value(reader, node->inputs[0])->constant)
        return cnn_onnx_fail(reader, node, "expected a value of the network as its first input");
    onnx_value *value = cnn_onnx_value(reader, node->inputs[0]);
    *padded = *value;
    value->pad = -1; /* its dims are those before */
    cnn_status status = cnn_onnx_planes(base, reader, node, node->inputs[0]);
    value->pad = padded->pad;
    return status;
}

static cnn_status add_pads(window *to, const onnx_reader *reader, const onnx_node *node,
                           const onnx_value *padded)
{
    for (int side = 0; padded->pad >= 0 && side < 4; side++) {
        to->padding[side] += padded->pads[side];
        if (to->padding[side] > MAX_EXTENT)
            return cnn_onnx_fail(reader, node, "its padding is larger than %d", MAX_EXTENT);
    }
    return CNN_OK;
}

static cnn_status fail_padding(const onnx_reader *reader, const onnx_value *padded,
                               const onnx_node *node)
{
    return cnn_onnx_fail(reader, cnn_onnx_node_at(reader, padded->pad),
                         "what it pads with is not what %s pads with", node->op);
}

static cnn_status add_conv(onnx_reader *reader, onnx_node *node)
{
    onnx_layer layer = {.kind = CNN_LAYER_CONV, .input_count = 1};
    cnn_conv_options *conv = &layer.options.conv;
    onnx_value padded = {0};
    onnx_tensor *weight = NULL;
    window at = {0};
    int base = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(take_planes(&base, &padded, reader, node));
    CNN_TRY(cnn_onnx_constant(&weight, reader, node, 1));
    cnn_shape in = cnn_onnx_shape(reader, base);
    int64_t groups = cnn_onnx_int(node, "group", 1);
    for (int axis = 0; axis < weight->rank; axis++)
        if (weight->rank != 4 || weight->dims[axis] < 1 || weight->dims[axis] > INT32_MAX)
            return cnn_onnx_fail(reader, node, "expected a weight of four axes, found %d",
                                 weight->rank);
    if (weight->rank != 4 || groups < 1 || groups > in.c || weight->dims[1] != in.c / groups)
        return cnn_onnx_fail(reader, node, "expected a weight for %d channels in %lld groups", in.c,
                             (long long)groups);
    CNN_TRY(read_window(&at, reader, node, in,
                        (const int[]){(int)weight->dims[2], (int)weight->dims[3]}));
    if (at.kernel[0] != weight->dims[2] || at.kernel[1] != weight->dims[3])
        return cnn_onnx_fail(reader, node, "kernel_shape: expected the weight's");
    if (padded.pad >= 0 && padded.padding != 0.0)
        return fail_padding(reader, &padded, node);
    CNN_TRY(add_pads(&at, reader, node, &padded));
    cnn_layer_default_options(&layer.options, CNN_LAYER_CONV);
    memcpy(conv->kernel, at.kernel, sizeof at.kernel);
    memcpy(conv->stride, at.stride, sizeof at.stride);
    memcpy(conv->dilation, at.dilation, sizeof at.dilation);
    memcpy(conv->padding, at.padding, sizeof at.padding);
    conv->groups = (int)groups;
    conv->channels = (int)weight->dims[0];
    conv->bias = cnn_onnx_input(reader, node, 2) != NULL;
    layer.inputs = &base;
    CNN_TRY(cnn_onnx_take_floats(&layer.weight, reader, node, 1, weight->count));
    layer.weight_count = weight->count;
    if (conv->bias)
        CNN_TRY(cnn_onnx_take_floats(&layer.bias, reader, node, 2, (size_t)conv->channels));
    CNN_TRY(cnn_onnx_plan(&base, reader, node, &layer));
    cnn_onnx_set_output(reader, node, base, false);
out:
    return status;
}

/* How many windows there are along an axis. Where ceil_mode is asked for, a window that begins
 * behind the values does not count, as in PyTorch and in later versions of ONNX. */
static void count_windows(int counts[2], const window *at, cnn_shape in)
{
    const int size[2] = {in.h, in.w};
    for (int axis = 0; axis < 2; axis++)
        counts[axis] =
            cnn_window_count(size[axis], at->kernel[axis], at->stride[axis], at->padding[axis],
                             at->padding[axis + 2], at->dilation[axis], at->ceil_mode);
}

/* The same windows with at most half a kernel of padding behind, as PyTorch has it: what is beyond
 * the last window goes, or ceil_mode stands for it. least: what must stay; exact: and nothing else
 * may. */
static bool fit_padding(window *at, cnn_shape in, const int least[2], bool exact)
{
    int wanted[2], found[2];
    count_windows(wanted, at, in);
    for (int try = at->ceil_mode ? 2 : 0; try < 4; try++) {
        window tried = *at;
        bool good = true;
        tried.ceil_mode = try >= 2;
        for (int axis = 0; axis < 2; axis++) {
            int most = at->kernel[axis] / 2, *behind = &tried.padding[axis + 2];
            *behind = exact || try % 2 == 1 ? least[axis] : *behind < most ? *behind : most;
            good = good && tried.padding[axis] <= most && *behind <= most && *behind >= least[axis];
        }
        count_windows(found, &tried, in);
        if (!good || found[0] != wanted[0] || found[1] != wanted[1])
            continue;
        *at = tried;
        return true;
    }
    return false;
}

static cnn_status plan_pool(onnx_reader *reader, onnx_node *node, cnn_layer_kind kind,
                            const window *at, bool include, int base)
{
    cnn_layer_options options;
    cnn_pool_options *pool = &options.pool;
    cnn_layer_default_options(&options, kind);
    memcpy(pool->kernel, at->kernel, sizeof at->kernel);
    memcpy(pool->stride, at->stride, sizeof at->stride);
    memcpy(pool->dilation, at->dilation, sizeof at->dilation);
    memcpy(pool->padding, at->padding, sizeof at->padding);
    pool->ceil_mode = at->ceil_mode;
    pool->count_include_pad = include;
    cnn_status status = cnn_onnx_plan_simple(&base, reader, node, kind, &options, base);
    if (status == CNN_OK)
        cnn_onnx_set_output(reader, node, base, false);
    return status;
}

/* Is no value of the plan's below 0? Zeros are then as good as nothing around a maximum. */
static bool is_never_negative(const onnx_reader *reader, int base)
{
    while (base > 0) {
        const onnx_layer *layer = cnn_onnx_layer(reader, base);
        if (layer->kind != CNN_LAYER_MAXPOOL && layer->kind != CNN_LAYER_AVGPOOL)
            return layer->kind == CNN_LAYER_RELU || layer->kind == CNN_LAYER_RELU6 ||
                   layer->kind == CNN_LAYER_SIGMOID;
        base = layer->inputs[0];
    }
    return false;
}

static cnn_status add_maxpool(onnx_reader *reader, onnx_node *node)
{
    onnx_value padded = {0};
    window at = {0};
    int base = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(take_planes(&base, &padded, reader, node));
    cnn_shape in = cnn_onnx_shape(reader, base);
    CNN_TRY(read_window(&at, reader, node, in, (const int[]){0, 0}));
    if (cnn_onnx_int(node, "storage_order", 0) != 0 && node->output_count > 1)
        return cnn_onnx_fail(reader, node, "expected one output");
    if (padded.pad >= 0 && padded.padding > -1e30 &&
        !(padded.padding == 0.0 && is_never_negative(reader, base)))
        return fail_padding(reader, &padded, node);
    CNN_TRY(add_pads(&at, reader, node, &padded));
    if (!fit_padding(&at, in, (const int[]){0, 0}, false))
        return cnn_onnx_fail(reader, node, "expected a padding of at most half a kernel");
    status = plan_pool(reader, node, CNN_LAYER_MAXPOOL, &at, true, base);
out:
    return status;
}

/* Zeros of a Pad count; then those of the pool must not, unless there are none. */
static cnn_status add_avgpool(onnx_reader *reader, onnx_node *node)
{
    onnx_value padded = {0};
    window at = {0};
    int base = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(take_planes(&base, &padded, reader, node));
    cnn_shape in = cnn_onnx_shape(reader, base);
    CNN_TRY(read_window(&at, reader, node, in, (const int[]){0, 0}));
    bool counts = cnn_onnx_int(node, "count_include_pad", 0) != 0, pads = padded.pad >= 0;
    if (at.dilation[0] != 1 || at.dilation[1] != 1)
        return cnn_onnx_fail(reader, node, "dilations: expected 1: no average pool has others");
    if (pads && (padded.padding != 0.0 || (!counts && (at.padding[0] > 0 || at.padding[1] > 0))))
        return fail_padding(reader, &padded, node);
    CNN_TRY(add_pads(&at, reader, node, &padded));
    int least[2] = {0, 0}; /* what counts has to stay */
    for (int axis = 0; axis < 2; axis++)
        least[axis] = counts ? at.padding[axis + 2] : pads ? padded.pads[axis + 2] : 0;
    if (!fit_padding(&at, in, least, counts || pads))
        return cnn_onnx_fail(reader, node, "expected a padding of at most half a kernel");
    bool none = memcmp(at.padding, (int[4]){0}, sizeof at.padding) == 0;
    status = plan_pool(reader, node, CNN_LAYER_AVGPOOL, &at, counts || pads || none, base);
out:
    return status;
}

/* Waits for what reads it. */
static cnn_status add_pad(onnx_reader *reader, onnx_node *node, int index)
{
    int64_t pads[2 * CNN_RAW_RANK];
    double number = cnn_onnx_float(node, "value", 0.0);
    int count = 0;
    cnn_bytes mode = cnn_onnx_text(node, "mode");
    cnn_status status = CNN_OK;
    const onnx_value *from = cnn_onnx_input(reader, node, 0);
    CNN_TRY(cnn_onnx_list(pads, &count, reader, node, "pads", 1, 8));
    if (!from || from->constant || (mode.size > 0 && !cnn_bytes_are(mode, "constant")))
        return cnn_onnx_fail(reader, node, "mode: expected constant: no layer pads otherwise");
    if (cnn_onnx_input(reader, node, 2) &&
        !cnn_onnx_scalar(&number, reader, cnn_onnx_input(reader, node, 2)))
        return cnn_onnx_fail(reader, node, "expected a constant number to pad with");
    if (cnn_onnx_input(reader, node, 3))
        return cnn_onnx_fail(reader, node, "axes: expected none, and numbers for all four axes");
    const int rows = from->rows_first ? 1 : 2, rest = from->rows_first ? 3 : 1;
    if (from->rank != 3 || count != 8 || from->soft >= 0 || pads[0] || pads[4] || pads[rest] ||
        pads[rest + 4])
        return cnn_onnx_fail(reader, node, "expected rows and columns around a plane");
    onnx_value *to = cnn_onnx_value(reader, node->outputs[0]);
    cnn_onnx_copy_view(to, from);
    if (from->pad >= 0 && from->padding != number)
        return cnn_onnx_fail(reader, node, "expected what the Pad before it pads with");
    to->pad = index;
    to->padding = number;
    for (int side = 0; side < 4; side++) {
        int64_t more = pads[rows + (side & 1) + (side < 2 ? 0 : 4)];
        if (more < 0 || more > MAX_EXTENT || to->pads[side] + more > MAX_EXTENT)
            return cnn_onnx_fail(reader, node, "expected from 0 to %d rows or columns", MAX_EXTENT);
        to->pads[side] += (int)more;
    }
out:
    return status;
}

cnn_status cnn_onnx_window(bool *done, onnx_reader *reader, onnx_node *node, int index)
{
    static const struct {
        const char *op;
        cnn_status (*add)(onnx_reader *reader, onnx_node *node);
    } rows[] = {{"Conv", add_conv}, {"MaxPool", add_maxpool}, {"AveragePool", add_avgpool}};
    *done = true;
    if (strcmp(node->op, "Pad") == 0)
        return add_pad(reader, node, index);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].op, node->op) == 0)
            return rows[i].add(reader, node);
    *done = false;
    return CNN_OK;
}
