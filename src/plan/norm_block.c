/* Convolution, batch norm, ReLU, max pool and dropout as one step: cl/norm_block.cl; in evaluation
 * plan/conv_evaluation.c. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "ops/masks.h"
#include "plan/conv_evaluation.h"
#include "plan/fused.h"
#include "plan/norm_launch.h"

enum { CONV, NORM, RELU, POOL, DROPOUT }; /* the layers */

enum { SCALES, MERGE, REDUCE_NORM, PACK, CONVOLVE, APPLY, FOLD, SUMS, PACK_ROWS, BACKWARD, REDUCE };

enum { BLOCK = 16, VECTOR = 8 };

typedef struct norm_block_op {
    cnn_op op;
    int items;
    size_t weights;            /* packed, floats */
    size_t training_scratch;   /* floats of SCRATCH */
    size_t evaluation_scratch; /* likewise, in cl/conv_block.cl */
    size_t folded_bias;        /* its place in the scratch memory of an evaluation, in floats */
    size_t evaluation_begin;   /* behind it */
    cnn_conv_evaluation evaluation;
} norm_block_op;

/* Where the input wants no gradient none of its channels is taken for dropped (plan/layout.c). */
static bool is_first(const cnn_op *op)
{
    return !op->wants_gradient;
}

static size_t tile_floats(const cnn_layer *conv, int height, int width)
{
    size_t more = (size_t)cnn_conv_ksize(conv) - 1;
    return ((size_t)height + more) * ((size_t)width + more) * (size_t)conv->in.c + VECTOR;
}

/* The sizes of cl/norm_block.cl and cl/norm_block_backward.cl, in floats. */
static void find_training_sizes(norm_block_op *block)
{
    cnn_op *op = &block->op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape pooled = op->layers[POOL]->out, in = conv->in, out = conv->out;
    size_t k = (size_t)cnn_conv_ksize(conv), items = (size_t)block->items;
    size_t inputs = cnn_round_up((size_t)in.c, VECTOR),
           outputs = cnn_round_up((size_t)out.c, VECTOR);
    size_t plane = (size_t)out.h * (size_t)out.w;
    size_t windows = (size_t)pooled.h * (size_t)pooled.w;
    size_t gradient_plane = ((size_t)in.h + k - 1) * ((size_t)in.w + k - 1);
    size_t tile = cnn_round_up(tile_floats(conv, out.h, out.w), BLOCK);
    size_t sums = cnn_round_up(items * 2 * (size_t)out.c, BLOCK);
    block->weights = outputs * k * k * (size_t)in.c;
    size_t forward = tile + cnn_round_up(k * k * (size_t)in.c, BLOCK); /* a list */
    size_t backward = tile + cnn_round_up(outputs * cnn_larger(plane, gradient_plane), BLOCK) +
                      inputs * outputs * k * k + inputs * (size_t)(in.h * in.w);
    block->training_scratch = cnn_round_up(cnn_larger(forward, backward), BLOCK);
    size_t partial = block->weights + BLOCK;
    size_t all = sums + block->weights + items * (partial + block->training_scratch);
    size_t statistics = cnn_round_up(2 * (size_t)out.c, BLOCK);
    op->scratch_bytes = cnn_larger(op->scratch_bytes, all * sizeof(float));
    op->saved_bytes = statistics * sizeof(float) +
                      (size_t)op->batch * outputs * ((plane + windows) * sizeof(float) + windows);
}

/* Those of an evaluation. */
static void find_evaluation_sizes(norm_block_op *block)
{
    cnn_op *op = &block->op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape pooled = op->layers[POOL]->out;
    size_t outputs = cnn_round_up((size_t)conv->out.c, BLOCK), items = (size_t)block->items;
    size_t tile = tile_floats(conv, 2 * pooled.h, 2 * pooled.w);
    block->folded_bias =
        outputs * (size_t)(cnn_conv_ksize(conv) * cnn_conv_ksize(conv)) * (size_t)conv->in.c;
    block->evaluation_begin = block->folded_bias + outputs;
    block->evaluation_scratch = cnn_round_up(tile, BLOCK);
    size_t all = block->evaluation_begin + items * block->evaluation_scratch;
    op->scratch_bytes = cnn_larger(op->scratch_bytes, all * sizeof(float));
}

