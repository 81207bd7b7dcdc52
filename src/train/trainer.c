#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/size.h"
#include "base/status.h"
#include "optim/rate.h"
#include "train/options.h"
#include "train/ranks.h"

/* The data set stays on the device where it fits beside the plan. sample: bytes of one. */
static bool must_stream(const cnn_trainer *trainer, size_t sample)
{
    static const double share = 0.9; /* of the memory left: drivers need some themselves */
    const cnn_device_info *info = &trainer->device->info;
    uint64_t train = cnn_feed_resident_bytes(trainer->dataset, CNN_SPLIT_TRAIN, sample);
    uint64_t test = cnn_feed_resident_bytes(trainer->dataset, CNN_SPLIT_TEST, sample);
    uint64_t val = cnn_feed_resident_bytes(trainer->dataset, CNN_SPLIT_VAL, sample);
    uint64_t largest = train > test ? train : test;
    double views = trainer->keeps ? cnn_trainer_view_count(trainer) : 0.0;
    double left = (double)info->memory - (double)trainer->device->allocated;
    largest = largest > val ? largest : val;
    return largest > info->max_allocation ||
           (views + 1.0) * (double)train + (double)(test + val) > share * left;
}

/* Of images, or of what the frozen layers give. */
static cnn_status init_feed(cnn_feed *feed, const cnn_trainer *trainer, cnn_split split)
{
    const cnn_plan_options *plan = &trainer->plan->options;
    if (trainer->keeps)
        return cnn_feed_init_rows(feed, trainer->device, trainer->dataset, split, plan->whole,
                                  plan->batch, trainer->streaming,
                                  cnn_plan_input_size(trainer->plan));
    return cnn_feed_init(feed, trainer->device, trainer->dataset, split, plan->whole, plan->batch,
                         trainer->streaming);
}

static cnn_status init_feeds(cnn_trainer *trainer)
{
    size_t values = cnn_plan_input_size(trainer->plan);
    size_t sample = trainer->keeps ? values * sizeof(float) : values;
    bool in_memory = trainer->keeps || cnn_dataset_images(trainer->dataset, CNN_SPLIT_TRAIN);
    trainer->streaming = trainer->options.stream || !in_memory || must_stream(trainer, sample);
    if (trainer->streaming && !trainer->options.stream && in_memory)
        cnn_log(CNN_LOG_INFO,
                "the data set does not fit the device's memory: batches are streamed");
    cnn_status status = CNN_OK;
    CNN_TRY(init_feed(&trainer->train, trainer, CNN_SPLIT_TRAIN));
    CNN_TRY(init_feed(&trainer->test, trainer, CNN_SPLIT_TEST));
    CNN_TRY(init_feed(&trainer->val, trainer, CNN_SPLIT_VAL));
    if (trainer->keeps && cnn_trainer_view_count(trainer) > 0)
        CNN_TRY(cnn_allocate(&trainer->views, (size_t)cnn_trainer_view_count(trainer),
                             sizeof(cnn_feed), "the views"));
    for (int i = 0; trainer->views && i < cnn_trainer_view_count(trainer); i++)
        CNN_TRY(init_feed(&trainer->views[i], trainer, CNN_SPLIT_TRAIN));
out:
    return status;
}

