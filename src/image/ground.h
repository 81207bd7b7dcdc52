/* The ground of a picture, whatever light lies on it. */
#ifndef IMAGE_GROUND_H
#define IMAGE_GROUND_H

#include <stdbool.h>

#include "image/plane.h"

/* contrast (height, width), 0 to 1: how much darker each pixel of `grey` (0 to 255) is than the
 * ground around it, as a part of the ground's brightness; with `light`, how much lighter, as a part
 * of the brightest around it. Strokes are what is narrower than a third of the picture; a slope or
 * a step of light is no stroke. Errors: MEMORY. */
cnn_status cnn_ground_contrast(cnn_plane *contrast, const cnn_plane *grey, bool light);

#endif
