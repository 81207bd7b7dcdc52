/* A convolution of any kind, the batch norm that may stand behind it, and what may stand behind
 * that, a sum and ReLU or ReLU6, in evaluation or frozen: the norm is folded into weights and bias
 * (cl/conv_norm.cl), and the convolution's own op does the rest. */
#include "base/status.h"
#include "plan/fused.h"

enum { CONV, NORM };

typedef struct conv_norm_op {
    cnn_op op;
    cnn_layer conv; /* with its folded values' places in prepared memory, behind the inner op's */
} conv_norm_op;

static const cnn_op_class *find_class(const cnn_op *op, const cnn_layer *layer)
{
    if (op->device->kernel_class == CNN_KERNEL_CPU && cnn_pointwise_suits(layer))
        return &cnn_pointwise_op;
    if (op->device->kernel_class == CNN_KERNEL_CPU && cnn_winograd_conv_suits(layer))
        return &cnn_winograd_conv_op;
    return cnn_op_of_layer(layer);
}

static bool has_norm(const cnn_op *op)
{
    return op->layers[NORM]->kind == CNN_LAYER_BATCHNORM;
}

static cnn_layer fold(const cnn_layer *layer)
{
    cnn_layer folded = *layer;
    folded.options.conv.bias = true;
    folded.params[1].count = (size_t)layer->out.c;
    return folded;
}

static cnn_status create_inner(cnn_op *op, const cnn_layer *conv)
{
    cnn_chain chain = {.layer_count = 1, .layers = {conv}, .evaluates = true};
    for (int i = has_norm(op) ? NORM + 1 : NORM; i < op->layer_count; i++)
        chain.layers[chain.layer_count++] = op->layers[i];
    cnn_status status =
        cnn_op_create(&op->inner, find_class(op, conv), op->device, &chain, op->batch);
    if (status == CNN_OK) {
        op->scratch_bytes = op->inner->scratch_bytes;
        op->prepared_bytes = op->inner->prepared_bytes;
    }
    return status;
}

static cnn_status init(cnn_op *op)
{
    conv_norm_op *block = (conv_norm_op *)op;
    cnn_status status = CNN_OK;
    if (!has_norm(op))
        return create_inner(op, op->layers[CONV]);
    block->conv = fold(op->layers[CONV]);
    CNN_TRY(create_inner(op, &block->conv));
    CNN_TRY(cnn_op_add_kernel(op, "conv_norm.cl", "", "conv_norm_fold"));
    block->conv.params[0].offset = op->inner->prepared_bytes / sizeof(float);
    block->conv.params[1].offset = block->conv.params[0].offset + block->conv.params[0].count;
    op->prepared_bytes =
        (block->conv.params[1].offset + block->conv.params[1].count) * sizeof(float);
out:
    return status;
}

static cnn_arg offset_of(const cnn_layer *layer, int param, bool there)
{
    return cnn_arg_int(there ? (int)layer->params[param].offset : -1);
}

/* Weights and bias, behind what the inner op prepares. */
static cnn_status run_fold(cnn_op *op, const cnn_op_memory *memory)
{
    const conv_norm_op *block = (const conv_norm_op *)op;
    const cnn_layer *conv = op->layers[CONV], *norm = op->layers[NORM];
    bool affine = norm->options.norm.affine;
    int channels = conv->out.c;
    return CNN_LAUNCH(&op->kernels[0], cnn_kernel_items(op->device, (size_t)channels),
                      cnn_arg_mem(memory->prepared), cnn_arg_int((int)block->conv.params[0].offset),
                      cnn_arg_mem(memory->parameters), offset_of(conv, 0, true),
                      offset_of(conv, 1, conv->options.conv.bias), offset_of(norm, 0, affine),
                      offset_of(norm, 1, affine), cnn_arg_mem(memory->statistics),
                      cnn_arg_int((int)norm->statistic_offset),
                      cnn_arg_float((float)norm->options.norm.eps), cnn_arg_int(channels),
                      cnn_arg_int((int)conv->params[0].count / channels));
}

static cnn_status forward(cnn_op *op, const cnn_op_memory *memory, const cnn_pass *pass)
{
    cnn_op_memory inner = *memory;
    cnn_status status = CNN_OK;
    if (has_norm(op)) {
        if (!memory->is_prepared)
            CNN_TRY(run_fold(op, memory));
        inner.parameters = memory->prepared;
    }
    status = op->inner->class->forward(op->inner, &inner, pass);
out:
    return status;
}

static double computed_flops(const cnn_op *op, const cnn_op_work *work)
{
    const cnn_op_class *class = op->inner->class;
    const cnn_layer *conv = op->layers[CONV];
    return class->computed_flops ? class->computed_flops(op->inner, work)
                                 : cnn_layer_get_class(conv->kind)->forward_flops(conv);
}

/* Nothing is trained in these layers or before them: there is nothing to run backward. */
const cnn_op_class cnn_conv_norm_op = {"conv_norm", sizeof(conv_norm_op), init, forward,
                                       NULL,        computed_flops};
