/* The drivers that the loader is told of: each is loaded and asked in a child of its own, then all
 * together. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "doctor/doctor.h"
#include "doctor/packages.h"
#include "doctor/probe.h"
#include "ocl/device_list.h"
#include "ocl/loader.h"

/* In a child: one line for each device, or what is wrong with the platforms. */
static void list_devices(FILE *out)
{
    cnn_device_list *list;
    if (cnn_device_list_create(&list) != CNN_OK) {
        fprintf(out, "problem %s\n", cnn_error_message());
        return;
    }
    for (size_t i = 0; i < list->total; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        if (info->usable)
            fprintf(out, "device %s\n", info->name);
        else
            fprintf(out, "problem %s is not usable: %s\n", info->name, info->reason);
    }
    if (*list->problems)
        fprintf(out, "problem %s\n", list->problems + strlen("; "));
    /* The list is left to the process's end: some drivers crash when they are let go. */
}

static void list_all(FILE *out, const void *user)
{
    (void)user;
    list_devices(out);
}

/* Has the loader know this driver alone. */
static void choose_driver(const cnn_icd *icd)
{
    if (cnn_loader_reads("OCL_ICD_FILENAMES")) {
        setenv("OCL_ICD_VENDORS", "/dev/null", 1);
        setenv("OCL_ICD_FILENAMES", icd->library, 1);
    } else {
        setenv("OCL_ICD_VENDORS", icd->file ? icd->file : icd->library, 1);
    }
}

static void load_driver(FILE *out, const void *user)
{
    const cnn_icd *icd = user;
    void *library = dlopen(icd->library, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(out, "absent %s\n", dlerror());
        return;
    }
    bool entry = dlsym(library, "clGetExtensionFunctionAddress") != NULL ||
                 dlsym(library, "clIcdGetPlatformIDsKHR") != NULL;
    fprintf(out, entry ? "loaded\n" : "foreign\n");
    fflush(out);
    if (!entry)
        return;
    choose_driver(icd);
    list_devices(out);
}

/* What follows `word` on the first line that begins with it, in a buffer; NULL where none does. */
static const char *find_line(char *line, size_t size, const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (strncmp(at, word, length) != 0 || (at[length] != ' ' && at[length] != '\n'))
            continue;
        at += length + (at[length] == ' ');
        snprintf(line, size, "%.*s", (int)strcspn(at, "\n"), at);
        return line;
    }
    return NULL;
}

static int count_lines(const char *text, const char *word)
{
    int count = 0;
    size_t length = strlen(word);
    for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
        count += strncmp(at, word, length) == 0 && at[length] == ' ';
    return count;
}

/* "/etc/OpenCL/vendors/pocl.icd (libpocl.so.2)" */
static void name_driver(char *name, size_t size, const cnn_icd *icd)
{
    if (icd->file)
        snprintf(name, size, "%s (%s)", icd->file, icd->library);
    else
        snprintf(name, size, "%s", icd->library);
}

/* "hangs", "crashes (signal 11)": of a probe that did not come to its end. */
static void describe_end(char *how, size_t size, const cnn_probe *probe)
{
    if (probe->hung)
        snprintf(how, size, "hangs");
    else if (probe->signal != 0)
        snprintf(how, size, "crashes (signal %d)", probe->signal);
    else
        snprintf(how, size, "ends the process (exit code %d)", probe->code);
}

static cnn_status add_crash(cnn_doctor *doctor, const cnn_probe *probe, const char *name,
                            const char *library)
{
    char how[64], remedy[320], package[96];
    describe_end(how, sizeof how, probe);
    snprintf(remedy, sizeof remedy,
             "%s; or leave it out: OCL_ICD_VENDORS=FILE.icd names the one driver to use",
             cnn_package_remedy(package, sizeof package, library));
    char line[8];
    bool loaded = find_line(line, sizeof line, probe->text, "loaded") != NULL;
    return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "driver", remedy, "%s %s %s", name, how,
                          loaded ? "when it is asked for its devices" : "when it is loaded");
}

/* A library is there, and does not fit under the limit of memory. */
static bool is_for_memory(const char *why)
{
    uint64_t bytes;
    return cnn_memory_is_limited(&bytes) &&
           (strstr(why, "failed to map segment") ||
            cnn_contains_ignoring_case(why, "cannot allocate memory"));
}

/* dlopen()'s message names the file that is missing: the driver itself, or what it needs. */
static cnn_status add_absent(cnn_doctor *doctor, const char *name, const cnn_icd *icd,
                             const char *why)
{
    char remedy[320], package[96];
    size_t length = strlen(icd->library);
    bool itself = strncmp(why, icd->library, length) == 0 && why[length] == ':' &&
                  strstr(why, "No such file");
    cnn_package_remedy(package, sizeof package, icd->library);
    if (is_for_memory(why))
        snprintf(remedy, sizeof remedy, "ulimit -v unlimited, as memory is limited");
    else if (itself && icd->file)
        snprintf(remedy, sizeof remedy, "%s; or, if it was removed: rm %s", package, icd->file);
    else if (itself)
        snprintf(remedy, sizeof remedy, "%s; or correct the variable that names it", package);
    else
        snprintf(remedy, sizeof remedy, "%s; 'ldd' on the library shows what it lacks", package);
    return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "driver", remedy, "%s does not load: %s",
                          name, why);
}

/* A driver that loads and has no device: mostly its hardware is not there, or may not be used. The
 * first row that fits; a row with a variable fits where that is not set. */
