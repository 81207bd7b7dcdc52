/* A 3 x 3 convolution at stride 1 by Winograd's method: cl/winograd_conv.cl. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "plan/fused.h"

enum { POINTS = 6, PRODUCTS = POINTS * POINTS, SIDE = 4, TAPS = 9, LANES = 16, MOST_PADDING = 2 };

/* A direction: the layer's own, or that of its input's gradient. */
typedef struct tiled {
    cnn_shape in, out;
    int top, left;           /* padding */
    int rows, wide;          /* of a register block: ROWS, WIDE */
    int chunk, items;        /* tiles of a chunk; work-items of a whole batch */
    size_t v_pitch, m_pitch; /* floats */
    size_t item;             /* floats of a work-item */
    size_t u;                /* floats of transformed weights */
} tiled;

typedef struct winograd_op {
    cnn_op op;
    tiled forward, backward;
    size_t partials; /* floats, of the weights' gradient */
} winograd_op;

enum { PACK, FORWARD, GRADIENT, REDUCE, PACK_TURNED, BACKWARD };

static size_t count_tiles(cnn_shape out)
{
    return cnn_divide_up((size_t)out.h, SIDE) * cnn_divide_up((size_t)out.w, SIDE);
}

static bool has_shape(const cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    for (int side = 0; side < 4; side++)
        if (conv->padding[side] > MOST_PADDING)
            return false;
    return conv->kernel[0] == 3 && conv->kernel[1] == 3 && conv->stride[0] == 1 &&
           conv->stride[1] == 1 && conv->dilation[0] == 1 && conv->dilation[1] == 1 &&
           conv->groups == 1;
}

/* A tile's transforms take as long as some 300 and 250 multiply-adds of vectors for each vector of
 * input and output channels. */
bool cnn_winograd_conv_suits(const cnn_layer *layer)
{
    enum { TO_POINTS = 300, FROM_POINTS = 250 };
    if (!has_shape(layer))
        return false;
    size_t in = (size_t)layer->in.c, out = cnn_divide_up((size_t)layer->out.c, LANES);
    size_t transforms = TO_POINTS * cnn_divide_up(in, LANES) + FROM_POINTS * out;
    size_t tile = PRODUCTS * in * out + transforms;
    size_t pixel = TAPS * in * out;
    return count_tiles(layer->out) * tile < (size_t)layer->out.h * (size_t)layer->out.w * pixel;
}

/* Whole cache lines, an odd number: from one point to the next other sets of the cache. */
static size_t lines(size_t floats)
{
    return (cnn_divide_up(floats, LANES) | 1) * LANES;
}

/* Chunks stay in a core's cache, unless the weights are so large that reading them is what takes
 * time. */
static int choose_chunk(const tiled *at, size_t channels)
{
    enum { ENOUGH = 1 << 17, LEAST = 16, MOST = 32, LARGE_WEIGHTS = 1 << 21 };
    size_t chunk = ENOUGH / (PRODUCTS * channels) / LEAST * LEAST;
    if (at->u > LARGE_WEIGHTS || chunk > MOST)
        chunk = MOST;
    return (int)(chunk < LEAST ? LEAST : chunk);
}

static void init_tiled(tiled *at, const cnn_op *op, cnn_shape in, cnn_shape out, int top, int left)
{
    enum { PER_UNIT = 4 };
    bool long_vectors = op->device->lanes >= LANES;
    *at = (tiled){.in = in, .out = out, .top = top, .left = left};
    at->rows = long_vectors ? 8 : 4;
    at->wide = long_vectors && out.c > LANES ? 2 : 1;
    size_t in_channels = cnn_round_up((size_t)in.c, LANES);
    size_t out_channels = cnn_round_up((size_t)out.c, (size_t)at->wide * LANES);
    at->u = cnn_round_up(PRODUCTS * out_channels * (size_t)in.c, LANES);
    at->chunk = choose_chunk(at, in_channels + out_channels);
    at->v_pitch = lines((size_t)at->chunk * in_channels);
    at->m_pitch = lines((size_t)at->chunk * out_channels);
    at->item = PRODUCTS * (at->v_pitch + at->m_pitch + LANES) +
               lines(cnn_larger(in_channels, out_channels));
    size_t chunks = cnn_divide_up((size_t)op->batch * count_tiles(out), (size_t)at->chunk);
    size_t most = (size_t)op->device->info.compute_units * PER_UNIT;
    at->items = (int)(chunks < most ? chunks : most);
}

enum { OPTIONS_SIZE = 256 + CNN_EPILOGUE_SIZE };

static void format_options(char options[OPTIONS_SIZE], const tiled *at, const char *epilogue)
{
    snprintf(options, OPTIONS_SIZE,
             "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DOH=%d -DOW=%d -DPT=%d -DPL=%d -DROWS=%d -DWIDE=%d "
             "-DCHUNK=%d -DV_PITCH=%zu -DM_PITCH=%zu -DITEM=%zu%s",
             at->in.c, at->in.h, at->in.w, at->out.c, at->out.h, at->out.w, at->top, at->left,
             at->rows, at->wide, at->chunk, at->v_pitch, at->m_pitch, at->item, epilogue);
}

static cnn_status add_kernels(cnn_op *op, const tiled *at, const char *epilogue,
                              const char *const *names, int count)
{
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    format_options(options, at, epilogue);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_op_add_kernel(op, "winograd_conv.cl", options, names[i]);
    return status;
}

