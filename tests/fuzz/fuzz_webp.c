/* A WebP picture. */
#include "fuzz.h"
#include "image/decode.h"

enum { PIXEL_LIMIT = 1 << 14 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_picture picture = {0};
    cnn_encoded from = {.data = data, .size = size, .source = "input", .pixel_limit = PIXEL_LIMIT};
    if (cnn_decode_webp(&picture, &from) == CNN_OK)
        cnn_picture_finish(&picture);
    return 0;
}
