/* Softmax cross-entropy: the loss of a batch and its gradient, and the tally of losses and right
 * answers that stays on the device until a tick reads it: cl/softmax.cl. */
#ifndef OPS_SOFTMAX_H
#define OPS_SOFTMAX_H

#include "ocl/buffer.h"
#include "ocl/launch.h"
#include "ops/op.h"

typedef struct cnn_softmax {
    int classes;
    int samples;                           /* the most of a pass */
    size_t slots;                          /* batches that the tally has room for */
    cnn_kernel loss, tally;                /* on CPUs, and where bits are to be the same */
    cnn_kernel batch;                      /* on GPUs: both, by one work-group */
    double smoothing;                      /* of labels, in training */
    cnn_buffer weights;                    /* (classes), in training; none: each class counts 1 */
    cnn_buffer sample_losses, sample_hits; /* (batch) */
    cnn_buffer losses, hits;               /* (slots): mean loss and hits of a batch */
    cnn_buffer bad; /* (1) int: the first slot whose loss was not finite; -1: none */
} cnn_softmax;

cnn_status cnn_softmax_init(cnn_softmax *softmax, cnn_device *device, int classes, int batch,
                            size_t slots);
void cnn_softmax_finish(cnn_softmax *softmax);

/* From now on passes of training have PyTorch's CrossEntropyLoss(weight, label_smoothing), of both
 * labels where samples are mixed. weights
 * (classes) may be NULL; with them passes say their batch's weight. */
cnn_status cnn_softmax_shape(cnn_softmax *softmax, double smoothing, const float *weights);

/* Enqueues: gradient (n, classes) from logits (n, classes) and labels (n), 16 bits, of a pass (where
 * its samples are mixed, the others' labels (n) from place `batch` on), and
 * slot `slot` of the tally: what the passes before it in the same batch gave is added to. */
cnn_status cnn_softmax_run(cnn_softmax *softmax, cl_mem gradient, cl_mem logits, cl_mem labels,
                           size_t slot, const cnn_pass *pass);

/* Makes room for more batches. On failure it is as before. */
cnn_status cnn_softmax_reserve(cnn_softmax *softmax, size_t slots);

/* Clears the mark of a loss that is not finite. Waits for the device. */
cnn_status cnn_softmax_reset(cnn_softmax *softmax);
/* Reads `count` slots from slot `first` on, and the first slot that is not finite (-1: none). Waits
 * for the device. */
cnn_status cnn_softmax_read(float *losses, uint32_t *hits, int *bad, const cnn_softmax *softmax,
                            size_t first, size_t count);

#endif
