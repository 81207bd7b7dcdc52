/* One channel as floats, and its scaling. */
#ifndef IMAGE_PLANE_H
#define IMAGE_PLANE_H

#include <stdint.h>

#include <cnncl/error.h>

/* Start from {0}. */
typedef struct cnn_plane {
    int width, height;
    float *values; /* (height, width); owned */
} cnn_plane;

/* All zero. Errors: MEMORY. */
cnn_status cnn_plane_init(cnn_plane *plane, int width, int height);
/* A copy. Errors: MEMORY. */
cnn_status cnn_plane_copy(cnn_plane *plane, const cnn_plane *from);
void cnn_plane_finish(cnn_plane *plane);

/* A rectangle of what is to be scaled: of bytes or of floats, whichever is not NULL. */
typedef struct cnn_area {
    const uint8_t *bytes;
    const float *floats;
    int stride;                   /* values from row to row */
    int left, top, width, height; /* within it */
} cnn_area;

/* Scales the area to the target's size. Where it shrinks, a value is the average of the area that
 * it covers; where it grows, it is interpolated linearly. Errors: MEMORY. */
cnn_status cnn_plane_scale(cnn_plane *target, const cnn_area *from);

#endif
