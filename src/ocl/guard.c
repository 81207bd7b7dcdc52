#include "ocl/guard.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

enum { ZONE = 4096 };

/* As a float a NaN that no arithmetic makes: it shows where it is read, and where it is
 * overwritten. */
static const cl_uint pattern = 0xFFA5A5A5u;

cnn_status cnn_guards_open(cnn_guards *guards, cnn_device *device, bool front)
{
    enum { BITS = 8 };
    *guards = (cnn_guards){0};
    if (front) {
        cl_uint bits = 0;
        cl_int code =
            clGetDeviceInfo(device->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof bits, &bits, NULL);
        cnn_status status = cnn_opencl_check(code, "clGetDeviceInfo", device);
        if (status != CNN_OK)
            return status;
        size_t align = bits / BITS ? bits / BITS : 1;
        guards->front = (ZONE + align - 1) / align * align;
    }
    guards->device = device;
    device->guards = guards;
    return CNN_OK;
}

void cnn_guards_close(cnn_guards *guards)
{
    if (guards->device)
        guards->device->guards = NULL;
    *guards = (cnn_guards){0};
}

/* The zone behind begins where the buffer ends, within a word of the pattern or not. */
static size_t end_of(const cnn_guarded *at)
{
    size_t word = sizeof pattern;
    return (at->front + at->bytes + ZONE + word - 1) / word * word;
}

static cl_int fill(const cnn_guards *guards, const cnn_guarded *at, size_t begin, size_t end)
{
    cl_int code = CL_SUCCESS;
    if (end > begin)
        code = clEnqueueFillBuffer(guards->device->queue, at->whole, &pattern, sizeof pattern,
                                   begin, end - begin, 0, NULL, NULL);
    return code == CL_SUCCESS ? clFinish(guards->device->queue) : code;
}

static void release(cnn_guarded *at)
{
    if (at->whole && at->whole != at->inner)
        clReleaseMemObject(at->whole);
    free(at);
}

cl_mem cnn_guards_create_memory(cnn_guards *guards, size_t bytes, const char *what, cl_int *code)
{
    cnn_guarded *at = calloc(1, sizeof *at);
    *code = CL_OUT_OF_HOST_MEMORY;
    if (!at)
        return NULL;
    snprintf(at->what, sizeof at->what, "%s", what);
    at->front = guards->front;
    at->bytes = bytes;
    at->whole = clCreateBuffer(guards->device->context, CL_MEM_READ_WRITE, end_of(at), NULL, code);
    if (*code == CL_SUCCESS)
        *code = fill(guards, at, 0, end_of(at));
    at->inner = at->whole;
    if (*code == CL_SUCCESS && at->front > 0) {
        const cl_buffer_region region = {at->front, bytes};
        at->inner = clCreateSubBuffer(at->whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                      &region, code);
    }
    if (*code != CL_SUCCESS) {
        at->inner = NULL;
        release(at);
        return NULL;
    }
    at->next = guards->first;
    guards->first = at;
    return at->inner;
}

void cnn_guards_forget_memory(cnn_guards *guards, cl_mem mem)
{
    for (cnn_guarded **link = &guards->first; *link; link = &(*link)->next) {
        cnn_guarded *at = *link;
        if (at->inner == mem) {
            *link = at->next;
            release(at);
            return;
        }
    }
}

/* The first byte of whole[begin, end) that is not the pattern's; end where all are. */
static cnn_status find_damage(size_t *found, const cnn_guards *guards, const cnn_guarded *at,
                              size_t begin, size_t end)
{
    const unsigned char *expected = (const unsigned char *)&pattern;
    unsigned char zone[2 * ZONE];
    *found = end;
    for (size_t from = begin; from < end && *found == end; from += sizeof zone) {
        size_t count = end - from < sizeof zone ? end - from : sizeof zone;
        cl_int code = clEnqueueReadBuffer(guards->device->queue, at->whole, CL_TRUE, from, count,
                                          zone, 0, NULL, NULL);
        if (code != CL_SUCCESS)
            return cnn_opencl_check(code, "clEnqueueReadBuffer", guards->device);
        for (size_t i = 0; i < count && *found == end; i++)
            if (zone[i] != expected[(from + i) % sizeof pattern])
                *found = from + i;
    }
    return CNN_OK;
}

/* A zone behind a buffer that does not end with a word begins with the rest of one: that stays. */
static cl_int repair(const cnn_guards *guards, const cnn_guarded *at, size_t begin, size_t end)
{
    size_t word = sizeof pattern;
    unsigned char rest[sizeof pattern];
    size_t aligned = (begin + word - 1) / word * word, count = aligned - begin;
    for (size_t i = 0; i < count; i++)
        rest[i] = ((const unsigned char *)&pattern)[(begin + i) % word];
    cl_int code = CL_SUCCESS;
    if (count > 0)
        code = clEnqueueWriteBuffer(guards->device->queue, at->whole, CL_TRUE, begin, count, rest,
                                    0, NULL, NULL);
    return code == CL_SUCCESS ? fill(guards, at, aligned, end) : code;
}

static cnn_status check_zone(bool *damaged, cnn_guard_damage *damage, const cnn_guards *guards,
                             const cnn_guarded *at, size_t begin, size_t end)
{
    size_t found;
    cnn_status status = find_damage(&found, guards, at, begin, end);
    if (status != CNN_OK || found == end)
        return status;
    if (!*damaged) {
        *damage = (cnn_guard_damage){.offset = (long long)found - (long long)at->front,
                                     .bytes = at->bytes};
        snprintf(damage->what, sizeof damage->what, "%s", at->what);
    }
    *damaged = true;
    return cnn_opencl_check(repair(guards, at, begin, end), "clEnqueueFillBuffer", guards->device);
}

cnn_status cnn_guards_check(bool *damaged, cnn_guard_damage *damage, cnn_guards *guards)
{
    cnn_status status = CNN_OK;
    *damaged = false;
    for (const cnn_guarded *at = guards->first; status == CNN_OK && at; at = at->next) {
        status = check_zone(damaged, damage, guards, at, 0, at->front);
        if (status == CNN_OK)
            status = check_zone(damaged, damage, guards, at, at->front + at->bytes, end_of(at));
    }
    return status;
}
