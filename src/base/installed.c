/* Where installed files are. dladdr() and realpath() are no part of POSIX 2008's base. */
#define _GNU_SOURCE
#include "base/installed.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "build_config.h"

/* Its address is in the library, or in the program where that is linked statically. */
static const char here;

/* The real folder of the library or program that this code is in, "" where that is not known. To be
 * freed with free(); NULL where memory is out. */
static char *own_folder(void)
{
    Dl_info info;
    char *path = NULL;
    /* A program is named as it was called: without a folder where it was found in PATH. */
    if (dladdr(&here, &info) && info.dli_fname && strchr(info.dli_fname, '/'))
        path = realpath(info.dli_fname, NULL);
    if (!path)
        path = realpath("/proc/self/exe", NULL);
    char *slash = path ? strrchr(path, '/') : NULL;
    if (!slash) {
        free(path);
        return strdup("");
    }
    *slash = '\0';
    return path;
}

/* Is a real path inside the build? */
static bool is_in_build(const char *path)
{
    char *build = realpath(CNN_BUILD_DIR, NULL);
    size_t length = build ? strlen(build) : 0;
    bool inside =
        build && cnn_starts_with(path, build) && (path[length] == '/' || path[length] == '\0');
    free(build);
    return inside;
}

/* Looks for the installed folder from the library's or program's folder upwards: PREFIX/bin,
 * PREFIX/lib and PREFIX/lib/x86_64-linux-gnu all lead to PREFIX. "" where they are not found. */
static cnn_status find_beside(char **folder, char *own, const char *relative)
{
    enum { LEVELS = 3 };
    *folder = NULL;
    for (int level = 0; level < LEVELS; level++) {
        char *slash = strrchr(own, '/');
        if (!slash)
            break;
        *slash = '\0';
        cnn_status status = cnn_path_join(folder, own, relative);
        if (status != CNN_OK || cnn_file_exists(*folder))
            return status;
        free(*folder);
        *folder = NULL;
    }
    return CNN_OK;
}

static cnn_status copy(char **folder, const char *from)
{
    *folder = strdup(from);
    return *folder ? CNN_OK : cnn_fail_memory(strlen(from), "a path");
}

cnn_status cnn_installed_folder(char **folder, const char *build, const char *relative,
                                const char *installed)
{
    *folder = NULL;
    char *own = own_folder();
    if (!own)
        return cnn_fail_memory(1, "a path");
    cnn_status status = CNN_OK;
    if (is_in_build(own) && cnn_file_exists(build))
        status = copy(folder, build);
    else
        status = find_beside(folder, own, relative);
    if (status == CNN_OK && !*folder)
        status = copy(folder, installed);
    free(own);
    return status;
}
