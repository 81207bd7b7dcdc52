/* The environment, the hardware's nodes and the caches. */
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/file.h"
#include "base/status.h"
#include "doctor/doctor.h"
#include "doctor/packages.h"
#include "ocl/loader.h"

/* What each variable does; `hides`: devices may be missing because of it. */
static const struct {
    const char *name, *meaning;
    bool hides;
} variables[] = {
    {"OCL_ICD_VENDORS", "where the loader finds drivers", true},
    {"OPENCL_VENDOR_PATH", "the loader's folder of .icd files", true},
    {"OCL_ICD_FILENAMES", "the loader's further libraries", false},
    {"OCL_ICD_PLATFORM_SORT", "the order of platforms", false},
    {"OCL_ICD_DEFAULT_PLATFORM", "the default platform", false},
    {"OPENCL_LAYERS", "libraries between programs and drivers", false},
    {"RUSTICL_ENABLE", "the drivers that rusticl shows", false},
    {"RUSTICL_DEVICE_TYPE", "what rusticl's devices say they are", false},
    {"LD_LIBRARY_PATH", "where libraries are looked for first: another loader or driver, perhaps",
     true},
    {"POCL_DEVICES", "the devices that pocl shows", true},
    {"POCL_CACHE_DIR", "pocl's cache of compiled kernels", false},
    {"POCL_KERNEL_CACHE", "whether pocl keeps compiled kernels", false},
    {"CUDA_VISIBLE_DEVICES", "the devices that NVIDIA's driver shows", true},
    {"NVIDIA_VISIBLE_DEVICES", "the devices that a container gets", false},
    {"GPU_DEVICE_ORDINAL", "the devices that AMD's driver shows", true},
    {"ROCR_VISIBLE_DEVICES", "the devices that ROCm shows", true},
    {"HIP_VISIBLE_DEVICES", "the devices that HIP shows", false},
    {"HSA_OVERRIDE_GFX_VERSION", "the card that ROCm takes this one for", false},
    {"ZE_AFFINITY_MASK", "the devices that Intel's Level Zero shows", false},
    {"CNN_CL_DEVICE", "the default of --device", false},
    {"CNN_CL_KERNEL_CLASS", "kernels for CPUs or GPUs, whatever the device", false},
    {"CNN_CL_KERNEL_DIR", "the folder of the kernels", false},
    {"CNN_CL_CACHE_DIR", "cnn-cl's cache folder", false},
    {"CNN_CL_CACHE_LIMIT", "what decoded pictures may take there, in MiB", false},
    {"CNN_CL_DATA_MEMORY", "what a data set's pictures may take in memory, in MiB", false},
};

cnn_status cnn_doctor_look_at_variables(cnn_doctor *doctor)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < sizeof variables / sizeof variables[0]; i++) {
        const char *name = variables[i].name, *value = getenv(name);
        char remedy[64] = "";
        if (!value)
            continue;
        bool loaders = strstr(name, "OCL_ICD_") == name || strstr(name, "OPENCL_") == name;
        bool unread = loaders && !cnn_loader_reads(name);
        if (variables[i].hides || unread)
            snprintf(remedy, sizeof remedy, "unset %s", name);
        status =
            cnn_doctor_add(doctor, CNN_FINDING_NOTE, "variable", remedy, "%s=%s: %s%s", name, value,
                           variables[i].meaning, unread ? "; this loader does not read it" : "");
    }
    return status;
}

/* What lets the user in: the node's group, where that is let in. */
static void write_remedy(char *remedy, size_t size, const char *path)
{
    enum { LETS_IN = S_IRGRP | S_IWGRP };
    struct stat info = {0};
    struct group *group = stat(path, &info) == 0 ? getgrgid(info.st_gid) : NULL;
    if (info.st_gid == 0 || (info.st_mode & LETS_IN) != LETS_IN)
        snprintf(remedy, size, "chmod a+rw %s as root", path);
    else if (group)
        snprintf(remedy, size, "usermod -aG %s USER as root, and log in again", group->gr_name);
    else
        snprintf(remedy, size,
                 "the node's group has no name here: start the container with --group-add %lu",
                 (unsigned long)info.st_gid);
}

