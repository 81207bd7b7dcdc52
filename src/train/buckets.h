/* The sum over ranks in ranges: those of the network's later layers are read and summed while
 * backward is still at the earlier ones. */
#ifndef TRAIN_BUCKETS_H
#define TRAIN_BUCKETS_H

#include "comm/sum.h"
#include "comm/tree.h"
#include "plan/plan.h"

enum { CNN_BUCKETS_MOST = 6 };

/* What earlier slices have added up, on its way. */
typedef struct cnn_held {
    float *values; /* (parameters) */
    cl_event event;
} cnn_held;

/* Start from {0}. */
typedef struct cnn_buckets {
    int count; /* of the ranges, in the order in which they are summed */
    cnn_span
        ranges[CNN_BUCKETS_MOST]; /* the same on all ranks; the one that begins at 0 is the last */
    int ready[CNN_BUCKETS_MOST];  /* the plan's step behind whose backward it is whole; -1: none */
    cl_event events[CNN_BUCKETS_MOST]; /* of reads under way */
    float *values;                  /* where they go; NULL: everything was read when it was given */
    cnn_held held[CNN_TREE_LEVELS]; /* (held_count) that a range is added to, in this order */
    int held_count;
    size_t parameters;
    const cnn_device *device;
} cnn_buckets;

/* Those of a plan in slices. */
void cnn_buckets_init(cnn_buckets *buckets, const cnn_plan *plan);
/* Waits for what is under way. */
cnn_status cnn_buckets_finish(cnn_buckets *buckets);

/* Waits, and frees. Where that fails, the memory that is still written to is left behind: *values
 * is NULL then. */
void cnn_buckets_leave(cnn_buckets *buckets, float **values);

/* From now on this slice's gradients go to values as they become ready. */
void cnn_buckets_begin(cnn_buckets *buckets, float *values);
/* And they are added to this sum of earlier slices, which is read now. Errors: MEMORY, OPENCL. */
cnn_status cnn_buckets_hold(cnn_buckets *buckets, const cnn_buffer *sum);
/* Behind a step's backward: enqueues the reads of what is whole now. */
cnn_status cnn_buckets_read(cnn_buckets *buckets, const cnn_plan *plan, int step);
/* Behind the slice's sum, which has the statistics: enqueues the read of them. */
cnn_status cnn_buckets_read_rest(cnn_buckets *buckets, const cnn_buffer *sum);
/* Is nothing under way? */
bool cnn_buckets_are_read(const cnn_buckets *buckets);
/* Waits for a range, and adds it to what is held. */
cnn_status cnn_buckets_settle(cnn_buckets *buckets, int index);

#endif
