/* The names that people's IDX files have, and which of a folder's files make a data set. */
#ifndef DATA_IDX_NAMES_H
#define DATA_IDX_NAMES_H

#include "data/listing.h"
#include "data/source.h"

/* The roles of a set's files; a split's files are at 2 * split and 2 * split + 1. */
enum { CNN_IDX_IMAGES = 0, CNN_IDX_LABELS = 1, CNN_IDX_FILES = 2 * CNN_SPLITS, CNN_IDX_NEEDED = 4 };

enum { CNN_IDX_PREFIX_SIZE = 64 };

/* "emnist-letters-train-images-idx3-ubyte.gz" is a file of the set "emnist-letters". */
typedef struct cnn_idx_name {
    char prefix[CNN_IDX_PREFIX_SIZE]; /* "" where the name begins with the split's */
    int role;
    int rank; /* after "idx" */
    /* Of names for the same: the lowest is what a user means. What is usual, then plain before
     * gzipped, then the rank. */
    int order;
} cnn_idx_name;

/* False where it is no such name: [PREFIX-](train|t10k|test|val)-(images|labels)[-.]idxN-TYPE[.gz].
 */
bool cnn_idx_name_parse(cnn_idx_name *parsed, const char *name);

/* The files of one set. Start from {0}. */
typedef struct cnn_idx_set {
    char prefix[CNN_IDX_PREFIX_SIZE];
    char *paths[CNN_IDX_FILES]; /* NULL where there is no such file; owned */
    int orders[CNN_IDX_FILES];
    int found; /* how many there are */
} cnn_idx_set;

/* Finds the files of a folder that belong to one set: those of the prefix, or with NULL those
 * without one, or of the only prefix that there is. A file may lie in a folder of such a name.
 * found is 0 where there are none. Errors: FILE, DATA (several sets, which are named), MEMORY. */
cnn_status cnn_idx_set_find(cnn_idx_set *set, const char *folder, const char *prefix);
void cnn_idx_set_finish(cnn_idx_set *set);

/* Errors: FILE, naming what is missing. */
cnn_status cnn_idx_set_check(const cnn_idx_set *set, const char *folder);

#endif
