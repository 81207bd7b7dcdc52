/* A training over several ranks: which slices are whose, and what they tell each other. Every rank
 * runs the same steps, and decides the same from the same numbers; rank 0 alone has callbacks, and
 * says for all when to read the tally and when to stop. */
#ifndef TRAIN_RANKS_H
#define TRAIN_RANKS_H

#include "comm/sum.h"
#include "train/buckets.h"
#include "train/loop.h"

struct cnn_ranks {
    cnn_comm *comm;
    int slices;
    int *deal; /* (size + 1) first slice of each rank */
    int *room; /* (size + 1) */
    double
        summing; /* seconds in the sums over ranks since the pass began, waits for them included */
    double exposed; /* the least of any rank, on rank 0 when the tally was read: who comes last
                       waits for none */
    double
        fastest;  /* seconds a slice, of the fastest step since the tally was read last; 0: none */
    double known; /* the one before that */
    uint64_t steps; /* in which this rank had slices, and which were waited for */
    uint64_t turn;  /* steps that might have been waited for */
    cnn_buckets buckets;
    cnn_timeline *timeline; /* of a bench; NULL: none */
    double *times;          /* (size) of rank 0: seconds that a slice took on each rank */
    cnn_sum sum;
    bool collect, stop; /* rank 0's orders behind the step that was run last */
};

/* The slices are dealt out evenly, and anew when the tally is read: by how long they took. Errors:
 * MEMORY. */
cnn_status cnn_ranks_create(cnn_ranks **ranks, cnn_comm *comm, int slices, size_t count);
void cnn_ranks_destroy(cnn_ranks *ranks);

/* Tells everybody who is who, and compares what all ranks must have alike; dataset and options may
 * be NULL. Errors: ARGUMENT, RANK. */
cnn_status cnn_ranks_compare(cnn_comm *comm, const cnn_device *device, const cnn_model *model,
                             const cnn_dataset *dataset, const cnn_train_options *options);

/* Devices of several kinds round differently: where there are some, everybody's values, and the
 * optimizer's, become rank 0's. The devices are idle. Errors: MEMORY, OPENCL, RANK. */
cnn_status cnn_ranks_level(cnn_ranks *ranks, const cnn_plan *plan);

/* Of `count` things in a row those of a rank: *begin to *end. */
void cnn_ranks_share(size_t *begin, size_t *end, const cnn_ranks *ranks, int rank, size_t count);

/* This rank's slices of a step took so long. The first steps, which compile, do not count. */
void cnn_ranks_note(cnn_ranks *ranks, int slices, double seconds);
/* May a step's sum begin while the backward of this rank's last slice is under way? In all steps
 * but one now and then, by which slices are dealt out: what it waits for the others is not told
 * from what it computes. */
bool cnn_ranks_may_overlap(cnn_ranks *ranks);
/* Does it, where this is that slice? Its gradients are then read as they become ready; it does not
 * where what this rank's slices add up to is not one node of the tree. Errors: MEMORY, OPENCL. */
cnn_status cnn_ranks_overlap(bool *overlaps, cnn_ranks *ranks, const cnn_slices *slices, int slice);

/* A step begins. Errors: OPENCL. */
cnn_status cnn_ranks_begin(cnn_ranks *ranks, const cnn_plan *plan);
/* Takes what a node on the device is the sum of; of plan/slices.h. user: the cnn_ranks. */
cnn_status cnn_ranks_give(const cnn_buffer *sum, cnn_tree_node node, void *user);
/* Behind this rank's slices: the sum of all goes to the device. Rank 0's orders go with it. */
cnn_status cnn_ranks_sum(cnn_ranks *ranks, cnn_slices *slices, const cnn_cut *cut);

/* What the steps of a pass gave, on this rank, becomes what they gave on all: parts (1 or the
 * slices) of each of count steps from number `from` on, each from the rank that it was dealt to.
 * losses and hits (count, parts) are those of all on rank 0; *bad is the first slot that is not
 * finite, and *who the rank. stopped: rank 0's, and on return everyone's. */
typedef struct cnn_tally {
    float *losses;
    uint32_t *hits;
    size_t from, count, parts;
    size_t all; /* steps of the pass */
    bool training;
    int bad; /* -1: none */
    bool stopped;
} cnn_tally;
cnn_status cnn_ranks_gather(cnn_ranks *ranks, cnn_tally *tally, int *who);

/* Brings what each rank has of an array (count) of things of so many bytes to rank 0: those of its
 * share of the steps of an evaluation, `step` things each. */
cnn_status cnn_ranks_collect(cnn_ranks *ranks, void *things, size_t count, size_t bytes,
                             size_t step);

#endif
