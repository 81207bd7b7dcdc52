/* Convolution, ReLU, max pool and dropout, where there is one, as one step for GPUs: cl/gpu_conv_block.cl and
 * cl/gpu_conv_weights.cl. */
#include <stdio.h>

#include "base/philox.h"
#include "base/status.h"
#include "ops/masks.h"
#include "plan/fused.h"

enum { CONV, RELU, POOL, DROPOUT }; /* the layers; the last may be missing */
enum { FORWARD, WEIGHTS, REDUCE, DATA };

enum {
    WAVE = 32,             /* work-items of a group, at least, */
    GROUP = 256,           /* and at most */
    TILE_SIDE = 8,         /* windows */
    QUAD = 4,              /* channels of a work-item */
    MOST_TARGETS = 32,     /* channels of a group */
    MOST_CHANNELS = 1024,  /* of a layer */
    SOME_LOCAL = 16 << 10, /* bytes, so that several groups share a compute unit; */
    MOST_LOCAL = 32 << 10, /* where one channel needs more */
    MOST_INPUT = 20 << 10, /* of it, for the tile of gpu_conv_weights */
    WANTED_GROUPS = 512,   /* of gpu_conv_weights: some for each compute unit */
    MOST_PARTS = 256,
    MOST_PARTIALS = 64 << 20, /* bytes */
    REDUCE_WIDTH = 32
};

/* How a kernel cuts its plane of windows and its channels. */
typedef struct cut {
    int tile_h, tile_w, tiles;
    int targets; /* of a group */
    int groups;  /* of a tile */
    int chunk;   /* sources at a time; 0: they do not fit */
    size_t local_size;
} cut;

typedef struct gpu_conv_block_op {
    cnn_op op;
    cut forward, data;
    cnn_shape block; /* of gpu_conv_weights: c input channels by h output channels, in w blocks */
    int parts;
} gpu_conv_block_op;

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* The power of two that is not below value, from `least` up to `most`. */
static int power_of_two(int value, int least, int most)
{
    int power = least;
    while (power < value && power < most)
        power *= 2;
    return power;
}

/* The plane's side in equal tiles. */
static int tile_side(int side)
{
    return divide_up(side, divide_up(side, TILE_SIDE));
}

static cut make_tiles(int height, int width)
{
    cut made = {.tile_h = tile_side(height), .tile_w = tile_side(width)};
    made.tiles = divide_up(height, made.tile_h) * divide_up(width, made.tile_w);
    return made;
}

/* For gpu_conv_forward and gpu_conv_data: a plane of height by width windows. */
static cut make_cut(int sources, int targets, int height, int width, int k)
{
    cut made = make_tiles(height, width);
    int windows = made.tile_h * made.tile_w;
    int most = smaller(larger(GROUP / windows, 1) * QUAD, MOST_TARGETS);
    made.groups = divide_up(targets, most);
    made.targets = divide_up(divide_up(targets, made.groups), QUAD) * QUAD;
    made.groups = divide_up(targets, made.targets);
    made.local_size = (size_t)power_of_two(windows * made.targets / QUAD, WAVE, GROUP);
    /* CHANNEL and TAPS * GROUP_TARGETS of the kernels; their lists. */
    int tile = ((2 * made.tile_h + k - 1) * 2 * (made.tile_w + k / 2)) | 1;
    int bytes = (tile + k * k * made.targets) * (int)sizeof(float);
    int lists = 3 * (sources + targets) + 64;
    int fit = (SOME_LOCAL - lists) / bytes;
    if (fit < 1)
        fit = (MOST_LOCAL - lists) / bytes > 0;
    made.chunk = smaller(fit, sources);
    return made;
}

static cut cut_forward(const cnn_layer *conv, const cnn_layer *pool)
{
    return make_cut(conv->in.c, conv->out.c, pool->out.h, pool->out.w, cnn_conv_ksize(conv));
}

static cut cut_data(const cnn_layer *conv)
{
    return make_cut(conv->out.c, conv->in.c, divide_up(conv->in.h, 2), divide_up(conv->in.w, 2),
                    cnn_conv_ksize(conv));
}

bool cnn_gpu_conv_block_fits(const cnn_chain *chain, const cnn_device *device)
{
    const cnn_layer *conv = chain->layers[CONV];
    return device->info.local_memory >= MOST_LOCAL && conv->in.c <= MOST_CHANNELS &&
           conv->out.c <= MOST_CHANNELS && cut_forward(conv, chain->layers[POOL]).chunk > 0 &&
           cut_data(conv).chunk > 0;
}

