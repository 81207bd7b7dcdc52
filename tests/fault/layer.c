/* A layer between a program and every OpenCL driver, for ocl-icd's OPENCL_LAYERS: fault.c says what
 * it does. Wrapped is what this project and CLBlast call; the rest goes straight to the driver. */
#include <string.h>

#include "fault.h"

#include <CL/cl_layer.h>

static const cl_icd_dispatch *target;
static cl_icd_dispatch layer;

/* A call that returns its status. */
#define WRAP(kind, name, parameters, arguments)                                                    \
    static cl_int CL_API_CALL wrap_##name parameters                                               \
    {                                                                                              \
        cl_int code = fault_next(kind);                                                            \
        return code ? code : target->name arguments;                                               \
    }

/* A call that returns a new object, and its status through a pointer. */
#define WRAP_CREATE(kind, object, type, name, parameters, arguments)                               \
    static type CL_API_CALL wrap_##name parameters                                                 \
    {                                                                                              \
        cl_int code = fault_next(kind);                                                            \
        type made = code ? NULL : target->name arguments;                                          \
        if (code && status)                                                                        \
            *status = code;                                                                        \
        fault_note(object, made != NULL);                                                          \
        return made;                                                                               \
    }

#define WRAP_COUNT(object, change, type, name)                                                     \
    static cl_int CL_API_CALL wrap_##name(type handle)                                             \
    {                                                                                              \
        cl_int code = target->name(handle);                                                        \
        fault_note(object, code == CL_SUCCESS ? change : 0);                                       \
        return code;                                                                               \
    }

/* A command that may return an event. */
#define WRAP_COMMAND(kind, name, parameters, arguments)                                            \
    static cl_int CL_API_CALL wrap_##name parameters                                               \
    {                                                                                              \
        cl_int code = fault_next(kind);                                                            \
        if (!code)                                                                                 \
            code = target->name arguments;                                                         \
        fault_note(FAULT_EVENT, code == CL_SUCCESS && event != NULL);                              \
        return code;                                                                               \
    }

WRAP(FAULT_INFO, clGetPlatformIDs, (cl_uint n, cl_platform_id *ids, cl_uint *count),
     (n, ids, count))
WRAP(FAULT_INFO, clGetPlatformInfo,
     (cl_platform_id id, cl_platform_info key, size_t size, void *value, size_t *length),
     (id, key, size, value, length))
WRAP(FAULT_INFO, clGetEventProfilingInfo,
     (cl_event event, cl_profiling_info key, size_t size, void *value, size_t *length),
     (event, key, size, value, length))
WRAP(FAULT_INFO, clGetEventInfo,
     (cl_event event, cl_event_info key, size_t size, void *value, size_t *length),
     (event, key, size, value, length))
WRAP(FAULT_INFO, clGetCommandQueueInfo,
     (cl_command_queue queue, cl_command_queue_info key, size_t size, void *value, size_t *length),
     (queue, key, size, value, length))
WRAP(FAULT_INFO, clGetMemObjectInfo,
     (cl_mem buffer, cl_mem_info key, size_t size, void *value, size_t *length),
     (buffer, key, size, value, length))
WRAP(FAULT_INFO, clGetProgramInfo,
     (cl_program program, cl_program_info key, size_t size, void *value, size_t *length),
     (program, key, size, value, length))
WRAP(FAULT_INFO, clGetProgramBuildInfo,
     (cl_program program, cl_device_id id, cl_program_build_info key, size_t size, void *value,
      size_t *length),
     (program, id, key, size, value, length))

WRAP_CREATE(FAULT_CREATE, FAULT_CONTEXT, cl_context, clCreateContext,
            (const cl_context_properties *properties, cl_uint n, const cl_device_id *ids,
             void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user,
             cl_int *status),
            (properties, n, ids, notify, user, status))
WRAP_CREATE(FAULT_CREATE, FAULT_QUEUE, cl_command_queue, clCreateCommandQueue,
            (cl_context context, cl_device_id id, cl_command_queue_properties properties,
             cl_int *status),
            (context, id, properties, status))
WRAP_CREATE(FAULT_ALLOCATE, FAULT_BUFFER, cl_mem, clCreateSubBuffer,
            (cl_mem buffer, cl_mem_flags flags, cl_buffer_create_type type, const void *region,
             cl_int *status),
            (buffer, flags, type, region, status))
