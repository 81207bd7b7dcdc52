/* Of all pieces of ink in a picture those that are its digit. */
#ifndef IMAGE_CHOICE_H
#define IMAGE_CHOICE_H

#include "image/rate.h"

/* ink: the digit's alone, 0 to 1, of the maps' size. *found is how many pieces look like digits, of
 * which it is the largest. Errors: DATA (there is no ink), MEMORY. */
cnn_status cnn_choose_digit(cnn_plane *ink, int *found, const cnn_map maps[], int count);

#endif
