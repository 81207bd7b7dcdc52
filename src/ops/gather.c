#include "ops/gather.h"

#include <stdio.h>

cnn_status cnn_gather_init(cnn_gather *gather, cnn_device *device, cnn_shape shape)
{
    char options[64];
    gather->shape = shape;
    snprintf(options, sizeof options, "-DC=%d -DPLANE=%d", shape.c, shape.h * shape.w);
    return cnn_kernel_init(&gather->kernel, device, "gather.cl", options, "gather");
}

void cnn_gather_finish(cnn_gather *gather)
{
    cnn_kernel_finish(&gather->kernel);
}

cnn_status cnn_gather_run(cnn_gather *gather, cl_mem x, cl_mem labels,
                          const cnn_gather_source *source, uint32_t first, int n)
{
    size_t pixels = (size_t)n * (size_t)gather->shape.h * (size_t)gather->shape.w;
    bool ordered = source->order != NULL;
    /* A kernel argument needs some buffer, even where it is not read. */
    cl_mem order = ordered ? source->order : source->labels;
    return CNN_LAUNCH(&gather->kernel, cnn_kernel_items(gather->kernel.device, pixels),
                      cnn_arg_mem(x), cnn_arg_mem(labels), cnn_arg_mem(source->images),
                      cnn_arg_mem(source->labels), cnn_arg_mem(order), cnn_arg_int(ordered),
                      cnn_arg_uint(first), cnn_arg_int(n));
}
