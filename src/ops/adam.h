/* Adam over the flat parameters: cl/adam.cl. */
#ifndef OPS_ADAM_H
#define OPS_ADAM_H

#include "ocl/buffer.h"
#include "ocl/launch.h"

typedef struct cnn_adam {
    cnn_kernel kernel;
    size_t count;
    cnn_buffer m, v; /* moments (count), zero at first */
    cnn_kernel add;  /* for batches in pieces */
    cnn_buffer sum;  /* (count) of the pieces' gradients; none unless cnn_adam_init_sum() */
} cnn_adam;

cnn_status cnn_adam_init(cnn_adam *adam, cnn_device *device, size_t count);
void cnn_adam_finish(cnn_adam *adam);

/* From now on updates are by the sum of what cnn_adam_add() was given. */
cnn_status cnn_adam_init_sum(cnn_adam *adam);
/* Enqueues: the sum becomes gradients (count) where they are the first of a batch, else they are
 * added. */
cnn_status cnn_adam_add(cnn_adam *adam, cl_mem gradients, bool first);

/* Enqueues update number `step` (from 1) of parameters (count), unless bad[0] >= 0. gradients are
 * not read where there is a sum. */
cnn_status cnn_adam_run(cnn_adam *adam, cl_mem parameters, cl_mem gradients, cl_mem bad, double lr,
                        uint64_t step);

#endif
