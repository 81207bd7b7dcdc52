#include "comm/comm.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"

static double first_limit = 300.0; /* of what is made from now on */

static void find_host(cnn_place *place)
{
    if (gethostname(place->host, sizeof place->host - 1) != 0)
        snprintf(place->host, sizeof place->host, "this host");
}

/* Before there is a device to name. */
static void write_own_place(cnn_place *place, int rank, int size)
{
    if (size == 1)
        return;
    find_host(place);
    snprintf(place->text, sizeof place->text, "rank %d on %.63s", rank, place->host);
}

cnn_status cnn_comm_allocate(cnn_comm **comm, const cnn_comm_class *class, int rank, int size)
{
    cnn_status status = CNN_OK;
    cnn_comm *result = NULL;
    *comm = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "the ranks"));
    *result = (cnn_comm){.class = class, .rank = rank, .size = size, .limit = first_limit};
    CNN_TRY(cnn_allocate(&result->places, (size_t)size, sizeof *result->places, "the ranks"));
    for (int i = 0; i < size; i++)
        snprintf(result->places[i].text, CNN_PLACE_SIZE, "rank %d", i);
    write_own_place(&result->places[rank], rank, size);
    *comm = result;
    return CNN_OK;
out:
    free(result);
    return status;
}

void cnn_comm_free(cnn_comm *comm)
{
    free(comm->places);
    free(comm);
}

cnn_status cnn_comm_create(cnn_comm **comm)
{
    CNN_NEED(comm);
    int launched = cnn_comm_launched(NULL);
    *comm = NULL;
    return launched > 1 ? cnn_mpi_create(comm, launched) : cnn_comm_allocate(comm, NULL, 0, 1);
}

void cnn_comm_end(cnn_comm *comm, int code, const char *message)
{
    if (!comm)
        return;
    if (comm->class)
        comm->class->end(comm, code, message ? message : "");
    cnn_comm_free(comm);
}

cnn_status cnn_comm_hand_over(cnn_comm *comm, const char *message)
{
    CNN_NEED(comm);
    bool waits = comm->class && comm->class->hand_over;
    return waits ? comm->class->hand_over(comm, message ? message : "") : CNN_OK;
}

int cnn_comm_rank(const cnn_comm *comm)
{
    return comm ? comm->rank : 0;
}

int cnn_comm_size(const cnn_comm *comm)
{
    return comm ? comm->size : 1;
}

int cnn_comm_local_rank(const cnn_comm *comm)
{
    return comm ? comm->local_rank : 0;
}

void cnn_comm_set_limit(cnn_comm *comm, double seconds)
{
    if (seconds > 0.0)
        *(comm ? &comm->limit : &first_limit) = seconds;
}

cnn_status cnn_comm_send(cnn_comm *comm, int to, const void *data, size_t bytes)
{
    return comm->class->send(comm, to, data, bytes);
}

cnn_status cnn_comm_receive(cnn_comm *comm, int from, void *data, size_t bytes)
{
    return comm->class->receive(comm, from, data, bytes);
}

cnn_status cnn_comm_exchange(cnn_comm *comm, const cnn_exchange *what)
{
    return comm->class->exchange(comm, what);
}

/* Down a binomial tree: rank r has it from r without its lowest bit. */
cnn_status cnn_comm_broadcast(cnn_comm *comm, void *data, size_t bytes)
{
    int bit = 1;
    cnn_status status = CNN_OK;
    while (bit < comm->size && !(comm->rank & bit))
        bit <<= 1;
    if (comm->rank > 0)
        CNN_TRY(cnn_comm_receive(comm, comm->rank - bit, data, bytes));
    for (bit >>= 1; bit > 0; bit >>= 1)
        if (comm->rank + bit < comm->size)
            CNN_TRY(cnn_comm_send(comm, comm->rank + bit, data, bytes));
out:
    return status;
}

cnn_status cnn_comm_gather(cnn_comm *comm, void *all, const void *mine, size_t bytes)
{
    cnn_status status = CNN_OK;
    if (comm->rank > 0)
        return cnn_comm_send(comm, 0, mine, bytes);
    memcpy(all, mine, bytes);
    for (int i = 1; status == CNN_OK && i < comm->size; i++)
        status = cnn_comm_receive(comm, i, (char *)all + (size_t)i * bytes, bytes);
    return status;
}

bool cnn_comm_is_read(const cnn_comm *comm)
{
    return comm && comm->class && comm->class->is_read && comm->class->is_read(comm);
}

void cnn_comm_free_sent(const cnn_comm *comm, void *data)
{
    if (!cnn_comm_is_read(comm))
        free(data);
}

void cnn_comm_abort(cnn_comm *comm, cnn_status status, const char *message)
{
    if (comm && comm->size > 1)
        comm->class->abort(comm, status, message);
}

void cnn_place_write(cnn_place *place, int rank, const char *device)
{
    *place = (cnn_place){.process = (long)getpid()};
    find_host(place);
    snprintf(place->text, sizeof place->text, "rank %d on %.63s (%.127s)", rank, place->host,
             device);
}