WRAP_CREATE(FAULT_CREATE, FAULT_PROGRAM, cl_program, clCreateProgramWithSource,
            (cl_context context, cl_uint n, const char **text, const size_t *lengths,
             cl_int *status),
            (context, n, text, lengths, status))
WRAP_CREATE(FAULT_CREATE, FAULT_PROGRAM, cl_program, clCreateProgramWithBinary,
            (cl_context context, cl_uint n, const cl_device_id *ids, const size_t *lengths,
             const unsigned char **binaries, cl_int *states, cl_int *status),
            (context, n, ids, lengths, binaries, states, status))

static cl_kernel CL_API_CALL wrap_clCreateKernel(cl_program program, const char *name,
                                                 cl_int *status)
{
    cl_int code = fault_next(FAULT_CREATE);
    cl_kernel made = code ? NULL : target->clCreateKernel(program, name, status);
    if (code && status)
        *status = code;
    fault_watch_kernel(made, name);
    fault_note(FAULT_KERNEL, made != NULL);
    return made;
}

WRAP_COUNT(FAULT_CONTEXT, 1, cl_context, clRetainContext)
WRAP_COUNT(FAULT_CONTEXT, -1, cl_context, clReleaseContext)
WRAP_COUNT(FAULT_QUEUE, 1, cl_command_queue, clRetainCommandQueue)
WRAP_COUNT(FAULT_QUEUE, -1, cl_command_queue, clReleaseCommandQueue)
WRAP_COUNT(FAULT_BUFFER, 1, cl_mem, clRetainMemObject)
WRAP_COUNT(FAULT_PROGRAM, 1, cl_program, clRetainProgram)
WRAP_COUNT(FAULT_PROGRAM, -1, cl_program, clReleaseProgram)
WRAP_COUNT(FAULT_KERNEL, 1, cl_kernel, clRetainKernel)
WRAP_COUNT(FAULT_KERNEL, -1, cl_kernel, clReleaseKernel)
WRAP_COUNT(FAULT_EVENT, 1, cl_event, clRetainEvent)
WRAP_COUNT(FAULT_EVENT, -1, cl_event, clReleaseEvent)

WRAP(FAULT_BUILD, clBuildProgram,
     (cl_program program, cl_uint n, const cl_device_id *ids, const char *options,
      void(CL_CALLBACK *notify)(cl_program, void *), void *user),
     (program, n, ids, options, notify, user))

static cl_int CL_API_CALL wrap_clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size,
                                              const void *value)
{
    cl_int code = fault_next(FAULT_SET);
    fault_watch_argument(kernel, index, size, value);
    return code ? code : target->clSetKernelArg(kernel, index, size, value);
}

WRAP_COMMAND(FAULT_ENQUEUE, clEnqueueFillBuffer,
             (cl_command_queue queue, cl_mem buffer, const void *pattern, size_t length,
              size_t offset, size_t size, cl_uint waits, const cl_event *list, cl_event *event),
             (queue, buffer, pattern, length, offset, size, waits, list, event))
WRAP_COMMAND(FAULT_ENQUEUE, clEnqueueCopyBuffer,
             (cl_command_queue queue, cl_mem from, cl_mem to, size_t from_offset, size_t to_offset,
              size_t size, cl_uint waits, const cl_event *list, cl_event *event),
             (queue, from, to, from_offset, to_offset, size, waits, list, event))
WRAP_COMMAND(FAULT_ENQUEUE, clEnqueueMarkerWithWaitList,
             (cl_command_queue queue, cl_uint waits, const cl_event *list, cl_event *event),
             (queue, waits, list, event))
WRAP_COMMAND(FAULT_WRITE, clEnqueueWriteBuffer,
             (cl_command_queue queue, cl_mem buffer, cl_bool blocking, size_t offset, size_t size,
              const void *memory, cl_uint waits, const cl_event *list, cl_event *event),
             (queue, buffer, blocking, offset, size, memory, waits, list, event))

WRAP(FAULT_FINISH, clFinish, (cl_command_queue queue), (queue))
WRAP(FAULT_FINISH, clFlush, (cl_command_queue queue), (queue))
WRAP(FAULT_FINISH, clWaitForEvents, (cl_uint n, const cl_event *events), (n, events))

static cl_int CL_API_CALL wrap_clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer,
                                                   cl_bool blocking, size_t offset, size_t size,
                                                   void *memory, cl_uint waits,
                                                   const cl_event *list, cl_event *event)
{
    cl_int code = fault_next(FAULT_READ);
    if (!code)
        code = target->clEnqueueReadBuffer(queue, buffer, blocking, offset, size, memory, waits,
                                           list, event);
    if (code == CL_SUCCESS && blocking)
        fault_perturb(memory, size);
    fault_note(FAULT_EVENT, code == CL_SUCCESS && event != NULL);
    return code;
}

