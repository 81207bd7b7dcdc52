/* Ranks that are processes: MPI. Messages are nonblocking and polled, so that a wait may end: its
 * rank may be gone, or the launcher, or have failed. MPI is called by the main thread alone. */
#include <errno.h>
#include <mpi.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "comm/comm.h"

enum {
    DATA = 1,
    FAILURE,
    QUESTION,
    ANSWER,
    ENDING,
    EAGER = 1 << 20,      /* bytes that Open MPI sends over TCP unasked, its header with them */
    CHUNK = EAGER - 4096, /* bytes of a message */
    WINDOW = 8            /* messages to a rank, or from it, at a time */
};

/* A rank that failed, to rank 0. */
typedef struct failure {
    int status;
    char message[CNN_COMM_MESSAGE];
} failure;

typedef struct mpi_state {
    long launcher; /* the process above this one */
    failure sent;  /* must stay while it is on its way */
    MPI_Request request;
    bool has_failed, was_handed_over;
    bool is_read;  /* a message that failed is still on its way, from memory or to it */
    int waits_for; /* a rank; -1: this one is busy */
} mpi_state;

const char *cnn_comm_library(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    if (!text[0] && MPI_Get_library_version(text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "MPI");
    text[strcspn(text, ",\n")] = '\0';
    for (char *at = text; *at; at++) /* "MPICH Version:\t4.0.2" */
        if (*at == '\t')
            *at = ' ';
    return text;
}

static cnn_status check(int code, const char *call)
{
    char text[MPI_MAX_ERROR_STRING];
    int length;
    if (code == MPI_SUCCESS)
        return CNN_OK;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        snprintf(text, sizeof text, "error %d", code);
    return cnn_fail(CNN_ERROR_RANK, "%s: %s", call, text);
}

/* Has another rank failed? Rank 0 is told. */
static cnn_status look_for_failure(const cnn_comm *comm)
{
    int there = 0;
    MPI_Status from;
    failure told;
    if (comm->rank > 0 ||
        MPI_Iprobe(MPI_ANY_SOURCE, FAILURE, MPI_COMM_WORLD, &there, &from) != MPI_SUCCESS || !there)
        return CNN_OK;
    if (MPI_Recv(&told, sizeof told, MPI_BYTE, from.MPI_SOURCE, FAILURE, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE) != MPI_SUCCESS)
        return CNN_OK;
    char text[CNN_COMM_MESSAGE];
    told.message[sizeof told.message - 1] = '\0';
    cnn_comm_attribute(text, comm, from.MPI_SOURCE, told.message);
    return cnn_fail((cnn_status)told.status, "%s", text);
}

/* Tells those who ask whom this rank waits for. */
static void answer_questions(const cnn_comm *comm)
{
    const mpi_state *state = comm->state;
    int there = 0;
    MPI_Status from;
    while (MPI_Iprobe(MPI_ANY_SOURCE, QUESTION, MPI_COMM_WORLD, &there, &from) == MPI_SUCCESS &&
           there &&
           MPI_Recv(NULL, 0, MPI_BYTE, from.MPI_SOURCE, QUESTION, MPI_COMM_WORLD,
                    MPI_STATUS_IGNORE) == MPI_SUCCESS)
        (void)MPI_Send(&state->waits_for, 1, MPI_INT, from.MPI_SOURCE, ANSWER, MPI_COMM_WORLD);
}

/* What a rank of this host can see of another. */
static cnn_status look_for_death(const cnn_comm *comm, int peer)
{
    const mpi_state *state = comm->state;
    const cnn_place *mine = &comm->places[comm->rank], *other = &comm->places[peer];
    if ((long)getppid() != state->launcher)
        return cnn_fail(CNN_ERROR_RANK, "the launcher of the ranks is gone: the job ends");
    if (other->process > 0 && strcmp(mine->host, other->host) == 0 &&
        kill((pid_t)other->process, 0) != 0 && errno == ESRCH)
        return cnn_fail(CNN_ERROR_RANK, "%s died: its process %ld is gone", other->text,
                        other->process);
    return CNN_OK;
}

static cnn_status look_around(const cnn_comm *comm, int peer)
{
    answer_questions(comm);
    cnn_status status = look_for_failure(comm);
    return status == CNN_OK ? look_for_death(comm, peer) : status;
}

/* *next: whom another rank waits for; -1 where it does not answer, as one that hangs. */
static cnn_status ask(int *next, const cnn_comm *comm, int peer)
{
    static const double patience = 1.0; /* seconds: one that waits looks around twenty times */
    const struct timespec nap = {.tv_nsec = 5000000};
    double start = cnn_seconds();
    MPI_Request request;
    int done = 0, answer = -1;
    *next = -1;
    cnn_status status =
        check(MPI_Send(NULL, 0, MPI_BYTE, peer, QUESTION, MPI_COMM_WORLD), "MPI_Send");
    if (status != CNN_OK)
        return status;
    status =
        check(MPI_Irecv(&answer, 1, MPI_INT, peer, ANSWER, MPI_COMM_WORLD, &request), "MPI_Irecv");
    while (status == CNN_OK && !done && cnn_seconds() - start < patience) {
        status = check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        if (status == CNN_OK && !done)
            status = look_around(comm, peer);
        nanosleep(&nap, NULL);
    }
    if (!done && request != MPI_REQUEST_NULL) {
        (void)MPI_Cancel(&request);
        (void)MPI_Wait(&request, MPI_STATUS_IGNORE);
    }
    *next = done ? answer : -1;
    return status;
}

/* The rank at the end of those that wait for each other. */
static cnn_status fail_late(const cnn_comm *comm, int peer)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < comm->size; i++) {
        int next;
        CNN_TRY(ask(&next, comm, peer));
        if (next < 0 || next >= comm->size || next == comm->rank)
            break;
        peer = next;
    }
    status = cnn_comm_fail_late(comm, peer);
