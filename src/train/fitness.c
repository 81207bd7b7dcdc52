/* What cannot be trained, seen before the first step. */
#include <string.h>

#include "base/status.h"
#include "comm/tree.h"
#include "optim/optimizer.h"
#include "train/state.h"
#include "train/trainer.h"

static const cnn_tensor_info *find_tensor(const cnn_model *model, const char *name)
{
    for (size_t i = 0; i < model->slot_count; i++)
        if (strcmp(model->slots[i].name, name) == 0)
            return &model->slots[i].info;
    return NULL;
}

/* A checkpoint keeps more of each tensor, under its name with a word before it: no other tensor may
 * be called so. */
static cnn_status check_names(const cnn_model *model)
{
    const char *prefixes[CNN_STATE_PREFIXES];
    int count = cnn_state_prefixes(prefixes);
    for (size_t i = 0; i < model->slot_count; i++)
        for (int j = 0; j < count; j++) {
            const char *name = model->slots[i].name;
            size_t length = strlen(prefixes[j]);
            if (strncmp(name, prefixes[j], length) == 0 && find_tensor(model, name + length))
                return cnn_fail(CNN_ERROR_ARGUMENT,
                                "tensor '%s': a checkpoint calls so what it keeps beside '%s': "
                                "give the layer another name",
                                name, name + length);
        }
    return CNN_OK;
}

/* The fewest samples whose statistics are taken together: of the last batch of an epoch, or of a
 * slice of it. */
static int fewest(const cnn_trainer *trainer)
{
    size_t batch = (size_t)trainer->options.batch, rest = trainer->train_count % batch;
    cnn_cut cut = {.samples = (int)(batch < trainer->train_count ? batch : trainer->train_count),
                   .slices = trainer->options.slices};
    int least = (int)(rest > 0 ? rest : batch);
    for (int last = 0; cut.slices > 1 && last < 2; last++) {
        cut.samples = last && rest > 0 ? (int)rest : cut.samples;
        for (int i = 0; i < cut.slices; i++) {
            int samples = cnn_cut_begin(&cut, i + 1) - cnn_cut_begin(&cut, i);
            if (samples > 0 && samples < least)
                least = samples;
        }
    }
    return least;
}

/* Of one value for each channel neither the deviation nor a gradient is left. PyTorch refuses it,
 * too. */
static cnn_status check_norms(const cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    int samples = fewest(trainer);
    for (int i = 0; samples == 1 && i < network->layer_count; i++) {
        const cnn_layer *layer = &network->layers[i];
        bool trained = !trainer->frozen || !trainer->frozen[i];
        if (layer->kind != CNN_LAYER_BATCHNORM || !trained || layer->in.h * layer->in.w > 1)
            continue;
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s: batch norm needs more than one value for each channel, found one, as "
                        "%zu images in batches of %d%s leave one image alone: give another --batch",
                        layer->name, trainer->train_count, trainer->options.batch,
                        trainer->options.slices > 1 ? " and their slices" : "");
    }
    return CNN_OK;
}

cnn_status cnn_trainer_check_fitness(const cnn_trainer *trainer)
{
    cnn_status status = check_names(trainer->model);
    return status == CNN_OK ? check_norms(trainer) : status;
}
