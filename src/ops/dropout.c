/* Dropout2d and Dropout on the device: cl/dropout.cl. Dropout2d's scales are drawn in forward and
 * read in backward of the same step; they are never kept beyond it. */
#include "base/philox.h"
#include "base/status.h"
#include "ocl/buffer.h"
#include "ops/masks.h"
#include "ops/op.h"

enum { SCALES, APPLY };

size_t cnn_masks_bytes(const cnn_layer *layer, int batch)
{
    return layer ? (size_t)batch * (size_t)layer->in.c * sizeof(float) : 0;
}

cnn_status cnn_masks_add_kernel(cnn_op *op)
{
    return cnn_op_add_kernel(op, "dropout.cl", "", "dropout_scales");
}

cnn_status cnn_masks_draw(cnn_kernel *kernel, cl_mem scales, const cnn_layer *layer,
                          const cnn_pass *pass)
{
    size_t begin = (size_t)pass->before * (size_t)layer->in.c;
    size_t end = begin + (size_t)pass->n * (size_t)layer->in.c;
    size_t blocks = (end + CNN_PHILOX_LANES - 1) / CNN_PHILOX_LANES - begin / CNN_PHILOX_LANES;
    cl_uint stream_layer = (cl_uint)CNN_STREAM_DROPOUT << 16 | (cl_uint)layer->index;
    return CNN_LAUNCH(kernel, cnn_kernel_items(kernel->device, blocks), cnn_arg_mem(scales),
                      cnn_arg_uint(cnn_dropout_threshold(layer->options.dropout.p)),
                      cnn_arg_float((float)(1.0 / (1.0 - layer->options.dropout.p))),
                      cnn_arg_uint((cl_uint)pass->seed), cnn_arg_uint((cl_uint)(pass->seed >> 32)),
                      cnn_arg_uint(stream_layer), cnn_arg_uint((cl_uint)pass->step),
                      cnn_arg_uint((cl_uint)(pass->step >> 32)), cnn_arg_int(pass->before),
                      cnn_arg_int(layer->in.c), cnn_arg_int(pass->n));
}

cnn_mask_args cnn_masks_arguments(const cnn_op_memory *memory, const cnn_layer *layer,
                                  const cnn_pass *pass)
{
    double p = cnn_masks_dropped(layer);
    bool output = pass->training && p > 0.0, input = pass->training && memory->input_masks;
    cl_mem unread = memory->masks ? memory->masks : memory->scratch;
    return (cnn_mask_args){
        .input_scales = cnn_arg_mem(input ? memory->input_masks : unread),
        .input_masked = cnn_arg_int(input + (input && memory->input_packed)),
        .output_scales = cnn_arg_mem(output ? memory->masks : unread),
        .output_masked = cnn_arg_int(output + (output && memory->output_packed)),
        .scale = cnn_arg_float(output ? (float)(1.0 / (1.0 - p)) : 1.0f),
    };
}

static cnn_status init(cnn_op *op)
{
    const cnn_layer *layer = op->layers[0];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_masks_add_kernel(op));
    CNN_TRY(cnn_op_add_kernel(op, "dropout.cl", "", "dropout_apply"));
    op->in_place = true;
    op->mask_bytes = cnn_masks_bytes(layer, op->batch);
out:
    return status;
}

static cnn_status apply(cnn_op *op, const cnn_op_memory *memory, cl_mem y, cl_mem x,
                        const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    size_t pixels = (size_t)pass->n * (size_t)layer->in.h * (size_t)layer->in.w;
    return CNN_LAUNCH(&op->kernels[APPLY], cnn_kernel_items(op->device, pixels), cnn_arg_mem(y),
                      cnn_arg_mem(x), cnn_arg_mem(memory->masks), cnn_arg_int(layer->in.c),
                      cnn_arg_int(layer->in.h * layer->in.w), cnn_arg_int(pass->n));
}

/* Evaluation, and p = 0, are the identity; in place there is nothing to do for it. */
static bool is_identity(const cnn_op *op, const cnn_pass *pass)
{
    return !pass->training || op->layers[0]->options.dropout.p == 0.0;
}

static cnn_status copy(cnn_op *op, cl_mem y, cl_mem x, const cnn_pass *pass)
{
    if (y == x)
        return CNN_OK;
    size_t bytes = (size_t)pass->n * cnn_shape_count(op->layers[0]->in) * sizeof(float);
    return cnn_buffer_enqueue_copy(op->device, y, x, bytes);
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (is_identity(op, pass))
        return copy(op, memory->output, memory->input, pass);
    cnn_status status = cnn_masks_draw(&op->kernels[SCALES], memory->masks, op->layers[0], pass);
    if (status != CNN_OK)
        return status;
    return apply(op, memory, memory->output, memory->input, pass);
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    if (is_identity(op, pass))
        return copy(op, memory->input_gradient, memory->output_gradient, pass);
    return apply(op, memory, memory->input_gradient, memory->output_gradient, pass);
}

static cnn_status init_values(cnn_op *op)
{
    op->in_place = true;
    return cnn_op_add_kernel(op, "dropout.cl", "", "dropout_values");
}

static cnn_status drop_values(cnn_op *op, cl_mem y, cl_mem x, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    double p = layer->options.dropout.p;
    size_t blocks = ((size_t)pass->n * cnn_shape_count(layer->in)) / CNN_PHILOX_LANES + 2;
    cl_uint stream_layer = (cl_uint)CNN_STREAM_DROPOUT << 16 | (cl_uint)layer->index;
    if (is_identity(op, pass))
        return copy(op, y, x, pass);
    return CNN_LAUNCH(&op->kernels[0], cnn_kernel_items(op->device, blocks), cnn_arg_mem(y),
                      cnn_arg_mem(x), cnn_arg_uint(cnn_dropout_threshold(p)),
                      cnn_arg_float((float)(1.0 / (1.0 - p))), cnn_arg_uint((cl_uint)pass->seed),
                      cnn_arg_uint((cl_uint)(pass->seed >> 32)), cnn_arg_uint(stream_layer),
                      cnn_arg_uint((cl_uint)pass->step), cnn_arg_uint((cl_uint)(pass->step >> 32)),
                      cnn_arg_int(pass->before), cnn_arg_uint((cl_uint)cnn_shape_count(layer->in)),
                      cnn_arg_int(pass->n));
}

static cnn_status values_forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    return drop_values(op, memory->output, memory->input, pass);
}

static cnn_status values_backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    return drop_values(op, memory->input_gradient, memory->output_gradient, pass);
}

const cnn_op_class cnn_dropout_op = {"dropout",      sizeof(cnn_op),  init_values,
                                     values_forward, values_backward, NULL};
const cnn_op_class cnn_dropout2d_op = {"dropout2d", sizeof(cnn_op), init, forward, backward, NULL};
