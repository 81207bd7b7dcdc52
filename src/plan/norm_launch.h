/* Launches that every fused step with batch norm has. */
#ifndef PLAN_NORM_LAUNCH_H
#define PLAN_NORM_LAUNCH_H

#include "ops/op.h"

/* kernel: batchnorm_merge. The moments of `items` work-items in scratch become the batch's mean and
 * inverse deviation in saved, and move the running statistics; n: samples. */
cnn_status cnn_norm_merge(const cnn_op *op, const cnn_op_memory *memory, cnn_kernel *kernel,
                          const cnn_layer *norm, int n, int items);

/* kernel: norm_block_fold. The convolution's weights, and its bias at `folded_bias`, with the batch
 * norm in them, into prepared memory; count: work-items. */
cnn_status cnn_norm_fold(const cnn_op *op, const cnn_op_memory *memory, cnn_kernel *kernel,
                         const cnn_layer *conv, const cnn_layer *norm, size_t count,
                         size_t folded_bias);

#endif
