/* A 3 x 3 convolution at stride 1 of many channels by Winograd's method, block of channels by block:
 * cl/winograd_columns.cl. The batch goes through in pieces of some samples, whose transformed values stay
 * in the caches. */
#include <stdio.h>

#include "base/status.h"
#include "plan/fused.h"
#include "plan/winograd.h"

enum { PRODUCTS = CNN_WINOGRAD_POINTS, LANES = CNN_WINOGRAD_LANES };

enum { TILES, FORWARD, GRADIENTS, WEIGHTS, TILES_TURNED, BACKWARD };

/* A direction. */
typedef struct columns {
    cnn_winograd shape;
    int samples; /* of a piece, at most */
    int items;   /* work-items */
    size_t v, g; /* floats: transformed inputs, and gradients of outputs */
    size_t item; /* floats of a work-item */
} columns;

typedef struct columns_op {
    cnn_op op;
    columns forward, backward;
} columns_op;

/* Equal pieces, whose transformed values are some megabytes. */
static int choose_samples(const cnn_winograd *shape, int batch)
{
    enum { MOST_FLOATS = 1 << 21 };
    size_t widest = cnn_larger(shape->in_channels, shape->out_channels);
    size_t sample = PRODUCTS * widest * cnn_winograd_tiles(shape->out);
    size_t pieces = cnn_divide_up((size_t)batch * sample, MOST_FLOATS);
    return (int)cnn_divide_up((size_t)batch, pieces);
}

static int choose_items(const columns *at, const cnn_op *op)
{
    enum { PER_UNIT = 2 };
    size_t blocks = at->shape.out_channels / ((size_t)at->shape.wide * LANES);
    size_t most = (size_t)op->device->info.compute_units * PER_UNIT;
    return (int)(blocks < most ? blocks : most);
}

enum { OPTIONS_SIZE = CNN_WINOGRAD_OPTIONS + 256 };

/* Sets the sizes, and formats the kernels' options. */
static void init_columns(columns *at, const cnn_op *op, bool turned, char options[OPTIONS_SIZE])
{
    char shape_options[CNN_WINOGRAD_OPTIONS];
    *at = (columns){.shape = cnn_winograd_of(op, turned)};
    const cnn_winograd *shape = &at->shape;
    at->samples = choose_samples(shape, op->batch);
    at->items = choose_items(at, op);
    size_t rows = (size_t)shape->rows, block = (size_t)shape->wide * LANES;
    size_t chunk = cnn_round_up((size_t)at->samples * cnn_winograd_tiles(shape->out), rows);
    size_t v_pitch = cnn_winograd_lines(chunk * shape->in_channels);
    size_t g_pitch = cnn_winograd_lines(chunk * shape->out_channels);
    size_t u_pitch = cnn_winograd_lines((size_t)shape->in.c * block);
    size_t m_pitch = cnn_winograd_lines(chunk * block);
    at->v = PRODUCTS * v_pitch;
    at->g = PRODUCTS * g_pitch;
    /* The products of the weights' gradient, in the place of u, are no more. */
    at->item = PRODUCTS * (LANES + cnn_larger(u_pitch + m_pitch, rows * block)) +
               cnn_larger(shape->in_channels, shape->out_channels) + shape->out_channels;
    at->item = cnn_winograd_lines(at->item);
    cnn_winograd_format(shape_options, shape);
    snprintf(options, OPTIONS_SIZE,
             "%s -DCHUNK=%zu -DV_PITCH=%zu -DM_PITCH=%zu -DU_PITCH=%zu -DG_PITCH=%zu -DITEM=%zu",
             shape_options, chunk, v_pitch, m_pitch, u_pitch, g_pitch, at->item);
}

static cnn_status add_kernels(cnn_op *op, const char *options, bool needed, int count)
{
    static const char *const names[] = {"winograd_columns_tiles", "winograd_columns_forward",
                                        "winograd_columns_gradients", "winograd_columns_weights"};
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_op_add_kernel_if(op, needed, "winograd_columns.cl", options, names[i]);
    return status;
}

