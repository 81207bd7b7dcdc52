/* Ranks that are threads of one process: a letter box for each two of them, without a copy between.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/status.h"
#include "comm/comm.h"

typedef enum box_state { EMPTY, FULL, COPYING, TAKEN } box_state;

typedef struct box {
    box_state state;
    const void *data;
} box;

typedef struct crew {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int size, members; /* those that are not ended */
    cnn_status failed; /* of one of them */
    bool heard;        /* by rank 0, or somebody speaks for it */
    char message[CNN_COMM_MESSAGE];
    box *boxes;     /* (from, to) */
    int *waits_for; /* (size): each rank, or -1 */
} crew;

/* With the lock. The rank at the end of those that wait for each other. */
static int find_late(const crew *all, int peer)
{
    for (int i = 0; i < all->size && all->waits_for[peer] >= 0; i++)
        peer = all->waits_for[peer];
    return peer;
}

/* So many seconds from now. */
static struct timespec find_end(double seconds)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)seconds;
    end.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    return end;
}

static cnn_status wait_in_time(const cnn_comm *comm, const box *at, box_state state, int peer)
{
    crew *all = comm->state;
    const struct timespec end = find_end(comm->limit);
    while (at->state != state) {
        if (at->state == COPYING) { /* the data stay until that is done, whatever fails */
            pthread_cond_wait(&all->changed, &all->lock);
            continue;
        }
        if (all->failed != CNN_OK)
            return cnn_fail(all->failed, "%s", all->message);
        if (pthread_cond_timedwait(&all->changed, &all->lock, &end) == ETIMEDOUT &&
            at->state != state && at->state != COPYING)
            return cnn_comm_fail_late(comm, find_late(all, peer));
    }
    return CNN_OK;
}

/* With the lock. Waits for a state of the box. */
static cnn_status wait_for(const cnn_comm *comm, const box *at, box_state state, int peer)
{
    crew *all = comm->state;
    all->waits_for[comm->rank] = peer;
    cnn_status status = wait_in_time(comm, at, state, peer);
    /* One that gave up waited to its end, for those who ask next. */
    if (status == CNN_OK)
        all->waits_for[comm->rank] = -1;
    return status;
}

static void set(crew *all, box *at, box_state state)
{
    at->state = state;
    pthread_cond_broadcast(&all->changed);
}

static box *box_of(const cnn_comm *comm, int from, int to)
{
    crew *all = comm->state;
    return &all->boxes[from * all->size + to];
}

static void post(const cnn_comm *comm, int to, const void *data)
{
    crew *all = comm->state;
    box *at = box_of(comm, comm->rank, to);
    pthread_mutex_lock(&all->lock);
    at->data = data;
    set(all, at, FULL);
    pthread_mutex_unlock(&all->lock);
}

static cnn_status wait_until_taken(const cnn_comm *comm, int to)
{
    crew *all = comm->state;
    box *at = box_of(comm, comm->rank, to);
    pthread_mutex_lock(&all->lock);
    cnn_status status = wait_for(comm, at, TAKEN, to);
    at->state = EMPTY; /* one that gives up takes its letter back */
    pthread_mutex_unlock(&all->lock);
    return status;
}

/* A letter that nobody waits for any more; one that is being copied is copied to its end. */
static void take_back(const cnn_comm *comm, int to)
{
    crew *all = comm->state;
    box *at = box_of(comm, comm->rank, to);
    pthread_mutex_lock(&all->lock);
    while (at->state == COPYING)
        pthread_cond_wait(&all->changed, &all->lock);
    at->state = EMPTY;
    pthread_mutex_unlock(&all->lock);
}

static cnn_status send(cnn_comm *comm, int to, const void *data, size_t bytes)
{
    (void)bytes; /* both say the same */
    post(comm, to, data);
    return wait_until_taken(comm, to);
}

static cnn_status receive(cnn_comm *comm, int from, void *data, size_t bytes)
{
    crew *all = comm->state;
    box *at = box_of(comm, from, comm->rank);
    pthread_mutex_lock(&all->lock);
    cnn_status status = wait_for(comm, at, FULL, from);
    if (status == CNN_OK)
        at->state = COPYING;
    pthread_mutex_unlock(&all->lock);
    if (status != CNN_OK)
        return status;
    memcpy(data, at->data, bytes);
    pthread_mutex_lock(&all->lock);
    set(all, at, TAKEN);
    pthread_mutex_unlock(&all->lock);
    return CNN_OK;
}

