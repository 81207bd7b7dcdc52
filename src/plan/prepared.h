/* What the steps of a plan make of the parameters, kept while those stay as they are. */
#ifndef PLAN_PREPARED_H
#define PLAN_PREPARED_H

#include "plan/plan.h"

/* Memory for the steps whose parameters no training changes. Errors: MEMORY, OPENCL. */
cnn_status cnn_prepared_init(cnn_plan *plan);
void cnn_prepared_finish(cnn_plan *plan);
/* A step's; the plan's scratch memory where nothing is kept. */
cl_mem cnn_prepared_memory(const cnn_plan *plan, int step);
/* A step has run forward: what it made stays. */
void cnn_prepared_is_there(cnn_plan *plan, int step);
/* The parameters or the statistics are others now. */
void cnn_prepared_forget(cnn_plan *plan);

#endif