static cnn_status look_at_node(cnn_doctor *doctor, const char *path)
{
    char remedy[PATH_MAX + 64];
    if (access(path, R_OK | W_OK) == 0)
        return cnn_doctor_add(doctor, CNN_FINDING_GOOD, "permission", "",
                              "%s can be read and written", path);
    int error = errno;
    write_remedy(remedy, sizeof remedy, path);
    return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "permission", remedy,
                          "%s cannot be read and written: %s", path, strerror(error));
}

static cnn_status look_at_nodes(cnn_doctor *doctor, const char *root)
{
    glob_t nodes;
    cnn_status status = cnn_device_nodes_find(&nodes, root);
    for (size_t i = 0; status == CNN_OK && i < nodes.gl_pathc; i++)
        status = look_at_node(doctor, nodes.gl_pathv[i]);
    globfree(&nodes);
    return status;
}

/* Is there a file that fits the pattern? */
static bool has_any(const char *root, const char *pattern)
{
    char *path;
    if (cnn_path_join(&path, root, pattern) != CNN_OK)
        return false;
    glob_t found = {0};
    bool any = glob(path, 0, NULL, &found) == 0;
    globfree(&found);
    free(path);
    return any;
}

/* NVIDIA's CUDA, OpenCL's ground, calls nvidia-modprobe for this node where that is installed. */
static cnn_status look_for_uvm(cnn_doctor *doctor, const char *root)
{
    if (!has_any(root, "dev/nvidia[0-9]*") || has_any(root, "dev/nvidia-uvm"))
        return CNN_OK;
    return cnn_doctor_add(doctor, CNN_FINDING_NOTE, "hardware",
                          "nvidia-modprobe -u -c=0 as root; into a container pass --gpus all",
                          "a card of NVIDIA has its node, but there is no /dev/nvidia-uvm, which "
                          "NVIDIA's OpenCL needs");
}

/* A number of sysfs, "0x8086"; 0 where it cannot be read. */
static unsigned long read_number(const char *folder, const char *name)
{
    char *path;
    void *data;
    size_t size;
    enum { MAX_NUMBER = 4096 };
    if (cnn_path_join(&path, folder, name) != CNN_OK)
        return 0;
    unsigned long number = 0;
    if (cnn_file_read(&data, &size, path, MAX_NUMBER) == CNN_OK) {
        number = strtoul(data, NULL, 16);
        free(data);
    }
    free(path);
    return number;
}

static bool has_driver(const cnn_icd_list *icds, unsigned long vendor)
{
    for (size_t i = 0; i < icds->count; i++)
        for (const cnn_package *row = cnn_packages; row->library; row++)
            if (row->vendor == vendor && icds->icds[i].library &&
                cnn_contains_ignoring_case(icds->icds[i].library, row->library))
                return true;
    return false;
}

/* The node that a vendor's driver reaches a card through, and how it comes there. */
static const struct {
    unsigned vendor;
    const char *node, *remedy;
} ways[] = {
    {CNN_VENDOR_NVIDIA, "dev/nvidia[0-9]*",
     "modprobe nvidia as root (package nvidia-driver); into a container pass --gpus all"},
    {CNN_VENDOR_AMD, "dev/dri/renderD*",
     "modprobe amdgpu as root; into a container pass --device /dev/dri --device /dev/kfd"},
    {CNN_VENDOR_INTEL, "dev/dri/renderD*",
     "modprobe i915 (xe for the latest cards) as root; into a container pass --device /dev/dri"},
};

/* A display or compute adapter. Intel's accelerators are NPUs, which OpenCL does not reach. */
static bool is_card(const char *folder, unsigned long vendor)
{
    enum { DISPLAY = 0x03, ACCELERATOR = 0x12 };
    unsigned long kind = read_number(folder, "class") >> 16;
    return kind == DISPLAY || (kind == ACCELERATOR && vendor != CNN_VENDOR_INTEL);
}

/* "apt install rocm-opencl-icd, or mesa-opencl-icd" */
static void write_packages(char *remedy, size_t size, unsigned vendor)
{
    *remedy = '\0';
    for (const cnn_package *row = cnn_packages; row->library; row++)
        if (row->vendor == vendor && !strstr(remedy, row->name))
            snprintf(remedy + strlen(remedy), size - strlen(remedy), "%s%s",
                     *remedy ? ", or " : "apt install ", row->name);
}

