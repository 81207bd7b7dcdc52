/* A temporary folder for tests, and files in it. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cnncl/error.h>

enum { SCRATCH_PATH_SIZE = 256 };

typedef struct scratch {
    char folder[SCRATCH_PATH_SIZE];
    char path[2 * SCRATCH_PATH_SIZE]; /* what scratch_path() gave last */
} scratch;

static inline void scratch_init(scratch *at)
{
    const char *parent = getenv("TMPDIR");
    snprintf(at->folder, sizeof at->folder, "%s/cnn-cl-test.XXXXXX", parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(at->folder));
}

/* A name in the folder; valid until the next call. */
static inline const char *scratch_path(scratch *at, const char *name)
{
    snprintf(at->path, sizeof at->path, "%s/%s", at->folder, name);
    return at->path;
}

static inline void scratch_write(scratch *at, const char *name, const void *data, size_t size)
{
    FILE *file = fopen(scratch_path(at, name), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Removes the folder and the files in it. */
static inline void scratch_finish(scratch *at)
{
    DIR *folder = opendir(at->folder);
    ck_assert_ptr_nonnull(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            ck_assert_int_eq(remove(scratch_path(at, entry->d_name)), 0);
    closedir(folder);
    ck_assert_int_eq(rmdir(at->folder), 0);
}

/* One line, and it holds the part. */
static inline void assert_message_has(const char *part)
{
    const char *message = cnn_error_message();
    ck_assert_msg(strstr(message, part) != NULL, "'%s' is not in '%s'", part, message);
    ck_assert_ptr_null(strchr(message, '\n'));
}

#endif
