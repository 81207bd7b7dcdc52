#include "ocl/launch.h"

#include <stdint.h>
#include <stdio.h>

#include "base/status.h"
#include "ocl/profile.h"

static cnn_status check_launch(cl_int code, const char *call, const cnn_kernel *kernel)
{
    char text[160];
    if (code == CL_SUCCESS)
        return CNN_OK;
    snprintf(text, sizeof text, "%s of kernel %s", call, kernel->name);
    return cnn_opencl_check(code, text, kernel->device);
}

cnn_status cnn_kernel_launch(cnn_kernel *kernel, size_t items, const cnn_arg *args, size_t count)
{
    if (items == 0)
        return CNN_OK;
    for (size_t i = 0; i < count; i++) {
        cl_int code = clSetKernelArg(kernel->handle, (cl_uint)i, args[i].size, &args[i].value);
        if (code != CL_SUCCESS) {
            char call[64];
            snprintf(call, sizeof call, "clSetKernelArg number %zu", i);
            return check_launch(code, call, kernel);
        }
    }
    size_t local = kernel->local_size;
    if (items > SIZE_MAX - local)
        return cnn_fail(CNN_ERROR_ARGUMENT, "kernel %s: %zu work-items are too many", kernel->name,
                        items);
    size_t global = (items + local - 1) / local * local;
    cl_int code =
        clEnqueueNDRangeKernel(kernel->device->queue, kernel->handle, 1, NULL, &global, &local, 0,
                               NULL, cnn_profile_command_event(kernel->device, kernel->name));
    kernel->device->launches++;
    return check_launch(code, "clEnqueueNDRangeKernel", kernel);
}

cnn_status cnn_kernel_launch_groups(cnn_kernel *kernel, size_t groups, const cnn_arg *args,
                                    size_t count)
{
    if (groups > SIZE_MAX / kernel->local_size)
        return cnn_fail(CNN_ERROR_ARGUMENT, "kernel %s: %zu work-groups are too many", kernel->name,
                        groups);
    return cnn_kernel_launch(kernel, groups * kernel->local_size, args, count);
}

size_t cnn_kernel_items(const cnn_device *device, size_t work)
{
    enum { LEAST_ON_CPU = 64, PER_UNIT = 8, MOST_ON_GPU = 1 << 20 };
    size_t on_cpu = (size_t)device->info.compute_units * PER_UNIT;
    size_t bound = on_cpu > LEAST_ON_CPU ? on_cpu : LEAST_ON_CPU;
    if (device->kernel_class == CNN_KERNEL_GPU)
        bound = MOST_ON_GPU;
    return work < bound ? work : bound;
}

int cnn_long_items(const cnn_device *device, int samples)
{
    enum { LEAST = 32, PER_UNIT = 4, MOST = 512 };
    int items = device->info.compute_units < MOST / PER_UNIT
                    ? (int)device->info.compute_units * PER_UNIT
                    : MOST;
    if (items < LEAST)
        items = LEAST;
    return samples < items ? samples : items;
}
