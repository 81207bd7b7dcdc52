/* The epochs of a run: training, evaluation, and what is told of them. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/status.h"
#include "comm/comm.h"
#include "optim/rate.h"
#include "train/ranks.h"
#include "train/trainer.h"

static bool leave_callback(cnn_trainer *trainer, bool goes_on)
{
    trainer->moment = CNN_RUNNING;
    return goes_on && !trainer->unwanted;
}

static bool tick(const cnn_progress *progress, void *user)
{
    cnn_trainer *trainer = user;
    const cnn_train_callbacks *callbacks = trainer->callbacks;
    if (!callbacks || !callbacks->on_progress)
        return true;
    trainer->moment = CNN_IN_CALLBACK;
    return leave_callback(trainer, callbacks->on_progress(progress, callbacks->user));
}

static bool tell_epoch(const cnn_epoch *epoch, cnn_trainer *trainer)
{
    const cnn_train_callbacks *callbacks = trainer->callbacks;
    if (!callbacks || !callbacks->on_epoch)
        return true;
    trainer->moment = CNN_IN_CALLBACK;
    return leave_callback(trainer, callbacks->on_epoch(epoch, callbacks->user));
}

/* What rank 0's callback says goes for all. */
static cnn_status offer(cnn_trainer *trainer)
{
    const cnn_train_callbacks *callbacks = trainer->callbacks;
    if (!callbacks || !callbacks->on_checkpoint)
        return CNN_OK;
    trainer->moment = CNN_AT_CHECKPOINT;
    if (leave_callback(trainer, callbacks->on_checkpoint(callbacks->user)))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_STOPPED, "stopped at a checkpoint in epoch %d", trainer->loop.epoch);
}

static cnn_status offer_checkpoint(void *user)
{
    cnn_trainer *trainer = user;
    return cnn_comm_agree(trainer->comm, offer(trainer));
}

/* What an evaluation gave; NaN where there are no samples. */
typedef struct evaluation {
    double accuracy, loss;
} evaluation;

/* order (count): which samples of the feed's split; NULL for all. */
static cnn_status evaluate(evaluation *result, cnn_trainer *trainer, cnn_feed *feed,
                           const uint32_t *order, size_t count, const char *phase)
{
    cnn_loop loop = {.ranks = trainer->ranks,
                     .plan = trainer->plan,
                     .feed = feed,
                     .epoch = trainer->loop.epoch,
                     .phase = phase,
                     .step = trainer->loop.step,
                     .tick = tick,
                     .user = trainer};
    cnn_status status = CNN_OK;
    *result = (evaluation){NAN, NAN};
    CNN_TRY(cnn_feed_set_order(feed, order, count));
    if (feed->count == 0)
        return CNN_OK;
    CNN_TRY(cnn_loop_run(&loop));
    *result = (evaluation){(double)loop.sums.hits / (double)feed->count, loop.sums.sample_loss};
out:
    return status;
}

/* Is it better than the best before? Keeps it then. The model is up to date. */
static bool judge(cnn_trainer *trainer, int epoch, const evaluation *result)
{
    cnn_judgement *best = &trainer->best;
    bool better = best->epoch < 0 || result->accuracy > best->accuracy ||
                  (result->accuracy == best->accuracy && result->loss < best->loss);
    best->since++;
    if (!better)
        return false;
    cnn_trainer_copy_model(best->model, trainer->model);
    best->epoch = epoch;
    best->accuracy = result->accuracy;
    best->loss = result->loss;
    best->since = 0;
    return true;
}

static cnn_status evaluate_splits(cnn_epoch *epoch, evaluation *decisive, cnn_trainer *trainer)
{
    evaluation train, val = {NAN, NAN}, test;
    bool held = trainer->held_count > 0, apart = trainer->val_count > trainer->held_count;
    cnn_status status = CNN_OK;
    CNN_TRY(evaluate(&train, trainer, &trainer->train, held ? trainer->members : NULL,
                     trainer->train_count, "eval train"));
    if (held)
        CNN_TRY(evaluate(&val, trainer, &trainer->train, trainer->members + trainer->train_count,
                         trainer->held_count, "eval val"));
    if (apart)
        CNN_TRY(evaluate(&val, trainer, &trainer->val, NULL, 0, "eval val"));
    CNN_TRY(evaluate(&test, trainer, &trainer->test, NULL, 0, "eval test"));
    epoch->train_accuracy = train.accuracy;
    epoch->val_accuracy = val.accuracy;
    epoch->test_accuracy = test.accuracy;
    *decisive = held || apart ? val : isnan(test.accuracy) ? train : test;
out:
    return status;
}

