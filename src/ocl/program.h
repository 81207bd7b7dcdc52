/* Programs and kernels from the .cl files, read at run time. */
#ifndef OCL_PROGRAM_H
#define OCL_PROGRAM_H

#include "ocl/device.h"

/* A kernel and how it is launched. Start from {0}. */
typedef struct cnn_kernel {
    cnn_device *device;
    cl_kernel handle;
    char name[64];
    char options[256]; /* the -D options that its program was built with */
    size_t local_size; /* work-items per group; 1 on CPUs */
} cnn_kernel;

/* Builds the file (its name below the kernel folder, "conv.cl") with the options ("-DKSIZE=3"), or
 * takes the program from the device's cache of built ones, and creates the named kernel.
 * Added are -cl-std=CL1.2, -w (some drivers print how many warnings there are), -DCNN_CPU=1 or
 * -DCNN_CPU=0 (the kernel class), and on a device that is to be exact -DEXACT, with which no product
 * is contracted with a sum. The folder is
 * CNN_CL_KERNEL_DIR, else the one beside the running build, else the installed one; `#include
 * "x.cl"` is expanded by this loader, each file once. Errors: KERNEL, with the file, the options
 * and the driver's log. */
cnn_status cnn_kernel_init(cnn_kernel *kernel, cnn_device *device, const char *file,
                           const char *options, const char *name);
/* For a kernel whose work-items share local memory: the largest power of two that is at most
 * `wanted` and that the device allows for this kernel. The kernel must be right with any. Errors:
 * OPENCL. */
cnn_status cnn_kernel_set_local_size(cnn_kernel *kernel, size_t wanted);
/* Takes a kernel that was never initialised, too. */
void cnn_kernel_finish(cnn_kernel *kernel);

/* Frees the device's cache of programs; called by cnn_device_destroy(). */
void cnn_program_cache_destroy(cnn_device *device);

#endif
