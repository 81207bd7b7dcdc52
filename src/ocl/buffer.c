#include "ocl/buffer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/status.h"
#include "base/text.h"
#include "ocl/guard.h"
#include "ocl/profile.h"

static const char advice[] = "use a smaller batch or network";

static cnn_status fail_memory(const cnn_device *device, size_t bytes, const char *what,
                              const char *found)
{
    char asked[32];
    return cnn_fail(CNN_ERROR_MEMORY,
                    "the memory of %s does not suffice for %s: %s (%zu bytes) asked, %s; %s",
                    device->info.name, what, cnn_format_bytes(asked, bytes), bytes, found,
                    device->advice ? device->advice : advice);
}

/* What the device says that it has, before the driver is asked. */
static cnn_status check_room(const cnn_device *device, size_t bytes, const char *what)
{
    char found[160], amount[32], total[32];
    const cnn_device_info *info = &device->info;
    if (bytes > info->max_allocation) {
        snprintf(found, sizeof found, "%s (%llu bytes) is the largest single buffer",
                 cnn_format_bytes(amount, info->max_allocation),
                 (unsigned long long)info->max_allocation);
        return fail_memory(device, bytes, what, found);
    }
    uint64_t room = info->memory > device->allocated ? info->memory - device->allocated : 0;
    if (bytes > room) {
        snprintf(found, sizeof found, "%s (%llu bytes) of %s left", cnn_format_bytes(amount, room),
                 (unsigned long long)room, cnn_format_bytes(total, info->memory));
        return fail_memory(device, bytes, what, found);
    }
    return CNN_OK;
}

/* The codes of a driver that has no memory; it may say so at the first use of a buffer only. */
static bool is_shortage(cl_int code)
{
    return code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES ||
           code == CL_OUT_OF_HOST_MEMORY || code == CL_INVALID_BUFFER_SIZE;
}

static cnn_status fail_code(const cnn_device *device, size_t bytes, const char *what,
                            const char *call, cl_int code)
{
    char found[160];
    if (!is_shortage(code))
        return cnn_opencl_check(code, call, device);
    snprintf(found, sizeof found, "but %s: %s (%d)", call, cnn_opencl_error_name(code), code);
    return fail_memory(device, bytes, what, found);
}

/* All bits of every byte, or none. */
static cl_int enqueue_fill(const cnn_buffer *buffer, bool bits)
{
    const cl_uint word = bits ? CL_UINT_MAX : 0;
    size_t pattern = buffer->bytes % sizeof word == 0 ? sizeof word : 1;
    return clEnqueueFillBuffer(buffer->device->queue, buffer->mem, &word, pattern, 0, buffer->bytes,
                               0, NULL, NULL);
}

static cl_mem create_memory(cnn_device *device, size_t bytes, const char *what, cl_int *code)
{
    if (device->guards)
        return cnn_guards_create_memory(device->guards, bytes, what, code);
    return clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, code);
}

cnn_status cnn_buffer_init(cnn_buffer *buffer, cnn_device *device, size_t bytes, const char *what)
{
    *buffer = (cnn_buffer){0};
    if (bytes == 0)
        bytes = sizeof(cl_uint);
    cnn_status status = check_room(device, bytes, what);
    if (status != CNN_OK)
        return status;

    const char *call = "clCreateBuffer";
    cl_int code;
    cl_mem mem = create_memory(device, bytes, what, &code);
    if (code == CL_SUCCESS) {
        *buffer = (cnn_buffer){device, mem, bytes};
        device->allocated += bytes;
        call = "clEnqueueFillBuffer";
        code = enqueue_fill(buffer, false);
    }
    if (code == CL_SUCCESS) {
        call = "clFinish";
        code = clFinish(device->queue);
    }
    if (code == CL_SUCCESS)
        return CNN_OK;
    status = fail_code(device, bytes, what, call, code);
    cnn_buffer_finish(buffer);
    return status;
}

cnn_status cnn_buffer_share(cnn_buffer *buffer, cnn_device *device, const void *data, size_t bytes,
                            const char *what)
{
    *buffer = (cnn_buffer){0};
    if (device->kernel_class == CNN_KERNEL_CPU && bytes > 0) {
        cl_int code;
        /* OpenCL takes no pointer to constant values, even to read them alone. */
        cl_mem mem = clCreateBuffer(device->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, bytes,
                                    (void *)data, &code);
        if (code == CL_SUCCESS)
            *buffer = (cnn_buffer){device, mem, 0};
        return code == CL_SUCCESS ? CNN_OK : fail_code(device, bytes, what, "clCreateBuffer", code);
    }
    cnn_status status = cnn_buffer_init(buffer, device, bytes, what);
    return status == CNN_OK ? cnn_buffer_write(buffer, 0, data, bytes) : status;
}

void cnn_buffer_finish(cnn_buffer *buffer)
{
    if (buffer->mem) {
        if (buffer->device->guards)
            cnn_guards_forget_memory(buffer->device->guards, buffer->mem);
        clReleaseMemObject(buffer->mem);
        buffer->device->allocated -= buffer->bytes;
    }
    *buffer = (cnn_buffer){0};
}

cnn_status cnn_buffer_wipe(const cnn_buffer *buffer)
{
    return cnn_opencl_check(enqueue_fill(buffer, true), "clEnqueueFillBuffer", buffer->device);
}