static cnn_status init(cnn_op *op)
{
    enum { OF_LAYER = 4, OF_INPUT_GRADIENT = 2 };
    columns_op *conv = (columns_op *)op;
    columns *forward = &conv->forward, *backward = &conv->backward;
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    init_columns(forward, op, false, options);
    CNN_TRY(add_kernels(op, options, true, OF_LAYER));
    init_columns(backward, op, true, options);
    CNN_TRY(add_kernels(op, options, cnn_op_gives_gradient(op), OF_INPUT_GRADIENT));
    size_t whole = forward->v + forward->g + (size_t)forward->items * forward->item;
    size_t back = backward->v + (size_t)backward->items * backward->item;
    op->keeps_input = true;
    op->scratch_bytes = sizeof(float) * cnn_larger(whole, back);
out:
    return status;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* v of a piece, from x. */
static cnn_status run_tiles(cnn_op *op, const cnn_op_memory *memory, const columns *at, int kernel,
                            size_t begin, cl_mem x, int first, int n)
{
    return CNN_LAUNCH(&op->kernels[kernel], (size_t)at->items, cnn_arg_mem(memory->scratch),
                      cnn_arg_int((int)begin), cnn_arg_mem(x), cnn_arg_int(first), cnn_arg_int(n),
                      cnn_arg_int(at->items));
}

/* y from x in either direction. */
static cnn_status run(cnn_op *op, const cnn_op_memory *memory, const columns *at, int first_kernel,
                      cl_mem y, cl_mem x, int n)
{
    bool turned = first_kernel == TILES_TURNED;
    const cnn_layer *layer = op->layers[0];
    cnn_arg parameters = cnn_arg_mem(memory->parameters);
    cnn_status status = CNN_OK;
    for (int first = 0; first < n; first += at->samples) {
        int count = smaller(at->samples, n - first);
        CNN_TRY(run_tiles(op, memory, at, first_kernel, at->v, x, first, count));
        CNN_TRY(CNN_LAUNCH(&op->kernels[first_kernel + 1], (size_t)at->items, cnn_arg_mem(y),
                           parameters, cnn_arg_int((int)layer->params[0].offset),
                           cnn_arg_int(turned), parameters,
                           turned ? cnn_arg_int(-1) : cnn_winograd_bias(layer),
                           cnn_arg_mem(memory->scratch), cnn_arg_int((int)at->v),
                           cnn_arg_int(first), cnn_arg_int(count), cnn_arg_int(at->items)));
    }
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const columns_op *conv = (const columns_op *)op;
    return run(op, memory, &conv->forward, TILES, memory->output, memory->input, pass->n);
}

/* The weights' gradient. */
static cnn_status run_weights(cnn_op *op, const cnn_op_memory *memory, int n)
{
    const columns *at = &((const columns_op *)op)->forward;
    const cnn_layer *layer = op->layers[0];
    size_t begin = at->v + at->g;
    cnn_status status = CNN_OK;
    for (int first = 0; first < n; first += at->samples) {
        int count = smaller(at->samples, n - first);
        CNN_TRY(run_tiles(op, memory, at, TILES, begin, memory->input, first, count));
        CNN_TRY(run_tiles(op, memory, at, GRADIENTS, begin, memory->output_gradient, first, count));
        CNN_TRY(CNN_LAUNCH(&op->kernels[WEIGHTS], (size_t)at->items, cnn_arg_mem(memory->gradients),
                           cnn_arg_int((int)layer->params[0].offset), cnn_winograd_bias(layer),
                           cnn_arg_mem(memory->scratch), cnn_arg_int((int)begin),
                           cnn_arg_int(first > 0), cnn_arg_int(count), cnn_arg_int(at->items)));
    }
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const columns_op *conv = (const columns_op *)op;
    cnn_status status = run_weights(op, memory, pass->n);
    if (status == CNN_OK && memory->input_gradient)
        status = run(op, memory, &conv->backward, TILES_TURNED, memory->input_gradient,
                     memory->output_gradient, pass->n);
    return status;
}

const cnn_op_class cnn_winograd_columns_op = {
    "winograd_columns", sizeof(columns_op), init, forward, backward, cnn_winograd_flops};
