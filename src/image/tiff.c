/* TIFF through libtiff: the first picture of a file. Grey and colors of 8 and 16 bits are read
 * sample by sample, as libtiff has them; everything else (palettes, bits, print colors, JPEG
 * inside) by its conversion to red, green, blue and opacity. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"
#include "image/decode.h"
#include "image/samples.h"

enum {
    MESSAGE_SIZE = 1024, /* libtiff's own */
    COLORS = 3,
    BYTE = 255,
    WIDE = 65535,
    BYTE_BITS = 8,
    WIDE_BITS = 16,
    MOST_SAMPLES = 8, /* of a pixel that is read sample by sample */
    MOST_BYTES = 16,  /* of a pixel, that libtiff may take memory for */
    LEAST_LIMIT = 1 << 20
};

typedef struct tiff_reader {
    const cnn_encoded *from;
    size_t at; /* of the file's bytes */
    TIFF *tiff;
    char message[MESSAGE_SIZE]; /* the first of libtiff's */
    uint32_t width, height;
    uint16_t bits, per_pixel, photometric, orientation;
    bool straight;   /* the colors are not multiplied by the opacity */
    uint8_t *row;    /* of the file */
    uint32_t *words; /* (height, width) of libtiff's conversion */
    cnn_samples samples;
} tiff_reader;

static tmsize_t take_bytes(thandle_t handle, void *bytes, tmsize_t count)
{
    tiff_reader *reader = handle;
    size_t left = reader->from->size - reader->at;
    size_t taken = count < 0 ? 0 : (size_t)count < left ? (size_t)count : left;
    memcpy(bytes, reader->from->data + reader->at, taken);
    reader->at += taken;
    return (tmsize_t)taken;
}

static tmsize_t put_nothing(thandle_t handle, void *bytes, tmsize_t count)
{
    (void)handle;
    (void)bytes;
    (void)count;
    return -1;
}

static toff_t move(thandle_t handle, toff_t offset, int whence)
{
    tiff_reader *reader = handle;
    toff_t from = whence == SEEK_CUR ? reader->at : whence == SEEK_END ? reader->from->size : 0;
    toff_t to = from + offset;
    if (to > reader->from->size)
        to = reader->from->size; /* there is nothing to read */
    reader->at = (size_t)to;
    return to;
}

static int leave_open(thandle_t handle)
{
    (void)handle;
    return 0;
}

static toff_t size_of(thandle_t handle)
{
    return ((const tiff_reader *)handle)->from->size;
}

/* The file lies in memory. Without this libtiff 4.5 refuses small tiles that are not compressed. */
static int map(thandle_t handle, void **data, toff_t *size)
{
    const tiff_reader *reader = handle;
    *data = (void *)reader->from->data; /* only read */
    *size = reader->from->size;
    return 1;
}

static void unmap(thandle_t handle, void *data, toff_t size)
{
    (void)handle;
    (void)data;
    (void)size;
}

static int take_error(TIFF *tiff, void *user, const char *module, const char *format, va_list list)
{
    tiff_reader *reader = user;
    (void)tiff;
    (void)module;
    if (!reader->message[0])
        cnn_format_list(reader->message, sizeof reader->message, format, list);
    return 1;
}

static int take_warning(TIFF *tiff, void *user, const char *module, const char *format,
                        va_list list)
{
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)list;
    return 1;
}

static cnn_status fail_tiff(const tiff_reader *reader)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated TIFF: %s", reader->from->source,
                    reader->message[0] ? reader->message : "unknown");
}

/* Messages are this picture's own, and no piece of it takes more memory than a whole one may. */
static TIFF *open_tiff(tiff_reader *reader)
{
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return NULL;
    TIFFOpenOptionsSetMaxSingleMemAlloc(
        options, (tmsize_t)(reader->from->pixel_limit * MOST_BYTES + LEAST_LIMIT));
    TIFFOpenOptionsSetErrorHandlerExtR(options, take_error, reader);
    TIFFOpenOptionsSetWarningHandlerExtR(options, take_warning, reader);
    TIFF *tiff = TIFFClientOpenExt("", "r", reader, take_bytes, put_nothing, move, leave_open,
                                   size_of, map, unmap, options);
    TIFFOpenOptionsFree(options);
    return tiff;
}

