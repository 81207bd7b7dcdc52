/* Decoded samples, of 8 or 16 bits, with transparency or without: to a picture of bytes. */
#ifndef IMAGE_SAMPLES_H
#define IMAGE_SAMPLES_H

#include <stdbool.h>

#include "image/decode.h"

typedef struct cnn_samples {
    uint8_t *bytes; /* (height, width, channels); owned by who made them */
    int channels;   /* grey; grey, alpha; red, green, blue; red, green, blue, alpha */
    bool wide;      /* two bytes a sample, the higher first */
} cnn_samples;

/* Fills a picture of the samples' size. Samples of 16 bits of which none is above 4095 (1023, 255)
 * are those of a camera or scanner of 12 (10, 8) bits, and fill the range, unless from->bits is
 * more. Transparency lies on white; on black where what is visible is so bright that it would
 * vanish. Both are logged, with the source's name. */
void cnn_samples_to_picture(cnn_picture *picture, const cnn_samples *samples,
                            const cnn_encoded *from);

#endif
