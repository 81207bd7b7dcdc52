/* The folder that a run leaves its files in. */
#ifndef CLI_OUT_FOLDER_H
#define CLI_OUT_FOLDER_H

#include <stdbool.h>

/* Can the folder be made, and the files (ended by NULL) be written in it? Tries, and leaves nothing
 * behind. With no_clobber a file that is there already is refused. Returns an exit code. */
int cli_out_folder_check(const char *folder, const char *const *files, bool no_clobber);

/* Makes the folder and those above it. Returns an exit code. */
int cli_out_folder_make(const char *folder);

#endif
