/* Each kind of layer as operators of opset 17. What they compute: https://onnx.ai/onnx/operators/
 */
#include <stdio.h>

#include "base/status.h"
#include "exchange/onnx_graph.h"

/* x: of each of the layer's inputs. */
typedef cnn_status (*add_function)(char **y, cnn_onnx_graph *graph, char *const *x);

static cnn_status add_conv(char **y, cnn_onnx_graph *graph, char *const *x)
{
    const cnn_conv_options *conv = &graph->layer->options.conv;
    cnn_status status = CNN_OK;
    char *weight, *bias;
    CNN_TRY(cnn_onnx_add_slot(&weight, graph, "weight", NULL, 0));
    CNN_TRY(cnn_onnx_add_slot(&bias, graph, "bias", NULL, 0));
    status = cnn_onnx_add(
        y, graph,
        &(cnn_onnx_node){
            .op = "Conv",
            .inputs = {x[0], weight, bias},
            .attributes = {
                {.name = "kernel_shape", CNN_ONNX_INTS, .ints = conv->kernel, .count = 2},
                {.name = "strides", CNN_ONNX_INTS, .ints = conv->stride, .count = 2},
                {.name = "pads", CNN_ONNX_INTS, .ints = conv->padding, .count = 4},
                {.name = "dilations", CNN_ONNX_INTS, .ints = conv->dilation, .count = 2},
                {.name = "group", CNN_ONNX_INT, .number = conv->groups}}});
out:
    return status;
}

static cnn_status add_linear(char **y, cnn_onnx_graph *graph, char *const *x)
{
    cnn_status status = CNN_OK;
    char *weight, *bias;
    CNN_TRY(cnn_onnx_add_slot(&weight, graph, "weight", NULL, 0));
    CNN_TRY(cnn_onnx_add_slot(&bias, graph, "bias", NULL, 0));
    status = cnn_onnx_add(
        y, graph,
        &(cnn_onnx_node){.op = "Gemm",
                         .inputs = {x[0], weight, bias},
                         .attributes = {{.name = "transB", CNN_ONNX_INT, .number = 1}}});
out:
    return status;
}

/* The same number for each channel: where a layer has no tensor of its own. */
static cnn_status add_constant(char **name, cnn_onnx_graph *graph, const char *part, float number,
                               int count)
{
    cnn_status status = CNN_OK;
    float *values;
    CNN_TRY(cnn_onnx_name(name, graph, part));
    CNN_TRY(cnn_onnx_allocate(&values, graph, (size_t)count, sizeof *values));
    for (int i = 0; i < count; i++)
        values[i] = number;
    status = cnn_onnx_add_tensor(graph, *name, CNN_FLOAT32, &count, 1, values);
out:
    return status;
}

static cnn_status add_batchnorm(char **y, cnn_onnx_graph *graph, char *const *x)
{
    const cnn_norm_options *norm = &graph->layer->options.norm;
    cnn_status status = CNN_OK;
    char *weight, *bias, *mean, *variance;
    CNN_TRY(cnn_onnx_add_slot(&weight, graph, "weight", NULL, 0));
    CNN_TRY(cnn_onnx_add_slot(&bias, graph, "bias", NULL, 0));
    if (!weight)
        CNN_TRY(add_constant(&weight, graph, "weight", 1.0f, graph->layer->in.c));
    if (!bias)
        CNN_TRY(add_constant(&bias, graph, "bias", 0.0f, graph->layer->in.c));
    CNN_TRY(cnn_onnx_add_slot(&mean, graph, "running_mean", NULL, 0));
    CNN_TRY(cnn_onnx_add_slot(&variance, graph, "running_var", NULL, 0));
    /* the part of the old mean that stays; PyTorch's momentum is that of the new one */
    status = cnn_onnx_add(
        y, graph,
        &(cnn_onnx_node){
            .op = "BatchNormalization",
            .inputs = {x[0], weight, bias, mean, variance},
            .attributes = {{.name = "epsilon", CNN_ONNX_FLOAT, .number = norm->eps},
                           {.name = "momentum", CNN_ONNX_FLOAT, .number = 1.0 - norm->momentum}}});
out:
    return status;
}

