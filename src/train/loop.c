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
#include "train/ranks.h"

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
    bool stopped;        /* in an evaluation that ranks share */
    double start;        /* of cnn_seconds(), as if the pass had not been interrupted */
    size_t at;           /* the step under way */
    size_t parts;        /* of a step that have a slot of the tally each: slices, or 1 */
    float *losses;       /* (steps, parts): room for the tally */
    uint32_t *hits;      /* (steps, parts) */
} loop_run;

/* Steps of the pass that are known to be done. */
static size_t count_complete(const loop_run *run)
{
    const cnn_feed *feed = run->loop->feed;
    size_t pieces =
        run->parts > 1 ? run->parts : cnn_divide_up((size_t)feed->batch, (size_t)feed->piece);
    size_t known = run->loop->sums.steps, paced = run->first + run->pace.complete / pieces;
    const cnn_ranks *ranks = run->loop->ranks;
    if (ranks && run->loop->training) /* each step is waited for */
        paced = run->at;
    else if (ranks) /* the others are as far */
        paced = cnn_smaller(run->steps, paced * (size_t)ranks->comm->size);
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

static bool is_time_to_read(const loop_run *run, size_t index)
{
    static const double read_every = 0.1; /* seconds: rare enough to cost nothing */
    return index + 1 < run->steps && cnn_seconds() - run->loop->read_at > read_every;
}

/* Rank 0 says what is due behind the step that is under way. */
static void give_orders(loop_run *run)
{
    cnn_ranks *ranks = run->loop->ranks;
    if (ranks->comm->rank > 0)
        return;
    ranks->collect = is_time_to_read(run, run->at);
    ranks->stop = !tick(run);
}

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
static cnn_status run_pieces(loop_run *run, cnn_pass *pass, size_t index)
{
    cnn_status status = CNN_OK;
    do {
        pass->before += pass->n;
        CNN_TRY(run_piece(run->loop, pass, index));
        if (pass->after > 0)
            CNN_TRY(cnn_pace_pass(&run->pace));
    } while (pass->after > 0);
out:
    return status;
}

/* What is whole of the gradients goes to the other ranks meanwhile. */
static cnn_status overlap(cnn_loop *loop, const cnn_pass *pass)
{
    cnn_plan *plan = loop->plan;
    cnn_status status = CNN_OK;
    for (int i = plan->step_count - 1; i >= 0; i--) {
        CNN_TRY(cnn_plan_backward_step(plan, i, pass));
        CNN_TRY(cnn_buckets_read(&loop->ranks->buckets, plan, i));
    }
out:
    return status;
}

/* *overlaps: whether its backward may be that of the last slice, and then whether it was. */
static cnn_status run_slice(cnn_loop *loop, cnn_pass *pass, size_t index, const cnn_cut *cut,
                            int slice, bool *overlaps)
{
    cnn_plan *plan = loop->plan;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_slice(pass, loop->feed, plan, index, cut, slice));
    CNN_TRY(cnn_plan_forward(plan, pass));
    CNN_TRY(cnn_plan_loss(plan, pass, index * (size_t)cut->slices + (size_t)slice));
    if (*overlaps)
        CNN_TRY(cnn_ranks_overlap(overlaps, loop->ranks, &plan->slices, slice));
    CNN_TRY(*overlaps ? overlap(loop, pass) : cnn_plan_backward(plan, pass));
    status = cnn_slices_put(&plan->slices, slice, plan->gradients.mem, plan->statistics.mem);
out:
    return status;
}

static int count_filled(const cnn_cut *cut, int begin, int end)
{
    int count = 0;
    for (int slice = begin; slice < end; slice++)
        count += cnn_cut_begin(cut, slice) < cnn_cut_begin(cut, slice + 1);
    return count;
}

/* Those of the slices that are this rank's: from begin to end - 1. */
static void find_slices(int *begin, int *end, const loop_run *run, const cnn_cut *cut)
{
    const cnn_ranks *ranks = run->loop->ranks;
    *begin = ranks ? ranks->deal[ranks->comm->rank] : 0;
    *end = ranks ? ranks->deal[ranks->comm->rank + 1] : cut->slices;
}

