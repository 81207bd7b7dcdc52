/* What pixels become before they go through a network. */
#ifndef NET_NORMALIZE_H
#define NET_NORMALIZE_H

#include <cnncl/dataset.h>

#define CNN_NORMALIZE_KEY "cnn-cl.normalize" /* its text, in files */

/* A pixel p of 0 to 1 becomes (p - mean) / deviation of its channel. Start from {0}: as it is. */
typedef struct cnn_normalization {
    int channels;      /* 0: none */
    float *means;      /* (channels); the deviations lie behind, so that one write takes both */
    float *deviations; /* (channels) */
    char *text;        /* "0.5,0.5:0.25,0.5" */
} cnn_normalization;

/* From "MEANS:STDS", numbers with commas between them, one for all channels or one for each;
 * "imagenet" are those of ImageNet; "none" and NULL are none. source names the text in messages.
 * Errors: ARGUMENT, MEMORY. */
cnn_status cnn_normalization_init(cnn_normalization *normalization, const char *text, int channels,
                                  const char *source);
/* Says where a number is far above what pixels from 0 to 1 give. */
void cnn_normalization_warn(const cnn_normalization *normalization);
/* The means and deviations of a data set's training images; a deviation of 0 is taken as 1. Errors:
 * DATA (there are none), MEMORY. */
cnn_status cnn_normalization_measure(cnn_normalization *normalization, const cnn_dataset *dataset);
void cnn_normalization_finish(cnn_normalization *normalization);

#endif
