/* Flatten on the device: cl/flatten.cl. With one channel or one pixel both orders are the same. */
#include "base/status.h"
#include "ops/op.h"

enum { FORWARD, BACKWARD };

static bool is_identity(const cnn_op *op)
{
    return op->layers[0]->in.c == 1 || op->layers[0]->in.h * op->layers[0]->in.w == 1;
}

static cnn_status init(cnn_op *op)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_op_add_kernel(op, "flatten.cl", "", "flatten_forward"));
    CNN_TRY(cnn_op_add_kernel(op, "flatten.cl", "", "flatten_backward"));
    op->in_place = is_identity(op);
out:
    return status;
}

static cnn_status run(cnn_op *op, cnn_kernel *kernel, cl_mem y, cl_mem x, size_t work,
                      const cnn_pass *pass)
{
    const cnn_shape in = op->layers[0]->in;
    if (y == x)
        return CNN_OK;
    return CNN_LAUNCH(kernel, cnn_kernel_items(op->device, work), cnn_arg_mem(y), cnn_arg_mem(x),
                      cnn_arg_int(in.c), cnn_arg_int(in.h * in.w), cnn_arg_int(pass->n));
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    size_t rows = (size_t)pass->n * (size_t)op->layers[0]->in.c;
    return run(op, &op->kernels[FORWARD], memory->output, memory->input, rows, pass);
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_shape in = op->layers[0]->in;
    if (!memory->input_gradient)
        return CNN_OK;
    return run(op, &op->kernels[BACKWARD], memory->input_gradient, memory->output_gradient,
               (size_t)pass->n * (size_t)in.h * (size_t)in.w, pass);
}

const cnn_op_class cnn_flatten_op = {"flatten", sizeof(cnn_op), init, forward, backward, NULL};
