/* What pictures are resampled to. */
#ifndef IMAGE_FIT_H
#define IMAGE_FIT_H

#include <cnncl/image.h>

/* A picture that a decoder scaled down, and what it was. */
typedef struct cnn_reduced {
    cnn_image image;
    int full[2];   /* height, width of the file's picture */
    int reduction; /* by how much its sides were divided: 1, 2, 4 or 8; the image's are rounded up
                    */
} cnn_reduced;

/* As cnn_image_fit(), of the picture as it was. */
cnn_status cnn_fit_reduced(uint8_t *pixels, const int shape[3], const cnn_reduced *reduced,
                           cnn_picture_fit fit);

/* The sides that a picture should have at least, so that cnn_image_fit() into the shape does not
 * blow it up: a decoder may give a smaller one than the file's. */
void cnn_fit_least(int *height, int *width, const int shape[3], cnn_picture_fit fit);

#endif
