/* Images of a source, by a few threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "data/source.h"

enum { MOST_THREADS = 16 };

/* What the threads share; guarded by the lock but for the images, of which each sample is one
 * thread's alone. Samples are counted from the first. */
typedef struct work {
    const cnn_filling *filling;
    size_t image, first, count;
    uint8_t *images;
    bool *skip; /* (count) */
    pthread_mutex_t lock;
    size_t next;
    size_t failed; /* the first sample that failed; the count where none did */
    size_t first_skipped, skipped;
    cnn_status status;
    char message[CNN_FILL_MESSAGE], skip_message[CNN_FILL_MESSAGE];
} work;

/* The next sample; false where there is none, or after a failure before it. */
static bool take_next(size_t *index, work *at)
{
    pthread_mutex_lock(&at->lock);
    *index = at->next;
    bool more = at->next < at->count && at->next < at->failed;
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
        snprintf(at->skip_message, sizeof at->skip_message, "%s", cnn_error_message());
    }
    at->skip[index] = true;
    pthread_mutex_unlock(&at->lock);
}

static void *run(void *user)
{
    work *at = user;
    const cnn_source *source = at->filling->source;
    size_t index;
    while (take_next(&index, at)) {
        cnn_status status = source->kind->fill(at->images + index * at->image, source,
                                               at->first + index, at->filling->aim);
        bool broken = status == CNN_ERROR_DATA || status == CNN_ERROR_FILE;
        if (broken && at->filling->skip_broken)
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

/* Closes the gaps of what was skipped. */
static size_t close_gaps(uint32_t *indices, const work *at)
{
    size_t kept = 0;
    for (size_t i = 0; i < at->count; i++) {
        if (at->skip[i])
            continue;
        if (kept < i)
            memcpy(at->images + kept * at->image, at->images + i * at->image, at->image);
        indices[kept++] = (uint32_t)(at->first + i);
    }
    return kept;
}

/* NOLINTNEXTLINE(readability-non-const-parameter) the threads write them */
cnn_status cnn_source_fill(uint8_t *images, uint32_t *indices, size_t *kept, cnn_filling *filling,
                           size_t first, size_t count)
{
    const int *shape = filling->aim->shape;
    work at = {.filling = filling,
               .image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2],
               .first = first,
               .count = count,
               .images = images,
               .failed = count};
    cnn_status status = cnn_allocate(&at.skip, count, sizeof *at.skip, "a data set");
    *kept = 0;
    if (status != CNN_OK)
        return status;
    pthread_mutex_init(&at.lock, NULL);
    run_threads(&at);
    pthread_mutex_destroy(&at.lock);
    if (filling->skipped == 0)
        memcpy(filling->message, at.skip_message, sizeof filling->message);
    filling->skipped += at.skipped;
    *kept = close_gaps(indices, &at);
    free(at.skip);
    if (at.status == CNN_OK)
        return CNN_OK;
    bool broken = at.status == CNN_ERROR_DATA || at.status == CNN_ERROR_FILE;
    return cnn_fail(at.status, "%s%s", at.message,
                    broken ? "; --skip-broken goes on without such pictures" : "");
}
