/* A model's values, their names, and where training starts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/real.h"
#include "base/status.h"
#include "net/network.h"

/* Two normal values from two words (Box and Muller, "A note on the generation of random normal
 * deviates", 1958). */
static void box_muller(double normal[2], uint32_t a, uint32_t b)
{
    static const double two_pi = 6.283185307179586;
    double radius = sqrt(-2.0 * cnn_real_log(((double)a + 1.0) * 0x1p-32));
    double angle = two_pi * (double)b * 0x1p-32;
    normal[0] = radius * cnn_real_cos(angle);
    normal[1] = radius * cnn_real_sin(angle);
}

static void fill_normal(float *values, size_t count, double deviation, uint64_t seed, int layer)
{
    for (size_t i = 0; i < count; i += CNN_PHILOX_LANES) {
        uint32_t words[CNN_PHILOX_LANES];
        double normal[CNN_PHILOX_LANES];
        cnn_philox_block(words, seed, CNN_STREAM_INIT, (unsigned)layer, 0,
                         (uint32_t)(i / CNN_PHILOX_LANES));
        box_muller(normal, words[0], words[1]);
        box_muller(normal + 2, words[2], words[3]);
        for (size_t j = 0; j < CNN_PHILOX_LANES && i + j < count; j++)
            values[i + j] = (float)(deviation * normal[j]);
    }
}

static void init_param(float *values, const cnn_param *param, uint64_t seed, int layer)
{
    if (param->fan_in > 0) {
        fill_normal(values, param->count, sqrt(2.0 / param->fan_in), seed, layer);
        return;
    }
    for (size_t i = 0; i < param->count; i++)
        values[i] = param->fill;
}

static void init_values(cnn_model *model, uint64_t seed)
{
    for (int l = 0; l < model->network->layer_count; l++) {
        const cnn_layer *layer = &model->network->layers[l];
        for (int i = 0; i < layer->param_count; i++)
            init_param(model->parameters + layer->params[i].offset, &layer->params[i], seed, l);
        /* running mean 0, running variance 1 */
        int channels = layer->statistic_count / 2;
        for (int c = 0; c < channels; c++)
            model->statistics[layer->statistic_offset + (size_t)(channels + c)] = 1.0f;
    }
}

static void add_slot(cnn_model *model, const cnn_layer *layer, const char *suffix,
                     cnn_tensor_info info)
{
    cnn_slot *slot = &model->slots[model->slot_count++];
    snprintf(slot->name, sizeof slot->name, "%s%s.%s", model->network->prefix, layer->name, suffix);
    slot->layer = layer->index;
    slot->info = info;
    slot->info.name = slot->name;
}

static void add_statistics(cnn_model *model, const cnn_layer *layer)
{
    static const char *const suffixes[] = {"running_mean", "running_var"};
    int channels = layer->statistic_count / 2;
    for (int i = 0; i < 2; i++)
        add_slot(
            model, layer, suffixes[i],
            (cnn_tensor_info){
                .type = CNN_FLOAT32, .rank = 1, .shape = {channels}, .count = (size_t)channels});
    add_slot(model, layer, "num_batches_tracked",
             (cnn_tensor_info){.type = CNN_INT64, .rank = 0, .count = 1});
}

static void add_slots(cnn_model *model)
{
    for (int l = 0; l < model->network->layer_count; l++) {
        const cnn_layer *layer = &model->network->layers[l];
        for (int i = 0; i < layer->param_count; i++) {
            const cnn_param *param = &layer->params[i];
            cnn_tensor_info info = {
                .type = CNN_FLOAT32, .rank = param->rank, .count = param->count, .trainable = true};
            memcpy(info.shape, param->shape, sizeof info.shape);
            add_slot(model, layer, param->suffix, info);
        }
        if (layer->statistic_count > 0)
            add_statistics(model, layer);
    }
}

/* The flat buffers hold their tensors in the order of the slots. */
static void bind_slots(cnn_model *model)
{
    float *parameter = model->parameters, *statistic = model->statistics;
    for (size_t i = 0; i < model->slot_count; i++) {
        cnn_slot *slot = &model->slots[i];
        float **next = slot->info.trainable ? &parameter : &statistic;
        if (slot->info.type == CNN_INT64) {
            slot->info.values = &model->batches[slot->layer];
            continue;
        }
        slot->info.values = *next;
        *next += slot->info.count;
    }
}

cnn_status cnn_model_describe(cnn_model **model, const cnn_network *network)
{
    enum { SLOTS_PER_LAYER = CNN_LAYER_MAX_PARAMS + 3 };
    *model = NULL;
    cnn_status status = CNN_OK;
    cnn_model *result = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a model"));
    cnn_origin_init(&result->origin);
    CNN_TRY(cnn_network_copy(&result->network, network));
    CNN_TRY(cnn_allocate(&result->slots, (size_t)result->network->layer_count * SLOTS_PER_LAYER,
                         sizeof(cnn_slot), "the tensors' names"));
    add_slots(result);
    *model = result;
    return CNN_OK;
out:
    cnn_model_destroy(result);
    return status;
}

