/* Straight lines among pixels, by the votes of each for the lines through it (Hough 1962; Duda and
 * Hart 1972). */
#ifndef IMAGE_HOUGH_H
#define IMAGE_HOUGH_H

#include <stdbool.h>

#include "image/plane.h"

/* The points x cosine + y sine = offset; it goes along (-sine, cosine). */
typedef struct cnn_line {
    double cosine, sine, offset;
} cnn_line;

enum { CNN_ANGLES = 180 }; /* of a half turn */

/* Start from {0}. */
typedef struct cnn_votes {
    int width;
    int *voters, voter_count; /* pixels that vote: y * width + x; owned */
    int *counts, offsets;     /* (CNN_ANGLES, offsets); owned */
    double cosines[CNN_ANGLES], sines[CNN_ANGLES];
    int most[CNN_ANGLES]; /* no line of an angle has more */
} cnn_votes;

/* The middles of ink above the level that is at most `limit` pixels across in some direction vote.
 * Errors: MEMORY. */
cnn_status cnn_votes_init(cnn_votes *votes, const cnn_plane *ink, float level, int limit);
/* The line with the most votes, which are removed; returns their number, 0 where none is left. */
int cnn_votes_take(cnn_line *line, cnn_votes *votes);
/* Removes the votes of what is at most `reach` from the line. */
void cnn_votes_remove(cnn_votes *votes, const cnn_line *line, double reach);
void cnn_votes_finish(cnn_votes *votes);

#endif
