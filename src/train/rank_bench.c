/* The trainer's own steps on every rank, each with a timeline, which rank 0 gathers. */
#include "train/rank_bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/size.h"
#include "base/status.h"
#include "train/ranks.h"
#include "train/trainer.h"

/* What a rank knows of the bench. */
typedef struct measuring {
    cnn_trainer *trainer;
    const cnn_train_callbacks *callbacks; /* rank 0's */
    cnn_timeline timeline;
    int wanted;     /* steps, which rank 0 says; 0: what takes about a second */
    int steps;      /* that are measured */
    double seconds; /* they took */
} measuring;

/* Batches of the images that there are. */
static size_t batches_of(const cnn_trainer *trainer)
{
    return trainer->train_count / (size_t)trainer->train.batch;
}

/* In as many passes as the images want. */
static cnn_status train(const measuring *at, size_t steps)
{
    size_t most = batches_of(at->trainer);
    cnn_status status = CNN_OK;
    for (size_t done = 0; status == CNN_OK && done < steps; done += most)
        status =
            cnn_trainer_train_batches(at->trainer, cnn_smaller(most, steps - done), at->callbacks);
    return status;
}

/* Rank 0's number, when all have come. */
static cnn_status meet(cnn_comm *comm, int *number)
{
    int *all = NULL;
    cnn_status status = CNN_OK;
    if (!comm)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&all, (size_t)comm->size, sizeof *all, "the ranks"));
    CNN_TRY(cnn_comm_gather(comm, all, number, sizeof *number));
    status = cnn_comm_broadcast(comm, number, sizeof *number);
out:
    free(all);
    return status;
}

/* About a second of them. */
static int choose_steps(double seconds)
{
    enum { FEWEST = 3, MOST = 1000 };
    return seconds > 0.0 ? (int)fmax(FEWEST, fmin(MOST, 1.0 / seconds)) : MOST;
}

/* Drivers compile at the first launches. */
static cnn_status warm_up(measuring *at)
{
    enum { FIRST = 4, TIMED = 2 };
    cnn_status status = CNN_OK;
    CNN_TRY(meet(at->trainer->comm, &at->wanted));
    at->steps = at->wanted;
    CNN_TRY(train(at, FIRST));
    double start = cnn_seconds();
    if (at->wanted == 0)
        CNN_TRY(train(at, TIMED));
    if (at->wanted == 0)
        at->steps = choose_steps((cnn_seconds() - start) / TIMED);
    status = meet(at->trainer->comm, &at->steps);
out:
    return status;
}

static cnn_status time_steps(measuring *at)
{
    cnn_trainer *trainer = at->trainer;
    cnn_status status = CNN_OK;
    CNN_TRY(warm_up(at));
    at->timeline.origin = cnn_seconds();
    trainer->loop.timeline = &at->timeline;
    if (trainer->ranks)
        trainer->ranks->timeline = &at->timeline;
    status = train(at, (size_t)at->steps);
    at->seconds = cnn_seconds() - at->timeline.origin;
out:
    trainer->loop.timeline = NULL;
    if (trainer->ranks)
        trainer->ranks->timeline = NULL;
    if (status == CNN_OK && at->timeline.failed)
        status = cnn_fail_memory(sizeof(cnn_timeline_event), "the times of the steps");
    return status;
}

/* Everyone's timeline to rank 0, which has its own already. */
static cnn_status gather(cnn_rank_bench *bench, cnn_comm *comm)
{
    cnn_status status = CNN_OK;
    for (int r = 1; r < cnn_comm_size(comm); r++) {
        void *events;
        size_t bytes;
        CNN_TRY(cnn_comm_bring(&events, &bytes, comm, r));
        bench->timelines[r].events = events;
        bench->timelines[r].count = bytes / sizeof(cnn_timeline_event);
    }
out:
    return status;
}

static cnn_status hand_over(measuring *at)
{
    size_t bytes = at->timeline.count * sizeof *at->timeline.events;
    void *events = at->timeline.events;
    return cnn_comm_bring(&events, &bytes, at->trainer->comm, at->trainer->comm->rank);
}

/* A rank that is not the first. */
static cnn_status follow(cnn_trainer *trainer)
{
    measuring at = {.trainer = trainer};
    cnn_status status = CNN_OK;
    CNN_TRY(time_steps(&at));
    status = hand_over(&at);
out:
    if (status != CNN_OK)
        cnn_comm_abort(trainer->comm, status, cnn_error_message());
    cnn_timeline_finish(&at.timeline);
    return status;
}

