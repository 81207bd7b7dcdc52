/* Every device of every platform. */
#include "ocl/device_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "ocl/device.h"

/* What the loader says where no platform is installed: cl_khr_icd. */
enum { NO_PLATFORM = -1001 };

static const char *const type_names[] = {
    [CNN_DEVICE_DISCRETE_GPU] = "discrete GPU",
    [CNN_DEVICE_INTEGRATED_GPU] = "integrated GPU",
    [CNN_DEVICE_ACCELERATOR] = "accelerator",
    [CNN_DEVICE_CPU] = "CPU",
    [CNN_DEVICE_OTHER] = "other",
};

const char *cnn_device_type_name(cnn_device_type type)
{
    size_t count = sizeof type_names / sizeof type_names[0];
    return (size_t)type < count ? type_names[type] : "other";
}

static cnn_status append_entries(cnn_device_list *list, int platform_number,
                                 cl_platform_id platform, const char *platform_name,
                                 const cl_device_id *ids, size_t count)
{
    cnn_device_entry *entries =
        realloc(list->entries, (list->total + count) * sizeof *list->entries);
    if (!entries)
        return cnn_fail_memory((list->total + count) * sizeof *entries, "the list of devices");
    list->entries = entries;
    for (size_t i = 0; i < count; i++) {
        cnn_device_entry *entry = &entries[list->total++];
        *entry = (cnn_device_entry){0};
        cnn_device_entry_read(entry, platform, ids[i]);
        entry->info.platform = platform_number;
        entry->info.device = (int)i;
        snprintf(entry->info.platform_name, sizeof entry->info.platform_name, "%s", platform_name);
    }
    return CNN_OK;
}

/* A platform that fails is a problem to mention, not the end of the list. */
static cnn_status add_platform(cnn_device_list *list, cnn_text *problems, int number,
                               cl_platform_id platform)
{
    char name[sizeof list->entries->info.platform_name];
    cnn_device_platform_name(name, sizeof name, platform);
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && count == 0)) {
        cnn_text_append(problems, "; platform %d (%s) has no device", number, name);
        return CNN_OK;
    }
    cl_device_id *ids = NULL;
    if (code == CL_SUCCESS) {
        cnn_status status = cnn_allocate(&ids, count, sizeof *ids, "the list of devices");
        if (status != CNN_OK)
            return status;
        code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids, NULL);
    }
    cnn_status status = CNN_OK;
    if (code == CL_SUCCESS)
        status = append_entries(list, number, platform, name, ids, count);
    else
        cnn_text_append(problems, "; platform %d (%s): clGetDeviceIDs: %s (%d)", number, name,
                        cnn_opencl_error_name(code), code);
    free(ids);
    return status;
}

static cnn_status get_platforms(cl_platform_id **platforms, cl_uint *count)
{
    *count = 0;
    cl_int code = clGetPlatformIDs(0, NULL, count);
    if (code == NO_PLATFORM)
        *count = 0;
    if (code == NO_PLATFORM || (code == CL_SUCCESS && *count == 0))
        return CNN_OK;
    cnn_status status = cnn_opencl_check(code, "clGetPlatformIDs", NULL);
    if (status == CNN_OK)
        status = cnn_allocate(platforms, *count, sizeof **platforms, "the list of platforms");
    if (status == CNN_OK)
        status =
            cnn_opencl_check(clGetPlatformIDs(*count, *platforms, NULL), "clGetPlatformIDs", NULL);
    return status;
}

cnn_status cnn_device_list_create(cnn_device_list **list)
{
    CNN_NEED(list);
    cnn_status status = CNN_OK;
    cnn_device_list *made = NULL;
    cl_platform_id *platforms = NULL;
    cl_uint count = 0;
    cnn_text problems = {0};

    *list = NULL;
    CNN_TRY(cnn_allocate(&made, 1, sizeof *made, "the list of devices"));
    CNN_TRY(get_platforms(&platforms, &count));
    for (cl_uint i = 0; i < count; i++)
        CNN_TRY(add_platform(made, &problems, (int)i, platforms[i]));
    CNN_TRY(cnn_device_list_rank(made));
    CNN_TRY(cnn_text_take(&made->problems, &problems));
    *list = made;
    made = NULL;

out:
    cnn_text_finish(&problems);
    free(platforms);
    cnn_device_list_destroy(made);
    return status;
}

void cnn_device_list_destroy(cnn_device_list *list)
{
    if (!list)
        return;
    free(list->entries);
    free(list->problems);
    free(list);
}

size_t cnn_device_list_count(const cnn_device_list *list)
{
    if (!list)
        return 0;
    return list->count;
}

size_t cnn_device_list_total(const cnn_device_list *list)
{
    if (!list)
        return 0;
    return list->total;
}

const cnn_device_info *cnn_device_list_get(const cnn_device_list *list, size_t index)
{
    if (!list || index >= list->total)
        return NULL;
    return &list->entries[index].info;
}