static cnn_status read_header(cnn_picture *picture, tiff_reader *reader)
{
    TIFF *tiff = reader->tiff;
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &reader->width) ||
        !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &reader->height))
        return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated TIFF: it has no picture",
                        reader->from->source);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &reader->bits);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &reader->per_pixel);
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &reader->orientation);
    if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &reader->photometric))
        reader->photometric = reader->per_pixel < COLORS ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
    return cnn_picture_allocate(picture, reader->width, reader->height, reader->from);
}

/* What the sample behind the colors is. */
static bool has_alpha(tiff_reader *reader, int colors)
{
    uint16_t count = 0, *kinds = NULL;
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_EXTRASAMPLES, &count, &kinds);
    bool alpha = reader->per_pixel > colors && count > 0 &&
                 (kinds[0] == EXTRASAMPLE_ASSOCALPHA || kinds[0] == EXTRASAMPLE_UNASSALPHA);
    reader->straight = !alpha || kinds[0] == EXTRASAMPLE_UNASSALPHA;
    return alpha;
}

/* Rows of whole samples, one pixel after the other? */
static bool is_plain(const tiff_reader *reader)
{
    uint16_t kind = SAMPLEFORMAT_UINT, planar = PLANARCONFIG_CONTIG;
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_SAMPLEFORMAT, &kind);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_PLANARCONFIG, &planar);
    bool grey = reader->photometric == PHOTOMETRIC_MINISBLACK ||
                reader->photometric == PHOTOMETRIC_MINISWHITE;
    int least = grey ? 1 : COLORS;
    return (grey || reader->photometric == PHOTOMETRIC_RGB) &&
           (reader->bits == BYTE_BITS || reader->bits == WIDE_BITS) &&
           (kind == SAMPLEFORMAT_UINT || kind == SAMPLEFORMAT_VOID) &&
           (planar == PLANARCONFIG_CONTIG || reader->per_pixel == 1) &&
           reader->per_pixel >= least && reader->per_pixel <= MOST_SAMPLES &&
           !TIFFIsTiled(reader->tiff);
}

static unsigned sample_of(const tiff_reader *reader, size_t index)
{
    if (reader->bits == WIDE_BITS)
        return ((const uint16_t *)(const void *)reader->row)[index];
    return reader->row[index];
}

static void put_sample(cnn_samples *samples, size_t index, unsigned value)
{
    if (samples->wide) {
        samples->bytes[2 * index] = (uint8_t)(value >> BYTE_BITS);
        samples->bytes[2 * index + 1] = (uint8_t)value;
    } else {
        samples->bytes[index] = (uint8_t)value;
    }
}

/* A color that was multiplied by the opacity, as it was before. */
static unsigned divided(unsigned color, unsigned alpha, unsigned most)
{
    uint64_t value = alpha == 0 ? 0 : ((uint64_t)color * most + alpha / 2) / alpha;
    return value < most ? (unsigned)value : most;
}

static void take_row(tiff_reader *reader, size_t y, size_t colors)
{
    cnn_samples *samples = &reader->samples;
    unsigned most = samples->wide ? WIDE : BYTE;
    bool inverted = reader->photometric == PHOTOMETRIC_MINISWHITE;
    size_t channels = (size_t)samples->channels;
    for (size_t x = 0; x < reader->width; x++) {
        size_t from = x * reader->per_pixel, to = (y * reader->width + x) * channels;
        unsigned alpha = channels > colors ? sample_of(reader, from + colors) : most;
        for (size_t c = 0; c < colors; c++) {
            unsigned color = sample_of(reader, from + c);
            color = inverted ? most - color : color;
            put_sample(samples, to + c, reader->straight ? color : divided(color, alpha, most));
        }
        if (channels > colors)
            put_sample(samples, to + colors, alpha);
    }
}

