/* Dropout2d's masks of one layer and step on the device. */
#ifndef OPS_MASKS_H
#define OPS_MASKS_H

#include "ops/op.h"

/* Enqueues the kernel dropout_scales (cl/dropout.cl): scales (pass->n, C) is 0 for dropped channels
 * and 1 / (1 - p) for kept ones. layer is the dropout layer. */
cnn_status cnn_masks_draw(cnn_kernel *kernel, cl_mem scales, const cnn_layer *layer,
                          const cnn_pass *pass);

/* Bytes of scales for a whole batch. */
size_t cnn_masks_bytes(const cnn_layer *layer, int batch);

#endif
