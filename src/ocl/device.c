/* An open device: context, queue, kernel class. */
#include "ocl/device.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "ocl/device_list.h"
#include "ocl/program.h"

/* llvmpipe plays a GPU: it ends a kernel's loops after 65,535 rounds in all without an error (seen
 * with Mesa 22.3), so its work-items must be short, and even then it is for tests. */
static bool is_llvmpipe(const cnn_device *device)
{
    return cnn_contains_ignoring_case(device->info.name, "llvmpipe");
}

static cnn_status choose_kernel_class(cnn_device *device)
{
    bool runs_on_cpu = device->info.type == CNN_DEVICE_CPU && !is_llvmpipe(device);
    device->kernel_class = runs_on_cpu ? CNN_KERNEL_CPU : CNN_KERNEL_GPU;
    if (is_llvmpipe(device))
        cnn_log(CNN_LOG_WARNING,
                "%s cuts long loops short without an error: it is fit for tests of "
                "small networks alone; use pocl (package pocl-opencl-icd)",
                device->info.name);
    const char *wanted = getenv("CNN_CL_KERNEL_CLASS");
    if (!wanted || !*wanted)
        return CNN_OK;
    bool cpu = strcmp(wanted, "cpu") == 0;
    if (!cpu && strcmp(wanted, "gpu") != 0)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "CNN_CL_KERNEL_CLASS: expected cpu or gpu, found \"%s\"", wanted);
    device->kernel_class = cpu ? CNN_KERNEL_CPU : CNN_KERNEL_GPU;
    return CNN_OK;
}

bool cnn_device_is_pocl(const cnn_device *device)
{
    return strcmp(device->info.platform_name, "Portable Computing Language") == 0;
}

static void find_lanes(cnn_device *device)
{
    cl_uint lanes = 0;
    if (clGetDeviceInfo(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes,
                        NULL) != CL_SUCCESS)
        lanes = 0;
    device->lanes = lanes > 0 ? (int)lanes : 1;
}

static cnn_status open_device(cnn_device *device, const cnn_device_entry *entry)
{
    device->platform = entry->platform;
    device->id = entry->id;
    device->info = entry->info;
    device->own_builtins = cnn_device_is_pocl(device);
    find_lanes(device);
    cnn_status status = choose_kernel_class(device);
    if (status != CNN_OK)
        return status;
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM,
                                                (cl_context_properties)device->platform, 0};
    cl_int code;
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    status = cnn_opencl_check(code, "clCreateContext", device);
    if (status != CNN_OK)
        return status;
    device->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    return cnn_opencl_check(code, "clCreateCommandQueue", device);
}

static bool is_in_child(const cnn_device *device)
{
    return device && device->process != (long)getpid();
}

cnn_status cnn_device_check_process(const cnn_device *device)
{
    if (!is_in_child(device))
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DEVICE,
                    "%s: expected to be used in process %ld, which opened it, found process %ld: "
                    "OpenCL does not survive fork(); start a program, or open devices after it",
                    device->info.name, device->process, (long)getpid());
}

bool cnn_abandon_in_child(void *handle, const cnn_device *device)
{
    static void **kept; /* known to checkers of leaks */
    static size_t count;
    if (!is_in_child(device))
        return false;
    void **longer = realloc(kept, (count + 1) * sizeof *kept);
    if (longer) {
        kept = longer;
        kept[count++] = handle;
    }
    return true;
}

cnn_status cnn_device_create(cnn_device **device, const char *selector)
{
    CNN_NEED(device);
    cnn_status status = CNN_OK;
    cnn_device_list *list = NULL;
    cnn_device *opened = NULL;
    size_t index;

    *device = NULL;
    CNN_TRY(cnn_device_list_create(&list));
    CNN_TRY(cnn_device_list_pick(&index, list, selector));
    CNN_TRY(cnn_allocate(&opened, 1, sizeof *opened, "a device"));
    opened->process = (long)getpid();
    CNN_TRY(open_device(opened, &list->entries[index]));
    *device = opened;
    opened = NULL;

out:
    cnn_device_destroy(opened);
    cnn_device_list_destroy(list);
    return status;
}

void cnn_device_destroy(cnn_device *device)
{
    if (!device || cnn_abandon_in_child(device, device))
        return;
    if (device->queue)
        clFinish(device->queue);
    if (device->at_destroy)
        device->at_destroy(device);
    cnn_program_cache_destroy(device);
    if (device->queue)
        clReleaseCommandQueue(device->queue);
    if (device->context)
        clReleaseContext(device->context);
    free(device);
}

const cnn_device_info *cnn_device_get_info(const cnn_device *device)
{
    if (!device)
        return NULL;
    return &device->info;
}

const char *cnn_device_tuning(const cnn_device *device)
{
    if (!device)
        return "";
    return *device->tuning ? device->tuning : "default";
}

/* What OpenCL leaves to the device. */
static cnn_status check_floats(const cnn_device *device)
{
    static const struct {
        cl_device_fp_config bit;
        const char *name;
    } wanted[] = {{CL_FP_DENORM, "denormals"},
                  {CL_FP_INF_NAN, "infinities and NaN"},
                  {CL_FP_ROUND_TO_NEAREST, "rounding to nearest"}};
    cl_device_fp_config has = 0;
    cnn_status status = cnn_opencl_check(
        clGetDeviceInfo(device->id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof has, &has, NULL),
        "clGetDeviceInfo", device);
    for (size_t i = 0; status == CNN_OK && i < sizeof wanted / sizeof wanted[0]; i++)
        if (!(has & wanted[i].bit))
            status = cnn_fail(
                CNN_ERROR_DEVICE,
                "--exact: expected a device whose floats have %s, found %s (%d:%d), "
                "whose driver says that they do not: take another device, or leave it "
                "out",
                wanted[i].name, device->info.name, device->info.platform, device->info.device);
    return status;
}

cnn_status cnn_device_use_exact(cnn_device *device, bool exact)
{
    CNN_NEED(device);
    cnn_status status = cnn_device_check_process(device);
    if (status == CNN_OK && exact)
        status = check_floats(device);
    if (status == CNN_OK)
        device->exact = exact;
    return status;
}

cnn_status cnn_device_finish(cnn_device *device)
{
    return cnn_opencl_check(clFinish(device->queue), "clFinish", device);
}
