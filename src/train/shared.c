/* A trainer over several ranks: processes, or devices of this one, each with a trainer and a thread
 * of its own. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"
#include "train/options.h"
#include "train/ranks.h"
#include "train/trainer.h"

/* One more device of this process. */
struct cnn_worker {
    cnn_comm *comm;
    cnn_model *model;
    cnn_trainer *trainer;
    const cnn_trainer *first; /* the first device's */
    cnn_rank_work work;
    pthread_t thread;
    bool started;
    atomic_bool over;
};

static const char same_everywhere[] = "start every rank with the same files and options";

static cnn_status compare_hash(cnn_comm *comm, const char *what, const void *data, size_t size)
{
    char hash[CNN_HASH_SIZE];
    cnn_hash(hash, &(cnn_piece){data, size}, 1);
    return cnn_comm_compare(comm, what, hash, same_everywhere);
}

static cnn_status compare_network(cnn_comm *comm, const cnn_network *network)
{
    char *text = NULL, fact[256], hash[CNN_HASH_SIZE];
    cnn_status status = cnn_network_to_text(&text, network);
    if (status != CNN_OK)
        return status;
    cnn_hash(hash, &(cnn_piece){text, strlen(text)}, 1);
    snprintf(fact, sizeof fact, "%s of %zu parameters (SHA-256 %.16s)", network->name,
             network->parameter_count, hash);
    free(text);
    return cnn_comm_compare(comm, "network", fact, same_everywhere);
}

/* Each by its name. */
static cnn_status compare_options(cnn_comm *comm, const cnn_train_options *options)
{
    json_t *json = cnn_train_options_to_json(options), *value;
    const char *key;
    cnn_status status = json ? CNN_OK : cnn_fail_memory(sizeof *options, "the options");
    json_object_foreach(json, key, value)
    {
        char *text = cnn_json_dump(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (status == CNN_OK)
            status = text ? cnn_comm_compare(comm, key, text, same_everywhere)
                          : cnn_fail_memory(sizeof *options, "the options");
        free(text);
    }
    json_decref(json);
    return status;
}

/* Of a split's images some: all are many. */
static cnn_status compare_images(cnn_comm *comm, const cnn_dataset *dataset, cnn_split split)
{
    enum { MOST = 256 };
    const int *shape = cnn_dataset_shape(dataset);
    size_t size = cnn_shape_count((cnn_shape){shape[0], shape[1], shape[2]});
    size_t count = cnn_dataset_count(dataset, split), taken = cnn_smaller(count, MOST);
    char what[96];
    uint8_t *images = NULL;
    cnn_status status = CNN_OK;
    if (taken == 0)
        return CNN_OK;
    snprintf(what, sizeof what, "%s images of the data set (some, as they were prepared)",
             cnn_split_name(split));
    CNN_TRY(cnn_allocate(&images, taken, size, "images to compare"));
    for (size_t i = 0; i < taken; i++)
        CNN_TRY(cnn_dataset_read(images + i * size, dataset, split, i * count / taken));
    status = compare_hash(comm, what, images, taken * size);
out:
    free(images);
    return status;
}

/* Sizes, labels, some of the images. */
static cnn_status compare_data(cnn_comm *comm, const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    char fact[256];
    cnn_status status = CNN_OK;
    snprintf(fact, sizeof fact, "%zu, %zu and %zu images of %d,%d,%d",
             cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), cnn_dataset_count(dataset, CNN_SPLIT_VAL),
             cnn_dataset_count(dataset, CNN_SPLIT_TEST), shape[0], shape[1], shape[2]);
    CNN_TRY(cnn_comm_compare(comm, "data set", fact, same_everywhere));
    for (int split = CNN_SPLIT_TRAIN; split <= CNN_SPLIT_VAL; split++)
        CNN_TRY(compare_hash(comm, "labels of the data set",
                             cnn_dataset_labels(dataset, (cnn_split)split),
                             cnn_dataset_count(dataset, (cnn_split)split) * sizeof(uint16_t)));
    for (int split = CNN_SPLIT_TRAIN; split <= CNN_SPLIT_VAL; split++)
        CNN_TRY(compare_images(comm, dataset, (cnn_split)split));
out:
    return status;
}

