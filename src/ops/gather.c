#include "ops/gather.h"

#include "base/status.h"

static cnn_status init_kernel(cnn_gather *gather, cnn_device *device, const char *options)
{
    return cnn_kernel_init(&gather->kernel, device, "gather.cl", options, "gather");
}

cnn_status cnn_gather_init(cnn_gather *gather, cnn_device *device, cnn_shape shape)
{
    *gather = (cnn_gather){.shape = shape};
    return init_kernel(gather, device, "");
}

cnn_status cnn_gather_init_rows(cnn_gather *gather, cnn_device *device, size_t row)
{
    *gather = (cnn_gather){.row = row};
    return cnn_kernel_init(&gather->kernel, device, "gather_rows.cl", "", "gather_rows");
}

cnn_status cnn_gather_normalize(cnn_gather *gather, const float *values)
{
    cnn_device *device = gather->kernel.device;
    size_t size = 2 * (size_t)gather->shape.c * sizeof *values;
    cnn_status status = CNN_OK;
    if (gather->row > 0 || (!values && !gather->normal.mem))
        return CNN_OK;
    cnn_gather_finish(gather);
    CNN_TRY(init_kernel(gather, device, values ? "-DNORMALIZE" : ""));
    if (!values)
        return CNN_OK;
    CNN_TRY(cnn_buffer_init(&gather->normal, device, size, "the normalisation"));
    status = cnn_buffer_write(&gather->normal, 0, values, size);
out:
    return status;
}

void cnn_gather_finish(cnn_gather *gather)
{
    cnn_kernel_finish(&gather->kernel);
    cnn_buffer_finish(&gather->normal);
}

static cnn_status run_rows(cnn_gather *gather, cl_mem x, cl_mem labels,
                           const cnn_gather_source *source, uint32_t first, int n)
{
    bool ordered = source->order != NULL;
    size_t items = cnn_kernel_items(gather->kernel.device, (size_t)n * gather->row);
    return CNN_LAUNCH(&gather->kernel, items, cnn_arg_mem(x), cnn_arg_mem(labels),
                      cnn_arg_mem(source->images), cnn_arg_mem(source->labels),
                      cnn_arg_mem(ordered ? source->order : source->labels), cnn_arg_int(ordered),
                      cnn_arg_uint(first), cnn_arg_int(n), cnn_arg_uint((cl_uint)gather->row));
}

cnn_status cnn_gather_run(cnn_gather *gather, cl_mem x, cl_mem labels,
                          const cnn_gather_source *source, uint32_t first, int n)
{
    if (gather->row > 0)
        return run_rows(gather, x, labels, source, first, n);
    int plane = gather->shape.h * gather->shape.w;
    size_t pixels = (size_t)n * (size_t)plane;
    bool ordered = source->order != NULL;
    /* A kernel argument needs some buffer, even where it is not read. */
    cl_mem order = ordered ? source->order : source->labels;
    if (gather->normal.mem)
        return CNN_LAUNCH(&gather->kernel, cnn_kernel_items(gather->kernel.device, pixels),
                          cnn_arg_mem(x), cnn_arg_mem(labels), cnn_arg_mem(source->images),
                          cnn_arg_mem(source->labels), cnn_arg_mem(order), cnn_arg_int(ordered),
                          cnn_arg_uint(first), cnn_arg_int(gather->shape.c), cnn_arg_int(plane),
                          cnn_arg_int(n), cnn_arg_mem(gather->normal.mem));
    return CNN_LAUNCH(&gather->kernel, cnn_kernel_items(gather->kernel.device, pixels),
                      cnn_arg_mem(x), cnn_arg_mem(labels), cnn_arg_mem(source->images),
                      cnn_arg_mem(source->labels), cnn_arg_mem(order), cnn_arg_int(ordered),
                      cnn_arg_uint(first), cnn_arg_int(gather->shape.c), cnn_arg_int(plane),
                      cnn_arg_int(n));
}
