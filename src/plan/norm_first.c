/* The network's first convolution with batch norm, ReLU, max pool and dropout as one step:
 * cl/norm_first.cl says how. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "ops/masks.h"
#include "plan/conv_evaluation.h"
#include "plan/fused.h"
#include "plan/norm_launch.h"

enum { CONV, NORM, RELU, POOL, DROPOUT }; /* the layers */

enum {
    SCALES,
    MERGE,
    PACK_MOMENTS,
    MOMENTS,
    FOLD,
    PACK,
    FORWARD,
    BACKWARD,
    REDUCE,
    REDUCE_NORM,
    FINISH
};

enum { BLOCK = 16, VECTOR = 8 };

typedef struct norm_first_op {
    cnn_op op;
    int items;
    size_t moments_scratch, item_scratch; /* floats of SCRATCH */
    size_t outputs, weights;              /* floats of the packed weights: vectors of eight, rows */
    size_t folded_bias, evaluation_begin; /* in the scratch memory of an evaluation: its place, in
                                             floats, and what is behind it */
    cnn_conv_evaluation evaluation;
} norm_first_op;

/* A row of taps, in values: their products are summed up. */
static size_t count_run(const cnn_layer *conv)
{
    return (size_t)cnn_conv_ksize(conv) * (size_t)conv->in.c;
}

bool cnn_norm_first_suits(const cnn_chain *chain)
{
    enum { MOST_RUN = 16, MOST_KSIZE = 7 };
    const cnn_layer *conv = chain->layers[CONV];
    return !chain->wants_gradient && conv->in.c < VECTOR && count_run(conv) <= MOST_RUN &&
           cnn_conv_ksize(conv) <= MOST_KSIZE;
}

/* The sizes of cl/norm_shape.cl and cl/conv_block_shape.cl, in floats. */
static void find_sizes(norm_first_op *block)
{
    cnn_op *op = &block->op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape pooled = op->layers[POOL]->out, out = conv->out;
    size_t k = (size_t)cnn_conv_ksize(conv), in = (size_t)conv->in.c, run = count_run(conv);
    size_t channels = (size_t)out.c, eights = cnn_round_up(channels, VECTOR);
    size_t windows = (size_t)pooled.h * (size_t)pooled.w, plane = (size_t)out.h * (size_t)out.w;
    size_t pixels = ((size_t)out.h + k - 1) * ((size_t)out.w + k - 1);
    size_t row = cnn_round_up(run, VECTOR);
    size_t items = (size_t)(block->items = cnn_long_items(op->device, op->batch));
    size_t tile = pixels * in + VECTOR, squares = k * k * (run + 1) * cnn_round_up(run, VECTOR);

    block->outputs = eights * k * run;
    block->moments_scratch = cnn_round_up(
        cnn_round_up(tile, BLOCK) + cnn_round_up(k * run, BLOCK) + plane * eights, BLOCK);
    size_t moments = cnn_round_up(items * 2 * channels, BLOCK) + block->outputs;

    size_t packed = cnn_round_up(channels, BLOCK) * k * run;
    block->weights = channels * k * row;
    size_t partial = cnn_round_up(block->weights + 2 * channels + squares, BLOCK) + BLOCK;
    size_t backward = 2 * tile + block->weights + k * row + windows * (eights + 2);
    block->item_scratch = cnn_round_up(cnn_larger(tile + packed, backward), BLOCK);

    size_t all = cnn_larger(packed, block->weights + items * partial) + items * block->item_scratch;
    block->folded_bias = packed;
    block->evaluation_begin = packed + cnn_round_up(channels, BLOCK);
    all = cnn_larger(all, block->evaluation_begin + items * block->item_scratch);
    op->scratch_bytes = sizeof(float) * cnn_larger(all, moments + items * block->moments_scratch);
    op->saved_bytes = cnn_round_up(2 * channels, BLOCK) * sizeof(float) +
                      (size_t)op->batch * windows * eights * (sizeof(float) + 1);
    op->mask_bytes = cnn_masks_bytes(op->layers[DROPOUT], op->batch);
    op->keeps_input = op->packs = true;
}

enum { OPTIONS_SIZE = 256 };

