#include "ops/op.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

static const cnn_op_class *const classes[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = &cnn_conv_op,
    [CNN_LAYER_LINEAR] = &cnn_linear_op,
    [CNN_LAYER_BATCHNORM] = &cnn_batchnorm_op,
    [CNN_LAYER_GROUPNORM] = &cnn_groupnorm_op,
    [CNN_LAYER_RELU] = &cnn_activation_op,
    [CNN_LAYER_RELU6] = &cnn_activation_op,
    [CNN_LAYER_LEAKYRELU] = &cnn_activation_op,
    [CNN_LAYER_SILU] = &cnn_activation_op,
    [CNN_LAYER_GELU] = &cnn_activation_op,
    [CNN_LAYER_HARDSWISH] = &cnn_activation_op,
    [CNN_LAYER_SIGMOID] = &cnn_activation_op,
    [CNN_LAYER_TANH] = &cnn_activation_op,
    [CNN_LAYER_SCALE] = &cnn_activation_op,
    [CNN_LAYER_MAXPOOL] = &cnn_maxpool_op,
    [CNN_LAYER_AVGPOOL] = &cnn_avgpool_op,
    [CNN_LAYER_ADAPTIVEAVGPOOL] = &cnn_adaptiveavgpool_op,
    [CNN_LAYER_DROPOUT] = &cnn_dropout_op,
    [CNN_LAYER_DROPOUT2D] = &cnn_dropout2d_op,
    [CNN_LAYER_FLATTEN] = &cnn_flatten_op,
    [CNN_LAYER_ADD] = &cnn_add_op,
    [CNN_LAYER_CONCAT] = &cnn_concat_op,
    [CNN_LAYER_MUL] = &cnn_mul_op,
};

const cnn_op_class *cnn_op_of_layer(const cnn_layer *layer)
{
    if (layer->kind == CNN_LAYER_CONV && cnn_depthwise_suits(layer))
        return &cnn_depthwise_op;
    return classes[layer->kind];
}

cnn_status cnn_op_create(cnn_op **op, const cnn_op_class *class, cnn_device *device,
                         const cnn_chain *chain, int batch)
{
    cnn_op *result = NULL;
    cnn_status status = CNN_OK;
    *op = NULL;
    CNN_TRY(cnn_allocate(&result, 1, class->size, "an operation"));
    result->class = class;
    result->device = device;
    result->batch = batch;
    result->wants_gradient = chain->wants_gradient;
    result->frozen = chain->frozen;
    result->evaluates = chain->evaluates;
    result->layer_count = chain->layer_count;
    for (int i = 0; i < chain->layer_count; i++)
        result->layers[i] = chain->layers[i];
    CNN_TRY(class->init(result));
    *op = result;
    return CNN_OK;
out:
    cnn_op_destroy(result);
    return status;
}

void cnn_op_destroy(cnn_op *op)
{
    if (!op)
        return;
    cnn_op_destroy(op->inner);
    for (int i = 0; i < op->kernel_count; i++)
        cnn_kernel_finish(&op->kernels[i]);
    free(op);
}

cnn_status cnn_op_add_kernel(cnn_op *op, const char *file, const char *options, const char *name)
{
    cnn_status status =
        cnn_kernel_init(&op->kernels[op->kernel_count], op->device, file, options, name);
    if (status == CNN_OK)
        op->kernel_count++;
    return status;
}

cnn_status cnn_op_add_kernel_if(cnn_op *op, bool needed, const char *file, const char *options,
                                const char *name)
{
    if (needed)
        return cnn_op_add_kernel(op, file, options, name);
    op->kernels[op->kernel_count++] = (cnn_kernel){0};
    return CNN_OK;
}

int cnn_op_parts(const cnn_device *device, int on_cpu, int on_gpu)
{
    return device->exact || device->kernel_class == CNN_KERNEL_CPU ? on_cpu : on_gpu;
}

static bool adds(const cnn_op *op)
{
    return op->layer_count > 1 && op->layers[1]->kind == CNN_LAYER_ADD;
}

void cnn_op_format_epilogue(char options[CNN_EPILOGUE_SIZE], const cnn_op *op)
{
    cnn_layer_kind last = cnn_op_last_layer(op)->kind;
    int function = last == CNN_LAYER_RELU ? 1 : last == CNN_LAYER_RELU6 ? 2 : 0;
    options[0] = '\0';
    if (op->layer_count > 1)
        snprintf(options, CNN_EPILOGUE_SIZE, " -DADD=%d -DFUNCTION=%d", adds(op), function);
}

cnn_arg cnn_op_added(const cnn_op *op, const cnn_op_memory *memory)
{
    return cnn_arg_mem(adds(op) ? memory->inputs[1] : memory->input);
}

size_t cnn_op_input_count(const cnn_op *op)
{
    return (size_t)op->batch * cnn_shape_count(op->layers[0]->in);
}

size_t cnn_op_output_count(const cnn_op *op)
{
    return (size_t)op->batch * cnn_shape_count(cnn_op_last_layer(op)->out);
}
