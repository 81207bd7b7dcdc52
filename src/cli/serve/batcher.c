#include "cli/serve/batcher.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cli/session.h"

/* What one request waits for. Its thread owns it. */
typedef struct job {
    const float *input;
    float *logits;
    char *message;
    cnn_status status;
    bool done;
    pthread_cond_t ended;
    struct job *next;
} job;

struct cli_batcher {
    cnn_predictor *predictor;
    size_t input_size, classes;
    int batch;
    float *inputs, *logits; /* (batch, C, H, W), (batch, classes): the worker's */
    job **taken;            /* (batch): the worker's */
    pthread_t worker;
    bool started;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t arrived;
    job *first, *last;
    bool stopping;
    cli_batcher_counts counts;
};

/* Waits for work. Returns how many jobs were taken, 0 to stop. */
static int take_jobs(cli_batcher *batcher)
{
    int count = 0;
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->first && !batcher->stopping)
        pthread_cond_wait(&batcher->arrived, &batcher->lock);
    for (; batcher->first && count < batcher->batch; batcher->first = batcher->first->next)
        batcher->taken[count++] = batcher->first;
    pthread_mutex_unlock(&batcher->lock);
    return count;
}

static void end_jobs(cli_batcher *batcher, int count, cnn_status status)
{
    pthread_mutex_lock(&batcher->lock);
    batcher->counts.batches++;
    batcher->counts.images += (unsigned)count;
    if (count > batcher->counts.largest)
        batcher->counts.largest = count;
    for (int i = 0; i < count; i++) {
        job *at = batcher->taken[i];
        memcpy(at->logits, batcher->logits + (size_t)i * batcher->classes,
               batcher->classes * sizeof(float));
        snprintf(at->message, CLI_BATCHER_MESSAGE, "%s",
                 status == CNN_OK ? "" : cnn_error_message());
        at->status = status;
        at->done = true;
        pthread_cond_signal(&at->ended);
    }
    pthread_mutex_unlock(&batcher->lock);
}

static void *work(void *user)
{
    cli_batcher *batcher = user;
    for (int count; (count = take_jobs(batcher)) > 0;) {
        for (int i = 0; i < count; i++)
            memcpy(batcher->inputs + (size_t)i * batcher->input_size, batcher->taken[i]->input,
                   batcher->input_size * sizeof(float));
        cnn_status status =
            cnn_predictor_run(batcher->logits, batcher->predictor, batcher->inputs, (size_t)count);
        end_jobs(batcher, count, status);
    }
    return NULL;
}

static int allocate(cli_batcher *batcher, const cnn_model *model)
{
    const cnn_network *network = cnn_model_network(model);
    batcher->input_size = 1;
    for (int axis = 0; axis < 3; axis++)
        batcher->input_size *= (size_t)cnn_network_input(network)[axis];
    batcher->classes = (size_t)cnn_network_classes(network);
    size_t count = (size_t)batcher->batch;
    batcher->inputs = cli_allocate(count, batcher->input_size * sizeof(float));
    batcher->logits = cli_allocate(count, batcher->classes * sizeof(float));
    batcher->taken = cli_allocate(count, sizeof(job *));
    return batcher->inputs && batcher->logits && batcher->taken ? 0 : CLI_EXIT_FAILURE;
}

int cli_batcher_create(cli_batcher **batcher, cnn_device *device, const cnn_model *model, int batch,
                       bool fuse)
{
    int code = 0;
    cli_batcher *result = *batcher = cli_allocate(1, sizeof *result);
    if (!result)
        return CLI_EXIT_FAILURE;
    result->batch = batch;
    pthread_mutex_init(&result->lock, NULL);
    pthread_cond_init(&result->arrived, NULL);
    CLI_TRY(allocate(result, model));
    CLI_TRY(cli_check(cnn_predictor_create(&result->predictor, device, model, batch, fuse)));
    CLI_TRY(cli_check(
        cnn_predictor_run(result->logits, result->predictor, result->inputs, (size_t)batch)));
    if (pthread_create(&result->worker, NULL, work, result) != 0)
        code = cli_fail(CLI_EXIT_FAILURE, "a thread cannot be started: end other programs");
    result->started = code == 0;
out:
    if (code != 0) {
        cli_batcher_destroy(result);
        *batcher = NULL;
    }
    return code;
}

void cli_batcher_destroy(cli_batcher *batcher)
{
    if (!batcher)
        return;
    if (batcher->started) {
        pthread_mutex_lock(&batcher->lock);
        batcher->stopping = true;
        pthread_cond_signal(&batcher->arrived);
        pthread_mutex_unlock(&batcher->lock);
        pthread_join(batcher->worker, NULL);
    }
    cnn_predictor_destroy(batcher->predictor);
    pthread_mutex_destroy(&batcher->lock);
    pthread_cond_destroy(&batcher->arrived);
    free(batcher->inputs);
    free(batcher->logits);
    free(batcher->taken);
    free(batcher);
}

cnn_status cli_batcher_run(char message[CLI_BATCHER_MESSAGE], float *logits, cli_batcher *batcher,
                           const float *input)
{
    job own = {.input = input};
    /* clang-tidy sees a pointer kept here, but not in an initialiser. */
    own.logits = logits;
    own.message = message;
    pthread_cond_init(&own.ended, NULL);
    pthread_mutex_lock(&batcher->lock);
    if (batcher->first)
        batcher->last->next = &own;
    else
        batcher->first = &own;
    batcher->last = &own;
    pthread_cond_signal(&batcher->arrived);
    while (!own.done)
        pthread_cond_wait(&own.ended, &batcher->lock);
    pthread_mutex_unlock(&batcher->lock);
    pthread_cond_destroy(&own.ended);
    return own.status;
}

cli_batcher_counts cli_batcher_count(cli_batcher *batcher)
{
    pthread_mutex_lock(&batcher->lock);
    cli_batcher_counts counts = batcher->counts;
    pthread_mutex_unlock(&batcher->lock);
    return counts;
}