/* A batch in slices: this rank's, or all. */
static cnn_status run_slices(loop_run *run, cnn_pass *pass, size_t index)
{
    cnn_ranks *ranks = run->loop->ranks;
    cnn_plan *plan = run->loop->plan;
    const cnn_cut cut = {cnn_feed_batch_size(run->loop->feed, index), plan->options.slices};
    int begin, end;
    bool overlaps = false;
    cnn_status status = CNN_OK;
    double start = cnn_seconds();
    find_slices(&begin, &end, run, &cut);
    int left = count_filled(&cut, begin, end), all = left;
    bool may_overlap = ranks && cnn_ranks_may_overlap(ranks);
    if (ranks)
        CNN_TRY(cnn_ranks_begin(ranks, plan));
    CNN_TRY(cnn_slices_begin(&plan->slices, &cut, &plan->statistics, ranks ? cnn_ranks_give : NULL,
                             ranks));
    for (int slice = begin; slice < end; slice++) {
        if (cnn_cut_begin(&cut, slice) == cnn_cut_begin(&cut, slice + 1))
            continue;
        if (left < all) {
            CNN_TRY(cnn_pace_pass(&run->pace));
            CNN_TRY(cnn_slices_restore(&plan->slices, &plan->statistics));
        }
        left--;
        overlaps = may_overlap && left == 0;
        CNN_TRY(run_slice(run->loop, pass, index, &cut, slice, &overlaps));
    }
    CNN_TRY(cnn_slices_end(&plan->slices));
    if (!ranks)
        return CNN_OK;
    if (!overlaps &&
        cut.samples == cnn_feed_batch_size(run->loop->feed, 0)) /* not of a short one, the last */
        cnn_ranks_note(ranks, end - begin, cnn_seconds() - start); /* it was waited for */
    give_orders(run);
    status = cnn_ranks_sum(ranks, &plan->slices, &cut);
out:
    return status;
}

/* Passes of a step on this rank. */
static int count_passes(const loop_run *run, size_t index)
{
    const cnn_loop *loop = run->loop;
    const cnn_cut cut = {cnn_feed_batch_size(loop->feed, index), loop->plan->options.slices};
    int begin, end;
    if (cut.slices == 0)
        return (int)cnn_divide_up((size_t)cut.samples, (size_t)loop->feed->piece);
    find_slices(&begin, &end, run, &cut);
    return count_filled(&cut, begin, end);
}

static cnn_status run_step(loop_run *run, size_t index)
{
    cnn_loop *loop = run->loop;
    cnn_status status = CNN_OK;
    cnn_pass pass = {.training = loop->training, .seed = loop->seed, .step = loop->step};
    if (loop->sentinel)
        cnn_sentinel_begin(loop->sentinel, loop->step, count_passes(run, index));
    if (loop->training && loop->plan->options.slices > 0)
        CNN_TRY(run_slices(run, &pass, index));
    else
        CNN_TRY(run_pieces(run, &pass, index));
    if (loop->training) {
        cnn_rate rate = cnn_rate_at(loop->options, loop->epoch_steps, loop->step);
        loop->step++;
        loop->plan->optimizer.momentum = rate.momentum;
        CNN_TRY(cnn_plan_update(loop->plan, rate.lr, loop->step));
    }
    if (loop->after_step)
        status = loop->after_step(index, cnn_pass_whole(&pass), loop->after_user);
out:
    cnn_sentinel_end(loop->sentinel);
    return status;
}

/* who: the rank; -1 where there are no others. */
static cnn_status fail_not_finite(const loop_run *run, const cnn_tally *tally, int who)
{
    const cnn_loop *loop = run->loop;
    double loss = (double)run->losses[(size_t)tally->bad - tally->from * run->parts];
    char epoch[48] = "";
    if (loop->epoch >= 0)
        snprintf(epoch, sizeof epoch, "epoch %d, ", loop->epoch);
    return cnn_fail(
        CNN_ERROR_ARITHMETIC, "%s%sthe loss is not finite (%g) in %s%s step %d of %zu: %s",
        who >= 0 ? loop->ranks->comm->places[who].text : "", who >= 0 ? ": " : "", loss, epoch,
        loop->training ? "training" : "evaluation", tally->bad / (int)run->parts + 1, run->steps,
        loop->step > 0 || loop->training ? "lower the learning rate (--lr)"
                                         : "the model's values are beyond float's range");
}

/* The loss of a step, of number `at` of those that were read: the sum of its parts'. */
static double add_parts(size_t *hits, const loop_run *run, size_t index, size_t at)
{
    const cnn_cut cut = {cnn_feed_batch_size(run->loop->feed, index), (int)run->parts};
    double loss = 0.0;
    for (int part = 0; part < cut.slices; part++) {
        size_t place = at * run->parts + (size_t)part;
        if (cnn_cut_begin(&cut, part) == cnn_cut_begin(&cut, part + 1))
            continue;
        loss += (double)run->losses[place];
        *hits += run->hits[place];
    }
    return loss;
}

/* Reads what steps gave, on all ranks. */
static cnn_status read_tally(const loop_run *run, cnn_tally *tally, int *who)
{
    const cnn_loop *loop = run->loop;
    cnn_status status = cnn_softmax_read(run->losses, run->hits, &tally->bad, &loop->plan->softmax,
                                         tally->from * run->parts, tally->count * run->parts);
    if (status == CNN_OK && loop->ranks)
        status = cnn_ranks_gather(loop->ranks, tally, who);
    return status;
}

/* Adds what a tally says. In double, one by one in their order: so when it is read makes no
 * difference. */
