/* Which tensors a plan has, and how long each lives. */
#ifndef PLAN_LAYOUT_H
#define PLAN_LAYOUT_H

#include "plan/plan.h"

/* The most tensors of a plan: per step an activation, a gradient, what is saved and the masks; and
 * the input and the gradient of the logits. */
#define CNN_PLAN_MAX_LIVES(steps) (4 * (steps) + 2)

/* Fills plan->lives and the steps' indices from the operations' needs. */
void cnn_plan_lay_out(cnn_plan *plan);

/* Puts tensors that never live together into one buffer: sets each life->buffer, writes the
 * buffers' sizes (room for count entries) and returns their number. */
int cnn_lives_share(cnn_life *lives, int count, size_t *sizes);

/* Tells the device, while the plan is there, what is to be done where memory does not suffice.
 * sizes (count): of the plan's buffers; scratch: bytes. */
void cnn_plan_advise(cnn_plan *plan, const size_t *sizes, int count, size_t scratch);

#endif
