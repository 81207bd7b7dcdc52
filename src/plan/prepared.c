/* What steps make of the parameters alone: packed weights, folded norms. Where no training changes
 * them it is made once; while training, in every pass, in memory that all steps share. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "plan/plan.h"
#include "plan/prepared.h"

cnn_status cnn_prepared_init(cnn_plan *plan)
{
    cnn_status status = CNN_OK;
    if (plan->options.training)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&plan->prepared, (size_t)plan->step_count, sizeof *plan->prepared,
                         "the plan's steps"));
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op->prepared_bytes > 0)
            CNN_TRY(cnn_buffer_init(&plan->prepared[i], plan->device,
                                    plan->steps[i].op->prepared_bytes, "prepared parameters"));
out:
    return status;
}

void cnn_prepared_finish(cnn_plan *plan)
{
    for (int i = 0; plan->prepared && i < plan->step_count; i++)
        cnn_buffer_finish(&plan->prepared[i]);
    free(plan->prepared);
}

cl_mem cnn_prepared_memory(const cnn_plan *plan, int step)
{
    return plan->prepared ? plan->prepared[step].mem : plan->scratch.mem;
}

void cnn_prepared_is_there(cnn_plan *plan, int step)
{
    plan->steps[step].memory.is_prepared = plan->prepared != NULL;
}

void cnn_prepared_forget(cnn_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++)
        plan->steps[i].memory.is_prepared = false;
}
