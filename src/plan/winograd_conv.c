/* A 3 x 3 convolution at stride 1 by Winograd's method: cl/winograd_conv.cl. */
#include <stdio.h>

#include "base/status.h"
#include "plan/fused.h"
#include "plan/winograd.h"

enum {
    PRODUCTS = CNN_WINOGRAD_POINTS,
    LANES = CNN_WINOGRAD_LANES,
    TAPS = 9,
    MOST_PADDING = 2,
};

/* A direction, in chunks of tiles. */
typedef struct tiled {
    cnn_winograd shape;
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
    return cnn_winograd_tiles(layer->out) * tile < (size_t)layer->out.h * (size_t)layer->out.w * pixel;
}

/* Weights that are larger than caches, and few tiles that would share the reading of them. */
bool cnn_winograd_columns_suits(const cnn_layer *layer)
{
    enum { LARGE = 1 << 15, FEW_TILES = 16 };
    return cnn_winograd_conv_suits(layer) && (size_t)layer->in.c * (size_t)layer->out.c >= LARGE &&
           cnn_winograd_tiles(layer->out) <= FEW_TILES;
}

cnn_winograd cnn_winograd_of(const cnn_op *op, bool turned)
{
    const cnn_layer *layer = op->layers[0];
    const int *padding = layer->options.conv.padding;
    bool long_vectors = op->device->lanes >= LANES;
    cnn_winograd at = {.in = turned ? layer->out : layer->in,
                       .out = turned ? layer->in : layer->out,
                       .top = turned ? MOST_PADDING - padding[0] : padding[0],
                       .left = turned ? MOST_PADDING - padding[1] : padding[1],
                       .rows = long_vectors ? 8 : 4};
    at.wide = long_vectors && at.out.c > LANES ? 2 : 1;
    at.in_channels = cnn_round_up((size_t)at.in.c, LANES);
    at.out_channels = cnn_round_up((size_t)at.out.c, (size_t)at.wide * LANES);
    return at;
}

void cnn_winograd_format(char options[CNN_WINOGRAD_OPTIONS], const cnn_winograd *at)
{
    snprintf(options, CNN_WINOGRAD_OPTIONS,
             "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DOH=%d -DOW=%d -DPT=%d -DPL=%d -DROWS=%d -DWIDE=%d",
             at->in.c, at->in.h, at->in.w, at->out.c, at->out.h, at->out.w, at->top, at->left,
             at->rows, at->wide);
}

