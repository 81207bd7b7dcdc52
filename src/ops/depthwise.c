/* Conv2d with as many groups as channels in and out on the device: cl/depthwise.cl. */
#include <stdio.h>

#include "base/size.h"
#include "base/status.h"
#include "ops/op.h"

enum { PACK, FORWARD, INPUT, WEIGHTS, REDUCE };

enum { PARTS_ON_CPU = 16, PARTS_ON_GPU = 256, LANES_ON_CPU = 16, LANES_ON_GPU = 8 };

typedef struct depthwise_op {
    cnn_op op;
    int parts; /* stretches of the batch's rows in the weights' gradient */
} depthwise_op;

static size_t count_taps(const cnn_layer *layer)
{
    return (size_t)layer->options.conv.kernel[0] * (size_t)layer->options.conv.kernel[1];
}

bool cnn_depthwise_suits(const cnn_layer *layer)
{
    enum { MOST_TAPS = 49 }; /* which stay in registers, or near them */
    const cnn_conv_options *conv = &layer->options.conv;
    return conv->groups > 1 && conv->groups == layer->in.c && conv->groups == layer->out.c &&
           count_taps(layer) <= MOST_TAPS;
}

static bool on_cpu(const cnn_op *op)
{
    return op->device->kernel_class == CNN_KERNEL_CPU;
}

static cnn_status init(cnn_op *op)
{
    static const char *const names[] = {[PACK] = "depthwise_pack",
                                        [FORWARD] = "depthwise_forward",
                                        [INPUT] = "depthwise_input",
                                        [WEIGHTS] = "depthwise_weights",
                                        [REDUCE] = "depthwise_reduce"};
    depthwise_op *depthwise = (depthwise_op *)op;
    const cnn_layer *layer = op->layers[0];
    const cnn_conv_options *conv = &layer->options.conv;
    cnn_shape in = layer->in, out = layer->out;
    size_t taps = count_taps(layer), channels = (size_t)in.c;
    char options[256], epilogue[CNN_EPILOGUE_SIZE];
    cnn_status status = CNN_OK;
    cnn_op_format_epilogue(epilogue, op);
    snprintf(options, sizeof options,
             "-DC=%d -DIH=%d -DIW=%d -DOH=%d -DOW=%d -DKH=%d -DKW=%d -DSH=%d -DSW=%d -DDH=%d "
             "-DDW=%d -DPT=%d -DPL=%d%s",
             in.c, in.h, in.w, out.h, out.w, conv->kernel[0], conv->kernel[1], conv->stride[0],
             conv->stride[1], conv->dilation[0], conv->dilation[1], conv->padding[0],
             conv->padding[1], epilogue);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CNN_TRY(cnn_op_add_kernel(op, "depthwise.cl", options, names[i]));
    depthwise->parts = cnn_op_parts(op->device, PARTS_ON_CPU, PARTS_ON_GPU);
    op->keeps_input = true;
    op->scratch_bytes = (size_t)depthwise->parts * (taps + 1) * channels * sizeof(float);
    op->prepared_bytes = taps * channels * sizeof(float);
out:
    return status;
}

static cnn_arg bias_offset(const cnn_layer *layer)
{
    return cnn_arg_int(layer->options.conv.bias ? (int)layer->params[1].offset : -1);
}

static cnn_status pack(cnn_op *op, const cnn_op_memory *memory, cl_mem packed)
{
    const cnn_layer *layer = op->layers[0];
    size_t count = count_taps(layer) * (size_t)layer->in.c;
    return CNN_LAUNCH(&op->kernels[PACK], cnn_kernel_items(op->device, count), cnn_arg_mem(packed),
                      cnn_arg_mem(memory->parameters), cnn_arg_int((int)layer->params[0].offset));
}

/* Work-items: vectors of channels of each row. */
static size_t items(const cnn_op *op, size_t rows)
{
    size_t lanes = on_cpu(op) ? LANES_ON_CPU : LANES_ON_GPU;
    return rows * cnn_divide_up((size_t)op->layers[0]->in.c, lanes);
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    cnn_status status = CNN_OK;
    if (!memory->is_prepared)
        CNN_TRY(pack(op, memory, memory->prepared));
    status = CNN_LAUNCH(&op->kernels[FORWARD], items(op, (size_t)pass->n * (size_t)layer->out.h),
                        cnn_arg_mem(memory->output), cnn_arg_mem(memory->input),
                        cnn_op_added(op, memory), cnn_arg_mem(memory->prepared),
                        cnn_arg_mem(memory->parameters), bias_offset(layer), cnn_arg_int(pass->n));
out:
    return status;
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const depthwise_op *depthwise = (const depthwise_op *)op;
    const cnn_layer *layer = op->layers[0];
    cnn_arg parts = cnn_arg_int(depthwise->parts), n = cnn_arg_int(pass->n);
    size_t values = (count_taps(layer) + 1) * (size_t)layer->in.c;
    size_t sums = on_cpu(op) ? (size_t)depthwise->parts : items(op, (size_t)depthwise->parts);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[WEIGHTS], sums, cnn_arg_mem(memory->scratch),
                       cnn_arg_mem(memory->input), cnn_arg_mem(memory->output_gradient), n, parts));
    CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], cnn_kernel_items(op->device, values),
                       cnn_arg_mem(memory->gradients), cnn_arg_int((int)layer->params[0].offset),
                       bias_offset(layer), cnn_arg_mem(memory->scratch), parts));
    if (!memory->input_gradient)
        return CNN_OK;
    CNN_TRY(pack(op, memory, memory->scratch));
    status = CNN_LAUNCH(&op->kernels[INPUT], items(op, (size_t)pass->n * (size_t)layer->in.h),
                        cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                        cnn_arg_mem(memory->scratch), n);
out:
    return status;
}

const cnn_op_class cnn_depthwise_op = {"depthwise", sizeof(depthwise_op), init, forward, backward,
                                       NULL};
