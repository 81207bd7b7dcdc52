/* A linear layer with the flatten before it and the ReLU behind it, as one step:
 * cl/dense_block.cl. */
#include "base/size.h"
#include "base/status.h"
#include "plan/fused.h"

enum { PACK_OUTPUTS, FORWARD, PACK_FEATURES, INPUT, WEIGHTS, BIAS, GATE };

enum { WIDTH = 16, CHUNK = 64 }; /* as in the kernels */

typedef struct dense_block_op {
    cnn_op op;
    const cnn_layer *linear;
    cnn_shape in; /* as the activations lie: before the flatten */
    bool relu;
} dense_block_op;

static void find_layers(dense_block_op *block)
{
    const cnn_op *op = &block->op;
    block->in = op->layers[0]->in;
    for (int i = 0; i < op->layer_count; i++)
        if (op->layers[i]->kind == CNN_LAYER_LINEAR)
            block->linear = op->layers[i];
    block->relu = cnn_op_last_layer(op)->kind == CNN_LAYER_RELU;
}

static cnn_status init(cnn_op *op)
{
    static const char *const names[] = {[PACK_OUTPUTS] = "dense_pack_outputs",
                                        [FORWARD] = "dense_forward",
                                        [PACK_FEATURES] = "dense_pack_features",
                                        [INPUT] = "dense_input",
                                        [WEIGHTS] = "dense_weights"};
    dense_block_op *block = (dense_block_op *)op;
    cnn_status status = CNN_OK;
    find_layers(block);
    int out = block->linear->out.c, features = block->linear->in.c;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CNN_TRY(cnn_op_add_kernel(op, "dense_block.cl", "", names[i]));
    CNN_TRY(cnn_op_add_kernel(op, "linear.cl", "", "linear_bias_gradient"));
    if (block->relu)
        CNN_TRY(cnn_op_add_kernel(op, "dense_block.cl", "", "dense_gate"));
    op->keeps_input = true;
    op->keeps_output = op->writes_gradient = block->relu;
    size_t by_outputs = cnn_divide_up((size_t)out, WIDTH) * WIDTH * (size_t)features;
    size_t by_features = cnn_divide_up((size_t)features, WIDTH) * WIDTH * (size_t)out;
    op->scratch_bytes = (by_outputs > by_features ? by_outputs : by_features) * sizeof(float);
out:
    return status;
}

static cnn_status pack(cnn_op *op, const cnn_op_memory *memory, cnn_kernel *kernel, size_t work)
{
    const dense_block_op *block = (const dense_block_op *)op;
    return CNN_LAUNCH(kernel, cnn_kernel_items(op->device, work), cnn_arg_mem(memory->scratch),
                      cnn_arg_mem(memory->parameters),
                      cnn_arg_int((int)block->linear->params[0].offset), cnn_arg_int(block->in.c),
                      cnn_arg_int(block->in.h * block->in.w), cnn_arg_int(block->linear->out.c));
}

/* Work-items: blocks of one axis times chunks of the other. */
static size_t grid(size_t blocks_of, size_t chunks_of)
{
    return cnn_divide_up(blocks_of, WIDTH) * cnn_divide_up(chunks_of, CHUNK);
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const dense_block_op *block = (const dense_block_op *)op;
    size_t out = (size_t)block->linear->out.c, n = (size_t)pass->n;
    cnn_status status = CNN_OK;
    CNN_TRY(pack(op, memory, &op->kernels[PACK_OUTPUTS], (size_t)block->linear->in.c));
    status = CNN_LAUNCH(
        &op->kernels[FORWARD], grid(out, n), cnn_arg_mem(memory->output),
        cnn_arg_mem(memory->input), cnn_arg_mem(memory->scratch), cnn_arg_mem(memory->parameters),
        cnn_arg_int((int)block->linear->params[1].offset), cnn_arg_int(block->linear->in.c),
        cnn_arg_int(block->linear->out.c), cnn_arg_int(block->relu), cnn_arg_int(pass->n));
out:
    return status;
}

static cnn_status backward_input(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const dense_block_op *block = (const dense_block_op *)op;
    size_t features = (size_t)block->linear->in.c;
    cnn_status status = CNN_OK;
    CNN_TRY(pack(op, memory, &op->kernels[PACK_FEATURES], features));
    status = CNN_LAUNCH(&op->kernels[INPUT], grid(features, (size_t)pass->n),
                        cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                        cnn_arg_mem(memory->scratch), cnn_arg_int(block->linear->in.c),
                        cnn_arg_int(block->linear->out.c), cnn_arg_int(pass->n));
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const dense_block_op *block = (const dense_block_op *)op;
    size_t out = (size_t)block->linear->out.c, features = (size_t)block->linear->in.c;
    cnn_status status = CNN_OK;
    if (block->relu)
        CNN_TRY(CNN_LAUNCH(&op->kernels[GATE], cnn_kernel_items(op->device, (size_t)pass->n * out),
                           cnn_arg_mem(memory->output_gradient), cnn_arg_mem(memory->output),
                           cnn_arg_int((int)out), cnn_arg_int(pass->n)));
    CNN_TRY(CNN_LAUNCH(&op->kernels[WEIGHTS], grid(features, out), cnn_arg_mem(memory->gradients),
                       cnn_arg_int((int)block->linear->params[0].offset),
                       cnn_arg_mem(memory->output_gradient), cnn_arg_mem(memory->input),
                       cnn_arg_int(block->in.c), cnn_arg_int(block->in.h * block->in.w),
                       cnn_arg_int((int)out), cnn_arg_int(pass->n)));
    CNN_TRY(CNN_LAUNCH(
        &op->kernels[BIAS], cnn_kernel_items(op->device, out), cnn_arg_mem(memory->gradients),
        cnn_arg_int((int)block->linear->params[1].offset), cnn_arg_mem(memory->output_gradient),
        cnn_arg_int((int)out), cnn_arg_int(pass->n)));
    if (memory->input_gradient)
        status = backward_input(op, memory, pass);
out:
    return status;
}

const cnn_op_class cnn_dense_block_op = {
    "dense_block", sizeof(dense_block_op), init, forward, backward, NULL};
