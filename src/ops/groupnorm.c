/* GroupNorm on the device: cl/groupnorm.cl. */
#include <stdio.h>

#include "base/status.h"
#include "ops/op.h"

enum { MOMENTS, APPLY, SUMS, REDUCE, GROUPS, INPUT };

static size_t channel_sums_count(const cnn_op *op)
{
    return 2 * (size_t)op->batch * (size_t)op->layers[0]->in.c;
}

static cnn_status init(cnn_op *op)
{
    static const char *const names[] = {
        [MOMENTS] = "groupnorm_moments", [APPLY] = "groupnorm_apply",
        [SUMS] = "groupnorm_sums",       [REDUCE] = "groupnorm_reduce",
        [GROUPS] = "groupnorm_groups",   [INPUT] = "groupnorm_input"};
    const cnn_layer *layer = op->layers[0];
    int groups = layer->options.norm.groups;
    char options[96];
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DC=%d -DPLANE=%d -DGROUPS=%d -DAFFINE=%d", layer->in.c,
             layer->in.h * layer->in.w, groups, layer->options.norm.affine);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        CNN_TRY(cnn_op_add_kernel(op, "groupnorm.cl", options, names[i]));
    op->keeps_input = true;
    /* Mean and inverse deviation of each group, then the sums of backward over each group. */
    op->saved_bytes = 4 * (size_t)op->batch * (size_t)groups * sizeof(float);
    op->scratch_bytes = channel_sums_count(op) * sizeof(float);
out:
    return status;
}

static size_t group_items(const cnn_op *op, const cnn_pass *pass)
{
    return cnn_kernel_items(op->device,
                            (size_t)pass->n * (size_t)op->layers[0]->options.norm.groups);
}

static size_t pixel_items(const cnn_op *op, const cnn_pass *pass)
{
    cnn_shape in = op->layers[0]->in;
    return cnn_kernel_items(op->device, (size_t)pass->n * (size_t)in.h * (size_t)in.w);
}

static cnn_arg offset_of(const cnn_op *op, int param)
{
    return cnn_arg_int((int)op->layers[0]->params[param].offset);
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    float epsilon = (float)op->layers[0]->options.norm.eps;
    cnn_status status =
        CNN_LAUNCH(&op->kernels[MOMENTS], group_items(op, pass), cnn_arg_mem(memory->saved),
                   cnn_arg_mem(memory->input), cnn_arg_float(epsilon), cnn_arg_int(pass->n));
    if (status != CNN_OK)
        return status;
    return CNN_LAUNCH(&op->kernels[APPLY], pixel_items(op, pass), cnn_arg_mem(memory->output),
                      cnn_arg_mem(memory->input), cnn_arg_mem(memory->saved),
                      cnn_arg_mem(memory->parameters), offset_of(op, 0), offset_of(op, 1),
                      cnn_arg_int(pass->n));
}

static cnn_status backward_input(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    cnn_arg n = cnn_arg_int(pass->n), parameters = cnn_arg_mem(memory->parameters);
    cnn_status status =
        CNN_LAUNCH(&op->kernels[GROUPS], group_items(op, pass), cnn_arg_mem(memory->saved),
                   cnn_arg_mem(memory->scratch), parameters, offset_of(op, 0), n);
    if (status != CNN_OK)
        return status;
    return CNN_LAUNCH(&op->kernels[INPUT], pixel_items(op, pass),
                      cnn_arg_mem(memory->input_gradient), cnn_arg_mem(memory->output_gradient),
                      cnn_arg_mem(memory->input), cnn_arg_mem(memory->saved), parameters,
                      offset_of(op, 0), n);
}

static cnn_status backward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    const cnn_layer *layer = op->layers[0];
    size_t sums = (size_t)pass->n * (size_t)layer->in.c;
    cnn_arg n = cnn_arg_int(pass->n);
    cnn_status status = CNN_OK;
    CNN_TRY(CNN_LAUNCH(&op->kernels[SUMS], cnn_kernel_items(op->device, sums),
                       cnn_arg_mem(memory->scratch), cnn_arg_mem(memory->output_gradient),
                       cnn_arg_mem(memory->input), cnn_arg_mem(memory->saved), n));
    if (layer->options.norm.affine)
        CNN_TRY(CNN_LAUNCH(&op->kernels[REDUCE], cnn_kernel_items(op->device, (size_t)layer->in.c),
                           cnn_arg_mem(memory->gradients), offset_of(op, 0), offset_of(op, 1),
                           cnn_arg_mem(memory->scratch), n));
    if (memory->input_gradient)
        status = backward_input(op, memory, pass);
out:
    return status;
}

const cnn_op_class cnn_groupnorm_op = {"groupnorm", sizeof(cnn_op), init, forward, backward, NULL};