static cnn_status read_rows(tiff_reader *reader)
{
    cnn_samples *samples = &reader->samples;
    int colors = reader->photometric == PHOTOMETRIC_RGB ? COLORS : 1;
    size_t least = (size_t)reader->width * reader->per_pixel * reader->bits / BYTE_BITS;
    size_t size = (size_t)TIFFScanlineSize(reader->tiff);
    cnn_status status = CNN_OK;
    samples->channels = colors + has_alpha(reader, colors);
    samples->wide = reader->bits == WIDE_BITS;
    size_t pixel = (size_t)samples->channels * reader->bits / BYTE_BITS;
    CNN_TRY(cnn_allocate(&reader->row, size > least ? size : least, 1, reader->from->source));
    CNN_TRY(cnn_allocate(&samples->bytes, (size_t)reader->width * reader->height, pixel,
                         reader->from->source));
    for (uint32_t y = 0; y < reader->height; y++) {
        if (TIFFReadScanline(reader->tiff, reader->row, y, 0) < 0)
            return fail_tiff(reader);
        take_row(reader, y, (size_t)colors);
    }
out:
    return status;
}

/* Rows in the file's order: the picture is turned later. */
static bool convert(bool *alpha, tiff_reader *reader)
{
    TIFFRGBAImage image;
    char message[MESSAGE_SIZE] = "";
    bool good = TIFFRGBAImageOK(reader->tiff, message) &&
                TIFFRGBAImageBegin(&image, reader->tiff, 1, message);
    if (good) {
        image.req_orientation = image.orientation;
        *alpha = image.alpha != 0;
        good = TIFFRGBAImageGet(&image, reader->words, reader->width, reader->height) != 0;
        TIFFRGBAImageEnd(&image);
    }
    if (!good && !reader->message[0])
        snprintf(reader->message, sizeof reader->message, "%s", message);
    return good;
}

/* libtiff multiplies colors by the opacity, but for grey ones. */
static cnn_status read_converted(tiff_reader *reader)
{
    size_t count = (size_t)reader->width * reader->height;
    bool alpha = false;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&reader->words, count, sizeof *reader->words, reader->from->source));
    if (!convert(&alpha, reader))
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: this TIFF cannot be read: %s; where it is sound, save it as PNG",
                        reader->from->source, reader->message[0] ? reader->message : "unknown");
    bool straight =
        reader->photometric != PHOTOMETRIC_RGB && has_alpha(reader, 1) && reader->straight;
    size_t channels = alpha ? COLORS + 1 : COLORS;
    reader->samples.channels = (int)channels;
    CNN_TRY(cnn_allocate(&reader->samples.bytes, count, channels, reader->from->source));
    for (size_t i = 0; i < count; i++) {
        uint32_t word = reader->words[i];
        unsigned color[] = {TIFFGetR(word), TIFFGetG(word), TIFFGetB(word), TIFFGetA(word)};
        for (size_t c = 0; c < channels; c++)
            reader->samples.bytes[i * channels + c] =
                (uint8_t)(alpha && !straight && c < COLORS ? divided(color[c], color[COLORS], BYTE)
                                                           : color[c]);
    }
out:
    return status;
}

static cnn_status read_picture(cnn_picture *picture, tiff_reader *reader)
{
    enum { MOST_ORIENTATION = 8 };
    cnn_status status = CNN_OK;
    CNN_TRY(read_header(picture, reader));
    CNN_TRY(is_plain(reader) ? read_rows(reader) : read_converted(reader));
    cnn_samples_to_picture(picture, &reader->samples, reader->from);
    bool known = reader->orientation >= 1 && reader->orientation <= MOST_ORIENTATION;
    status = cnn_picture_orient(picture, known ? reader->orientation : 1);
out:
    return status;
}

cnn_status cnn_decode_tiff(cnn_picture *picture, const cnn_encoded *from)
{
    tiff_reader *reader = NULL;
    cnn_status status = cnn_allocate(&reader, 1, sizeof *reader, from->source);
    if (status != CNN_OK)
        return status;
    reader->from = from;
    reader->tiff = open_tiff(reader);
    status = reader->tiff ? read_picture(picture, reader) : fail_tiff(reader);
    if (reader->tiff)
        TIFFClose(reader->tiff);
    free(reader->row);
    free(reader->words);
    free(reader->samples.bytes);
    free(reader);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
