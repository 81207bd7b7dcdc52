/* The folder that a run leaves its files in. */
#ifndef CLI_OUT_FOLDER_H
#define CLI_OUT_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* What of a folder's path was made; start from {0}. */
typedef struct cli_out_folder {
    char *path;
    size_t made; /* length of the first part that was, 0 for none */
} cli_out_folder;

/* Makes the folder and those above it. Returns an exit code. */
int cli_out_folder_make(cli_out_folder *made, const char *folder);
/* Ends it; what was made and is not used goes, where nothing is in it. */
void cli_out_folder_leave(cli_out_folder *made, bool unused);

/* Can the files (ended by NULL) be written in the folder, which is there? Tries, and leaves nothing
 * behind. With no_clobber a file that is there already is refused. Returns an exit code. */
int cli_out_folder_check(const char *folder, const char *const *files, bool no_clobber);

#endif