/* The groups as channels, which are normalised one by one. */
static cnn_status add_groupnorm(char **y, cnn_onnx_graph *graph, char *const *x)
{
    const cnn_norm_options *norm = &graph->layer->options.norm;
    cnn_shape in = graph->layer->in;
    const int wide[4] = {0, in.c, in.h, in.w}, narrow[3] = {0, norm->groups, -1};
    const int per_channel[3] = {in.c, 1, 1};
    cnn_status status = CNN_OK;
    char *shape, *grouped, *ones, *zeros, *weight, *bias;
    CNN_TRY(cnn_onnx_add_ints(&shape, graph, "groups", narrow, 3));
    CNN_TRY(cnn_onnx_add_op(&grouped, graph, "Reshape", "group", (char *[]){x[0], shape, NULL}));
    CNN_TRY(add_constant(&ones, graph, "ones", 1.0f, norm->groups));
    CNN_TRY(add_constant(&zeros, graph, "zeros", 0.0f, norm->groups));
    CNN_TRY(cnn_onnx_add(
        &grouped, graph,
        &(cnn_onnx_node){.op = "InstanceNormalization",
                         .part = "normalize",
                         .inputs = {grouped, ones, zeros},
                         .attributes = {{"epsilon", CNN_ONNX_FLOAT, .number = norm->eps}}}));
    CNN_TRY(cnn_onnx_add_ints(&shape, graph, "shape", wide, 4));
    CNN_TRY(cnn_onnx_add_op(y, graph, "Reshape", "ungroup", (char *[]){grouped, shape, NULL}));
    CNN_TRY(cnn_onnx_add_slot(&weight, graph, "weight", per_channel, 3));
    CNN_TRY(cnn_onnx_add_slot(&bias, graph, "bias", per_channel, 3));
    if (!weight || !bias)
        goto out;
    CNN_TRY(cnn_onnx_add_op(y, graph, "Mul", "scale", (char *[]){*y, weight, NULL}));
    status = cnn_onnx_add_op(y, graph, "Add", NULL, (char *[]){*y, bias, NULL});
out:
    return status;
}

static cnn_status add_relu6(char **y, cnn_onnx_graph *graph, char *const *x)
{
    cnn_status status = CNN_OK;
    char *least, *most;
    CNN_TRY(cnn_onnx_add_number(&least, graph, "least", 0.0));
    CNN_TRY(cnn_onnx_add_number(&most, graph, "most", 6.0));
    status = cnn_onnx_add_op(y, graph, "Clip", NULL, (char *[]){x[0], least, most, NULL});
out:
    return status;
}

static cnn_status add_leakyrelu(char **y, cnn_onnx_graph *graph, char *const *x)
{
    double slope = graph->layer->options.activation.slope;
    return cnn_onnx_add(
        y, graph,
        &(cnn_onnx_node){.op = "LeakyRelu",
                         .inputs = {x[0]},
                         .attributes = {{"alpha", CNN_ONNX_FLOAT, .number = slope}}});
}

static cnn_status add_silu(char **y, cnn_onnx_graph *graph, char *const *x)
{
    cnn_status status = CNN_OK;
    char *gate;
    CNN_TRY(cnn_onnx_add_op(&gate, graph, "Sigmoid", "sigmoid", (char *[]){x[0], NULL}));
    status = cnn_onnx_add_op(y, graph, "Mul", NULL, (char *[]){x[0], gate, NULL});
out:
    return status;
}

