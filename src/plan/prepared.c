/* What steps make of the parameters alone: packed weights, folded norms. Where no training changes
 * them it is made once; else in every pass, in memory that all steps share. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "plan/plan.h"
#include "plan/prepared.h"

/* In a plan that trains, steps without a backward are frozen. */
static bool keeps(const cnn_plan *plan, const cnn_op *op)
{
    return op->prepared_bytes > 0 && (!plan->options.training || !op->class->backward);
}

cnn_status cnn_prepared_init(cnn_plan *plan)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&plan->prepared, (size_t)plan->step_count, sizeof *plan->prepared,
                         "the plan's steps"));
    for (int i = 0; i < plan->step_count; i++)
        if (keeps(plan, plan->steps[i].op))
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
    const cnn_buffer *own = &plan->prepared[step];
    return own->mem ? own->mem : plan->scratch.mem;
}

void cnn_prepared_is_there(cnn_plan *plan, int step)
{
    plan->steps[step].memory.is_prepared = plan->prepared[step].mem != NULL;
}

void cnn_prepared_forget(cnn_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++)
        plan->steps[i].memory.is_prepared = false;
}
