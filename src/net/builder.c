#include "net/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

cnn_status cnn_builder_init(cnn_builder *builder, const char *name, const char *prefix,
                            cnn_shape input)
{
    *builder = (cnn_builder){0};
    cnn_status status = cnn_allocate(&builder->network, 1, sizeof *builder->network, "a network");
    if (status != CNN_OK)
        return status;
    cnn_network *network = builder->network;
    snprintf(network->name, sizeof network->name, "%s", name);
    network->prefix = prefix;
    network->input[0] = input.c;
    network->input[1] = input.h;
    network->input[2] = input.w;
    return CNN_OK;
}

void cnn_builder_finish(cnn_builder *builder)
{
    cnn_network_destroy(builder->network);
    *builder = (cnn_builder){0};
}

/* Lays the layer's tensors behind those of the layers before. */
static void place(cnn_network *network, cnn_layer *layer)
{
    for (int i = 0; i < layer->param_count; i++) {
        layer->params[i].offset = network->parameter_count;
        network->parameter_count += layer->params[i].count;
    }
    layer->statistic_offset = network->statistic_count;
    network->statistic_count += (size_t)layer->statistic_count;
}

static cnn_status grow(cnn_builder *builder)
{
    cnn_network *network = builder->network;
    cnn_layer *layers = NULL;
    if ((size_t)network->layer_count < builder->room)
        return CNN_OK;
    if (network->layer_count >= CNN_NETWORK_MAX_LAYERS)
        return cnn_fail(CNN_ERROR_ARGUMENT, "expected a network of at most %d layers, found more",
                        CNN_NETWORK_MAX_LAYERS);
    enum { FIRST_ROOM = 16 };
    size_t room = builder->room ? 2 * builder->room : FIRST_ROOM;
    cnn_status status = cnn_allocate(&layers, room, sizeof *layers, "a network's layers");
    if (status != CNN_OK)
        return status;
    if (network->layer_count > 0)
        memcpy(layers, network->layers, (size_t)network->layer_count * sizeof *layers);
    free(network->layers);
    network->layers = layers;
    builder->room = room;
    return CNN_OK;
}

/* One block of memory holds the inputs and their shapes. */
static cnn_status set_inputs(cnn_layer *layer, const cnn_network *network, const int *inputs,
                             int input_count)
{
    struct {
        cnn_shape shape;
        int input;
    } *memory = NULL;
    const cnn_layer_class *class = cnn_layer_get_class(layer->kind);
    if (input_count < class->least_inputs || input_count > class->most_inputs)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected %d to %d inputs, found %d", class->name,
                        class->least_inputs, class->most_inputs, input_count);
    cnn_status status =
        cnn_allocate(&memory, (size_t)input_count, sizeof *memory, "a layer's inputs");
    if (status != CNN_OK)
        return status;
    cnn_shape *shapes = (cnn_shape *)(void *)memory;
    int *values = (int *)(void *)(shapes + input_count);
    for (int i = 0; i < input_count; i++) {
        shapes[i] = cnn_network_value_shape(network, inputs[i]);
        values[i] = inputs[i];
    }
    layer->input_count = input_count;
    layer->shapes = shapes;
    layer->inputs = values;
    layer->in = shapes[0];
    return CNN_OK;
}

static cnn_status check_sizes(const cnn_network *network, const cnn_layer *layer)
{
    if (network->parameter_count <= INT32_MAX && network->statistic_count <= INT32_MAX)
        return CNN_OK;
    return cnn_layer_fail(
        layer, "the network's parameters exceed 2^31 - 1 values: use narrower layers");
}

