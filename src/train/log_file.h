/* A file that lines are appended to while a run goes on. */
#ifndef TRAIN_LOG_FILE_H
#define TRAIN_LOG_FILE_H

#include <cnncl/error.h>

#include "base/text.h"

typedef struct cnn_log_file {
    char *path;
    int file;         /* -1: none, or a named pipe that has no reader */
    bool is_stream;   /* no regular file: written to as it is */
    bool is_pipe;     /* a named one */
    cnn_text pending; /* lines for the stream that its reader has not made room for */
    size_t lost;      /* lines that there was no more room for here */
} cnn_log_file;

/* Starts the file with a text, in place of what was there: of a link too, whose target stays as it
 * is. With may_stream a pipe, a device or /dev/stdout is written to as it is instead: one that
 * nobody reads holds nothing up, and gets its lines when somebody does. Start from {.file = -1}.
 * Errors: FILE, MEMORY. */
cnn_status cnn_log_file_open(cnn_log_file *log, const char *path, const char *text,
                             bool may_stream);
/* Appends a line, whole or not at all. Errors: FILE, MEMORY. */
cnn_status cnn_log_file_append(cnn_log_file *log, const char *text);
/* Waits a moment for a reader that is behind, and warns of what it did not get. */
void cnn_log_file_close(cnn_log_file *log);

#endif
