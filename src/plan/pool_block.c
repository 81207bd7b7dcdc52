/* ReLU, max pool and dropout, where there is one, as one step: cl/pool_block.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/masks.h"
#include "plan/fused.h"

enum { RELU, POOL, DROPOUT }; /* the layers; the last may be missing */
enum { SCALES, FORWARD, BACKWARD };

static cnn_status init(cnn_op *op)
{
    cnn_shape in = op->layers[POOL]->in, out = op->layers[POOL]->out;
    char options[128];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_masks_add_kernel(op));
    snprintf(options, sizeof options, "-DC=%d -DIH=%d -DIW=%d -DOH=%d -DOW=%d", in.c, in.h, in.w,
             out.h, out.w);
    CNN_TRY(cnn_op_add_kernel(op, "pool_block.cl", options, "pool_block_forward"));
    CNN_TRY(cnn_op_add_kernel(op, "pool_block.cl", options, "pool_block_backward"));
    op->saved_bytes = cnn_op_output_count(op); /* one byte per window */
    op->mask_bytes = cnn_masks_bytes(op->layers[DROPOUT], op->batch);
out:
    return status;
}

static bool is_masked(const cnn_op *op, const cnn_pass *pass)
{
    return pass->training && cnn_masks_dropped(op->layers[DROPOUT]) > 0.0;
}

static size_t items(const cnn_op *op, const cnn_pass *pass, cnn_shape plane)
{
    return cnn_kernel_items(op->device, (size_t)pass->n * (size_t)plane.h * (size_t)plane.w);
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    bool masked = is_masked(op, pass);
    cnn_status status = CNN_OK;
    if (masked)
        CNN_TRY(cnn_masks_draw(&op->kernels[SCALES], memory->masks, op->layers[DROPOUT], pass));
    status = CNN_LAUNCH(&op->kernels[FORWARD], items(op, pass, op->layers[POOL]->out),
                        cnn_arg_mem(memory->output), cnn_arg_mem(memory->saved),
                        cnn_arg_mem(memory->input), cnn_arg_mem(memory->masks), cnn_arg_int(masked),
                        cnn_arg_int(pass->n));
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    return CNN_LAUNCH(&op->kernels[BACKWARD], items(op, pass, op->layers[POOL]->in),
                      cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                      cnn_arg_mem(memory->saved), cnn_arg_mem(memory->masks),
                      cnn_arg_int(is_masked(op, pass)), cnn_arg_int(pass->n));
}

const cnn_op_class cnn_pool_block_op = {"pool_block", sizeof(cnn_op), init,
                                        forward,      backward,       NULL};
