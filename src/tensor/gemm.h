/* Matrix products through CLBlast: gemm.c is the only file that sees it. */
#ifndef TENSOR_GEMM_H
#define TENSOR_GEMM_H

#include "ocl/buffer.h"
#include "tensor/tuning.h"

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

/* The version of CLBlast that this was built with. */
const char *cnn_gemm_library_version(void);

/* Before the first product: CLBlast's parameters of this device's tuning file, where there is one
 * that passes a check against plain C, else those built in. device->tuning tells which. Errors:
 * OPENCL, MEMORY. */
cnn_status cnn_gemm_prepare(cnn_device *device);

/* Has CLBlast use these from now on, for all of this process on this device; a part that is not
 * given stays as it is. Unchecked. Errors: OPENCL. */
cnn_status cnn_gemm_use(cnn_device *device, const cnn_gemm_tuning *tuning);

/* Bytes of scratch memory that this product wants; 0 for none. */
cnn_status cnn_gemm_scratch_bytes(size_t *bytes, cnn_device *device, const cnn_gemm_shape *shape,
                                  size_t stride_a, size_t stride_b, size_t stride_c);

/* Of how many additions one after the other a sum of k products is made, at most: its blocks'
 * length and their number. */
double cnn_gemm_sum_length(size_t k);

/* Enqueues C = op(A) * op(B). scratch has at least cnn_gemm_scratch_bytes() bytes; NULL for none.
 * Errors: OPENCL. */
cnn_status cnn_gemm(cnn_device *device, const cnn_gemm_shape *shape, cnn_matrix a, cnn_matrix b,
                    cnn_matrix c, cl_mem scratch);

#endif
