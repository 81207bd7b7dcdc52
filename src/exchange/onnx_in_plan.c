/* The layers that a file's nodes come to: their names, the network, its tensors. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"
#include "net/network.h"

cnn_shape cnn_onnx_shape(const onnx_reader *reader, int base)
{
    return base == 0 ? reader->shape : cnn_onnx_layer(reader, base)->out;
}

static bool in_range(double number, const cnn_argument *argument)
{
    return number >= argument->low && number <= argument->high;
}

/* What a network file could not say is refused here, where the node's name is known. */
static bool check_options(const char **name, cnn_layer_kind kind, const cnn_layer_options *options)
{
    static const int counts[] = {
        [CNN_ARGUMENT_INT] = 1, [CNN_ARGUMENT_PAIR] = 2, [CNN_ARGUMENT_PADDING] = 4};
    const cnn_layer_class *class = cnn_layer_get_class(kind);
    for (int i = 0; i < class->argument_count; i++) {
        const cnn_argument *argument = &class->arguments[i];
        const void *at = (const char *)options + argument->offset;
        bool good = true;
        if (argument->type == CNN_ARGUMENT_NUMBER)
            good = in_range(*(const double *)at, argument);
        else if (argument->type <= CNN_ARGUMENT_PADDING)
            for (int j = 0; j < counts[argument->type]; j++)
                good = good && in_range(((const int *)at)[j], argument);
        *name = argument->name;
        if (!good)
            return false;
    }
    return true;
}

/* The names of the tensors that a layer's inputs are, as far as they are the node's. */
static cnn_status name_inputs(const char *const **names, const onnx_layer *at, onnx_reader *reader,
                              const onnx_node *node)
{
    const char **list = NULL;
    cnn_status status = cnn_onnx_take(&list, reader, (size_t)at->input_count, sizeof *list);
    for (int i = 0; status == CNN_OK && i < at->input_count; i++) {
        const onnx_value *value = cnn_onnx_input(reader, node, i);
        list[i] = value ? value->name : "";
    }
    *names = list;
    return status;
}

/* Its output's shape, and that its tensors have as many values as they should. */
static cnn_status set_shape(onnx_layer *at, onnx_reader *reader, const onnx_node *node)
{
    cnn_shape *shapes = NULL;
    const char *name;
    cnn_layer layer = {.kind = at->kind, .options = at->options};
    cnn_status status = CNN_OK;
    if (!check_options(&name, at->kind, &at->options))
        return cnn_onnx_fail(reader, node, "%s's %s is out of range",
                             cnn_layer_get_class(at->kind)->name, name);
    CNN_TRY(cnn_onnx_take(&shapes, reader, (size_t)at->input_count, sizeof *shapes));
    for (int i = 0; i < at->input_count; i++)
        shapes[i] = cnn_onnx_shape(reader, at->inputs[i]);
    CNN_TRY(name_inputs(&layer.input_names, at, reader, node));
    layer.inputs = at->inputs;
    layer.input_count = at->input_count;
    layer.shapes = shapes;
    layer.in = shapes[0];
    if (at->input_count > cnn_layer_get_class(at->kind)->most_inputs)
        return cnn_onnx_fail(reader, node, "expected at most %d inputs, found %d",
                             cnn_layer_get_class(at->kind)->most_inputs, at->input_count);
    if (cnn_layer_init(&layer) != CNN_OK)
        return cnn_onnx_fail(reader, node, "%s", cnn_error_message());
    at->options = layer.options;
    at->out = layer.out;
    if (layer.param_count > 0 && layer.params[0].count != at->weight_count)
        return cnn_onnx_fail(reader, node, "expected a weight of %zu values, found %zu",
                             layer.params[0].count, at->weight_count);
out:
    return status;
}

/* The name of a tensor whose last part is "weight", as PyTorch's exporters keep it. */
static const char *find_hint(const onnx_reader *reader, const onnx_node *node)
{
    onnx_value *weight = cnn_onnx_input(reader, node, 1);
    size_t length = weight ? strlen(weight->name) : 0, end = strlen(".weight");
    return length > end && strcmp(weight->name + length - end, ".weight") == 0 ? weight->name
                                                                               : NULL;
}