cnn_status cnn_ranks_compare(cnn_comm *comm, const cnn_device *device, const cnn_model *model,
                             const cnn_dataset *dataset, const cnn_train_options *options)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_comm_introduce(comm, device->info.name));
    CNN_TRY(cnn_comm_compare(comm, "version", cnn_version(), "install the same one everywhere"));
    CNN_TRY(compare_network(comm, model->network));
    if (options)
        CNN_TRY(compare_options(comm, options));
    if (dataset)
        CNN_TRY(compare_data(comm, dataset));
    CNN_TRY(cnn_comm_compare(comm, "normalisation of pixels",
                             model->normalization.text ? model->normalization.text : "none",
                             same_everywhere));
    CNN_TRY(compare_hash(comm, "weights", model->parameters,
                         model->network->parameter_count * sizeof(float)));
    if (model->network->statistic_count > 0)
        status = compare_hash(comm, "running statistics", model->statistics,
                              model->network->statistic_count * sizeof(float));
out:
    return status;
}

cnn_status cnn_trainer_compare_position(const cnn_trainer *trainer)
{
    char fact[128];
    snprintf(fact, sizeof fact, "epoch %d, step %" PRIu64, trainer->loop.epoch, trainer->loop.step);
    return cnn_comm_compare(trainer->comm, "checkpoint", fact,
                            "put the run's folder where every rank finds it, or train afresh");
}

static cnn_status create_worker(cnn_worker *worker, const cnn_trainer *first, cnn_device *device)
{
    const cnn_model *model = first->model;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_model_create_network(&worker->model, model->network, 0));
    cnn_trainer_copy_model(worker->model, model);
    CNN_TRY(cnn_model_keep_normalization(worker->model, model->normalization.text));
    CNN_TRY(cnn_model_set_start(worker->model, model->start));
    cnn_log_mute(true); /* it is told once */
    status = cnn_trainer_create_rank(&worker->trainer, worker->comm, device, worker->model,
                                     first->dataset, &first->options);
    cnn_log_mute(false);
out:
    return status;
}

/* comms (count): the first is the trainer's own. */
static cnn_status create_crew(cnn_trainer *trainer, cnn_comm **comms, cnn_device *const *devices,
                              int count)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&trainer->workers, (size_t)count - 1, sizeof *trainer->workers,
                         "the devices"));
    for (; trainer->worker_count < count - 1; trainer->worker_count++)
        trainer->workers[trainer->worker_count].comm = comms[trainer->worker_count + 1];
    for (int i = 1; i < count; i++)
        CNN_TRY(create_worker(&trainer->workers[i - 1], trainer, devices[i]));
    for (int r = 0; r < count; r++)
        for (int i = 0; i < count; i++)
            cnn_place_write(&comms[r]->places[i], i, devices[i]->info.name);
out:
    return status;
}

static cnn_status create_on_devices(cnn_trainer **trainer, cnn_device *const *devices, int count,
                                    cnn_model *model, const cnn_dataset *dataset,
                                    const cnn_train_options *options)
{
    cnn_comm **comms = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&comms, (size_t)count, sizeof(cnn_comm *), "the devices"));
    CNN_TRY(cnn_crew_create(comms, count));
    status = cnn_trainer_create_rank(trainer, comms[0], devices[0], model, dataset, options);
    if (status != CNN_OK) {
        for (int i = 0; i < count; i++)
            cnn_comm_end(comms[i], 0, NULL);
        goto out;
    }
    (*trainer)->owns_comm = true;
    status = create_crew(*trainer, comms, devices, count);
    if (status != CNN_OK) {
        for (int i = (*trainer)->worker_count + 1; i < count; i++)
            cnn_comm_end(comms[i], 0, NULL);
        cnn_trainer_destroy(*trainer);
        *trainer = NULL;
    }
out:
    free(comms);
    return status;
}

cnn_status cnn_trainer_create_shared(cnn_trainer **trainer, cnn_comm *comm,
                                     cnn_device *const *devices, int device_count, cnn_model *model,
                                     const cnn_dataset *dataset, const cnn_train_options *options)
{
    CNN_NEED(trainer, devices, model, dataset, options);
    *trainer = NULL;
    if (device_count < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "cnn_trainer_create_shared: expected 1 device or more, "
                        "found %d",
                        device_count);
    for (int i = 0; i < device_count; i++)
        CNN_NEED(devices[i]);
    bool shared = cnn_comm_size(comm) > 1;
    if (shared && device_count > 1)
        return cnn_fail(
            CNN_ERROR_ARGUMENT,
            "--device: expected one device for each of the %d ranks, found %d: start more "
            "ranks instead",
            comm->size, device_count);
    if (device_count > 1)
        return create_on_devices(trainer, devices, device_count, model, dataset, options);
    cnn_status status =
        cnn_trainer_create_rank(trainer, shared ? comm : NULL, devices[0], model, dataset, options);
    if (status != CNN_OK || !shared)
        return status;
    status = cnn_ranks_compare(comm, devices[0], model, dataset, &(*trainer)->options);
    if (status != CNN_OK) {
        cnn_trainer_destroy(*trainer);
        *trainer = NULL;
    }
    return status;
}

