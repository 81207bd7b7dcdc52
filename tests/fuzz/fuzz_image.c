/* A picture, and its average as an input of a network. What is seen as a digit: see fuzz_digit.c.
 */
#include <cnncl/image.h>

#include "fuzz.h"

enum { PIXEL_LIMIT = 1 << 14, SIDE = 28 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float values[SIDE * SIDE];
    static const int shape[3] = {1, SIDE, SIDE};
    cnn_images *images;
    if (cnn_images_decode(&images, data, size, "input", PIXEL_LIMIT) != CNN_OK)
        return 0;
    for (size_t i = 0; i < cnn_images_count(images); i++) {
        cnn_image image = cnn_images_get(images, i);
        (void)cnn_image_to_input(values, shape, &image);
    }
    cnn_images_destroy(images);
    return 0;
}
