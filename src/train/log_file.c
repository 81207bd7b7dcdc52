#include "train/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"

enum {
    MOST_PENDING = 1 << 20, /* bytes: some thousand epochs */
    LAST_WAIT = 2000        /* milliseconds, when the run is over */
};

static cnn_status fail(const cnn_log_file *log, const char *what, int code)
{
    return cnn_fail(CNN_ERROR_FILE, "%s: cannot be %s: %s", log->path, what, strerror(code));
}

/* A line goes to the system in one piece: a program that is killed leaves no half of one, nor does
 * a disk that is full. */
static cnn_status write_file(const cnn_log_file *log, const char *text)
{
    struct stat before;
    bool regular = fstat(log->file, &before) == 0 && S_ISREG(before.st_mode);
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t count = write(log->file, text, size);
        if (count < 0 && errno != EINTR) {
            int code = errno;
            if (regular && ftruncate(log->file, before.st_size) != 0)
                cnn_log(CNN_LOG_DEBUG, "%s: its last line is torn", log->path);
            return fail(log, "written", code);
        }
        if (count > 0) {
            text += count;
            size -= (size_t)count;
        }
    }
    return CNN_OK;
}

static void drop_front(cnn_text *text, size_t count)
{
    text->length -= count;
    memmove(text->data, text->data + count, text->length);
    text->data[text->length] = '\0';
}

/* A named pipe that has no reader cannot be opened without waiting for one: it is tried again. */
static cnn_status open_pipe(cnn_log_file *log)
{
    log->file = open(log->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return log->file < 0 && errno != ENXIO ? fail(log, "opened", errno) : CNN_OK;
}

/* Is there room for a piece, now or within some milliseconds? A write would not wait then. */
static bool has_room(const cnn_log_file *log, int wait)
{
    struct pollfd at = {.fd = log->file, .events = POLLOUT};
    return poll(&at, 1, wait) > 0;
}

/* Hands over what the reader takes without being waited for. */
static cnn_status write_stream(cnn_log_file *log, int wait)
{
    cnn_status status = CNN_OK;
    if (log->is_pipe && log->file < 0)
        status = open_pipe(log);
    while (status == CNN_OK && log->file >= 0 && log->pending.length > 0 && has_room(log, wait)) {
        size_t size = log->pending.length < PIPE_BUF ? log->pending.length : PIPE_BUF;
        ssize_t count = write(log->file, log->pending.data, size);
        if (count >= 0) {
            drop_front(&log->pending, (size_t)count);
        } else if (errno == EPIPE && log->is_pipe) { /* another reader may come */
            close(log->file);
            log->file = -1;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            status = fail(log, "written", errno);
            drop_front(&log->pending, log->pending.length); /* the failure tells of it */
        }
    }
    return status;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static cnn_status append_stream(cnn_log_file *log, const char *text)
{
    size_t size = strlen(text);
    if (log->pending.length + size > MOST_PENDING)
        log->lost += count_lines(text);
    else
        cnn_text_append_bytes(&log->pending, text, size);
    return log->pending.failed ? cnn_fail_memory(size, "a line of metrics") : write_stream(log, 0);
}

/* Opens what is no regular file; log->file stays -1 where it is one, or nothing, which then is to
 * be replaced, or a pipe without a reader. */
static cnn_status open_stream(cnn_log_file *log)
{
    struct stat info;
    log->file = cnn_open_descriptor(log->path);
    log->is_stream = log->file >= 0;
    if (log->is_stream || stat(log->path, &info) != 0 || S_ISREG(info.st_mode) ||
        S_ISDIR(info.st_mode))
        return CNN_OK;
    log->is_stream = true;
    log->is_pipe = S_ISFIFO(info.st_mode);
    if (log->is_pipe)
        return open_pipe(log);
    log->file = open(log->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return log->file < 0 ? fail(log, "opened", errno) : CNN_OK;
}

cnn_status cnn_log_file_open(cnn_log_file *log, const char *path, const char *text, bool may_stream)
{
    cnn_text name = {0};
    cnn_status status = CNN_OK;
    cnn_text_append(&name, "%s", path);
    CNN_TRY(cnn_text_take(&log->path, &name));
    if (may_stream)
        CNN_TRY(open_stream(log));
    if (log->is_stream && log->file < 0)
        cnn_log(CNN_LOG_INFO, "%s: nobody reads from this pipe; who comes later gets all lines",
                path);
    if (log->is_stream)
        return append_stream(log, text);
    CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){text, strlen(text)}, 1));
    log->file = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (log->file < 0)
        status = fail(log, "opened", errno);
out:
    return status;
}

cnn_status cnn_log_file_append(cnn_log_file *log, const char *text)
{
    return log->is_stream ? append_stream(log, text) : write_file(log, text);
}

void cnn_log_file_close(cnn_log_file *log)
{
    if (log->pending.length > 0)
        (void)write_stream(log, LAST_WAIT);
    size_t lines = log->lost + (log->pending.length > 0 ? count_lines(log->pending.data) : 0);
    if (lines > 0)
        cnn_log(CNN_LOG_WARNING, "%s: nobody read its last %zu line%s", log->path, lines,
                lines == 1 ? "" : "s");
    cnn_text_finish(&log->pending);
    if (log->file >= 0)
        close(log->file);
    free(log->path);
    *log = (cnn_log_file){.file = -1};
}
