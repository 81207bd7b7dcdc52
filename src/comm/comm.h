/* Ranks that work together: messages between two of them by one of two implementations, threads of a
 * process (crew.c) or MPI (mpi.c), and what is made of them. All ranks make the same calls in the same
 * order. Each waits at most the limit; what ends one rank ends all: everything returns then the same
 * failure, whose message names the rank, its host and its device. */
#ifndef COMM_COMM_H
#define COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/comm.h>

enum { CNN_PLACE_SIZE = 224, CNN_HOST_SIZE = 64, CNN_COMM_MESSAGE = 1024 };

/* Who a rank is. */
typedef struct cnn_place {
    char text[CNN_PLACE_SIZE]; /* "rank 1 on cow (NVIDIA H100)" */
    char host[CNN_HOST_SIZE];
    long process;
} cnn_place;

/* What goes to one rank and comes from another. */
typedef struct cnn_exchange {
    int to, from;
    const void *out;
    void *in;
    size_t out_bytes, in_bytes;
} cnn_exchange;

/* A way to talk. Both wait until the memory is the caller's again, unless they fail. */
typedef struct cnn_comm_class {
    cnn_status (*send)(cnn_comm *comm, int to, const void *data, size_t bytes);
    cnn_status (*receive)(cnn_comm *comm, int from, void *data, size_t bytes);
    /* Both at once, as other ranks do. Of 0 bytes nothing is sent, or received. */
    cnn_status (*exchange)(cnn_comm *comm, const cnn_exchange *what);
    /* Tells the others that this rank has failed. */
    void (*abort)(cnn_comm *comm, cnn_status status, const char *message);
    void (*end)(cnn_comm *comm, int code, const char *message);
    /* A failed rank's to rank 0; NULL: there is nothing to wait for. */
    cnn_status (*hand_over)(cnn_comm *comm, const char *message);
    /* After a failure: may what was sent still be read? NULL: never. */
    bool (*is_read)(const cnn_comm *comm);
} cnn_comm_class;

struct cnn_comm {
    const cnn_comm_class *class; /* NULL: alone */
    int rank, size, local_rank;
    double limit;      /* seconds */
    cnn_place *places; /* (size); "rank 1" before cnn_comm_introduce(), and of this one "rank 1 on cow" */
    void *state;       /* the class's */
};

/* Allocates one, with places; to be freed by cnn_comm_free(). Errors: MEMORY. */
cnn_status cnn_comm_allocate(cnn_comm **comm, const cnn_comm_class *class, int rank, int size);
void cnn_comm_free(cnn_comm *comm);

/* Rank 0 of this process's is back: it says itself what has failed. */
void cnn_crew_hear(cnn_comm *comm, bool heard);

/* MPI's, where it is built in; mpi.c or mpi_absent.c. */
cnn_status cnn_mpi_create(cnn_comm **comm, int launched);

cnn_status cnn_comm_send(cnn_comm *comm, int to, const void *data, size_t bytes);
/* A copy goes, which stays where the call fails and another rank may still read it: data is the caller's. */
cnn_status cnn_comm_send_copy(cnn_comm *comm, int to, const void *data, size_t bytes);
cnn_status cnn_comm_receive(cnn_comm *comm, int from, void *data, size_t bytes);
cnn_status cnn_comm_exchange(cnn_comm *comm, const cnn_exchange *what);
/* Rank 0's to all. */
cnn_status cnn_comm_broadcast(cnn_comm *comm, void *data, size_t bytes);
/* Everyone's to rank 0: all (size, bytes), not looked at elsewhere. */
cnn_status cnn_comm_gather(cnn_comm *comm, void *all, const void *mine, size_t bytes);
/* May what this rank sent, in a call that failed, still be read? Its memory stays then: the job ends. comm may be
 * NULL. */
bool cnn_comm_is_read(const cnn_comm *comm);
/* free(), where that is not so. */
void cnn_comm_free_sent(const cnn_comm *comm, void *data);
/* This rank has failed: the job ends. */
void cnn_comm_abort(cnn_comm *comm, cnn_status status, const char *message);

/* Tells everybody the names of all hosts and devices. */
cnn_status cnn_comm_introduce(cnn_comm *comm, const char *device);
/* Sets who a rank is, "rank 1 on HOST (DEVICE)". */
void cnn_place_write(cnn_place *place, int rank, const char *device);

/* What rank 0 says goes for all: its status, with its message. */
cnn_status cnn_comm_agree(cnn_comm *comm, cnn_status status);

/* The message of a rank, with its name in front unless it names one: of one that waited too long. */
void cnn_comm_attribute(char text[CNN_COMM_MESSAGE], const cnn_comm *comm, int rank,
                        const char *message);

/* The message of a wait that was too long. */
cnn_status cnn_comm_fail_late(const cnn_comm *comm, int peer);

#endif
