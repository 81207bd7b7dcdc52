/** @file
 * Ranks: processes that a launcher (mpirun, srun) started together, or devices of one process, that
 * train one network. */
#ifndef CNNCL_COMM_H
#define CNNCL_COMM_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A rank among those that it works with. */
typedef struct cnn_comm cnn_comm;

/** What ranks of several processes talk through, "Open MPI v4.1.4"; "" where the library was built
 * without MPI. */
CNN_API const char *cnn_comm_library(void);

/** As how many ranks the launcher's environment says that this process and others were started: 1
 * where there is no launcher. *rank is this one's number; it may be NULL. */
CNN_API int cnn_comm_launched(int *rank);

/** This process among those that the launcher started: rank 0 of 1 where there is none. Once in a
 * process, in its main thread, before others read the environment: what Open MPI sends unasked is
 * set there (OMPI_MCA_btl_tcp_eager_limit), where it is not set. Errors: ARGUMENT (there are
 * several, and the library was built without MPI, or with another one than the launcher's), MEMORY.
 */
CNN_API cnn_status cnn_comm_create(cnn_comm **comm);
/** Ranks of this process, each to be used by a thread of its own: comms (size), to be ended each.
 * Errors: MEMORY. */
CNN_API cnn_status cnn_crew_create(cnn_comm **comms, int size);
/** A failed rank other than 0 hands its message to rank 0, which says it and ends all processes:
 * this one waits for that; a rank of one process, until rank 0 is back from its work. It returns
 * where there is nothing to wait for (CNN_OK), or where rank 0 does not take it within the limit,
 * and of one process no other rank says so: RANK, with the rank's message that failed, to be said
 * here. */
CNN_API cnn_status cnn_comm_hand_over(cnn_comm *comm, const char *message);
/** Ends the work of this rank. code 0: waits for the others, and frees it. Else the whole job ends,
 * with this exit code; a rank other than 0 hands its message over first. Where there are several
 * processes it does not return then. NULL is no error. */
CNN_API void cnn_comm_end(cnn_comm *comm, int code, const char *message);

/** From 0; 0 for NULL. */
CNN_API int cnn_comm_rank(const cnn_comm *comm);
/** How many there are; 1 for NULL. */
CNN_API int cnn_comm_size(const cnn_comm *comm);
/** Its number among those of this host. */
CNN_API int cnn_comm_local_rank(const cnn_comm *comm);

/** How many seconds a rank waits for another before the job ends, above 0; 300 at first.
 * NULL: of those that are made from now on, the devices of one process, too. */
CNN_API void cnn_comm_set_limit(cnn_comm *comm, double seconds);

/** Is what every rank has the same as rank 0's? what names it. All ranks call it; NULL is one
 * alone. Errors, on all ranks: ARGUMENT, with the rank that differs, what is expected and what was
 * found, and the advice; RANK. */
CNN_API cnn_status cnn_comm_compare(cnn_comm *comm, const char *what, const char *value,
                                    const char *advice);
/** Brings what a rank other than 0 has to rank 0: both call it. *data (*bytes) is that rank's own;
 * on rank 0 it is allocated here, to be freed with free(), and NULL after a failure. Errors:
 * MEMORY, RANK. */
CNN_API cnn_status cnn_comm_bring(void **data, size_t *bytes, cnn_comm *comm, int from);

#ifdef __cplusplus
}
#endif

#endif
