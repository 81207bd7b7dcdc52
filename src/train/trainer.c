#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/status.h"
#include "base/text.h"
#include "train/loop.h"

struct cnn_trainer {
    cnn_device *device;
    cnn_model *model;
    const cnn_dataset *dataset;
    cnn_train_options options;
    cnn_plan *plan;
    cnn_feed train, test;
    uint32_t *order;
    float *parameters, *statistics; /* on their way to the model: as in the model */
    uint64_t step;                  /* training steps done */
    uint64_t model_step;            /* those that the model knows of */
    uint64_t device_bytes;
    bool streaming;
    /* While running. */
    const cnn_train_callbacks *callbacks;
    int epoch;
    const char *phase;
};

void cnn_train_options_init(cnn_train_options *options)
{
    *options = (cnn_train_options){
        .epochs = 10, .batch = 256, .lr = 1e-3, .print_every = 1, .seed = 0, .fuse = true};
}

static cnn_status check_options(const cnn_train_options *options)
{
    if (options->epochs < 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--epochs: expected 0 or more, found %d",
                        options->epochs);
    if (options->batch < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--batch: expected 1 or more, found %d",
                        options->batch);
    if (options->print_every < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--print-every: expected 1 or more, found %d",
                        options->print_every);
    if (!(isfinite(options->lr) && options->lr > 0.0))
        return cnn_fail(CNN_ERROR_ARGUMENT, "--lr: expected a finite number above 0, found %g",
                        options->lr);
    return CNN_OK;
}

/* The data set stays on the device where it fits beside the plan. */
static bool must_stream(const cnn_trainer *trainer)
{
    static const double share = 0.9; /* of the memory left: drivers need some themselves */
    const cnn_device_info *info = &trainer->device->info;
    uint64_t train = cnn_feed_resident_bytes(trainer->dataset, CNN_SPLIT_TRAIN);
    uint64_t test = cnn_feed_resident_bytes(trainer->dataset, CNN_SPLIT_TEST);
    uint64_t largest = train > test ? train : test;
    double left = (double)info->memory - (double)trainer->device->allocated;
    return largest > info->max_allocation || (double)(train + test) > share * left;
}

static cnn_status init_feeds(cnn_trainer *trainer)
{
    const cnn_dataset *dataset = trainer->dataset;
    int batch = trainer->options.batch;
    trainer->streaming = trainer->options.stream || must_stream(trainer);
    if (trainer->streaming && !trainer->options.stream)
        cnn_log(CNN_LOG_INFO,
                "the data set does not fit the device's memory: batches are streamed");
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_init(&trainer->train, trainer->device, dataset, CNN_SPLIT_TRAIN, batch,
                          trainer->streaming));
    CNN_TRY(cnn_feed_init(&trainer->test, trainer->device, dataset, CNN_SPLIT_TEST, batch,
                          trainer->streaming));
out:
    return status;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static cnn_status check_training_split(const cnn_dataset *dataset)
{
    if (cnn_dataset_count(dataset, CNN_SPLIT_TRAIN) > 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA, "%s: the training split is empty", cnn_dataset_source(dataset));
}

cnn_status cnn_trainer_create(cnn_trainer **trainer, cnn_device *device, cnn_model *model,
                              const cnn_dataset *dataset, const cnn_train_options *options)
{
    uint64_t before = device->allocated;
    cnn_status status = CNN_OK;
    cnn_trainer *result = NULL;
    *trainer = NULL;
    CNN_TRY(check_options(options));
    CNN_TRY(cnn_check_dataset(model->network, dataset));
    CNN_TRY(check_training_split(dataset));
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a trainer"));
    result->device = device;
    result->model = model;
    result->dataset = dataset;
    result->options = *options;
    size_t count = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    size_t test_count = cnn_dataset_count(dataset, CNN_SPLIT_TEST);
    if ((size_t)options->batch > count)
        result->options.batch = (int)count;
    size_t batch = (size_t)result->options.batch;
    CNN_TRY(cnn_allocate(&result->order, count, sizeof *result->order, "the shuffled order"));
    CNN_TRY(cnn_allocate(&result->parameters, model->network->parameter_count, sizeof(float),
                         "the parameters"));
    CNN_TRY(cnn_allocate(&result->statistics, model->network->statistic_count, sizeof(float),
                         "the running statistics"));
    cnn_plan_options plan = {.batch = result->options.batch,
                             .training = true,
                             .fuse = options->fuse,
                             .slots = (larger(count, test_count) + batch - 1) / batch};
    CNN_TRY(cnn_plan_create(&result->plan, device, model->network, plan));
    CNN_TRY(init_feeds(result));
    CNN_TRY(cnn_plan_upload(result->plan, model));
    result->device_bytes = device->allocated - before;
    *trainer = result;
    return CNN_OK;
out:
    cnn_trainer_destroy(result);
    return status;
}

void cnn_trainer_destroy(cnn_trainer *trainer)
{
    if (!trainer)
        return;
    cnn_feed_finish(&trainer->train);
    cnn_feed_finish(&trainer->test);
    cnn_plan_destroy(trainer->plan);
    free(trainer->order);
    free(trainer->parameters);
    free(trainer->statistics);
    free(trainer);
}

uint64_t cnn_trainer_device_bytes(const cnn_trainer *trainer)
{
    return trainer->device_bytes;
}

bool cnn_trainer_is_streaming(const cnn_trainer *trainer)
{
    return trainer->streaming;
}

