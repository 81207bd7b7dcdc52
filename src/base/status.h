/* How this library reports failures: cnn_fail() where one is found, CNN_TRY() on the way up. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>

/* Sets the thread's message and returns the code. Called once, where the failure is found: callers
 * further up pass the code on and leave the message alone. */
cnn_status cnn_fail(cnn_status status, const char *format, ...) CNN_PRINTF(2, 3);

/* For "out of memory": names what the bytes were for. */
cnn_status cnn_fail_memory(size_t bytes, const char *what);

/* False where one of the pointers is NULL; the message then names it: names is "model, path". */
bool cnn_are_given(const char *function, const char *names, const void *const *pointers,
                   size_t count);

/* What a public function wants of its caller. Ends a function that returns a status. */
#define CNN_NEED(...)                                                                              \
    do {                                                                                           \
        const void *const needed[] = {__VA_ARGS__};                                                \
        if (!cnn_are_given(__func__, #__VA_ARGS__, needed, sizeof needed / sizeof needed[0]))      \
            return CNN_ERROR_ARGUMENT;                                                             \
    } while (0)

void cnn_log(cnn_log_level level, const char *format, ...) CNN_PRINTF(2, 3);
/* The same of what holds for the whole process, and is met again and again: a line that the
 * callback had is not told once more. */
void cnn_log_once(cnn_log_level level, const char *format, ...) CNN_PRINTF(2, 3);

/* From now on the log has nothing of this thread, or all again: of devices that do alike one tells.
 */
void cnn_log_mute(bool mute);

/* In a function with `cnn_status status = CNN_OK;` and an `out:` label that cleans up. */
#define CNN_TRY(call)                                                                              \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CNN_OK)                                                                      \
            goto out;                                                                              \
    } while (0)

#endif