static const char *no_device_remedy(const char *library)
{
    static const struct {
        const char *part, *variable, *remedy;
    } rows[] = {
        {"rusticl", "RUSTICL_ENABLE",
         "for a GPU of AMD or Intel: export RUSTICL_ENABLE=radeonsi, or iris"},
        {"rusticl", NULL,
         "usermod -aG render USER as root, and log in again, as it needs /dev/dri/renderD*; "
         "RUSTICL_ENABLE is radeonsi for a GPU of AMD's, iris for one of Intel's"},
        {"MesaOpenCL", NULL,
         "export RUSTICL_ENABLE=radeonsi, or iris, for rusticl of the same package: this one knows "
         "AMD's Radeons alone"},
        {"pocl", NULL, "export POCL_CACHE_DIR= to a folder that can be written"},
        {"nvidia", NULL,
         "modprobe nvidia as root, and nvidia-smi to see whether it runs; into a container pass "
         "--gpus all"},
        {"igdrcl", NULL,
         "usermod -aG render USER as root, and log in again, as it needs /dev/dri/renderD* of a "
         "GPU of Intel's; for a GPU newer than the driver, a later intel-opencl-icd"},
        {"amdocl", NULL,
         "usermod -aG render,video USER as root, and log in again, as it needs /dev/kfd and "
         "/dev/dri/renderD* of a GPU that ROCm knows; for others apt install mesa-opencl-icd, and "
         "export RUSTICL_ENABLE=radeonsi"},
        {"intelocl", NULL, "apt install pocl-opencl-icd, as it needs a CPU with SSE 4.2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (cnn_contains_ignoring_case(library, rows[i].part) &&
            (!rows[i].variable || !getenv(rows[i].variable)))
            return rows[i].remedy;
    return "none where its hardware is not here; else install this driver again";
}

static cnn_status add_devices(cnn_doctor *doctor, const cnn_probe *probe, const char *name,
                              const cnn_icd *icd)
{
    char line[512];
    int count = count_lines(probe->text, "device");
    if (count > 0) {
        find_line(line, sizeof line, probe->text, "device");
        return cnn_doctor_add(doctor, CNN_FINDING_GOOD, "driver", "", "%s loads: %s%s", name, line,
                              count > 1 ? " and more" : "");
    }
    const char *why = find_line(line, sizeof line, probe->text, "problem");
    return cnn_doctor_add(doctor, CNN_FINDING_NOTE, "driver", no_device_remedy(icd->library),
                          "%s loads, but has no usable device%s%s", name, why ? ": " : "",
                          why ? why : "");
}

static cnn_status look_at_driver(cnn_doctor *doctor, const cnn_icd *icd)
{
    char name[512], line[512], remedy[320];
    cnn_probe probe;
    if (!icd->library || !*icd->library) {
        snprintf(remedy, sizeof remedy, "chmod a+r %s, or reinstall the package that owns it",
                 icd->file);
        return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "driver", remedy, "%s %s", icd->file,
                              icd->library ? "is empty" : "cannot be read");
    }
    name_driver(name, sizeof name, icd);
    cnn_status status = cnn_probe_run(&probe, load_driver, icd);
    if (status != CNN_OK)
        return cnn_doctor_add(
            doctor, CNN_FINDING_NOTE, "driver",
            "ulimit -u and ulimit -n say how many processes and files there may be",
            "%s was not tried: %s", name, cnn_error_message());
    const char *why = find_line(line, sizeof line, probe.text, "absent");
    if (why)
        return add_absent(doctor, name, icd, why);
    if (!probe.ended)
        return add_crash(doctor, &probe, name, icd->library);
    if (find_line(line, sizeof line, probe.text, "foreign"))
        return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "driver",
                              "name an OpenCL driver's library there", "%s is no OpenCL driver",
                              name);
    return add_devices(doctor, &probe, name, icd);
}

/* Two LLVMs in one process, say, do not go together. */
static cnn_status look_at_all(cnn_doctor *doctor)
{
    char how[64];
    cnn_probe probe;
    cnn_status status = cnn_probe_run(&probe, list_all, NULL);
    doctor->can_list = status != CNN_OK || probe.ended;
    if (doctor->can_list)
        return CNN_OK;
    describe_end(how, sizeof how, &probe);
    return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "loader",
                          "export OCL_ICD_VENDORS=FILE.icd with the file of one good driver",
                          "asking all drivers for their devices %s", how);
}

static cnn_status look_at_place(cnn_doctor *doctor, const cnn_icd_list *list)
{
    const char *path = list->variable ? strchr(list->place, '=') + 1 : list->place;
    bool there = cnn_file_exists(path);
    char remedy[128] =
        "apt install pocl-opencl-icd for a CPU, or the OpenCL package of the GPU's vendor";
    if (list->variable)
        snprintf(remedy, sizeof remedy, "unset %s", list->variable);
    if (list->count > 0)
        return cnn_doctor_add(doctor, CNN_FINDING_GOOD, "loader", "", "%s; drivers by %s: %zu",
                              cnn_loader_path(), list->place, list->count);
    return cnn_doctor_add(doctor, CNN_FINDING_PROBLEM, "loader", remedy,
                          "%s finds no driver: %s %s", cnn_loader_path(), list->place,
                          there ? "has no .icd file" : "is not there");
}

cnn_status cnn_doctor_look_at_drivers(cnn_doctor *doctor)
{
    cnn_icd_list list = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_icd_list_create(&list));
    CNN_TRY(look_at_place(doctor, &list));
    for (size_t i = 0; i < list.count; i++)
        CNN_TRY(look_at_driver(doctor, &list.icds[i]));
    status = look_at_all(doctor);
out:
    cnn_icd_list_finish(&list);
    return status;
}