static bool tick(size_t step, size_t steps, size_t images, double seconds, void *user)
{
    const cnn_trainer *trainer = user;
    if (!trainer->callbacks || !trainer->callbacks->on_progress)
        return true;
    cnn_progress progress = {trainer->epoch, trainer->phase, step, steps, images, seconds};
    return trainer->callbacks->on_progress(&progress, trainer->callbacks->user);
}

static cnn_status evaluate(double *accuracy, cnn_trainer *trainer, cnn_feed *feed,
                           const char *phase)
{
    cnn_loop loop = {.plan = trainer->plan,
                     .feed = feed,
                     .epoch = trainer->epoch,
                     .step = trainer->step,
                     .tick = tick,
                     .user = trainer};
    cnn_loop_result result;
    *accuracy = NAN;
    if (cnn_feed_count(feed) == 0)
        return CNN_OK;
    trainer->phase = phase;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_set_order(feed, NULL));
    CNN_TRY(cnn_loop_run(&result, &loop));
    *accuracy = (double)result.hits / (double)result.count;
out:
    return status;
}

static cnn_status train_epoch(cnn_epoch *epoch, cnn_trainer *trainer)
{
    cnn_loop loop = {.plan = trainer->plan,
                     .feed = &trainer->train,
                     .training = true,
                     .epoch = trainer->epoch,
                     .lr = trainer->options.lr,
                     .seed = trainer->options.seed,
                     .step = trainer->step,
                     .tick = tick,
                     .user = trainer};
    cnn_loop_result result;
    cnn_status status = CNN_OK;
    trainer->phase = "train";
    cnn_philox_permutation(trainer->order, (uint32_t)cnn_feed_count(&trainer->train),
                           trainer->options.seed, CNN_STREAM_SHUFFLE, 0, (uint64_t)trainer->epoch);
    CNN_TRY(cnn_feed_set_order(&trainer->train, trainer->order));
    status = cnn_loop_run(&result, &loop);
    trainer->step = loop.step;
    epoch->loss = result.batch_loss;
    epoch->seconds = result.seconds;
out:
    return status;
}

static bool is_printed(const cnn_trainer *trainer)
{
    return trainer->epoch % trainer->options.print_every == 0 ||
           trainer->epoch == trainer->options.epochs - 1;
}

static bool are_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* The model as the device has it, unless a last update broke that without a loss to show it. Batch
 * norm counts the batches that it has seen. */
static cnn_status update_model(cnn_trainer *trainer)
{
    cnn_model *model = trainer->model;
    const cnn_network *network = model->network;
    cnn_status status = cnn_plan_download(trainer->parameters, trainer->statistics, trainer->plan);
    if (status != CNN_OK)
        return status;
    if (!are_finite(trainer->parameters, network->parameter_count) ||
        !are_finite(trainer->statistics, network->statistic_count))
        return cnn_fail(CNN_ERROR_ARITHMETIC,
                        "the weights are not finite after epoch %d, training step %" PRIu64
                        ": lower the learning rate (--lr)",
                        trainer->epoch, trainer->step);
    memcpy(model->parameters, trainer->parameters, network->parameter_count * sizeof(float));
    memcpy(model->statistics, trainer->statistics, network->statistic_count * sizeof(float));
    for (int l = 0; l < model->network->layer_count; l++)
        if (model->network->layers[l].statistic_count > 0)
            model->batches[l] += (int64_t)(trainer->step - trainer->model_step);
    trainer->model_step = trainer->step;
    return CNN_OK;
}

/* Evaluates where it is due, updates the model, and reports. */
static cnn_status close_epoch(cnn_epoch *epoch, cnn_trainer *trainer)
{
    cnn_status status = CNN_OK;
    epoch->train_accuracy = epoch->test_accuracy = NAN;
    epoch->evaluated = epoch->index < 0 || is_printed(trainer);
    if (epoch->evaluated) {
        CNN_TRY(evaluate(&epoch->train_accuracy, trainer, &trainer->train, "eval train"));
        CNN_TRY(evaluate(&epoch->test_accuracy, trainer, &trainer->test, "eval test"));
    }
    CNN_TRY(update_model(trainer));
    const cnn_train_callbacks *callbacks = trainer->callbacks;
    if (callbacks && callbacks->on_epoch && !callbacks->on_epoch(epoch, callbacks->user))
        status = cnn_fail(CNN_ERROR_STOPPED, "stopped after epoch %d", epoch->index);
out:
    return status;
}

static cnn_status run(cnn_trainer *trainer)
{
    cnn_status status = CNN_OK;
    cnn_epoch epoch = {.index = -1, .loss = NAN};
    trainer->epoch = -1;
    CNN_TRY(close_epoch(&epoch, trainer));
    for (trainer->epoch = 0; trainer->epoch < trainer->options.epochs; trainer->epoch++) {
        epoch = (cnn_epoch){.index = trainer->epoch};
        CNN_TRY(train_epoch(&epoch, trainer));
        CNN_TRY(close_epoch(&epoch, trainer));
    }
out:
    return status;
}

cnn_status cnn_trainer_run(cnn_trainer *trainer, const cnn_train_callbacks *callbacks)
{
    trainer->callbacks = callbacks;
    cnn_status status = cnn_model_set_data(trainer->model, trainer->dataset);
    if (status == CNN_OK)
        status = run(trainer);
    /* A stopped run keeps the steps that it made; the reason to stop stays the message. */
    if (status == CNN_ERROR_STOPPED) {
        cnn_status copied = update_model(trainer);
        if (copied != CNN_OK)
            status = copied;
    }
    trainer->callbacks = NULL;
    return status;
}
