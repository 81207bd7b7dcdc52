#include "base/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

static const struct place {
    const char *variable, *below;
} places[] = {{"CNN_CL_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/cnn-cl"}, {"HOME", "/.cache/cnn-cl"}};

/* The nearest variable that says where; NULL: none does. */
static const struct place *find_place(void)
{
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = getenv(places[i].variable);
        if (value && *value)
            return &places[i];
    }
    return NULL;
}

cnn_status cnn_cache_folder(char **folder)
{
    const struct place *place = find_place();
    cnn_text text = {0};
    *folder = NULL;
    if (!place)
        return CNN_OK;
    cnn_text_append(&text, "%s%s", getenv(place->variable), place->below);
    return cnn_text_take(folder, &text);
}

/* Is the folder there, or could it be made, with those above it? */
static bool make_folder(char *path)
{
    enum { MODE = 0700 }; /* what XDG's specification says */
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool there = mkdir(path, MODE) == 0 || errno == EEXIST;
        *slash = '/';
        if (!there)
            return false;
    }
    struct stat info;
    return mkdir(path, MODE) == 0 || (stat(path, &info) == 0 && S_ISDIR(info.st_mode));
}

/* What others put there is not trusted, nor is what they could change. */
static bool is_own(const char *folder)
{
    struct stat info;
    return stat(folder, &info) == 0 && info.st_uid == geteuid();
}

static cnn_status fail_foreign(const char *path)
{
    return cnn_fail(CNN_ERROR_FILE, "%s: belongs to another user, and is not trusted", path);
}

cnn_status cnn_cache_open(int *file, const char *path)
{
    char *folder = NULL;
    struct stat info;
    cnn_status status = CNN_OK;
    *file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (*file < 0)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    CNN_TRY(cnn_path_directory(&folder, path));
    if (fstat(*file, &info) != 0 || !S_ISREG(info.st_mode))
        status = cnn_fail(CNN_ERROR_FILE, "%s: expected a file, found something else", path);
    else if (info.st_uid != geteuid())
        status = fail_foreign(path);
    else if (!is_own(folder))
        status = fail_foreign(folder);
out:
    free(folder);
    if (status != CNN_OK) {
        close(*file);
        *file = -1;
    }
    return status;
}

cnn_status cnn_cache_read(void **data, size_t *size, const char *path, size_t limit)
{
    int file;
    *data = NULL;
    *size = 0;
    cnn_status status = cnn_cache_open(&file, path);
    if (status != CNN_OK)
        return status;
    status = cnn_file_read_open(data, size, file, path, limit);
    close(file);
    return status;
}

/* Why nothing can be kept in the folder, or nothing new; NULL where all is well. */
static const char *find_trouble(char *folder, bool *usable)
{
    struct stat info;
    *usable = false;
    if (!make_folder(folder))
        return stat(folder, &info) == 0 ? "is no folder" : "cannot be made";
    if (!is_own(folder))
        return "belongs to another user";
    *usable = true;
    return access(folder, W_OK) == 0 ? NULL : "cannot be written";
}

cnn_status cnn_cache_path(char **path, const char *name)
{
    char *folder = NULL;
    bool usable;
    *path = NULL;
    cnn_status status = cnn_cache_folder(&folder);
    if (status != CNN_OK || !folder)
        return status;
    const char *trouble = find_trouble(folder, &usable);
    if (trouble)
        cnn_log_once(CNN_LOG_INFO,
                     "%s %s: nothing is kept there, such as which devices passed their check (%s "
                     "names it)",
                     folder, trouble, find_place()->variable);
    if (usable)
        status = cnn_path_join(path, folder, name);
    free(folder);
    return status;
}
