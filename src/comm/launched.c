/* What launchers leave in the environment. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "comm/comm.h"

/* The number of a variable; -1 where there is none. */
static int read_variable(const char *name)
{
    enum { MOST = 1 << 24 };
    int64_t value;
    const char *text = getenv(name);
    return text && cnn_parse_int(&value, text, 0, MOST) ? (int)value : -1;
}

int cnn_comm_launched(int *rank)
{
    static const struct {
        const char *size, *rank;
        bool is_job; /* a script of the job alone has them, too, as if it were the first rank */
    } launchers[] = {
        {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", false}, /* Open MPI's */
        {"PMI_SIZE", "PMI_RANK", false}, /* MPICH's, Intel's */
        {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", false}, /* srun */
        {"SLURM_NTASKS", "SLURM_PROCID", true},
    };
    int number = 0, size = 1;
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0] && size <= 1; i++) {
        int found = read_variable(launchers[i].rank);
        if (found < 0)
            continue;
        int all = read_variable(launchers[i].size);
        if (all < 1 || (launchers[i].is_job && found == 0 && !getenv("SLURM_STEP_ID") &&
                        !getenv("SLURM_STEPID")))
            continue;
        size = all;
        number = found;
        break;
    }
    /* Of PMIx the environment tells the rank alone. */
    if (size == 1 && read_variable("PMIX_RANK") > 0) {
        number = read_variable("PMIX_RANK");
        size = number + 1;
    }
    if (rank)
        *rank = number;
    return size;
}