static void format_options(char *options, const norm_first_op *block, size_t scratch, bool norm)
{
    const cnn_layer *conv = block->op.layers[CONV];
    cnn_shape in = conv->in, out = conv->out, pooled = block->op.layers[POOL]->out;
    snprintf(options, OPTIONS_SIZE,
             "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DOH=%d -DOW=%d -DK=%d -DPAD=%d -DPH=%d -DPW=%d "
             "-DSCRATCH=%zu -DFIRST=1 -DSTORED=0 -DNORM=%d",
             in.c, in.h, in.w, out.c, out.h, out.w, cnn_conv_ksize(conv), cnn_conv_padding(conv),
             pooled.h, pooled.w, scratch, norm);
}

static cnn_status init(cnn_op *op)
{
    static const struct {
        const char *file, *name;
    } kernels[] = {[0] = {"norm_block.cl", "norm_block_pack"},
                   [MOMENTS - PACK_MOMENTS] = {"norm_block.cl", "norm_block_convolve"},
                   [FOLD - PACK_MOMENTS] = {"norm_block.cl", "norm_block_fold"},
                   [PACK - PACK_MOMENTS] = {"conv_block.cl", "conv_block_pack"},
                   [FORWARD - PACK_MOMENTS] = {"conv_block.cl", "conv_block_forward"},
                   [BACKWARD - PACK_MOMENTS] = {"norm_first.cl", "conv_block_backward"},
                   [REDUCE - PACK_MOMENTS] = {"norm_first.cl", "conv_block_reduce"},
                   [REDUCE_NORM - PACK_MOMENTS] = {"norm_first.cl", "norm_first_reduce"},
                   [FINISH - PACK_MOMENTS] = {"norm_first.cl", "norm_first_finish"}};
    norm_first_op *block = (norm_first_op *)op;
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    find_sizes(block);
    CNN_TRY(cnn_masks_add_kernel(op));
    CNN_TRY(cnn_op_add_kernel(op, "batchnorm_channels.cl", "", "batchnorm_merge"));
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        bool moments = i < PACK - PACK_MOMENTS;
        format_options(options, block, moments ? block->moments_scratch : block->item_scratch,
                       true);
        CNN_TRY(cnn_op_add_kernel_if(op, i < BACKWARD - PACK_MOMENTS || !op->evaluates,
                                     kernels[i].file, options, kernels[i].name));
    }
    format_options(options, block, block->item_scratch, false);
    status = cnn_conv_evaluation_init(&block->evaluation, op, op->layers[POOL],
                                      block->evaluation_begin, options);
out:
    return status;
}

static cnn_arg offset_of(const cnn_op *op, int layer, int param)
{
    return cnn_arg_int((int)op->layers[layer]->params[param].offset);
}

static cnn_status pack(cnn_op *op, const cnn_op_memory *memory, cnn_kernel *kernel, size_t count)
{
    return CNN_LAUNCH(kernel, cnn_kernel_items(op->device, count), cnn_arg_mem(memory->scratch),
                      cnn_arg_mem(memory->parameters), offset_of(op, CONV, 0));
}

/* The batch's mean and inverse deviation into saved. */
static cnn_status find_statistics(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const norm_first_op *block = (const norm_first_op *)op;
    cnn_arg saved = cnn_arg_mem(memory->saved), scratch = cnn_arg_mem(memory->scratch);
    cnn_arg n = cnn_arg_int(pass->n), items = cnn_arg_int(block->items);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[PACK_MOMENTS], cnn_kernel_items(op->device, block->outputs),
                       scratch, cnn_arg_mem(memory->parameters), offset_of(op, CONV, 0), items));
    CNN_TRY(CNN_LAUNCH(&op->kernels[MOMENTS], (size_t)block->items, saved, scratch,
                       cnn_arg_mem(memory->input), cnn_arg_mem(memory->parameters),
                       offset_of(op, CONV, 1), cnn_arg_mem(memory->masks), cnn_arg_int(0), n,
                       items));
    status =
        cnn_norm_merge(op, memory, &op->kernels[MERGE], op->layers[NORM], pass->n, block->items);
out:
    return status;
}

