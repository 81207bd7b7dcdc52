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

/* Which of the network's layers have steps. */
typedef enum cnn_part {
    CNN_PART_WHOLE,  /* all */
    CNN_PART_FROZEN, /* those before cnn_frozen_cut() */
    CNN_PART_REST    /* those behind it */
} cnn_part;

typedef struct cnn_schedule_options {
    bool fuse;          /* by the rules, the longest that fits; else one step a layer, as on a
                           device that is to be exact */
    const bool *frozen; /* per layer: it is not trained; NULL: none */
    cnn_part part;
    bool evaluation; /* nothing is trained: rules for evaluation everywhere, not in frozen chains
                        alone */
} cnn_schedule_options;

typedef struct cnn_schedule {
    int source, target; /* the values that steps begin and end with */
    int step_count;
    cnn_schedule_step *steps; /* in the order in which they run */
    int *inputs;              /* of all steps */
    bool *wants_gradient;     /* per value: something that is trained stands before it */
    int *readers;             /* per value: steps that read it; 0 within a chain. The target counts
                                 as read once more */
} cnn_schedule;

/* No step goes across cnn_frozen_cut(): the parts have the steps of the whole. The network must
 * outlive the schedule. Errors: MEMORY. */
cnn_status cnn_schedule_init(cnn_schedule *schedule, const cnn_network *network,
                             const cnn_device *device, cnn_schedule_options options);
void cnn_schedule_finish(cnn_schedule *schedule);

/* The last value that is made by frozen layers, and by such as have nothing to train and draw
 * nothing, from the input alone, and which alone of them the layers behind it read. 0: there is
 * none, or no parameters are before it. frozen: per layer; NULL: none. */
int cnn_frozen_cut(const cnn_network *network, const bool *frozen);

#endif
