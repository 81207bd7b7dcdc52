/* Builds programs, and keeps them per device by file and options. Caching on disk is left to the
 * driver. */
#include "ocl/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "ocl/source.h"

/* A list: some dozen programs, asked for at start only. */
struct cnn_program_cache {
    struct cnn_program_cache *next;
    cl_program program;
    char key[]; /* folder, file, options and what else they follow from, a newline after each */
};

/* The driver's log as one line, empty where there is none; to be freed with free(). NULL where
 * memory is out. */
static char *read_log(cl_program program, cl_device_id id)
{
    size_t size = 0;
    clGetProgramBuildInfo(program, id, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    char *log = calloc(size + 1, 1);
    if (log && clGetProgramBuildInfo(program, id, CL_PROGRAM_BUILD_LOG, size, log, NULL) != 0)
        log[0] = '\0';
    if (!log)
        return NULL;
    size_t length = 0;
    bool blank = true; /* no blank at the start, and one at most between words */
    for (const char *at = log; *at; at++) {
        bool space = (unsigned char)*at <= ' ';
        if (!space || !blank)
            log[length++] = (char)(space ? ' ' : *at);
        blank = space;
    }
    log[length > 0 && blank ? length - 1 : length] = '\0';
    return log;
}

/* A build that takes its time is a compilation: no cache had it, and more will follow. */
static void tell_compiling(cnn_device *device, double seconds)
{
    static const double noticeable = 0.3;
    if (seconds < noticeable || device->told_compiling)
        return;
    device->told_compiling = true;
    cnn_log(CNN_LOG_INFO, "compiling kernels for %s: some seconds, the first time for each network",
            device->info.name);
}

/* What every program is built with, then what the caller asks. */
static cnn_status full_options(char **full, const cnn_device *device, const char *options)
{
    cnn_text text = {0};
    cnn_text_append(&text, "-cl-std=CL1.2 -w -DCNN_CPU=%d%s%s%s%s",
                    device->kernel_class == CNN_KERNEL_CPU,
                    device->own_builtins ? " -D_OPENCL_H_ -DOWN_BUILTINS" : "",
                    device->exact ? " -DEXACT" : "", *options ? " " : "", options);
    return cnn_text_take(full, &text);
}

/* code is clBuildProgram()'s, or why there was no program to build. */
static cnn_status build_once(cl_program *program, cl_int *code, cnn_device *device,
                             const char *source, const char *file, const char *full)
{
    *program = clCreateProgramWithSource(device->context, 1, &source, NULL, code);
    cnn_status status = cnn_opencl_check(*code, "clCreateProgramWithSource", device);
    if (status != CNN_OK)
        return status;
    double start = cnn_seconds();
    *code = clBuildProgram(*program, 1, &device->id, full, NULL, NULL);
    double seconds = cnn_seconds() - start;
    device->build_seconds += seconds;
    tell_compiling(device, seconds);
    char *log = read_log(*program, device->id);
    const char *shown = log && *log ? log : "(empty)";
    if (*code != CL_SUCCESS) {
        cnn_text advice = {0};
        cnn_opencl_advise(&advice, *code, device);
        status = cnn_fail(CNN_ERROR_KERNEL,
                          "%s does not build on %s: %s (%d)%s; options: %s; the driver's log: %s",
                          file, device->info.name, cnn_opencl_error_name(*code), *code,
                          advice.data ? advice.data : "", full, shown);
        cnn_text_finish(&advice);
        clReleaseProgram(*program);
        *program = NULL;
    } else {
        cnn_log(CNN_LOG_DEBUG, "built %s, options %s%s%s", file, full, log && *log ? ": " : "",
                log ? log : "");
    }
    free(log);
    return status;
}

/* A compiler that does not take our declarations of built-in functions has its own from then on. */
static cnn_status build(cl_program *program, cnn_device *device, const char *source,
                        const char *file, const char *options)
{
    cl_int code = CL_SUCCESS;
    char *full = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(full_options(&full, device, options));
    status = build_once(program, &code, device, source, file, full);
    if (code == CL_BUILD_PROGRAM_FAILURE && device->own_builtins) {
        cnn_log(CNN_LOG_DEBUG, "%s: once more, with the driver's built-in functions",
                cnn_error_message());
        device->own_builtins = false;
        free(full);
        CNN_TRY(full_options(&full, device, options));
        status = build_once(program, &code, device, source, file, full);
        device->own_builtins = status != CNN_OK; /* they were not what was wrong */
    }
out:
    free(full);
    return status;
}

static cnn_status remember(cnn_device *device, const char *key, cl_program program)
{
    struct cnn_program_cache *row;
    cnn_status status =
        cnn_allocate(&row, 1, sizeof *row + strlen(key) + 1, "the cache of programs");
    if (status != CNN_OK)
        return status;
    strcpy(row->key, key);
    row->program = program;
    row->next = device->programs;
    device->programs = row;
    return CNN_OK;
}

/* From the cache or built; the cache owns it. */
static cnn_status get_program(cl_program *program, cnn_device *device, const char *file,
                              const char *options)
{
    cnn_status status = CNN_OK;
    char *folder = NULL, *key = NULL, *source = NULL;
    cl_program built = NULL;
    cnn_text text = {0};

    CNN_TRY(cnn_kernel_folder(&folder));
    cnn_text_append(&text, "%s\n%s\n%s\n%d\n%d\n", folder, file, options, device->kernel_class,
                    device->exact);
    CNN_TRY(cnn_text_take(&key, &text));
    for (struct cnn_program_cache *row = device->programs; row; row = row->next) {
        if (strcmp(row->key, key) == 0) {
            *program = row->program;
            goto out;
        }
    }
    CNN_TRY(cnn_source_load(&source, folder, file));
    CNN_TRY(build(&built, device, source, file, options));
    CNN_TRY(remember(device, key, built));
    *program = built;
    built = NULL;

out:
    if (built)
        clReleaseProgram(built);
    free(source);
    free(key);
    free(folder);
    return status;
}

void cnn_program_cache_destroy(cnn_device *device)
{
    while (device->programs) {
        struct cnn_program_cache *row = device->programs;
        device->programs = row->next;
        clReleaseProgram(row->program);
        free(row);
    }
}

cnn_status cnn_kernel_set_local_size(cnn_kernel *kernel, size_t wanted)
{
    size_t most = 0, size = 1;
    cl_int code = clGetKernelWorkGroupInfo(kernel->handle, kernel->device->id,
                                           CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL);
    while (2 * size <= wanted && 2 * size <= most)
        size *= 2;
    kernel->local_size = size;
    return cnn_opencl_check(code, "clGetKernelWorkGroupInfo", kernel->device);
}

/* One work-item a group on a CPU; else the work-items of a wave or two, where the kernel's
 * registers allow it. */
static cnn_status choose_local_size(cnn_kernel *kernel)
{
    enum { LOCAL_SIZE = 64 };
    kernel->local_size = 1;
    if (kernel->device->kernel_class == CNN_KERNEL_CPU)
        return CNN_OK;
    size_t most = 0;
    cl_int code = clGetKernelWorkGroupInfo(kernel->handle, kernel->device->id,
                                           CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL);
    if (most > 0)
        kernel->local_size = most < LOCAL_SIZE ? most : LOCAL_SIZE;
    return cnn_opencl_check(code, "clGetKernelWorkGroupInfo", kernel->device);
}

static cnn_status create_kernel(cnn_kernel *kernel, cl_program program, const char *file)
{
    cl_int code;
    kernel->handle = clCreateKernel(program, kernel->name, &code);
    if (code == CL_INVALID_KERNEL_NAME)
        return cnn_fail(CNN_ERROR_KERNEL, "%s: no kernel named %s", file, kernel->name);
    return cnn_opencl_check(code, "clCreateKernel", kernel->device);
}

cnn_status cnn_kernel_init(cnn_kernel *kernel, cnn_device *device, const char *file,
                           const char *options, const char *name)
{
    cnn_status status = CNN_OK;
    cl_program program = NULL;

    *kernel = (cnn_kernel){.device = device};
    if (strlen(name) >= sizeof kernel->name || strlen(options) >= sizeof kernel->options)
        return cnn_fail(CNN_ERROR_KERNEL,
                        "%s: a kernel's name is shorter than %zu characters, its options than %zu: "
                        "%s, %s",
                        file, sizeof kernel->name, sizeof kernel->options, name, options);
    strcpy(kernel->name, name);
    strcpy(kernel->options, options);
    CNN_TRY(get_program(&program, device, file, options));
    CNN_TRY(create_kernel(kernel, program, file));
    CNN_TRY(choose_local_size(kernel));

out:
    if (status != CNN_OK)
        cnn_kernel_finish(kernel);
    return status;
}

void cnn_kernel_finish(cnn_kernel *kernel)
{
    if (kernel->handle)
        clReleaseKernel(kernel->handle);
    *kernel = (cnn_kernel){0};
}
