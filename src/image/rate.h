/* Which piece of ink looks like a digit. */
#ifndef IMAGE_RATE_H
#define IMAGE_RATE_H

#include "image/pieces.h"

/* One way to look at a picture: a channel, and how much its pixels differ from their ground. */
typedef struct cnn_map {
    cnn_plane grey;     /* 0 to 255 */
    cnn_plane contrast; /* 0 to 1 */
    bool light;         /* ink is lighter than the ground */
} cnn_map;

/* How much a piece above a level of the contrast looks like a digit: 0 for not at all; grows with
 * its size and its contrast. What is not above `least` may not be looked at closely. */
double cnn_rate_piece(const cnn_pieces *pieces, int number, const cnn_map *map, float level,
                      double least);

#endif
