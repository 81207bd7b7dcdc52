/* Add, Mul and Concat on the device: cl/join.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ocl/buffer.h"
#include "ops/op.h"

static size_t pixels(const cnn_op *op, const cnn_pass *pass)
{
    cnn_shape out = op->layers[0]->out;
    return (size_t)pass->n * (size_t)out.h * (size_t)out.w;
}

static cnn_status init_add(cnn_op *op)
{
    op->in_place = op->passes_gradient = true;
    return cnn_op_add_kernel(op, "join.cl", "", "join_sum");
}

static cnn_status add_forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    size_t count = (size_t)pass->n * cnn_shape_count(op->layers[0]->out);
    return CNN_LAUNCH(&op->kernels[0], cnn_kernel_items(op->device, count),
                      cnn_arg_mem(memory->output), cnn_arg_mem(memory->inputs[0]),
                      cnn_arg_mem(memory->inputs[1]), cnn_arg_uint((cl_uint)count));
}

/* Each input's gradient is the output's, and mostly the same memory. */
static cnn_status add_backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    size_t bytes = (size_t)pass->n * cnn_shape_count(op->layers[0]->out) * sizeof(float);
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < op->layers[0]->input_count; i++) {
        cl_mem gradient = memory->input_gradients[i];
        if (gradient && gradient != memory->output_gradient)
            status = cnn_buffer_enqueue_copy(op->device, gradient, memory->output_gradient, bytes);
    }
    return status;
}

enum { PRODUCT, GRADIENT_OF_A, GRADIENT_OF_B };

static int plane_of(const cnn_layer *layer, int input)
{
    cnn_shape shape = cnn_layer_input(layer, input);
    return shape.h * shape.w;
}

static cnn_status init_mul(cnn_op *op)
{
    const cnn_layer *layer = op->layers[0];
    static const char *const names[] = {"join_product", "join_product_gradient",
                                        "join_product_gradient"};
    cnn_status status = CNN_OK;
    for (int i = PRODUCT; status == CNN_OK && i <= GRADIENT_OF_B; i++) {
        int first = i == GRADIENT_OF_B; /* the roles are swapped */
        char options[96];
        snprintf(options, sizeof options, "-DC=%d -DPLANE=%d -DA_PLANE=%d -DB_PLANE=%d",
                 layer->out.c, layer->out.h * layer->out.w, plane_of(layer, first),
                 plane_of(layer, !first));
        status = cnn_op_add_kernel(op, "join.cl", options, names[i]);
    }
    op->keeps_input = true;
    return status;
}

static cnn_status mul_forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    return CNN_LAUNCH(&op->kernels[PRODUCT], cnn_kernel_items(op->device, pixels(op, pass)),
                      cnn_arg_mem(memory->output), cnn_arg_mem(memory->inputs[0]),
                      cnn_arg_mem(memory->inputs[1]), cnn_arg_int(pass->n));
}

static cnn_status mul_backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < 2; i++)
        if (memory->input_gradients[i])
            status = CNN_LAUNCH(
                &op->kernels[GRADIENT_OF_A + i], cnn_kernel_items(op->device, pixels(op, pass)),
                cnn_arg_mem(memory->input_gradients[i]), cnn_arg_mem(memory->output_gradient),
                cnn_arg_mem(memory->inputs[1 - i]), cnn_arg_int(pass->n));
    return status;
}

enum { PUT, TAKE };

static cnn_status init_concat(cnn_op *op)
{
    cnn_shape out = op->layers[0]->out;
    char options[64];
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DC=%d -DPLANE=%d", out.c, out.h * out.w);
    CNN_TRY(cnn_op_add_kernel(op, "join.cl", options, "join_put"));
    status = cnn_op_add_kernel(op, "join.cl", options, "join_take");
out:
    return status;
}

static cnn_status concat_forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    cnn_status status = CNN_OK;
    for (int i = 0, first = 0; status == CNN_OK && i < layer->input_count; i++) {
        int count = cnn_layer_input(layer, i).c;
        status = CNN_LAUNCH(&op->kernels[PUT], cnn_kernel_items(op->device, pixels(op, pass)),
                            cnn_arg_mem(memory->output), cnn_arg_mem(memory->inputs[i]),
                            cnn_arg_int(first), cnn_arg_int(count), cnn_arg_int(pass->n));
        first += count;
    }
    return status;
}

static cnn_status concat_backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    cnn_status status = CNN_OK;
    for (int i = 0, first = 0; status == CNN_OK && i < layer->input_count; i++) {
        int count = cnn_layer_input(layer, i).c;
        if (memory->input_gradients[i])
            status = CNN_LAUNCH(&op->kernels[TAKE], cnn_kernel_items(op->device, pixels(op, pass)),
                                cnn_arg_mem(memory->input_gradients[i]),
                                cnn_arg_mem(memory->output_gradient), cnn_arg_int(first),
                                cnn_arg_int(count), cnn_arg_int(pass->n));
        first += count;
    }
    return status;
}

const cnn_op_class cnn_add_op = {"add", sizeof(cnn_op), init_add, add_forward, add_backward, NULL};
const cnn_op_class cnn_mul_op = {"mul", sizeof(cnn_op), init_mul, mul_forward, mul_backward, NULL};
const cnn_op_class cnn_concat_op = {"concat",       sizeof(cnn_op),  init_concat,
                                    concat_forward, concat_backward, NULL};
