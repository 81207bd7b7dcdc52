/* Single values of a chain of layers in a training pass: an output, a gradient. What one value needs
 * is computed, and no more, in double; with it comes how far right floats may be from it, whatever the
 * order of their sums. */
#ifndef REF_POINTS_H
#define REF_POINTS_H

#include "ref/ref.h"

/* A number, and how far from it what rounding leaves of it may be. */
typedef struct cnn_ref_real {
    double value, error;
} cnn_ref_real;

typedef struct cnn_ref_spot {
    int sample; /* of those that are there */
    int c, h, w;
} cnn_ref_spot;

/* Layers of which each reads the one before, which nothing else reads, and what the pass had. All of
 * it is the caller's, and outlives the points. */
typedef struct cnn_ref_chain {
    const cnn_layer *const *layers;
    int count;
    const bool *frozen;      /* per layer of the network: a batch norm has its running statistics;
                                NULL: none */
    const float *parameters; /* flat */
    const float *running;    /* flat: the statistics of frozen batch norms */
    int n;                   /* samples that are there */
    const int *samples;      /* (n) their numbers in the batch, for the masks */
    int whole;               /* samples of the pass, of which batch norm has its statistics */
    uint64_t seed, step;     /* of the masks */
    const float *const *x; /* of each input that is not in the chain, in order: (n, H, W, C) */
    const float *dy;       /* (n, H, W, C) of the last output; for gradients */
    const float *mean, *inverse_std; /* (C) of the batch norm that is trained */
    const float *gradients; /* flat: of the batch norm's weight and bias, the sums that its input's
                               gradient is made of; NULL: they are added up, and all of the pass's
                               samples must be there */
} cnn_ref_chain;

typedef struct cnn_ref_points cnn_ref_points;
/* chain must outlive the points; what it points to may come later, before it is needed. Errors: MEMORY.
 */
cnn_status cnn_ref_points_create(cnn_ref_points **points, const cnn_ref_chain *chain);
void cnn_ref_points_destroy(cnn_ref_points *points);
/* Was there too little memory for one of the values? They are NaN then. */
bool cnn_ref_points_failed(const cnn_ref_points *points);

/* The output of a layer, from 0; the last one's is the chain's. */
cnn_ref_real cnn_ref_point_value(cnn_ref_points *points, int layer, cnn_ref_spot at);
/* The gradient of one of the inputs that are not in the chain. */
cnn_ref_real cnn_ref_point_input_gradient(cnn_ref_points *points, int input, cnn_ref_spot at);
/* The gradient of a value of a layer's parameter, as it lies there. All of the pass's samples must be
 * there. */
cnn_ref_real cnn_ref_point_parameter_gradient(cnn_ref_points *points, int layer, int param,
                                              size_t index);
/* A channel's mean, and its biased variance, of what a batch norm reads. Likewise. */
void cnn_ref_point_statistics(cnn_ref_real *mean, cnn_ref_real *variance, cnn_ref_points *points,
                              int layer, int c);

#endif