/* The first device's thread does not return, which nothing ends; this one says why. */
static void speak(const cnn_worker *worker, cnn_status status)
{
    const cnn_train_callbacks *callbacks = worker->first->callbacks;
    if (callbacks && callbacks->on_stuck) {
        callbacks->on_stuck(status, callbacks->user);
        return;
    }
    cnn_log_mute(false);
    cnn_log(CNN_LOG_WARNING, "%s", cnn_error_message());
}

static void *work(void *user)
{
    cnn_worker *worker = user;
    cnn_log_mute(true);
    cnn_status status = worker->work(worker->trainer); /* a failure is told to all */
    if (status != CNN_OK && status != CNN_ERROR_STOPPED)
        status = cnn_comm_hand_over(worker->comm, cnn_error_message());
    if (status == CNN_ERROR_RANK)
        speak(worker, status);
    atomic_store(&worker->over, true);
    return NULL;
}

cnn_status cnn_trainer_start_workers(cnn_trainer *trainer, cnn_rank_work each)
{
    if (trainer->worker_count > 0)
        cnn_crew_hear(trainer->comm, false); /* it was, if another run went before */
    for (int i = 0; i < trainer->worker_count; i++) {
        cnn_worker *worker = &trainer->workers[i];
        worker->work = each;
        worker->first = trainer;
        atomic_store(&worker->over, false);
        int code = pthread_create(&worker->thread, NULL, work, worker);
        worker->started = code == 0;
        if (code != 0)
            return cnn_fail(CNN_ERROR_MEMORY, "a thread for %s cannot be started: %s",
                            worker->trainer->device->info.name, strerror(code));
    }
    return CNN_OK;
}

/* One that hangs in its driver is left behind: nothing ends a thread. */
void cnn_trainer_join_workers(cnn_trainer *trainer)
{
    static const double patience = 10.0; /* seconds: all have met for the last time */
    const struct timespec nap = {.tv_nsec = 1000000};
    double start = cnn_seconds();
    if (trainer->worker_count > 0)
        cnn_crew_hear(trainer->comm, true);
    for (int i = 0; i < trainer->worker_count; i++) {
        cnn_worker *worker = &trainer->workers[i];
        while (worker->started && !atomic_load(&worker->over) && cnn_seconds() - start < patience)
            nanosleep(&nap, NULL);
        if (worker->started && atomic_load(&worker->over)) {
            pthread_join(worker->thread, NULL);
            worker->started = false;
        }
    }
}

cnn_status cnn_trainer_resume_workers(cnn_trainer *trainer, const cnn_checkpoint *checkpoint)
{
    cnn_status status = CNN_OK;
    cnn_log_mute(true);
    for (int i = 0; status == CNN_OK && i < trainer->worker_count; i++)
        status = cnn_trainer_resume(trainer->workers[i].trainer, checkpoint);
    cnn_log_mute(false);
    return status;
}

bool cnn_trainer_blames_device(const cnn_trainer *trainer)
{
    return trainer && trainer->blames_device;
}

cnn_status cnn_trainer_report(char **text, const cnn_trainer *trainer)
{
    CNN_NEED(text, trainer);
    cnn_status status = cnn_sentinel_report(text, trainer->sentinel);
    for (int i = 0; status == CNN_OK && !*text && i < trainer->worker_count; i++)
        if (!trainer->workers[i].started) /* one that hangs has its own to itself */
            status = cnn_sentinel_report(text, trainer->workers[i].trainer->sentinel);
    return status;
}

void cnn_trainer_finish_workers(cnn_trainer *trainer)
{
    bool hangs = false;
    for (int i = 0; i < trainer->worker_count; i++) {
        cnn_worker *worker = &trainer->workers[i];
        hangs = hangs || worker->started;
        if (worker->started)
            continue; /* it hangs, and uses all of it */
        cnn_trainer_destroy(worker->trainer);
        cnn_model_destroy(worker->model);
        cnn_comm_end(worker->comm, 0, NULL);
    }
    if (trainer->owns_comm)
        cnn_comm_end(trainer->comm, 0, NULL);
    if (!hangs)
        free(trainer->workers);
}
