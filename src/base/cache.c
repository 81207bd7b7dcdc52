#include "base/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

cnn_status cnn_cache_folder(char **folder)
{
    static const struct {
        const char *variable, *below;
    } places[] = {
        {"CNN_CL_CACHE_DIR", ""}, {"XDG_CACHE_HOME", "/cnn-cl"}, {"HOME", "/.cache/cnn-cl"}};
    *folder = NULL;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *value = getenv(places[i].variable);
        if (!value || !*value)
            continue;
        cnn_text text = {0};
        cnn_text_append(&text, "%s%s", value, places[i].below);
        return cnn_text_take(folder, &text);
    }
    return CNN_OK;
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

cnn_status cnn_cache_path(char **path, const char *name)
{
    char *folder = NULL;
    *path = NULL;
    cnn_status status = cnn_cache_folder(&folder);
    if (status == CNN_OK && folder && make_folder(folder))
        status = cnn_path_join(path, folder, name);
    free(folder);
    return status;
}
