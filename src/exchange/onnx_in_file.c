/* What is in an ONNX file: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto numbers the
 * fields. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/onnx_in.h"
#include "model/format.h"

enum { FILE_LIMIT = INT32_MAX, BUDGET_FACTOR = 32, BUDGET_LEAST = 64 << 20 };
enum { FIRST_OPSET = 7, LAST_OPSET = 25 };

/* Fields of messages. */
enum { MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_METADATA = 14 };
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { GRAPH_SPARSE = 15 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP = 4, NODE_DOMAIN = 7 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, SHAPE_DIM = 1 };
enum { TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2 };
enum { DIM_VALUE = 1 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

static cnn_status fail_format(const onnx_reader *reader, const char *what)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: expected an ONNX file, found a broken one: %s",
                    reader->path, what);
}

/* A terminated copy. */
static cnn_status copy_text(const char **text, onnx_reader *reader, cnn_bytes bytes)
{
    char *copy = NULL;
    *text = "";
    if (bytes.size > 0 && memchr(bytes.data, '\0', bytes.size))
        return fail_format(reader, "a name with a zero byte");
    cnn_status status = cnn_onnx_take(&copy, reader, bytes.size + 1, 1);
    if (status == CNN_OK && bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    if (status == CNN_OK)
        *text = copy;
    return status;
}

/* The value of a name, which is there from now on. */
static cnn_status find_value(int *index, onnx_reader *reader, const char *name)
{
    json_t *known = json_object_get(reader->names, name);
    if (known) {
        *index = (int)json_integer_value(known);
        return CNN_OK;
    }
    enum { OF_JSON = 128 };
    cnn_status status = cnn_onnx_charge(reader, sizeof(onnx_value) + strlen(name) + OF_JSON);
    onnx_value *value = status == CNN_OK ? cnn_pile_push(&reader->values, sizeof *value) : NULL;
    if (!value)
        return status == CNN_OK ? CNN_ERROR_MEMORY : status;
    value->name = name;
    value->view = value->soft = value->pad = value->maker = -1;
    *index = (int)reader->values.count - 1;
    if (json_object_set_new_nocheck(reader->names, name, json_integer(*index)) != 0)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for the names in %s", reader->path);
    return CNN_OK;
}

static cnn_status read_initializer(onnx_reader *reader, cnn_bytes message)
{
    onnx_tensor *tensor = NULL;
    cnn_status status = CNN_OK;
    int index = 0;
    CNN_TRY(cnn_onnx_read_tensor(&tensor, reader, message));
    CNN_TRY(find_value(&index, reader, tensor->name));
    if (cnn_onnx_value(reader, index)->constant)
        return cnn_fail(CNN_ERROR_DATA, "%s: the initialiser '%.60s' is there twice", reader->path,
                        tensor->name);
    cnn_onnx_value(reader, index)->constant = tensor;
    cnn_onnx_value(reader, index)->made = true;
out:
    return status;
}

/* The names of a node's inputs, or outputs. */
static cnn_status read_names(int **list, int *count, onnx_reader *reader, cnn_bytes message,
                             uint32_t number)
{
    cnn_field field;
    cnn_status status = CNN_OK;
    size_t names = 0;
    for (cnn_bytes rest = message; cnn_field_next(&field, &rest);)
        names += field.number == number;
    CNN_TRY(cnn_onnx_take(list, reader, names, sizeof **list));
    *count = 0;
    for (cnn_bytes rest = message; cnn_field_next(&field, &rest);) {
        const char *name;
        if (field.number != number)
            continue;
        (*list)[*count] = -1;
        if (field.bytes.size > 0) {
            CNN_TRY(copy_text(&name, reader, field.bytes));
            CNN_TRY(find_value(&(*list)[*count], reader, name));
        }
        ++*count;
    }
out:
    return status;
}

static cnn_status read_node(onnx_reader *reader, cnn_bytes message)
{
    onnx_node node = {.message = message};
    const struct {
        uint32_t number;
        const char **text;
    } texts[] = {{NODE_NAME, &node.name}, {NODE_OP, &node.op}, {NODE_DOMAIN, &node.domain}};
    cnn_status status = CNN_OK;
    if (!cnn_proto_is_whole(message))
        return fail_format(reader, "a node ends too early");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cnn_field field = {0};
        cnn_field_find(&field, message, texts[i].number);
        CNN_TRY(copy_text(texts[i].text, reader, field.bytes));
    }
    CNN_TRY(read_names(&node.inputs, &node.input_count, reader, message, NODE_INPUT));
    CNN_TRY(read_names(&node.outputs, &node.output_count, reader, message, NODE_OUTPUT));
    CNN_TRY(cnn_onnx_charge(reader, sizeof node));
    onnx_node *at = cnn_pile_push(&reader->nodes, sizeof *at);
    if (!at)
        return CNN_ERROR_MEMORY;
    *at = node;
out:
    return status;
}

