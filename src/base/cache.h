/* The folder of caches: tuning, the doctor's memory. */
#ifndef BASE_CACHE_H
#define BASE_CACHE_H

#include <cnncl/error.h>

/* $CNN_CL_CACHE_DIR, else $XDG_CACHE_HOME/cnn-cl, else $HOME/.cache/cnn-cl, whether it is there or
 * not; NULL where none of these is set. To be freed with free(). Errors: MEMORY. */
cnn_status cnn_cache_folder(char **folder);

/* The path of a file in it, after making the folder and those above it; NULL where there is none
 * and none can be made, which is no error: a cache may be done without. To be freed with free().
 * Errors: MEMORY. */
cnn_status cnn_cache_path(char **path, const char *name);

#endif