out:
    return status;
}

/* Bytes on their way to another rank, or from it, in chunks: what is sent unasked must not be
 * large, as a receiver that is not there yet keeps it a second time, and what is asked for waits
 * behind the chunks under way. */
typedef struct stream {
    char *data;
    size_t bytes;
    int peer;
    bool is_sent;
    size_t started, over; /* chunks */
    MPI_Request requests[WINDOW];
} stream;

static bool is_over(const stream *s)
{
    return s->over * CHUNK >= s->bytes;
}

static cnn_status start_chunks(stream *s)
{
    int code = MPI_SUCCESS;
    while (code == MPI_SUCCESS && s->started * CHUNK < s->bytes && s->started - s->over < WINDOW) {
        size_t begin = s->started * CHUNK, left = s->bytes - begin;
        int size = left < CHUNK ? (int)left : CHUNK;
        MPI_Request *request = &s->requests[s->started % WINDOW];
        code = s->is_sent ? MPI_Isend(s->data + begin, size, MPI_BYTE, s->peer, DATA,
                                      MPI_COMM_WORLD, request)
                          : MPI_Irecv(s->data + begin, size, MPI_BYTE, s->peer, DATA,
                                      MPI_COMM_WORLD, request);
        s->started += code == MPI_SUCCESS;
    }
    return check(code, s->is_sent ? "MPI_Isend" : "MPI_Irecv");
}

/* Counts the chunks that are over; they end in their order. */
static cnn_status test_chunks(stream *s)
{
    int done = 1;
    cnn_status status = CNN_OK;
    while (status == CNN_OK && done && s->over < s->started) {
        status =
            check(MPI_Test(&s->requests[s->over % WINDOW], &done, MPI_STATUS_IGNORE), "MPI_Test");
        s->over += status == CNN_OK && done;
    }
    return status;
}

/* Both ways at once: either starts what it can as soon as something of it is over. Gives way at
 * first, then naps: the cores have other work. The limit is that of the time in which nothing
 * moves. */