/* Seconds of each step that a rank communicated, and of it what was exposed: (steps + 1) each, for
 * what lies behind the last. */
static void add_up(double *all, double *exposed, const cnn_rank_bench *bench, int rank)
{
    const cnn_timeline *timeline = &bench->timelines[rank];
    memset(all, 0, ((size_t)bench->summary.steps + 1) * sizeof *all);
    memset(exposed, 0, ((size_t)bench->summary.steps + 1) * sizeof *exposed);
    for (size_t i = 0; i < timeline->count; i++) {
        const cnn_timeline_event *event = &timeline->events[i];
        if (event->kind != CNN_TIMELINE_SUM && event->kind != CNN_TIMELINE_TALLY)
            continue;
        all[event->step] += event->ended - event->begun;
        exposed[event->step] += event->exposed;
    }
}

static double mean_milliseconds(const double *seconds, int steps)
{
    double sum = 0.0;
    for (int i = 0; i <= steps; i++)
        sum += seconds[i];
    return 1e3 * sum / steps;
}

/* From events to the rows and the summary. */
static cnn_status evaluate(cnn_rank_bench *bench)
{
    enum { ALL, EXPOSED, KINDS };
    cnn_rank_bench_summary *summary = &bench->summary;
    size_t count = (size_t)summary->steps + 1;
    double *own = NULL, *least = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&own, KINDS * count, sizeof *own, "the times of the steps"));
    CNN_TRY(cnn_allocate(&least, KINDS * count, sizeof *least, "the times of the steps"));
    for (int r = 0; r < summary->ranks; r++) {
        add_up(own, own + count, bench, r);
        for (size_t i = 0; i < KINDS * count; i++)
            least[i] = r == 0 ? own[i] : fmin(least[i], own[i]);
        bench->rows[r].communication_milliseconds = mean_milliseconds(own, summary->steps);
        bench->rows[r].exposed_milliseconds = mean_milliseconds(own + count, summary->steps);
    }
    summary->communication_milliseconds = mean_milliseconds(least, summary->steps);
    summary->exposed_milliseconds = mean_milliseconds(least + count, summary->steps);
out:
    free(own);
    free(least);
    return status;
}

/* Takes the timeline. */
static cnn_status describe(cnn_rank_bench *bench, measuring *at)
{
    const cnn_trainer *trainer = at->trainer;
    const cnn_network *network = trainer->model->network;
    size_t ranks = (size_t)cnn_comm_size(trainer->comm);
    cnn_status status = CNN_OK;
    bench->summary = (cnn_rank_bench_summary){
        .ranks = (int)ranks,
        .batch = trainer->train.batch,
        .slices = trainer->options.slices,
        .steps = at->steps,
        .bytes = (network->parameter_count + network->statistic_count) * sizeof(float),
        .milliseconds = 1e3 * at->seconds / at->steps};
    CNN_TRY(cnn_allocate(&bench->timelines, ranks, sizeof *bench->timelines, "the ranks"));
    bench->timelines[0].events = at->timeline.events;
    bench->timelines[0].count = at->timeline.count;
    at->timeline.events = NULL;
    CNN_TRY(cnn_allocate(&bench->rows, ranks, sizeof *bench->rows, "the ranks"));
    CNN_TRY(cnn_allocate(&bench->places, ranks, sizeof *bench->places, "the ranks"));
    if (trainer->comm)
        memcpy(bench->places, trainer->comm->places, ranks * sizeof *bench->places);
    else
        cnn_place_write(&bench->places[0], 0, trainer->device->info.name);
    for (size_t r = 0; r < ranks; r++) {
        const int *deal = trainer->ranks ? trainer->ranks->deal : NULL;
        bench->rows[r].rank = bench->places[r].text;
        bench->rows[r].slices = deal ? deal[r + 1] - deal[r] : trainer->options.slices;
    }
out:
    return status;
}

static cnn_status lead(cnn_rank_bench *bench, cnn_trainer *trainer, int steps,
                       const cnn_train_callbacks *callbacks)
{
    measuring at = {.trainer = trainer, .callbacks = callbacks, .wanted = steps};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_trainer_start_workers(trainer, follow));
    CNN_TRY(time_steps(&at));
    CNN_TRY(describe(bench, &at));
    CNN_TRY(gather(bench, trainer->comm));
    status = evaluate(bench);
