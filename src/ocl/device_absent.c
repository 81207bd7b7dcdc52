/* Why there is no device: looks at what usually stands in the way. */
#include "ocl/device_list.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static const char default_vendors[] = "/etc/OpenCL/vendors";

enum { MAX_ICD_FILE = 4096 };

/* Nodes through which drivers reach the hardware. */
static const char *const nodes[] = {"/dev/dri/renderD*", "/dev/kfd", "/dev/nvidia[0-9]*",
                                    "/dev/nvidiactl"};

static bool is_set(const char *value)
{
    return value && *value;
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Tells where the OpenCL loader did not load a driver's library. Does not load it itself: a driver
 * built on LLVM that is loaded a second time aborts the process. */
static void examine_library(cnn_text *text, const char *library, bool *pocl)
{
    *pocl = *pocl || cnn_contains_ignoring_case(library, "pocl");
    void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
    if (handle)
        dlclose(handle);
    else
        cnn_text_append(text, " (%s is not loaded: it, or a library that it needs, is missing)",
                        library);
}

/* An ICD file's first line names a library; *pocl is set where it is pocl's. */
static void examine_icd(cnn_text *text, const char *path, bool *pocl)
{
    void *data;
    size_t size;
    if (cnn_file_read(&data, &size, path, MAX_ICD_FILE) != CNN_OK) {
        cnn_text_append(text, " (cannot be read)");
        return;
    }
    char *library = data;
    library[strcspn(library, "\r\n")] = '\0';
    examine_library(text, library, pocl);
    free(data);
}

static void examine_folder(cnn_text *text, const char *folder, bool *pocl)
{
    char *pattern;
    glob_t found = {0};
    if (cnn_path_join(&pattern, folder, "*.icd") != CNN_OK)
        return;
    bool any = glob(pattern, 0, NULL, &found) == 0;
    cnn_text_append(text, any ? " has" : " has no .icd file: no driver is installed there");
    for (size_t i = 0; any && i < found.gl_pathc; i++) {
        cnn_text_append(text, "%s%s", i ? ", " : " ", strrchr(found.gl_pathv[i], '/') + 1);
        examine_icd(text, found.gl_pathv[i], pocl);
    }
    globfree(&found);
    free(pattern);
}

static bool ends_with(const char *string, const char *end)
{
    size_t length = strlen(string), tail = strlen(end);
    return length >= tail && strcmp(string + length - tail, end) == 0;
}

/* Where the loader looks: OCL_ICD_VENDORS is a folder, an .icd file or a library. */
static void examine_vendors(cnn_text *text, bool *pocl)
{
    const char *folder = getenv("OPENCL_VENDOR_PATH"), *vendors = getenv("OCL_ICD_VENDORS");
    folder = is_set(folder) ? folder : default_vendors;
    if (!is_set(vendors)) {
        cnn_text_append(text, "; %s", folder);
        examine_folder(text, folder, pocl);
        return;
    }
    cnn_text_append(text, "; OCL_ICD_VENDORS=%s", vendors);
    char *inside;
    if (cnn_path_join(&inside, folder, vendors) != CNN_OK)
        return;
    bool bare = !strchr(vendors, '/') && cnn_file_exists(inside);
    if (is_directory(vendors))
        examine_folder(text, vendors, pocl);
    else if (ends_with(vendors, ".icd"))
        examine_icd(text, bare ? inside : vendors, pocl);
    else
        examine_library(text, vendors, pocl);
    free(inside);
}

static void examine_nodes(cnn_text *text)
{
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        glob_t found = {0};
        if (glob(nodes[i], 0, NULL, &found) == 0)
            for (size_t j = 0; j < found.gl_pathc; j++)
                if (access(found.gl_pathv[j], R_OK | W_OK) != 0)
                    cnn_text_append(text,
                                    "; no permission for %s: add the user to the node's group "
                                    "(render or video)",
                                    found.gl_pathv[j]);
        globfree(&found);
    }
}

/* Could a folder be made here? Asks by making one, because access() says yes to root always. */
static bool can_make_folder(const char *parent)
{
    char *pattern;
    if (cnn_path_join(&pattern, parent, "cnn-cl.XXXXXX") != CNN_OK)
        return false;
    bool made = mkdtemp(pattern) != NULL;
    if (made)
        rmdir(pattern);
    free(pattern);
    return made;
}

/* Could this folder be written, or made where it is absent? */
static bool can_be_written(const char *path)
{
    char *parent;
    if (cnn_file_exists(path) || strcmp(path, ".") == 0)
        return can_make_folder(path);
    if (cnn_path_directory(&parent, path) != CNN_OK)
        return false;
    bool good = can_be_written(parent);
    free(parent);
    return good;
}

/* pocl shows no device where it cannot write its cache. */
static void examine_pocl_cache(cnn_text *text)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"POCL_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/pocl"}, {"HOME", "/.cache/pocl"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = getenv(places[i].variable);
        if (!is_set(value))
            continue;
        cnn_text path = {0};
        cnn_text_append(&path, "%s%s", value, places[i].below);
        if (!path.failed && !can_be_written(path.data))
            cnn_text_append(text,
                            "; pocl's cache folder %s cannot be written: set POCL_CACHE_DIR to "
                            "one that can",
                            path.data);
        cnn_text_finish(&path);
        return;
    }
    cnn_text_append(text, "; HOME is not set: set POCL_CACHE_DIR to a folder for pocl's cache");
}

void cnn_device_explain_absence(cnn_text *text, const cnn_device_list *list)
{
    bool pocl = false;
    cnn_text_append(text, "no usable OpenCL device");
    for (size_t i = 0; i < list->total; i++) {
        const cnn_device_info *info = &list->entries[i].info;
        cnn_text_append(text, "; %s (%d:%d) is not usable: %s", info->name, info->platform,
                        info->device, info->reason);
    }
    if (list->problems)
        cnn_text_append(text, "%s", list->problems);
    if (list->problems && strstr(list->problems, "(rusticl) has no device") &&
        !is_set(getenv("RUSTICL_ENABLE")))
        cnn_text_append(text, "; rusticl shows only what RUSTICL_ENABLE names, such as radeonsi "
                              "or iris");
    examine_vendors(text, &pocl);
    examine_nodes(text);
    if (pocl)
        examine_pocl_cache(text);
    cnn_text_append(text, pocl ? "; for a GPU install the OpenCL package of its vendor"
                               : "; install pocl-opencl-icd for a CPU, or the OpenCL package of "
                                 "the GPU's vendor");
}
