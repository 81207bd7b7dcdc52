/* What a run of layers in plain C keeps, and the verbs of each kind of layer. */
#ifndef REF_RUN_H
#define REF_RUN_H

#include "ref/ref.h"

/* What one layer keeps. */
typedef struct record record;
struct record {
    const cnn_layer *layer;
    const float **x;           /* of each input: (N, in) */
    record **makers;           /* of each input: whose y it is; NULL where it comes from outside */
    int *outside;              /* of each input: which of the run's inputs it is; -1 */
    float **outside_gradients; /* of each input from outside */
    float *y;                  /* (N, out) */
    float *dy;                 /* (N, out): the sum of what the readers gave so far */
    float *statistics;         /* batch norm: mean (C), then inverse_std (C) */
    int32_t *which;            /* max pool: (N, out) */
    float *params[CNN_LAYER_MAX_PARAMS]; /* in the model; NULL where there is none */
    float *running;                      /* in the model */
    float *gradients[CNN_LAYER_MAX_PARAMS];
};

struct cnn_ref_run {
    cnn_model *model;
    cnn_ref_pass pass;
    int n, layer_count, input_count;
    record *records;
    float *dx; /* (N, the largest input): of one input of one layer */
};

static inline size_t cnn_ref_count(const cnn_ref_run *run, cnn_shape shape)
{
    return (size_t)run->n * cnn_shape_count(shape);
}

/* One layer: at->x to at->y; at->dy to run->dx, the gradient of an input, and, with the first one,
 * to the gradients of its parameters. */
void cnn_ref_forward(cnn_ref_run *run, record *at);
void cnn_ref_backward(cnn_ref_run *run, const record *at, int input);

#endif