/* What is averaged is judged by its average. */
static cnn_status evaluate_all(cnn_epoch *epoch, evaluation *decisive, cnn_trainer *trainer)
{
    cnn_plan_show_average(trainer->plan, true);
    cnn_status status = evaluate_splits(epoch, decisive, trainer);
    cnn_plan_show_average(trainer->plan, false);
    return status;
}

void cnn_trainer_shuffle(cnn_trainer *trainer, int epoch)
{
    size_t count = trainer->train_count;
    cnn_philox_permutation(trainer->order, (uint32_t)count, trainer->options.seed,
                           CNN_STREAM_SHUFFLE, 0, (uint64_t)epoch);
    if (trainer->held_count > 0)
        for (size_t i = 0; i < count; i++)
            trainer->order[i] = trainer->members[trainer->order[i]];
}

/* Of what an epoch trains on: with views, the one whose turn it is. */
static cnn_feed *choose_feed(cnn_trainer *trainer)
{
    int views = trainer->options.views, view = views > 0 ? trainer->loop.epoch % views : -1;
    if (trainer->views)
        return &trainer->views[view];
    trainer->train.view = view;
    return &trainer->train;
}

/* How much of the time of a pass the ranks had for each other. */
static void tell_ranks(const cnn_trainer *trainer, double before)
{
    const cnn_ranks *ranks = trainer->ranks;
    double seconds = trainer->loop.sums.seconds - before;
    if (ranks && seconds > 0.0)
        cnn_log(
            CNN_LOG_DEBUG,
            "the sums of %.3g MiB over %d ranks took %.1f%% of %.2f s, with the waits for slower "
            "ranks; %.1f%% on the rank that waited least: communication that nothing hides",
            (double)ranks->sum.count * sizeof(float) * 0x1p-20, ranks->comm->size,
            100.0 * ranks->summing / seconds, seconds, 100.0 * ranks->exposed / seconds);
}

/* What is left of the epoch's pass. */
static cnn_status train_epoch(cnn_epoch *epoch, cnn_trainer *trainer)
{
    cnn_loop *loop = &trainer->loop;
    cnn_status status = CNN_OK;
    cnn_trainer_shuffle(trainer, loop->epoch);
    loop->feed = choose_feed(trainer);
    CNN_TRY(cnn_feed_set_order(loop->feed, trainer->order, trainer->train_count));
    double before = loop->sums.seconds;
    if (trainer->ranks) {
        trainer->ranks->summing = 0.0;
        CNN_TRY(cnn_ranks_level(trainer->ranks, trainer->plan));
    }
    status = cnn_loop_run(loop);
    if (status == CNN_OK && trainer->ranks)
        status = cnn_ranks_level(trainer->ranks, trainer->plan);
    tell_ranks(trainer, before);
    trainer->train.view = -1; /* evaluations are of the images as they are */
    if (status != CNN_OK)
        goto out;
    epoch->loss = loop->sums.batch_loss;
    epoch->seconds = loop->sums.seconds;
    epoch->images_per_second = (double)trainer->train_count / loop->sums.seconds;
out:
    return status;
}

static bool is_due(const cnn_trainer *trainer)
{
    return trainer->loop.epoch % trainer->options.print_every == 0;
}

static bool is_printed(const cnn_trainer *trainer)
{
    return is_due(trainer) || trainer->loop.epoch == trainer->options.epochs - 1;
}

/* Where a run may stop early, only what is evaluated in every run counts: the last epoch's turn is
 * none in a run that goes on. */
