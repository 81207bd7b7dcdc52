/* PNG through libpng's simplified interface, which knows every depth, palette and interlacing. */
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"

enum { MOST_EXPANSION = 1032, BITS = 8 }; /* deflate's limit, from zlib's technical notes */

static cnn_status fail_png(const png_image *png, const cnn_encoded *from)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated PNG: %s", from->source,
                    png->message[0] ? png->message : "unknown");
}

/* A small file cannot make a large picture: a pixel takes a bit or more before compression. */
static cnn_status check_size(const png_image *png, const cnn_encoded *from)
{
    uint64_t least = (uint64_t)png->width * png->height / BITS / MOST_EXPANSION;
    if (least <= from->size)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: damaged or truncated PNG: %u x %u pixels are more than a file of %zu "
                    "bytes can hold",
                    from->source, (unsigned)png->width, (unsigned)png->height, from->size);
}

cnn_status cnn_decode_png(cnn_picture *picture, const cnn_encoded *from)
{
    static const png_color white = {255, 255, 255};
    png_image png = {.version = PNG_IMAGE_VERSION};
    uint8_t *rows = NULL;
    cnn_status status = CNN_OK;
    if (!png_image_begin_read_from_memory(&png, from->data, from->size)) {
        status = fail_png(&png, from);
        goto out;
    }
    png.format = PNG_FORMAT_RGB;
    png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    CNN_TRY(check_size(&png, from));
    CNN_TRY(cnn_picture_allocate(picture, png.width, png.height, from));
    const png_uint_32 bytes = PNG_IMAGE_SIZE(png); /* check_size() keeps it small */
    CNN_TRY(cnn_allocate(&rows, bytes, 1, from->source));
    if (!png_image_finish_read(&png, &white, rows, 0, NULL)) {
        status = fail_png(&png, from);
        goto out;
    }
    const png_uint_32 stride = PNG_IMAGE_ROW_STRIDE(png);
    for (int y = 0; y < picture->height; y++)
        cnn_picture_set_row(picture, y, rows + (size_t)y * stride);
out:
    png_image_free(&png);
    free(rows);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
