/* The sum over all slices of a step, from what each rank has of the tree. */
#ifndef COMM_SUM_H
#define COMM_SUM_H

#include "comm/comm.h"
#include "comm/tree.h"

/* What this rank gives. Start with cnn_sum_init(). */
typedef struct cnn_sum {
    size_t count;             /* floats of a node */
    float **values;           /* (room) each (count) */
    cnn_tree_node *nodes;     /* (node_count) whose they are, in the order of the slices */
    int node_count, room;
    float *received;          /* (count) */
    float *room_of_total, *total; /* (CNN_SUM_ORDERS + count), and behind the orders */
    float *parts;             /* (parts_room) this rank's part of everybody's nodes */
    size_t parts_room;
} cnn_sum;

enum { CNN_SUM_ORDERS = 2 /* floats in front of the sum that rank 0 sends to all with it */ };

/* Floats of a sum. */
typedef struct cnn_span {
    size_t begin, end;
} cnn_span;

cnn_status cnn_sum_init(cnn_sum *sum, size_t count);
void cnn_sum_finish(cnn_sum *sum);

/* Forgets what was given. */
void cnn_sum_begin(cnn_sum *sum);
/* Where the next node's values (count) go; nodes come in the order of their slices. Errors: MEMORY. */
cnn_status cnn_sum_give(float **values, cnn_sum *sum, cnn_tree_node node);

/* Sums a range; either goes up the tree whole, by pairs of ranks, or each rank sums a part of the floats for
 * all: the same additions. deal (size + 1): the first slice of each rank. *total (count) has the sum of the
 * range on all ranks, the same for every deal. orders, where they are not NULL, become rank 0's: with the range
 * that begins at 0, which is then the last. */
cnn_status cnn_sum_run(const float **total, float orders[CNN_SUM_ORDERS], cnn_sum *sum,
                       cnn_comm *comm, const cnn_cut *cut, const int *deal, cnn_span range);

/* Deals slices out by how long a slice took on each rank (size; 0: not known, as long as the others):
 * so that all end together. deal and room (size + 1); it stays as it is where the last one would end
 * less than a tenth earlier. */
void cnn_deal_by_time(int *deal, int slices, const double *seconds, int size, int *room);
/* The rank that a slice is dealt to. */
int cnn_deal_owner(const int *deal, int slice);

#endif
