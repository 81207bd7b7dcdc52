/* The operations that cover more than one layer; rules.c says when. */
#ifndef PLAN_FUSED_H
#define PLAN_FUSED_H

#include "ops/op.h"

/* Convolution, ReLU, max pool, dropout or none: cl/conv_block.cl */
extern const cnn_op_class cnn_conv_block_op;

/* Convolution, batch norm, ReLU, max pool, dropout: cl/norm_block.cl */
extern const cnn_op_class cnn_norm_block_op;

/* The same as the network's first step: cl/norm_first.cl */
extern const cnn_op_class cnn_norm_first_op;

/* ReLU, max pool, dropout or none: cl/pool_block.cl */
extern const cnn_op_class cnn_pool_block_op;

/* Flatten or not, linear, ReLU or not: cl/dense_block.cl */
extern const cnn_op_class cnn_dense_block_op;

/* The same for GPUs: cl/gpu_conv_block.cl and cl/gpu_conv_weights.cl, cl/gpu_dense_block.cl */
extern const cnn_op_class cnn_gpu_conv_block_op;
extern const cnn_op_class cnn_gpu_dense_block_op;

/* Convolution, 3 x 3 at stride 1: cl/winograd_conv.cl */
extern const cnn_op_class cnn_winograd_conv_op;

/* Is a convolution of this shape expected to take less time by Winograd's method? */
bool cnn_winograd_conv_suits(const cnn_layer *layer);

/* The same of many channels: cl/winograd_columns.cl */
extern const cnn_op_class cnn_winograd_columns_op;

/* And by blocks of channels? */
bool cnn_winograd_columns_suits(const cnn_layer *layer);

/* Convolution, 1 x 1 at stride 1: cl/pointwise.cl */
extern const cnn_op_class cnn_pointwise_op;

/* Convolution of any kind, batch norm, a sum or not, ReLU, ReLU6 or neither, in evaluation:
 * cl/conv_norm.cl */
extern const cnn_op_class cnn_conv_norm_op;

/* Is a convolution of this shape? */
bool cnn_pointwise_suits(const cnn_layer *layer);

/* Does nothing want the input's gradient, and is it narrow? */
bool cnn_norm_first_suits(const cnn_chain *chain);

/* Do tiles of these layers fit the device's local memory? */
bool cnn_gpu_conv_block_fits(const cnn_chain *chain, const cnn_device *device);

#endif
