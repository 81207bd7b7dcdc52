/* How far a network's beginning is the same for a sample, however often it goes through. */
#include "plan/schedule.h"

static bool draws(const cnn_layer *layer)
{
    return (layer->kind == CNN_LAYER_DROPOUT || layer->kind == CNN_LAYER_DROPOUT2D) &&
           layer->options.dropout.p > 0.0;
}

static bool has_values(const cnn_layer *layer)
{
    return layer->param_count > 0 || layer->statistic_count > 0;
}

/* Layers up to this one are the same each time. */
static int count_constant(const cnn_network *network, const bool *frozen)
{
    int count = 0;
    for (; count < network->layer_count; count++) {
        const cnn_layer *layer = &network->layers[count];
        if (draws(layer) || (has_values(layer) && !frozen[count]))
            break;
    }
    return count;
}

int cnn_frozen_cut(const cnn_network *network, const bool *frozen)
{
    int constant = frozen ? count_constant(network, frozen) : 0;
    int begin = 0, lowest = network->layer_count;
    while (begin < constant && !has_values(&network->layers[begin]))
        begin++;
    for (int value = network->layer_count - 1; value > begin; value--) {
        const cnn_layer *layer = &network->layers[value];
        for (int i = 0; i < layer->input_count; i++)
            lowest = layer->inputs[i] < lowest ? layer->inputs[i] : lowest;
        if (value <= constant && lowest == value)
            return value;
    }
    return 0;
}