/* The blocks of channels of gpu_conv_weights, and in how many parts it splits the samples. */
static void cut_weights(gpu_conv_block_op *block)
{
    const cnn_op *op = &block->op;
    const cnn_layer *conv = op->layers[CONV];
    const cut *tiles = &block->forward;
    int k = cnn_conv_ksize(conv), runs = k <= 3 ? 1 : k; /* RUNS of the kernel */
    int pixels = (2 * tiles->tile_h + k - 1) * (2 * tiles->tile_w + k - 1);
    int c = power_of_two(conv->in.c, 1, 16);
    while (c > 1 && (size_t)(pixels * c) * sizeof(float) > MOST_INPUT)
        c /= 2;
    int o = smaller(larger(GROUP / (c * runs), 1), smaller(conv->out.c, MOST_TARGETS));
    int blocks = divide_up(conv->in.c, c) * divide_up(conv->out.c, o);
    block->block = (cnn_shape){c, o, blocks};
    size_t bytes = (conv->params[0].count + conv->params[1].count) * sizeof(float);
    size_t most = (size_t)MOST_PARTIALS / bytes;
    int parts = smaller(divide_up(WANTED_GROUPS, blocks), MOST_PARTS);
    parts = larger(1, smaller(parts, op->batch));
    block->parts = most < 1 ? 1 : most < (size_t)parts ? (int)most : parts;
    block->op.scratch_bytes = (size_t)block->parts * bytes;
}

static cnn_status add_kernel(cnn_op *op, bool needed, const char *file, const char *options,
                             const char *name, size_t local_size)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_op_add_kernel_if(op, needed, file, options, name));
    if (needed)
        status = cnn_kernel_set_local_size(&op->kernels[op->kernel_count - 1], local_size);
out:
    return status;
}

static cnn_status add_cut_kernel(cnn_op *op, const char *shape, const cut *made, bool data)
{
    char options[224];
    snprintf(options, sizeof options, "-DDATA=%d %s -DTH=%d -DTW=%d -DGROUP_TARGETS=%d -DCHUNK=%d",
             data, shape, made->tile_h, made->tile_w, made->targets, made->chunk);
    return add_kernel(op, !data || cnn_op_gives_gradient(op), "gpu_conv_block.cl", options,
                      data ? "gpu_conv_data" : "gpu_conv_forward", made->local_size);
}

static cnn_status init(cnn_op *op)
{
    gpu_conv_block_op *block = (gpu_conv_block_op *)op;
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape in = conv->in, pooled = op->layers[POOL]->out;
    char shape[128], options[192];
    bool trains = !op->evaluates;
    cnn_status status = CNN_OK;
    block->forward = cut_forward(conv, op->layers[POOL]);
    block->data = cut_data(conv);
    cut_weights(block);
    snprintf(shape, sizeof shape, "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DK=%d -DPAD=%d -DPH=%d -DPW=%d",
             in.c, in.h, in.w, conv->out.c, cnn_conv_ksize(conv), cnn_conv_padding(conv), pooled.h,
             pooled.w);
    CNN_TRY(add_cut_kernel(op, shape, &block->forward, false));
    snprintf(options, sizeof options, "%s -DTH=%d -DTW=%d -DCB=%d -DOB=%d", shape,
             block->forward.tile_h, block->forward.tile_w, block->block.c, block->block.h);
    CNN_TRY(add_kernel(op, trains, "gpu_conv_weights.cl", options, "gpu_conv_weights", GROUP));
    CNN_TRY(add_kernel(op, trains, "gpu_conv_weights.cl", options, "gpu_conv_reduce", GROUP));
    CNN_TRY(add_cut_kernel(op, shape, &block->data, true));
    op->keeps_input = true;
    op->saved_bytes = cnn_op_output_count(op); /* one byte per window */
    op->mask_bytes = cnn_masks_bytes(op->layers[DROPOUT], op->batch);
out:
    return status;
}

