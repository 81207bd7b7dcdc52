/* An open OpenCL device: context, queue, and what the kernels want to know about it. */
#ifndef OCL_DEVICE_H
#define OCL_DEVICE_H

#include <cnncl/device.h>

#include "base/text.h"
#include "ocl/opencl.h"

/* Which shape of kernel suits a device: long work per work-item, or many small ones. From the
 * device's type; CNN_CL_KERNEL_CLASS=cpu|gpu overrides. */
typedef enum cnn_kernel_class { CNN_KERNEL_CPU, CNN_KERNEL_GPU } cnn_kernel_class;

enum { CNN_TUNING_SIZE = 20 };

struct cnn_device {
    long process; /* that opened it */
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue; /* in order */
    cnn_device_info info;
    cnn_kernel_class kernel_class;
    int lanes;                                     /* floats of a native vector; 1 or more */
    uint64_t allocated;                            /* bytes in live cnn_buffers */
    uint64_t launches;                             /* kernels enqueued so far */
    void (*at_destroy)(struct cnn_device *device); /* set by tensor/gemm.c: CLBlast's cache; NULL */
    struct cnn_program_cache *programs;            /* built programs by file and options */
    struct cnn_profile *profile;                   /* records what is enqueued; mostly NULL */
    char tuning[CNN_TUNING_SIZE];                  /* set by tensor/: see cnn_device_tuning() */
    struct cnn_guards *guards;                     /* puts zones around buffers; mostly NULL */
    double build_seconds;                          /* that building programs has taken so far */
    bool told_compiling; /* the log has said that kernels are being compiled */
    bool own_builtins;   /* programs declare built-in functions themselves: cl/builtins.cl */
    bool exact;          /* what is built from now on is as cnn_device_use_exact() says */
    const char *advice;  /* what to do where memory does not suffice; NULL: what helps anywhere */
};

/* A driver's threads and state do not survive fork(): everything public that uses a device asks
 * first. Errors: DEVICE. */
cnn_status cnn_device_check_process(const cnn_device *device);
/* In a child, where nothing of the device can be released: puts what was made on it aside, to stay
 * as it is until the process ends. False, and nothing, in the process that opened the device. */
bool cnn_abandon_in_child(void *handle, const cnn_device *device);

bool cnn_device_is_pocl(const cnn_device *device);

/* Waits until everything enqueued is done. */
cnn_status cnn_device_finish(cnn_device *device);

/* Turns an OpenCL error code into a status and message, "clEnqueueX: CL_OUT_OF_RESOURCES (-5)" plus
 * the device's name (not for NULL); CL_SUCCESS gives CNN_OK. Shortage of memory is found
 * by cnn_buffer_init(), which tells it as CNN_ERROR_MEMORY. */
cnn_status cnn_opencl_check(cl_int code, const char *call, const cnn_device *device);

/* Appends "; " and what is to do about such an error on this device, where that is known. */
void cnn_opencl_advise(cnn_text *text, cl_int code, const cnn_device *device);

/* "CL_OUT_OF_RESOURCES"; "unknown OpenCL error" for a code that is not in the table. */
const char *cnn_opencl_error_name(cl_int code);

#endif