static cl_int CL_API_CALL wrap_clGetDeviceIDs(cl_platform_id platform, cl_device_type type,
                                              cl_uint n, cl_device_id *ids, cl_uint *count)
{
    cl_uint found = 0;
    cl_int code = fault_next(FAULT_INFO);
    if (!code)
        code = target->clGetDeviceIDs(platform, type, n, ids, &found);
    if (code == CL_SUCCESS && fault_twin) {
        for (cl_uint i = 0; ids && i < found && found + i < n; i++)
            ids[found + i] = ids[i];
        found *= 2;
    }
    if (count)
        *count = found;
    return code;
}

static void lower_size(size_t *value, size_t limit)
{
    if (limit && *value > limit)
        *value = limit;
}

static void lower_bytes(cl_ulong *value, cl_ulong limit)
{
    if (limit && *value > limit)
        *value = limit;
}

static void lower(cl_device_info key, void *value)
{
    size_t *sizes = value;
    switch (key) {
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        lower_size(sizes, fault_limit.work_group);
        break;
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
        for (int axis = 0; axis < 3; axis++)
            lower_size(&sizes[axis], fault_limit.work_group);
        break;
    case CL_DEVICE_LOCAL_MEM_SIZE:
        lower_bytes(value, fault_limit.local);
        break;
    case CL_DEVICE_GLOBAL_MEM_SIZE:
        lower_bytes(value, fault_limit.memory);
        break;
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        if (fault_limit.allocation)
            *(cl_ulong *)value /= fault_limit.allocation;
        lower_bytes(value, fault_limit.memory);
        break;
    default:
        break;
    }
}

/* A device that says that it has less behaves so. */
static cl_int check_buffer(cl_context context, size_t size)
{
    cl_device_id id;
    cl_ulong most = 0;
    if (target->clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof id, &id, NULL) == CL_SUCCESS &&
        target->clGetDeviceInfo(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof most, &most, NULL) ==
            CL_SUCCESS)
        lower(CL_DEVICE_MAX_MEM_ALLOC_SIZE, &most);
    return most > 0 && size > most ? CL_INVALID_BUFFER_SIZE : CL_SUCCESS;
}

static cl_mem CL_API_CALL wrap_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size,
                                              void *host, cl_int *status)
{
    cl_int code = fault_next(FAULT_ALLOCATE);
    cl_mem made = NULL;
    if (!code)
        code = check_buffer(context, size);
    bool taken = !code && fault_take(size);
    if (!code && !taken)
        code = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    else if (!code)
        made = target->clCreateBuffer(context, flags, size, host, &code);
    if (code && taken)
        fault_give_back(size);
    if (status)
        *status = code;
    fault_note(FAULT_BUFFER, made != NULL);
    return made;
}

static cl_int CL_API_CALL wrap_clReleaseMemObject(cl_mem buffer)
{
    size_t size = 0;
    cl_uint references = 0;
    cl_mem parent = NULL;
    target->clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL);
    target->clGetMemObjectInfo(buffer, CL_MEM_REFERENCE_COUNT, sizeof references, &references,
                               NULL);
    target->clGetMemObjectInfo(buffer, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof(cl_mem), &parent, NULL);
    cl_int code = target->clReleaseMemObject(buffer);
    fault_note(FAULT_BUFFER, code == CL_SUCCESS ? -1 : 0);
    if (code == CL_SUCCESS && references == 1 && !parent)
        fault_give_back(size);
    return code;
}

static cl_int check_launch(cl_command_queue queue, cl_kernel kernel, cl_uint rank,
                           const size_t *local)
{
    cl_device_id id;
    cl_ulong bytes = 0;
    size_t items = 1;
    for (cl_uint i = 0; local && i < rank; i++)
        items *= local[i];
    if (fault_limit.work_group && items > fault_limit.work_group)
        return CL_INVALID_WORK_GROUP_SIZE;
    if (fault_limit.local &&
        target->clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof id, &id, NULL) == CL_SUCCESS &&
        target->clGetKernelWorkGroupInfo(kernel, id, CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes, &bytes,
                                         NULL) == CL_SUCCESS &&
        bytes > fault_limit.local)
        return CL_OUT_OF_RESOURCES;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel,
                                                      cl_uint rank, const size_t *offset,
                                                      const size_t *global, const size_t *local,
                                                      cl_uint waits, const cl_event *list,
                                                      cl_event *event)
{
    cl_int code = fault_next(FAULT_ENQUEUE);
    if (!code)
        code = check_launch(queue, kernel, rank, local);
    if (!code)
        code = target->clEnqueueNDRangeKernel(queue, kernel, rank, offset, global, local, waits,
                                              list, event);
    if (!code)
        code = fault_spoil(target, queue, kernel);
    fault_note(FAULT_EVENT, code == CL_SUCCESS && event != NULL);
    return code;
}

