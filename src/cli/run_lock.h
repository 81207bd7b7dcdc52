/* One training at a time in a folder. */
#ifndef CLI_RUN_LOCK_H
#define CLI_RUN_LOCK_H

#include <stdbool.h>

/* A lock of fcntl(): it ends with the process, however that ends, and holds between hosts where the
 * folder is NFS's. The file says who holds it. Start from {.file = -1}. */
typedef struct cli_run_lock {
    int file;    /* -1: not held */
    bool is_off; /* the file system has no locks */
    char *path;
} cli_run_lock;

/* Locks the folder for this process, by the file `path` in it. Does nothing where the folder is not
 * there yet; a file system without locks is told of in a line. Returns an exit code: that of a failure
 * where another holds it. */
int cli_run_lock_take(cli_run_lock *lock, const char *folder, const char *path);
void cli_run_lock_release(cli_run_lock *lock);

#endif
