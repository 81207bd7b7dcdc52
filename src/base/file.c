/* POSIX: open, write, fsync, rename. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

enum { READ_START = 64 * 1024 };

bool cnn_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool cnn_is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

cnn_status cnn_path_join(char **path, const char *directory, const char *name)
{
    cnn_text text = {0};
    size_t length = strlen(directory);
    const char *separator = length > 0 && directory[length - 1] == '/' ? "" : "/";
    cnn_text_append(&text, "%s%s%s", directory, separator, name);
    return cnn_text_take(path, &text);
}

cnn_status cnn_path_directory(char **directory, const char *path)
{
    cnn_text text = {0};
    const char *slash = strrchr(path, '/');
    if (!slash)
        cnn_text_append(&text, ".");
    else if (slash == path)
        cnn_text_append(&text, "/");
    else
        cnn_text_append_bytes(&text, path, (size_t)(slash - path));
    return cnn_text_take(directory, &text);
}

/* Reads to the end of the file; the size that stat() tells is only a hint. */
static cnn_status read_all(cnn_text *text, int file, const char *path, size_t limit)
{
    static const size_t chunk = READ_START;
    char *buffer;
    cnn_status status = cnn_allocate(&buffer, chunk, 1, path);
    if (status != CNN_OK)
        return status;
    for (;;) {
        ssize_t count = read(file, buffer, chunk);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            status = cnn_fail(CNN_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
        else if (text->length + (size_t)count > limit)
            status = cnn_fail(CNN_ERROR_DATA, "%s: longer than the %zu bytes allowed", path, limit);
        if (count <= 0 || status != CNN_OK)
            break;
        cnn_text_append_bytes(text, buffer, (size_t)count);
    }
    free(buffer);
    return status;
}

cnn_status cnn_file_read_open(void **data, size_t *size, int file, const char *path, size_t limit)
{
    cnn_text text = {0};
    char *string = NULL;
    *data = NULL;
    *size = 0;
    cnn_status status = read_all(&text, file, path, limit);
    if (status == CNN_OK) {
        size_t length = text.length;
        status = cnn_text_take(&string, &text);
        if (status == CNN_OK) {
            *data = string;
            *size = length;
        }
    }
    cnn_text_finish(&text);
    return status;
}

static cnn_status open_and_read(void **data, size_t *size, const char *path, size_t limit,
                                bool is_regular)
{
    struct stat info;
    *data = NULL;
    *size = 0;
    /* O_NONBLOCK: a pipe is refused, not waited for. */
    int file = open(path, O_RDONLY | O_CLOEXEC | (is_regular ? O_NONBLOCK : 0));
    if (file < 0)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    cnn_status status =
        is_regular && fstat(file, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)
            ? cnn_fail(CNN_ERROR_FILE, "%s: expected a regular file", path)
            : cnn_file_read_open(data, size, file, path, limit);
    close(file);
    return status;
}

cnn_status cnn_file_read(void **data, size_t *size, const char *path, size_t limit)
{
    return open_and_read(data, size, path, limit, true);
}

cnn_status cnn_file_read_stream(void **data, size_t *size, const char *path, size_t limit)
{
    return open_and_read(data, size, path, limit, false);
}

static bool write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t count = write(file, data, size);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        data += count;
        size -= (size_t)count;
    }
    return true;
}

/* Writes, syncs and closes; the error is in errno. */
static bool write_pieces(int file, const cnn_piece *pieces, size_t count, bool is_stream)
{
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = write_all(file, pieces[i].data, pieces[i].size);
    good = good && (is_stream || fsync(file) == 0);
    int error = errno;
    bool closed = close(file) == 0;
    if (!good)
        errno = error;
    return good && closed;
}

/* The rename itself must reach the disk. A folder that cannot be opened or synced, as on some file
 * systems, is no error; a disk that fails is. */
static bool sync_directory(const char *directory)
{
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file < 0)
        return true;
    int error = fsync(file) == 0 ? 0 : errno;
    close(file);
    errno = error;
    return error != EIO && error != ENOSPC && error != EDQUOT;
}

/* Opens a new file beside path and names it. Not mkstemp(), whose files only their owner may read:
 * what the umask allows is asked for by open() alone. -1: errno says why. */
static int create_beside(char **temporary, const char *path)
{
    enum { TRIES = 100 }; /* names that a process of the same number left behind are passed over */
    static _Atomic unsigned counter;
    for (int i = 0; i < TRIES; i++) {
        cnn_text text = {0};
        cnn_text_append(&text, "%s.%ld-%u.tmp", path, (long)getpid(), counter++);
        if (cnn_text_take(temporary, &text) != CNN_OK) {
            errno = ENOMEM;
            return -1;
        }
        int file = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file >= 0 || errno != EEXIST)
            return file;
        free(*temporary);
        *temporary = NULL;
    }
    return -1;
}

int cnn_open_descriptor(const char *path)
{
    static const struct {
        const char *name;
        int file;
    } names[] = {{"/dev/stdout", STDOUT_FILENO}, {"/dev/stderr", STDERR_FILENO}};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    int64_t number;
    for (int i = 0; i < 2; i++)
        if (strcmp(path, names[i].name) == 0)
            return fcntl(names[i].file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    for (int i = 0; i < 2; i++)
        if (cnn_starts_with(path, folders[i]) &&
            cnn_parse_int(&number, path + strlen(folders[i]), 0, INT_MAX))
            return fcntl((int)number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    errno = ENOENT;
    return -1;
}

/* What is never replaced by a file: what is open already, and devices. -1: neither. */
static int open_as_it_is(const char *path)
{
    struct stat info;
    int file = cnn_open_descriptor(path);
    if (file < 0 && stat(path, &info) == 0 && S_ISCHR(info.st_mode))
        file = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return file;
}

cnn_status cnn_file_write_atomic(const char *path, const cnn_piece *pieces, size_t count)
{
    cnn_status status = CNN_OK;
    char *directory = NULL, *temporary = NULL;
    bool created = false;

    int file = open_as_it_is(path);
    if (file >= 0)
        return write_pieces(file, pieces, count, true)
                   ? CNN_OK
                   : cnn_fail(CNN_ERROR_FILE, "%s: cannot be written: %s", path, strerror(errno));
    CNN_TRY(cnn_path_directory(&directory, path));
    file = create_beside(&temporary, path);
    if (file < 0) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: cannot be written in its folder: %s", path,
                          strerror(errno));
        goto out;
    }
    created = true;
    if (!write_pieces(file, pieces, count, false)) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: cannot be written: %s", path, strerror(errno));
        goto out;
    }
    if (rename(temporary, path) != 0) {
        status = cnn_fail(CNN_ERROR_FILE, "%s: cannot be replaced: %s", path, strerror(errno));
        goto out;
    }
    created = false;
    if (!sync_directory(directory))
        status =
            cnn_fail(CNN_ERROR_FILE, "%s: is written, but the disk failed to keep its name: %s",
                     path, strerror(errno));

out:
    if (created)
        unlink(temporary);
    free(temporary);
    free(directory);
    return status;
}
