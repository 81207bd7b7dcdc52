#include "picture/png.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "picture/utf8.h"

cnn_status cnn_png_check(cairo_status_t code)
{
    if (code == CAIRO_STATUS_SUCCESS)
        return CNN_OK;
    cnn_status status = code == CAIRO_STATUS_NO_MEMORY ? CNN_ERROR_MEMORY : CNN_ERROR_ARGUMENT;
    return cnn_fail(status, "a picture cannot be drawn: %s", cairo_status_to_string(code));
}

static void append_bytes(png_structp png, png_bytep data, size_t length)
{
    cnn_text *text = png_get_io_ptr(png);
    cnn_text_append_bytes(text, (const char *)data, length);
    if (text->failed)
        png_error(png, "memory");
}

static void take_error(png_structp png, png_const_charp message)
{
    (void)message; /* it is memory: nothing is read, and the values are ours */
    png_longjmp(png, 1);
}

static void take_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void flush(png_structp png)
{
    (void)png;
}

/* A row of 0xRRGGBB as three bytes a pixel. */
static void unpack(uint8_t *bytes, const unsigned char *row, int width)
{
    for (int x = 0; x < width; x++) {
        uint32_t color;
        memcpy(&color, row + (size_t)x * sizeof color, sizeof color);
        *bytes++ = (uint8_t)(color >> 16);
        *bytes++ = (uint8_t)(color >> 8);
        *bytes++ = (uint8_t)color;
    }
}

typedef struct png_writer {
    png_structp png;
    png_infop info;
    uint8_t *row;
    int width, height;
    bool grey;
} png_writer;

/* Level 2 takes a third of the time of zlib's own choice, and a tenth more bytes of a photograph.
 */
static cnn_status write_rows(png_writer *to, cnn_text *png, cairo_surface_t *surface)
{
    enum { LEVEL = 2, BITS = 8 };
    const unsigned char *data = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    if (setjmp(png_jmpbuf(to->png)))
        return cnn_fail(CNN_ERROR_MEMORY,
                        "a picture of %d x %d pixels: no memory to write it as PNG", to->width,
                        to->height);
    png_set_write_fn(to->png, png, append_bytes, flush);
    png_set_compression_level(to->png, LEVEL);
    png_set_IHDR(to->png, to->info, (png_uint_32)to->width, (png_uint_32)to->height, BITS,
                 to->grey ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(to->png, to->info);
    for (int y = 0; y < to->height; y++) {
        const unsigned char *row = data + (size_t)y * stride;
        if (!to->grey)
            unpack(to->row, row, to->width);
        png_write_row(to->png, to->grey ? row : to->row);
    }
    png_write_end(to->png, NULL);
    return CNN_OK;
}

cnn_status cnn_png_encode(cnn_text *png, cairo_surface_t *surface)
{
    enum { CHANNELS = 3 };
    cnn_status status = CNN_OK;
    cairo_surface_flush(surface);
    png_writer to = {.width = cairo_image_surface_get_width(surface),
                     .height = cairo_image_surface_get_height(surface),
                     .grey = cairo_image_surface_get_format(surface) == CAIRO_FORMAT_A8};
    CNN_TRY(cnn_png_check(cairo_surface_status(surface)));
    CNN_TRY(cnn_allocate(&to.row, (size_t)to.width, CHANNELS, "a row of a picture"));
    to.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, take_error, take_warning);
    to.info = to.png ? png_create_info_struct(to.png) : NULL;
    status = to.info ? write_rows(&to, png, surface)
                     : cnn_fail(CNN_ERROR_MEMORY, "no memory to write a PNG");
out:
    png_destroy_write_struct(&to.png, &to.info);
    free(to.row);
    return status;
}

double cnn_png_text_width(cairo_t *cairo, const char *text)
{
    cairo_text_extents_t extents;
    cairo_text_extents(cairo, text, &extents);
    return extents.x_advance;
}

void cnn_png_fit_text(cairo_t *cairo, char *text, double width)
{
    static const char ellipsis[] = "\xe2\x80\xa6";
    size_t length = strlen(text);
    if (cnn_png_text_width(cairo, text) <= width)
        return;
    while (length > 0) {
        length = cnn_utf8_previous(text, length);
        memcpy(text + length, ellipsis, sizeof ellipsis);
        if (cnn_png_text_width(cairo, text) <= width)
            return;
    }
}

uint32_t cnn_png_pixel(const uint8_t *pixels, const int shape[3], size_t at)
{
    size_t plane = (size_t)shape[1] * (size_t)shape[2];
    uint32_t red = pixels[at];
    if (shape[0] != 3)
        return red << 16 | red << 8 | red;
    return red << 16 | (uint32_t)pixels[plane + at] << 8 | pixels[2 * plane + at];
}
