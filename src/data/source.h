/* Where a data set's samples come from: one interface, one file for each format behind it. */
#ifndef DATA_SOURCE_H
#define DATA_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/dataset.h>

#include "base/hash.h"
#include "data/names.h"

enum { CNN_SPLITS = 3, CNN_CLASS_LIMIT = 65535 };

typedef struct cnn_source cnn_source;

/* What samples are brought to. */
typedef struct cnn_aim {
    int shape[3]; /* channels, height, width */
    cnn_picture_fit fit;
    bool exact; /* samples of another height or width are refused */
    int bits;   /* as of cnn_source */
} cnn_aim;

/* What a format must do. */
typedef struct cnn_source_class {
    /* A sample's class, below CNN_CLASS_LIMIT. */
    uint16_t (*label)(const cnn_source *source, size_t index);
    /* A sample as bytes (C, H, W) of the aim; called from several threads at once. Errors: DATA (it
     * cannot be read), FILE, ARGUMENT (it has another size, where the aim is exact), MEMORY. */
    cnn_status (*fill)(uint8_t *image, const cnn_source *source, size_t index, const cnn_aim *aim);
    /* NULL, or: sets the source's shape and bits where finding them takes time: the shape of its
     * first sample that can be read, (3, 0, 0) without such. Errors: MEMORY. */
    cnn_status (*measure)(cnn_source *source);
    /* NULL, or: hands all images over, (count, C, H, W) of the source's shape, which is to be freed
     * with free(); nothing is filled afterwards. */
    uint8_t *(*take)(cnn_source *source);
    void (*destroy)(cnn_source *source);
    /* NULL, or: what would change if another sample came out, without reading any: for those whose
     * images are worth keeping. `base` is where the sources are from. */
    void (*identify)(cnn_hasher *hasher, const cnn_source *source, const char *base);
} cnn_source_class;

/* The samples of one split; a format's own struct begins with it. */
struct cnn_source {
    const cnn_source_class *kind;
    size_t count;
    int shape[3]; /* channels, height, width of the samples as they are */
    int bits; /* that samples of 16 bits have in all of it; 0: they are bytes, or it is not known */
};

void cnn_source_destroy(cnn_source *source);

enum { CNN_FILL_MESSAGE = 1024 };

/* How the samples of a source become images. */
typedef struct cnn_filling {
    const cnn_source *source;
    const cnn_aim *aim;
    bool skip_broken;               /* samples that cannot be read are left out */
    size_t skipped;                 /* of these; so far */
    char message[CNN_FILL_MESSAGE]; /* about the first of them */
} cnn_filling;

/* The images (C, H, W) of samples first to first + count - 1 by several threads, without gaps, and
 * which they are; *kept is how many: the others are skipped. images and indices have room for all.
 * Errors: that of the first sample that failed. */
cnn_status cnn_source_fill(uint8_t *images, uint32_t *indices, size_t *kept, cnn_filling *filling,
                           size_t first, size_t count);

/* Samples that lie in memory: images (count, C, H, W) and labels (count), which it owns from now
 * on, also when it fails. Errors: MEMORY. */
cnn_status cnn_source_from_memory(cnn_source **source, const int shape[3], size_t count,
                                  uint8_t *images, uint16_t *labels);

/* What a format found at a place. Start from {0}. */
typedef struct cnn_sources {
    cnn_source *splits[CNN_SPLITS]; /* of cnn_split; NULL where there is none; owned */
    cnn_names names;                /* of the classes, as far as the files name them */
    bool has_coarse;                /* there are coarse labels to choose */
    bool closed;                    /* the names are those of all classes */
} cnn_sources;

void cnn_sources_finish(cnn_sources *sources);

/* A data set of all samples of the sources, which are used up; path is where they are from. Errors:
 * as those of the sources, MEMORY. */
cnn_status cnn_dataset_from_sources(cnn_dataset **dataset, cnn_sources *sources, const char *path,
                                    const cnn_data_options *options);

/* Holds a part of the training source out as the validation split: the same samples for the same
 * count and share, in the order in which they lie. Errors: ARGUMENT (nothing would be left, or
 * held out), MEMORY. */
cnn_status cnn_sources_divide(cnn_sources *sources, double share);

#endif
