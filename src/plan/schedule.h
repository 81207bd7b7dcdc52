/* Which op does which layers, in which order. Host only: nothing is compiled or allocated on a
 * device. */
#ifndef PLAN_SCHEDULE_H
#define PLAN_SCHEDULE_H

#include "plan/rules.h"

/* The steps' inputs and outputs are values of the network (net/network.h). */
typedef struct cnn_schedule_step {
    const cnn_rule *rule; /* NULL for a plain step: one layer */
    const cnn_op_class *op;
    cnn_chain chain;
    int input_count;
    int *inputs; /* the first layer's, then what later ones read besides the chain */
    int output;
} cnn_schedule_step;

typedef struct cnn_schedule {
    int step_count;
    cnn_schedule_step *steps; /* in the order in which they run */
    int *inputs;              /* of all steps */
    bool *wants_gradient;     /* per value: something that is trained stands before it */
    int *readers;             /* per value: steps that read it; 0 within a chain. The network's
                                 output counts as read once more */
} cnn_schedule;

/* fuse: by the rules, the longest that fits; else one step a layer. The network must outlive the
 * schedule. Errors: MEMORY. */
cnn_status cnn_schedule_init(cnn_schedule *schedule, const cnn_network *network,
                             const cnn_device *device, bool fuse);
void cnn_schedule_finish(cnn_schedule *schedule);

#endif
