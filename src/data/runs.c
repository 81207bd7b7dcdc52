/* What trainings leave in a folder of data: it is no data. */
#include "data/runs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "data/tree.h"

enum { MOST_DEPTH = 4 };

bool cnn_is_run_file(const char *name)
{
    static const char *const ends[] = {".run.json", ".ckpt.safetensors", ".cnn-cl.lock"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t size = strlen(ends[i]);
        if (length >= size && strcmp(name + length - size, ends[i]) == 0)
            return true;
    }
    return false;
}

enum { PICTURES = 1, RUNS = 2 };

static unsigned look(const char *path, int depth);

/* What links lead to may be pictures. */
static unsigned look_at_entry(DIR *folder, const char *path, const char *name, int depth)
{
    struct stat info;
    char *below = NULL;
    if (name[0] == '.' || fstatat(dirfd(folder), name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    if (S_ISLNK(info.st_mode))
        return PICTURES;
    if (!S_ISDIR(info.st_mode) || cnn_path_join(&below, path, name) != CNN_OK)
        return 0;
    unsigned found = look(below, depth - 1);
    free(below);
    return found;
}

static unsigned look(const char *path, int depth)
{
    unsigned found = 0;
    DIR *folder = depth > 0 ? opendir(path) : NULL;
    if (!folder)
        return 0;
    for (const struct dirent *entry; !(found & RUNS) && (entry = readdir(folder)) != NULL;) {
        if (cnn_is_run_file(entry->d_name))
            found = RUNS; /* its pictures are the run's */
        else if (cnn_is_picture_name(entry->d_name, true))
            found = PICTURES;
    }
    bool plain = found == 0;
    if (plain)
        rewinddir(folder);
    for (const struct dirent *entry;
         plain && !(found & PICTURES) && (entry = readdir(folder)) != NULL;)
        found |= look_at_entry(folder, path, entry->d_name, depth);
    closedir(folder);
    return found;
}

bool cnn_is_folder_of_runs(const char *path)
{
    return look(path, MOST_DEPTH) == RUNS;
}
