/* Convolution, ReLU, max pool and dropout, where there is one, as one step: cl/conv_block.cl and
 * cl/conv_block_backward.cl; in evaluation plan/conv_evaluation.c. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "ops/masks.h"
#include "plan/conv_evaluation.h"
#include "plan/fused.h"

enum { CONV, RELU, POOL, DROPOUT }; /* the layers; the last may be missing */
enum { SCALES, PACK, FORWARD, PACK_ROWS, BACKWARD, REDUCE };

enum { BLOCK = 16, VECTOR = 8 };

typedef struct conv_block_op {
    cnn_op op;
    int items;
    size_t item_scratch;        /* floats of SCRATCH */
    size_t packed, packed_rows; /* floats */
    size_t partial;             /* floats of one work-item */
    cnn_conv_evaluation evaluation;
} conv_block_op;

/* Where the input wants no gradient none of its channels is taken for dropped (plan/layout.c). */
static bool is_first(const cnn_op *op)
{
    return !op->wants_gradient;
}

/* The sizes of cl/conv_block_shape.cl: TILE, ROW and PADDED at their largest. */
static void find_sizes(conv_block_op *block)
{
    cnn_op *op = &block->op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape pooled = op->layers[POOL]->out;
    size_t k = (size_t)cnn_conv_ksize(conv), in = (size_t)conv->in.c, out = (size_t)conv->out.c;
    size_t padded = is_first(op) && in < VECTOR ? in : cnn_round_up(in, VECTOR);
    size_t row = cnn_round_up(k * padded, VECTOR), windows = (size_t)pooled.h * (size_t)pooled.w;
    size_t pixels = (2 * (size_t)pooled.h + k - 1) * (2 * (size_t)pooled.w + k - 1);
    block->packed = cnn_round_up(out, BLOCK) * k * k * in;
    block->packed_rows = out * k * row;
    block->partial = cnn_round_up(block->packed_rows + out, BLOCK) + BLOCK;
    size_t forward = pixels * in + VECTOR + block->packed;
    size_t backward = 2 * (pixels * padded + VECTOR) + block->packed_rows + k * row +
                      windows * (cnn_round_up(out, VECTOR) + 2);
    block->item_scratch = cnn_round_up(cnn_larger(forward, backward), BLOCK);
    block->items = cnn_long_items(op->device, op->batch);
    size_t items = (size_t)block->items;
    size_t forward_all = block->packed + items * block->item_scratch;
    size_t backward_all = block->packed_rows + items * (block->item_scratch + block->partial);
    op->scratch_bytes = sizeof(float) * cnn_larger(forward_all, backward_all);
    op->saved_bytes =
        (size_t)op->batch * windows * cnn_round_up(out, VECTOR); /* a byte per window */
    op->mask_bytes = cnn_masks_bytes(op->layers[DROPOUT], op->batch);
    op->keeps_input = op->packs = true;
}

static cnn_status init(cnn_op *op)
{
    static const struct {
        const char *file, *name;
    } kernels[] = {[0] = {"conv_block.cl", "conv_block_pack"},
                   [FORWARD - PACK] = {"conv_block.cl", "conv_block_forward"},
                   [PACK_ROWS - PACK] = {"conv_block_backward.cl", "conv_block_pack_rows"},
                   [BACKWARD - PACK] = {"conv_block_backward.cl", "conv_block_backward"},
                   [REDUCE - PACK] = {"conv_block_backward.cl", "conv_block_reduce"}};
    conv_block_op *block = (conv_block_op *)op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape in = conv->in, pooled = op->layers[POOL]->out;
    char options[192];
    cnn_status status = CNN_OK;
    find_sizes(block);
    CNN_TRY(cnn_masks_add_kernel(op));
    snprintf(options, sizeof options,
             "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DK=%d -DPAD=%d -DPH=%d -DPW=%d -DSCRATCH=%zu "
             "-DFIRST=%d",
             in.c, in.h, in.w, conv->out.c, cnn_conv_ksize(conv), cnn_conv_padding(conv), pooled.h,
             pooled.w, block->item_scratch, is_first(op));
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
        CNN_TRY(cnn_op_add_kernel_if(op, i < PACK_ROWS - PACK || !op->evaluates, kernels[i].file,
                                     options, kernels[i].name));
    CNN_TRY(
        cnn_conv_evaluation_init(&block->evaluation, op, op->layers[POOL], block->packed, options));
out:
    return status;
}

