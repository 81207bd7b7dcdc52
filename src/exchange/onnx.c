/* ONNX: the layers as nodes, the tensors as initialisers, one message of the schema that Debian's
 * libonnx-dev has. What the operators compute: https://onnx.ai/onnx/operators/ */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "exchange/exchange.h"
#include "exchange/onnx.pb-c.h"
#include "model/format.h"
#include "net/network.h"

enum { IR_VERSION = 8, OPSET = 17 };
enum { MAX_INPUTS = 8, MAX_ATTRIBUTES = 6, MAX_INTS = 4, MAX_RANK = 4, BATCH_AND_SHAPE = 4 };
enum { METADATA_COUNT = 2 };

/* Generated structs hold `char *`: none of them is written to. */
#define TEXT(literal) ((char *)(literal))
static char input_name[] = "image", output_name[] = "logits";

/* A message of each kind with the memory that it points at. Not to be moved once it is filled. */
typedef struct attribute {
    Onnx__AttributeProto proto;
    int64_t ints[MAX_INTS];
} attribute;

typedef struct node {
    Onnx__NodeProto proto;
    char name[CNN_LAYER_NAME_SIZE + 8]; /* "net.conv2d_00": the node's and its output's */
    char *inputs[MAX_INPUTS], *outputs[1];
    attribute attributes[MAX_ATTRIBUTES];
    Onnx__AttributeProto *attribute_list[MAX_ATTRIBUTES];
} node;

typedef struct tensor {
    Onnx__TensorProto proto;
    int64_t dims[MAX_RANK];
} tensor;

typedef struct value {
    Onnx__ValueInfoProto proto;
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[BATCH_AND_SHAPE];
    Onnx__TensorShapeProto__Dimension *dim_list[BATCH_AND_SHAPE];
} value;

/* What pixels become before the first layer. */
enum { NORMAL_COUNT = 2 };
static const struct {
    const char *operator, * output, *tensor;
} normal_rows[NORMAL_COUNT] = {
    {"Sub", "normalize.centred", "normalize.mean"},
    {"Div", "normalize", "normalize.std"},
};

typedef struct graph {
    Onnx__GraphProto proto;
    node *nodes;
    Onnx__NodeProto **node_list;
    tensor *tensors;
    Onnx__TensorProto **tensor_list;
    value input, output;
    char **names; /* of the network's values */
    Onnx__ValueInfoProto *input_list[1], *output_list[1];
} graph;

static attribute *add_attribute(node *at, const char *name,
                                Onnx__AttributeProto__AttributeType type)
{
    attribute *added = &at->attributes[at->proto.n_attribute];
    onnx__attribute_proto__init(&added->proto);
    added->proto.name = TEXT(name);
    added->proto.has_type = true;
    added->proto.type = type;
    at->attribute_list[at->proto.n_attribute++] = &added->proto;
    return added;
}

