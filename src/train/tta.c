/* Test-time augmentation: the mean of the probabilities of an image and its mirror, as Krizhevsky
 * et al. 2012 have it of ten crops and mirrors. On the host: a batch's logits are few. */
#include <math.h>

#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"
#include "train/predictor.h"

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

/* While a split is evaluated. */
typedef struct mirror_run {
    cnn_predictor *predictor;
    cnn_feed feed;
    cnn_prediction *predictions; /* (count) of the split; or NULL */
    const uint16_t *labels;      /* likewise */
    double loss;                 /* sum over the samples so far */
    size_t hits;
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
static void judge(mirror_run *run, const float *logs, size_t sample, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (logs[c] > logs[best])
            best = c;
    run->loss -= (double)logs[run->labels[sample]];
    run->hits += best == run->labels[sample];
    if (run->predictions)
        run->predictions[sample] = (cnn_prediction){best, expf(logs[best])};
}

static cnn_status judge_batch(mirror_run *run, size_t index)
{
    cnn_predictor *predictor = run->predictor;
    int classes = predictor->plan->network->classes, n = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(run_batch(predictor->own, &n, run, index, false));
    CNN_TRY(run_batch(predictor->mirrored, &n, run, index, true));
    cnn_tta_mean(predictor->own, predictor->mirrored, (size_t)n, (size_t)classes);
    for (int i = 0; i < n; i++)
        judge(run, predictor->own + (size_t)i * (size_t)classes,
              index * (size_t)predictor->batch + (size_t)i, classes);
    if (!isfinite(run->loss))
        status = cnn_fail(CNN_ERROR_ARITHMETIC,
                          "the loss is not finite (%g) in evaluation step %zu of %zu: the model's "
                          "values are beyond float's range",
                          run->loss, index + 1, cnn_feed_batch_count(&run->feed));
out:
    return status;
}

cnn_status cnn_tta_evaluate(cnn_evaluation *evaluation, cnn_prediction *predictions,
                            cnn_predictor *predictor, const cnn_dataset *dataset, cnn_split split)
{
    mirror_run run = {.predictor = predictor,
                      .predictions = predictions,
                      .labels = cnn_dataset_labels(dataset, split)};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_feed_init(&run.feed, predictor->device, dataset, split, predictor->batch,
                          predictor->batch, true));
    for (size_t i = 0; i < cnn_feed_batch_count(&run.feed); i++)
        CNN_TRY(judge_batch(&run, i));
    *evaluation = (cnn_evaluation){
        .loss = run.loss / (double)run.feed.count,
        .accuracy = (double)run.hits / (double)run.feed.count,
        .hits = run.hits,
        .count = run.feed.count,
    };
out:
    cnn_feed_finish(&run.feed);
    return status;
}
