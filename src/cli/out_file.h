/* The files that a command writes: whether they can be, and what they would replace, is known
 * before its work. */
#ifndef CLI_OUT_FILE_H
#define CLI_OUT_FILE_H

#include <cnncl/dataset.h>

#include "cli/options.h"

typedef enum cli_file_kind {
    CLI_FILE_ANY, /* is replaced, whatever it is */
    CLI_FILE_SAFETENSORS,
    CLI_FILE_ONNX,
    CLI_FILE_NPZ,
    CLI_FILE_PNG,
    CLI_FILE_TRACE,
    CLI_FILE_LOG
} cli_file_kind;

/* Can the file be written? It replaces nothing that the command reads, and of files that are there
 * one of its kind alone. Tries, and leaves nothing behind; of another rank than the first nothing
 * is tried. who: the option or the command that a message begins with; path: NULL for no file.
 * Returns an exit code. */
int cli_out_file_check(const char *who, const char *path, cli_file_kind kind,
                       const cli_options *options);
/* Nor a picture of the data set, once that is open. */
int cli_out_file_check_data(const char *who, const char *path, const cnn_dataset *dataset);

/* The folder of a path, to be freed; NULL after saying that there is no memory. */
char *cli_out_file_folder(const char *path);
/* Makes a file whose name begins so, and removes it. Returns 0, or errno. */
int cli_out_file_try(const char *start);

#endif