cnn_status cnn_onnx_plan(int *base, onnx_reader *reader, const onnx_node *node,
                         const onnx_layer *layer)
{
    cnn_status status = CNN_OK;
    onnx_layer made = *layer;
    const char *tensor = find_hint(reader, node);
    made.hint_is_tensor = layer->weight && tensor;
    made.hint = made.hint_is_tensor ? tensor : node->name;
    CNN_TRY(cnn_onnx_take(&made.inputs, reader, (size_t)layer->input_count, sizeof(int)));
    memcpy(made.inputs, layer->inputs, (size_t)layer->input_count * sizeof(int));
    CNN_TRY(set_shape(&made, reader, node));
    if (reader->layers.count >= CNN_NETWORK_MAX_LAYERS)
        return cnn_onnx_fail(reader, node, "expected a network of at most %d layers, found more",
                             CNN_NETWORK_MAX_LAYERS);
    onnx_layer *at = cnn_pile_push(&reader->layers, sizeof *at);
    if (!at)
        return CNN_ERROR_MEMORY;
    *at = made;
    *base = (int)reader->layers.count;
out:
    return status;
}

cnn_status cnn_onnx_plan_simple(int *base, onnx_reader *reader, const onnx_node *node,
                                cnn_layer_kind kind, const cnn_layer_options *options, int input)
{
    return cnn_onnx_plan(
        base, reader, node,
        &(onnx_layer){.kind = kind, .options = *options, .inputs = &input, .input_count = 1});
}

static bool is_named(const onnx_layer *layer)
{
    return layer->weight || layer->mean;
}

/* Does the part that begins with the name of the part before stand for both? ("layer1.0" behind
 * "layer1") */
static bool holds(const char *name, size_t before, size_t part, size_t length)
{
    size_t size = part - 1 - before;
    return part > before && length - part > size && memcmp(name + before, name + part, size) == 0 &&
           name[part + size] == '.';
}

/* "layer1.0.conv1" of the tensor layer1.0.conv1.weight, or of the node
 * /layer1/layer1.0/conv1/Conv: PyTorch names modules after those that they are in. */
static void make_name(char name[CNN_LAYER_NAME_SIZE], const onnx_layer *layer)
{
    enum { MOST = 96 }; /* room for a number behind it */
    const char *hint = layer->hint + strspn(layer->hint, "/"), *end = hint + strlen(hint);
    const char *last = strrchr(hint, layer->hint_is_tensor ? '.' : '/');
    size_t length = 0, part = 0, before = 0;
    end = last ? last : end;
    for (; hint <= end && length < MOST; hint++) {
        if (hint < end && *hint != '/') {
            name[length] = *hint;
            if (!cnn_is_alphanumeric(*hint) && !strchr("_.-", *hint))
                name[length] = '_';
            length++;
            continue;
        }
        if (holds(name, before, part, length)) {
            memmove(name + before, name + part, length - part);
            length -= part - before;
            part = before;
        }
        before = part;
        if (hint < end)
            name[length++] = '.';
        part = length;
    }
    name[length] = '\0';
}

/* A name that no other layer has, and that a network file may have. */
static cnn_status choose_name(char name[CNN_LAYER_NAME_SIZE], json_t *taken,
                              const onnx_layer *layer, const char *usual)
{
    char wanted[CNN_LAYER_NAME_SIZE];
    make_name(wanted, layer);
    if (!cnn_text_is_name(wanted, strlen(wanted)))
        snprintf(wanted, sizeof wanted, "%s", usual);
    json_int_t count = json_integer_value(json_object_get(taken, wanted));
    snprintf(name, CNN_LAYER_NAME_SIZE, "%s", wanted);
    while (json_object_get(taken, name))
        snprintf(name, CNN_LAYER_NAME_SIZE, "%.100s_%lld", wanted, (long long)++count + 1);
    if (json_object_set_new_nocheck(taken, wanted, json_integer(count)) != 0 ||
        json_object_set_new_nocheck(taken, name, json_integer(count)) != 0)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for the layers' names");
    return CNN_OK;
}

/* The layers that the output follows from, in order; their places in the network. */
static void mark_used(onnx_reader *reader, int output)
{
    int place = 0;
    if (output > 0)
        cnn_onnx_layer(reader, output)->used = true;
    for (int base = output; base > 0; base--) {
        const onnx_layer *layer = cnn_onnx_layer(reader, base);
        for (int i = 0; layer->used && i < layer->input_count; i++)
            if (layer->inputs[i] > 0)
                cnn_onnx_layer(reader, layer->inputs[i])->used = true;
    }
    for (int base = 1; base <= output; base++)
        if (cnn_onnx_layer(reader, base)->used)
            cnn_onnx_layer(reader, base)->value = ++place;
}

static void describe_usual(char usual[CNN_LAYER_NAME_SIZE], const onnx_layer *layer)
{
    snprintf(usual, CNN_LAYER_NAME_SIZE, "%s_%02d", cnn_layer_get_class(layer->kind)->torch_name,
             layer->value - 1);
}

