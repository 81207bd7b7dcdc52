/* Which folders of a place are the splits of a data set. */
#ifndef DATA_SPLIT_FOLDERS_H
#define DATA_SPLIT_FOLDERS_H

#include "data/place.h"

typedef struct cnn_split_folders {
    const char *names[CNN_SPLITS]; /* the site's own; NULL: there is none */
    int count;
} cnn_split_folders;

/* Folders of classes that are called train, val, test (or another word for one of these); where
 * there are none, one word of a name is enough for folders of the same classes (training_set and
 * test_set), which is told, as what else has pictures. gifs: as of cnn_folders_find(). Errors: DATA
 * (two of one split), FILE, MEMORY.
 */
cnn_status cnn_split_folders_find(cnn_split_folders *folders, const cnn_site *site, bool gifs);

/* Is it what trainings left in the folder? Errors: MEMORY. */
cnn_status cnn_entry_is_of_runs(bool *runs, const cnn_entry *entry, const char *folder);
/* Does the folder of that listing have a folder with pictures? Errors: MEMORY. */
cnn_status cnn_folder_has_classes(bool *found, const cnn_listing *listing, const char *folder,
                                  bool gifs);

#endif