static bool is_judged(const cnn_trainer *trainer)
{
    return is_due(trainer) || trainer->options.early_stop == 0;
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
cnn_status cnn_trainer_update_model(cnn_trainer *trainer)
{
    cnn_model *model = trainer->model;
    const cnn_network *network = model->network;
    uint64_t step = trainer->loop.step;
    if (trainer->model_step == step)
        return CNN_OK;
    bool shown = trainer->plan->shows_average; /* a callback may stop an evaluation */
    cnn_plan_show_average(trainer->plan, true);
    cnn_status status = cnn_plan_download(trainer->parameters, trainer->statistics, trainer->plan);
    cnn_plan_show_average(trainer->plan, shown);
    if (status != CNN_OK)
        return status;
    if (!are_finite(trainer->parameters, network->parameter_count) ||
        !are_finite(trainer->statistics, network->statistic_count))
        return cnn_fail(CNN_ERROR_ARITHMETIC,
                        "the weights are not finite after epoch %d, training step %" PRIu64
                        ": lower the learning rate (--lr)",
                        trainer->loop.epoch, step);
    memcpy(model->parameters, trainer->parameters, network->parameter_count * sizeof(float));
    memcpy(model->statistics, trainer->statistics, network->statistic_count * sizeof(float));
    for (int l = 0; l < network->layer_count; l++)
        if (network->layers[l].statistic_count > 0 && !(trainer->frozen && trainer->frozen[l]))
            model->batches[l] += (int64_t)(step - trainer->model_step);
    trainer->model_step = step;
    return CNN_OK;
}

cnn_status cnn_trainer_remember(cnn_trainer *trainer, const cnn_epoch *epoch)
{
    enum { FIRST_ROOM = 16 };
    if (trainer->history_count == trainer->history_room) {
        size_t room = trainer->history_room ? 2 * trainer->history_room : FIRST_ROOM;
        cnn_epoch *larger = realloc(trainer->history, room * sizeof *larger);
        if (!larger)
            return cnn_fail_memory(room * sizeof *larger, "the metrics");
        trainer->history = larger;
        trainer->history_room = room;
    }
    trainer->history[trainer->history_count++] = *epoch;
    return CNN_OK;
}

static bool is_checkpoint_due(const cnn_trainer *trainer, int epoch)
{
    int every = trainer->options.checkpoint_every;
    if (epoch < 0 || cnn_trainer_position(trainer).complete)
        return every > 0 || trainer->options.checkpoint_steps > 0;
    return every > 0 && (epoch + 1) % every == 0;
}

static double rate_of_last_step(const cnn_trainer *trainer)
{
    uint64_t step = trainer->loop.step;
    return cnn_rate_at(&trainer->options, trainer->loop.epoch_steps, step > 0 ? step - 1 : 0).lr;
}

/* Evaluates where it is due, updates the model, and reports: after that the epoch is over. */
static cnn_status close_epoch(cnn_epoch *epoch, cnn_trainer *trainer)
{
    evaluation decisive = {NAN, NAN};
    cnn_status status = CNN_OK;
    epoch->train_accuracy = epoch->val_accuracy = epoch->test_accuracy = NAN;
    epoch->evaluated = epoch->index < 0 || is_printed(trainer);
    epoch->step = trainer->loop.step;
    epoch->learning_rate = rate_of_last_step(trainer);
    epoch->device = trainer->device->info.name;
    if (epoch->evaluated)
        CNN_TRY(evaluate_all(epoch, &decisive, trainer));
    CNN_TRY(cnn_trainer_update_model(trainer));
    if (epoch->evaluated && epoch->index >= 0 && is_judged(trainer))
        epoch->best = judge(trainer, epoch->index, &decisive);
    CNN_TRY(cnn_trainer_remember(trainer, epoch));
    trainer->loop.epoch++;
    trainer->loop.sums = (cnn_loop_sums){0};
    if (!tell_epoch(epoch, trainer))
        status = cnn_fail(CNN_ERROR_STOPPED, "stopped after epoch %d", epoch->index);
    CNN_TRY(cnn_comm_agree(trainer->comm, status));
    if (is_checkpoint_due(trainer, epoch->index))
        status = offer_checkpoint(trainer);
out:
    return status;
}

static cnn_status run(cnn_trainer *trainer)
{
    cnn_status status = CNN_OK;
    while (trainer->loop.epoch < 0 || !cnn_trainer_position(trainer).complete) {
        cnn_epoch epoch = {
            .index = trainer->loop.epoch, .loss = NAN, .seconds = NAN, .images_per_second = NAN};
        if (epoch.index >= 0)
            CNN_TRY(train_epoch(&epoch, trainer));
        CNN_TRY(close_epoch(&epoch, trainer));
    }
out:
    return status;
}

static void begin(cnn_trainer *trainer, const cnn_train_callbacks *callbacks)
{
    cnn_loop *loop = &trainer->loop;
    trainer->moment = CNN_RUNNING;
    trainer->callbacks = callbacks;
    loop->ranks = trainer->ranks;
    loop->plan = trainer->plan;
    loop->sentinel = trainer->sentinel;
    loop->feed = &trainer->train;
    loop->training = true;
    loop->phase = "train";
    loop->options = &trainer->options;
    loop->epoch_steps = cnn_trainer_position(trainer).steps;
    loop->seed = trainer->options.seed;
    loop->tick = tick;
    loop->save = offer_checkpoint;
    loop->save_every = (uint64_t)trainer->options.checkpoint_steps;
    loop->user = trainer;
}

/* A trainer that a callback destroyed goes now. */
static cnn_status end(cnn_trainer *trainer, cnn_status status)
{
    bool unwanted = trainer->unwanted;
    trainer->callbacks = NULL;
    trainer->moment = CNN_IDLE;
    if (!unwanted)
        return status;
    cnn_trainer_destroy(trainer);
    return cnn_fail(CNN_ERROR_STOPPED, "stopped: the trainer was destroyed in a callback");
}

static cnn_status run_rank(cnn_trainer *trainer)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_model_set_data(trainer->model, trainer->dataset));
    CNN_TRY(cnn_trainer_compare_position(trainer));
    CNN_TRY(cnn_comm_agree(trainer->comm, cnn_trainer_keep(trainer, tick)));
    status = run(trainer);
