/* Conv2d on the device: cl/conv.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/op.h"

enum { PACK, DIRECT, WEIGHTS, REDUCE, PACK_TRANSPOSED, DIRECT_TRANSPOSED };

enum { PARTS_ON_CPU = 16, PARTS_ON_GPU = 32, PIXELS_AT_A_TIME = 224 };

/* One direct convolution: the layer's forward pass, or the gradient of its input. */
typedef struct direct {
    cnn_shape in, out;
    int block;  /* output channels of a register block */
    int blocks; /* of all groups */
    bool transposed;
    size_t packed; /* floats of packed weights and the row of zeros */
} direct;

typedef struct conv_op {
    cnn_op op;
    direct forward, backward;
    int parts;       /* stretches of the batch in the weights' gradient */
    size_t partials; /* floats */
    int input_blocks;
} conv_op;

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

/* The pixels of a register block: of 6, 5 and 4 the one that wastes least of a row. */
static int choose_pixels(int width)
{
    int best = 6;
    for (int pixels = 5; pixels >= 4; pixels--)
        if (divide_up(width, pixels) * pixels < divide_up(width, best) * best)
            best = pixels;
    return width < best ? width : best;
}

/* The input channels of a register block of the weights' gradient: a divisor where there is one. */
static int choose_input_block(int channels)
{
    static const int preferred[] = {4, 5, 6, 3, 2};
    for (size_t i = 0; i < sizeof preferred / sizeof preferred[0]; i++)
        if (channels % preferred[i] == 0)
            return preferred[i];
    return channels < 4 ? channels : 4;
}

static size_t count_taps(const cnn_layer *layer)
{
    return (size_t)layer->options.conv.kernel[0] * (size_t)layer->options.conv.kernel[1];
}

static void init_direct(direct *pass, const cnn_layer *layer, bool transposed)
{
    int groups = layer->options.conv.groups;
    pass->transposed = transposed;
    pass->in = transposed ? layer->out : layer->in;
    pass->out = transposed ? layer->in : layer->out;
    pass->block = pass->out.c / groups > 8 ? 16 : 8;
    pass->blocks = groups * divide_up(pass->out.c / groups, pass->block);
    size_t in = (size_t)(pass->in.c / groups);
    pass->packed = (size_t)pass->blocks * (size_t)pass->block * count_taps(layer) * in + in;
}

enum { OPTIONS_SIZE = 384 + CNN_EPILOGUE_SIZE };

/* Register blocks take every stride-th pixel of the input's gradient. */
static void format_options(char options[OPTIONS_SIZE], const direct *pass, const cnn_op *op)
{
    const cnn_layer *layer = op->layers[0];
    char epilogue[CNN_EPILOGUE_SIZE] = "";
    const cnn_conv_options *conv = &layer->options.conv;
    cnn_shape in = pass->in, out = pass->out;
    int rows = PIXELS_AT_A_TIME / out.w;
    int width = pass->transposed ? divide_up(out.w, conv->stride[1]) : out.w;
    if (!pass->transposed)
        cnn_op_format_epilogue(epilogue, op);
    snprintf(options, OPTIONS_SIZE,
             "-DIC=%d -DIH=%d -DIW=%d -DOC=%d -DOH=%d -DOW=%d -DKH=%d -DKW=%d -DPT=%d -DPL=%d "
             "-DSH=%d -DSW=%d -DDH=%d -DDW=%d -DGROUPS=%d -DTRANSPOSED=%d -DOCB=%d -DPX=%d "
             "-DICB=%d -DROWS=%d%s",
             in.c, in.h, in.w, out.c, out.h, out.w, conv->kernel[0], conv->kernel[1],
             conv->padding[0], conv->padding[1], conv->stride[0], conv->stride[1],
             conv->dilation[0], conv->dilation[1], conv->groups, pass->transposed, pass->block,
             choose_pixels(width), choose_input_block(in.c / conv->groups), rows > 0 ? rows : 1,
             epilogue);
}

static cnn_status add_direct(cnn_op *op, const direct *pass, bool needed, bool with_weights)
{
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    format_options(options, pass, op);
    CNN_TRY(cnn_op_add_kernel_if(op, needed, "conv.cl", options, "conv_pack"));
    CNN_TRY(cnn_op_add_kernel_if(op, needed, "conv.cl", options, "conv_direct"));
    if (with_weights) {
        CNN_TRY(cnn_op_add_kernel(op, "conv.cl", options, "conv_weights"));
        CNN_TRY(cnn_op_add_kernel(op, "conv.cl", options, "conv_reduce"));
    }
out:
    return status;
}

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The stretches of the batch that have sums of their own, of `floats` each: of large weights fewer, which
 * are cut into enough blocks of channels, and whose sums would be written and read for every few
 * pixels. Part of the order of a sum: the same on devices of a class. */
