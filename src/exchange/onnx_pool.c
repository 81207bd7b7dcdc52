/* Pools as operators. How ceil_mode counts differs from version to version of ONNX and of its
 * runtimes, so the padding behind is written as far as the last window reaches. */
#include <math.h>

#include "base/status.h"
#include "exchange/onnx_graph.h"

/* How far the last window reaches beyond the padding, per axis. */
static void find_overhang(int overhang[2], const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    const int in[2] = {layer->in.h, layer->in.w}, out[2] = {layer->out.h, layer->out.w};
    for (int axis = 0; axis < 2; axis++) {
        int64_t reach = (int64_t)(out[axis] - 1) * pool->stride[axis] +
                        (int64_t)(pool->kernel[axis] - 1) * pool->dilation[axis] + 1;
        int64_t most = (int64_t)in[axis] + pool->padding[axis] + pool->padding[axis + 2];
        overhang[axis] = reach > most ? (int)(reach - most) : 0;
    }
}

/* Rows and columns of a number, as values of their own. */
static cnn_status add_pad(char **y, cnn_onnx_graph *graph, char *x, const int pads[4],
                          double number)
{
    const int sizes[8] = {0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]};
    cnn_status status = CNN_OK;
    char *shape, *value;
    CNN_TRY(cnn_onnx_add_ints(&shape, graph, "pads", sizes, 8));
    CNN_TRY(cnn_onnx_add_number(&value, graph, "padding", number));
    status = cnn_onnx_add_op(y, graph, "Pad", "pad", (char *[]){x, shape, value, NULL});
out:
    return status;
}

cnn_status cnn_onnx_add_maxpool(char **y, cnn_onnx_graph *graph, char *const *x)
{
    static const int none[4] = {0};
    const cnn_pool_options *pool = &graph->layer->options.pool;
    int overhang[2], pads[4];
    cnn_status status = CNN_OK;
    char *in = x[0];
    find_overhang(overhang, graph->layer);
    for (int side = 0; side < 4; side++)
        pads[side] = pool->padding[side] + (side < 2 ? 0 : overhang[side - 2]);
    /* the operator's padding is smaller than its kernel */
    bool apart = pads[2] >= pool->kernel[0] || pads[3] >= pool->kernel[1];
    if (apart)
        CNN_TRY(add_pad(&in, graph, in, pads, -INFINITY));
    status = cnn_onnx_add(
        y, graph,
        &(cnn_onnx_node){
            .op = "MaxPool",
            .inputs = {in},
            .attributes = {{"kernel_shape", CNN_ONNX_INTS, .ints = pool->kernel, .count = 2},
                           {"strides", CNN_ONNX_INTS, .ints = pool->stride, .count = 2},
                           {"pads", CNN_ONNX_INTS, .ints = apart ? none : pads, .count = 4},
                           {"dilations", CNN_ONNX_INTS, .ints = pool->dilation, .count = 2}}});
out:
    return status;
}

static cnn_status add_average(char **y, cnn_onnx_graph *graph, char *x,
                              const cnn_pool_options *pool)
{
    return cnn_onnx_add(
        y, graph,
        &(cnn_onnx_node){
            .op = "AveragePool",
            .inputs = {x},
            .attributes = {
                {"kernel_shape", CNN_ONNX_INTS, .ints = pool->kernel, .count = 2},
                {"strides", CNN_ONNX_INTS, .ints = pool->stride, .count = 2},
                {"pads", CNN_ONNX_INTS, .ints = pool->padding, .count = 4},
                {"count_include_pad", CNN_ONNX_INT, .number = pool->count_include_pad}}});
}

/* The padding's places count, where they do, but never those beyond it. */
cnn_status cnn_onnx_add_avgpool(char **y, cnn_onnx_graph *graph, char *const *x)
{
    cnn_pool_options pool = graph->layer->options.pool;
    int overhang[2];
    cnn_status status = CNN_OK;
    char *in = x[0];
    find_overhang(overhang, graph->layer);
    if (pool.count_include_pad && (overhang[0] > 0 || overhang[1] > 0)) {
        CNN_TRY(add_pad(&in, graph, in, pool.padding, 0.0));
        pool.count_include_pad = false;
        for (int side = 0; side < 4; side++)
            pool.padding[side] = 0;
    }
    pool.padding[2] += overhang[0];
    pool.padding[3] += overhang[1];
    status = add_average(y, graph, in, &pool);
out:
    return status;
}

/* The averages along one axis as a matrix: (out, in), or (in, out). */
static cnn_status add_matrix(char **name, cnn_onnx_graph *graph, const char *part, int in, int out,
                             bool transposed)
{
    const int shape[2] = {transposed ? in : out, transposed ? out : in};
    cnn_status status = CNN_OK;
    float *values;
    CNN_TRY(cnn_onnx_name(name, graph, part));
    CNN_TRY(cnn_onnx_allocate(&values, graph, (size_t)in * (size_t)out, sizeof *values));
    for (int64_t to = 0; to < out; to++) {
        int64_t begin = to * in / out, end = ((to + 1) * in + out - 1) / out;
        for (int64_t from = begin; from < end; from++)
            values[transposed ? from * out + to : to * in + from] = 1.0f / (float)(end - begin);
    }
    status = cnn_onnx_add_tensor(graph, *name, CNN_FLOAT32, shape, 2, values);
out:
    return status;
}

/* Windows of many sizes: a product for the rows, and one for the columns. */
static cnn_status add_products(char **y, cnn_onnx_graph *graph, char *x)
{
    const cnn_layer *layer = graph->layer;
    cnn_status status = CNN_OK;
    char *rows, *columns;
    CNN_TRY(add_matrix(&rows, graph, "rows", layer->in.h, layer->out.h, false));
    CNN_TRY(add_matrix(&columns, graph, "columns", layer->in.w, layer->out.w, true));
    CNN_TRY(cnn_onnx_add_op(y, graph, "MatMul", "along_rows", (char *[]){rows, x, NULL}));
    status = cnn_onnx_add_op(y, graph, "MatMul", NULL, (char *[]){*y, columns, NULL});
out:
    return status;
}

cnn_status cnn_onnx_add_adaptiveavgpool(char **y, cnn_onnx_graph *graph, char *const *x)
{
    cnn_shape in = graph->layer->in, out = graph->layer->out;
    if (out.h == 1 && out.w == 1)
        return cnn_onnx_add_op(y, graph, "GlobalAveragePool", NULL, (char *[]){x[0], NULL});
    if (in.h % out.h != 0 || in.w % out.w != 0)
        return add_products(y, graph, x[0]);
    cnn_pool_options pool = {.kernel = {in.h / out.h, in.w / out.w},
                             .stride = {in.h / out.h, in.w / out.w}};
    return add_average(y, graph, x[0], &pool);
}