out:
    /* All were told to stop; of a failure the others do not know. */
    if (status != CNN_OK && status != CNN_ERROR_STOPPED)
        cnn_comm_abort(trainer->comm, status, cnn_error_message());
    return status;
}

static cnn_status follow(cnn_trainer *trainer)
{
    return cnn_trainer_run(trainer, NULL);
}

/* On every device of this process. */
static cnn_status run_all(cnn_trainer *trainer)
{
    cnn_status status = cnn_trainer_start_workers(trainer, follow);
    if (status == CNN_OK)
        status = run_rank(trainer);
    else
        cnn_comm_abort(trainer->comm, status, cnn_error_message());
    cnn_trainer_join_workers(trainer);
    return status;
}

cnn_status cnn_trainer_run(cnn_trainer *trainer, const cnn_train_callbacks *callbacks)
{
    CNN_NEED(trainer);
    if (trainer->moment != CNN_IDLE)
        return cnn_fail(CNN_ERROR_ARGUMENT, "cnn_trainer_run: expected a trainer that is not "
                                            "running, found a call from one of its callbacks");
    cnn_status status = cnn_device_check_process(trainer->device);
    if (status != CNN_OK)
        return status;
    begin(trainer, callbacks);
    status = run_all(trainer);
    trainer->blames_device =
        status == CNN_ERROR_ARITHMETIC && cnn_sentinel_is_verdict(cnn_error_message());
    /* A stopped run keeps the steps that it made; the reason to stop stays the message. */
    if (status == CNN_ERROR_STOPPED) {
        cnn_status copied = cnn_trainer_update_model(trainer);
        if (copied != CNN_OK)
            status = copied;
    }
    return end(trainer, status);
}

cnn_status cnn_trainer_train_batches(cnn_trainer *trainer, size_t batches,
                                     const cnn_train_callbacks *callbacks)
{
    cnn_loop *loop = &trainer->loop;
    size_t images = batches * (size_t)trainer->train.batch;
    begin(trainer, callbacks);
    loop->epoch = 0;
    loop->sums = (cnn_loop_sums){0};
    cnn_trainer_shuffle(trainer, loop->epoch);
    cnn_status status = cnn_feed_set_order(loop->feed, trainer->order, images);
    if (status == CNN_OK)
        status = cnn_loop_run(loop);
    return end(trainer, status);
}
