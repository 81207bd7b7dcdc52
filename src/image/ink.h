/* Ink: what differs from the ground of a picture. */
#ifndef IMAGE_INK_H
#define IMAGE_INK_H

#include <cnncl/image.h>

#include "image/pieces.h"

/* How much ink of a digit each pixel has, 0 to 1, of a picture that was made smaller where it is
 * large. Of several pieces that look like digits the largest is taken; *found is their number.
 * Errors: DATA (nothing differs from the ground), MEMORY. */
cnn_status cnn_ink_find(cnn_plane *ink, int *found, const cnn_image *image);
/* Removes specks, and finds what is left. Errors: MEMORY. */
cnn_status cnn_ink_clean(cnn_box *box, cnn_plane *ink);
/* The mean width of strokes, in pixels. */
double cnn_ink_width(const cnn_plane *ink);
/* Makes each stroke wider by the radius on each side, or thinner where it is below 0. Errors:
 * MEMORY. */
cnn_status cnn_ink_widen(cnn_plane *ink, double radius);

#endif