cnn_status cnn_builder_add(cnn_builder *builder, int *value, cnn_layer_kind kind,
                           const cnn_layer_options *options, const char *name, const int *inputs,
                           int input_count)
{
    cnn_network *network = builder->network;
    cnn_layer layer = {.kind = kind, .index = network->layer_count};
    cnn_status status = CNN_OK;
    CNN_TRY(grow(builder));
    if (options)
        layer.options = *options;
    else
        cnn_layer_default_options(&layer.options, kind);
    if (name && strlen(name) >= sizeof layer.name)
        return cnn_fail(CNN_ERROR_ARGUMENT, "a layer's name has at most %zu bytes, found %zu",
                        sizeof layer.name - 1, strlen(name));
    if (name)
        snprintf(layer.name, sizeof layer.name, "%s", name);
    CNN_TRY(set_inputs(&layer, network, inputs, input_count));
    layer.nodes = network->layers;
    CNN_TRY(cnn_layer_init(&layer));
    layer.nodes = NULL;
    place(network, &layer);
    CNN_TRY(check_sizes(network, &layer));
    network->layers[network->layer_count++] = layer;
    *value = network->layer_count;
    return CNN_OK;
out:
    free(layer.shapes);
    return status;
}

cnn_status cnn_builder_append(cnn_builder *builder, cnn_layer_kind kind,
                              const cnn_layer_options *options)
{
    int value = builder->network->layer_count;
    return cnn_builder_add(builder, &value, kind, options, NULL, &value, 1);
}

static int compare_names(const void *a, const void *b)
{
    const cnn_layer *const *first = a, *const *second = b;
    int order = strcmp((*first)->name, (*second)->name);
    return order ? order : (*first)->index - (*second)->index;
}

static cnn_status check_names(int *culprit, const cnn_network *network)
{
    const cnn_layer **sorted = NULL;
    size_t count = (size_t)network->layer_count;
    cnn_status status = cnn_allocate(&sorted, count, sizeof *sorted, "the layers' names");
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &network->layers[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t i = 1; status == CNN_OK && i < count; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0) {
            *culprit = sorted[i]->index;
            status = cnn_fail(CNN_ERROR_ARGUMENT, "expected names that differ, found '%s' twice",
                              sorted[i]->name);
        }
    free(sorted);
    return status;
}

/* Every value but the output is read. */
static cnn_status check_readers(int *culprit, const cnn_network *network)
{
    bool *is_read = NULL;
    cnn_status status = cnn_allocate(&is_read, (size_t)network->layer_count + 1, sizeof *is_read,
                                     "the values' readers");
    if (status != CNN_OK)
        return status;
    for (int l = 0; l < network->layer_count; l++)
        for (int i = 0; i < network->layers[l].input_count; i++)
            is_read[network->layers[l].inputs[i]] = true;
    for (int l = 0; status == CNN_OK && l + 1 < network->layer_count; l++)
        if (!is_read[l + 1]) {
            *culprit = l;
            status = cnn_layer_fail(&network->layers[l],
                                    "nothing reads what it gives: leave it out, or name it where "
                                    "it is to be read");
        }
    free(is_read);
    return status;
}

static cnn_status check_output(int *culprit, const cnn_network *network)
{
    const cnn_layer *last = &network->layers[network->layer_count - 1];
    *culprit = last->index;
    if (last->out.h != 1 || last->out.w != 1)
        return cnn_layer_fail(
            last,
            "expected the last layer to give (classes, 1, 1), found (%d, %d, %d): "
            "end with Flatten() and Linear(classes)",
            last->out.c, last->out.h, last->out.w);
    if (last->out.c > CNN_NETWORK_MAX_CLASSES)
        return cnn_layer_fail(last, "expected the last layer to give at most %d classes, found %d",
                              CNN_NETWORK_MAX_CLASSES, last->out.c);
    *culprit = -1;
    if (network->parameter_count == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "expected a layer with parameters (Conv2d, Linear, ...), found none: there "
                        "is nothing to train");
    return CNN_OK;
}

cnn_status cnn_builder_take(cnn_network **network, int *culprit, cnn_builder *builder)
{
    cnn_network *made = builder->network;
    cnn_status status = CNN_OK;
    *network = NULL;
    *culprit = -1;
    if (made->layer_count == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "expected at least one layer, found none");
    CNN_TRY(check_names(culprit, made));
    CNN_TRY(check_readers(culprit, made));
    CNN_TRY(check_output(culprit, made));
    made->classes = made->layers[made->layer_count - 1].out.c;
    *network = made;
    *builder = (cnn_builder){0};
out:
    return status;
}