static cnn_status exchange(cnn_comm *comm, const cnn_exchange *what)
{
    cnn_status status = CNN_OK;
    if (what->out_bytes > 0)
        post(comm, what->to, what->out);
    if (what->in_bytes > 0)
        status = receive(comm, what->from, what->in, what->in_bytes);
    if (what->out_bytes > 0 && status == CNN_OK)
        return wait_until_taken(comm, what->to);
    if (what->out_bytes > 0)
        take_back(comm, what->to);
    return status;
}

/* The first failure is that of all. */
static void abort_crew(cnn_comm *comm, cnn_status status, const char *message)
{
    crew *all = comm->state;
    pthread_mutex_lock(&all->lock);
    if (all->failed == CNN_OK) {
        all->failed = status;
        cnn_comm_attribute(all->message, comm, comm->rank, message);
    }
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void cnn_crew_hear(cnn_comm *comm, bool heard)
{
    crew *all = comm->state;
    pthread_mutex_lock(&all->lock);
    all->heard = heard;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

/* Rank 0 says it when it is back from what it does, unless that is never over. */
static cnn_status hand_over(cnn_comm *comm, const char *message)
{
    static const double more = 3.0; /* seconds: it may have waited as long */
    crew *all = comm->state;
    const struct timespec end = find_end(comm->limit + more);
    char text[CNN_COMM_MESSAGE];
    int code = 0;
    if (comm->rank == 0)
        return CNN_OK;
    abort_crew(comm, CNN_ERROR_RANK, message);
    pthread_mutex_lock(&all->lock);
    while (!all->heard && code != ETIMEDOUT)
        code = pthread_cond_timedwait(&all->changed, &all->lock, &end);
    bool is_heard = all->heard;
    all->heard = true; /* the others need not */
    snprintf(text, sizeof text, "%s", all->message);
    pthread_mutex_unlock(&all->lock);
    return is_heard ? CNN_OK : cnn_fail(CNN_ERROR_RANK, "%s", text);
}

static void free_crew(crew *all)
{
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all->boxes);
    free(all->waits_for);
    free(all);
}

static void end(cnn_comm *comm, int code, const char *message)
{
    crew *all = comm->state;
    if (code != 0)
        abort_crew(comm, CNN_ERROR_STOPPED, message);
    if (comm->rank == 0)
        cnn_crew_hear(comm, true);
    pthread_mutex_lock(&all->lock);
    bool last = --all->members == 0;
    pthread_mutex_unlock(&all->lock);
    if (last)
        free_crew(all);
}

static const cnn_comm_class crew_class = {send, receive,   exchange, abort_crew,
                                          end,  hand_over, NULL};

static cnn_status create_crew(crew **result, int size)
{
    pthread_condattr_t monotonic;
    crew *all = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&all, 1, sizeof *all, "the ranks"));
    CNN_TRY(
        cnn_allocate(&all->boxes, (size_t)size * (size_t)size, sizeof *all->boxes, "the ranks"));
    CNN_TRY(cnn_allocate(&all->waits_for, (size_t)size, sizeof *all->waits_for, "the ranks"));
    for (int i = 0; i < size; i++)
        all->waits_for[i] = -1;
    all->size = all->members = size;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *result = all;
    return CNN_OK;
out:
    if (all) {
        free(all->boxes);
        free(all);
    }
    return status;
}

cnn_status cnn_crew_create(cnn_comm **comms, int size)
{
    crew *all = NULL;
    int made = 0;
    cnn_status status = CNN_OK;
    CNN_NEED(comms);
    if (size < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT, "expected 1 rank or more, found %d", size);
    CNN_TRY(create_crew(&all, size));
    for (; made < size; made++) {
        CNN_TRY(cnn_comm_allocate(&comms[made], &crew_class, made, size));
        comms[made]->state = all;
        comms[made]->local_rank = made;
    }
    return CNN_OK;
out:
    while (made-- > 0)
        cnn_comm_free(comms[made]);
    if (all)
        free_crew(all);
    return status;
}