/* The dims of an input; 0 for those that are open; -1 for the rank where there is no shape. */
static cnn_status read_dims(int64_t dims[CNN_RAW_RANK], int *rank, const onnx_reader *reader,
                            cnn_bytes value)
{
    static const uint32_t path[] = {VALUE_TYPE, TYPE_TENSOR, TENSOR_SHAPE};
    cnn_field field = {.bytes = value};
    *rank = -1;
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
        if (!cnn_field_find(&field, field.bytes, path[i]))
            return CNN_OK;
    *rank = 0;
    for (cnn_bytes rest = field.bytes; cnn_field_next(&field, &rest);) {
        cnn_field dim = {0};
        if (field.number != SHAPE_DIM)
            continue;
        if (*rank == CNN_RAW_RANK)
            return fail_format(reader, "the input has more than eight axes");
        cnn_field_find(&dim, field.bytes, DIM_VALUE);
        dims[(*rank)++] = dim.integer <= INT32_MAX ? (int64_t)dim.integer : 0;
    }
    return CNN_OK;
}

/* By the numbers of onnx.proto's TensorProto.DataType. */
bool cnn_onnx_holds_pixels(int64_t type)
{
    enum {
        UINT8 = 2,
        INT8 = 3,
        UINT16 = 4,
        INT16 = 5,
        INT32 = 6,
        INT64 = 7,
        UINT32 = 12,
        UINT64 = 13
    };
    bool whole = (type >= UINT8 && type <= INT64) || type == UINT32 || type == UINT64;
    return whole && type != INT8;
}

static bool has_whole_numbers(cnn_bytes value)
{
    static const uint32_t path[] = {VALUE_TYPE, TYPE_TENSOR, TENSOR_ELEMENT};
    cnn_field field = {.bytes = value};
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++)
        if (!cnn_field_find(&field, field.bytes, path[i]))
            return false;
    return cnn_onnx_holds_pixels((int64_t)field.integer);
}

/* An input or output that is no initialiser: one of each. */
static cnn_status read_end(int *index, onnx_reader *reader, cnn_bytes message, bool is_input)
{
    const char *what = is_input ? "input" : "output", *name;
    cnn_field field = {0};
    cnn_status status = CNN_OK;
    int found = 0;
    cnn_field_find(&field, message, VALUE_NAME);
    CNN_TRY(copy_text(&name, reader, field.bytes));
    CNN_TRY(find_value(&found, reader, name));
    onnx_value *value = cnn_onnx_value(reader, found);
    if (is_input && value->constant)
        return CNN_OK;
    if (*index >= 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a graph with one %s, found '%.60s' and '%.60s': export the "
                        "part that gives the logits",
                        reader->path, what, cnn_onnx_value(reader, *index)->name, name);
    *index = found;
    if (!is_input)
        return CNN_OK;
    value->made = true;
    reader->whole_numbers = has_whole_numbers(message);
    status = read_dims(value->dims, &value->rank, reader, message);
out:
    return status;
}

/* All fields of one number of the graph. */
static cnn_status read_all(onnx_reader *reader, cnn_bytes graph, uint32_t number)
{
    cnn_field field;
    cnn_status status = CNN_OK;
    while (status == CNN_OK && cnn_field_next(&field, &graph)) {
        if (field.number != number)
            continue;
        if (number == GRAPH_TENSOR)
            status = read_initializer(reader, field.bytes);
        else if (number == GRAPH_NODE)
            status = read_node(reader, field.bytes);
        else if (number == GRAPH_SPARSE)
            status = cnn_fail(CNN_ERROR_DATA,
                              "%s: a sparse initialiser is not read: export the "
                              "network with dense ones",
                              reader->path);
        else
            status = read_end(number == GRAPH_INPUT ? &reader->input : &reader->output, reader,
                              field.bytes, number == GRAPH_INPUT);
    }
    return status;
}

