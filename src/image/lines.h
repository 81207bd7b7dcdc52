/* Ruled lines, grids, frames that ink crosses. */
#ifndef IMAGE_LINES_H
#define IMAGE_LINES_H

#include <stdbool.h>

#include "image/pieces.h"

/* May a piece be a line or have one in it? */
bool cnn_may_be_line(const cnn_piece *piece, const cnn_plane *ink);
/* Removes from what is above the level the long thin lines, level or upright or nearly so, but
 * leaves what crosses them. *removed says whether there was one. Errors: MEMORY. */
cnn_status cnn_lines_remove(cnn_plane *ink, bool *removed, float level);

#endif
