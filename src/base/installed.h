/* Folders that are installed beside the library. */
#ifndef BASE_INSTALLED_H
#define BASE_INSTALLED_H

#include <cnncl/error.h>

/* The folder, to be freed with free(): `build` where this code runs in its build folder; else
 * `relative` below the prefix that it was installed (or moved) to; else `installed`. It need not
 * be there. Errors: MEMORY. */
cnn_status cnn_installed_folder(char **folder, const char *build, const char *relative,
                                const char *installed);

#endif
