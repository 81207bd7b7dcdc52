#include "plan/norm_launch.h"

static cnn_arg offset_of(const cnn_layer *layer, int param)
{
    return cnn_arg_int((int)layer->params[param].offset);
}

cnn_status cnn_norm_merge(const cnn_op *op, const cnn_op_memory *memory, cnn_kernel *kernel,
                          const cnn_layer *norm, int n, int items)
{
    cnn_arg plane = cnn_arg_int(norm->in.h * norm->in.w); /* a work-item has whole samples */
    return CNN_LAUNCH(kernel, cnn_kernel_items(op->device, (size_t)norm->in.c),
                      cnn_arg_mem(memory->saved), cnn_arg_mem(memory->statistics),
                      cnn_arg_int((int)norm->statistic_offset), cnn_arg_mem(memory->scratch),
                      cnn_arg_float((float)norm->options.norm.eps),
                      cnn_arg_float((float)norm->options.norm.momentum), cnn_arg_int(norm->in.c),
                      plane, plane, cnn_arg_int(n), cnn_arg_int(items));
}

cnn_status cnn_norm_fold(const cnn_op *op, const cnn_op_memory *memory, cnn_kernel *kernel,
                         const cnn_layer *conv, const cnn_layer *norm, size_t count,
                         size_t folded_bias)
{
    return CNN_LAUNCH(
        kernel, cnn_kernel_items(op->device, count), cnn_arg_mem(memory->prepared),
        cnn_arg_int((int)folded_bias), cnn_arg_mem(memory->parameters), offset_of(conv, 0),
        offset_of(conv, 1), offset_of(norm, 0), offset_of(norm, 1), cnn_arg_mem(memory->statistics),
        cnn_arg_int((int)norm->statistic_offset), cnn_arg_float((float)norm->options.norm.eps));
}
