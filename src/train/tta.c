/* Test-time augmentation: the mean of the probabilities of an image and its mirror, as Krizhevsky
 * et al. 2012 have it of ten crops and mirrors. On the host: a batch's logits are few. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"
#include "train/predictor.h"
#include "train/ranks.h"

/* log(sum(exp(logits))), without overflow. */
static double log_sum(const float *logits, size_t classes)
{
    double most = (double)logits[0], sum;
    for (size_t c = 1; c < classes; c++)
        most = fmax(most, (double)logits[c]);
    sum = exp((double)logits[0] - most);
    for (size_t c = 1; c < classes; c++)
        sum += exp((double)logits[c] - most);
    return most + log(sum);
}

void cnn_tta_mean(float *logits, const float *mirrored, size_t n, size_t classes)
{
    for (size_t i = 0; i < n; i++) {
        float *own = logits + i * classes;
        const float *other = mirrored + i * classes;
        double sum = log_sum(own, classes), other_sum = log_sum(other, classes);
        for (size_t c = 0; c < classes; c++) {
            double a = (double)own[c] - sum, b = (double)other[c] - other_sum;
            own[c] = (float)(fmax(a, b) + log1p(exp(-fabs(a - b))) - log(2.0));
        }
    }
}

/* What a sample gave. */
typedef struct verdict {
    cnn_prediction taken_for;
    float log; /* of its label's probability */
} verdict;

/* While a split is evaluated. */
typedef struct mirror_run {
    cnn_predictor *predictor;
    cnn_feed feed;
    const uint16_t *labels; /* (count) of the split */
    verdict *verdicts;      /* likewise */
} mirror_run;

/* Logits (n, classes) of a batch as it is, or mirrored. */
static cnn_status run_batch(float *logits, int *n, mirror_run *run, size_t index, bool mirrored)
{
    cnn_plan *plan = run->predictor->plan;
    size_t classes = (size_t)plan->network->classes;
    cnn_pass pass = {0};
    cnn_status status = CNN_OK;
    run->feed.mirrored = mirrored;
    CNN_TRY(cnn_feed_piece(&pass, &run->feed, plan, index));
    CNN_TRY(cnn_plan_forward(plan, &pass));
    CNN_TRY(cnn_buffer_read(logits, cnn_plan_logits(plan), 0,
                            (size_t)pass.n * classes * sizeof *logits));
    *n = pass.n;
out:
    return status;
}

/* Of a sample with these logarithms of probabilities. */
static verdict judge(const float *logs, int label, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logs[c] > logs[best])
            best = c;
    return (verdict){{best, expf(logs[best])}, logs[label]};
}

static cnn_status judge_batch(mirror_run *run, size_t index)
{
    cnn_predictor *predictor = run->predictor;
    size_t classes = (size_t)predictor->plan->network->classes;
    size_t first = index * (size_t)predictor->batch;
    double loss = 0.0;
    int n = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(run_batch(predictor->own, &n, run, index, false));
    CNN_TRY(run_batch(predictor->mirrored, &n, run, index, true));
    cnn_tta_mean(predictor->own, predictor->mirrored, (size_t)n, classes);
    for (size_t i = 0; i < (size_t)n; i++) {
        verdict *at = &run->verdicts[first + i];
        *at = judge(predictor->own + i * classes, run->labels[first + i], (int)classes);
        loss -= (double)at->log;
    }
    if (!isfinite(loss))
        status = cnn_fail(CNN_ERROR_ARITHMETIC,
                          "the loss is not finite (%g) in evaluation step %zu of %zu: the model's "
                          "values are beyond float's range",
                          loss, index + 1, cnn_feed_batch_count(&run->feed));
out:
    return status;
}

/* This rank's batches; in the end rank 0 has all verdicts. */
static cnn_status judge_share(mirror_run *run)
{
    cnn_ranks *ranks = run->predictor->ranks;
    size_t begin = 0, end = cnn_feed_batch_count(&run->feed);
    cnn_status status = CNN_OK;
    if (ranks)
        cnn_ranks_share(&begin, &end, ranks, ranks->comm->rank, end);
    for (size_t i = begin; i < end; i++)
        CNN_TRY(judge_batch(run, i));
    if (ranks)
        status = cnn_ranks_collect(ranks, run->verdicts, run->feed.count, sizeof *run->verdicts,
                                   (size_t)run->feed.batch);
out:
    return status;
}

/* One after the other: so the sum is that of one rank. */
static cnn_evaluation add_verdicts(const mirror_run *run, cnn_prediction *predictions)
{
    size_t count = run->feed.count, hits = 0;
    double loss = 0.0;
    for (size_t i = 0; i < count; i++) {
        const verdict *at = &run->verdicts[i];
        loss -= (double)at->log;
        hits += at->taken_for.label == run->labels[i];
        if (predictions)
            predictions[i] = at->taken_for;
    }
    return (cnn_evaluation){.loss = loss / (double)count,
                            .accuracy = (double)hits / (double)count,
                            .hits = hits,
                            .count = count};
}

cnn_status cnn_tta_evaluate(cnn_evaluation *evaluation, cnn_prediction *predictions,
                            cnn_predictor *predictor, const cnn_dataset *dataset, cnn_split split)
{
    mirror_run run = {.predictor = predictor, .labels = cnn_dataset_labels(dataset, split)};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_init(&run.feed, predictor->device, dataset, split, predictor->batch,
                          predictor->batch, true));
    CNN_TRY(cnn_allocate(&run.verdicts, run.feed.count, sizeof *run.verdicts, "an evaluation"));
    CNN_TRY(judge_share(&run));
    *evaluation = add_verdicts(&run, predictions);
    if (predictor->ranks)
        status = cnn_comm_broadcast(predictor->ranks->comm, evaluation, sizeof *evaluation);
out:
    free(run.verdicts);
    cnn_feed_finish(&run.feed);
    return status;
}
