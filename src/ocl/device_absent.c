/* Why there is no device: looks at what usually stands in the way. */
#include "ocl/device_list.h"

#include <dirent.h>
#include <dlfcn.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

static const char default_vendors[] = "/etc/OpenCL/vendors";

enum { MAX_LIBRARY = 512 };

/* Nodes through which drivers reach the hardware. */
static const char *const nodes[] = {"/dev/dri/renderD*", "/dev/kfd", "/dev/nvidia[0-9]*",
                                    "/dev/nvidiactl"};

static bool is_set(const char *value)
{
    return value && *value;
}

/* The library that an ICD file names: its first line. */
static bool read_library(char library[MAX_LIBRARY], const char *path)
{
    void *data;
    size_t size;
    if (cnn_file_read(&data, &size, path, MAX_LIBRARY - 1) != CNN_OK)
        return false;
    char *line = data;
    line[strcspn(line, "\r\n")] = '\0';
    strcpy(library, line);
    free(data);
    return library[0] != '\0';
}

/* Notes an ICD file whose library cannot be loaded; *pocl where it is pocl's. */
static void examine_icd(cnn_text *text, const char *path, bool *pocl)
{
    char library[MAX_LIBRARY];
    if (!read_library(library, path)) {
        cnn_text_append(text, "; %s cannot be read", path);
        return;
    }
    *pocl = *pocl || cnn_contains_ignoring_case(library, "pocl");
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    if (handle) {
        dlclose(handle);
        cnn_text_append(text, "; %s is installed", path);
    } else {
        cnn_text_append(text, "; %s: %s", path, dlerror());
    }
}

static void examine_vendors(cnn_text *text, bool *pocl)
{
    static const char *const variables[] = {"OCL_ICD_VENDORS", "OPENCL_VENDOR_PATH"};
    const char *folder = NULL, *variable = NULL;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0] && !folder; i++) {
        const char *value = getenv(variables[i]);
        if (is_set(value)) {
            folder = value;
            variable = variables[i];
        }
    }
    cnn_text_append(text, "; ");
    if (variable)
        cnn_text_append(text, "%s=", variable);
    cnn_text_append(text, "%s", folder ? folder : default_vendors);

    char *pattern;
    glob_t found = {0};
    if (cnn_path_join(&pattern, folder ? folder : default_vendors, "*.icd") != CNN_OK)
        return;
    if (glob(pattern, 0, NULL, &found) == 0) {
        cnn_text_append(text, " has drivers");
        for (size_t i = 0; i < found.gl_pathc; i++)
            examine_icd(text, found.gl_pathv[i], pocl);
    } else {
        cnn_text_append(text, " has no .icd file: no driver is installed there");
    }
    globfree(&found);
    free(pattern);
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

/* Could this folder be written, or made where it is absent? */
static bool can_be_written(const char *path)
{
    if (cnn_file_exists(path))
        return access(path, W_OK | X_OK) == 0;
    char *parent;
    if (strcmp(path, "/") == 0 || strcmp(path, ".") == 0 ||
        cnn_path_directory(&parent, path) != CNN_OK)
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
    } places[] = {{"POCL_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "pocl"}, {"HOME", ".cache/pocl"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = getenv(places[i].variable);
        if (!is_set(value))
            continue;
        char *path;
        if (cnn_path_join(&path, value, places[i].below) != CNN_OK)
            return;
        if (!can_be_written(path))
            cnn_text_append(text,
                            "; pocl's cache folder %s cannot be written: set POCL_CACHE_DIR to "
                            "one that can",
                            path);
        free(path);
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
    examine_vendors(text, &pocl);
    examine_nodes(text);
    if (pocl)
        examine_pocl_cache(text);
    cnn_text_append(text, "; install pocl-opencl-icd for a CPU, or the OpenCL package of the GPU's "
                          "vendor");
}
