/* From a checkpoint to a trainer that goes on. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "data/hash.h"
#include "train/checkpoint.h"
#include "train/epoch.h"
#include "train/fingerprint.h"
#include "train/state.h"
#include "train/trainer.h"

static cnn_status check_position(const cnn_trainer *trainer, const cnn_checkpoint *checkpoint)
{
    size_t steps = cnn_trainer_position(trainer).steps, done = checkpoint->sums.steps;
    if (done <= steps && checkpoint->epoch <= checkpoint->options.epochs)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: position: expected at most step %zu of epoch %d, found step %zu of epoch "
                    "%d",
                    cnn_archive_path(checkpoint->archive), steps, checkpoint->options.epochs, done,
                    checkpoint->epoch);
}

/* The strings of the history stay the JSON's. */
static cnn_status take_history(cnn_trainer *trainer, const cnn_checkpoint *checkpoint)
{
    const json_t *list = json_object_get(checkpoint->json, "history");
    cnn_status status = CNN_OK;
    trainer->history_count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        cnn_epoch epoch;
        if (!cnn_epoch_from_json(&epoch, json_array_get(list, i)))
            return cnn_fail(
                CNN_ERROR_DATA,
                "%s: history: expected an epoch's metrics in entry %zu, found something "
                "else",
                cnn_archive_path(checkpoint->archive), i);
        CNN_TRY(cnn_trainer_remember(trainer, &epoch));
    }
    json_decref(trainer->resumed);
    trainer->resumed = json_incref(checkpoint->json);
out:
    return status;
}

static cnn_status take_values(cnn_trainer *trainer, const cnn_checkpoint *checkpoint)
{
    const cnn_optimizer *optimizer = &trainer->plan->optimizer;
    cnn_judgement *best = &trainer->best;
    cnn_state state = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_state_init(
        &state, optimizer->class, trainer->frozen, trainer->raw ? trainer->raw : trainer->model,
        checkpoint->best_epoch >= 0 ? best->model : NULL, trainer->raw ? trainer->model : NULL));
    CNN_TRY(cnn_state_read(&state, checkpoint->archive));
    CNN_TRY(cnn_plan_upload(trainer->plan, trainer->model));
    if (trainer->raw)
        CNN_TRY(cnn_plan_upload_values(trainer->plan, trainer->raw));
    trainer->kept = false;
    for (int i = 0; i < optimizer->class->state_count; i++)
        CNN_TRY(cnn_buffer_write(&optimizer->states[i], 0, state.states[i],
                                 optimizer->count * sizeof(float)));
    best->epoch = checkpoint->best_epoch;
    best->accuracy = checkpoint->best_accuracy;
    best->loss = checkpoint->best_loss;
    best->since = checkpoint->best_since;
out:
    cnn_state_finish(&state);
    return status;
}

cnn_status cnn_trainer_resume(cnn_trainer *trainer, const cnn_checkpoint *checkpoint)
{
    CNN_NEED(trainer, checkpoint);
    if (trainer->moment != CNN_IDLE)
        return cnn_fail(CNN_ERROR_ARGUMENT, "cnn_trainer_resume: expected a trainer that is not "
                                            "running, found a call from one of its callbacks");
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_device_check_process(trainer->device));
    CNN_TRY(cnn_dataset_hash(trainer->data_hash, trainer->dataset));
    CNN_TRY(cnn_checkpoint_match(checkpoint, trainer->model->network, &trainer->options,
                                 trainer->dataset, trainer->data_hash));
    CNN_TRY(check_position(trainer, checkpoint));
    CNN_TRY(take_history(trainer, checkpoint));
    CNN_TRY(take_values(trainer, checkpoint));
    trainer->loop.epoch = checkpoint->epoch;
    trainer->loop.step = trainer->model_step = checkpoint->step;
    trainer->loop.sums = checkpoint->sums;
    CNN_TRY(cnn_trainer_resume_workers(trainer, checkpoint));
    status =
        cnn_fingerprint_compare(json_object_get(checkpoint->json, "fingerprint"), trainer->plan);
out:
    return status;
}
