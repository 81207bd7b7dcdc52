/* BatchNorm2d on the device, and what may stand behind it, a sum and ReLU or ReLU6:
 * cl/batchnorm.cl, cl/batchnorm_channels.cl. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "ops/op.h"

/* From MERGE on: those of cl/batchnorm_channels.cl. */
enum { MOMENTS, APPLY, SUMS, INPUT, SCALE, MERGE, RECALL, REDUCE };

enum { PARTS_ON_CPU = 16, PARTS_ON_GPU = 256, LANES_ON_CPU = 16, LANES_ON_GPU = 8 };

typedef struct batchnorm_op {
    cnn_op op;
    int parts;      /* stretches of the batch's pixels */
    int group;      /* vectors of channels that a work-item sums */
    size_t groups;  /* of a pixel */
    bool adds;      /* the second layer is a sum */
    bool rectifies; /* the last one is ReLU or ReLU6 */
} batchnorm_op;

/* FUNCTION of cl/batchnorm.cl. */
static int function_of(const cnn_op *op)
{
    cnn_layer_kind last = cnn_op_last_layer(op)->kind;
    return last == CNN_LAYER_RELU ? 1 : last == CNN_LAYER_RELU6 ? 2 : 0;
}

/* On a CPU a work-item reads all of a pixel, from end to end, where there are enough of them: of a
 * part of each pixel memory gives half as much. On a GPU work-items side by side share cache lines.
 */
static void choose_group(batchnorm_op *norm)
{
    enum { MOST = 32 }; /* vectors: sums that stay in a core's first cache */
    bool on_cpu = norm->op.device->kernel_class == CNN_KERNEL_CPU;
    size_t channels = (size_t)norm->op.layers[0]->in.c, parts = (size_t)norm->parts;
    size_t vectors = cnn_divide_up(channels, on_cpu ? LANES_ON_CPU : LANES_ON_GPU);
    size_t groups = cnn_divide_up((size_t)norm->op.device->info.compute_units, parts);
    groups = cnn_larger(groups, cnn_divide_up(vectors, MOST));
    norm->group = on_cpu ? (int)cnn_divide_up(vectors, groups) : 1;
    norm->groups = cnn_divide_up(vectors, (size_t)norm->group);
}

static cnn_status init(cnn_op *op)
{
    static const char *const names[] = {
        [MOMENTS] = "batchnorm_moments", [APPLY] = "batchnorm_apply",  [SUMS] = "batchnorm_sums",
        [INPUT] = "batchnorm_input",     [SCALE] = "batchnorm_scale",  [MERGE] = "batchnorm_merge",
        [RECALL] = "batchnorm_recall",   [REDUCE] = "batchnorm_reduce"};
    const cnn_layer *layer = op->layers[0];
    batchnorm_op *norm = (batchnorm_op *)op;
    char options[96];
    cnn_status status = CNN_OK;
    norm->adds = op->layer_count > 1 && op->layers[1]->kind == CNN_LAYER_ADD;
    norm->rectifies = function_of(op) != 0;
    norm->parts = cnn_op_parts(op->device, PARTS_ON_CPU, PARTS_ON_GPU);
    choose_group(norm);
    snprintf(options, sizeof options, "-DC=%d -DGROUP=%d -DAFFINE=%d -DADD=%d -DFUNCTION=%d",
             layer->in.c, norm->group, layer->options.norm.affine, norm->adds, function_of(op));
    for (int i = 0; i < MERGE; i++)
        CNN_TRY(cnn_op_add_kernel(op, "batchnorm.cl", options, names[i]));
    for (int i = MERGE; i <= REDUCE; i++)
        CNN_TRY(cnn_op_add_kernel(op, "batchnorm_channels.cl", "", names[i]));
    op->keeps_input = !op->frozen;
    op->keeps_output = norm->rectifies;
    op->in_place = op->layer_count > 1;
    size_t pair = 2 * (size_t)layer->in.c * sizeof(float);
    op->saved_bytes = layer->options.norm.affine ? pair : 2 * pair; /* and the sums of backward */
    op->scratch_bytes = (size_t)norm->parts * pair;
out:
    return status;
}

static size_t part_items(const batchnorm_op *norm)
{
    return (size_t)norm->parts * norm->groups;
}

static size_t pixel_items(const cnn_op *op, const cnn_pass *pass)
{
    cnn_shape in = op->layers[0]->in;
    return cnn_kernel_items(op->device, (size_t)pass->n * (size_t)in.h * (size_t)in.w);
}

static size_t channel_items(const cnn_op *op)
{
    return cnn_kernel_items(op->device, (size_t)op->layers[0]->in.c);
}

static cnn_arg channels_of(const cnn_op *op)
{
    return cnn_arg_int(op->layers[0]->in.c);
}

static cnn_arg plane_of(const cnn_op *op)
{
    return cnn_arg_int(op->layers[0]->in.h * op->layers[0]->in.w);
}

