/* One operation of one layer on the device beside the same in plain C. */
#ifndef TESTS_OP_CASE_H
#define TESTS_OP_CASE_H

#include "on_device.h"
#include "ops/op.h"
#include "support.h"

/* How far the device may be off. */
typedef struct op_tolerance {
    double forward, backward;
    double floor; /* for a single value, where the expected tensor is rounding noise */
} op_tolerance;

typedef struct op_case {
    char name[CNN_LAYER_NAME_SIZE + 96];
    cnn_layer layer; /* its parameters lie with gaps around them in the flat buffers */
    const cnn_op_class *class; /* NULL: the plain operation of the layer */
    int n, batch;    /* n of the batch that the operation is made for */
    bool training, in_place;
    bool wants_input_gradient;
    uint64_t seed, step;
    op_tolerance tolerance;

    /* Host: NCHW. */
    float *x, *dy;             /* (n, in), (n, out) */
    float *params[2];          /* weight, bias; NULL where there are none */
    float *running;            /* batch norm: (2, C) before */
    float *y, *dx;             /* expected */
    float *gradients[2];       /* expected */
    float *running_after;      /* expected */
    float *mean, *inverse_std; /* batch norm: of the reference's forward pass */
    int32_t *which;            /* max pool: likewise */

    cnn_op *op;
    cnn_op_memory memory;
} op_case;

/* The number of values of the n samples. */
size_t op_case_in(const op_case *at);
size_t op_case_out(const op_case *at);

/* A case of a layer whose x, dy and params are random; the caller may change them. */
op_case make_op_case(random_source *random, const cnn_layer *layer, int n, int batch);

/* Fills y, dx, gradients, running_after by plain C. */
void op_case_expect(op_case *at);

/* Creates the operation, runs it forward and, in training, backward on memory that holds NaN
 * wherever the operation may not look, and compares everything with what is expected. Destroys
 * the operation. */
void check_op_case(op_case *at);

#endif