static cnn_status read_graph(onnx_reader *reader, cnn_bytes graph)
{
    /* initialisers first: older files name them among the inputs, too */
    static const uint32_t order[] = {GRAPH_TENSOR, GRAPH_SPARSE, GRAPH_INPUT, GRAPH_OUTPUT,
                                     GRAPH_NODE};
    cnn_field name = {0};
    cnn_status status = CNN_OK;
    if (!cnn_proto_is_whole(graph))
        return fail_format(reader, "the graph ends too early");
    cnn_field_find(&name, graph, GRAPH_NAME);
    CNN_TRY(copy_text(&reader->graph_name, reader, name.bytes));
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        CNN_TRY(read_all(reader, graph, order[i]));
    if (reader->input < 0 || reader->output < 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a graph with an input and an output, found "
                        "no %s",
                        reader->path, reader->input < 0 ? "input" : "output");
out:
    return status;
}

static cnn_status read_opset(onnx_reader *reader, cnn_bytes message)
{
    cnn_field domain = {0}, version = {0};
    cnn_field_find(&domain, message, OPSET_DOMAIN);
    cnn_field_find(&version, message, OPSET_VERSION);
    if (domain.bytes.size > 0 && !cnn_bytes_are(domain.bytes, "ai.onnx"))
        return CNN_OK; /* nodes of other domains are refused by name */
    reader->opset = (int64_t)version.integer;
    if (reader->opset < FIRST_OPSET || reader->opset > LAST_OPSET)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected an opset from %d to %d, found %lld: export "
                        "it as one of these",
                        reader->path, FIRST_OPSET, LAST_OPSET, (long long)reader->opset);
    return CNN_OK;
}

static cnn_status read_metadata(onnx_reader *reader, cnn_bytes message)
{
    cnn_field key = {0}, text = {0};
    cnn_status status = CNN_OK;
    cnn_field_find(&key, message, ENTRY_KEY);
    cnn_field_find(&text, message, ENTRY_VALUE);
    cnn_metadata *entry = cnn_pile_push(&reader->metadata, sizeof *entry);
    if (!entry)
        return CNN_ERROR_MEMORY;
    CNN_TRY(copy_text(&entry->key, reader, key.bytes));
    status = copy_text(&entry->value, reader, text.bytes);
out:
    return status;
}

static cnn_status read_model(onnx_reader *reader, cnn_bytes model)
{
    cnn_field field, graph = {0};
    cnn_status status = CNN_OK;
    for (cnn_bytes rest = model; cnn_field_next(&field, &rest);) {
        if (field.number == MODEL_OPSET)
            CNN_TRY(read_opset(reader, field.bytes));
        else if (field.number == MODEL_METADATA)
            CNN_TRY(read_metadata(reader, field.bytes));
        else if (field.number == MODEL_PRODUCER)
            reader->is_own = cnn_bytes_are(field.bytes, "cnn-cl");
        else if (field.number == MODEL_GRAPH)
            graph = field;
    }
    if (graph.type != CNN_WIRE_BYTES || reader->opset == 0)
        return fail_format(reader, graph.type != CNN_WIRE_BYTES ? "there is no graph in it"
                                                                : "it names no opset");
    status = read_graph(reader, graph.bytes);
out:
    return status;
}

cnn_status cnn_onnx_read_file(onnx_reader *reader)
{
    cnn_status status = cnn_file_read(&reader->file, &reader->size, reader->path, FILE_LIMIT);
    if (status != CNN_OK)
        return status;
    cnn_bytes model = {reader->file, reader->size};
    reader->budget = (size_t)BUDGET_FACTOR * reader->size + BUDGET_LEAST;
    reader->names = json_object();
    if (!reader->names)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for the names in %s", reader->path);
    if (!cnn_proto_is_whole(model))
        return fail_format(reader, "it ends too early, or is none");
    return read_model(reader, model);
}