static cnn_status move_streams(const cnn_comm *comm, stream *in, stream *out)
{
    static const double busy = 1e-3, look_every = 0.05; /* seconds */
    const struct timespec nap = {.tv_nsec = 50000};
    mpi_state *state = comm->state;
    double moved = cnn_seconds(), looked = moved;
    cnn_status status = CNN_OK;
    while (!is_over(in) || !is_over(out)) {
        size_t before = in->over + out->over;
        state->waits_for = is_over(in) ? out->peer : in->peer;
        CNN_TRY(start_chunks(in));
        CNN_TRY(start_chunks(out));
        CNN_TRY(test_chunks(in));
        CNN_TRY(test_chunks(out));
        double now = cnn_seconds();
        if (in->over + out->over > before)
            moved = now;
        else if (now - moved < busy)
            sched_yield();
        else
            nanosleep(&nap, NULL);
        if (now - looked < look_every)
            continue;
        looked = now;
        CNN_TRY(look_around(comm, state->waits_for));
        if (now - moved > comm->limit)
            CNN_TRY(fail_late(comm, state->waits_for));
    }
    /* One that gave up waited to its end, for those who ask next. */
    state->waits_for = -1;
out:
    return status;
}

/* After a failure: are the chunks over, soon? A message whose sender stands still in the middle of
 * it is never over, and not waited for: the job ends now. */
static bool settle(const cnn_comm *comm, stream *s)
{
    static const double patience = 1.0; /* seconds */
    const struct timespec nap = {.tv_nsec = 1000000};
    double start = cnn_seconds();
    cnn_status status = test_chunks(s);
    while (status == CNN_OK && s->over < s->started && cnn_seconds() - start < patience) {
        answer_questions(comm); /* this rank does not hang */
        nanosleep(&nap, NULL);
        status = test_chunks(s);
    }
    return s->over == s->started;
}

/* What another rank takes is not called back; what it may still write keeps its memory, too. */
static void leave(cnn_comm *comm, stream *in, stream *out)
{
    mpi_state *state = comm->state;
    for (size_t i = in->over; i < in->started; i++)
        if (in->requests[i % WINDOW] != MPI_REQUEST_NULL)
            (void)MPI_Cancel(&in->requests[i % WINDOW]);
    bool is_left = !settle(comm, in);
    is_left |= !settle(comm, out);
    state->is_read |= is_left;
}

static cnn_status run_streams(cnn_comm *comm, stream *in, stream *out)
{
    cnn_status status = move_streams(comm, in, out);
    if (status != CNN_OK)
        leave(comm, in, out);
    return status;
}

static cnn_status exchange(cnn_comm *comm, const cnn_exchange *what)
{
    stream in = {.data = what->in, .bytes = what->in_bytes, .peer = what->from};
    stream out = {
        .data = (char *)what->out, .bytes = what->out_bytes, .peer = what->to, .is_sent = true};
    return run_streams(comm, &in, &out);
}

static cnn_status send(cnn_comm *comm, int to, const void *data, size_t bytes)
{
    return exchange(comm, &(cnn_exchange){.to = to, .out = data, .out_bytes = bytes});
}

static cnn_status receive(cnn_comm *comm, int from, void *data, size_t bytes)
{
    return exchange(comm, &(cnn_exchange){.from = from, .in = data, .in_bytes = bytes});
}

/* Rank 0 says it, and ends the job. */
static void abort_job(cnn_comm *comm, cnn_status status, const char *message)
{
    mpi_state *state = comm->state;
    if (state->has_failed || comm->rank == 0)
        return;
    state->has_failed = true;
    state->sent.status = (int)status;
    cnn_comm_attribute(state->sent.message, comm, comm->rank, message);
    (void)MPI_Isend(&state->sent, sizeof state->sent, MPI_BYTE, 0, FAILURE, MPI_COMM_WORLD,
                    &state->request);
}