cnn_status cnn_model_allocate(cnn_model *model)
{
    cnn_status status = CNN_OK;
    const cnn_network *network = model->network;
    CNN_TRY(cnn_allocate(&model->parameters, network->parameter_count, sizeof(float),
                         "the parameters"));
    CNN_TRY(cnn_allocate(&model->statistics, network->statistic_count, sizeof(float),
                         "the running statistics"));
    CNN_TRY(cnn_allocate(&model->batches, (size_t)network->layer_count, sizeof(int64_t),
                         "the batch counts"));
    bind_slots(model);
out:
    return status;
}

cnn_status cnn_model_create_network(cnn_model **model, const cnn_network *network, uint64_t seed)
{
    CNN_NEED(model, network);
    *model = NULL;
    cnn_status status = CNN_OK;
    cnn_model *result = NULL;
    CNN_TRY(cnn_model_describe(&result, network));
    CNN_TRY(cnn_model_allocate(result));
    init_values(result, seed);
    *model = result;
    return CNN_OK;
out:
    cnn_model_destroy(result);
    return status;
}

cnn_status cnn_model_create(cnn_model **model, const cnn_config *config, uint64_t seed)
{
    CNN_NEED(model, config);
    *model = NULL;
    cnn_network *network = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_create(&network, config));
    status = cnn_model_create_network(model, network, seed);
out:
    cnn_network_destroy(network);
    return status;
}

void cnn_model_destroy(cnn_model *model)
{
    if (!model)
        return;
    cnn_network_destroy(model->network);
    free(model->parameters);
    free(model->statistics);
    free(model->batches);
    free(model->slots);
    cnn_origin_finish(&model->origin);
    cnn_normalization_finish(&model->normalization);
    free(model->start);
    free(model);
}

const cnn_network *cnn_model_network(const cnn_model *model)
{
    if (!model)
        return NULL;
    return model->network;
}

size_t cnn_model_tensor_count(const cnn_model *model)
{
    if (!model)
        return 0;
    return model->slot_count;
}

cnn_tensor_info cnn_model_tensor(const cnn_model *model, size_t index)
{
    if (!model || index >= model->slot_count)
        return (cnn_tensor_info){.name = ""};
    return model->slots[index].info;
}

uint64_t cnn_model_parameter_count(const cnn_model *model)
{
    if (!model)
        return 0;
    return model->network->parameter_count;
}

cnn_status cnn_model_set_normalization(cnn_model *model, const char *text)
{
    CNN_NEED(model);
    cnn_status status = cnn_model_keep_normalization(model, text);
    if (status == CNN_OK)
        cnn_normalization_warn(&model->normalization);
    return status;
}

cnn_status cnn_model_keep_normalization(cnn_model *model, const char *text)
{
    cnn_normalization normalization;
    cnn_status status =
        cnn_normalization_init(&normalization, text, model->network->input[0], "normalisation");
    if (status != CNN_OK)
        return status;
    cnn_normalization_finish(&model->normalization);
    model->normalization = normalization;
    return CNN_OK;
}

cnn_status cnn_model_normalize_by(cnn_model *model, const cnn_dataset *dataset)
{
    CNN_NEED(model, dataset);
    cnn_normalization normalization;
    int expected = model->network->input[0], found = cnn_dataset_shape(dataset)[0];
    if (expected != found)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected images of %d channels, found %d",
                        cnn_dataset_source(dataset), expected, found);
    cnn_status status = cnn_normalization_measure(&normalization, dataset);
    if (status != CNN_OK)
        return status;
    cnn_normalization_finish(&model->normalization);
    model->normalization = normalization;
    return CNN_OK;
}

const char *cnn_model_normalization(const cnn_model *model)
{
    if (!model)
        return "";
    return model->normalization.text ? model->normalization.text : "none";
}

cnn_status cnn_model_rename(cnn_model *model, const char *name)
{
    CNN_NEED(model, name);
    return cnn_network_rename(model->network, name);
}

cnn_status cnn_model_set_start(cnn_model *model, const char *path)
{
    char *copy = NULL;
    size_t size = path ? strlen(path) + 1 : 0;
    cnn_status status = path ? cnn_allocate(&copy, size, 1, "a model's start") : CNN_OK;
    if (status != CNN_OK)
        return status;
    if (path)
        memcpy(copy, path, size);
    free(model->start);
    model->start = copy;
    return CNN_OK;
}
