/** @file
 * Status codes, the message behind a failure, and the log.
 *
 * A function that can fail returns a cnn_status. When it is not CNN_OK, cnn_error_message() has one
 * line that says what was expected, what was found and what to do. The library never prints and
 * never exits.
 *
 * A pointer may be NULL only where that is said. Where one is, a function that returns a status
 * returns CNN_ERROR_ARGUMENT and names it; any other does nothing, and returns false, NULL, an
 * empty string or a struct without values. So does a function that is asked for an index past the
 * count. A device, and what was created on it, serves the process that opened it alone: in a child
 * that it forked each call returns CNN_ERROR_DEVICE, and destroying does nothing. */
#ifndef CNNCL_ERROR_H
#define CNNCL_ERROR_H

#include <cnncl/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a call ended. */
typedef enum cnn_status {
    CNN_OK = 0,           /**< done */
    CNN_ERROR_ARGUMENT,   /**< a value out of range, an option unknown, a network that cannot be */
    CNN_ERROR_DEVICE,     /**< no such OpenCL device, or none that is usable */
    CNN_ERROR_DATA,       /**< a data set or model file whose content is wrong */
    CNN_ERROR_FILE,       /**< a file or folder that cannot be read or written */
    CNN_ERROR_MEMORY,     /**< memory of the host or of the device does not suffice */
    CNN_ERROR_OPENCL,     /**< a call of the OpenCL driver or of CLBlast failed */
    CNN_ERROR_KERNEL,     /**< a kernel file is missing or does not build */
    CNN_ERROR_ARITHMETIC, /**< a loss that is not finite */
    CNN_ERROR_STOPPED,    /**< a callback asked to stop */
    CNN_ERROR_RANK        /**< another rank died, or does not answer */
} cnn_status;

/** The message of the last failure in this thread: one line, no newline. Empty when nothing failed.
 * Valid until the next call of the library in this thread. */
CNN_API const char *cnn_error_message(void);

/** The name of a code, "ok", "argument", "device", ...: it stays the same in later versions. */
CNN_API const char *cnn_status_name(cnn_status status);

/** How much a line of the log matters. */
typedef enum cnn_log_level {
    CNN_LOG_WARNING = 0, /**< something may be wrong */
    CNN_LOG_INFO = 1,    /**< what was chosen or assumed */
    CNN_LOG_DEBUG = 2    /**< details */
} cnn_log_level;

/** Receives one line without a newline, and what was given to cnn_log_set_callback() as user. */
typedef void (*cnn_log_callback)(cnn_log_level level, const char *line, void *user);

/** Sets the log callback of the whole process; NULL (the default) drops the log. user is handed to
 * it. */
CNN_API void cnn_log_set_callback(cnn_log_callback callback, void *user);

/** The version of the library, "MAJOR.MINOR.PATCH". */
CNN_API const char *cnn_version(void);

#ifdef __cplusplus
}
#endif

#endif
