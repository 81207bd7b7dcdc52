/* ReLU on the device: cl/relu.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/op.h"

enum { FORWARD, BACKWARD };

static cnn_status init(cnn_op *op)
{
    char options[64];
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DCOUNT=%zu", cnn_shape_count(op->layers[0]->in));
    CNN_TRY(cnn_op_add_kernel(op, "relu.cl", options, "relu_forward"));
    CNN_TRY(cnn_op_add_kernel(op, "relu.cl", options, "relu_backward"));
    op->in_place = true;
    op->keeps_output = true;
out:
    return status;
}

static size_t items(const cnn_op *op, const cnn_pass *pass)
{
    return cnn_kernel_items(op->device, (size_t)pass->n * cnn_shape_count(op->layers[0]->in));
}

static cnn_status forward(cnn_op *op, const cnn_pass *pass)
{
    return CNN_LAUNCH(&op->kernels[FORWARD], items(op, pass), cnn_arg_mem(op->memory.output),
                      cnn_arg_mem(op->memory.input), cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_pass *pass)
{
    const cnn_op_memory *memory = &op->memory;
    if (!memory->input_gradient)
        return CNN_OK;
    return CNN_LAUNCH(&op->kernels[BACKWARD], items(op, pass), cnn_arg_mem(memory->input_gradient),
                      cnn_arg_mem(memory->output_gradient), cnn_arg_mem(memory->output),
                      cnn_arg_int(pass->n));
}

const cnn_op_class cnn_relu_op = {"relu", sizeof(cnn_op), init, forward, backward, NULL};