static void add_list(node *at, const char *name, const int *numbers, size_t count)
{
    attribute *added = add_attribute(at, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    for (size_t i = 0; i < count; i++)
        added->ints[i] = numbers[i];
    added->proto.n_ints = count;
    added->proto.ints = added->ints;
}

static void add_int(node *at, const char *name, int64_t number)
{
    attribute *added = add_attribute(at, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    added->proto.has_i = true;
    added->proto.i = number;
}

static void add_float(node *at, const char *name, float number)
{
    attribute *added = add_attribute(at, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    added->proto.has_f = true;
    added->proto.f = number;
}

static void describe_conv(node *at, const cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    add_list(at, "kernel_shape", conv->kernel, 2);
    add_list(at, "strides", conv->stride, 2);
    add_list(at, "pads", conv->padding, 4);
    add_list(at, "dilations", conv->dilation, 2);
    add_int(at, "group", conv->groups);
}

static void describe_batchnorm(node *at, const cnn_layer *layer)
{
    add_float(at, "epsilon", (float)layer->options.norm.eps);
}

static void describe_maxpool(node *at, const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    add_list(at, "kernel_shape", pool->kernel, 2);
    add_list(at, "strides", pool->stride, 2);
    add_list(at, "pads", pool->padding, 4);
    add_list(at, "dilations", pool->dilation, 2);
    add_int(at, "ceil_mode", pool->ceil_mode);
}

static void describe_flatten(node *at, const cnn_layer *layer)
{
    (void)layer;
    add_int(at, "axis", 1);
}

static void describe_linear(node *at, const cnn_layer *layer)
{
    (void)layer;
    add_int(at, "transB", 1);
}

static void describe_avgpool(node *at, const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    add_list(at, "kernel_shape", pool->kernel, 2);
    add_list(at, "strides", pool->stride, 2);
    add_list(at, "pads", pool->padding, 4);
    add_int(at, "count_include_pad", pool->count_include_pad);
    add_int(at, "ceil_mode", pool->ceil_mode);
}

static void describe_leakyrelu(node *at, const cnn_layer *layer)
{
    add_float(at, "alpha", (float)layer->options.activation.slope);
}

static void describe_concat(node *at, const cnn_layer *layer)
{
    (void)layer;
    add_int(at, "axis", 1);
}

/* What its kind has no operator for. */
static const char *find_obstacle(const cnn_layer *layer)
{
    if (layer->kind == CNN_LAYER_ADAPTIVEAVGPOOL && (layer->out.h != 1 || layer->out.w != 1))
        return "an adaptive pool to more than 1 x 1";
    if (layer->kind == CNN_LAYER_BATCHNORM && !layer->options.norm.affine)
        return "a batch norm without weights";
    if (layer->kind == CNN_LAYER_CONCAT && layer->input_count > MAX_INPUTS)
        return "a concatenation of more than 8 values";
    return NULL;
}

/* IDENTITY: in evaluation mode, and left out. A kind that is not here is not exported. */
static const char identity[] = "Identity";
static const struct {
    const char *operator;
    void (*describe)(node *at, const cnn_layer *layer);
} operators[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_DROPOUT] = {identity, NULL},
    [CNN_LAYER_DROPOUT2D] = {identity, NULL},
    [CNN_LAYER_RELU6] = {"Clip", NULL},
    [CNN_LAYER_LEAKYRELU] = {"LeakyRelu", describe_leakyrelu},
    [CNN_LAYER_HARDSWISH] = {"HardSwish", NULL},
    [CNN_LAYER_SIGMOID] = {"Sigmoid", NULL},
    [CNN_LAYER_TANH] = {"Tanh", NULL},
    [CNN_LAYER_AVGPOOL] = {"AveragePool", describe_avgpool},
    [CNN_LAYER_ADAPTIVEAVGPOOL] = {"GlobalAveragePool", NULL},
    [CNN_LAYER_ADD] = {"Add", NULL},
    [CNN_LAYER_MUL] = {"Mul", NULL},
    [CNN_LAYER_CONCAT] = {"Concat", describe_concat},
    [CNN_LAYER_CONV] = {"Conv", describe_conv},
    [CNN_LAYER_BATCHNORM] = {"BatchNormalization", describe_batchnorm},
    [CNN_LAYER_RELU] = {"Relu", NULL},
    [CNN_LAYER_MAXPOOL] = {"MaxPool", describe_maxpool},
    [CNN_LAYER_FLATTEN] = {"Flatten", describe_flatten},
    [CNN_LAYER_LINEAR] = {"Gemm", describe_linear},
};

static void add_tensor(graph *to, const cnn_slot *slot)
{
    tensor *at = &to->tensors[to->proto.n_initializer];
    onnx__tensor_proto__init(&at->proto);
    for (int axis = 0; axis < slot->info.rank; axis++)
        at->dims[axis] = slot->info.shape[axis];
    at->proto.n_dims = (size_t)slot->info.rank;
    at->proto.dims = at->dims;
    at->proto.has_data_type = true;
    at->proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    at->proto.name = TEXT(slot->name);
    at->proto.has_raw_data = true; /* little-endian, as in saved models */
    at->proto.raw_data = (ProtobufCBinaryData){slot->info.count * sizeof(float), slot->info.values};
    to->tensor_list[to->proto.n_initializer++] = &at->proto;
}

/* The layer's tensors, in the model's order, are the operator's inputs behind the first. */
static void add_tensors(graph *to, node *at, const cnn_model *model, int layer)
{
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_slot *slot = &model->slots[i];
        if (slot->layer != layer || slot->info.type != CNN_FLOAT32) /* not num_batches_tracked */
            continue;
        at->inputs[at->proto.n_input++] = TEXT(slot->name);
        add_tensor(to, slot);
    }
}

/* A number as an operator's next input. */
static void add_number(graph *to, node *at, const char *name, const float *number)
{
    tensor *constant = &to->tensors[to->proto.n_initializer];
    bool is_there = false;
    at->inputs[at->proto.n_input++] = TEXT(name);
    for (size_t i = 0; i < to->proto.n_initializer; i++)
        is_there = is_there || strcmp(to->tensor_list[i]->name, name) == 0;
    if (is_there)
        return;
    onnx__tensor_proto__init(&constant->proto);
    constant->proto.name = TEXT(name);
    constant->proto.has_data_type = constant->proto.has_raw_data = true;
    constant->proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    constant->proto.raw_data = (ProtobufCBinaryData){sizeof *number, (uint8_t *)number};
    to->tensor_list[to->proto.n_initializer++] = &constant->proto;
}

static cnn_status refuse_layer(const cnn_layer *layer, const char *path, const char *obstacle)
{
    return cnn_fail(CNN_ERROR_ARGUMENT,
                    "%s: not written: layer %s, %s, has no operator of ONNX that this program "
                    "knows: export it as npz",
                    path, layer->name, obstacle);
}

/* Appends a layer; the name of its output is the value's. */
static cnn_status add_node(graph *to, const cnn_model *model, const cnn_layer *layer,
                           const char *path)
{
    static float least = 0.0f, most = 6.0f; /* of ReLU6 */
    const char *operator= operators[layer->kind].operator, * obstacle = find_obstacle(layer);
    bool is_last = layer->index == model->network->layer_count - 1;
    if (!operator|| obstacle)
        return refuse_layer(layer, path,
                            obstacle ? obstacle : cnn_layer_get_class(layer->kind)->name);
    if (operator== identity && !is_last) {
        to->names[layer->index + 1] = to->names[layer->inputs[0]];
        return CNN_OK;
    }
    node *at = &to->nodes[to->proto.n_node];
    onnx__node_proto__init(&at->proto);
    snprintf(at->name, sizeof at->name, "%s%s", model->network->prefix, layer->name);
    for (int i = 0; i < layer->input_count; i++)
        at->inputs[at->proto.n_input++] = to->names[layer->inputs[i]];
    at->outputs[at->proto.n_output++] = is_last ? output_name : at->name;
    at->proto.name = at->name;
    at->proto.op_type = TEXT(operator);
    at->proto.input = at->inputs;
    at->proto.output = at->outputs;
    at->proto.attribute = at->attribute_list;
    if (operators[layer->kind].describe)
        operators[layer->kind].describe(at, layer);
    add_tensors(to, at, model, layer->index);
    if (layer->kind == CNN_LAYER_RELU6) {
        add_number(to, at, "relu6.least", &least);
        add_number(to, at, "relu6.most", &most);
    }
    to->node_list[to->proto.n_node++] = &at->proto;
    to->names[layer->index + 1] = at->outputs[0];
    return CNN_OK;
}

/* A node with one number for each channel. Returns the name of its output. */
static char *add_normal(graph *to, int row, const float *values, int channels, char *input)
{
    node *at = &to->nodes[to->proto.n_node];
    tensor *constant = &to->tensors[to->proto.n_initializer];
    onnx__node_proto__init(&at->proto);
    onnx__tensor_proto__init(&constant->proto);
    at->inputs[0] = input;
    at->inputs[1] = constant->proto.name = TEXT(normal_rows[row].tensor);
    at->outputs[0] = at->proto.name = TEXT(normal_rows[row].output);
    at->proto.op_type = TEXT(normal_rows[row].operator);
    at->proto.n_input = 2;
    at->proto.n_output = 1;
    at->proto.input = at->inputs;
    at->proto.output = at->outputs;
    constant->dims[0] = channels;
    constant->dims[1] = constant->dims[2] = 1; /* of (batch, C, H, W) */
    constant->proto.n_dims = 3;
    constant->proto.dims = constant->dims;
    constant->proto.has_data_type = constant->proto.has_raw_data = true;
    constant->proto.data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    constant->proto.raw_data =
        (ProtobufCBinaryData){(size_t)channels * sizeof(float), (uint8_t *)values};
    to->tensor_list[to->proto.n_initializer++] = &constant->proto;
    to->node_list[to->proto.n_node++] = &at->proto;
    return at->outputs[0];
}

static char *add_normalization(graph *to, const cnn_normalization *normalization, char *input)
{
    if (normalization->channels == 0)
        return input;
    input = add_normal(to, 0, normalization->means, normalization->channels, input);
    return add_normal(to, 1, normalization->deviations, normalization->channels, input);
}

/* A float32 tensor (batch, shape...). */
static void describe_value(value *at, char *name, const char *text, const int *shape, size_t rank)
{
    onnx__value_info_proto__init(&at->proto);
    onnx__type_proto__init(&at->type);
    onnx__type_proto__tensor__init(&at->tensor);
    onnx__tensor_shape_proto__init(&at->shape);
    for (size_t axis = 0; axis <= rank; axis++) {
        onnx__tensor_shape_proto__dimension__init(&at->dims[axis]);
        at->dim_list[axis] = &at->dims[axis];
        at->dims[axis].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (axis > 0)
            at->dims[axis].dim_value = shape[axis - 1];
    }
    at->dims[0].value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    at->dims[0].dim_param = TEXT("batch");
    at->shape.n_dim = rank + 1;
    at->shape.dim = at->dim_list;
    at->tensor.has_elem_type = true;
    at->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    at->tensor.shape = &at->shape;
    at->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    at->type.tensor_type = &at->tensor;
    at->proto.name = name;
    at->proto.type = &at->type;
    at->proto.doc_string = TEXT(text);
}

static void describe_ends(graph *to, const cnn_network *network)
{
    describe_value(&to->input, input_name, "channels, rows, columns; pixels in 0..1",
                   network->input, 3);
    describe_value(&to->output, output_name, "one per class; softmax gives the probabilities",
                   &network->classes, 1);
    to->input_list[0] = &to->input.proto;
    to->output_list[0] = &to->output.proto;
    to->proto.n_input = to->proto.n_output = 1;
    to->proto.input = to->input_list;
    to->proto.output = to->output_list;
}

static cnn_status graph_init(graph *to, const cnn_model *model, const char *path)
{
    cnn_status status = CNN_OK;
    const cnn_network *network = model->network;
    size_t layers = (size_t)network->layer_count + NORMAL_COUNT;
    size_t tensors = model->slot_count + NORMAL_COUNT + 2; /* and ReLU6's ends */
    onnx__graph_proto__init(&to->proto);
    CNN_TRY(cnn_allocate(&to->nodes, layers, sizeof *to->nodes, path));
    CNN_TRY(cnn_allocate(&to->node_list, layers, sizeof *to->node_list, path));
    CNN_TRY(cnn_allocate(&to->tensors, tensors, sizeof *to->tensors, path));
    CNN_TRY(cnn_allocate(&to->tensor_list, tensors, sizeof *to->tensor_list, path));
    CNN_TRY(cnn_allocate(&to->names, layers + 1, sizeof *to->names, path));
    to->names[0] = add_normalization(to, &model->normalization, input_name);
    for (int i = 0; i < network->layer_count; i++)
        CNN_TRY(add_node(to, model, &network->layers[i], path));
    to->proto.node = to->node_list;
    to->proto.initializer = to->tensor_list;
    to->proto.name = TEXT(network->name);
    describe_ends(to, network);
out:
    return status;
}

static void graph_finish(graph *to)
{
    free(to->nodes);
    free(to->names);
    free(to->node_list);
    free(to->tensors);
    free(to->tensor_list);
}

/* The size first: it needs no value. */
static cnn_status write_message(const char *path, const Onnx__ModelProto *message,
                                const cnn_model *model)
{
    cnn_status status = CNN_OK;
    uint8_t *bytes = NULL;
    size_t size = onnx__model_proto__get_packed_size(message);
    if (size > INT_MAX)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s: not written: an ONNX file holds less than 2 GiB, this network takes "
                        "%zu bytes: export it as npz",
                        path, size);
    CNN_TRY(cnn_exchange_check_finite(model, path));
    CNN_TRY(cnn_allocate(&bytes, size, 1, path));
    onnx__model_proto__pack(message, bytes);
    CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){bytes, size}, 1));
