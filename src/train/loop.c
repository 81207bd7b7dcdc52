#include "train/loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"
#include "optim/rate.h"
#include "train/pace.h"

cnn_status cnn_check_dataset(const cnn_network *network, const cnn_dataset *dataset)
{
    const int *want = network->input, *have = cnn_dataset_shape(dataset);
    if (want[0] != have[0] || want[1] != have[1] || want[2] != have[2])
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: images of %d,%d,%d (channels,height,width), but the network takes "
                        "%d,%d,%d: set --xdim or choose another data set",
                        cnn_dataset_source(dataset), have[0], have[1], have[2], want[0], want[1],
                        want[2]);
    int classes = cnn_dataset_class_count(dataset);
    if (classes > network->classes)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: labels up to %d, but the network tells only %d classes apart: use "
                        "--ydim %d or more",
                        cnn_dataset_source(dataset), classes - 1, network->classes, classes);
    return CNN_OK;
}

/* A pass on its way. */
typedef struct loop_run {
    cnn_loop *loop;
    cnn_pace pace;
    size_t first, steps; /* batches done before, and of the pass */
    double start;        /* of cnn_seconds(), as if the pass had not been interrupted */
    float *losses;       /* (steps): room for the tally */
    uint32_t *hits;      /* (steps) */
} loop_run;

static cnn_status run_piece(cnn_loop *loop, cnn_pass *pass, size_t index)
{
    cnn_plan *plan = loop->plan;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_piece(pass, loop->feed, plan, index));
    CNN_TRY(cnn_plan_forward(plan, pass));
    CNN_TRY(cnn_plan_loss(plan, pass, index));
    if (loop->training)
        status = cnn_plan_backward(plan, pass);
out:
    return status;
}

/* A batch in one piece, or more. */
static cnn_status run_step(loop_run *run, size_t index)
{
    cnn_loop *loop = run->loop;
    cnn_status status = CNN_OK;
    cnn_pass pass = {.training = loop->training, .seed = loop->seed, .step = loop->step};
    do {
        pass.before += pass.n;
        CNN_TRY(run_piece(loop, &pass, index));
        if (pass.after > 0)
            CNN_TRY(cnn_pace_pass(&run->pace));
    } while (pass.after > 0);
    if (loop->training) {
        cnn_rate rate = cnn_rate_at(loop->options, loop->epoch_steps, loop->step);
        loop->step++;
        loop->plan->optimizer.momentum = rate.momentum;
        CNN_TRY(cnn_plan_update(loop->plan, rate.lr, loop->step));
    }
    if (loop->after_step)
        status = loop->after_step(index, cnn_pass_whole(&pass), loop->after_user);
out:
    return status;
}

static cnn_status fail_not_finite(const cnn_loop *loop, double loss, int step, size_t steps)
{
    char epoch[48] = "";
    if (loop->epoch >= 0)
        snprintf(epoch, sizeof epoch, "epoch %d, ", loop->epoch);
    return cnn_fail(CNN_ERROR_ARITHMETIC, "the loss is not finite (%g) in %s%s step %d of %zu: %s",
                    loss, epoch, loop->training ? "training" : "evaluation", step + 1, steps,
                    loop->step > 0 || loop->training
                        ? "lower the learning rate (--lr)"
                        : "the model's values are beyond float's range");
}

/* Waits for the steps in flight, and adds what the first `upto` steps of the pass gave to the sums.
 * In double, one by one in their order: so when it is called makes no difference. */
static cnn_status collect(loop_run *run, size_t upto)
{
    cnn_loop *loop = run->loop;
    cnn_loop_sums *sums = &loop->sums;
    size_t from = sums->steps, count = loop->feed->count, batch = (size_t)loop->feed->batch;
    int bad = -1;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pace_drain(&run->pace));
    CNN_TRY(
        cnn_softmax_read(run->losses, run->hits, &bad, &loop->plan->softmax, from, upto - from));
    if (bad >= 0) {
        double loss = (double)run->losses[(size_t)bad - from];
        status = fail_not_finite(loop, loss, bad, run->steps);
        goto out;
    }
    for (size_t i = from; i < upto; i++) {
        double loss = (double)run->losses[i - from];
        size_t n = i + 1 < run->steps ? batch : count - i * batch;
        sums->batch_loss += loss / (double)run->steps;
        sums->sample_loss += loss * (double)n / (double)count;
        sums->hits += run->hits[i - from];
    }
    sums->steps = upto;
    loop->read_at = cnn_seconds();
    sums->seconds = loop->read_at - run->start;
out:
    return status;
}

/* Steps of the pass that are known to be done. */
static size_t count_complete(const loop_run *run)
{
    const cnn_feed *feed = run->loop->feed;
    size_t pieces = cnn_divide_up((size_t)feed->batch, (size_t)feed->piece);
    size_t known = run->loop->sums.steps, paced = run->first + run->pace.complete / pieces;
    return cnn_larger(known, paced);
}

static bool tick(const loop_run *run)
{
    const cnn_loop *loop = run->loop;
    if (!loop->tick)
        return true;
    size_t complete = count_complete(run), count = loop->feed->count;
    size_t images = complete * (size_t)loop->feed->batch;
    double known = (double)loop->sums.steps;
    cnn_progress progress = {
        .epoch = loop->epoch,
        .phase = loop->phase,
        .step = complete,
        .steps = run->steps,
        .images = images < count ? images : count,
        .seconds = cnn_seconds() - run->start,
        .loss = known > 0.0 ? loop->sums.batch_loss * (double)run->steps / known : NAN,
    };
    return loop->tick(&progress, loop->user);
}

/* One step, and what is due after it. */
static cnn_status advance(loop_run *run, size_t index)
{
    static const double read_every = 0.1; /* seconds: rare enough to cost nothing */
    cnn_loop *loop = run->loop;
    cnn_status status = CNN_OK;
    CNN_TRY(run_step(run, index));
    CNN_TRY(cnn_pace_pass(&run->pace));
    if (index + 1 < run->steps && cnn_seconds() - loop->read_at > read_every)
        CNN_TRY(collect(run, index + 1));
    bool stop = !tick(run);
    bool save = loop->save_every > 0 && loop->step % loop->save_every == 0;
    if (stop || save)
        CNN_TRY(collect(run, index + 1));
    if (save)
        CNN_TRY(loop->save(loop->user));
    if (stop)
        status =
            cnn_fail(CNN_ERROR_STOPPED, "stopped after step %zu of %zu", index + 1, run->steps);
out:
    return status;
}

cnn_status cnn_loop_run(cnn_loop *loop)
{
    loop_run run = {
        .loop = loop, .first = loop->sums.steps, .steps = cnn_feed_batch_count(loop->feed)};
    cnn_status status = CNN_OK;
    cnn_pace_init(&run.pace, loop->plan->device);
    CNN_TRY(cnn_allocate(&run.losses, run.steps, sizeof *run.losses, "the losses"));
    CNN_TRY(cnn_allocate(&run.hits, run.steps, sizeof *run.hits, "the hits"));
    CNN_TRY(cnn_softmax_reset(&loop->plan->softmax));
    run.start = cnn_seconds() - loop->sums.seconds;
    if (loop->read_at == 0.0)
        loop->read_at = run.start;
    for (size_t i = run.first; i < run.steps; i++)
        CNN_TRY(advance(&run, i));
    CNN_TRY(collect(&run, run.steps));
    if (!tick(&run))
        status = cnn_fail(CNN_ERROR_STOPPED, "stopped after the last step of %zu", run.steps);
out:
    cnn_pace_finish(&run.pace);
    free(run.losses);
    free(run.hits);
    return status;
}