/* The names that layers without tensors get are taken. */
static cnn_status reserve_names(json_t *taken, const onnx_reader *reader)
{
    char usual[CNN_LAYER_NAME_SIZE];
    for (int base = 1; base <= (int)reader->layers.count; base++) {
        const onnx_layer *layer = cnn_onnx_layer(reader, base);
        if (!layer->used || is_named(layer))
            continue;
        describe_usual(usual, layer);
        if (json_object_set_new_nocheck(taken, usual, json_integer(0)) != 0)
            return cnn_fail(CNN_ERROR_MEMORY, "out of memory for the layers' names");
    }
    return CNN_OK;
}

static cnn_status add_layers(cnn_builder *builder, json_t *taken, onnx_reader *reader)
{
    cnn_status status = CNN_OK;
    CNN_TRY(reserve_names(taken, reader));
    for (int base = 1; base <= (int)reader->layers.count; base++) {
        const onnx_layer *layer = cnn_onnx_layer(reader, base);
        char name[CNN_LAYER_NAME_SIZE], usual[CNN_LAYER_NAME_SIZE];
        int *inputs = NULL, value = 0;
        if (!layer->used)
            continue;
        CNN_TRY(cnn_onnx_take(&inputs, reader, (size_t)layer->input_count, sizeof *inputs));
        for (int i = 0; i < layer->input_count; i++)
            inputs[i] = layer->inputs[i] ? cnn_onnx_layer(reader, layer->inputs[i])->value : 0;
        describe_usual(usual, layer);
        if (is_named(layer))
            CNN_TRY(choose_name(name, taken, layer, usual));
        CNN_TRY(cnn_builder_add(builder, &value, layer->kind, &layer->options,
                                is_named(layer) ? name : NULL, inputs, layer->input_count));
    }
out:
    return status;
}

/* The name that was given, or that this program wrote. */
static void find_name(char name[CNN_MAX_NAME], const onnx_reader *reader)
{
    const char *given = reader->options->name;
    bool own = reader->is_own && cnn_text_is_name(reader->graph_name, strlen(reader->graph_name));
    snprintf(name, CNN_MAX_NAME, "%s", given ? given : own ? reader->graph_name : "cnn");
}

static cnn_status make_network(cnn_network **network, onnx_reader *reader)
{
    cnn_builder builder = {0};
    cnn_status status = CNN_OK;
    char name[CNN_MAX_NAME];
    int culprit = 0;
    json_t *taken = json_object();
    find_name(name, reader);
    if (!taken)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for the layers' names");
    CNN_TRY(cnn_builder_init(&builder, name, "", reader->shape));
    CNN_TRY(add_layers(&builder, taken, reader));
    CNN_TRY(cnn_builder_take(network, &culprit, &builder));
out:
    cnn_builder_finish(&builder);
    json_decref(taken);
    return status == CNN_ERROR_ARGUMENT
               ? cnn_fail(CNN_ERROR_DATA, "%s: %s", reader->path, cnn_error_message())
               : status;
}

static const float *find_values(const onnx_layer *layer, const char *suffix)
{
    return strcmp(suffix, "weight") == 0         ? layer->weight
           : strcmp(suffix, "bias") == 0         ? layer->bias
           : strcmp(suffix, "running_mean") == 0 ? layer->mean
           : strcmp(suffix, "running_var") == 0  ? layer->variance
                                                 : NULL;
}

/* Counts of batches stay 0. */
static cnn_status fill_model(cnn_model *model, const onnx_reader *reader)
{
    int base = 0, place = -1;
    for (size_t i = 0; i < model->slot_count; i++) {
        cnn_slot *slot = &model->slots[i];
        while (place < slot->layer)
            if (cnn_onnx_layer(reader, ++base)->used)
                place++;
        const float *values =
            find_values(cnn_onnx_layer(reader, base), strrchr(slot->name, '.') + 1);
        if (!values || slot->info.type != CNN_FLOAT32)
            continue;
        memcpy(slot->info.values, values, slot->info.count * sizeof *values);
        if (!cnn_tensor_is_finite(&slot->info))
            return cnn_archive_fail(reader->path, slot->name,
                                    "expected finite values, found inf or NaN");
    }
    return CNN_OK;
}

cnn_status cnn_onnx_build(cnn_model **model, onnx_reader *reader, int output)
{
    cnn_network *network = NULL;
    cnn_model *result = NULL;
    cnn_status status = CNN_OK;
    mark_used(reader, output);
    CNN_TRY(make_network(&network, reader));
    CNN_TRY(cnn_model_describe(&result, network));
    CNN_TRY(cnn_model_allocate(result));
    CNN_TRY(fill_model(result, reader));
    *model = result;
    result = NULL;
out:
    cnn_model_destroy(result);
    cnn_network_destroy(network);
    return status;
}