out:
    free(bytes);
    return status;
}

/* The graph, with what stands around it in the file. */
static cnn_status write_graph(const char *path, graph *from, char *config, const cnn_model *model)
{
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opset_list[] = {&opset};
    Onnx__StringStringEntryProto entries[METADATA_COUNT], *entry_list[METADATA_COUNT];
    char *const metadata[METADATA_COUNT][2] = {{TEXT(CNN_VERSION_KEY), TEXT(cnn_version())},
                                               {TEXT(CNN_CONFIG_KEY), config}};
    for (int i = 0; i < METADATA_COUNT; i++) {
        onnx__string_string_entry_proto__init(&entries[i]);
        entries[i].key = metadata[i][0];
        entries[i].value = metadata[i][1];
        entry_list[i] = &entries[i];
    }
    opset.domain = TEXT("");
    opset.has_version = true;
    opset.version = OPSET;
    Onnx__ModelProto message = ONNX__MODEL_PROTO__INIT;
    message.has_ir_version = true;
    message.ir_version = IR_VERSION;
    message.n_opset_import = 1;
    message.opset_import = opset_list;
    message.producer_name = TEXT("cnn-cl");
    message.producer_version = TEXT(cnn_version());
    message.n_metadata_props = METADATA_COUNT;
    message.metadata_props = entry_list;
    message.graph = &from->proto;
    return write_message(path, &message, model);
}

cnn_status cnn_model_export_onnx(const cnn_model *model, const char *path)
{
    CNN_NEED(model, path);
    cnn_status status = CNN_OK;
    graph built = {0};
    char *config = NULL;
    CNN_TRY(cnn_network_to_json(&config, model->network));
    CNN_TRY(graph_init(&built, model, path));
    CNN_TRY(write_graph(path, &built, config, model));
out:
    graph_finish(&built);
    free(config);
    return status;
}
