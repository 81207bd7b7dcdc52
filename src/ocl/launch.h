/* Launching a kernel: arguments by value, one-dimensional, never waiting. */
#ifndef OCL_LAUNCH_H
#define OCL_LAUNCH_H

#include "ocl/program.h"

typedef struct cnn_arg {
    size_t size;
    union {
        cl_mem mem;
        cl_int i;
        cl_uint u;
        cl_float f;
    } value;
} cnn_arg;

static inline cnn_arg cnn_arg_mem(cl_mem mem)
{
    return (cnn_arg){sizeof mem, {.mem = mem}};
}

static inline cnn_arg cnn_arg_int(cl_int i)
{
    return (cnn_arg){sizeof i, {.i = i}};
}

static inline cnn_arg cnn_arg_uint(cl_uint u)
{
    return (cnn_arg){sizeof u, {.u = u}};
}

static inline cnn_arg cnn_arg_float(cl_float f)
{
    return (cnn_arg){sizeof f, {.f = f}};
}

/* Sets the arguments in order and enqueues at least `items` work-items: the global size is rounded
 * up to whole groups, so a kernel guards itself. No items: nothing is enqueued. */
cnn_status cnn_kernel_launch(cnn_kernel *kernel, size_t items, const cnn_arg *args, size_t count);

#define CNN_LAUNCH(kernel, items, ...)                                                             \
    cnn_kernel_launch(kernel, items, (const cnn_arg[]){__VA_ARGS__},                               \
                      sizeof((const cnn_arg[]){__VA_ARGS__}) / sizeof(cnn_arg))

/* Likewise exactly `groups` groups of kernel->local_size work-items. */
cnn_status cnn_kernel_launch_groups(cnn_kernel *kernel, size_t groups, const cnn_arg *args,
                                    size_t count);

#define CNN_LAUNCH_GROUPS(kernel, groups, ...)                                                     \
    cnn_kernel_launch_groups(kernel, groups, (const cnn_arg[]){__VA_ARGS__},                       \
                             sizeof((const cnn_arg[]){__VA_ARGS__}) / sizeof(cnn_arg))

/* How many work-items suit a kernel that deals out `work` equal pieces among its items in a
 * loop: some dozen on a CPU, one a piece on a GPU (up to a bound). */
size_t cnn_kernel_items(const cnn_device *device, size_t work);

/* How many work-items suit a CPU kernel whose items have memory of their own and share `samples`:
 * some for each compute unit, so that all end together. */
int cnn_long_items(const cnn_device *device, int samples);

#endif
