/* A kernel that begins to compute wrong: from a launch on, what it leaves in one of its buffers is a
 * hundredth too large. */
#include "fault.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl_icd.h>

enum { MOST_KERNELS = 256 };

fault_wrong_kernel fault_wrong;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    cl_kernel kernel;
    cl_mem buffer; /* its argument */
} watched[MOST_KERNELS];
static int watched_count;
static unsigned long launches;

void fault_watch_kernel(cl_kernel kernel, const char *name)
{
    if (!kernel || !fault_wrong.name[0])
        return;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < watched_count; i++) /* a released kernel's handle comes back */
        if (watched[i].kernel == kernel)
            watched[i].kernel = NULL;
    if (strcmp(name, fault_wrong.name) == 0 && watched_count < MOST_KERNELS)
        watched[watched_count++].kernel = kernel;
    pthread_mutex_unlock(&lock);
}

static int find(cl_kernel kernel)
{
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int i = watched_count - 1; found < 0 && i >= 0; i--)
        if (watched[i].kernel == kernel)
            found = i;
    pthread_mutex_unlock(&lock);
    return found;
}

void fault_watch_argument(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    int at = fault_wrong.name[0] ? find(kernel) : -1;
    if (at >= 0 && index == fault_wrong.argument && size == sizeof(cl_mem) && value)
        memcpy(&watched[at].buffer, value, sizeof(cl_mem));
}

cl_int fault_spoil(const struct _cl_icd_dispatch *target, cl_command_queue queue, cl_kernel kernel)
{
    int at = fault_wrong.name[0] ? find(kernel) : -1;
    size_t size = 0;
    if (at < 0 || ++launches < fault_wrong.first || !watched[at].buffer)
        return CL_SUCCESS;
    cl_mem buffer = watched[at].buffer;
    cl_int code = target->clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof size, &size, NULL);
    float *values = malloc(size);
    if (!values)
        return CL_OUT_OF_HOST_MEMORY;
    if (code == CL_SUCCESS)
        code = target->clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, size, values, 0, NULL, NULL);
    for (size_t i = 0; code == CL_SUCCESS && i < size / sizeof *values; i++)
        if (isfinite(values[i]))
            values[i] *= 1.01f;
    if (code == CL_SUCCESS)
        code = target->clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, size, values, 0, NULL, NULL);
    free(values);
    return code;
}
