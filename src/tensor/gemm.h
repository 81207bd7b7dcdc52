/* Matrix products through CLBlast: gemm.c is the only file that sees it. */
#ifndef TENSOR_GEMM_H
#define TENSOR_GEMM_H

#include "ocl/buffer.h"

/* A row-major matrix in device memory: offset and stride (from row to row) in floats. */
typedef struct cnn_matrix {
    cl_mem mem;
    size_t offset, stride;
} cnn_matrix;

/* One product's sizes: C (m, n) = op(A) (m, k) * op(B) (k, n). */
typedef struct cnn_gemm_shape {
    bool transpose_a, transpose_b;
    size_t m, n, k;
} cnn_gemm_shape;

/* Sets CLBlast's parameters for this device; before the first product. */
cnn_status cnn_gemm_prepare(cnn_device *device);

/* Bytes of scratch memory that this product wants; 0 for none. */
cnn_status cnn_gemm_scratch_bytes(size_t *bytes, cnn_device *device, const cnn_gemm_shape *shape,
                                  size_t stride_a, size_t stride_b, size_t stride_c);

/* Enqueues C = op(A) * op(B). scratch has at least cnn_gemm_scratch_bytes() bytes; NULL for none.
 * Errors: OPENCL. */
cnn_status cnn_gemm(cnn_device *device, const cnn_gemm_shape *shape, cnn_matrix a, cnn_matrix b,
                    cnn_matrix c, cl_mem scratch);

#endif
