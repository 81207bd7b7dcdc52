/* What a driver says about one device. */
#include "ocl/device_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ocl/device.h"

/* Drivers put blanks, and now and then bytes that are no text, around their names. */
static void copy_clean(char *target, size_t size, const char *source)
{
    while (*source && !cnn_is_graphic(*source))
        source++;
    size_t length = 0;
    for (; *source && length + 1 < size; source++) {
        unsigned char byte = (unsigned char)*source;
        char letter = (char)byte;
        if (byte >= 0x80)
            letter = '?';
        else if (!cnn_is_graphic(letter))
            letter = ' ';
        target[length++] = letter;
    }
    while (length > 0 && target[length - 1] == ' ')
        length--;
    target[length] = '\0';
}

void cnn_device_platform_name(char *name, size_t size, cl_platform_id platform)
{
    char text[1024] = "";
    if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof text - 1, text, NULL) != CL_SUCCESS)
        snprintf(text, sizeof text, "unnamed");
    copy_clean(name, size, text);
}

/* The queries of one device; the first that fails is kept, with its parameter's name. */
struct inquiry {
    cl_device_id id;
    cl_int code;
    const char *failed;
};

static void ask(struct inquiry *inquiry, cl_device_info parameter, const char *name, void *value,
                size_t size)
{
    cl_int code = clGetDeviceInfo(inquiry->id, parameter, size, value, NULL);
    if (code != CL_SUCCESS && inquiry->code == CL_SUCCESS) {
        inquiry->code = code;
        inquiry->failed = name;
    }
}

static void ask_string(struct inquiry *inquiry, cl_device_info parameter, const char *name,
                       char *string, size_t size)
{
    char text[1024] = "";
    ask(inquiry, parameter, name, text, sizeof text - 1);
    copy_clean(string, size, text);
}

#define ASK(inquiry, parameter, value) ask(inquiry, parameter, #parameter, value, sizeof *(value))
#define ASK_STRING(inquiry, parameter, string)                                                     \
    ask_string(inquiry, parameter, #parameter, string, sizeof(string))

/* "OpenCL 3.0 PoCL HSTR ..." to "3.0". */
static void shorten_version(char version[64])
{
    static const char prefix[] = "OpenCL ";
    if (strncmp(version, prefix, sizeof prefix - 1) == 0)
        memmove(version, version + sizeof prefix - 1, strlen(version) + 2 - sizeof prefix);
    version[strcspn(version, " ")] = '\0';
}

static cnn_device_type type_of(cl_device_type bits, cl_bool unified, const char *name)
{
    if (cnn_device_is_software(name))
        return CNN_DEVICE_CPU;
    if (bits & CL_DEVICE_TYPE_GPU)
        return unified ? CNN_DEVICE_INTEGRATED_GPU : CNN_DEVICE_DISCRETE_GPU;
    if (bits & CL_DEVICE_TYPE_ACCELERATOR)
        return CNN_DEVICE_ACCELERATOR;
    return bits & CL_DEVICE_TYPE_CPU ? CNN_DEVICE_CPU : CNN_DEVICE_OTHER;
}

/* Khronos' extension and NVIDIA's; a driver without them answers with an error. */
static void ask_pci(cnn_pci_address *pci, cl_device_id id)
{
    enum { PCI_BUS_INFO_KHR = 0x410F, PCI_BUS_ID_NV = 0x4008, PCI_SLOT_ID_NV = 0x4009 };
    cl_uint address[4], bus, slot;
    if (clGetDeviceInfo(id, PCI_BUS_INFO_KHR, sizeof address, address, NULL) == CL_SUCCESS)
        *pci = (cnn_pci_address){true, address[0], address[1], address[2], address[3]};
    else if (clGetDeviceInfo(id, PCI_BUS_ID_NV, sizeof bus, &bus, NULL) == CL_SUCCESS &&
             clGetDeviceInfo(id, PCI_SLOT_ID_NV, sizeof slot, &slot, NULL) == CL_SUCCESS)
        *pci = (cnn_pci_address){true, 0, bus, slot >> 3, slot & 7};
}

/* Version strings compare as "major.minor". */
static bool is_below_1_2(const char *version)
{
    int major = 0, minor = 0;
    return sscanf(version, "%d.%d", &major, &minor) != 2 || major < 1 || (major == 1 && minor < 2);
}

static void judge(cnn_device_info *info, const struct inquiry *inquiry)
{
    cl_bool available = CL_TRUE, compiler = CL_TRUE, little = CL_TRUE;
    struct inquiry judged = *inquiry;
    ASK(&judged, CL_DEVICE_AVAILABLE, &available);
    ASK(&judged, CL_DEVICE_COMPILER_AVAILABLE, &compiler);
    ASK(&judged, CL_DEVICE_ENDIAN_LITTLE, &little);
    if (judged.code != CL_SUCCESS)
        snprintf(info->reason, sizeof info->reason, "%s cannot be asked: %s (%d)", judged.failed,
                 cnn_opencl_error_name(judged.code), judged.code);
    else if (!available)
        snprintf(info->reason, sizeof info->reason, "the driver says that it is not available");
    else if (!compiler)
        snprintf(info->reason, sizeof info->reason, "its driver has no OpenCL C compiler");
    else if (!little)
        snprintf(info->reason, sizeof info->reason, "it is big-endian");
    else if (is_below_1_2(info->opencl))
        snprintf(info->reason, sizeof info->reason, "OpenCL %s, but 1.2 is needed", info->opencl);
    else if (info->type == CNN_DEVICE_OTHER)
        snprintf(info->reason, sizeof info->reason, "neither a GPU, an accelerator nor a CPU");
    info->usable = info->reason[0] == '\0';
}

void cnn_device_entry_read(cnn_device_entry *entry, cl_platform_id platform, cl_device_id id)
{
    cnn_device_info *info = &entry->info;
    struct inquiry inquiry = {.id = id};
    cl_device_type type = 0;
    cl_bool unified = CL_FALSE;
    cl_uint units = 0, clock = 0;
    cl_ulong memory = 0, largest = 0, local = 0;

    entry->platform = platform;
    entry->id = id;
    ASK_STRING(&inquiry, CL_DEVICE_NAME, info->name);
    ASK_STRING(&inquiry, CL_DEVICE_VENDOR, info->vendor);
    ASK_STRING(&inquiry, CL_DRIVER_VERSION, info->driver);
    ASK_STRING(&inquiry, CL_DEVICE_VERSION, info->opencl);
    ASK(&inquiry, CL_DEVICE_TYPE, &type);
    ASK(&inquiry, CL_DEVICE_HOST_UNIFIED_MEMORY, &unified);
    ASK(&inquiry, CL_DEVICE_MAX_COMPUTE_UNITS, &units);
    ASK(&inquiry, CL_DEVICE_MAX_CLOCK_FREQUENCY, &clock);
    ASK(&inquiry, CL_DEVICE_GLOBAL_MEM_SIZE, &memory);
    ASK(&inquiry, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &largest);
    ASK(&inquiry, CL_DEVICE_LOCAL_MEM_SIZE, &local);
    ASK(&inquiry, CL_DEVICE_MAX_WORK_GROUP_SIZE, &info->max_work_group);
    shorten_version(info->opencl);
    info->type = type_of(type, unified, info->name);
    info->compute_units = units;
    info->clock_mhz = clock;
    info->memory = memory;
    info->max_allocation = largest;
    info->local_memory = local;
    info->twin = -1;
    ask_pci(&entry->pci, id);
    judge(info, &inquiry);
}