/* Which samples are trained on, and which are held out. */
static cnn_status divide(cnn_trainer *trainer)
{
    const cnn_dataset *dataset = trainer->dataset;
    size_t apart = cnn_dataset_count(dataset, CNN_SPLIT_VAL);
    double share = apart > 0 ? 0.0 : trainer->options.val_split;
    size_t count = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    size_t held = (size_t)(share * (double)count + 0.5), kept = count - held;
    if (count == 0)
        return cnn_fail(CNN_ERROR_DATA, "%s: the training split is empty",
                        cnn_dataset_source(dataset));
    if (apart > 0 && trainer->options.val_split > 0.0 && cnn_dataset_held_out(dataset) == 0.0)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--val-split: %s has a validation split of its own: leave the option out",
                        cnn_dataset_source(dataset));
    if (share > 0.0 && (held == 0 || kept == 0))
        return cnn_fail(CNN_ERROR_DATA,
                        "--val-split: expected some of the %zu training images to be held out and "
                        "some to be trained on, found %zu and %zu for %g",
                        count, held, kept, share);
    if (trainer->options.early_stop > 0 && held + apart == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--early-stop: expected --val-split with it, found none: the test split "
                        "is no judge of when to stop");
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&trainer->members, count, sizeof(uint32_t), "the samples held out"));
    CNN_TRY(cnn_allocate(&trainer->order, kept, sizeof(uint32_t), "the shuffled order"));
    if (held > 0)
        cnn_philox_permutation(trainer->members, (uint32_t)count, trainer->options.seed,
                               CNN_STREAM_HOLDOUT, 0, 0);
    trainer->train_count = kept;
    trainer->held_count = held;
    trainer->val_count = held + apart;
out:
    return status;
}

/* Classes of equal weight in all: those that are rare count more. One without samples weighs
 * nothing. */
static cnn_status balance(cnn_trainer *trainer)
{
    const uint16_t *labels = cnn_dataset_labels(trainer->dataset, CNN_SPLIT_TRAIN);
    size_t classes = (size_t)trainer->model->network->classes, there = 0;
    size_t *counts = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&trainer->weights, classes, sizeof(float), "the classes' weights"));
    CNN_TRY(cnn_allocate(&counts, classes, sizeof *counts, "the classes' weights"));
    for (size_t i = 0; i < trainer->train_count; i++)
        there += counts[labels[trainer->held_count > 0 ? trainer->members[i] : i]]++ == 0;
    for (size_t c = 0; c < classes; c++)
        if (counts[c] > 0)
            trainer->weights[c] =
                (float)((double)trainer->train_count / (double)there / (double)counts[c]);
out:
    free(counts);
    return status;
}

static cnn_status shape_loss(cnn_trainer *trainer)
{
    const cnn_train_options *options = &trainer->options;
    cnn_status status = CNN_OK;
    if (options->balanced_classes)
        CNN_TRY(balance(trainer));
    trainer->train.weights = trainer->weights;
    for (int i = 0; trainer->views && i < cnn_trainer_view_count(trainer); i++)
        trainer->views[i].weights = trainer->weights;
    if (trainer->weights || options->label_smoothing > 0.0 || options->augment.mixup > 0.0)
        status =
            cnn_softmax_shape(&trainer->plan->softmax, options->label_smoothing, trainer->weights);
out:
    return status;
}

static cnn_status create_plan(cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    size_t test_count = cnn_dataset_count(trainer->dataset, CNN_SPLIT_TEST);
    size_t batch = (size_t)trainer->options.batch;
    if (batch > trainer->train_count)
        batch = trainer->train_count;
    size_t most = cnn_larger(cnn_larger(trainer->train_count, trainer->val_count), test_count);
    bool sliced = trainer->options.slices > 1 || trainer->ranks;
    int slices = sliced ? trainer->options.slices : 0;
    size_t steps = cnn_divide_up(trainer->train_count, batch);
    size_t piece = (size_t)trainer->options.micro_batch;
    if (piece == 0 || piece > batch)
        piece = batch;
    if (slices > 0)
        piece = (size_t)cnn_cut_most(&(cnn_cut){(int)batch, slices});
    cnn_plan_options options = {.batch = (int)piece,
                                .training = true,
                                .fuse = trainer->options.fuse,
                                .frozen = trainer->frozen,
                                .part = trainer->keeps ? CNN_PART_REST : CNN_PART_WHOLE,
                                .slots =
                                    cnn_larger(cnn_divide_up(most, batch), steps * (size_t)slices),
                                .whole = (int)batch,
                                .slices = slices,
                                .trained = &trainer->options};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_create(&trainer->plan, trainer->device, network, options));
    CNN_TRY(init_feeds(trainer));
    CNN_TRY(cnn_plan_upload(trainer->plan, trainer->model));
    CNN_TRY(shape_loss(trainer));