cnn_arg cnn_winograd_bias(const cnn_layer *layer)
{
    return cnn_arg_int(layer->options.conv.bias ? (int)layer->params[1].offset : -1);
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

static tiled make_tiled(const cnn_op *op, bool turned)
{
    enum { PER_UNIT = 4 };
    tiled made = {.shape = cnn_winograd_of(op, turned)};
    const cnn_winograd *shape = &made.shape;
    made.u = cnn_round_up(PRODUCTS * shape->out_channels * (size_t)shape->in.c, LANES);
    made.chunk = choose_chunk(&made, shape->in_channels + shape->out_channels);
    made.v_pitch = cnn_winograd_lines((size_t)made.chunk * shape->in_channels);
    made.m_pitch = cnn_winograd_lines((size_t)made.chunk * shape->out_channels);
    made.item = PRODUCTS * (made.v_pitch + made.m_pitch + LANES) +
                cnn_winograd_lines(cnn_larger(shape->in_channels, shape->out_channels));
    size_t tiles = (size_t)op->batch * cnn_winograd_tiles(shape->out);
    size_t chunks = cnn_divide_up(tiles, (size_t)made.chunk);
    size_t most = (size_t)op->device->info.compute_units * PER_UNIT;
    made.items = (int)(chunks < most ? chunks : most);
    return made;
}

enum { OPTIONS_SIZE = CNN_WINOGRAD_OPTIONS + 96 + CNN_EPILOGUE_SIZE };

static void format_options(char options[OPTIONS_SIZE], const tiled *at, const char *epilogue)
{
    char shape[CNN_WINOGRAD_OPTIONS];
    cnn_winograd_format(shape, &at->shape);
    snprintf(options, OPTIONS_SIZE, "%s -DCHUNK=%d -DV_PITCH=%zu -DM_PITCH=%zu -DITEM=%zu%s", shape,
             at->chunk, at->v_pitch, at->m_pitch, at->item, epilogue);
}

static cnn_status add_kernels(cnn_op *op, const tiled *at, bool needed, const char *epilogue,
                              const char *const *names, int count)
{
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    format_options(options, at, epilogue);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_op_add_kernel_if(op, needed, "winograd_conv.cl", options, names[i]);
    return status;
}

static cnn_status init(cnn_op *op)
{
    static const char *const names[] = {"winograd_conv_pack", "winograd_conv_forward",
                                        "winograd_conv_gradient", "winograd_conv_reduce"};
    enum { OF_LAYER = 4, OF_INPUT_GRADIENT = 2 };
    winograd_op *conv = (winograd_op *)op;
    tiled *forward = &conv->forward, *backward = &conv->backward;
    char epilogue[CNN_EPILOGUE_SIZE];
    cnn_status status = CNN_OK;
    cnn_op_format_epilogue(epilogue, op);
    *forward = make_tiled(op, false);
    *backward = make_tiled(op, true);
    CNN_TRY(add_kernels(op, forward, true, epilogue, names, OF_LAYER));
    CNN_TRY(add_kernels(op, backward, cnn_op_gives_gradient(op), "", names, OF_INPUT_GRADIENT));
    size_t rows = cnn_round_up((size_t)forward->shape.in.c, (size_t)forward->shape.rows);
    conv->partials =
        (size_t)forward->items * (PRODUCTS * rows + 1) * forward->shape.out_channels;
    size_t items = (size_t)forward->items * forward->item;
    size_t back = cnn_larger(cnn_larger(forward->u, conv->partials) + items,
                             backward->u + (size_t)backward->items * backward->item);
    op->keeps_input = true;
    op->scratch_bytes = sizeof(float) * (op->evaluates ? forward->u + items : back);
    op->prepared_bytes = sizeof(float) * forward->u;
out:
    return status;
}

static int items_of(const tiled *at, int n)
{
    size_t chunks = cnn_divide_up((size_t)n * cnn_winograd_tiles(at->shape.out), (size_t)at->chunk);
    return chunks < (size_t)at->items ? (int)chunks : at->items;
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
        cnn_op_added(op, memory), parameters, turned ? cnn_arg_int(-1) : cnn_winograd_bias(layer), packed,
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
                       cnn_winograd_bias(layer), scratch, cnn_arg_int(items)));
    if (memory->input_gradient)
        status = run(op, memory, &conv->backward, PACK_TURNED, memory->input_gradient,
                     memory->output_gradient, pass->n);
out:
    return status;
}

double cnn_winograd_flops(const cnn_op *op, const cnn_op_work *work)
{
    enum { SIX = 6, SIDE = CNN_WINOGRAD_SIDE };
    const cnn_layer *layer = op->layers[0];
    double in = layer->in.c, out = layer->out.c;
    double tiles = (double)cnn_winograd_tiles(layer->out);
    double back = (double)cnn_winograd_tiles(layer->in), products = 2.0 * PRODUCTS * in * out;
    double there = 22.0 * 2 * SIX, from = 16.0 * (SIX + SIDE);
    if (!work->backward)
        return tiles * (products + in * there + out * from);
    double weights = tiles * (products + in * there + out * from);
    return weights + (op->wants_gradient ? back * (products + out * there + in * from) : 0.0);
}

const cnn_op_class cnn_winograd_conv_op = {"winograd_conv", sizeof(winograd_op), init, forward,
                                           backward,        cnn_winograd_flops};
