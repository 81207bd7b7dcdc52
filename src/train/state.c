#include "train/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

static const char best_prefix[] = "best.", average_prefix[] = "ema.";

static void add(cnn_state *state, const char *prefix, const cnn_tensor_info *tensor, void *values)
{
    cnn_tensor_info *added = &state->tensors[state->count];
    char *name = state->names[state->count++];
    snprintf(name, CNN_STATE_NAME_SIZE, "%s%s", prefix, tensor->name);
    *added = *tensor;
    added->name = name;
    added->values = values;
}

static void add_optimizer(cnn_state *state, const char *prefix, const bool *frozen,
                          const cnn_model *model, float *values)
{
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_tensor_info *tensor = &model->slots[i].info;
        if (!tensor->trainable)
            continue;
        if (frozen && frozen[model->slots[i].layer])
            state->zeros++;
        else
            add(state, prefix, tensor, values + ((float *)tensor->values - model->parameters));
    }
}

static void add_model(cnn_state *state, const char *prefix, const cnn_model *model)
{
    for (size_t i = 0; i < model->slot_count; i++)
        add(state, prefix, &model->slots[i].info, model->slots[i].info.values);
}

cnn_status cnn_state_init(cnn_state *state, const cnn_optimizer_class *optimizer,
                          const bool *frozen, const cnn_model *model, const cnn_model *best,
                          const cnn_model *average)
{
    enum { PARTS = 3 + CNN_OPTIMIZER_STATES }; /* the models, the optimizer's state */
    size_t most = PARTS * model->slot_count, values = model->network->parameter_count;
    cnn_status status = CNN_OK;
    state->optimizer = optimizer;
    for (int i = 0; i < optimizer->state_count; i++)
        CNN_TRY(cnn_allocate(&state->states[i], values, sizeof(float), optimizer->states[i].title));
    CNN_TRY(cnn_allocate(&state->tensors, most, sizeof *state->tensors, "a checkpoint"));
    CNN_TRY(cnn_allocate(&state->names, most, sizeof *state->names, "a checkpoint"));
    add_model(state, "", model);
    for (int i = 0; i < optimizer->state_count; i++)
        add_optimizer(state, optimizer->states[i].prefix, frozen, model, state->states[i]);
    if (best)
        add_model(state, best_prefix, best);
    if (average)
        add_model(state, average_prefix, average);
out:
    return status;
}

int cnn_state_prefixes(const char *prefixes[CNN_STATE_PREFIXES])
{
    int count = 0;
    prefixes[count++] = best_prefix;
    prefixes[count++] = average_prefix;
    for (int kind = 0; kind <= CNN_OPTIMIZER_SGD; kind++) {
        cnn_train_options options = {.optimizer = (cnn_optimizer_kind)kind, .momentum = 0.5};
        const cnn_optimizer_class *class = cnn_optimizer_choose(&options);
        for (int i = 0; i < class->state_count && count < CNN_STATE_PREFIXES; i++)
            prefixes[count++] = class->states[i].prefix;
    }
    return count;
}

void cnn_state_finish(cnn_state *state)
{
    for (int i = 0; i < CNN_OPTIMIZER_STATES; i++)
        free(state->states[i]);
    free(state->tensors);
    free(state->names);
    *state = (cnn_state){0};
}

cnn_status cnn_state_read(cnn_state *state, const cnn_archive *archive)
{
    size_t found = cnn_archive_count(archive);
    if (found != state->count && found != state->count + state->zeros)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected %zu tensors, found %zu",
                        cnn_archive_path(archive), state->count, found);
    for (size_t i = 0; i < state->count; i++) {
        cnn_status status = cnn_archive_check(&state->tensors[i], archive);
        if (status != CNN_OK)
            return status;
    }
    for (size_t i = 0; i < state->count; i++) {
        const cnn_tensor_info *tensor = &state->tensors[i];
        size_t size = tensor->type == CNN_FLOAT32 ? sizeof(float) : sizeof(int64_t);
        memcpy(tensor->values, cnn_archive_find(archive, tensor->name)->values,
               tensor->count * size);
    }
    return CNN_OK;
}