static int choose_parts(const cnn_op *op, size_t floats)
{
    const size_t enough = (size_t)1 << 20;
    bool on_gpu = op->device->kernel_class == CNN_KERNEL_GPU && !op->device->exact;
    int parts = cnn_op_parts(op->device, PARTS_ON_CPU, PARTS_ON_GPU);
    if (parts > op->batch)
        parts = op->batch;
    if (on_gpu) /* which wants many work-items */
        return parts;
    while (parts > 1 && (size_t)parts * floats > enough)
        parts--;
    return parts;
}

static cnn_status init(cnn_op *op)
{
    conv_op *conv = (conv_op *)op;
    const cnn_layer *layer = op->layers[0];
    cnn_status status = CNN_OK;
    init_direct(&conv->forward, layer, false);
    init_direct(&conv->backward, layer, true);
    CNN_TRY(add_direct(op, &conv->forward, true, true));
    CNN_TRY(add_direct(op, &conv->backward, cnn_op_gives_gradient(op), false));

    int inputs = layer->in.c / layer->options.conv.groups;
    conv->input_blocks = divide_up(inputs, choose_input_block(inputs));
    size_t width = (size_t)conv->forward.blocks * (size_t)conv->forward.block;
    size_t rows = count_taps(layer) * (size_t)inputs + 1;
    conv->parts = choose_parts(op, rows * width);
    conv->partials = (size_t)conv->parts * rows * width;
    size_t packed = conv->forward.packed;
    size_t back = largest(conv->partials, largest(packed, conv->backward.packed));
    op->keeps_input = true;
    op->scratch_bytes = sizeof(float) * (op->evaluates ? packed : back);
    op->prepared_bytes = sizeof(float) * conv->forward.packed;
out:
    return status;
}

/* Negative where there is none. */
static int bias_offset(const cnn_layer *layer)
{
    return layer->options.conv.bias ? (int)layer->params[1].offset : -1;
}

static cnn_status run_direct(cnn_op *op, const cnn_op_memory *memory, const direct *pass,
                             cnn_kernel *pack, cnn_kernel *kernel, cl_mem y, cl_mem x,
                             int bias_offset, int n)
{
    cl_mem parameters = memory->parameters;
    cl_mem packed = pass->transposed ? memory->scratch : memory->prepared;
    int w_offset = (int)op->layers[0]->params[0].offset;
    size_t items = (size_t)n * (size_t)pass->blocks * (size_t)pass->out.h;
    cnn_status status = CNN_OK;
    if (pass->transposed || !memory->is_prepared)
        CNN_TRY(CNN_LAUNCH(pack, cnn_kernel_items(op->device, pass->packed), cnn_arg_mem(packed),
                           cnn_arg_mem(parameters), cnn_arg_int(w_offset)));
    status = CNN_LAUNCH(kernel, items, cnn_arg_mem(y), cnn_arg_mem(x), cnn_op_added(op, memory),
                        cnn_arg_mem(packed), cnn_arg_mem(parameters), cnn_arg_int(bias_offset),
                        cnn_arg_int(n));
out:
    return status;
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const conv_op *conv = (const conv_op *)op;
    return run_direct(op, memory, &conv->forward, &op->kernels[PACK], &op->kernels[DIRECT],
                      memory->output, memory->input, bias_offset(op->layers[0]), pass->n);
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const conv_op *conv = (const conv_op *)op;
    const cnn_layer *layer = op->layers[0];
    size_t items = (size_t)conv->parts * (size_t)conv->forward.blocks * (size_t)conv->input_blocks;
    size_t values = layer->params[0].count + layer->params[1].count;
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[WEIGHTS], items, cnn_arg_mem(memory->scratch),
                       cnn_arg_mem(memory->input), cnn_arg_mem(memory->output_gradient),
                       cnn_arg_int(pass->n), cnn_arg_int(conv->parts)));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], cnn_kernel_items(op->device, values),
                       cnn_arg_mem(memory->gradients), cnn_arg_int((int)layer->params[0].offset),
                       cnn_arg_int(bias_offset(layer)), cnn_arg_mem(memory->scratch),
                       cnn_arg_int(pass->n), cnn_arg_int(conv->parts)));
    if (memory->input_gradient)
        status = run_direct(op, memory, &conv->backward, &op->kernels[PACK_TRANSPOSED],
                            &op->kernels[DIRECT_TRANSPOSED], memory->input_gradient,
                            memory->output_gradient, -1, pass->n);
out:
    return status;
}

const cnn_op_class cnn_conv_op = {"conv", sizeof(conv_op), init, forward, backward, NULL};