cnn_status cnn_comm_introduce(cnn_comm *comm, const char *device)
{
    cnn_place mine;
    cnn_status status = CNN_OK;
    cnn_place_write(&mine, comm->rank, device);
    comm->places[comm->rank] = mine;
    if (comm->size == 1)
        return CNN_OK;
    CNN_TRY(cnn_comm_gather(comm, comm->places, &mine, sizeof mine));
    status = cnn_comm_broadcast(comm, comm->places, (size_t)comm->size * sizeof *comm->places);
out:
    return status;
}

/* What rank 0 decided. */
typedef struct verdict {
    int status;
    char message[CNN_COMM_MESSAGE];
} verdict;

static cnn_status spread(cnn_comm *comm, verdict *said)
{
    cnn_status status = cnn_comm_broadcast(comm, said, sizeof *said);
    if (status != CNN_OK)
        return status;
    return said->status == CNN_OK ? CNN_OK : cnn_fail((cnn_status)said->status, "%s", said->message);
}

cnn_status cnn_comm_agree(cnn_comm *comm, cnn_status status)
{
    verdict said = {.status = (int)status};
    if (!comm || comm->size == 1)
        return status;
    if (comm->rank > 0 && status != CNN_OK)
        return status; /* it will be told */
    if (status != CNN_OK)
        snprintf(said.message, sizeof said.message, "%s", cnn_error_message());
    return spread(comm, &said);
}

enum { FACT_SIZE = 512 };

/* Cut where it is long: its end tells, too, where it is a hash. */
static void compare_fact(verdict *said, const cnn_comm *comm, int rank, const char *what,
                         const char *found, const char *expected, const char *advice)
{
    if (said->status != CNN_OK || strcmp(found, expected) == 0)
        return;
    said->status = CNN_ERROR_ARGUMENT;
    snprintf(said->message, sizeof said->message, "%s: %s: expected %.200s as on rank 0, found %.200s: %s",
             comm->places[rank].text, what, expected, found, advice);
}

cnn_status cnn_comm_compare(cnn_comm *comm, const char *what, const char *value, const char *advice)
{
    char mine[FACT_SIZE], other[FACT_SIZE];
    verdict said = {.status = CNN_OK};
    cnn_status status = CNN_OK;
    if (!comm || comm->size == 1)
        return CNN_OK;
    memset(mine, 0, sizeof mine);
    snprintf(mine, sizeof mine, "%s", value);
    if (comm->rank > 0)
        CNN_TRY(cnn_comm_send(comm, 0, mine, sizeof mine));
    for (int i = 1; comm->rank == 0 && i < comm->size; i++) {
        CNN_TRY(cnn_comm_receive(comm, i, other, sizeof other));
        compare_fact(&said, comm, i, what, other, mine, advice);
    }
    status = spread(comm, &said);
out:
    return status;
}

cnn_status cnn_comm_send_copy(cnn_comm *comm, int to, const void *data, size_t bytes)
{
    void *copy = NULL;
    cnn_status status = cnn_allocate(&copy, bytes, 1, "what another rank gets");
    if (status != CNN_OK)
        return status;
    memcpy(copy, data, bytes);
    status = cnn_comm_send(comm, to, copy, bytes);
    cnn_comm_free_sent(comm, copy);
    return status;
}

cnn_status cnn_comm_bring(void **data, size_t *bytes, cnn_comm *comm, int from)
{
    CNN_NEED(data, bytes, comm);
    char *room = NULL;
    cnn_status status = CNN_OK;
    if (from < 1 || from >= comm->size)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected a rank of 1 to %d as from, found %d", __func__,
                        comm->size - 1, from);
    if (comm->rank == from) {
        CNN_TRY(cnn_comm_send(comm, 0, bytes, sizeof *bytes));
        return *bytes > 0 ? cnn_comm_send_copy(comm, 0, *data, *bytes) : CNN_OK;
    }
    *data = NULL;
    CNN_TRY(cnn_comm_receive(comm, from, bytes, sizeof *bytes));
    CNN_TRY(cnn_allocate(&room, *bytes, 1, "what a rank has"));
    if (*bytes > 0)
        CNN_TRY(cnn_comm_receive(comm, from, room, *bytes));
    *data = room;
    return CNN_OK;
out:
    free(room);
    return status;
}

void cnn_comm_attribute(char text[CNN_COMM_MESSAGE], const cnn_comm *comm, int rank,
                        const char *message)
{
    bool named = false;
    for (int r = 0; r < comm->size; r++) {
        const char *place = comm->places[r].text;
        named = named || strncmp(message, place, strlen(place)) == 0;
    }
    snprintf(text, CNN_COMM_MESSAGE, "%s%s%.*s", named ? "" : comm->places[rank].text,
             named ? "" : ": ", CNN_COMM_MESSAGE - CNN_PLACE_SIZE - 4, message);
}

cnn_status cnn_comm_fail_late(const cnn_comm *comm, int peer)
{
    return cnn_fail(CNN_ERROR_RANK,
                    "%s did not answer within %g s: it hangs, or needs a larger --rank-timeout",
                    comm->places[peer].text, comm->limit);
}
