/* Every image of a source, by a few threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "data/source.h"

enum { MOST_THREADS = 16, MESSAGE_SIZE = 1024 };

/* What the threads share; guarded by the lock but for the images and marks, of which each sample is
 * one thread's alone. */
typedef struct work {
    const cnn_source *source;
    const cnn_aim *aim;
    size_t image;
    uint8_t *images;
    bool *skip;
    pthread_mutex_t lock;
    size_t next;
    size_t failed; /* the first sample that failed; the count where none did */
    size_t first_skipped, skipped;
    cnn_status status;
    char message[MESSAGE_SIZE];
} work;

/* The next sample; false where there is none, or after a failure before it. */
static bool take_next(size_t *index, work *at)
{
    pthread_mutex_lock(&at->lock);
    *index = at->next;
    bool more = at->next < at->source->count && at->next < at->failed;
    at->next += more;
    pthread_mutex_unlock(&at->lock);
    return more;
}

static void note_failure(work *at, size_t index, cnn_status status)
{
    pthread_mutex_lock(&at->lock);
    if (index < at->failed) {
        at->failed = index;
        at->status = status;
        snprintf(at->message, sizeof at->message, "%s", cnn_error_message());
    }
    pthread_mutex_unlock(&at->lock);
}

static void note_skip(work *at, size_t index)
{
    pthread_mutex_lock(&at->lock);
    if (at->skipped++ == 0 || index < at->first_skipped) {
        at->first_skipped = index;
        if (at->status == CNN_OK)
            snprintf(at->message, sizeof at->message, "%s", cnn_error_message());
    }
    at->skip[index] = true;
    pthread_mutex_unlock(&at->lock);
}

static void *run(void *user)
{
    work *at = user;
    size_t index;
    while (take_next(&index, at)) {
        cnn_status status =
            at->source->kind->fill(at->images + index * at->image, at->source, index, at->aim);
        bool broken = status == CNN_ERROR_DATA || status == CNN_ERROR_FILE;
        if (broken && at->skip)
            note_skip(at, index);
        else if (status != CNN_OK)
            note_failure(at, index, status);
    }
    return NULL;
}

static void run_threads(work *at)
{
    pthread_t threads[MOST_THREADS];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int started = 0, wanted = processors > 1 ? (int)processors - 1 : 0;
    if (wanted > MOST_THREADS)
        wanted = MOST_THREADS;
    while (started < wanted && pthread_create(&threads[started], NULL, run, at) == 0)
        started++;
    run(at); /* this thread works, too */
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

cnn_status cnn_source_fill(uint8_t **images, bool *skip, const cnn_source *source,
                           const cnn_aim *aim)
{
    const int *shape = aim->shape;
    work at = {.source = source,
               .aim = aim,
               .image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2],
               .failed = source->count};
    cnn_status status = cnn_allocate(images, source->count, at.image, "images");
    if (status != CNN_OK)
        return status;
    at.images = *images;
    at.skip = skip;
    pthread_mutex_init(&at.lock, NULL);
    run_threads(&at);
    pthread_mutex_destroy(&at.lock);
    if (at.status == CNN_OK && at.skipped > 0)
        cnn_log(CNN_LOG_WARNING,
                "%zu of %zu pictures cannot be read and %s left out; the first: %s", at.skipped,
                source->count, at.skipped == 1 ? "is" : "are", at.message);
    if (at.status == CNN_OK)
        return CNN_OK;
    free(*images);
    *images = NULL;
    bool broken = at.status == CNN_ERROR_DATA || at.status == CNN_ERROR_FILE;
    return cnn_fail(at.status, "%s%s", at.message,
                    broken ? "; --skip-broken goes on without such pictures" : "");
}
