/* The matrix products of a linear layer. */
#ifndef OPS_LINEAR_H
#define OPS_LINEAR_H

#include "ops/op.h"
#include "tensor/gemm.h"

enum { CNN_LINEAR_PRODUCTS = 3 };

/* Forward, the gradient of the weights, the gradient of the input: those that the plain operation
 * has CLBlast do for n samples. */
void cnn_linear_products(cnn_gemm_shape shapes[CNN_LINEAR_PRODUCTS], const cnn_layer *layer, int n);

#endif
