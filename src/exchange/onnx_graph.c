#include "exchange/onnx_graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

/* A list of pointers with room for one more. */
static cnn_status grow(void *list, size_t count, size_t *room, const char *path)
{
    enum { FIRST_ROOM = 64 };
    void **old = NULL, **larger = NULL;
    if (count < *room)
        return CNN_OK;
    size_t wanted = *room ? 2 * *room : FIRST_ROOM;
    cnn_status status = cnn_allocate(&larger, wanted, sizeof *larger, path);
    if (status != CNN_OK)
        return status;
    memcpy(&old, list, sizeof old);
    if (count > 0)
        memcpy(larger, old, count * sizeof *larger);
    free(old);
    memcpy(list, &larger, sizeof larger);
    *room = wanted;
    return CNN_OK;
}

static cnn_status own(cnn_onnx_graph *graph, void *block)
{
    cnn_status status = grow(&graph->blocks, graph->block_count, &graph->block_room, graph->path);
    if (status == CNN_OK)
        graph->blocks[graph->block_count++] = block;
    else
        free(block);
    return status;
}

cnn_status cnn_onnx_allocate(void *memory, cnn_onnx_graph *graph, size_t count, size_t size)
{
    void *block = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&block, count, size, graph->path));
    CNN_TRY(own(graph, block));
    memcpy(memory, &block, sizeof block);
out:
    return status;
}

/* "LAYER", or "LAYER/PART"; with '/' in any case where it is a value's. */
static cnn_status make_name(char **name, cnn_onnx_graph *graph, const char *part, const char *end)
{
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    cnn_text_append(&text, "%s%s%s%s%s", graph->layer ? graph->model->network->prefix : "",
                    graph->layer ? graph->layer->name : "", part && graph->layer ? "/" : "",
                    part ? part : "", end);
    CNN_TRY(cnn_text_take(name, &text));
    status = own(graph, *name);
out:
    return status;
}

cnn_status cnn_onnx_name(char **name, cnn_onnx_graph *graph, const char *part)
{
    return make_name(name, graph, part, "");
}