/* A card on the PCI bus, of a vendor that is known: its driver among the .icd files, its node. */
static cnn_status look_at_card(cnn_doctor *doctor, const char *folder, const cnn_icd_list *icds,
                               const char *root)
{
    char remedy[160];
    size_t way = 0, count = sizeof ways / sizeof ways[0];
    unsigned long vendor = read_number(folder, "vendor");
    while (way < count && ways[way].vendor != vendor)
        way++;
    if (way == count || !is_card(folder, vendor))
        return CNN_OK;
    const char *slot = strrchr(folder, '/') + 1;
    write_packages(remedy, sizeof remedy, ways[way].vendor);
    if (!has_driver(icds, vendor))
        return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "hardware", remedy,
                              "the card at %s (vendor %04lx) has no OpenCL driver", slot, vendor);
    if (!has_any(root, ways[way].node))
        return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "hardware", ways[way].remedy,
                              "the card at %s (vendor %04lx) has no node /%s", slot, vendor,
                              ways[way].node);
    return cnn_doctor_add(doctor, CNN_FINDING_GOOD, "hardware", "",
                          "the card at %s (vendor %04lx) has a driver", slot, vendor);
}

cnn_status cnn_doctor_look_at_hardware(cnn_doctor *doctor, const char *root)
{
    cnn_icd_list icds = {0};
    glob_t found = {0};
    char *pattern = NULL;
    size_t before = doctor->finding_count;
    cnn_status status = CNN_OK;
    CNN_TRY(look_at_nodes(doctor, root));
    CNN_TRY(look_for_uvm(doctor, root));
    CNN_TRY(cnn_icd_list_create(&icds));
    CNN_TRY(cnn_path_join(&pattern, root, "sys/bus/pci/devices/*"));
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            CNN_TRY(look_at_card(doctor, found.gl_pathv[i], &icds, root));
    if (doctor->finding_count == before)
        status = cnn_doctor_add(doctor, CNN_FINDING_NOTE, "hardware",
                                "into a container pass --device /dev/dri, /dev/kfd, or --gpus all",
                                "no GPU is seen: neither on the PCI bus nor in /dev");
out:
    globfree(&found);
    free(pattern);
    cnn_icd_list_finish(&icds);
    return status;
}

/* Bytes free where a folder is, or would be made. */
static bool find_room(uint64_t *bytes, const char *folder)
{
    struct statvfs info;
    if (statvfs(folder, &info) == 0) {
        *bytes = (uint64_t)info.f_bavail * info.f_frsize;
        return true;
    }
    char *parent;
    if (strcmp(folder, ".") == 0 || strcmp(folder, "/") == 0 ||
        cnn_path_directory(&parent, folder) != CNN_OK)
        return false;
    bool known = find_room(bytes, parent);
    free(parent);
    return known;
}

static cnn_status look_at_cache(cnn_doctor *doctor, const char *whose, const char *folder,
                                const char *variable, const char *cost)
{
    enum { LITTLE = 100 << 20 };
    char remedy[96], room[32];
    uint64_t bytes = 0;
    snprintf(remedy, sizeof remedy, "export %s= to a folder that can be written and has room",
             variable);
    if (!folder)
        return cnn_doctor_add(doctor, CNN_FINDING_NOTE, "cache", remedy,
                              "%s cache has no place, as HOME is not set: %s", whose, cost);
    const char *trouble = cnn_folder_trouble(folder);
    if (trouble)
        return cnn_doctor_add(doctor, CNN_FINDING_NOTE, "cache", remedy, "%s cache %s %s: %s",
                              whose, folder, trouble, cost);
    bool known = find_room(&bytes, folder);
    cnn_format_bytes(room, bytes);
    bool little = known && bytes < LITTLE;
    return cnn_doctor_add(doctor, little ? CNN_FINDING_NOTE : CNN_FINDING_GOOD, "cache",
                          little ? "free some space there" : "", "%s cache %s: %s free", whose,
                          folder, known ? room : "an unknown amount");
}

cnn_status cnn_doctor_look_at_caches(cnn_doctor *doctor)
{
    char *own = NULL, *pocl = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_cache_folder(&own));
    CNN_TRY(cnn_pocl_cache_folder(&pocl));
    CNN_TRY(look_at_cache(doctor, "cnn-cl's", own, "CNN_CL_CACHE_DIR",
                          "devices are checked before every training"));
    status = look_at_cache(doctor, "pocl's", pocl, "POCL_CACHE_DIR",
                           "pocl builds no program then, or shows no device");
out:
    free(own);
    free(pocl);
    return status;
}