static void add_tally(loop_run *run, size_t from, size_t upto)
{
    cnn_loop *loop = run->loop;
    cnn_loop_sums *sums = &loop->sums;
    size_t count = loop->feed->count, batch = (size_t)loop->feed->batch;
    for (size_t i = from; i < upto; i++) {
        double loss = add_parts(&sums->hits, run, i, i - from);
        size_t n = i + 1 < run->steps ? batch : count - i * batch;
        sums->batch_loss += loss / (double)run->steps;
        sums->sample_loss += loss * (double)n / (double)count;
    }
    sums->steps = upto;
    loop->read_at = cnn_seconds();
    sums->seconds = loop->read_at - run->start;
}

/* Waits for the steps in flight, and adds what the first `upto` steps of the pass gave to the sums,
 * which are rank 0's on all. */
static cnn_status collect(loop_run *run, size_t upto)
{
    cnn_loop *loop = run->loop;
    size_t from = loop->sums.steps;
    cnn_tally tally = {.losses = run->losses,
                       .hits = run->hits,
                       .from = from,
                       .count = upto - from,
                       .parts = run->parts,
                       .all = run->steps,
                       .training = loop->training,
                       .stopped = run->stopped};
    int who = -1;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pace_drain(&run->pace));
    double begun = cnn_timeline_now(loop->timeline);
    CNN_TRY(read_tally(run, &tally, &who));
    if (tally.bad >= 0)
        return fail_not_finite(run, &tally, who);
    if (tally.stopped)
        return cnn_fail(CNN_ERROR_STOPPED, "stopped in an evaluation of %zu steps", run->steps);
    add_tally(run, from, upto);
    if (loop->ranks)
        CNN_TRY(cnn_comm_broadcast(loop->ranks->comm, &loop->sums, sizeof loop->sums));
    if (loop->ranks)
        cnn_timeline_add(loop->timeline, CNN_TIMELINE_TALLY, begun, 0);
out:
    return status;
}

/* One step, and what is due after it. */
static cnn_status advance(loop_run *run, size_t index)
{
    cnn_loop *loop = run->loop;
    bool ordered = loop->ranks && loop->training;
    cnn_status status = CNN_OK;
    run->at = index;
    double begun = cnn_timeline_now(loop->timeline);
    CNN_TRY(run_step(run, index));
    CNN_TRY(cnn_pace_pass(&run->pace));
    if (ordered ? loop->ranks->collect : is_time_to_read(run, index))
        CNN_TRY(collect(run, index + 1));
    bool stop = ordered ? loop->ranks->stop : !tick(run);
    bool save = loop->save_every > 0 && loop->step % loop->save_every == 0;
    if (stop || save)
        CNN_TRY(collect(run, index + 1));
    if (save)
        CNN_TRY(loop->save(loop->user));
    if (stop)
        status =
            cnn_fail(CNN_ERROR_STOPPED, "stopped after step %zu of %zu", index + 1, run->steps);
    cnn_timeline_add(loop->timeline, CNN_TIMELINE_STEP, begun, 0);
out:
    return status;
}

static cnn_status run_steps(loop_run *run)
{
    cnn_status status = CNN_OK;
    for (size_t i = run->first; status == CNN_OK && i < run->steps; i++)
        status = advance(run, i);
    return status;
}

/* This rank's batches. Rank 0 may stop, which the others hear at the end. */
static cnn_status evaluate_share(loop_run *run)
{
    const cnn_ranks *ranks = run->loop->ranks;
    size_t begin, end;
    cnn_status status = CNN_OK;
    cnn_ranks_share(&begin, &end, ranks, ranks->comm->rank, run->steps);
    for (size_t i = begin; i < end && !run->stopped; i++) {
        CNN_TRY(run_step(run, i));
        CNN_TRY(cnn_pace_pass(&run->pace));
        run->stopped = ranks->comm->rank == 0 && !tick(run);
    }
out:
    return status;
}

cnn_status cnn_loop_run(cnn_loop *loop)
{
    loop_run run = {
        .loop = loop, .first = loop->sums.steps, .steps = cnn_feed_batch_count(loop->feed)};
    run.parts =
        loop->training && loop->plan->options.slices > 0 ? (size_t)loop->plan->options.slices : 1;
    size_t slots = run.steps * run.parts;
    cnn_status status = CNN_OK;
    cnn_pace_init(&run.pace, loop->plan->device);
    CNN_TRY(cnn_allocate(&run.losses, slots, sizeof *run.losses, "the losses"));
    CNN_TRY(cnn_allocate(&run.hits, slots, sizeof *run.hits, "the hits"));
    CNN_TRY(cnn_softmax_reset(&loop->plan->softmax));
    run.start = cnn_seconds() - loop->sums.seconds;
    if (loop->read_at == 0.0)
        loop->read_at = run.start;
    CNN_TRY(loop->ranks && !loop->training ? evaluate_share(&run) : run_steps(&run));
    CNN_TRY(collect(&run, run.steps));
    if (!loop->ranks && !tick(&run))
        status = cnn_fail(CNN_ERROR_STOPPED, "stopped after the last step of %zu", run.steps);
out:
    cnn_pace_finish(&run.pace);
    free(run.losses);
    free(run.hits);
    return status;
}
