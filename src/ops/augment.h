/* A training batch from a data set's bytes, changed: cl/augment.cl, which takes the gather's place. */
#ifndef OPS_AUGMENT_H
#define OPS_AUGMENT_H

#include "augment/augment.h"
#include "ops/gather.h"
#include "ops/op.h"

enum { CNN_AUGMENT_SLOTS = 2 };

/* The numbers of a pass on their way to the device. */
typedef struct cnn_augment_slot {
    cnn_augment_draw *draws; /* host (batch + 1) */
    cnn_buffer device_draws;
    cl_event written; /* NULL: none pending */
} cnn_augment_slot;

typedef struct cnn_augment {
    cnn_augmentation options;
    cnn_shape shape;
    int batch;         /* the most samples of a pass */
    cnn_kernel kernel; /* none: nothing is changed */
    cnn_buffer normal; /* means (C), deviations (C) */
    cnn_augment_slot slots[CNN_AUGMENT_SLOTS];
    int next;
} cnn_augment;

/* Start from {0}. Errors: ARGUMENT (numbers that are impossible for this shape), KERNEL, MEMORY,
 * OPENCL. */
cnn_status cnn_augment_init(cnn_augment *augment, cnn_device *device, cnn_shape shape, int batch,
                            const cnn_augmentation *options);
void cnn_augment_finish(cnn_augment *augment);
/* As cnn_gather_normalize(). */
cnn_status cnn_augment_normalize(cnn_augment *augment, const float *values);

/* One of several views of each sample, in place of new numbers in each step. */
typedef struct cnn_augment_view {
    uint64_t number;
    const uint32_t *samples; /* (n + 1) of the pass: places in the split */
} cnn_augment_view;

/* The pass's numbers in host memory (n + 1), those of its samples, then those of the sample that the
 * first is mixed with; the caller sets their greys before cnn_augment_run() where there is `color`.
 * view may be NULL: by the step and the places in the batch. Sets what the pass says of mixing. Waits only for the numbers of two passes ago. Errors: OPENCL. */
cnn_status cnn_augment_draw_pass(cnn_augment_draw **draws, cnn_augment *augment, cnn_pass *pass,
                                 const cnn_augment_view *view);
/* Enqueues: x (n, H, W, C) and labels (n) of places first to first + n - 1 of the order; where there
 * is mixup, labels (n) from `batch` on: those of the samples that they are mixed with, the first one's
 * at place `last`. */
cnn_status cnn_augment_run(cnn_augment *augment, cl_mem x, cl_mem labels,
                           const cnn_gather_source *source, uint32_t first, uint32_t last,
                           const cnn_pass *pass);

#endif
