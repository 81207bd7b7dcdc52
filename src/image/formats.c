/* The one list of the formats that are read: what a file is its signature says. */
#include "image/formats.h"

#include <string.h>

#include <cnncl/image.h>

#include "base/signature.h"

static const char words[] = "PNG, JPEG, WebP, TIFF, GIF, BMP, PBM, PGM or PPM";

static const struct format {
    const char *name; /* of its signature */
    cnn_decoder decode;
} formats[] = {
    {"PNG", cnn_decode_png},   {"JPEG", cnn_decode_jpeg}, {"WebP", cnn_decode_webp},
    {"TIFF", cnn_decode_tiff}, {"GIF", cnn_decode_gif},   {"BMP", cnn_decode_bmp},
    {"PNM", cnn_decode_pnm},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

static const struct format *find(const void *data, size_t size)
{
    const cnn_signature *signature = size > 0 ? cnn_signature_find(data, size) : NULL;
    for (size_t i = 0; signature && i < FORMATS; i++)
        if (strcmp(signature->name, formats[i].name) == 0)
            return &formats[i];
    return NULL;
}

cnn_decoder cnn_decoder_find(const void *data, size_t size)
{
    const struct format *format = find(data, size);
    return format ? format->decode : NULL;
}

const char *cnn_format_name(size_t index)
{
    return index < FORMATS ? formats[index].name : NULL;
}

const char *cnn_image_format(const void *data, size_t size)
{
    const struct format *format = data ? find(data, size) : NULL;
    return format ? format->name : NULL;
}

const char *cnn_image_formats(void)
{
    return words;
}
