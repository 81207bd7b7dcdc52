/* What trainings leave in a folder of data: it is no data. */
#include "data/runs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "data/tree.h"

enum { MOST_DEPTH = 4 };

bool cnn_is_run_file(const char *name)
{
    static const char *const ends[] = {".run.json", ".ckpt.safetensors", ".cnn-cl.lock"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (cnn_ends_with(name, ends[i]))
            return true;
    return false;
}

static bool holds_run(const char *path, int depth);

static bool is_folder_with_run(DIR *folder, const char *path, const char *name, int depth)
{
    struct stat info;
    char *below = NULL;
    if (name[0] == '.' || fstatat(dirfd(folder), name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISDIR(info.st_mode) || cnn_path_join(&below, path, name) != CNN_OK)
        return false;
    bool found = holds_run(below, depth - 1);
    free(below);
    return found;
}

/* Not where pictures of its own lie beside: then it is no folder of runs. */
static bool holds_run(const char *path, int depth)
{
    bool found = false, pictures = false;
    DIR *folder = depth > 0 ? opendir(path) : NULL;
    if (!folder)
        return false;
    for (const struct dirent *entry; !found && (entry = readdir(folder)) != NULL;) {
        found = cnn_is_run_file(entry->d_name);
        pictures = pictures || cnn_is_picture_name(entry->d_name, true);
    }
    if (!found && !pictures)
        rewinddir(folder);
    for (const struct dirent *entry; !found && !pictures && (entry = readdir(folder)) != NULL;)
        found = is_folder_with_run(folder, path, entry->d_name, depth);
    closedir(folder);
    return found;
}

cnn_status cnn_is_folder_of_runs(bool *runs, const char *path)
{
    bool pictures = false;
    *runs = holds_run(path, MOST_DEPTH);
    cnn_status status = *runs ? cnn_tree_has_pictures(&pictures, path, true) : CNN_OK;
    *runs = *runs && !pictures;
    return status;
}
