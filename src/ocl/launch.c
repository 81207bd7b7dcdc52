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
        char call[64];
        cl_int code = clSetKernelArg(kernel->handle, (cl_uint)i, args[i].size, &args[i].value);
        snprintf(call, sizeof call, "clSetKernelArg number %zu", i);
        cnn_status status = check_launch(code, call, kernel);
        if (status != CNN_OK)
            return status;
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
    static const size_t most[] = {[CNN_KERNEL_CPU] = 64, [CNN_KERNEL_GPU] = (size_t)1 << 20};
    size_t bound = most[device->kernel_class];
    return work < bound ? work : bound;
}
