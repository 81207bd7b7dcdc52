/* One step of a plan and the same layers in plain C, while they are compared. */
#ifndef DOCTOR_STEP_CASE_H
#define DOCTOR_STEP_CASE_H

#include "doctor/check.h"

enum { CNN_STEP_BUFFERS = 10 }; /* step.c says which */

/* One of a step's inputs. */
typedef struct cnn_step_input {
    cnn_shape shape;
    float *x;                    /* (n, shape) */
    cnn_buffer buffer, gradient; /* the device's */
    bool wanted;                 /* its gradient */
    bool gradient_in_place;      /* which is the output's, in the same memory */
    float *spread;               /* (n, shape): how far rounding carries its gradient */
} cnn_step_input;

typedef struct cnn_step_case {
    cnn_check *check;
    cnn_op *op;
    const cnn_layer *first, *last;
    const cnn_layer *dropout_before; /* whose masks the step looks at; NULL for none */
    bool in_place;                   /* the output is the first input */
    int n;
    cnn_pass pass;
    char name[CNN_DOCTOR_NAME], layers[CNN_DOCTOR_NAME], detail[160];
    int input_count;
    struct cnn_step_input *inputs;
    size_t out;             /* values of n samples */
    float *dy, *kept;       /* (n, out); (n, the first input's channels) */
    float *gradients;       /* flat: plain C's */
    float *statistics;      /* flat: before, as the model's are changed */
    float *actual, *turned; /* room for what the device gives */
    cnn_ref_run *run;
    cl_mem *mems; /* of the inputs, then of their gradients */
    cnn_op_memory memory;
    double forward_length, backward_length;    /* of the longest sums */
    bool shaken;                               /* what follows is made: how far rounding carries */
    float *output_spread;                      /* (n, out) */
    float *gradient_spread, *statistic_spread; /* flat */
    cnn_buffer buffers[CNN_STEP_BUFFERS];
} cnn_step_case;

/* Values of n samples of an input. */
size_t cnn_step_input_values(const cnn_step_case *at, int input);

/* Draws a pass's input and lets plain C do it: the output is in at->run, and at->gradients, at->dx
 * and the model's statistics are those after it. The output's gradient at->dy is zero wherever
 * rounding may rightly decide its way. Errors: MEMORY. */
cnn_status cnn_step_run_reference(cnn_step_case *at);

/* Chooses the pass's step so that each dropout keeps some channels and drops others. Errors:
 * MEMORY.
 */
cnn_status cnn_step_choose_masks(cnn_step_case *at);

/* Compares a tensor (count) of the device's with plain C's. Where it seems wrong, it may be as far
 * away as rounding carries: spread is one of the step's, `offset` the tensor's place in it. Errors:
 * MEMORY. */
cnn_status cnn_step_compare(cnn_step_case *at, const char *tensor, const float *actual,
                            const float *expected, float *const *spread, size_t offset,
                            size_t count, cnn_tolerance tolerance);
/* By the length of the step's sums. */
cnn_tolerance cnn_step_forward_tolerance(const cnn_step_case *at);
cnn_tolerance cnn_step_backward_tolerance(const cnn_step_case *at);

#endif