/* Mean and inverse deviation into saved: of the batch, or the running ones. */
static cnn_status find_statistics(batchnorm_op *norm, const cnn_op_memory *memory,
                                  const cnn_pass *pass)
{
    cnn_op *op = &norm->op;
    int offset = (int)op->layers[0]->statistic_offset;
    if (!pass->training || op->frozen)
        return CNN_LAUNCH(&op->kernels[RECALL], channel_items(op), cnn_arg_mem(memory->saved),
                          cnn_arg_mem(memory->statistics), cnn_arg_int(offset),
                          cnn_arg_float((float)op->layers[0]->options.norm.eps), channels_of(op));
    cnn_status status = CNN_LAUNCH(&op->kernels[MOMENTS], part_items(norm),
                                   cnn_arg_mem(memory->scratch), cnn_arg_mem(memory->input),
                                   plane_of(op), cnn_arg_int(pass->n), cnn_arg_int(norm->parts));
    if (status != CNN_OK)
        return status;
    return CNN_LAUNCH(&op->kernels[MERGE], channel_items(op), cnn_arg_mem(memory->saved),
                      cnn_arg_mem(memory->statistics), cnn_arg_int(offset),
                      cnn_arg_mem(memory->scratch),
                      cnn_arg_float((float)op->layers[0]->options.norm.eps),
                      cnn_arg_float((float)op->layers[0]->options.norm.momentum), channels_of(op),
                      plane_of(op), cnn_arg_int(1), cnn_arg_int(pass->n), cnn_arg_int(norm->parts));
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    cnn_status status = find_statistics((batchnorm_op *)op, memory, pass);
    if (status != CNN_OK)
        return status;
    bool adds = ((const batchnorm_op *)op)->adds;
    return CNN_LAUNCH(
        &op->kernels[APPLY], pixel_items(op, pass), cnn_arg_mem(memory->output),
        cnn_arg_mem(memory->input), cnn_arg_mem(adds ? memory->inputs[1] : memory->input),
        cnn_arg_mem(memory->saved), cnn_arg_mem(memory->parameters),
        cnn_arg_int((int)layer->params[0].offset), cnn_arg_int((int)layer->params[1].offset),
        plane_of(op), cnn_arg_int(pass->n));
}

/* Where the sums of backward go, and the two offsets there. */
typedef struct sum_args {
    cnn_arg mem, weight, bias;
} sum_args;

static sum_args find_sums(const cnn_op_memory *memory, const cnn_layer *layer)
{
    int channels = layer->in.c;
    if (!layer->options.norm.affine)
        return (sum_args){cnn_arg_mem(memory->saved), cnn_arg_int(2 * channels),
                          cnn_arg_int(3 * channels)};
    return (sum_args){cnn_arg_mem(memory->gradients), cnn_arg_int((int)layer->params[0].offset),
                      cnn_arg_int((int)layer->params[1].offset)};
}

/* Nothing depends on the batch: each value has a factor. */
static cnn_status frozen_backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    return CNN_LAUNCH(&op->kernels[SCALE], pixel_items(op, pass),
                      cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                      cnn_arg_mem(memory->saved), cnn_arg_mem(memory->parameters),
                      cnn_arg_int((int)op->layers[0]->params[0].offset), plane_of(op),
                      cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (op->frozen)
        return frozen_backward(op, memory, pass);
    const batchnorm_op *norm = (const batchnorm_op *)op;
    const cnn_layer *layer = op->layers[0];
    sum_args sums = find_sums(memory, layer);
    cl_mem dz = norm->adds ? memory->input_gradients[1] : NULL;
    cnn_arg x = cnn_arg_mem(memory->input), scratch = cnn_arg_mem(memory->scratch);
    cnn_arg y = cnn_arg_mem(norm->rectifies ? memory->output : memory->input);
    cnn_arg dy = cnn_arg_mem(memory->output_gradient), saved = cnn_arg_mem(memory->saved);
    cnn_arg n = cnn_arg_int(pass->n), parts = cnn_arg_int(norm->parts);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[SUMS], part_items(norm), scratch, dy, x, y,
                       cnn_arg_mem(dz ? dz : memory->scratch), cnn_arg_int(dz != NULL), saved,
                       plane_of(op), n, parts));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], channel_items(op), sums.mem, sums.weight, sums.bias,
                       scratch, channels_of(op), parts));
    if (memory->input_gradient)
        status = CNN_LAUNCH(
            &op->kernels[INPUT], pixel_items(op, pass), cnn_arg_mem(memory->input_gradient), dy, x,
            y, saved, cnn_arg_mem(memory->parameters), cnn_arg_int((int)layer->params[0].offset),
            sums.mem, sums.weight, sums.bias, plane_of(op), n);
out:
    return status;
}

const cnn_op_class cnn_batchnorm_op = {"batchnorm", sizeof(batchnorm_op), init, forward, backward,
                                       NULL};
