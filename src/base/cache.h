/* The folder of caches: tuning, the doctor's memory, packed pictures. */
#ifndef BASE_CACHE_H
#define BASE_CACHE_H

#include <stddef.h>

#include <cnncl/error.h>

/* $CNN_CL_CACHE_DIR, else $XDG_CACHE_HOME/cnn-cl, else $HOME/.cache/cnn-cl, whether it is there or
 * not; NULL where none of these is set. To be freed with free(). Errors: MEMORY. */
cnn_status cnn_cache_folder(char **folder);

/* The path of a file in it, after making the folder and those above it; NULL where there is none
 * and none can be made, or it belongs to another user, which is no error: a cache may be done
 * without. What is wrong with the folder is told once. To be freed with free(). Errors: MEMORY. */
cnn_status cnn_cache_path(char **path, const char *name);

/* Opens a file in it to be read: a regular file of this user's in a folder of this user's; what is
 * anything else is not waited for, and not trusted. Errors: FILE, MEMORY. */
cnn_status cnn_cache_open(int *file, const char *path);

/* cnn_file_read() of a file in it, opened so. Errors: FILE, DATA, MEMORY. */
cnn_status cnn_cache_read(void **data, size_t *size, const char *path, size_t limit);

#endif
