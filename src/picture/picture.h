/* Pictures as PNG files in memory, for a page that holds them. */
#ifndef PICTURE_PICTURE_H
#define PICTURE_PICTURE_H

#include <cnncl/picture.h>

#include "base/text.h"

/* An image (C, H, W) as it is, thinned where a side is above 128: 1 channel is grey, 3 are RGB, of
 * others the first is drawn. *width, *height: of the picture. Errors: MEMORY, ARGUMENT. */
cnn_status cnn_image_to_png(cnn_text *png, int *width, int *height, const uint8_t *pixels,
                            const int shape[3]);

/* As cnn_picture_confusion(). */
cnn_status cnn_confusion_to_png(cnn_text *png, int *width, int *height, const size_t *counts,
                                int classes, const char *const *names);

/* As cnn_picture_filters(). */
cnn_status cnn_filters_to_png(cnn_text *png, int *width, int *height, const cnn_model *model);

#endif
