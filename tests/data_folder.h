/* Folders in folders for the tests of data sets: written below a scratch folder, and removed. */
#ifndef TESTS_DATA_FOLDER_H
#define TESTS_DATA_FOLDER_H

#include <cnncl/dataset.h>

#include "scratch.h"

/* The path of a name below the folder; valid until the next call. Makes the folders on the way. */
static inline const char *nested_path(scratch *at, const char *name)
{
    char part[2 * SCRATCH_PATH_SIZE];
    snprintf(part, sizeof part, "%s/%s", at->folder, name);
    for (char *slash = strchr(part + strlen(at->folder) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(part, 0777);
        *slash = '/';
    }
    return scratch_path(at, name);
}

static inline void nested_write(scratch *at, const char *name, const void *data, size_t size)
{
    nested_path(at, name);
    scratch_write(at, name, data, size);
}

/* Removes a folder and all that is below it. */
static inline void nested_remove(const char *path)
{
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[4 * SCRATCH_PATH_SIZE];
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        ck_assert_int_lt(length, (int)sizeof name);
        if (lstat(name, &info) == 0 && S_ISDIR(info.st_mode))
            nested_remove(name);
        else
            ck_assert_int_eq(remove(name), 0);
    }
    closedir(folder);
    ck_assert_int_eq(rmdir(path), 0);
}

static inline void nested_finish(const scratch *at)
{
    nested_remove(at->folder);
}

static inline void assert_loads(cnn_dataset **dataset, const char *path)
{
    ck_assert_msg(cnn_dataset_load(dataset, path) == CNN_OK, "%s", cnn_error_message());
}

static inline void assert_refused(const char *path, const char *part)
{
    cnn_dataset *dataset;
    ck_assert_int_ne(cnn_dataset_load(&dataset, path), CNN_OK);
    ck_assert_ptr_null(dataset);
    assert_message_has(part);
}

#endif
