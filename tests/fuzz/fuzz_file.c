#define _GNU_SOURCE /* memfd_create() */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char path[64];

/* One file for all inputs: to make one each time would cost more than most targets do. */
const char *fuzz_file(const void *data, size_t size)
{
    static int file = -1;
    if (file < 0) {
        file = memfd_create("input", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    if (file < 0 || ftruncate(file, 0) != 0)
        abort();
    for (size_t done = 0; done < size;) {
        ssize_t part = pwrite(file, (const char *)data + done, size - done, (off_t)done);
        if (part <= 0)
            abort();
        done += (size_t)part;
    }
    return path;
}

static char folder[256], name[512];

static void remove_folder(void)
{
    unlink(name);
    rmdir(folder);
}

const char *fuzz_folder(const char *entry)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/cnn-cl-fuzz.XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        abort();
    snprintf(name, sizeof name, "%s/%s", folder, entry);
    if (symlink(fuzz_file("", 0), name) != 0 || atexit(remove_folder) != 0)
        abort();
    return folder;
}
