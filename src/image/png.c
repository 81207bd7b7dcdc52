/* PNG through libpng: every depth, palette and interlacing. */
#include <setjmp.h>
#include <stdio.h>

#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/decode.h"
#include "image/samples.h"

enum {
    MOST_EXPANSION = 8 * 1032, /* deflate's limit, from zlib's technical notes, of a bit a pixel */
    BITS = 8,
    MESSAGE_SIZE = 160
};

typedef struct png_reader {
    png_structp png;
    png_infop info;
    const cnn_encoded *from;
    size_t at; /* of the file's bytes */
    cnn_samples samples;
    png_bytepp rows;
    char message[MESSAGE_SIZE];
} png_reader;

static void take_error(png_structp png, png_const_charp message)
{
    png_reader *reader = png_get_error_ptr(png);
    snprintf(reader->message, sizeof reader->message, "%s", message);
    png_longjmp(png, 1);
}

static void take_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void take_bytes(png_structp png, png_bytep bytes, size_t count)
{
    png_reader *reader = png_get_io_ptr(png);
    if (reader->from->size - reader->at < count)
        png_error(png, "read beyond end of data");
    memcpy(bytes, reader->from->data + reader->at, count);
    reader->at += count;
}

static cnn_status fail_png(const png_reader *reader)
{
    return cnn_fail(CNN_ERROR_DATA, "%s: damaged or truncated PNG: %s", reader->from->source,
                    reader->message[0] ? reader->message : "unknown");
}

/* A small file cannot make a large picture: a pixel takes a bit or more before compression. */
static cnn_status check_size(const png_reader *reader)
{
    return cnn_picture_check_expansion(png_get_image_width(reader->png, reader->info),
                                       png_get_image_height(reader->png, reader->info),
                                       MOST_EXPANSION, reader->from, "PNG");
}

/* To grey or colours of 8 or 16 bits, with alpha where there is transparency, as sRGB has them. */
static void set_conversions(png_reader *reader)
{
    png_fixed_point gamma;
    png_set_expand(reader->png);
    if (png_get_gAMA_fixed(reader->png, reader->info, &gamma))
        png_set_gamma_fixed(reader->png, PNG_DEFAULT_sRGB, gamma);
    png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);
}

/* Samples, and rows that point to them. */
static cnn_status make_rows(png_reader *reader)
{
    cnn_samples *samples = &reader->samples;
    size_t height = png_get_image_height(reader->png, reader->info);
    size_t row = png_get_rowbytes(reader->png, reader->info);
    cnn_status status = CNN_OK;
    samples->channels = png_get_channels(reader->png, reader->info);
    samples->wide = png_get_bit_depth(reader->png, reader->info) > BITS;
    CNN_TRY(cnn_allocate(&samples->bytes, height, row, reader->from->source));
    CNN_TRY(cnn_allocate(&reader->rows, height, sizeof *reader->rows, reader->from->source));
    for (size_t y = 0; y < height; y++)
        reader->rows[y] = samples->bytes + y * row;
out:
    return status;
}

/* Exif data may stand before the pixels or behind them. */
static int orientation_of(png_reader *reader)
{
    png_bytep data = NULL;
    png_uint_32 size = 0;
    if (setjmp(png_jmpbuf(reader->png)) == 0)
        png_read_end(reader->png, reader->info); /* what is broken behind the pixels does no harm */
    if (setjmp(png_jmpbuf(reader->png)) != 0 ||
        !png_get_eXIf_1(reader->png, reader->info, &size, &data))
        return 1;
    return cnn_exif_orientation(data, size);
}

/* libpng comes back here by longjmp() when it fails: what must survive that is in memory. */
static cnn_status read_picture(cnn_picture *picture, png_reader *reader)
{
    cnn_status status = CNN_OK;
    if (setjmp(png_jmpbuf(reader->png)) != 0)
        return fail_png(reader);
    png_set_benign_errors(reader->png, 1);
    png_set_read_fn(reader->png, reader, take_bytes);
    png_read_info(reader->png, reader->info);
    CNN_TRY(check_size(reader));
    CNN_TRY(cnn_picture_allocate(picture, png_get_image_width(reader->png, reader->info),
                                 png_get_image_height(reader->png, reader->info), reader->from));
    set_conversions(reader);
    CNN_TRY(make_rows(reader));
    png_read_image(reader->png, reader->rows);
    cnn_samples_to_picture(picture, &reader->samples, reader->from);
    status = cnn_picture_orient(picture, orientation_of(reader));
out:
    return status;
}

cnn_status cnn_decode_png(cnn_picture *picture, const cnn_encoded *from)
{
    png_reader *reader = NULL;
    cnn_status status = cnn_allocate(&reader, 1, sizeof *reader, from->source);
    if (status != CNN_OK)
        return status;
    reader->from = from;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, take_error, take_warning);
    reader->info = reader->png ? png_create_info_struct(reader->png) : NULL;
    status = reader->info ? read_picture(picture, reader)
                          : cnn_fail_memory(sizeof *reader, from->source);
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
    free(reader->samples.bytes);
    free(reader);
    if (status != CNN_OK)
        cnn_picture_finish(picture);
    return status;
}
