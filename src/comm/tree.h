/* Slices of a batch, and the binary tree in which what they give is summed. Slice i of S has the
 * samples from i n / S to (i + 1) n / S, rounded down; where n < S some have none. Node k of level l
 * stands for the slices from k 2^l to (k + 1) 2^l: its sum is that of its two halves, or the one half
 * that has samples. So the sum is the same, bit for bit, whoever computes which slice. */
#ifndef COMM_TREE_H
#define COMM_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>

enum { CNN_TREE_LEVELS = 32 };

/* How a batch is cut. */
typedef struct cnn_cut {
    int samples, slices;
} cnn_cut;

/* The first sample of a slice; of slice number `slices`, the number of samples. */
int cnn_cut_begin(const cnn_cut *cut, int slice);
/* The most samples of a slice of a batch. */
int cnn_cut_most(const cnn_cut *cut);

typedef struct cnn_tree_node {
    int level, index;
} cnn_tree_node;

/* The level of the node that stands for all slices. */
int cnn_tree_top(int slices);
/* The slices of a node: from *begin to *end. */
void cnn_tree_span(int *begin, int *end, const cnn_cut *cut, cnn_tree_node node);
/* The samples of a node. */
int cnn_tree_samples(const cnn_cut *cut, cnn_tree_node node);

/* What a sum is done with. Sums lie in slots, numbered by the user. */
typedef struct cnn_tree_user {
    /* into += from; the slot `from` is then free. */
    cnn_status (*add)(void *user, int into, int from);
    /* In the order of the slices: the sum of a node whose sibling belongs to others, or of all slices; the slot is then free. */
    cnn_status (*give)(void *user, int slot, cnn_tree_node node);
    void *user;
} cnn_tree_user;

/* The sum of a stretch of slices, as far as they are its own. Start with cnn_tree_begin(). */
typedef struct cnn_tree {
    cnn_cut cut;
    int held[CNN_TREE_LEVELS]; /* slots of left halves that wait for the right one; -1: none */
    int index[CNN_TREE_LEVELS]; /* of their nodes */
} cnn_tree;

void cnn_tree_begin(cnn_tree *tree, const cnn_cut *cut);
/* The next slice of the stretch that has samples, in this slot. */
cnn_status cnn_tree_put(cnn_tree *tree, int slice, int slot, const cnn_tree_user *user);
/* Would this slice, as the last of the stretch, be added to all that is held? *count are the levels (CNN_TREE_LEVELS)
 * of that, in the order in which they are added. Else there would be several nodes to give, as there are where some
 * were given before. */
bool cnn_tree_closes(int levels[], int *count, const cnn_tree *tree, int slice);
/* The stretch is over: gives what is held, in the order of the slices. */
cnn_status cnn_tree_end(cnn_tree *tree, const cnn_tree_user *user);

#endif