/* sqrt(2 / pi) (x + 0.044715 x^3) */
static cnn_status add_cubic(char **y, cnn_onnx_graph *graph, char *x)
{
    cnn_status status = CNN_OK;
    char *three, *cubic, *outer;
    CNN_TRY(cnn_onnx_add_number(&three, graph, "three", 3.0));
    CNN_TRY(cnn_onnx_add_number(&cubic, graph, "cubic", 0.044715));
    CNN_TRY(cnn_onnx_add_number(&outer, graph, "outer", 0.7978845608028654));
    CNN_TRY(cnn_onnx_add_op(y, graph, "Pow", "cube", (char *[]){x, three, NULL}));
    CNN_TRY(cnn_onnx_add_op(y, graph, "Mul", "cube_part", (char *[]){*y, cubic, NULL}));
    CNN_TRY(cnn_onnx_add_op(y, graph, "Add", "sum", (char *[]){x, *y, NULL}));
    status = cnn_onnx_add_op(y, graph, "Mul", "inner", (char *[]){*y, outer, NULL});
out:
    return status;
}

/* x (1 + erf(x / sqrt(2))) / 2, or with tanh instead; the operator Gelu is newer than the opset. */
static cnn_status add_gelu(char **y, cnn_onnx_graph *graph, char *const *x)
{
    bool tanh = graph->layer->options.gelu.tanh;
    cnn_status status = CNN_OK;
    char *root, *one, *half;
    if (tanh) {
        CNN_TRY(add_cubic(y, graph, x[0]));
    } else {
        CNN_TRY(cnn_onnx_add_number(&root, graph, "root", 1.4142135623730951));
        CNN_TRY(cnn_onnx_add_op(y, graph, "Div", "inner", (char *[]){x[0], root, NULL}));
    }
    CNN_TRY(cnn_onnx_add_op(y, graph, tanh ? "Tanh" : "Erf", "curve", (char *[]){*y, NULL}));
    CNN_TRY(cnn_onnx_add_number(&one, graph, "one", 1.0));
    CNN_TRY(cnn_onnx_add_number(&half, graph, "half", 0.5));
    CNN_TRY(cnn_onnx_add_op(y, graph, "Add", "shift", (char *[]){*y, one, NULL}));
    CNN_TRY(cnn_onnx_add_op(y, graph, "Mul", "product", (char *[]){x[0], *y, NULL}));
    status = cnn_onnx_add_op(y, graph, "Mul", NULL, (char *[]){*y, half, NULL});
out:
    return status;
}

/* In evaluation mode: left out, where that leaves a node for the output. */
static cnn_status add_dropout(char **y, cnn_onnx_graph *graph, char *const *x)
{
    *y = x[0];
    if (graph->layer->index + 1 < graph->model->network->layer_count)
        return CNN_OK;
    return cnn_onnx_add_op(y, graph, "Identity", NULL, (char *[]){x[0], NULL});
}

static cnn_status add_flatten(char **y, cnn_onnx_graph *graph, char *const *x)
{
    return cnn_onnx_add(y, graph,
                        &(cnn_onnx_node){.op = "Flatten",
                                         .inputs = {x[0]},
                                         .attributes = {{"axis", CNN_ONNX_INT, .number = 1}}});
}

static cnn_status add_concat(char **y, cnn_onnx_graph *graph, char *const *x)
{
    return cnn_onnx_add(y, graph,
                        &(cnn_onnx_node){.op = "Concat",
                                         .many = x,
                                         .many_count = (size_t)graph->layer->input_count,
                                         .attributes = {{"axis", CNN_ONNX_INT, .number = 1}}});
}

static cnn_status add_scale(char **y, cnn_onnx_graph *graph, char *const *x)
{
    cnn_status status = CNN_OK;
    char *factor;
    CNN_TRY(cnn_onnx_add_number(&factor, graph, "factor", graph->layer->options.scale.factor));
    status = cnn_onnx_add_op(y, graph, "Mul", NULL, (char *[]){x[0], factor, NULL});
out:
    return status;
}

/* Which forms an operator reads: both, alike for all inputs; (batch, C, H, W); (batch, C). */
typedef enum form { EITHER, PLANES, FLAT } form;

