#include "net/network.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "net/builder.h"

void cnn_network_destroy(cnn_network *network)
{
    if (!network)
        return;
    for (int l = 0; l < network->layer_count; l++)
        free(network->layers[l].shapes);
    free(network->layers);
    free(network->family);
    free(network);
}

/* Nodes point at their inputs, which are copied by building them again. */
cnn_status cnn_network_copy(cnn_network **copy, const cnn_network *network)
{
    cnn_builder builder = {0};
    int culprit, value;
    cnn_status status = CNN_OK;
    *copy = NULL;
    CNN_TRY(cnn_builder_init(&builder, network->name, network->prefix,
                             cnn_network_input_shape(network)));
    for (int l = 0; l < network->layer_count; l++) {
        const cnn_layer *layer = &network->layers[l];
        CNN_TRY(cnn_builder_add(&builder, &value, layer->kind, &layer->options, layer->name,
                                layer->inputs, layer->input_count));
    }
    if (network->family) {
        CNN_TRY(cnn_allocate(&builder.network->family, 1, sizeof *network->family,
                             "the network's options"));
        *builder.network->family = *network->family;
    }
    status = cnn_builder_take(copy, &culprit, &builder);
out:
    cnn_builder_finish(&builder);
    return status;
}

bool cnn_network_has_batchnorm(const cnn_network *network)
{
    return network->statistic_count > 0;
}

bool cnn_network_trains_batchnorm(const cnn_network *network, const bool *frozen)
{
    for (int i = 0; i < network->layer_count; i++)
        if (network->layers[i].statistic_count > 0 && !(frozen && frozen[i]))
            return true;
    return false;
}

const cnn_config *cnn_network_config(const cnn_network *network)
{
    return network ? network->family : NULL;
}

const char *cnn_network_name(const cnn_network *network)
{
    return network ? network->name : "";
}

const int *cnn_network_input(const cnn_network *network)
{
    return network ? network->input : NULL;
}

bool cnn_network_takes_any_input(const cnn_network *network)
{
    return network && network->open_input;
}

int cnn_network_classes(const cnn_network *network)
{
    return network ? network->classes : 0;
}

size_t cnn_network_layer_count(const cnn_network *network)
{
    if (!network)
        return 0;
    return (size_t)network->layer_count;
}

cnn_layer_info cnn_network_layer(const cnn_network *network, size_t index)
{
    if (!network || index >= cnn_network_layer_count(network))
        return (cnn_layer_info){.kind = "", .name = ""};
    const cnn_layer *layer = &network->layers[index];
    const cnn_layer_class *class = cnn_layer_get_class(layer->kind);
    cnn_layer_info info = {
        .kind = class->torch_name,
        .name = layer->name,
        .input_count = (size_t)layer->input_count,
        .input = {layer->in.c, layer->in.h, layer->in.w},
        .output = {layer->out.c, layer->out.h, layer->out.w},
        .forward_flops = class->forward_flops(layer),
    };
    for (int i = 0; i < layer->param_count; i++)
        info.parameters += layer->params[i].count;
    return info;
}

int cnn_network_layer_input(const cnn_network *network, size_t index, size_t input)
{
    if (!network || index >= cnn_network_layer_count(network) ||
        input >= (size_t)network->layers[index].input_count)
        return -1;
    return network->layers[index].inputs[input] - 1;
}

void cnn_shape_to_text(char *buffer, size_t size, const int *shape, int rank)
{
    cnn_text text = {0};
    cnn_text_append(&text, "(");
    for (int axis = 0; axis < rank; axis++)
        cnn_text_append(&text, "%s%d", axis ? ", " : "", shape[axis]);
    cnn_text_append(&text, rank == 1 ? ",)" : ")"); /* a tuple of one, as Python writes it */
    size_t length = text.length < size - 1 ? text.length : size - 1;
    for (size_t i = 0; i < length; i++)
        buffer[i] = text.data[i];
    buffer[length] = '\0';
    cnn_text_finish(&text);
}
