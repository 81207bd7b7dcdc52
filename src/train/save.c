/* From a trainer to a checkpoint. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "base/text.h"
#include "data/hash.h"
#include "data/place.h"
#include "train/epoch.h"
#include "train/fingerprint.h"
#include "train/options.h"
#include "train/state.h"
#include "train/trainer.h"

static json_t *history_to_json(const cnn_trainer *trainer)
{
    json_t *list = json_array();
    for (size_t i = 0; i < trainer->history_count; i++)
        if (json_array_append_new(list, cnn_epoch_to_json(&trainer->history[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *best_to_json(const cnn_judgement *best)
{
    if (best->epoch < 0)
        return json_null();
    return json_pack("{s:i, s:f, s:f, s:i}", "epoch", best->epoch, "accuracy", best->accuracy,
                     "loss", best->loss, "since", best->since);
}

static json_t *position_to_json(const cnn_loop *loop)
{
    const cnn_loop_sums *sums = &loop->sums;
    return json_pack("{s:i, s:I, s:I, s:f, s:f, s:I, s:f}", "epoch", loop->epoch, "epoch_steps",
                     (json_int_t)sums->steps, "step", (json_int_t)loop->step, "batch_loss",
                     sums->batch_loss, "sample_loss", sums->sample_loss, "hits",
                     (json_int_t)sums->hits, "seconds", sums->seconds);
}

/* NULL where the classes have none. */
static json_t *names_to_json(const cnn_dataset *dataset)
{
    if (!cnn_dataset_has_class_names(dataset))
        return NULL;
    json_t *list = json_array();
    for (int i = 0; i < cnn_dataset_class_count(dataset); i++)
        if (json_array_append_new(list, cnn_json_string(cnn_dataset_class_name(dataset, i))) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* NULL where none was said. */
static json_t *size_to_json(const cnn_data_options *options)
{
    return options->height > 0 ? json_pack("[i, i]", options->height, options->width) : NULL;
}

static json_t *data_to_json(const cnn_trainer *trainer)
{
    const cnn_data_options *options = cnn_dataset_options(trainer->dataset);
    return json_pack("{s:o, s:s, s:s, s:b, s:b, s:o*, s:o*}", "source",
                     cnn_json_string(cnn_dataset_home(trainer->dataset)), "sha256",
                     trainer->data_hash, "fit", cnn_picture_fit_name(options->fit), "coarse",
                     options->coarse_labels, "skip_broken", options->skip_broken, "classes",
                     names_to_json(trainer->dataset), "size", size_to_json(options));
}

/* The trainer as text; to be freed with free(). */
static cnn_status describe(char **text, const cnn_trainer *trainer)
{
    json_t *fingerprint = NULL;
    *text = NULL;
    cnn_status status = cnn_fingerprint(&fingerprint, trainer->plan);
    if (status != CNN_OK)
        return status;
    json_t *root = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
                             CNN_CHECKPOINT_VERSION, "position", position_to_json(&trainer->loop),
                             "options", cnn_train_options_to_json(&trainer->options), "data",
                             data_to_json(trainer), "fingerprint", fingerprint, "best",
                             best_to_json(&trainer->best), "history", history_to_json(trainer));
    /* 17 digits give a double back to the bit. */
    *text = cnn_json_dump(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (!*text)
        status = cnn_fail(CNN_ERROR_MEMORY, "out of memory for a checkpoint");
    return status;
}

/* A second name for the file, where the file system has such; else a new name. */
static cnn_status keep(const char *path, const char *previous)
{
    cnn_text text = {0};
    char *temporary = NULL;
    cnn_status status = CNN_OK;
    cnn_text_append(&text, "%s.%ld-link.tmp", previous, (long)getpid());
    CNN_TRY(cnn_text_take(&temporary, &text));
    (void)unlink(temporary);
    bool linked = link(path, temporary) == 0;
    if (!linked && errno == ENOENT)
        goto out;
    if (rename(linked ? temporary : path, previous) != 0) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: cannot be replaced: %s", previous, strerror(errno));
        (void)unlink(temporary);
    }
    /* Where both were the same file already, rename() leaves both names. */
    if (linked)
        (void)unlink(temporary);
out:
    free(temporary);
    return status;
}

static cnn_status write_state(const cnn_trainer *trainer, const cnn_state *state, const char *path,
                              const char *previous)
{
    char *config = NULL, *network = NULL, *text = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_to_json(&config, trainer->model->network));
    CNN_TRY(cnn_network_to_text(&network, trainer->model->network));
    CNN_TRY(describe(&text, trainer));
    const cnn_metadata known[] = {{"format", "pt"},
                                  {"cnn-cl.version", cnn_version()},
                                  {CNN_CHECKPOINT_CONFIG_KEY, config},
                                  {CNN_CHECKPOINT_NETWORK_KEY, network},
                                  {CNN_CHECKPOINT_KEY, text},
                                  {CNN_START_KEY, trainer->model->start},
                                  {CNN_NORMALIZE_KEY, trainer->model->normalization.text}};
    cnn_metadata metadata[sizeof known / sizeof known[0]];
    size_t count = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].value)
            metadata[count++] = known[i];
    if (previous)
        CNN_TRY(keep(path, previous));
    CNN_TRY(cnn_archive_write_sealed(path, state->tensors, state->count, metadata, count));
out:
    free(config);
    free(network);
    free(text);
    return status;
}

/* The values that are averaged; the model is up to date. */
static cnn_status read_raw(cnn_trainer *trainer)
{
    cnn_model *raw = trainer->raw;
    if (!raw)
        return CNN_OK;
    cnn_trainer_copy_model(raw, trainer->model);
    return cnn_plan_download(raw->parameters, raw->statistics, trainer->plan);
}

cnn_status cnn_trainer_save(cnn_trainer *trainer, const char *path, const char *previous)
{
    CNN_NEED(trainer, path);
    const cnn_optimizer *optimizer = &trainer->plan->optimizer;
    cnn_state state = {0};
    if (trainer->moment != CNN_IDLE && trainer->moment != CNN_AT_CHECKPOINT)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "cnn_trainer_save: expected a call from on_checkpoint, or "
                        "while the trainer is not running, found another one");
    cnn_status status = cnn_device_check_process(trainer->device);
    if (status != CNN_OK)
        return status;
    if (!trainer->data_hash[0])
        CNN_TRY(cnn_dataset_hash(trainer->data_hash, trainer->dataset));
    CNN_TRY(cnn_trainer_update_model(trainer));
    CNN_TRY(read_raw(trainer));
    CNN_TRY(cnn_state_init(&state, optimizer->class, trainer->frozen,
                           trainer->raw ? trainer->raw : trainer->model,
                           trainer->best.epoch >= 0 ? trainer->best.model : NULL,
                           trainer->raw ? trainer->model : NULL));
    for (int i = 0; i < optimizer->class->state_count; i++)
        CNN_TRY(cnn_buffer_read(state.states[i], &optimizer->states[i], 0,
                                optimizer->count * sizeof(float)));
    CNN_TRY(write_state(trainer, &state, path, previous));
out:
    cnn_state_finish(&state);
    return status;
}
