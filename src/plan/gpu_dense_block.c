/* A small linear layer with the flatten before it and the ReLU behind it, as one step for GPUs:
 * cl/gpu_dense_block.cl. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "plan/fused.h"

enum { FORWARD, WEIGHTS, INPUT };

/* Of the kernels. */
enum { BLOCK = 64, SAMPLES = 4, OUTPUTS = 8, INPUT_SAMPLES = 8, FEW_CHANNELS = 8 };

typedef struct gpu_dense_block_op {
    cnn_op op;
    const cnn_layer *linear;
    bool relu;
    int tile_pixels;
    size_t blocks; /* of features */
} gpu_dense_block_op;

/* The power of two that is not below value, up to `most`. */
static int power_of_two(int value, int most)
{
    int power = 1;
    while (power < value && power < most)
        power *= 2;
    return power;
}

static void find_layers(gpu_dense_block_op *block)
{
    const cnn_op *op = &block->op;
    cnn_shape in = op->layers[0]->in;
    int plane = in.h * in.w;
    for (int i = 0; i < op->layer_count; i++)
        if (op->layers[i]->kind == CNN_LAYER_LINEAR)
            block->linear = op->layers[i];
    block->relu = cnn_op_last_layer(op)->kind == CNN_LAYER_RELU;
    block->tile_pixels = power_of_two(plane, BLOCK / power_of_two(in.c, FEW_CHANNELS));
    int tile_channels = BLOCK / block->tile_pixels;
    block->blocks = cnn_divide_up((size_t)plane, (size_t)block->tile_pixels) *
                    cnn_divide_up((size_t)in.c, (size_t)tile_channels);
}

static cnn_status init(cnn_op *op)
{
    static const struct {
        const char *name;
        size_t local_size;
    } kernels[] = {[FORWARD] = {"gpu_dense_forward", 128},
                   [WEIGHTS] = {"gpu_dense_weights", 256},
                   [INPUT] = {"gpu_dense_input", 64}};
    gpu_dense_block_op *block = (gpu_dense_block_op *)op;
    cnn_shape in = op->layers[0]->in;
    char options[128];
    cnn_status status = CNN_OK;
    find_layers(block);
    snprintf(options, sizeof options, "-DC=%d -DPLANE=%d -DOUT=%d -DRELU=%d -DTILE_PIXELS=%d", in.c,
             in.h * in.w, block->linear->out.c, block->relu, block->tile_pixels);
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        CNN_TRY(cnn_op_add_kernel(op, "gpu_dense_block.cl", options, kernels[i].name));
        CNN_TRY(cnn_kernel_set_local_size(&op->kernels[i], kernels[i].local_size));
    }
    op->keeps_input = true;
    op->keeps_output = block->relu;
out:
    return status;
}

static size_t output_blocks(const gpu_dense_block_op *block)
{
    return cnn_divide_up((size_t)block->linear->out.c, OUTPUTS);
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const gpu_dense_block_op *block = (const gpu_dense_block_op *)op;
    return CNN_LAUNCH_GROUPS(
        &op->kernels[FORWARD], cnn_divide_up((size_t)pass->n, SAMPLES) * output_blocks(block),
        cnn_arg_mem(memory->output), cnn_arg_mem(memory->input), cnn_arg_mem(memory->parameters),
        cnn_arg_int((int)block->linear->params[0].offset),
        cnn_arg_int((int)block->linear->params[1].offset), cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const gpu_dense_block_op *block = (const gpu_dense_block_op *)op;
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH_GROUPS(
        &op->kernels[WEIGHTS], (block->blocks + 1) * output_blocks(block),
        cnn_arg_mem(memory->gradients), cnn_arg_int((int)block->linear->params[0].offset),
        cnn_arg_int((int)block->linear->params[1].offset), cnn_arg_mem(memory->output_gradient),
        cnn_arg_mem(memory->output), cnn_arg_mem(memory->input), cnn_arg_int(pass->n)));
    if (memory->input_gradient)
        status = CNN_LAUNCH_GROUPS(
            &op->kernels[INPUT], cnn_divide_up((size_t)pass->n, INPUT_SAMPLES) * block->blocks,
            cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
            cnn_arg_mem(memory->output), cnn_arg_mem(memory->parameters),
            cnn_arg_int((int)block->linear->params[0].offset), cnn_arg_int(pass->n));
out:
    return status;
}

const cnn_op_class cnn_gpu_dense_block_op = {
    "gpu_dense_block", sizeof(gpu_dense_block_op), init, forward, backward, NULL};
