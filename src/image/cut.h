/* A digit cut out of a picture. */
#ifndef IMAGE_CUT_H
#define IMAGE_CUT_H

#include "image/rate.h"

/* Where something was found: a map, a level, the number of a piece. */
typedef struct cnn_place {
    const cnn_map *map;
    float level;
    bool without_lines;
    int number;
    double rate;
} cnn_place;

/* ink is the contrast at a place, without its lines where the place says so: it becomes the ink of
 * the digit there, 0 to 1, and what is not the digit is removed. *found is how many pieces look
 * like digits. Errors: MEMORY. */
cnn_status cnn_cut_out(cnn_plane *ink, int *found, cnn_place at);

#endif
