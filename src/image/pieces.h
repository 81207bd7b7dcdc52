/* Pieces of ink: pixels that touch each other, also by a corner. */
#ifndef IMAGE_PIECES_H
#define IMAGE_PIECES_H

#include <stdbool.h>

#include "image/plane.h"

/* Where something is, in pixels. */
typedef struct cnn_box {
    int left, top, width, height;
} cnn_box;

enum { CNN_SIDES = 4 }; /* left, top, right, bottom */

typedef struct cnn_piece {
    cnn_box box;
    int area, outline;    /* pixels; sides of pixels where it ends */
    int sides[CNN_SIDES]; /* its pixels on each side of the picture */
    double ink, grey;     /* sums of its values, and of what the caller has beside them */
    double x, y;          /* sums over pixels, for its middle and its direction */
    double xx, xy, yy;
} cnn_piece;

/* Start from {0}. */
typedef struct cnn_pieces {
    int width, height;
    int *labels;    /* (height, width): 0 for none, or the number of its piece; owned */
    cnn_piece *all; /* from number 1 on; owned */
    int count, room;
    int *stack;
} cnn_pieces;

/* The pieces of what is above the level. grey is of the same size, or NULL. Errors: MEMORY. */
cnn_status cnn_pieces_find(cnn_pieces *pieces, const cnn_plane *ink, float level,
                           const cnn_plane *grey);
void cnn_pieces_finish(cnn_pieces *pieces);

/* Its longer side. */
int cnn_piece_length(const cnn_piece *piece);
/* Does it go on beyond the picture as a digit does that the border cuts: over one side only, and on
 * a short way, other than a sheet or a bar? */
bool cnn_piece_is_cut(const cnn_piece *piece);
/* The mean width of its strokes, in pixels: one of width w and length l has the area w l and an
 * outline of 2 l. */
double cnn_piece_width(const cnn_piece *piece);
/* The side of the largest square in it; 0 where its box is wider than a picture that is looked at.
 */
int cnn_piece_square(const cnn_pieces *pieces, int number);
/* How much of the smallest rectangle around it, at any tilt, lies between its ends in each row:
 * near 1 for a sheet of paper, 0.79 for an ellipse, less for most digits. */
#define CNN_SQUARE 0.91 /* what has more was drawn along a ruler */
double cnn_piece_squareness(const cnn_pieces *pieces, int number);
/* How wide it is across, as a part of how long it is: of the deviations along its two axes.
 * *slope is the angle of the longer one from upright, 0 to pi/2. */
double cnn_piece_slimness(double *slope, const cnn_piece *piece);
/* How far apart the boxes are; 0 where they touch. */
int cnn_box_gap(const cnn_box *a, const cnn_box *b);
/* The part of the smaller box that the other covers. */
double cnn_box_overlap(const cnn_box *a, const cnn_box *b);

#endif
