/* Files that come with the library and go by a name: NAME.net, NAME.recipe. */
#ifndef BASE_PRESET_H
#define BASE_PRESET_H

#include <stddef.h>

#include <cnncl/error.h>

typedef struct cnn_preset_kind {
    const char *what;                         /* "network" */
    const char *ending;                       /* ".net" */
    const char *build, *relative, *installed; /* as cnn_installed_folder() */
} cnn_preset_kind;

/* The names of the files, sorted, as many as there is room for, each to be freed with free().
 * Returns how many. */
size_t cnn_preset_list(char **names, size_t room, const cnn_preset_kind *kind);

/* The file of a name, to be freed with free(). Errors: ARGUMENT (there is none; the message lists
 * those that there are), MEMORY. */
cnn_status cnn_preset_find(char **path, const cnn_preset_kind *kind, const char *name);

#endif
