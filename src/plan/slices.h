/* A batch in slices (comm/tree.h), on the device: each has its own gradients and its own statistics of
 * batch norm; an update is by the sum of their gradients, and the running statistics become the mean
 * of the slices', weighted by their samples, both summed in the tree. */
#ifndef PLAN_SLICES_H
#define PLAN_SLICES_H

#include "comm/tree.h"
#include "net/network.h"
#include "ocl/buffer.h"
#include "ocl/launch.h"

/* Hands the sum of a node over, which lies on the device: for others to add up. */
typedef cnn_status (*cnn_give_node)(const cnn_buffer *sum, cnn_tree_node node, void *user);

/* Start from {0}. */
typedef struct cnn_slices {
    cnn_device *device;
    size_t parameters, count; /* floats of the gradients, and of them with the statistics */
    int slot_count;           /* 0: batches are in no slices */
    cnn_buffer *slots;        /* (slot_count) sums of nodes, each (count) */
    bool *taken;              /* (slot_count) */
    cnn_buffer before;        /* the statistics as the step found them */
    cnn_kernel leaf, add;
    cnn_tree tree; /* of the step under way */
    int result;    /* the slot of the sum of all; -1 until it is there */
    cnn_give_node give; /* NULL: the sum stays here */
    void *user;
} cnn_slices;

/* Can a batch be in so many slices (0: as many as ranks, not known yet)? micro_batch: 0 for none.
 * Errors: ARGUMENT. */
cnn_status cnn_slices_check(int slices, int batch, int micro_batch);

/* Room for sums of `slices` slices. Errors: KERNEL, MEMORY, OPENCL. */
cnn_status cnn_slices_init(cnn_slices *at, cnn_device *device, const cnn_network *network,
                           int slices);
void cnn_slices_finish(cnn_slices *at);

/* Each of these enqueues and does not wait. */

/* A step begins. statistics (network's) are kept. give may be NULL, where all slices are computed
 * here. */
cnn_status cnn_slices_begin(cnn_slices *at, const cnn_cut *cut,
                            const cnn_buffer *statistics, cnn_give_node give, void *user);
/* Before a slice: the statistics are what the step found. */
cnn_status cnn_slices_restore(const cnn_slices *at, const cnn_buffer *statistics);
/* Behind a slice's backward: its gradients and statistics go into the tree. */
cnn_status cnn_slices_put(cnn_slices *at, int slice, cl_mem gradients, cl_mem statistics);
/* Behind the last of the slices that are computed here. */
cnn_status cnn_slices_end(cnn_slices *at);

/* The sum of all from elsewhere (count). Waits: a rank without slices would else be steps ahead of its
 * device, and have the next sum where this one is read. */
cnn_status cnn_slices_take(cnn_slices *at, const float *sum);
/* The sum of all, gradients first; NULL before it is there. */
cl_mem cnn_slices_sum(const cnn_slices *at);
/* The running statistics of the layers that are trained become those of the sum. frozen: per layer;
 * NULL: none. */
cnn_status cnn_slices_settle(const cnn_slices *at, const cnn_network *network, const bool *frozen,
                             const cnn_buffer *statistics);

#endif
