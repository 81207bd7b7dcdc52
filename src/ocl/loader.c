/* dladdr(), RTLD_DEFAULT and memmem() are no part of POSIX 2008's base. */
#define _GNU_SOURCE
#include "ocl/loader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

static const char default_vendors[] = "/etc/OpenCL/vendors";

enum { MAX_ICD_FILE = 4096 };

static bool is_set(const char *value)
{
    return value && *value;
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

const char *cnn_loader_path(void)
{
    Dl_info info;
    void *call = dlsym(RTLD_DEFAULT, "clGetPlatformIDs");
    return call && dladdr(call, &info) && info.dli_fname ? info.dli_fname : "";
}

bool cnn_loader_reads(const char *variable)
{
    enum { MAX_LOADER = 1 << 26 };
    void *data;
    size_t size;
    if (cnn_file_read(&data, &size, cnn_loader_path(), MAX_LOADER) != CNN_OK)
        return true;
    bool found = memmem(data, size, variable, strlen(variable) + 1) != NULL;
    free(data);
    return found;
}

static cnn_status copy(char **string, const char *from)
{
    *string = strdup(from);
    return *string ? CNN_OK : cnn_fail_memory(strlen(from), "a path");
}

/* Adds a driver; both strings are copied, and either may be NULL. */
static cnn_status add(cnn_icd_list *list, const char *file, const char *library)
{
    cnn_icd *icds = realloc(list->icds, (list->count + 1) * sizeof *icds);
    if (!icds)
        return cnn_fail_memory((list->count + 1) * sizeof *icds, "the list of drivers");
    list->icds = icds;
    cnn_icd *icd = &icds[list->count++];
    *icd = (cnn_icd){0};
    cnn_status status = file ? copy(&icd->file, file) : CNN_OK;
    if (status == CNN_OK && library)
        status = copy(&icd->library, library);
    return status;
}

/* An ICD file's first line names a library. */
static cnn_status add_file(cnn_icd_list *list, const char *path)
{
    void *data;
    size_t size;
    if (cnn_file_read(&data, &size, path, MAX_ICD_FILE) != CNN_OK)
        return add(list, path, NULL);
    char *library = data;
    library[strcspn(library, "\r\n")] = '\0';
    cnn_status status = add(list, path, library);
    free(data);
    return status;
}

static cnn_status add_folder(cnn_icd_list *list, const char *folder)
{
    char *pattern;
    glob_t found = {0};
    cnn_status status = cnn_path_join(&pattern, folder, "*.icd");
    if (status != CNN_OK)
        return status;
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; status == CNN_OK && i < found.gl_pathc; i++)
            status = add_file(list, found.gl_pathv[i]);
    globfree(&found);
    free(pattern);
    return status;
}

/* OCL_ICD_VENDORS as ocl-icd reads it: a folder, an .icd file or a library. */
static cnn_status add_vendors(cnn_icd_list *list, const char *vendors, const char *folder)
{
    if (is_directory(vendors))
        return add_folder(list, vendors);
    if (!cnn_ends_with(vendors, ".icd"))
        return add(list, NULL, vendors);
    char *inside;
    cnn_status status = cnn_path_join(&inside, folder, vendors);
    if (status != CNN_OK)
        return status;
    bool bare = !strchr(vendors, '/') && cnn_file_exists(inside);
    status = add_file(list, bare ? inside : vendors);
    free(inside);
    return status;
}

/* Khronos's loader takes these in addition. */
static cnn_status add_filenames(cnn_icd_list *list, const char *names)
{
    cnn_status status = CNN_OK;
    char *rest = NULL, *split = strdup(names);
    if (!split)
        return cnn_fail_memory(strlen(names), "OCL_ICD_FILENAMES");
    for (char *name = strtok_r(split, ":", &rest); status == CNN_OK && name;
         name = strtok_r(NULL, ":", &rest))
        status = add(list, NULL, name);
    free(split);
    return status;
}

