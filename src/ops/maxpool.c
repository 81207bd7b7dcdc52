/* MaxPool2d on the device: cl/maxpool.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/op.h"

enum { FORWARD, BACKWARD };

static cnn_status init(cnn_op *op)
{
    cnn_shape in = op->layers[0]->in, out = op->layers[0]->out;
    char options[128];
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DC=%d -DIH=%d -DIW=%d -DOH=%d -DOW=%d", in.c, in.h, in.w,
             out.h, out.w);
    CNN_TRY(cnn_op_add_kernel(op, "maxpool.cl", options, "maxpool_forward"));
    CNN_TRY(cnn_op_add_kernel(op, "maxpool.cl", options, "maxpool_backward"));
    op->saved_bytes = cnn_op_output_count(op); /* one byte per window: the position */
out:
    return status;
}

static size_t items(const cnn_op *op, const cnn_pass *pass, cnn_shape plane)
{
    return cnn_kernel_items(op->device, (size_t)pass->n * (size_t)plane.h * (size_t)plane.w);
}

static cnn_status forward(cnn_op *op, const cnn_pass *pass)
{
    const cnn_op_memory *memory = &op->memory;
    return CNN_LAUNCH(&op->kernels[FORWARD], items(op, pass, op->layers[0]->out),
                      cnn_arg_mem(memory->output), cnn_arg_mem(memory->saved),
                      cnn_arg_mem(memory->input), cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_pass *pass)
{
    const cnn_op_memory *memory = &op->memory;
    if (!memory->input_gradient)
        return CNN_OK;
    return CNN_LAUNCH(&op->kernels[BACKWARD], items(op, pass, op->layers[0]->in),
                      cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                      cnn_arg_mem(memory->saved), cnn_arg_int(pass->n));
}

const cnn_op_class cnn_maxpool_op = {"maxpool", sizeof(cnn_op), init, forward, backward, NULL};
