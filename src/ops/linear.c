/* Linear on the device: three matrix products, and cl/linear.cl for the bias. */
#include "ops/linear.h"

#include "base/status.h"

enum { ADD_BIAS, BIAS_GRADIENT };

/* y (n, out) = x (n, in) W^T; dW (out, in) = dy^T x; dx (n, in) = dy W. */
static cnn_gemm_shape forward_shape(const cnn_layer *layer, int n)
{
    return (cnn_gemm_shape){false, true, (size_t)n, (size_t)layer->out.c, (size_t)layer->in.c};
}

static cnn_gemm_shape weights_shape(const cnn_layer *layer, int n)
{
    return (cnn_gemm_shape){true, false, (size_t)layer->out.c, (size_t)layer->in.c, (size_t)n};
}

static cnn_gemm_shape input_shape(const cnn_layer *layer, int n)
{
    return (cnn_gemm_shape){false, false, (size_t)n, (size_t)layer->in.c, (size_t)layer->out.c};
}

void cnn_linear_products(cnn_gemm_shape shapes[CNN_LINEAR_PRODUCTS], const cnn_layer *layer, int n)
{
    shapes[0] = forward_shape(layer, n);
    shapes[1] = weights_shape(layer, n);
    shapes[2] = input_shape(layer, n);
}

/* Row-major without gaps: the strides are the widths of the matrices as they are stored. */
static cnn_status need_scratch(cnn_op *op, cnn_gemm_shape shape)
{
    size_t bytes;
    cnn_status status =
        cnn_gemm_scratch_bytes(&bytes, op->device, &shape, shape.transpose_a ? shape.m : shape.k,
                               shape.transpose_b ? shape.k : shape.n, shape.n);
    if (status == CNN_OK && bytes > op->scratch_bytes)
        op->scratch_bytes = bytes;
    return status;
}

static cnn_status init(cnn_op *op)
{
    const cnn_layer *layer = op->layers[0];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_op_add_kernel(op, "linear.cl", "", "linear_add_bias"));
    CNN_TRY(cnn_op_add_kernel(op, "linear.cl", "", "linear_bias_gradient"));
    CNN_TRY(cnn_gemm_prepare(op->device));
    CNN_TRY(need_scratch(op, forward_shape(layer, op->batch)));
    CNN_TRY(need_scratch(op, weights_shape(layer, op->batch)));
    CNN_TRY(need_scratch(op, input_shape(layer, op->batch)));
    op->keeps_input = true;
out:
    return status;
}

static cnn_matrix matrix(cl_mem mem, size_t offset, int stride)
{
    return (cnn_matrix){mem, offset, (size_t)stride};
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    int in = layer->in.c, out = layer->out.c;
    cnn_gemm_shape shape = forward_shape(layer, pass->n);
    cnn_status status = cnn_gemm(op->device, &shape, matrix(memory->input, 0, in),
                                 matrix(memory->parameters, layer->params[0].offset, in),
                                 matrix(memory->output, 0, out), memory->scratch);
    if (status != CNN_OK || !layer->options.linear.bias)
        return status;
    return CNN_LAUNCH(
        &op->kernels[ADD_BIAS], cnn_kernel_items(op->device, (size_t)pass->n * (size_t)out),
        cnn_arg_mem(memory->output), cnn_arg_mem(memory->parameters),
        cnn_arg_int((int)layer->params[1].offset), cnn_arg_int(out), cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    int in = layer->in.c, out = layer->out.c;
    cnn_matrix dy = matrix(memory->output_gradient, 0, out);
    cnn_gemm_shape weights = weights_shape(layer, pass->n), input = input_shape(layer, pass->n);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_gemm(op->device, &weights, dy, matrix(memory->input, 0, in),
                     matrix(memory->gradients, layer->params[0].offset, in), memory->scratch));
    if (layer->options.linear.bias)
        CNN_TRY(CNN_LAUNCH(
            &op->kernels[BIAS_GRADIENT], cnn_kernel_items(op->device, (size_t)out),
            cnn_arg_mem(memory->gradients), cnn_arg_int((int)layer->params[1].offset),
            cnn_arg_mem(memory->output_gradient), cnn_arg_int(out), cnn_arg_int(pass->n)));
    if (memory->input_gradient)
        status = cnn_gemm(op->device, &input, dy,
                          matrix(memory->parameters, layer->params[0].offset, in),
                          matrix(memory->input_gradient, 0, in), memory->scratch);
out:
    return status;
}

const cnn_op_class cnn_linear_op = {"linear", sizeof(cnn_op), init, forward, backward, NULL};