static void find_sizes(norm_block_op *block)
{
    int batch = block->op.batch;
    block->items = cnn_long_items(block->op.device, batch);
    find_training_sizes(block);
    find_evaluation_sizes(block);
    block->op.keeps_input = block->op.packs = true;
    block->op.mask_bytes = cnn_masks_bytes(block->op.layers[DROPOUT], batch);
}

enum { OPTIONS_SIZE = 256 };

static int format_options(char *options, const cnn_op *op, size_t scratch)
{
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape in = conv->in, pooled = op->layers[POOL]->out;
    return snprintf(options, OPTIONS_SIZE,
                    "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DK=%d -DPAD=%d -DPH=%d -DPW=%d -DSCRATCH=%zu "
                    "-DFIRST=%d",
                    in.c, in.h, in.w, conv->out.c, cnn_conv_ksize(conv), cnn_conv_padding(conv),
                    pooled.h, pooled.w, scratch, is_first(op));
}

static cnn_status init(cnn_op *op)
{
    static const struct {
        const char *file, *name;
    } training[] = {
        [0] = {"norm_block.cl", "norm_block_pack"},
        [CONVOLVE - PACK] = {"norm_block.cl", "norm_block_convolve"},
        [APPLY - PACK] = {"norm_block.cl", "norm_block_apply"},
        [FOLD - PACK] = {"norm_block.cl", "norm_block_fold"},
        [SUMS - PACK] = {"norm_block_backward.cl", "norm_block_sums"},
        [PACK_ROWS - PACK] = {"norm_block_backward.cl", "norm_block_pack_rows"},
        [BACKWARD - PACK] = {"norm_block_backward.cl", "norm_block_backward"},
        [REDUCE - PACK] = {"norm_block_backward.cl", "norm_block_reduce"},
    };
    norm_block_op *block = (norm_block_op *)op;
    cnn_shape out = op->layers[CONV]->out;
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    find_sizes(block);
    CNN_TRY(cnn_masks_add_kernel(op));
    CNN_TRY(cnn_op_add_kernel(op, "batchnorm_channels.cl", "", "batchnorm_merge"));
    CNN_TRY(cnn_op_add_kernel(op, "batchnorm_channels.cl", "", "batchnorm_reduce"));
    int length = format_options(options, op, block->training_scratch);
    snprintf(options + length, sizeof options - (size_t)length, " -DOH=%d -DOW=%d", out.h, out.w);
    for (size_t i = 0; i < sizeof training / sizeof training[0]; i++)
        CNN_TRY(cnn_op_add_kernel_if(op, i < SUMS - PACK || !op->evaluates, training[i].file,
                                     options, training[i].name));
    format_options(options, op, block->evaluation_scratch);
    status = cnn_conv_evaluation_init(&block->evaluation, op, op->layers[POOL],
                                      block->evaluation_begin, options);
out:
    return status;
}

static cnn_arg offset_of(const cnn_op *op, int layer, int param)
{
    return cnn_arg_int((int)op->layers[layer]->params[param].offset);
}

static size_t items_for(const cnn_op *op, size_t work)
{
    return cnn_kernel_items(op->device, work);
}

static cnn_status evaluate(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const norm_block_op *block = (const norm_block_op *)op;
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

/* The convolution's output and the batch's statistics into saved. */
static cnn_status convolve(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass,
                           const cnn_mask_args *masks)
{
    const norm_block_op *block = (const norm_block_op *)op;
    cnn_arg saved = cnn_arg_mem(memory->saved), scratch = cnn_arg_mem(memory->scratch);
    cnn_arg parameters = cnn_arg_mem(memory->parameters), n = cnn_arg_int(pass->n);
    cnn_arg items = cnn_arg_int(block->items);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[PACK], items_for(op, block->weights), scratch, parameters,
                       offset_of(op, CONV, 0), items));
    CNN_TRY(CNN_LAUNCH(&op->kernels[CONVOLVE], (size_t)block->items, saved, scratch,
                       cnn_arg_mem(memory->input), parameters, offset_of(op, CONV, 1),
                       masks->input_scales, masks->input_masked, n, items));
    status =
        cnn_norm_merge(op, memory, &op->kernels[MERGE], op->layers[NORM], pass->n, block->items);
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *dropout = op->layers[DROPOUT];
    cnn_mask_args masks = cnn_masks_arguments(memory, dropout, pass);
    cnn_status status = CNN_OK;
    if (!pass->training)
        return evaluate(op, memory, pass);
    if (masks.output_masked.value.i)
        CNN_TRY(cnn_masks_draw(&op->kernels[SCALES], memory->masks, dropout, pass));
    CNN_TRY(convolve(op, memory, pass, &masks));
    status =
        CNN_LAUNCH(&op->kernels[APPLY], items_for(op, (size_t)pass->n), cnn_arg_mem(memory->output),
                   cnn_arg_mem(memory->saved), cnn_arg_mem(memory->parameters),
                   offset_of(op, NORM, 0), offset_of(op, NORM, 1), masks.output_scales,
                   masks.output_masked, masks.scale, cnn_arg_int(pass->n));
