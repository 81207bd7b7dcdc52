/* What a data set is: for the files that fill it. */
#ifndef DATA_CONTENT_H
#define DATA_CONTENT_H

#include "data/pack.h"
#include "data/source.h"

typedef struct cnn_split_content {
    uint8_t *images;  /* (N, C, H, W); NULL where the data set is larger than memory */
    uint16_t *labels; /* (N) */
    size_t count;
} cnn_split_content;

struct cnn_dataset {
    int shape[3];
    cnn_split_content splits[CNN_SPLITS];
    cnn_pack *pack; /* what images are read from where they are not in memory; else NULL */
    int class_count;
    double held_out;
    bool of_pictures; /* from files */
    cnn_data_options options;
    cnn_picture_fit fit;
    cnn_names names; /* may be fewer than classes: the others are called by their numbers */
    char *source;
    char *home; /* NULL where it is the source */
};

/* How a data set is filled. */
typedef struct cnn_taking {
    cnn_dataset *dataset; /* its fit is set */
    cnn_sources *sources;
    const char *path; /* where they are from; NULL: from memory */
    const cnn_data_options *options;
    char *pack_path;          /* where the images are kept; NULL: nowhere */
    cnn_pack_content content; /* what is known of that */
    cnn_pack_writer *writer;  /* what they are written into; NULL: they come into memory */
    bool unwritable;          /* writing failed */
    int bits;                 /* of samples of 16 bits: cnn_source */
    double told;              /* when it was said last how far it is */
} cnn_taking;

/* The bytes of an image. */
size_t cnn_content_image(const cnn_dataset *dataset);
/* Sets the shape, and puts the sources' images and labels into the data set, or into a new pack.
 * Errors: as those of the sources, MEMORY; FILE with unwritable. */
cnn_status cnn_content_fill(cnn_taking *taking);
/* The labels of a split's images, whose samples' numbers these are (count). Errors: MEMORY. */
cnn_status cnn_content_label(cnn_split_content *split, const cnn_source *source,
                             const uint32_t *samples, size_t count);
/* Frees images and labels. */
void cnn_content_drop(cnn_dataset *dataset);

/* Fills a data set from sources: decodes them, or takes what was kept of that. Errors: as those of
 * the sources, MEMORY. */
cnn_status cnn_content_take(cnn_taking *taking);

#endif
