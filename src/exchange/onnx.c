/* ONNX: the layers as nodes, the tensors as initialisers, one message of the schema that Debian's
 * libonnx-dev has. */
#include <limits.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "exchange/exchange.h"
#include "exchange/onnx_graph.h"
#include "model/format.h"

enum { IR_VERSION = 8, OPSET = 17 };
enum { BATCH_AND_SHAPE = 4, METADATA_LIMIT = 7 };

static char input_name[] = "image", output_name[] = "logits";

/* An end of the graph, with the memory that it points at. Not to be moved once it is filled. */
typedef struct value {
    Onnx__ValueInfoProto proto;
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dims[BATCH_AND_SHAPE];
    Onnx__TensorShapeProto__Dimension *dim_list[BATCH_AND_SHAPE];
} value;

typedef struct ends {
    value input, output;
    Onnx__ValueInfoProto *input_list[1], *output_list[1];
} ends;

/* A node with one number for each channel. */
static cnn_status add_normal(char **name, cnn_onnx_graph *graph, const char *op, const char *part,
                             const char *tensor, const float *values)
{
    int channels = graph->model->normalization.channels;
    const int shape[3] = {channels, 1, 1}; /* of (batch, C, H, W) */
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_onnx_add_tensor(graph, tensor, CNN_FLOAT32, shape, 3, values));
    status = cnn_onnx_add_op(name, graph, op, part, (char *[]){*name, CNN_ONNX_TEXT(tensor), NULL});
out:
    return status;
}

/* What pixels become before the first layer. */
static cnn_status add_normalization(cnn_onnx_graph *graph)
{
    const cnn_normalization *normalization = &graph->model->normalization;
    char **name = &graph->values[0];
    cnn_status status = CNN_OK;
    *name = input_name;
    if (normalization->channels == 0)
        return CNN_OK;
    CNN_TRY(
        add_normal(name, graph, "Sub", "normalize/centre", "normalize.mean", normalization->means));
    status =
        add_normal(name, graph, "Div", "normalize", "normalize.std", normalization->deviations);
out:
    return status;
}

/* What the last layer gives, as (batch, classes), under the output's name: nobody else reads it. */
static cnn_status name_output(cnn_onnx_graph *graph)
{
    int last = graph->model->network->layer_count;
    char *name;
    cnn_status status = cnn_onnx_shape_value(&name, graph, last, true, "flat");
    if (status == CNN_OK)
        graph->proto.node[graph->proto.n_node - 1]->output[0] = output_name;
    return status;
}

static cnn_status fill_graph(cnn_onnx_graph *graph, const cnn_model *model, const char *path)
{
    const cnn_network *network = model->network;
    size_t values = (size_t)network->layer_count + 1;
    cnn_status status = CNN_OK;
    graph->model = model;
    graph->path = path;
    onnx__graph_proto__init(&graph->proto);
    graph->proto.name = CNN_ONNX_TEXT(network->name);
    CNN_TRY(cnn_onnx_allocate(&graph->values, graph, values, sizeof *graph->values));
    CNN_TRY(cnn_onnx_allocate(&graph->flat, graph, values, sizeof *graph->flat));
    CNN_TRY(add_normalization(graph));
    for (int i = 0; i < network->layer_count; i++)
        CNN_TRY(cnn_onnx_add_layer(graph, &network->layers[i]));
    status = name_output(graph);
out:
    return status;
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
    at->dims[0].dim_param = CNN_ONNX_TEXT("batch");
    at->shape.n_dim = rank + 1;
    at->shape.dim = at->dim_list;
    at->tensor.has_elem_type = true;
    at->tensor.elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    at->tensor.shape = &at->shape;
    at->type.value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    at->type.tensor_type = &at->tensor;
    at->proto.name = name;
    at->proto.type = &at->type;
    at->proto.doc_string = CNN_ONNX_TEXT(text);
}