static size_t count_groups(const cut *made, const cnn_pass *pass)
{
    return (size_t)pass->n * (size_t)made->tiles * (size_t)made->groups;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const gpu_conv_block_op *block = (const gpu_conv_block_op *)op;
    const cnn_layer *conv = op->layers[CONV], *dropout = op->layers[DROPOUT];
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cl_uint stream_layer = (cl_uint)CNN_STREAM_DROPOUT << 16 | (cl_uint)(dropout ? dropout->index : 0);
    return CNN_LAUNCH_GROUPS(
        &op->kernels[FORWARD], count_groups(&block->forward, pass), cnn_arg_mem(memory->output),
        cnn_arg_mem(memory->saved), masks.output_scales, cnn_arg_mem(memory->input),
        cnn_arg_mem(memory->parameters), cnn_arg_int((int)conv->params[0].offset),
        cnn_arg_int((int)conv->params[1].offset), masks.input_scales, masks.input_masked,
        masks.output_masked, masks.scale,
        cnn_arg_uint(cnn_dropout_threshold(cnn_masks_dropped(dropout))),
        cnn_arg_uint((cl_uint)pass->seed), cnn_arg_uint((cl_uint)(pass->seed >> 32)),
        cnn_arg_uint(stream_layer), cnn_arg_uint((cl_uint)pass->step),
        cnn_arg_uint((cl_uint)(pass->step >> 32)), cnn_arg_int(pass->before));
}

static cnn_status backward_weights(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass,
                                   const cnn_mask_args *masks)
{
    const gpu_conv_block_op *block = (const gpu_conv_block_op *)op;
    const cnn_layer *conv = op->layers[CONV];
    size_t values = conv->params[0].count + conv->params[1].count;
    size_t width = op->kernels[REDUCE].local_size;
    if (width > REDUCE_WIDTH)
        width = REDUCE_WIDTH;
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH_GROUPS(&op->kernels[WEIGHTS], (size_t)block->parts * (size_t)block->block.w,
                              cnn_arg_mem(memory->scratch), cnn_arg_mem(memory->output_gradient),
                              cnn_arg_mem(memory->saved), cnn_arg_mem(memory->input),
                              masks->output_scales, masks->output_masked, masks->scale,
                              cnn_arg_int(pass->n), cnn_arg_int(block->parts)));
    status = CNN_LAUNCH_GROUPS(
        &op->kernels[REDUCE], (values + width - 1) / width, cnn_arg_mem(memory->gradients),
        cnn_arg_int((int)conv->params[0].offset), cnn_arg_int((int)conv->params[1].offset),
        cnn_arg_mem(memory->scratch), cnn_arg_int(block->parts));
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const gpu_conv_block_op *block = (const gpu_conv_block_op *)op;
    cnn_mask_args masks = cnn_masks_arguments(memory, op->layers[DROPOUT], pass);
    cnn_status status = CNN_OK;
    CNN_TRY(backward_weights(op, memory, pass, &masks));
    if (memory->input_gradient)
        status = CNN_LAUNCH_GROUPS(
            &op->kernels[DATA], count_groups(&block->data, pass),
            cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
            cnn_arg_mem(memory->saved), cnn_arg_mem(memory->parameters),
            cnn_arg_int((int)op->layers[CONV]->params[0].offset), masks.input_scales,
            masks.input_masked, masks.output_scales, masks.output_masked, masks.scale);
out:
    return status;
}

/* Forward leaves dropped channels out, and the positions that no window has. Backward takes one
 * position of a window for the weights, of every input channel, and all pixels for the data. */
static double computed_flops(const cnn_op *op, const cnn_op_work *work)
{
    enum { WINDOW = CNN_POOL_SIZE * CNN_POOL_SIZE };
    const cnn_layer *conv = op->layers[CONV];
    cnn_shape in = conv->in, out = conv->out, pooled = op->layers[POOL]->out;
    double kept = work->training ? 1.0 - cnn_masks_dropped(op->layers[DROPOUT]) : 1.0;
    double positions = (double)out.h * out.w;
    double windows = (double)pooled.h * pooled.w / positions;
    double conv_flops = kept * cnn_layer_get_class(CNN_LAYER_CONV)->forward_flops(conv);
    double values = kept * (double)cnn_shape_count(pooled);
    if (!work->backward)
        return WINDOW * windows * work->input_kept * conv_flops + values * (WINDOW + 1);
    double data = work->input_kept * conv_flops * ((double)in.h * in.w / positions);
    return windows * conv_flops + values + (op->wants_gradient ? data : 0.0);
}

const cnn_op_class cnn_gpu_conv_block_op = {
    "gpu_conv_block", sizeof(gpu_conv_block_op), init, forward, backward, computed_flops};