cnn_status cnn_buffer_enqueue_copy(cnn_device *device, cl_mem y, cl_mem x, size_t bytes)
{
    return cnn_opencl_check(clEnqueueCopyBuffer(device->queue, x, y, 0, 0, bytes, 0, NULL,
                                                cnn_profile_command_event(device, "copy")),
                            "clEnqueueCopyBuffer", device);
}

cnn_status cnn_buffer_enqueue_zeros(const cnn_buffer *buffer, size_t offset, size_t bytes)
{
    static const cl_uint zero = 0;
    cnn_device *device = buffer->device;
    if (bytes == 0)
        return CNN_OK;
    return cnn_opencl_check(clEnqueueFillBuffer(device->queue, buffer->mem, &zero, sizeof zero,
                                                offset, bytes, 0, NULL,
                                                cnn_profile_command_event(device, "fill")),
                            "clEnqueueFillBuffer", device);
}

cnn_status cnn_buffer_enqueue_part(const cnn_buffer *y, size_t offset, const cnn_buffer *x,
                                   size_t from, size_t bytes)
{
    cnn_device *device = y->device;
    return cnn_opencl_check(clEnqueueCopyBuffer(device->queue, x->mem, y->mem, from, offset, bytes,
                                                0, NULL, cnn_profile_command_event(device, "copy")),
                            "clEnqueueCopyBuffer", device);
}

cnn_status cnn_buffer_enqueue_put(const cnn_buffer *y, size_t offset, const cnn_buffer *x,
                                  size_t bytes)
{
    return cnn_buffer_enqueue_part(y, offset, x, 0, bytes);
}

cnn_status cnn_buffer_read(void *data, const cnn_buffer *buffer, size_t offset, size_t bytes)
{
    if (bytes == 0)
        return CNN_OK;
    cl_int code = clEnqueueReadBuffer(buffer->device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                      data, 0, NULL, NULL);
    return cnn_opencl_check(code, "clEnqueueReadBuffer", buffer->device);
}

cnn_status cnn_buffer_write(const cnn_buffer *buffer, size_t offset, const void *data, size_t bytes)
{
    if (bytes == 0)
        return CNN_OK;
    cl_int code = clEnqueueWriteBuffer(buffer->device->queue, buffer->mem, CL_TRUE, offset, bytes,
                                       data, 0, NULL, NULL);
    return cnn_opencl_check(code, "clEnqueueWriteBuffer", buffer->device);
}

cnn_status cnn_buffer_write_async(cl_event *event, const cnn_buffer *buffer, const void *data,
                                  size_t bytes)
{
    *event = NULL;
    cl_int code = clEnqueueWriteBuffer(buffer->device->queue, buffer->mem, CL_FALSE, 0, bytes, data,
                                       0, NULL, event);
    return cnn_opencl_check(code, "clEnqueueWriteBuffer", buffer->device);
}

cnn_status cnn_buffer_read_part_async(cl_event *event, void *data, const cnn_buffer *buffer,
                                      size_t offset, size_t bytes)
{
    *event = NULL;
    cl_int code = clEnqueueReadBuffer(buffer->device->queue, buffer->mem, CL_FALSE, offset, bytes,
                                      data, 0, NULL, event);
    return cnn_opencl_check(code, "clEnqueueReadBuffer", buffer->device);
}

cnn_status cnn_buffer_read_async(cl_event *event, void *data, const cnn_buffer *buffer,
                                 size_t bytes)
{
    return cnn_buffer_read_part_async(event, data, buffer, 0, bytes);
}

cnn_status cnn_buffer_settle(cl_event *event, const cnn_device *device)
{
    if (!*event)
        return CNN_OK;
    cl_int code = clWaitForEvents(1, event);
    if (code == CL_SUCCESS) {
        clReleaseEvent(*event);
        *event = NULL;
    }
    return cnn_opencl_check(code, "clWaitForEvents", device);
}

bool cnn_buffer_is_over(cl_event event)
{
    cl_int state = CL_QUEUED;
    if (!event)
        return true;
    return clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) ==
               CL_SUCCESS &&
           state <= CL_COMPLETE;
}

/* A driver whose calls fail can be at work all the same: its word on the copy itself counts. */
static bool is_over(cl_event event)
{
    enum { NAPS = 1000 };
    const struct timespec nap = {.tv_nsec = 1000000};
    for (int i = 0; i < NAPS; i++) {
        cl_int state;
        if (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL))
            return false;
        if (state <= CL_COMPLETE)
            return true;
        nanosleep(&nap, NULL);
    }
    return false;
}

/* Memory that a driver may still write to. It stays known, so that no leak checker takes it for one
 * that was forgotten. */
typedef struct kept {
    void *data;
    struct kept *next;
} kept;

static void keep(void *data)
{
    static _Atomic(kept *) all;
    kept *one = malloc(sizeof *one);
    if (!one)
        return;
    *one = (kept){data, atomic_load(&all)};
    while (!atomic_compare_exchange_weak(&all, &one->next, one))
        ;
}

void cnn_buffer_free_data(void *data, cl_event event)
{
    bool over = !event || clWaitForEvents(1, &event) == CL_SUCCESS || is_over(event);
    if (event)
        clReleaseEvent(event);
    if (over)
        free(data);
    else
        keep(data);
}
