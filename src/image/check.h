/* What a caller says of an image. */
#ifndef IMAGE_CHECK_H
#define IMAGE_CHECK_H

#include <cnncl/image.h>

/* Has it pixels, and have both it and the shape that it becomes sides above 0? Errors: ARGUMENT. */
cnn_status cnn_image_check(const int shape[3], const cnn_image *image);

#endif