out:
    if (status != CNN_OK)
        cnn_comm_abort(trainer->comm, status, cnn_error_message());
    cnn_trainer_join_workers(trainer);
    cnn_timeline_finish(&at.timeline);
    return status;
}

/* Some batches of them: as many as are steps, or fit in a moderate part of a device's memory. */
static cnn_status make_dataset(cnn_dataset **dataset, const cnn_network *network,
                               const cnn_train_options *options, int steps)
{
    enum { MOST_BATCHES = 64, MOST_BYTES = 1 << 25 };
    const cnn_shape shape = cnn_network_input_shape(network);
    const int sizes[] = {shape.c, shape.h, shape.w};
    size_t image = cnn_shape_count(shape), batch = (size_t)options->batch;
    size_t batches = cnn_smaller(MOST_BATCHES, cnn_larger(1, MOST_BYTES / batch / image));
    if (steps > 0)
        batches = cnn_smaller(batches, (size_t)steps);
    size_t count = batches * batch, bytes = count * image;
    uint32_t words[CNN_PHILOX_LANES];
    uint16_t *labels = NULL;
    uint8_t *images = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&images, bytes, 1, "random images"));
    CNN_TRY(cnn_allocate(&labels, count, sizeof *labels, "random labels"));
    for (size_t i = 0; i < bytes; i += sizeof words) {
        cnn_philox_block(words, options->seed, CNN_STREAM_USER, 0, 0, (uint32_t)(i / sizeof words));
        memcpy(images + i, words, cnn_smaller(sizeof words, bytes - i));
    }
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint16_t)(cnn_philox_value(options->seed, CNN_STREAM_USER, 0, 1, (uint32_t)i) %
                               (uint32_t)network->classes);
    status = cnn_dataset_create(dataset, sizes, images, labels, count, NULL, NULL, 0);
out:
    free(images);
    free(labels);
    return status;
}

static cnn_status check(const cnn_train_options *options, int steps)
{
    if (steps < 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--steps: expected 0 or more, found %d", steps);
    if (options->val_split > 0.0 || options->freeze[0])
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s: expected none, a bench trains all layers on all of its images",
                        options->freeze[0] ? "--freeze" : "--val-split");
    return cnn_train_options_check(options);
}

cnn_status cnn_rank_bench_run(cnn_rank_bench **bench, cnn_comm *comm, cnn_device *const *devices,
                              int device_count, cnn_model *model, const cnn_train_options *options,
                              int steps, const cnn_train_callbacks *callbacks)
{
    CNN_NEED(bench, devices, model, options);
    cnn_rank_bench *result = NULL;
    cnn_dataset *dataset = NULL;
    cnn_trainer *trainer = NULL;
    cnn_status status = CNN_OK;
    *bench = NULL;
    CNN_TRY(check(options, steps));
    CNN_TRY(make_dataset(&dataset, model->network, options, steps));
    CNN_TRY(
        cnn_trainer_create_shared(&trainer, comm, devices, device_count, model, dataset, options));
    if (cnn_comm_rank(trainer->comm) > 0) {
        status = follow(trainer);
        goto out;
    }
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a bench"));
    status = lead(result, trainer, steps, callbacks);
out:
    cnn_trainer_destroy(trainer);
    cnn_dataset_destroy(dataset);
    if (status == CNN_OK)
        *bench = result;
    else
        cnn_rank_bench_destroy(result);
    return status;
}

void cnn_rank_bench_destroy(cnn_rank_bench *bench)
{
    if (!bench)
        return;
    free(bench->places);
    free(bench->rows);
    for (int r = 0; bench->timelines && r < bench->summary.ranks; r++)
        cnn_timeline_finish(&bench->timelines[r]);
    free(bench->timelines);
    free(bench);
}

cnn_rank_bench_summary cnn_rank_bench_get_summary(const cnn_rank_bench *bench)
{
    if (!bench)
        return (cnn_rank_bench_summary){0};
    return bench->summary;
}

cnn_rank_bench_row cnn_rank_bench_get_row(const cnn_rank_bench *bench, int rank)
{
    if (!bench || rank < 0 || rank >= bench->summary.ranks)
        return (cnn_rank_bench_row){.rank = ""};
    return bench->rows[rank];
}
