/* Dropout2d's masks of one layer and step on the device. The layer may be NULL where a fused step has
 * none: nothing is masked then. */
#ifndef OPS_MASKS_H
#define OPS_MASKS_H

#include "ops/op.h"

/* The share of channels that is dropped. */
static inline double cnn_masks_dropped(const cnn_layer *layer)
{
    return layer ? layer->options.dropout.p : 0.0;
}

/* Adds the kernel dropout_scales (cl/dropout.cl). */
cnn_status cnn_masks_add_kernel(cnn_op *op);

/* Enqueues that kernel: scales (pass->n, C) is 0 for dropped channels
 * and 1 / (1 - p) for kept ones. */
cnn_status cnn_masks_draw(cnn_kernel *kernel, cl_mem scales, const cnn_layer *layer,
                          const cnn_pass *pass);

/* Bytes of scales for a whole batch. */
size_t cnn_masks_bytes(const cnn_layer *layer, int batch);

/* What the kernels of a fused step with a dropout are told about masks, in both directions. The
 * arguments `masked` are 0 where all channels are kept, 1 where the scales tell, and 2 where,
 * besides, the kept channels are packed (cl/kept.cl). */
typedef struct cnn_mask_args {
    cnn_arg input_scales, input_masked;          /* of the dropout that made the input */
    cnn_arg output_scales, output_masked, scale; /* of the step's own dropout */
} cnn_mask_args;

/* Where nothing is masked the scales are some buffer that is not read. */
cnn_mask_args cnn_masks_arguments(const cnn_op_memory *memory, const cnn_layer *layer,
                                  const cnn_pass *pass);

#endif
