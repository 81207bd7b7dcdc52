/* How this library reports failures: cnn_fail() where one is found, CNN_TRY() on the way up. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stddef.h>

#include <cnncl/error.h>

/* Sets the thread's message and returns the code. Called once, where the failure is found: callers
 * further up pass the code on and leave the message alone. */
cnn_status cnn_fail(cnn_status status, const char *format, ...) CNN_PRINTF(2, 3);

/* For "out of memory": names what the bytes were for. */
cnn_status cnn_fail_memory(size_t bytes, const char *what);

void cnn_log(cnn_log_level level, const char *format, ...) CNN_PRINTF(2, 3);

/* In a function with `cnn_status status = CNN_OK;` and an `out:` label that cleans up. */
#define CNN_TRY(call)                                                                              \
    do {                                                                                           \
        status = (call);                                                                           \
        if (status != CNN_OK)                                                                      \
            goto out;                                                                              \
    } while (0)

#endif
