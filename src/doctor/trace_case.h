/* Training steps of a plan, and plain C beside some of them. */
#ifndef DOCTOR_TRACE_CASE_H
#define DOCTOR_TRACE_CASE_H

#include "doctor/check.h"

static const double cnn_trace_lr = 1e-3;
static const uint64_t cnn_trace_seed = 7;

enum { CNN_TRACE_BATCHES = 3 }; /* of different samples, taken in turn */

/* Flat values, as the model's parameters. */
typedef struct cnn_trace_values {
    float *gradients, *moved, *spread; /* plain C's; with noise; how far that carries */
    float *m, *v;                      /* the device's before the step, then plain C's */
    float *found;                      /* any of the device's */
} cnn_trace_values;

typedef struct cnn_trace_case {
    cnn_check *check;
    cnn_model *model; /* fresh, then the device's before a step */
    cnn_plan *plan;
    int n, steps;
    size_t image;
    uint8_t *images;  /* (CNN_TRACE_BATCHES n) */
    uint16_t *labels; /* (CNN_TRACE_BATCHES n) */
    cnn_buffer device_images, device_labels;
    float *x, *moved_x, *logits;                             /* (n, image), (n, image), (n, ydim) */
    float *statistics, *moved_statistics, *statistic_spread; /* flat: plain C's after the step */
    double loss, loss_spread;
    bool shaken; /* the spreads are this step's */
    cnn_trace_values values;
} cnn_trace_case;

/* trace_step.c: room for what is compared. Errors: MEMORY. */
cnn_status cnn_trace_open(cnn_trace_case *at);
void cnn_trace_close(cnn_trace_case *at);
/* Reads the device's state before a step; compares what the step left with what plain C makes of
 * that state. Errors: OPENCL, MEMORY. */
cnn_status cnn_trace_before(cnn_trace_case *at);
cnn_status cnn_trace_after(cnn_trace_case *at, size_t step);

#endif
