/* Decoders: from the bytes of a file to a picture. */
#ifndef IMAGE_DECODE_H
#define IMAGE_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

enum { CNN_PICTURE_CHANNELS = 3, CNN_PICTURE_MAX_SIDE = 65535 };

/* The bytes of a file, and what to call them in messages. */
typedef struct cnn_encoded {
    const uint8_t *data;
    size_t size;
    const char *source;
    size_t pixel_limit;
    /* 0, or: what is wanted of it. A larger picture may come scaled down, to no less than four
     * times these sides. */
    int least_width, least_height;
    int bits; /* that samples of 16 bits have at least, as others of their set do; 0: not known */
} cnn_encoded;

/* Start from {0}. */
typedef struct cnn_picture {
    int width, height;
    uint8_t *pixels; /* (3, height, width); owned */
    /* Where a decoder scaled it down: by 2, 4 or 8, and what it was before; else zeros. */
    int reduction, full_width, full_height;
    int bits; /* of samples of 16 bits: what they have, by the largest; 0: they are bytes */
} cnn_picture;

/* Memory for a picture of this size, black. Errors: DATA (a side of 0 or too long, too many
 * pixels), MEMORY. */
cnn_status cnn_picture_allocate(cnn_picture *picture, uint64_t width, uint64_t height,
                                const cnn_encoded *from);
/* Refuses what is larger than a byte of its format can stand for, `most` pixels, times the file's
 * bytes. format: in the message. Errors: DATA. */
cnn_status cnn_picture_check_expansion(uint64_t width, uint64_t height, uint64_t most,
                                       const cnn_encoded *from, const char *format);
/* Row y from pixels one after the other (width, 3). */
void cnn_picture_set_row(cnn_picture *picture, int y, const uint8_t *row);
/* Turns it by an Exif orientation of 1 to 8. Errors: MEMORY. */
cnn_status cnn_picture_orient(cnn_picture *picture, int orientation);
void cnn_picture_finish(cnn_picture *picture);

/* In any format that is known by its first bytes. Errors: DATA (none such; damaged, truncated, too
 * large), MEMORY; the picture then owns nothing. */
cnn_status cnn_decode_picture(cnn_picture *picture, const cnn_encoded *from);

/* Errors of each: DATA (damaged, truncated, too large), MEMORY; the picture then owns nothing. */
typedef cnn_status (*cnn_decoder)(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_png(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_jpeg(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_webp(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_tiff(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_gif(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_bmp(cnn_picture *picture, const cnn_encoded *from);
cnn_status cnn_decode_pnm(cnn_picture *picture, const cnn_encoded *from);

/* The orientation, 1 to 8, that Exif data say (a JPEG file's APP1 marker, a chunk of a PNG or WebP
 * file); 1 where they say nothing that can be read. */
int cnn_exif_orientation(const uint8_t *data, size_t size);

#endif
