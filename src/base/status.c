#include "base/status.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/plain.h"
#include "build_config.h"

enum { MESSAGE_SIZE = 4096, LOG_LINE_SIZE = 1024 };

static _Thread_local char message[MESSAGE_SIZE];

static cnn_log_callback log_callback;
static void *log_user;
static _Thread_local bool is_mute;

static const char *const status_names[] = {
    [CNN_OK] = "ok",
    [CNN_ERROR_ARGUMENT] = "argument",
    [CNN_ERROR_DEVICE] = "device",
    [CNN_ERROR_DATA] = "data",
    [CNN_ERROR_FILE] = "file",
    [CNN_ERROR_MEMORY] = "memory",
    [CNN_ERROR_OPENCL] = "opencl",
    [CNN_ERROR_KERNEL] = "kernel",
    [CNN_ERROR_ARITHMETIC] = "arithmetic",
    [CNN_ERROR_STOPPED] = "stopped",
    [CNN_ERROR_RANK] = "rank",
};

const char *cnn_error_message(void)
{
    return message;
}

const char *cnn_status_name(cnn_status status)
{
    size_t count = sizeof status_names / sizeof status_names[0];
    return (size_t)status < count ? status_names[status] : "unknown";
}

const char *cnn_version(void)
{
    return CNN_VERSION;
}

cnn_status cnn_fail(cnn_status status, const char *format, ...)
{
    /* Through a second buffer: an argument may be the old message. */
    char text[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(text, sizeof text, format, arguments);
    va_end(arguments);
    snprintf(message, sizeof message, "%s", text);
    return status;
}

cnn_status cnn_fail_memory(size_t bytes, const char *what)
{
    return cnn_fail(CNN_ERROR_MEMORY, "out of memory: %zu bytes for %s", bytes, what);
}

bool cnn_are_given(const char *function, const char *names, const void *const *pointers,
                   size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(names, ",");
        if (!pointers[i]) {
            (void)cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected a pointer as %.*s, found NULL",
                           function, (int)length, names);
            return false;
        }
        names += length + strspn(names + length, ", ");
    }
    return true;
}

/* What was told once, by hash; more than there is room for is told again. */
static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t told[16];
static size_t told_count;

void cnn_log_set_callback(cnn_log_callback callback, void *user)
{
    pthread_mutex_lock(&told_lock);
    told_count = 0;
    pthread_mutex_unlock(&told_lock);
    log_callback = callback;
    log_user = user;
}

void cnn_log_mute(bool mute)
{
    is_mute = mute;
}

static bool is_new(const char *line)
{
    const uint64_t hash = cnn_hash_text(line);
    size_t at = 0;
    pthread_mutex_lock(&told_lock);
    while (at < told_count && told[at] != hash)
        at++;
    bool found = at < told_count;
    if (!found && told_count < sizeof told / sizeof told[0])
        told[told_count++] = hash;
    pthread_mutex_unlock(&told_lock);
    return !found;
}

static void tell(cnn_log_level level, bool once, const char *format, va_list arguments)
{
    char line[LOG_LINE_SIZE];
    if (!log_callback || is_mute)
        return;
    cnn_format_list(line, sizeof line, format, arguments);
    if (!once || is_new(line))
        log_callback(level, line, log_user);
}

void cnn_log(cnn_log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(level, false, format, arguments);
    va_end(arguments);
}

void cnn_log_once(cnn_log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(level, true, format, arguments);
    va_end(arguments);
}
