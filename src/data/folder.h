/* Where a data set's files are. */
#ifndef DATA_FOLDER_H
#define DATA_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/dataset.h>

#include "data/source.h"

/* The roles of the four files; a split's files are at 2 * split and 2 * split + 1. */
enum { CNN_FOLDER_IMAGES = 0, CNN_FOLDER_LABELS = 1, CNN_FOLDER_FILES = 4 };

typedef struct cnn_folder {
    char *paths[CNN_FOLDER_FILES]; /* NULL where there is no such file; owned */
    int found;                     /* how many there are */
} cnn_folder;

/* Looks for the four files under every usual spelling; a plain file is preferred to a gzipped one.
 * Errors: MEMORY. */
cnn_status cnn_folder_find(cnn_folder *folder, const char *directory);
void cnn_folder_finish(cnn_folder *folder);

/* Errors: FILE, naming what is missing. */
cnn_status cnn_folder_check(const cnn_folder *folder, const char *directory);

/* Debian's package dataset-fashion-mnist. */
#define CNN_DEBIAN_FASHION_MNIST "/usr/share/datasets/fashion-mnist"

/* Puts the names of a folder's classes from its labels.txt, one name a line, in the place of
 * `names`; leaves those where the folder has no labels.txt (Debian's Fashion-MNIST gets its known
 * names). Errors: FILE, DATA (fewer names than class_count; a line that is empty or no UTF-8 text),
 * MEMORY; there are then no names. */
cnn_status cnn_labels_read(cnn_names *names, const char *directory, int class_count);

/* A folder to look into. */
typedef struct cnn_place {
    const char *directory;
    bool named; /* by the user: then it must be there */
} cnn_place;

/* The first place that is there; one that is broken is an error. Errors: as
 * cnn_dataset_load(). */
cnn_status cnn_dataset_load_first(cnn_dataset **dataset, const cnn_place *places, size_t count);

/* Where the data set can be found again from any working directory: cnn_dataset_source() as an
 * absolute path, "memory" for arrays. */
const char *cnn_dataset_home(const cnn_dataset *dataset);

#endif