/* The weights and the bias have the batch norm in them. */
static cnn_status evaluate(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const norm_first_op *block = (const norm_first_op *)op;
    cnn_arg folded_bias = cnn_arg_int((int)block->folded_bias);
    cnn_status status = CNN_OK;
    if (!memory->is_prepared)
        CNN_TRY(cnn_norm_fold(op, memory, &op->kernels[FOLD], op->layers[CONV], op->layers[NORM],
                              block->weights, block->folded_bias));
    status = cnn_conv_evaluation_run(&block->evaluation, op, memory, pass, memory->prepared,
                                     folded_bias);
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const norm_first_op *block = (const norm_first_op *)op;
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cnn_status status = CNN_OK;
    if (!pass->training)
        return evaluate(op, memory, pass);
    CNN_TRY(find_statistics(op, memory, pass));
    if (masks.output_masked.value.i)
        CNN_TRY(cnn_masks_draw(&op->kernels[SCALES], memory->masks, op->layers[DROPOUT], pass));
    else
        CNN_TRY(pack(op, memory, &op->kernels[PACK], block->weights));
    status =
        CNN_LAUNCH(&op->kernels[FORWARD], (size_t)block->items, cnn_arg_mem(memory->output),
                   cnn_arg_mem(memory->saved), cnn_arg_mem(memory->input),
                   cnn_arg_mem(memory->parameters), offset_of(op, CONV, 0), offset_of(op, CONV, 1),
                   masks.input_scales, masks.input_masked, masks.output_scales, masks.output_masked,
                   masks.scale, offset_of(op, NORM, 0), offset_of(op, NORM, 1),
                   cnn_arg_mem(memory->scratch), cnn_arg_int(pass->n), cnn_arg_int(block->items));
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const norm_first_op *block = (const norm_first_op *)op;
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cnn_arg scratch = cnn_arg_mem(memory->scratch), gradients = cnn_arg_mem(memory->gradients);
    cnn_arg parameters = cnn_arg_mem(memory->parameters), items = cnn_arg_int(block->items);
    cnn_arg saved = cnn_arg_mem(memory->saved), n = cnn_arg_int(pass->n);
    size_t all = cnn_kernel_items(op->device, block->weights);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[BACKWARD], (size_t)block->items, scratch,
                       cnn_arg_mem(memory->output_gradient), saved, cnn_arg_mem(memory->input),
                       parameters, offset_of(op, CONV, 0), masks.input_scales, masks.input_masked,
                       masks.output_scales, masks.output_masked, masks.scale, scratch, n, items));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], all, gradients, offset_of(op, CONV, 0),
                       offset_of(op, CONV, 1), scratch, cnn_arg_int(0), items));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE_NORM], all, gradients, offset_of(op, NORM, 0),
                       offset_of(op, NORM, 1), scratch, items));
    status = CNN_LAUNCH(&op->kernels[FINISH], all, gradients, offset_of(op, CONV, 0),
                        offset_of(op, CONV, 1), offset_of(op, NORM, 0), offset_of(op, NORM, 1),
                        parameters, saved, scratch, n);
out:
    return status;
}

static double layer_flops(const cnn_op *op, int layer)
{
    const cnn_layer *at = op->layers[layer];
    return cnn_layer_get_class(at->kind)->forward_flops(at);
}

/* Forward: all outputs for the statistics, and once more the kept ones that a window
 * has. Backward: a position of a window of kept channels, and the products of the input's rows. */
static double computed_flops(const cnn_op *op, const cnn_op_work *work)
{
    enum { WINDOW = CNN_POOL_SIZE * CNN_POOL_SIZE };
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape out = conv->out, pooled = op->layers[POOL]->out;
    double positions = (double)out.h * out.w, run = (double)count_run(conv);
    double kept = 1.0 - op->layers[DROPOUT]->options.dropout.p;
    double windows = kept * pooled.h * pooled.w / positions; /* per position */
    double values = kept * (double)cnn_shape_count(pooled);
    if (!work->training)
        return cnn_conv_evaluation_flops(&((const norm_first_op *)op)->evaluation);
    if (work->backward)
        return windows * layer_flops(op, CONV) + 3.0 * values +
               2.0 * cnn_conv_ksize(conv) * run * (run + 1.0) * positions;
    return layer_flops(op, CONV) + layer_flops(op, NORM) +
           WINDOW * windows * layer_flops(op, CONV) + values * (5 * WINDOW + 1);
}

const cnn_op_class cnn_norm_first_op = {"norm_first", sizeof(norm_first_op), init, forward,
                                        backward,     computed_flops};