out:
    return status;
}

static cnn_status allocate_copies(cnn_trainer *trainer)
{
    const cnn_network *network = trainer->model->network;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&trainer->parameters, network->parameter_count, sizeof(float),
                         "the parameters"));
    CNN_TRY(cnn_allocate(&trainer->statistics, network->statistic_count, sizeof(float),
                         "the running statistics"));
    if (trainer->options.ema > 0.0) {
        CNN_TRY(cnn_model_describe(&trainer->raw, network));
        CNN_TRY(cnn_model_allocate(trainer->raw));
    }
    CNN_TRY(cnn_model_describe(&trainer->best.model, network));
    CNN_TRY(cnn_model_allocate(trainer->best.model));
    CNN_TRY(cnn_model_set_data(trainer->best.model, trainer->dataset));
    CNN_TRY(cnn_model_keep_normalization(trainer->best.model, trainer->model->normalization.text));
    CNN_TRY(cnn_model_set_start(trainer->best.model, trainer->model->start));
out:
    return status;
}

cnn_status cnn_trainer_create(cnn_trainer **trainer, cnn_device *device, cnn_model *model,
                              const cnn_dataset *dataset, const cnn_train_options *options)
{
    CNN_NEED(trainer, device, model, dataset, options);
    return cnn_trainer_create_rank(trainer, NULL, device, model, dataset, options);
}

/* A slice a rank, where nothing else is said and there are samples enough. */
static cnn_status choose_slices(cnn_trainer *trainer)
{
    cnn_train_options *options = &trainer->options;
    const cnn_network *network = trainer->model->network;
    int ranks = cnn_comm_size(trainer->comm);
    cnn_status status = CNN_OK;
    if (options->slices == 0)
        options->slices = ranks < options->batch ? ranks : options->batch;
    CNN_TRY(cnn_slices_check(options->slices, options->batch, options->micro_batch));
    if (ranks > 1 && options->micro_batch > 0 && options->micro_batch < options->batch)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--micro-batch: expected one rank, found %d, whose slices go through their "
                        "devices at once: leave it out and give more --slices",
                        ranks);
    if (ranks > 1)
        status = cnn_ranks_create(&trainer->ranks, trainer->comm, options->slices,
                                  network->parameter_count + network->statistic_count);
out:
    return status;
}

/* Of one that ends behind the run; one that may go on does not mind. */
static void tell_schedule(const cnn_train_options *options)
{
    const cnn_rate_schedule *schedule = &options->schedule;
    int reached = cnn_rate_milestones(options);
    if (schedule->kind == CNN_SCHEDULE_STEP && reached < schedule->milestone_count)
        cnn_log(CNN_LOG_INFO, "--schedule: epoch %d is not reached in %d epoch%s%s",
                schedule->milestones[reached], options->epochs, options->epochs == 1 ? "" : "s",
                reached + 1 < schedule->milestone_count ? ", nor are those behind it" : "");
}

cnn_status cnn_trainer_create_rank(cnn_trainer **trainer, cnn_comm *comm, cnn_device *device,
                                   cnn_model *model, const cnn_dataset *dataset,
                                   const cnn_train_options *options)
{
    uint64_t before = device->allocated;
    bool exact_before = device->exact;
    int piece;
    cnn_status status = CNN_OK;
    cnn_trainer *result = NULL;
    *trainer = NULL;
    CNN_TRY(cnn_device_check_process(device));
    CNN_TRY(cnn_train_options_check(options));
    CNN_TRY(cnn_check_dataset(model->network, dataset));
    CNN_TRY(cnn_device_use_exact(device, options->exact));
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a trainer"));
    result->device = device;
    result->model = model;
    result->dataset = dataset;
    result->options = *options;
    result->loop.epoch = result->best.epoch = -1;
    result->comm = comm;
    CNN_TRY(choose_slices(result));
    CNN_TRY(cnn_trainer_freeze(result));
    CNN_TRY(cnn_plan_divide(&piece, model->network, result->frozen, options->batch,
                            options->micro_batch));
    CNN_TRY(divide(result));
    CNN_TRY(cnn_trainer_check_fitness(result));
    CNN_TRY(cnn_trainer_whiten(result));
    CNN_TRY(allocate_copies(result));
    CNN_TRY(create_plan(result));
    CNN_TRY(cnn_sentinel_create(&result->sentinel, result->plan, comm ? comm->rank : 0));
    result->device_bytes = device->allocated - before;
    tell_schedule(options);
    *trainer = result;
    return CNN_OK;
out:
    device->exact = exact_before;
    cnn_trainer_destroy(result);
    return status;
}