/* op: where it is all, without attributes. */
static const struct {
    form form;
    const char *op;
    add_function add;
    bool flattens;
} kinds[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = {PLANES, .add = add_conv},
    [CNN_LAYER_LINEAR] = {FLAT, .add = add_linear},
    [CNN_LAYER_BATCHNORM] = {EITHER, .add = add_batchnorm},
    [CNN_LAYER_GROUPNORM] = {PLANES, .add = add_groupnorm},
    [CNN_LAYER_RELU] = {EITHER, .op = "Relu"},
    [CNN_LAYER_RELU6] = {EITHER, .add = add_relu6},
    [CNN_LAYER_LEAKYRELU] = {EITHER, .add = add_leakyrelu},
    [CNN_LAYER_SILU] = {EITHER, .add = add_silu},
    [CNN_LAYER_GELU] = {EITHER, .add = add_gelu},
    [CNN_LAYER_HARDSWISH] = {EITHER, .op = "HardSwish"},
    [CNN_LAYER_SIGMOID] = {EITHER, .op = "Sigmoid"},
    [CNN_LAYER_TANH] = {EITHER, .op = "Tanh"},
    [CNN_LAYER_MAXPOOL] = {PLANES, .add = cnn_onnx_add_maxpool},
    [CNN_LAYER_AVGPOOL] = {PLANES, .add = cnn_onnx_add_avgpool},
    [CNN_LAYER_ADAPTIVEAVGPOOL] = {PLANES, .add = cnn_onnx_add_adaptiveavgpool},
    [CNN_LAYER_DROPOUT] = {EITHER, .add = add_dropout},
    [CNN_LAYER_DROPOUT2D] = {EITHER, .add = add_dropout},
    [CNN_LAYER_FLATTEN] = {EITHER, .add = add_flatten, .flattens = true},
    [CNN_LAYER_ADD] = {EITHER, .op = "Add"},
    [CNN_LAYER_CONCAT] = {EITHER, .add = add_concat},
    [CNN_LAYER_MUL] = {EITHER, .op = "Mul"},
    [CNN_LAYER_SCALE] = {EITHER, .add = add_scale},
};

cnn_status cnn_onnx_shape_value(char **name, cnn_onnx_graph *graph, int value, bool flat,
                                const char *part)
{
    cnn_shape shape = cnn_network_value_shape(graph->model->network, value);
    const int planes[4] = {0, shape.c, shape.h, shape.w}; /* 0: the batch, as it is */
    cnn_status status = CNN_OK;
    char *sizes;
    *name = graph->values[value];
    if (graph->flat[value] == flat)
        return CNN_OK;
    if (flat)
        return cnn_onnx_add(name, graph,
                            &(cnn_onnx_node){.op = "Flatten",
                                             .part = part,
                                             .inputs = {*name},
                                             .attributes = {{"axis", CNN_ONNX_INT, .number = 1}}});
    CNN_TRY(cnn_onnx_add_ints(&sizes, graph, part, planes, 4));
    status = cnn_onnx_add_op(name, graph, "Reshape", part, (char *[]){*name, sizes, NULL});
out:
    return status;
}

cnn_status cnn_onnx_add_layer(cnn_onnx_graph *graph, const cnn_layer *layer)
{
    cnn_status status = CNN_OK;
    char **x, **y = &graph->values[layer->index + 1];
    bool flat = kinds[layer->kind].form == FLAT;
    graph->layer = layer;
    if (kinds[layer->kind].form == EITHER) {
        flat = true;
        for (int i = 0; i < layer->input_count; i++)
            flat = flat && graph->flat[layer->inputs[i]];
    }
    CNN_TRY(cnn_onnx_allocate(&x, graph, (size_t)layer->input_count, sizeof *x));
    for (int i = 0; i < layer->input_count; i++) {
        char part[24];
        snprintf(part, sizeof part, "input%d", i);
        CNN_TRY(cnn_onnx_shape_value(&x[i], graph, layer->inputs[i], flat, part));
    }
    if (kinds[layer->kind].add)
        status = kinds[layer->kind].add(y, graph, x);
    else
        status = cnn_onnx_add(y, graph,
                              &(cnn_onnx_node){.op = kinds[layer->kind].op,
                                               .many = x,
                                               .many_count = (size_t)layer->input_count});
    graph->flat[layer->index + 1] = flat || kinds[layer->kind].flattens;
out:
    return status;
}
