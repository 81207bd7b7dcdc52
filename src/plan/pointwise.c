/* A 1 x 1 convolution at stride 1, or a linear layer, which is one of a pixel a sample:
 * cl/pointwise.cl. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "plan/fused.h"

enum { LANES = 16 };

/* A direction: the layer's own, or that of its input's gradient. */
typedef struct product {
    int in, out;    /* channels */
    int rows, wide; /* of a register block: ROWS, WIDE */
    size_t u;       /* floats of packed weights */
} product;

typedef struct pointwise_op {
    cnn_op op;
    product forward, backward;
    size_t most; /* work-items: part of the order of the weights' gradient */
    int items;   /* of the weights' gradient, of a whole batch */
} pointwise_op;

enum { PACK, FORWARD, GRADIENT, REDUCE, PACK_TURNED, BACKWARD };

bool cnn_pointwise_suits(const cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    for (int side = 0; side < 4; side++)
        if (conv->padding[side] > 0)
            return false;
    return conv->kernel[0] == 1 && conv->kernel[1] == 1 && conv->stride[0] == 1 &&
           conv->stride[1] == 1 && conv->groups == 1;
}

static void init_product(product *at, const cnn_op *op, int in, int out)
{
    bool long_vectors = op->device->lanes >= LANES;
    *at = (product){.in = in, .out = out};
    at->rows = long_vectors ? 8 : 4;
    at->wide = long_vectors && out > LANES ? 2 : 1;
    at->u = cnn_round_up((size_t)out, (size_t)at->wide * LANES) * (size_t)in;
}

static cnn_status add_kernels(cnn_op *op, const product *at, int count, bool needed,
                              const char *epilogue)
{
    static const char *const names[] = {"pointwise_pack", "pointwise_forward", "pointwise_gradient",
                                        "pointwise_reduce"};
    char options[96 + CNN_EPILOGUE_SIZE];
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DIC=%d -DOC=%d -DROWS=%d -DWIDE=%d%s", at->in, at->out,
             at->rows, at->wide, epilogue);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = cnn_op_add_kernel_if(op, needed, "pointwise.cl", options, names[i]);
    return status;
}

static size_t count_pixels(const cnn_op *op, int n)
{
    cnn_shape out = op->layers[0]->out;
    return (size_t)n * (size_t)out.h * (size_t)out.w;
}

/* The pixels that a work-item has at least: some register blocks; and enough for the sums of its
 * own, which the weights' gradient writes and reads. */
enum { LEAST_PIXELS = 32, LEAST_FOR_SUMS = 192 };

/* Some for each compute unit; on a device that is to be exact as many as on any other. */
static size_t most_items(const cnn_device *device)
{
    enum { PER_UNIT = 8, EXACT = 16 };
    return device->exact ? EXACT : (size_t)device->info.compute_units * PER_UNIT;
}

static int items_of(const cnn_op *op, int n, size_t least)
{
    const pointwise_op *conv = (const pointwise_op *)op;
    size_t enough = cnn_divide_up(count_pixels(op, n), least);
    return (int)(enough < conv->most ? enough : conv->most);
}

static cnn_status init(cnn_op *op)
{
    enum { OF_LAYER = 4, OF_INPUT_GRADIENT = 2 };
    pointwise_op *conv = (pointwise_op *)op;
    const cnn_layer *layer = op->layers[0];
    const product *forward = &conv->forward;
    char epilogue[CNN_EPILOGUE_SIZE];
    cnn_status status = CNN_OK;
    cnn_op_format_epilogue(epilogue, op);
    init_product(&conv->forward, op, layer->in.c, layer->out.c);
    init_product(&conv->backward, op, layer->out.c, layer->in.c);
    CNN_TRY(add_kernels(op, &conv->forward, OF_LAYER, true, epilogue));
    CNN_TRY(add_kernels(op, &conv->backward, OF_INPUT_GRADIENT, cnn_op_gives_gradient(op), ""));
    conv->most = most_items(op->device);
    conv->items = items_of(op, op->batch, LEAST_FOR_SUMS);
    size_t rows = cnn_round_up((size_t)layer->in.c, (size_t)forward->rows) + 1;
    size_t columns = cnn_round_up((size_t)layer->out.c, (size_t)forward->wide * LANES);
    size_t packed = cnn_larger(forward->u, conv->backward.u);
    size_t back = cnn_larger((size_t)conv->items * rows * columns, packed);
    op->keeps_input = true;
    op->scratch_bytes = sizeof(float) * (op->evaluates ? forward->u : back);
    op->prepared_bytes = sizeof(float) * forward->u;
out:
    return status;
}

static bool has_bias(const cnn_layer *layer)
{
    return layer->kind == CNN_LAYER_LINEAR ? layer->options.linear.bias : layer->options.conv.bias;
}

static cnn_arg bias_offset(const cnn_layer *layer)
{
    return cnn_arg_int(has_bias(layer) ? (int)layer->params[1].offset : -1);
}

/* y from x in either direction; the first of two kernels packs the weights. */
static cnn_status run(cnn_op *op, const cnn_op_memory *memory, const product *at, int first_kernel,
                      cl_mem y, cl_mem x, int n)
{
    bool turned = first_kernel == PACK_TURNED;
    const cnn_layer *layer = op->layers[0];
    cnn_arg packed = cnn_arg_mem(turned ? memory->scratch : memory->prepared);
    cnn_arg parameters = cnn_arg_mem(memory->parameters);
    int items = items_of(op, n, LEAST_PIXELS);
    cnn_status status = CNN_OK;
    if (turned || !memory->is_prepared)
        CNN_TRY(CNN_LAUNCH(&op->kernels[first_kernel], cnn_kernel_items(op->device, at->u), packed,
                           parameters, cnn_arg_int((int)layer->params[0].offset),
                           cnn_arg_int(turned)));
    status = CNN_LAUNCH(&op->kernels[first_kernel + 1], (size_t)items, cnn_arg_mem(y),
                        cnn_arg_mem(x), cnn_op_added(op, memory), packed, parameters,
                        turned ? cnn_arg_int(-1) : bias_offset(layer),
                        cnn_arg_int((int)count_pixels(op, n)), cnn_arg_int(items));
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const pointwise_op *conv = (const pointwise_op *)op;
    return run(op, memory, &conv->forward, PACK, memory->output, memory->input, pass->n);
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const pointwise_op *conv = (const pointwise_op *)op;
    const cnn_layer *layer = op->layers[0];
    cnn_arg scratch = cnn_arg_mem(memory->scratch);
    int items = items_of(op, pass->n, LEAST_FOR_SUMS);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[GRADIENT], (size_t)items, scratch, cnn_arg_mem(memory->input),
                       cnn_arg_mem(memory->output_gradient), cnn_arg_int(has_bias(layer)),
                       cnn_arg_int((int)count_pixels(op, pass->n)), cnn_arg_int(items)));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], cnn_kernel_items(op->device, conv->forward.u / LANES),
                       cnn_arg_mem(memory->gradients), cnn_arg_int((int)layer->params[0].offset),
                       bias_offset(layer), scratch, cnn_arg_int(items)));
    if (memory->input_gradient)
        status = run(op, memory, &conv->backward, PACK_TURNED, memory->input_gradient,
                     memory->output_gradient, pass->n);
out:
    return status;
}

const cnn_op_class cnn_pointwise_op = {"pointwise", sizeof(pointwise_op), init, forward, backward,
                                       NULL};