cnn_status cnn_icd_list_create(cnn_icd_list *list)
{
    const char *vendors = getenv("OCL_ICD_VENDORS"), *folder = getenv("OPENCL_VENDOR_PATH");
    const char *names = getenv("OCL_ICD_FILENAMES");
    bool ocl_icd = cnn_loader_reads("OPENCL_VENDOR_PATH");
    cnn_text place = {0};
    cnn_status status = CNN_OK;
    *list = (cnn_icd_list){0};
    bool moved = ocl_icd && is_set(folder);
    folder = moved ? folder : default_vendors;
    list->variable = is_set(vendors) ? "OCL_ICD_VENDORS" : moved ? "OPENCL_VENDOR_PATH" : NULL;
    cnn_text_append(&place, "%s%s%s", list->variable ? list->variable : "",
                    list->variable ? "=" : "", is_set(vendors) ? vendors : folder);
    CNN_TRY(cnn_text_take(&list->place, &place));
    if (!is_set(vendors))
        CNN_TRY(add_folder(list, folder));
    else if (ocl_icd)
        CNN_TRY(add_vendors(list, vendors, folder));
    else
        CNN_TRY(add_folder(list, vendors));
    if (is_set(names) && cnn_loader_reads("OCL_ICD_FILENAMES"))
        CNN_TRY(add_filenames(list, names));
out:
    if (status != CNN_OK)
        cnn_icd_list_finish(list);
    return status;
}

void cnn_icd_list_finish(cnn_icd_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->icds[i].file);
        free(list->icds[i].library);
    }
    free(list->icds);
    free(list->place);
    *list = (cnn_icd_list){0};
}

cnn_status cnn_device_nodes_find(glob_t *nodes, const char *root)
{
    static const char *const patterns[] = {"dev/dri/renderD*", "dev/kfd", "dev/nvidia[0-9]*",
                                           "dev/nvidiactl", "dev/nvidia-uvm"};
    *nodes = (glob_t){0};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        char *pattern;
        cnn_status status = cnn_path_join(&pattern, root, patterns[i]);
        if (status != CNN_OK)
            return status;
        glob(pattern, GLOB_APPEND, NULL, nodes); /* finding none is no error */
        free(pattern);
    }
    return CNN_OK;
}

bool cnn_memory_is_limited(uint64_t *bytes)
{
    static const uint64_t plenty = (uint64_t)4 << 30;
    struct rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    *bytes = limit.rlim_cur;
    return *bytes < plenty;
}

/* 0, or the errno of what failed. */
static int write_probe(const char *path)
{
    enum { BLOCK = 1 << 16, BLOCKS = 16 };
    static const char block[BLOCK];
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (file < 0)
        return errno;
    int code = 0;
    for (int i = 0; code == 0 && i < BLOCKS; i++) {
        ssize_t written = write(file, block, sizeof block);
        if (written < (ssize_t)sizeof block)
            code = written < 0 ? errno : ENOSPC;
    }
    if (close(file) != 0 && code == 0)
        code = errno;
    unlink(path);
    return code;
}

static int try_folder(const char *parent)
{
    char *folder, *file = NULL;
    if (cnn_path_join(&folder, parent, "cnn-cl.XXXXXX") != CNN_OK)
        return ENOMEM;
    int code = mkdtemp(folder) ? 0 : errno;
    if (code == 0) {
        code = cnn_path_join(&file, folder, "probe") == CNN_OK ? write_probe(file) : ENOMEM;
        rmdir(folder);
    }
    free(file);
    free(folder);
    return code;
}

const char *cnn_folder_trouble(const char *path)
{
    char *parent;
    if (cnn_file_exists(path) || strcmp(path, ".") == 0) {
        int code = try_folder(path);
        bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
        return code == 0 ? NULL : full ? "is full" : "cannot be written";
    }
    if (cnn_path_directory(&parent, path) != CNN_OK)
        return "cannot be written";
    const char *trouble = cnn_folder_trouble(parent);
    free(parent);
    return trouble;
}

cnn_status cnn_pocl_cache_folder(char **folder)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"POCL_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/pocl"}, {"HOME", "/.cache/pocl"}};
    *folder = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = getenv(places[i].variable);
        if (!is_set(value))
            continue;
        cnn_text path = {0};
        cnn_text_append(&path, "%s%s", value, places[i].below);
        return cnn_text_take(folder, &path);
    }
    return CNN_OK;
}

void cnn_pocl_cache_explain(cnn_text *text)
{
    char *folder;
    if (cnn_pocl_cache_folder(&folder) != CNN_OK)
        return;
    const char *trouble = folder ? cnn_folder_trouble(folder) : NULL;
    if (!folder)
        cnn_text_append(text, "; HOME is not set: set POCL_CACHE_DIR to a folder for pocl's cache");
    else if (trouble)
        cnn_text_append(text,
                        "; pocl's cache folder %s %s: set POCL_CACHE_DIR to one that can be "
                        "written and has room",
                        folder, trouble);
    free(folder);
}