static cnn_status init(cnn_op *op)
{
    static const char *const names[] = {"winograd_conv_pack", "winograd_conv_forward",
                                        "winograd_conv_gradient", "winograd_conv_reduce"};
    enum { OF_LAYER = 4, OF_INPUT_GRADIENT = 2 };
    winograd_op *conv = (winograd_op *)op;
    const cnn_layer *layer = op->layers[0];
    const int *padding = layer->options.conv.padding;
    tiled *forward = &conv->forward, *backward = &conv->backward;
    char epilogue[CNN_EPILOGUE_SIZE];
    cnn_status status = CNN_OK;
    cnn_op_format_epilogue(epilogue, op);
    init_tiled(forward, op, layer->in, layer->out, padding[0], padding[1]);
    init_tiled(backward, op, layer->out, layer->in, 2 - padding[0], 2 - padding[1]);
    CNN_TRY(add_kernels(op, forward, epilogue, names, OF_LAYER));
    CNN_TRY(add_kernels(op, backward, "", names, OF_INPUT_GRADIENT));
    size_t rows = cnn_round_up((size_t)layer->in.c, (size_t)forward->rows);
    size_t columns = cnn_round_up((size_t)layer->out.c, (size_t)forward->wide * LANES);
    conv->partials = (size_t)forward->items * (PRODUCTS * rows + 1) * columns;
    size_t first = cnn_larger(forward->u, conv->partials);
    size_t whole = first + (size_t)forward->items * forward->item;
    size_t back = backward->u + (size_t)backward->items * backward->item;
    op->keeps_input = true;
    op->scratch_bytes = sizeof(float) * cnn_larger(whole, back);
    op->prepared_bytes = sizeof(float) * forward->u;
out:
    return status;
}

static int items_of(const tiled *at, int n)
{
    size_t chunks = cnn_divide_up((size_t)n * count_tiles(at->out), (size_t)at->chunk);
    return chunks < (size_t)at->items ? (int)chunks : at->items;
}

static cnn_arg bias_offset(const cnn_layer *layer)
{
    return cnn_arg_int(layer->options.conv.bias ? (int)layer->params[1].offset : -1);
}

/* y from x in either direction; the first of two kernels packs the weights. */
static cnn_status run(cnn_op *op, const cnn_op_memory *memory, const tiled *at, int first_kernel,
                      cl_mem y, cl_mem x, int n)
{
    bool turned = first_kernel == PACK_TURNED;
    const cnn_layer *layer = op->layers[0];
    cnn_arg packed = cnn_arg_mem(turned ? memory->scratch : memory->prepared);
    cnn_arg parameters = cnn_arg_mem(memory->parameters);
    size_t vectors = at->u / PRODUCTS / LANES;
    int items = items_of(at, n);
    cnn_status status = CNN_OK;
    if (turned || !memory->is_prepared)
        CNN_TRY(CNN_LAUNCH(&op->kernels[first_kernel], cnn_kernel_items(op->device, vectors),
                           packed, parameters, cnn_arg_int((int)layer->params[0].offset),
                           cnn_arg_int(turned)));
    status = CNN_LAUNCH(
        &op->kernels[first_kernel + 1], (size_t)items, cnn_arg_mem(y), cnn_arg_mem(x),
        cnn_op_added(op, memory), parameters, turned ? cnn_arg_int(-1) : bias_offset(layer), packed,
        cnn_arg_mem(memory->scratch), cnn_arg_int((int)at->u), cnn_arg_int(n), cnn_arg_int(items));
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const winograd_op *conv = (const winograd_op *)op;
    return run(op, memory, &conv->forward, PACK, memory->output, memory->input, pass->n);
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const winograd_op *conv = (const winograd_op *)op;
    const cnn_layer *layer = op->layers[0];
    cnn_arg scratch = cnn_arg_mem(memory->scratch);
    int items = items_of(&conv->forward, pass->n);
    size_t vectors = conv->forward.u / PRODUCTS / LANES;
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[GRADIENT], (size_t)items, scratch,
                       cnn_arg_int((int)conv->partials), cnn_arg_mem(memory->input),
                       cnn_arg_mem(memory->output_gradient), cnn_arg_int(pass->n),
                       cnn_arg_int(items)));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], cnn_kernel_items(op->device, vectors),
                       cnn_arg_mem(memory->gradients), cnn_arg_int((int)layer->params[0].offset),
                       bias_offset(layer), scratch, cnn_arg_int(items)));
    if (memory->input_gradient)
        status = run(op, memory, &conv->backward, PACK_TURNED, memory->input_gradient,
                     memory->output_gradient, pass->n);
out:
    return status;
}

/* Of a tile: a transform of six values takes 22, its way back to four 16. */
static double computed_flops(const cnn_op *op, const cnn_op_work *work)
{
    const cnn_layer *layer = op->layers[0];
    double in = layer->in.c, out = layer->out.c, tiles = (double)count_tiles(layer->out);
    double back = (double)count_tiles(layer->in), products = 2.0 * PRODUCTS * in * out;
    double there = 22.0 * 2 * POINTS, from = 16.0 * (POINTS + SIDE);
    if (!work->backward)
        return tiles * (products + in * there + out * from);
    double weights = tiles * (products + in * there + out * from);
    return weights + (op->wants_gradient ? back * (products + out * there + in * from) : 0.0);
}

const cnn_op_class cnn_winograd_conv_op = {"winograd_conv", sizeof(winograd_op), init, forward,
                                           backward,        computed_flops};
