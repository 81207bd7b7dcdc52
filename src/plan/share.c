/* Tensors that never live together share a buffer. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "plan/layout.h"

static bool overlap(const cnn_life *a, const cnn_life *b)
{
    return a->born <= b->dies && b->born <= a->dies;
}

/* Larger first; else the earlier one. */
static int compare_lives(const void *a, const void *b)
{
    const cnn_life *const *first = a, *const *second = b;
    size_t x = (*first)->bytes, y = (*second)->bytes;
    return x != y ? (x < y) - (x > y) : (*first > *second) - (*first < *second);
}

/* Marks the buffers in which something lives together with the candidate; sorted[0..count) have
 * theirs. */
static void find_busy(bool *busy, int buffers, cnn_life *const *sorted, int count,
                      const cnn_life *candidate)
{
    for (int i = 0; i < buffers; i++)
        busy[i] = false;
    for (int i = 0; i < count; i++)
        if (overlap(sorted[i], candidate))
            busy[sorted[i]->buffer] = true;
}

/* Largest first, each into the first buffer that is free for its whole life. */
cnn_status cnn_lives_share(cnn_life *lives, int count, size_t *sizes, int *buffers)
{
    cnn_life **sorted = NULL;
    bool *busy = NULL;
    cnn_status status = CNN_OK;
    *buffers = 0;
    CNN_TRY(cnn_allocate(&sorted, (size_t)count, sizeof *sorted, "the plan's tensors"));
    CNN_TRY(cnn_allocate(&busy, (size_t)count, sizeof *busy, "the plan's buffers"));
    for (int i = 0; i < count; i++)
        sorted[i] = &lives[i];
    qsort(sorted, (size_t)count, sizeof *sorted, compare_lives);
    for (int i = 0; i < count; i++) {
        int buffer = 0;
        find_busy(busy, *buffers, sorted, i, sorted[i]);
        while (buffer < *buffers && busy[buffer])
            buffer++;
        if (buffer == *buffers)
            sizes[(*buffers)++] = sorted[i]->bytes;
        sorted[i]->buffer = buffer;
    }
out:
    free(sorted);
    free(busy);
    return status;
}

cnn_status cnn_lives_peak(size_t *peak, const cnn_life *lives, int count)
{
    size_t *born = NULL, *died = NULL, now = 0;
    int moments = 1;
    cnn_status status = CNN_OK;
    *peak = 0;
    for (int i = 0; i < count; i++)
        moments = lives[i].dies >= moments ? lives[i].dies + 1 : moments;
    CNN_TRY(cnn_allocate(&born, (size_t)moments, sizeof *born, "the plan's moments"));
    CNN_TRY(cnn_allocate(&died, (size_t)moments, sizeof *died, "the plan's moments"));
    for (int i = 0; i < count; i++) {
        born[lives[i].born] += lives[i].bytes;
        died[lives[i].dies] += lives[i].bytes;
    }
    for (int moment = 0; moment < moments; moment++) {
        now += born[moment];
        *peak = now > *peak ? now : *peak;
        now -= died[moment];
    }
out:
    free(born);
    free(died);
    return status;
}
