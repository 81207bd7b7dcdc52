#include "plan/conv_evaluation.h"

#include <stdio.h>

#include "base/size.h"
#include "base/status.h"

enum { WEIGHTS, FORWARD, DIRECT = WEIGHTS }; /* from first_kernel on */

enum { POINTS = 6, PRODUCTS = POINTS * POINTS, BLOCK = 16, VECTOR = 8, CHUNK = 8, PASS = 4 };

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static size_t blocks_of(const cnn_layer *conv)
{
    return (size_t)divide_up(conv->out.c, BLOCK);
}

/* Winograd's tile has as many outputs in a row. */
static int tile_side(const cnn_layer *conv)
{
    return POINTS + 1 - cnn_conv_ksize(conv);
}

static int count_tiles(const cnn_layer *conv, const cnn_layer *pool)
{
    int side = tile_side(conv);
    return divide_up(CNN_POOL_SIZE * pool->out.h, side) *
           divide_up(CNN_POOL_SIZE * pool->out.w, side);
}

/* Of a tile: a transform of six values takes 22, its way back 16 (to four) or 10 (to two). */
static double transform_flops(const cnn_layer *conv, double inputs, double outputs)
{
    int side = tile_side(conv);
    double back = (side == 2 ? 10.0 : 16.0) * (POINTS + side);
    return inputs * 22.0 * 2 * POINTS + outputs * back;
}

/* An operation of a transform is measured to take as long as four of a sum of products: the values
 * come from the cache, and go there. The direct way has whole vectors of output channels, the other
 * whole blocks. */
bool cnn_winograd_wins(const cnn_layer *conv, const cnn_layer *pool)
{
    enum { COST = 4 };
    if (cnn_conv_ksize(conv) != 3 && cnn_conv_ksize(conv) != 5)
        return false;
    double in = conv->in.c, out = (double)(blocks_of(conv) * BLOCK);
    double vectors = divide_up(conv->out.c, VECTOR) * VECTOR;
    double tile = 2.0 * PRODUCTS * in * out + COST * transform_flops(conv, in, out);
    double window = 2.0 * CNN_POOL_SIZE * CNN_POOL_SIZE * cnn_conv_ksize(conv) *
                    cnn_conv_ksize(conv) * in * vectors;
    return count_tiles(conv, pool) * tile < (double)pool->out.h * pool->out.w * window;
}

/* LINES of cl/winograd.cl. */
static size_t lines(size_t floats)
{
    return ((floats + 15) / 16 | 1) * 16;
}

/* SCRATCH of cl/winograd.cl. */
static size_t item_scratch(const cnn_layer *conv)
{
    size_t in = (size_t)divide_up(conv->in.c, VECTOR) * VECTOR, blocks = blocks_of(conv);
    size_t pass = blocks < PASS ? blocks : PASS;
    size_t products = PRODUCTS, chunk = CHUNK;
    return products * (lines(chunk * in) + lines(chunk * BLOCK * pass)) + products * VECTOR +
           lines(in);
}

static cnn_status init_winograd(const cnn_conv_evaluation *evaluation, cnn_op *op)
{
    const cnn_layer *conv = evaluation->conv;
    cnn_shape in = conv->in, pooled = evaluation->pool->out;
    size_t prepared = evaluation->begin + PRODUCTS * blocks_of(conv) * BLOCK * (size_t)in.c;
    size_t floats = prepared + (size_t)evaluation->items * item_scratch(conv);
    char options[128];
    cnn_status status = CNN_OK;
    op->prepared_bytes = prepared * sizeof(float);
    op->scratch_bytes = cnn_larger(op->scratch_bytes, floats * sizeof(float));
    snprintf(options, sizeof options,
             "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DK=%d -DPAD=%d -DPH=%d -DPW=%d", in.c, in.h, in.w,
             conv->out.c, cnn_conv_ksize(conv), cnn_conv_padding(conv), pooled.h, pooled.w);
    CNN_TRY(cnn_op_add_kernel(op, "winograd.cl", options, "winograd_weights"));
    status = cnn_op_add_kernel(op, "winograd.cl", options, "winograd_forward");
out:
    return status;
}

cnn_status cnn_conv_evaluation_init(cnn_conv_evaluation *evaluation, cnn_op *op,
                                    const cnn_layer *pool, size_t begin, const char *options)
{
    *evaluation = (cnn_conv_evaluation){.conv = op->layers[0],
                                        .pool = pool,
                                        .winograd = cnn_winograd_wins(op->layers[0], pool),
                                        .first_kernel = op->kernel_count,
                                        .items = cnn_long_items(op->device, op->batch),
                                        .begin = begin};
    op->prepared_bytes = begin * sizeof(float);
    if (evaluation->winograd)
        return init_winograd(evaluation, op);
    return cnn_op_add_kernel(op, "conv_block.cl", options, "conv_block_evaluate");
}

cnn_status cnn_conv_evaluation_run(const cnn_conv_evaluation *evaluation, cnn_op *op,
                                   const cnn_op_memory *memory, const cnn_pass *pass, cl_mem biases,
                                   cnn_arg bias_at)
{
    cnn_kernel *kernels = &op->kernels[evaluation->first_kernel];
    cnn_arg prepared = cnn_arg_mem(memory->prepared), begin = cnn_arg_int((int)evaluation->begin);
    size_t vectors = 2 * blocks_of(evaluation->conv) * (size_t)evaluation->conv->in.c;
    cnn_status status = CNN_OK;
    if (evaluation->winograd && !memory->is_prepared)
        CNN_TRY(
            CNN_LAUNCH(&kernels[WEIGHTS], cnn_kernel_items(op->device, vectors), prepared, begin));
    status =
        CNN_LAUNCH(&kernels[evaluation->winograd ? FORWARD : DIRECT], (size_t)evaluation->items,
                   cnn_arg_mem(memory->output), cnn_arg_mem(memory->input), cnn_arg_mem(biases),
                   bias_at, prepared, cnn_arg_mem(memory->scratch), begin, cnn_arg_int(pass->n),
                   cnn_arg_int(evaluation->items));
out:
    return status;
}

/* Positions that no window has are left out. */
double cnn_conv_evaluation_flops(const cnn_conv_evaluation *evaluation)
{
    enum { WINDOW = CNN_POOL_SIZE * CNN_POOL_SIZE };
    const cnn_layer *conv = evaluation->conv;
    double in = conv->in.c, out = conv->out.c;
    cnn_shape pooled = evaluation->pool->out;
    double values = (double)cnn_shape_count(pooled);
    double work = values * WINDOW * 2.0 * cnn_conv_ksize(conv) * cnn_conv_ksize(conv) * in;
    if (evaluation->winograd)
        work = count_tiles(conv, evaluation->pool) *
               (2.0 * PRODUCTS * in * out + transform_flops(conv, in, out));
    return work + values * (WINDOW + 1); /* maximum, ReLU and bias */
}
