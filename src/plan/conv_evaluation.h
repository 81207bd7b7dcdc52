/* How the fused steps with a convolution evaluate: convolution, ReLU and max pool from packed
 * weights, by Winograd's method (cl/winograd.cl) where that wins, else directly (cl/conv_block.cl).
 */
#ifndef PLAN_CONV_EVALUATION_H
#define PLAN_CONV_EVALUATION_H

#include "ops/op.h"

typedef struct cnn_conv_evaluation {
    const cnn_layer *conv, *pool;
    bool winograd;
    int first_kernel; /* of the op's: where its own begin */
    int items;
    size_t begin; /* floats of prepared, and of scratch memory, that stand before its own */
} cnn_conv_evaluation;

/* Is it expected to take less time by Winograd's method? pool: behind the convolution. */
bool cnn_winograd_wins(const cnn_layer *conv, const cnn_layer *pool);

/* Adds its kernels to the op and asks for prepared and for scratch memory. The prepared memory begins with
 * the packed weights (BLOCKS, TAPS, IC, 16), its own part with float number `begin`. options: for
 * cl/conv_block.cl, with SCRATCH for a tile at least. */
cnn_status cnn_conv_evaluation_init(cnn_conv_evaluation *evaluation, cnn_op *op,
                                    const cnn_layer *pool, size_t begin, const char *options);

/* The op's output from its input; the biases (OC) stand at bias_at. */
cnn_status cnn_conv_evaluation_run(const cnn_conv_evaluation *evaluation, cnn_op *op,
                                   const cnn_op_memory *memory, const cnn_pass *pass, cl_mem biases,
                                   cnn_arg bias_at);

/* The work per sample, for the bench. */
double cnn_conv_evaluation_flops(const cnn_conv_evaluation *evaluation);

#endif
