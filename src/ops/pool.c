/* MaxPool2d, AvgPool2d and AdaptiveAvgPool2d on the device: cl/pool.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/op.h"

enum { FORWARD, BACKWARD };

enum { OPTIONS_SIZE = 256 };

static void format_options(char options[OPTIONS_SIZE], const cnn_layer *layer)
{
    const cnn_pool_options *pool = &layer->options.pool;
    options[0] = '\0';
    if (layer->kind == CNN_LAYER_ADAPTIVEAVGPOOL)
        return;
    snprintf(options, OPTIONS_SIZE,
             "-DKH=%d -DKW=%d -DSH=%d -DSW=%d -DDH=%d -DDW=%d -DPT=%d -DPL=%d -DPB=%d -DPR=%d "
             "-DCOUNT_PADDING=%d",
             pool->kernel[0], pool->kernel[1], pool->stride[0], pool->stride[1], pool->dilation[0],
             pool->dilation[1], pool->padding[0], pool->padding[1], pool->padding[2],
             pool->padding[3], pool->count_include_pad);
}

static cnn_status add_kernels(cnn_op *op, const char *forward, const char *backward)
{
    char options[OPTIONS_SIZE];
    cnn_status status = CNN_OK;
    format_options(options, op->layers[0]);
    CNN_TRY(cnn_op_add_kernel(op, "pool.cl", options, forward));
    status = cnn_op_add_kernel(op, "pool.cl", options, backward);
out:
    return status;
}

/* A byte says where most windows' largest value stands; tap_t of the kernel. */
static cnn_status init_max(cnn_op *op)
{
    const int *kernel = op->layers[0]->options.pool.kernel;
    bool small = (int64_t)kernel[0] * kernel[1] < 256;
    op->saved_bytes = cnn_op_output_count(op) * (small ? sizeof(cl_uchar) : sizeof(cl_uint));
    return add_kernels(op, "maxpool_forward", "maxpool_backward");
}

static cnn_status init_average(cnn_op *op)
{
    return add_kernels(op, "avgpool_forward", "avgpool_backward");
}

static cnn_status init_adaptive(cnn_op *op)
{
    return add_kernels(op, "adaptive_forward", "adaptive_backward");
}

static size_t items(const cnn_op *op, const cnn_pass *pass, cnn_shape plane)
{
    return cnn_kernel_items(op->device, (size_t)pass->n * (size_t)plane.h * (size_t)plane.w);
}

/* The kernels' arguments before the last. */
#define SIZES_OF(op)                                                                               \
    cnn_arg_int((op)->layers[0]->in.c), cnn_arg_int((op)->layers[0]->in.h),                        \
        cnn_arg_int((op)->layers[0]->in.w), cnn_arg_int((op)->layers[0]->out.h),                   \
        cnn_arg_int((op)->layers[0]->out.w)

static cnn_status max_forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    return CNN_LAUNCH(&op->kernels[FORWARD], items(op, pass, op->layers[0]->out),
                      cnn_arg_mem(memory->output), cnn_arg_mem(memory->saved),
                      cnn_arg_mem(memory->input), SIZES_OF(op), cnn_arg_int(pass->n));
}

static cnn_status max_backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    return CNN_LAUNCH(&op->kernels[BACKWARD], items(op, pass, op->layers[0]->in),
                      cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                      cnn_arg_mem(memory->saved), SIZES_OF(op), cnn_arg_int(pass->n));
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    return CNN_LAUNCH(&op->kernels[FORWARD], items(op, pass, op->layers[0]->out),
                      cnn_arg_mem(memory->output), cnn_arg_mem(memory->input), SIZES_OF(op),
                      cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    return CNN_LAUNCH(&op->kernels[BACKWARD], items(op, pass, op->layers[0]->in),
                      cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                      SIZES_OF(op), cnn_arg_int(pass->n));
}

const cnn_op_class cnn_maxpool_op = {"maxpool",   sizeof(cnn_op), init_max,
                                     max_forward, max_backward,   NULL};
const cnn_op_class cnn_avgpool_op = {"avgpool", sizeof(cnn_op), init_average,
                                     forward,   backward,       NULL};
const cnn_op_class cnn_adaptiveavgpool_op = {"adaptiveavgpool", sizeof(cnn_op), init_adaptive,
                                             forward,           backward,       NULL};
