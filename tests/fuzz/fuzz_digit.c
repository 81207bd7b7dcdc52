/* A picture as a digit: bytes 0 and 1 are its width and height, byte 2 says how many channels, byte
 * 3 the sides of the network's plane; then the pixels, again and again. */
#include <stdlib.h>

#include <cnncl/image.h>

#include "fuzz.h"

enum { HEADER = 4, CHANNELS = 4, MOST_SIDE = 64, MOST_PIXELS = CHANNELS * MOST_SIDE * MOST_SIDE };

static int one_to(int most, uint8_t byte)
{
    return 1 + byte % most;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t pixels[MOST_PIXELS];
    static float values[MOST_SIDE * MOST_SIDE];
    if (size <= HEADER)
        return 0;
    const cnn_image image = {
        .shape = {one_to(CHANNELS, data[2]), one_to(MOST_SIDE, data[1]),
                  one_to(MOST_SIDE, data[0])},
        .pixels = pixels,
    };
    const int shape[3] = {1, one_to(MOST_SIDE, data[3]), one_to(MOST_SIDE, data[3])};
    for (size_t i = 0; i < MOST_PIXELS; i++)
        pixels[i] = data[HEADER + i % (size - HEADER)];
    if (cnn_image_to_digit(values, shape, &image) != CNN_OK)
        return 0;
    for (int i = 0; i < shape[1] * shape[2]; i++)
        if (!(values[i] >= 0.0f && values[i] <= 1.0f))
            abort();
    return 0;
}
