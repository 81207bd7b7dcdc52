/* The activations and Scale on the device: cl/activation.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/op.h"

enum { FORWARD, BACKWARD };

/* What backward reads. */
typedef enum reads { NOTHING, OUTPUT, INPUT } reads;

static const struct function {
    const char *name; /* of cl/activation.cl */
    reads reads;
} functions[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_RELU] = {"RELU", OUTPUT},          [CNN_LAYER_RELU6] = {"RELU6", OUTPUT},
    [CNN_LAYER_LEAKYRELU] = {"LEAKYRELU", INPUT}, [CNN_LAYER_SILU] = {"SILU", INPUT},
    [CNN_LAYER_GELU] = {"GELU", INPUT},           [CNN_LAYER_HARDSWISH] = {"HARDSWISH", INPUT},
    [CNN_LAYER_SIGMOID] = {"SIGMOID", OUTPUT},    [CNN_LAYER_TANH] = {"TANH", OUTPUT},
    [CNN_LAYER_SCALE] = {"SCALE", NOTHING},
};

static cnn_arg parameter_of(const cnn_op *op)
{
    const cnn_layer *layer = op->layers[0];
    if (layer->kind == CNN_LAYER_LEAKYRELU)
        return cnn_arg_float((float)layer->options.activation.slope);
    return cnn_arg_float(layer->kind == CNN_LAYER_SCALE ? (float)layer->options.scale.factor
                                                        : 0.0f);
}

/* Values of a sample. */
static cnn_arg size_of(const cnn_op *op)
{
    return cnn_arg_uint((cl_uint)cnn_shape_count(op->layers[0]->in));
}

static cnn_status init(cnn_op *op)
{
    const cnn_layer *layer = op->layers[0];
    const struct function *function = &functions[layer->kind];
    bool tanh = layer->kind == CNN_LAYER_GELU && layer->options.gelu.tanh;
    char options[64];
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DFUNCTION=%s%s", function->name, tanh ? "_TANH" : "");
    CNN_TRY(cnn_op_add_kernel(op, "activation.cl", options, "activation_forward"));
    CNN_TRY(cnn_op_add_kernel(op, "activation.cl", options, "activation_backward"));
    op->in_place = function->reads != INPUT;
    op->keeps_input = function->reads == INPUT;
    op->keeps_output = function->reads == OUTPUT;
out:
    return status;
}

static size_t items(const cnn_op *op, const cnn_pass *pass)
{
    return cnn_kernel_items(op->device, (size_t)pass->n * cnn_shape_count(op->layers[0]->in));
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    return CNN_LAUNCH(&op->kernels[FORWARD], items(op, pass), cnn_arg_mem(memory->output),
                      cnn_arg_mem(memory->input), parameter_of(op), size_of(op),
                      cnn_arg_int(pass->n));
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    if (!memory->input_gradient)
        return CNN_OK;
    /* A kernel argument needs some buffer, even where it is not read. */
    cl_mem kept = op->keeps_input    ? memory->input
                  : op->keeps_output ? memory->output
                                     : memory->output_gradient;
    return CNN_LAUNCH(&op->kernels[BACKWARD], items(op, pass), cnn_arg_mem(memory->input_gradient),
                      cnn_arg_mem(memory->output_gradient), cnn_arg_mem(kept), parameter_of(op),
                      size_of(op), cnn_arg_int(pass->n));
}

const cnn_op_class cnn_activation_op = {"activation", sizeof(cnn_op), init,
                                        forward,      backward,       NULL};