/* Waits for rank 0 to end the job: with patience until it says that it does. */
static cnn_status hand_over(cnn_comm *comm, const char *message)
{
    static const double more = 3.0; /* seconds: it may have waited as long, and asks others then */
    const struct timespec nap = {.tv_nsec = 10000000};
    mpi_state *state = comm->state;
    char text[CNN_COMM_MESSAGE];
    double start = cnn_seconds();
    if (comm->rank == 0)
        return CNN_OK;
    state->was_handed_over = true;
    abort_job(comm, CNN_ERROR_RANK, message);
    while ((long)getppid() == state->launcher) {
        int done, ends = 0;
        (void)MPI_Test(&state->request, &done, MPI_STATUS_IGNORE);
        (void)MPI_Iprobe(0, ENDING, MPI_COMM_WORLD, &ends, MPI_STATUS_IGNORE);
        answer_questions(comm);
        nanosleep(&nap, NULL);
        if (ends || cnn_seconds() - start < comm->limit + more)
            continue;
        cnn_comm_attribute(text, comm, comm->rank, message);
        return cnn_fail(CNN_ERROR_RANK, "%s", text);
    }
    return CNN_OK;
}

static void end(cnn_comm *comm, int code, const char *message)
{
    if (code == 0) {
        (void)MPI_Finalize();
        free(comm->state);
        return;
    }
    mpi_state *state = comm->state;
    if (!state->was_handed_over)
        (void)hand_over(comm, message);
    for (int r = 1; comm->rank == 0 && r < comm->size; r++) {
        MPI_Request request; /* nothing is waited for */
        (void)MPI_Isend(NULL, 0, MPI_BYTE, r, ENDING, MPI_COMM_WORLD, &request);
    }
    (void)MPI_Abort(MPI_COMM_WORLD, code);
    _exit(code);
}

static bool is_read(const cnn_comm *comm)
{
    const mpi_state *state = comm->state;
    return state->is_read;
}

static const cnn_comm_class mpi_class = {send, receive,   exchange, abort_job,
                                         end,  hand_over, is_read};

static int find_local_rank(void)
{
    MPI_Comm host;
    int rank = 0;
    if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host) !=
        MPI_SUCCESS)
        return 0;
    (void)MPI_Comm_rank(host, &rank);
    (void)MPI_Comm_free(&host);
    return rank;
}

/* Over TCP Open MPI asks whether the receiver is there before it sends more than 64 KiB: two more
 * latencies, and more where the question waits behind what is under way the same way
 * (docs/scaling.md). What mpirun or the environment says stands; it comes before the site's files.
 */
static void send_unasked(void)
{
    char bytes[24];
    snprintf(bytes, sizeof bytes, "%d", EAGER);
    (void)setenv("OMPI_MCA_btl_tcp_eager_limit", bytes, 0);
}

cnn_status cnn_mpi_create(cnn_comm **comm, int launched)
{
    int given, rank, size;
    mpi_state *state = NULL;
    cnn_status status = CNN_OK;
    *comm = NULL;
    send_unasked();
    CNN_TRY(check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given), "MPI_Init_thread"));
    CNN_TRY(check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                  "MPI_Comm_set_errhandler"));
    CNN_TRY(check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank"));
    CNN_TRY(check(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size"));
    if (size == 1) {
        status =
            cnn_fail(CNN_ERROR_ARGUMENT,
                     "started as one of %d ranks: expected the launcher of %s, which this cnn-cl "
                     "was built with, found another one's: use its mpirun",
                     launched, cnn_comm_library());
        (void)MPI_Finalize();
        return status;
    }
    CNN_TRY(cnn_allocate(&state, 1, sizeof *state, "the ranks"));
    state->launcher = (long)getppid();
    state->waits_for = -1;
    CNN_TRY(cnn_comm_allocate(comm, &mpi_class, rank, size));
    (*comm)->state = state;
    (*comm)->local_rank = find_local_rank();
    return CNN_OK;
out:
    free(state);
    return status;
}
