#include "net/network.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

/* What is being built: layers are appended, each taking the shape the one before left. */
typedef struct builder {
    cnn_network *network;
    cnn_shape shape;
    cnn_status status;
} builder;

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

static void append(builder *at, cnn_layer layer)
{
    if (at->status != CNN_OK)
        return;
    layer.index = at->network->layer_count;
    layer.in = at->shape;
    at->status = cnn_layer_init(&layer);
    if (at->status != CNN_OK)
        return;
    place(at->network, &layer);
    if (at->network->parameter_count > INT32_MAX)
        at->status = cnn_fail(CNN_ERROR_ARGUMENT,
                              "layer %s: the network's parameters exceed 2^31 - 1 values: use "
                              "smaller cdims or hdims",
                              layer.name);
    at->shape = layer.out;
    at->network->layers[at->network->layer_count++] = layer;
}

static void append_conv_block(builder *at, const cnn_config *config, int channels)
{
    append(at, (cnn_layer){.kind = CNN_LAYER_CONV, .ksize = config->ksize, .out.c = channels});
    if (config->batchnorm)
        append(at, (cnn_layer){.kind = CNN_LAYER_BATCHNORM});
    append(at, (cnn_layer){.kind = CNN_LAYER_RELU});
    append(at, (cnn_layer){.kind = CNN_LAYER_MAXPOOL});
    append(at, (cnn_layer){.kind = CNN_LAYER_DROPOUT, .dropout = config->dropout});
}

static void append_all(builder *at, const cnn_config *config)
{
    for (int i = 0; i < config->cdim_count; i++)
        append_conv_block(at, config, config->cdims[i]);
    append(at, (cnn_layer){.kind = CNN_LAYER_FLATTEN});
    for (int i = 0; i < config->hdim_count; i++) {
        append(at, (cnn_layer){.kind = CNN_LAYER_LINEAR, .out.c = config->hdims[i]});
        append(at, (cnn_layer){.kind = CNN_LAYER_RELU});
    }
    append(at, (cnn_layer){.kind = CNN_LAYER_LINEAR, .out.c = config->ydim});
}

cnn_status cnn_network_create(cnn_network **network, const cnn_config *config)
{
    CNN_NEED(network, config);
    enum { LAYERS_PER_BLOCK = 5, LAYERS_PER_HIDDEN = 2, FLATTEN_AND_LAST = 2 };
    *network = NULL;
    cnn_status status = cnn_config_check(config);
    if (status != CNN_OK)
        return status;
    cnn_network *result = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a network"));
    result->config = *config;
    size_t most = (size_t)config->cdim_count * LAYERS_PER_BLOCK +
                  (size_t)config->hdim_count * LAYERS_PER_HIDDEN + FLATTEN_AND_LAST;
    CNN_TRY(cnn_allocate(&result->layers, most, sizeof *result->layers, "a network's layers"));
    builder at = {result, {config->xdim[0], config->xdim[1], config->xdim[2]}, CNN_OK};
    append_all(&at, config);
    CNN_TRY(at.status);
    *network = result;
    return CNN_OK;
out:
    cnn_network_destroy(result);
    return status;
}

void cnn_network_destroy(cnn_network *network)
{
    if (!network)
        return;
    free(network->layers);
    free(network);
}

const cnn_config *cnn_network_config(const cnn_network *network)
{
    if (!network)
        return NULL;
    return &network->config;
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
        .input = {layer->in.c, layer->in.h, layer->in.w},
        .output = {layer->out.c, layer->out.h, layer->out.w},
        .forward_flops = class->forward_flops(layer),
    };
    for (int i = 0; i < layer->param_count; i++)
        info.parameters += layer->params[i].count;
    return info;
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