static void set_attribute(Onnx__AttributeProto *to, int64_t *ints, const cnn_onnx_attribute *from)
{
    static const Onnx__AttributeProto__AttributeType types[] = {
        [CNN_ONNX_INT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT,
        [CNN_ONNX_INTS] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS,
        [CNN_ONNX_FLOAT] = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT,
    };
    onnx__attribute_proto__init(to);
    to->name = CNN_ONNX_TEXT(from->name);
    to->has_type = true;
    to->type = types[from->type];
    to->has_i = from->type == CNN_ONNX_INT;
    to->has_f = from->type == CNN_ONNX_FLOAT;
    if (to->has_i)
        to->i = (int64_t)from->number;
    if (to->has_f)
        to->f = (float)from->number;
    for (size_t i = 0; i < from->count; i++)
        ints[i] = from->ints[i];
    to->n_ints = from->count;
    to->ints = ints;
}

static cnn_status set_attributes(Onnx__NodeProto *to, cnn_onnx_graph *graph,
                                 const cnn_onnx_node *from)
{
    cnn_status status = CNN_OK;
    Onnx__AttributeProto *made;
    size_t count = 0;
    while (count < CNN_ONNX_ATTRIBUTES && from->attributes[count].name)
        count++;
    CNN_TRY(cnn_onnx_allocate(&made, graph, count, sizeof *made));
    CNN_TRY(cnn_onnx_allocate(&to->attribute, graph, count, sizeof *to->attribute));
    for (size_t i = 0; i < count; i++) {
        int64_t *ints;
        CNN_TRY(cnn_onnx_allocate(&ints, graph, from->attributes[i].count, sizeof *ints));
        set_attribute(&made[i], ints, &from->attributes[i]);
        to->attribute[to->n_attribute++] = &made[i];
    }
out:
    return status;
}

static cnn_status set_inputs(Onnx__NodeProto *to, cnn_onnx_graph *graph, const cnn_onnx_node *from)
{
    char *const *inputs = from->many ? from->many : from->inputs;
    size_t count = from->many_count;
    while (!from->many && count < CNN_ONNX_INPUTS && inputs[count])
        count++;
    cnn_status status = cnn_onnx_allocate(&to->input, graph, count, sizeof *to->input);
    for (size_t i = 0; status == CNN_OK && i < count; i++)
        to->input[to->n_input++] = inputs[i];
    return status;
}

cnn_status cnn_onnx_add(char **output, cnn_onnx_graph *graph, const cnn_onnx_node *node)
{
    cnn_status status = CNN_OK;
    Onnx__NodeProto *made;
    CNN_TRY(cnn_onnx_allocate(&made, graph, 1, sizeof *made));
    onnx__node_proto__init(made);
    made->op_type = CNN_ONNX_TEXT(node->op);
    CNN_TRY(make_name(&made->name, graph, node->part, ""));
    CNN_TRY(make_name(output, graph, node->part, "/output"));
    CNN_TRY(set_inputs(made, graph, node));
    CNN_TRY(set_attributes(made, graph, node));
    CNN_TRY(cnn_onnx_allocate(&made->output, graph, 1, sizeof *made->output));
    made->output[made->n_output++] = *output;
    CNN_TRY(grow(&graph->proto.node, graph->proto.n_node, &graph->node_room, graph->path));
    graph->proto.node[graph->proto.n_node++] = made;
out:
    return status;
}

cnn_status cnn_onnx_add_op(char **output, cnn_onnx_graph *graph, const char *op, const char *part,
                           char *const *inputs)
{
    cnn_onnx_node node = {.op = op, .part = part, .many = inputs};
    while (inputs[node.many_count])
        node.many_count++;
    return cnn_onnx_add(output, graph, &node);
}

cnn_status cnn_onnx_add_tensor(cnn_onnx_graph *graph, const char *name, cnn_type type,
                               const int *shape, int rank, const void *values)
{
    cnn_status status = CNN_OK;
    Onnx__TensorProto *made;
    size_t size = type == CNN_INT64 ? sizeof(int64_t) : sizeof(float);
    CNN_TRY(cnn_onnx_allocate(&made, graph, 1, sizeof *made));
    onnx__tensor_proto__init(made);
    CNN_TRY(cnn_onnx_allocate(&made->dims, graph, (size_t)rank, sizeof *made->dims));
    for (int axis = 0; axis < rank; axis++) {
        made->dims[made->n_dims++] = shape[axis];
        size *= (size_t)shape[axis];
    }
    made->has_data_type = made->has_raw_data = true;
    made->data_type = type == CNN_INT64 ? ONNX__TENSOR_PROTO__DATA_TYPE__INT64
                                        : ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    made->name = CNN_ONNX_TEXT(name);
    /* little-endian, as in saved models */
    made->raw_data = (ProtobufCBinaryData){size, (uint8_t *)values};
    CNN_TRY(grow(&graph->proto.initializer, graph->proto.n_initializer, &graph->tensor_room,
                 graph->path));
    graph->proto.initializer[graph->proto.n_initializer++] = made;
out:
    return status;
}

cnn_status cnn_onnx_add_number(char **name, cnn_onnx_graph *graph, const char *part, double number)
{
    cnn_status status = CNN_OK;
    float *value;
    CNN_TRY(cnn_onnx_name(name, graph, part));
    CNN_TRY(cnn_onnx_allocate(&value, graph, 1, sizeof *value));
    *value = (float)number;
    status = cnn_onnx_add_tensor(graph, *name, CNN_FLOAT32, NULL, 0, value);
out:
    return status;
}

cnn_status cnn_onnx_add_ints(char **name, cnn_onnx_graph *graph, const char *part, const int *ints,
                             int count)
{
    cnn_status status = CNN_OK;
    int64_t *values;
    CNN_TRY(cnn_onnx_name(name, graph, part));
    CNN_TRY(cnn_onnx_allocate(&values, graph, (size_t)count, sizeof *values));
    for (int i = 0; i < count; i++)
        values[i] = ints[i];
    status = cnn_onnx_add_tensor(graph, *name, CNN_INT64, &count, 1, values);
out:
    return status;
}

cnn_status cnn_onnx_add_slot(char **name, cnn_onnx_graph *graph, const char *suffix,
                             const int *shape, int rank)
{
    const cnn_model *model = graph->model;
    *name = NULL;
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_slot *slot = &model->slots[i];
        if (slot->layer != graph->layer->index || strcmp(strrchr(slot->name, '.') + 1, suffix) != 0)
            continue;
        *name = CNN_ONNX_TEXT(slot->name);
        return cnn_onnx_add_tensor(graph, slot->name, CNN_FLOAT32, shape ? shape : slot->info.shape,
                                   shape ? rank : slot->info.rank, slot->info.values);
    }
    return CNN_OK;
}

void cnn_onnx_finish(cnn_onnx_graph *graph)
{
    for (size_t i = 0; i < graph->block_count; i++)
        free(graph->blocks[i]);
    free(graph->blocks);
    if (graph->node_room)
        free(graph->proto.node);
    if (graph->tensor_room)
        free(graph->proto.initializer);
    *graph = (cnn_onnx_graph){0};
}