static cnn_status pack(cnn_op *op, cl_mem packed, const cnn_op_memory *memory, cnn_kernel *kernel,
                       size_t count)
{
    return CNN_LAUNCH(kernel, cnn_kernel_items(op->device, count), cnn_arg_mem(packed),
                      cnn_arg_mem(memory->parameters),
                      cnn_arg_int((int)op->layers[CONV]->params[0].offset));
}

static cnn_status evaluate(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const conv_block_op *block = (const conv_block_op *)op;
    cnn_status status = CNN_OK;
    if (!memory->is_prepared)
        CNN_TRY(pack(op, memory->prepared, memory, &op->kernels[PACK], block->packed));
    status = cnn_conv_evaluation_run(&block->evaluation, op, memory, pass, memory->parameters,
                                     cnn_arg_int((int)op->layers[CONV]->params[1].offset));
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const conv_block_op *block = (const conv_block_op *)op;
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cnn_arg none = cnn_arg_int(0); /* no batch norm */
    cnn_status status = CNN_OK;
    if (!pass->training)
        return evaluate(op, memory, pass);
    if (masks.output_masked.value.i)
        CNN_TRY(cnn_masks_draw(&op->kernels[SCALES], memory->masks, op->layers[DROPOUT], pass));
    if (!masks.input_masked.value.i && !masks.output_masked.value.i)
        CNN_TRY(pack(op, memory->scratch, memory, &op->kernels[PACK], block->packed));
    status = CNN_LAUNCH(
        &op->kernels[FORWARD], (size_t)block->items, cnn_arg_mem(memory->output),
        cnn_arg_mem(memory->saved), cnn_arg_mem(memory->input), cnn_arg_mem(memory->parameters),
        cnn_arg_int((int)op->layers[CONV]->params[0].offset),
        cnn_arg_int((int)op->layers[CONV]->params[1].offset), masks.input_scales,
        masks.input_masked, masks.output_scales, masks.output_masked, masks.scale, none, none,
        cnn_arg_mem(memory->scratch), cnn_arg_int(pass->n), cnn_arg_int(block->items));
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const conv_block_op *block = (const conv_block_op *)op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cnn_status status = CNN_OK;
    if (!is_first(op) && !masks.input_masked.value.i)
        CNN_TRY(pack(op, memory->scratch, memory, &op->kernels[PACK_ROWS], block->packed_rows));
    CNN_TRY(CNN_LAUNCH(&op->kernels[BACKWARD], (size_t)block->items,
                       cnn_arg_mem(is_first(op) ? memory->scratch : memory->input_gradient),
                       cnn_arg_mem(memory->output_gradient), cnn_arg_mem(memory->saved),
                       cnn_arg_mem(memory->input), cnn_arg_mem(memory->parameters),
                       cnn_arg_int((int)conv->params[0].offset), masks.input_scales,
                       masks.input_masked, masks.output_scales, masks.output_masked, masks.scale,
                       cnn_arg_mem(memory->scratch), cnn_arg_int(pass->n),
                       cnn_arg_int(block->items)));
    status =
        CNN_LAUNCH(&op->kernels[REDUCE], cnn_kernel_items(op->device, block->packed_rows / VECTOR),
                   cnn_arg_mem(memory->gradients), cnn_arg_int((int)conv->params[0].offset),
                   cnn_arg_int((int)conv->params[1].offset), cnn_arg_mem(memory->scratch),
                   masks.input_masked, cnn_arg_int(block->items));
out:
    return status;
}

/* Dropped channels are left out, and the positions that no window has; backward takes one position
 * of a window. That some windows are dead is not known beforehand: they count as done. */
static double computed_flops(const cnn_op *op, const cnn_op_work *work)
{
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape out = conv->out, pooled = op->layers[POOL]->out;
    double kept = 1.0 - cnn_masks_dropped(op->layers[DROPOUT]);
    double windows = (double)pooled.h * pooled.w / ((double)out.h * out.w); /* per position */
    double conv_flops = cnn_layer_get_class(CNN_LAYER_CONV)->forward_flops(conv);
    double shared = kept * work->input_kept * windows * conv_flops;
    double values = kept * (double)cnn_shape_count(pooled);
    if (!work->training)
        return cnn_conv_evaluation_flops(&((const conv_block_op *)op)->evaluation);
    if (work->backward)
        return shared * (op->wants_gradient ? 2.0 : 1.0) + values;
    enum { WINDOW = CNN_POOL_SIZE * CNN_POOL_SIZE };
    return shared * WINDOW + values * (WINDOW + 1); /* its maximum, ReLU and scale */
}

const cnn_op_class cnn_conv_block_op = {"conv_block", sizeof(conv_block_op), init, forward,
                                        backward,     computed_flops};