out:
    return status;
}

/* The gradients of the batch norm's parameters, which those of its input need. */
static cnn_status sum_up(cnn_op *op, const cnn_op_memory *memory, const cnn_mask_args *masks,
                         cnn_arg n)
{
    const norm_block_op *block = (const norm_block_op *)op;
    cnn_arg scratch = cnn_arg_mem(memory->scratch), items = cnn_arg_int(block->items);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[SUMS], (size_t)block->items, scratch,
                       cnn_arg_mem(memory->output_gradient), cnn_arg_mem(memory->saved),
                       masks->output_scales, masks->output_masked, masks->scale, n, items));
    status =
        CNN_LAUNCH(&op->kernels[REDUCE_NORM], items_for(op, (size_t)op->layers[NORM]->in.c),
                   cnn_arg_mem(memory->gradients), offset_of(op, NORM, 0), offset_of(op, NORM, 1),
                   scratch, cnn_arg_int(op->layers[NORM]->in.c), items);
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const norm_block_op *block = (const norm_block_op *)op;
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cnn_arg scratch = cnn_arg_mem(memory->scratch), n = cnn_arg_int(pass->n);
    cnn_arg parameters = cnn_arg_mem(memory->parameters);
    cnn_arg gradients = cnn_arg_mem(memory->gradients), items = cnn_arg_int(block->items);
    cnn_status status = CNN_OK;
    CNN_TRY(sum_up(op, memory, &masks, n));
    if (!is_first(op))
        CNN_TRY(CNN_LAUNCH(&op->kernels[PACK_ROWS], items_for(op, block->weights), scratch,
                           parameters, offset_of(op, CONV, 0), items));
    CNN_TRY(CNN_LAUNCH(&op->kernels[BACKWARD], (size_t)block->items,
                       is_first(op) ? scratch : cnn_arg_mem(memory->input_gradient),
                       cnn_arg_mem(memory->output_gradient), cnn_arg_mem(memory->saved),
                       cnn_arg_mem(memory->input), parameters, gradients, offset_of(op, NORM, 0),
                       offset_of(op, NORM, 1), masks.input_scales, masks.input_masked,
                       masks.output_scales, masks.output_masked, masks.scale, scratch, n, items));
    status = CNN_LAUNCH(&op->kernels[REDUCE], items_for(op, block->weights / VECTOR), gradients,
                        offset_of(op, CONV, 0), offset_of(op, CONV, 1), scratch, items);
out:
    return status;
}

static double layer_flops(const cnn_op *op, int layer)
{
    const cnn_layer *at = op->layers[layer];
    return cnn_layer_get_class(at->kind)->forward_flops(at);
}

/* Dropped input channels are left out, and in evaluation the batch norm. */
static double computed_flops(const cnn_op *op, const cnn_op_work *work)
{
    enum { WINDOW = CNN_POOL_SIZE * CNN_POOL_SIZE };
    double convolution = work->input_kept * layer_flops(op, CONV), norm = layer_flops(op, NORM);
    double values = (double)cnn_shape_count(op->layers[POOL]->out);
    if (!work->training)
        return cnn_conv_evaluation_flops(&((const norm_block_op *)op)->evaluation);
    if (work->backward)
        return convolution * (op->wants_gradient ? 2.0 : 1.0) + 2.0 * norm + values;
    return convolution + norm + values * (WINDOW + 1); /* its maximum, ReLU and scale */
}

const cnn_op_class cnn_norm_block_op = {"norm_block", sizeof(norm_block_op), init, forward,
                                        backward,     computed_flops};
