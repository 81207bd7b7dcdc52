#include "ops/op.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

static const cnn_op_class *const classes[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = &cnn_conv_op,       [CNN_LAYER_BATCHNORM] = &cnn_batchnorm_op,
    [CNN_LAYER_RELU] = &cnn_relu_op,       [CNN_LAYER_MAXPOOL] = &cnn_maxpool_op,
    [CNN_LAYER_DROPOUT] = &cnn_dropout_op, [CNN_LAYER_FLATTEN] = &cnn_flatten_op,
    [CNN_LAYER_LINEAR] = &cnn_linear_op,
};

const cnn_op_class *cnn_op_of_layer(cnn_layer_kind kind)
{
    return classes[kind];
}

cnn_status cnn_op_create(cnn_op **op, const cnn_op_class *class, cnn_device *device,
                         const cnn_layer *layers, int layer_count, int batch)
{
    cnn_op *result = NULL;
    cnn_status status = CNN_OK;
    *op = NULL;
    CNN_TRY(cnn_allocate(&result, 1, class->size, "an operation"));
    result->class = class;
    result->device = device;
    result->batch = batch;
    result->layer_count = layer_count;
    for (int i = 0; i < layer_count; i++)
        result->layers[i] = &layers[i];
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

size_t cnn_op_input_count(const cnn_op *op)
{
    return (size_t)op->batch * cnn_shape_count(op->layers[0]->in);
}

size_t cnn_op_output_count(const cnn_op *op)
{
    return (size_t)op->batch * cnn_shape_count(cnn_op_last_layer(op)->out);
}