static cl_int CL_API_CALL wrap_clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id id,
                                                        cl_kernel_work_group_info key, size_t size,
                                                        void *value, size_t *length)
{
    cl_int code = fault_next(FAULT_INFO);
    if (!code)
        code = target->clGetKernelWorkGroupInfo(kernel, id, key, size, value, length);
    if (code == CL_SUCCESS && value && key == CL_KERNEL_WORK_GROUP_SIZE)
        lower_size(value, fault_limit.work_group);
    return code;
}

static cl_int CL_API_CALL wrap_clGetDeviceInfo(cl_device_id id, cl_device_info key, size_t size,
                                               void *value, size_t *length)
{
    cl_int code = fault_next(FAULT_INFO);
    if (!code)
        code = target->clGetDeviceInfo(id, key, size, value, length);
    if (code == CL_SUCCESS && value)
        lower(key, value);
    return code;
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info key, size_t size, void *value,
                                               size_t *length)
{
    const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    static const char name[] = "cnn-cl fault layer";
    const void *from = key == CL_LAYER_NAME ? (const void *)name : &version;
    size_t bytes = key == CL_LAYER_NAME ? sizeof name : sizeof version;
    if (key != CL_LAYER_NAME && key != CL_LAYER_API_VERSION)
        return CL_INVALID_VALUE;
    if (value && size < bytes)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, from, bytes);
    if (length)
        *length = bytes;
    return CL_SUCCESS;
}

static void fill_layer(void)
{
    layer = *target;
#define TAKE(name) layer.name = wrap_##name
    TAKE(clGetPlatformIDs);
    TAKE(clGetPlatformInfo);
    TAKE(clGetDeviceIDs);
    TAKE(clGetDeviceInfo);
    TAKE(clGetKernelWorkGroupInfo);
    TAKE(clGetEventProfilingInfo);
    TAKE(clGetEventInfo);
    TAKE(clGetCommandQueueInfo);
    TAKE(clGetMemObjectInfo);
    TAKE(clGetProgramInfo);
    TAKE(clGetProgramBuildInfo);
    TAKE(clCreateContext);
    TAKE(clCreateCommandQueue);
    TAKE(clCreateBuffer);
    TAKE(clCreateSubBuffer);
    TAKE(clCreateProgramWithSource);
    TAKE(clCreateProgramWithBinary);
    TAKE(clCreateKernel);
    TAKE(clRetainContext);
    TAKE(clReleaseContext);
    TAKE(clRetainCommandQueue);
    TAKE(clReleaseCommandQueue);
    TAKE(clRetainMemObject);
    TAKE(clReleaseMemObject);
    TAKE(clRetainProgram);
    TAKE(clReleaseProgram);
    TAKE(clRetainKernel);
    TAKE(clReleaseKernel);
    TAKE(clRetainEvent);
    TAKE(clReleaseEvent);
    TAKE(clBuildProgram);
    TAKE(clSetKernelArg);
    TAKE(clEnqueueNDRangeKernel);
    TAKE(clEnqueueFillBuffer);
    TAKE(clEnqueueCopyBuffer);
    TAKE(clEnqueueMarkerWithWaitList);
    TAKE(clEnqueueWriteBuffer);
    TAKE(clEnqueueReadBuffer);
    TAKE(clFinish);
    TAKE(clFlush);
    TAKE(clWaitForEvents);
#undef TAKE
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch *driver,
                                            cl_uint *count, const cl_icd_dispatch **dispatch)
{
    if (!driver || !count || !dispatch || entries < sizeof layer / sizeof(void *))
        return CL_INVALID_VALUE;
    target = driver;
    fault_init();
    fill_layer();
    *count = sizeof layer / sizeof(void *);
    *dispatch = &layer;
    return CL_SUCCESS;
}
