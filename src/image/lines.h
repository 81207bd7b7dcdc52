/* Straight lines at any angle, grids, frames, that ink touches or crosses. */
#ifndef IMAGE_LINES_H
#define IMAGE_LINES_H

#include <stdbool.h>

#include "image/pieces.h"

/* Removes from what is above the level the long thin lines, but leaves what crosses them. *removed
 * says whether there was one. Errors: MEMORY. */
cnn_status cnn_lines_remove(cnn_plane *ink, bool *removed, float level);

#endif