static void describe_ends(Onnx__GraphProto *graph, ends *at, const cnn_network *network)
{
    describe_value(&at->input, input_name, "channels, rows, columns; pixels in 0..1",
                   network->input, 3);
    describe_value(&at->output, output_name, "one per class; softmax gives the probabilities",
                   &network->classes, 1);
    at->input_list[0] = &at->input.proto;
    at->output_list[0] = &at->output.proto;
    graph->n_input = graph->n_output = 1;
    graph->input = at->input_list;
    graph->output = at->output_list;
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
    CNN_TRY(cnn_model_check_finite(model, path));
    CNN_TRY(cnn_allocate(&bytes, size, 1, path));
    onnx__model_proto__pack(message, bytes);
    CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){bytes, size}, 1));
out:
    free(bytes);
    return status;
}

/* What a saved model says of itself, but for its network, which is the graph. */
typedef struct metadata {
    char *config, *classes, *preparation;
    Onnx__StringStringEntryProto entries[METADATA_LIMIT], *list[METADATA_LIMIT];
    size_t count;
} metadata;

static void add_entry(metadata *to, const char *key, const char *text)
{
    Onnx__StringStringEntryProto *entry = &to->entries[to->count];
    if (!text)
        return;
    onnx__string_string_entry_proto__init(entry);
    entry->key = CNN_ONNX_TEXT(key);
    entry->value = CNN_ONNX_TEXT(text);
    to->list[to->count++] = entry;
}

static cnn_status metadata_init(metadata *to, const cnn_model *model)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_to_json(&to->config, model->network));
    CNN_TRY(cnn_origin_classes_to_json(&to->classes, &model->origin));
    CNN_TRY(cnn_origin_preparation_to_json(&to->preparation, &model->origin));
    add_entry(to, CNN_VERSION_KEY, cnn_version());
    add_entry(to, CNN_CONFIG_KEY, to->config);
    add_entry(to, CNN_DATA_KEY, model->origin.data);
    add_entry(to, CNN_CLASSES_KEY, to->classes);
    add_entry(to, CNN_PREPARATION_KEY, to->preparation);
    add_entry(to, CNN_PICTURES_KEY, model->origin.digits ? "digits" : NULL);
out:
    return status;
}

static void metadata_finish(metadata *data)
{
    free(data->config);
    free(data->classes);
    free(data->preparation);
}

/* The graph, with what stands around it in the file. */
static cnn_status write_graph(const char *path, cnn_onnx_graph *graph, metadata *data)
{
    Onnx__OperatorSetIdProto opset = ONNX__OPERATOR_SET_ID_PROTO__INIT;
    Onnx__OperatorSetIdProto *opset_list[] = {&opset};
    ends described;
    opset.domain = CNN_ONNX_TEXT("");
    opset.has_version = true;
    opset.version = OPSET;
    Onnx__ModelProto message = ONNX__MODEL_PROTO__INIT;
    message.has_ir_version = true;
    message.ir_version = IR_VERSION;
    message.n_opset_import = 1;
    message.opset_import = opset_list;
    message.producer_name = CNN_ONNX_TEXT("cnn-cl");
    message.producer_version = CNN_ONNX_TEXT(cnn_version());
    message.n_metadata_props = data->count;
    message.metadata_props = data->list;
    message.graph = &graph->proto;
    describe_ends(&graph->proto, &described, graph->model->network);
    return write_message(path, &message, graph->model);
}

cnn_status cnn_model_export_onnx(const cnn_model *model, const char *path)
{
    CNN_NEED(model, path);
    cnn_status status = CNN_OK;
    cnn_onnx_graph graph = {0};
    metadata data = {0};
    CNN_TRY(metadata_init(&data, model));
    CNN_TRY(fill_graph(&graph, model, path));
    CNN_TRY(write_graph(path, &graph, &data));
out:
    cnn_onnx_finish(&graph);
    metadata_finish(&data);
    return status;
}