void cnn_trainer_destroy(cnn_trainer *trainer)
{
    if (!trainer)
        return;
    if (trainer->moment != CNN_IDLE) {
        trainer->unwanted = true;
        return;
    }
    if (cnn_abandon_in_child(trainer, trainer->device))
        return;
    cnn_ranks_destroy(trainer->ranks); /* before its comm */
    cnn_trainer_finish_workers(trainer);
    cnn_feed_finish(&trainer->train);
    cnn_feed_finish(&trainer->test);
    cnn_feed_finish(&trainer->val);
    for (int i = 0; trainer->views && i < cnn_trainer_view_count(trainer); i++)
        cnn_feed_finish(&trainer->views[i]);
    free(trainer->views);
    cnn_sentinel_destroy(trainer->sentinel);
    cnn_plan_destroy(trainer->plan);
    cnn_model_destroy(trainer->best.model);
    cnn_model_destroy(trainer->raw);
    free(trainer->weights);
    json_decref(trainer->resumed);
    free(trainer->frozen);
    free(trainer->history);
    free(trainer->members);
    free(trainer->order);
    free(trainer->parameters);
    free(trainer->statistics);
    free(trainer);
}

uint64_t cnn_trainer_device_bytes(const cnn_trainer *trainer)
{
    if (!trainer)
        return 0;
    return trainer->device_bytes;
}

bool cnn_trainer_is_streaming(const cnn_trainer *trainer)
{
    if (!trainer)
        return false;
    return trainer->streaming;
}

cnn_position cnn_trainer_position(const cnn_trainer *trainer)
{
    if (!trainer)
        return (cnn_position){0};
    const cnn_train_options *options = &trainer->options;
    size_t batch = (size_t)trainer->train.batch;
    bool early = options->early_stop > 0 && trainer->best.since >= options->early_stop;
    return (cnn_position){
        .epoch = trainer->loop.epoch,
        .step = trainer->loop.sums.steps,
        .steps = cnn_divide_up(trainer->train_count, batch),
        .complete = trainer->loop.epoch >= options->epochs || (trainer->loop.epoch >= 0 && early),
        .stopped_early = early,
    };
}

const char *cnn_trainer_judge(const cnn_trainer *trainer)
{
    if (trainer->val_count > 0)
        return "validation";
    return cnn_dataset_count(trainer->dataset, CNN_SPLIT_TEST) > 0 ? "test" : "training";
}

cnn_best cnn_trainer_best(const cnn_trainer *trainer)
{
    if (!trainer)
        return (cnn_best){.epoch = -1, .split = ""};
    const cnn_judgement *best = &trainer->best;
    return (cnn_best){
        .model = best->epoch >= 0 ? best->model : NULL,
        .epoch = best->epoch,
        .accuracy = best->accuracy,
        .split = cnn_trainer_judge(trainer),
    };
}

void cnn_trainer_copy_model(cnn_model *target, const cnn_model *source)
{
    const cnn_network *network = source->network;
    memcpy(target->parameters, source->parameters, network->parameter_count * sizeof(float));
    memcpy(target->statistics, source->statistics, network->statistic_count * sizeof(float));
    memcpy(target->batches, source->batches, (size_t)network->layer_count * sizeof(int64_t));
}
