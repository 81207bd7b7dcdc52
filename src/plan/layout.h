/* Which tensors a plan has, and how long each lives. */
#ifndef PLAN_LAYOUT_H
#define PLAN_LAYOUT_H

#include "plan/plan.h"

/* Makes plan->lives and sets the steps' indices from the schedule and the operations' needs.
 * Errors: MEMORY. */
cnn_status cnn_plan_lay_out(cnn_plan *plan);

/* Puts tensors that never live together into one buffer: sets each life->buffer, writes the
 * buffers' sizes (room for count entries) and their number. Errors: MEMORY. */
cnn_status cnn_lives_share(cnn_life *lives, int count, size_t *sizes, int *buffers);

/* The bytes that live at once where most do: what no sharing can go below. Errors:
 * MEMORY. */
cnn_status cnn_lives_peak(size_t *peak, const cnn_life *lives, int count);

/* Tells the device, while the plan is there, what is to be done where memory does not suffice.
 * sizes (count): of the plan's buffers; scratch: bytes. */
void cnn_plan_advise(cnn_plan *plan, const size_t *sizes, int count, size_t scratch);

#endif
