#include "ocl/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/status.h"
#include "ocl/buffer.h"

static uint64_t read_host_clock(void)
{
    return (uint64_t)(1e9 * cnn_seconds());
}

/* When a small command ended; 0 where the driver cannot tell. */
static cnn_status probe_clock(cl_ulong *time, cnn_device *device, cl_mem mem)
{
    static const cl_uint zero = 0;
    cl_event event;
    *time = 0;
    cl_int code = clEnqueueFillBuffer(device->queue, mem, &zero, sizeof zero, 0, sizeof zero, 0,
                                      NULL, &event);
    if (code != CL_SUCCESS)
        return cnn_opencl_check(code, "clEnqueueFillBuffer", device);
    cnn_status status = cnn_device_finish(device);
    if (clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof *time, time, NULL) != 0)
        *time = 0;
    clReleaseEvent(event);
    return status;
}

/* Some drivers' clocks stand still. */
static cnn_status check_clock(cnn_profile *profile)
{
    static const struct timespec pause = {0, 2000000};
    cl_ulong first = 0, second = 0;
    cnn_device *device = profile->device;
    cnn_buffer buffer = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_init(&buffer, device, sizeof(cl_uint), "a look at the clock"));
    CNN_TRY(probe_clock(&first, device, buffer.mem));
    nanosleep(&pause, NULL);
    CNN_TRY(probe_clock(&second, device, buffer.mem));
    profile->host_clock = first == 0 || second < first + (cl_ulong)pause.tv_nsec / 2;
out:
    cnn_buffer_finish(&buffer);
    return status;
}

cnn_status cnn_profile_open(cnn_profile *profile, cnn_device *device)
{
    cl_int code;
    *profile = (cnn_profile){0};
    cnn_status status = cnn_device_finish(device);
    if (status != CNN_OK)
        return status;
    cl_command_queue queue =
        clCreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    status = cnn_opencl_check(code, "clCreateCommandQueue with CL_QUEUE_PROFILING_ENABLE", device);
    if (status != CNN_OK)
        return status;
    profile->device = device;
    profile->plain = device->queue;
    device->queue = queue;
    status = check_clock(profile);
    device->profile = profile;
    if (status != CNN_OK)
        cnn_profile_close(profile);
    return status;
}

static void release(cl_event *event)
{
    if (*event)
        clReleaseEvent(*event);
    *event = NULL;
}

void cnn_profile_clear(cnn_profile *profile)
{
    for (size_t i = profile->complete; i < profile->count; i++) {
        release(&profile->commands[i].before);
        release(&profile->commands[i].event);
    }
    profile->count = profile->complete = 0;
}

void cnn_profile_close(cnn_profile *profile)
{
    cnn_device *device = profile->device;
    if (!device)
        return;
    size_t complete = profile->complete;
    clFinish(device->queue);
    cnn_profile_clear(profile);
    profile->count = profile->complete = complete;
    clReleaseCommandQueue(device->queue);
    device->queue = profile->plain;
    device->profile = NULL;
    profile->device = NULL;
    free(profile->commands);
    profile->commands = NULL;
}

void cnn_profile_finish(cnn_profile *profile)
{
    cnn_profile_close(profile);
    free(profile->records);
    *profile = (cnn_profile){0};
}

static bool grow(cnn_profile *profile)
{
    if (profile->count < profile->capacity)
        return true;
    size_t capacity = profile->capacity ? 2 * profile->capacity : 256;
    void *records = realloc(profile->records, capacity * sizeof *profile->records);
    if (records)
        profile->records = records;
    void *commands = realloc(profile->commands, capacity * sizeof *profile->commands);
    if (commands)
        profile->commands = commands;
    if (records && commands)
        profile->capacity = capacity;
    else
        profile->status = cnn_fail_memory(capacity * sizeof *profile->records, "a profile");
    return records && commands;
}

/* By the host's clock: what was enqueued before ends now. */
static uint64_t wait_for_last(cnn_profile *profile)
{
    cl_int code = clFinish(profile->device->queue);
    uint64_t now = read_host_clock();
    if (profile->status == CNN_OK)
        profile->status = cnn_opencl_check(code, "clFinish", profile->device);
    if (profile->count > profile->complete)
        profile->records[profile->count - 1].ended = now;
    profile->complete = profile->count;
    return now;
}

cl_event *cnn_profile_command_event(cnn_device *device, const char *name)
{
    cnn_profile *profile = device->profile;
    if (!profile || !grow(profile))
        return NULL;
    uint64_t now = profile->host_clock ? wait_for_last(profile) : 0;
    cnn_profile_command *command = &profile->commands[profile->count];
    cnn_profile_record *record = &profile->records[profile->count++];
    *command = (cnn_profile_command){0};
    *record = (cnn_profile_record){
        .group = profile->group, .queued = now, .submitted = now, .started = now};
    snprintf(record->name, sizeof record->name, "%s", name);
    return profile->host_clock ? NULL : &command->event;
}

cl_event *cnn_profile_call_event(cnn_device *device, const char *name)
{
    cl_event *event = cnn_profile_command_event(device, name);
    if (!event)
        return NULL;
    cnn_profile *profile = device->profile;
    cl_int code = clEnqueueMarkerWithWaitList(device->queue, 0, NULL,
                                              &profile->commands[profile->count - 1].before);
    if (code != CL_SUCCESS && profile->status == CNN_OK)
        profile->status = cnn_opencl_check(code, "clEnqueueMarkerWithWaitList", device);
    return event;
}

static cnn_status read_times(cnn_profile_record *record, const cnn_profile_command *command,
                             const cnn_device *device)
{
    const struct {
        cl_profiling_info what;
        uint64_t *time;
    } times[] = {
        {CL_PROFILING_COMMAND_QUEUED, &record->queued},
        {CL_PROFILING_COMMAND_SUBMIT, &record->submitted},
        {CL_PROFILING_COMMAND_START, &record->started},
        {CL_PROFILING_COMMAND_END, &record->ended},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        cl_ulong time;
        cl_int code =
            clGetEventProfilingInfo(command->event, times[i].what, sizeof time, &time, NULL);
        if (code != CL_SUCCESS)
            return cnn_opencl_check(code, "clGetEventProfilingInfo", device);
        *times[i].time = time;
    }
    /* A driver that has no times of markers leaves the last command's start. */
    cl_ulong before;
    if (command->before && clGetEventProfilingInfo(command->before, CL_PROFILING_COMMAND_END,
                                                   sizeof before, &before, NULL) == CL_SUCCESS)
        if (before > 0 && before < record->started)
            record->started = before;
    return CNN_OK;
}

cnn_status cnn_profile_collect(cnn_profile *profile)
{
    cnn_status status = CNN_OK;
    if (profile->host_clock)
        wait_for_last(profile);
    CNN_TRY(profile->status);
    CNN_TRY(cnn_device_finish(profile->device));
    for (; profile->complete < profile->count; profile->complete++) {
        cnn_profile_command *command = &profile->commands[profile->complete];
        if (command->event)
            CNN_TRY(read_times(&profile->records[profile->complete], command, profile->device));
        release(&command->before);
        release(&command->event);
    }
out:
    return status;
}
