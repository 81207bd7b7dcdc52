#include "train/loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "train/pace.h"

cnn_status cnn_check_dataset(const cnn_network *network, const cnn_dataset *dataset)
{
    const int *want = network->config.xdim, *have = cnn_dataset_shape(dataset);
    if (want[0] != have[0] || want[1] != have[1] || want[2] != have[2])
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: images of %d,%d,%d (channels,height,width), but the network takes "
                        "%d,%d,%d: set --xdim or choose another data set",
                        cnn_dataset_source(dataset), have[0], have[1], have[2], want[0], want[1],
                        want[2]);
    int classes = cnn_dataset_class_count(dataset);
    if (classes > network->config.ydim)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: labels up to %d, but the network tells only %d classes apart: use "
                        "--ydim %d or more",
                        cnn_dataset_source(dataset), classes - 1, network->config.ydim, classes);
    return CNN_OK;
}

static cnn_status run_step(cnn_loop *loop, size_t index)
{
    cnn_plan *plan = loop->plan;
    cnn_status status = CNN_OK;
    cnn_pass pass = {.training = loop->training, .seed = loop->seed, .step = loop->step};
    CNN_TRY(cnn_feed_batch(&pass.n, loop->feed, plan, index));
    CNN_TRY(cnn_plan_forward(plan, &pass));
    CNN_TRY(cnn_plan_loss(plan, pass.n, index));
    if (loop->training) {
        CNN_TRY(cnn_plan_backward(plan, &pass));
        loop->step++;
        CNN_TRY(cnn_plan_update(plan, loop->lr, loop->step));
    }
    if (loop->after_step)
        status = loop->after_step(index, pass.n, loop->after_user);
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

/* Sums the tally in double. */
static cnn_status read_tally(cnn_loop_result *result, const cnn_loop *loop, size_t steps)
{
    float *losses = NULL;
    uint32_t *hits = NULL;
    int bad = -1;
    size_t count = cnn_feed_count(loop->feed), batch = (size_t)loop->feed->batch;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&losses, steps, sizeof *losses, "the losses"));
    CNN_TRY(cnn_allocate(&hits, steps, sizeof *hits, "the hits"));
    CNN_TRY(cnn_softmax_read(losses, hits, &bad, &loop->plan->softmax, steps));
    if (bad >= 0) {
        status = fail_not_finite(loop, (double)losses[bad], bad, steps);
        goto out;
    }
    for (size_t i = 0; i < steps; i++) {
        size_t n = i + 1 < steps ? batch : count - i * batch;
        result->batch_loss += (double)losses[i] / (double)steps;
        result->sample_loss += (double)losses[i] * (double)n / (double)count;
        result->hits += hits[i];
    }
    result->count = count;
out:
    free(losses);
    free(hits);
    return status;
}

/* Has a loss been bad by now? Waits for the steps in flight. */
static cnn_status check_bad(const cnn_loop *loop, size_t steps)
{
    const cnn_softmax *softmax = &loop->plan->softmax;
    float loss;
    int bad;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_softmax_read_bad(&bad, &loss, softmax));
    if (bad >= 0)
        status = fail_not_finite(loop, (double)loss, bad, steps);
out:
    return status;
}

static bool tick(const cnn_loop *loop, const cnn_pace *pace, size_t steps, double start)
{
    if (!loop->tick)
        return true;
    size_t images = pace->complete * (size_t)loop->feed->batch, count = cnn_feed_count(loop->feed);
    return loop->tick(pace->complete, steps, images < count ? images : count, cnn_seconds() - start,
                      loop->user);
}

cnn_status cnn_loop_run(cnn_loop_result *result, cnn_loop *loop)
{
    static const double check_every = 1.0; /* seconds: rare enough to cost nothing */
    size_t steps = cnn_feed_batch_count(loop->feed);
    double start = cnn_seconds(), checked = start;
    cnn_pace pace;
    cnn_status status = CNN_OK;
    *result = (cnn_loop_result){0};
    cnn_pace_init(&pace, loop->plan->device);
    CNN_TRY(cnn_softmax_reset(&loop->plan->softmax));
    for (size_t i = 0; i < steps; i++) {
        CNN_TRY(run_step(loop, i));
        CNN_TRY(cnn_pace_step(&pace));
        bool go_on = tick(loop, &pace, steps, start);
        if (!go_on || cnn_seconds() - checked > check_every) {
            CNN_TRY(check_bad(loop, steps));
            checked = cnn_seconds();
        }
        if (!go_on) {
            status = cnn_fail(CNN_ERROR_STOPPED, "stopped after step %zu of %zu", i + 1, steps);
            goto out;
        }
    }
    CNN_TRY(cnn_pace_drain(&pace));
    CNN_TRY(read_tally(result, loop, steps));
    result->seconds = cnn_seconds() - start;
    if (!tick(loop, &pace, steps, start))
        status = cnn_fail(CNN_ERROR_STOPPED, "stopped after the last step of %zu", steps);
out:
    cnn_pace_finish(&pace);
    return status;
}
