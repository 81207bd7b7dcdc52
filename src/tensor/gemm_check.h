/* Are the device's matrix products right? */
#ifndef TENSOR_GEMM_CHECK_H
#define TENSOR_GEMM_CHECK_H

#include "tensor/gemm.h"

/* Compares products of odd and even sizes, with gaps and offsets, transposed and not, with plain C,
 * under the parameters in use: a few that take milliseconds, or, thoroughly, some dozen. `beyond`:
 * one of them is also larger than this to the third power. Errors: OPENCL, MEMORY. */
cnn_status cnn_gemm_check(bool *right, cnn_device *device, bool thorough, size_t beyond);

/* One product of random matrices, of a shape that is in use. */
cnn_status cnn_gemm_check_shape(bool *right, cnn_device *device, const cnn_gemm_shape *shape);

#endif
