/* Built without MPI. */
#include "base/status.h"
#include "comm/comm.h"

const char *cnn_comm_library(void)
{
    return "";
}

cnn_status cnn_mpi_create(cnn_comm **comm, int launched)
{
    *comm = NULL;
    return cnn_fail(CNN_ERROR_ARGUMENT,
                    "started as one of %d ranks: expected a cnn-cl with MPI, found one that was built "
                    "without it: install it (scripts/setup.sh --mpi) and build again with -Dmpi=enabled, "
                    "or start one process",
                    launched);
}
