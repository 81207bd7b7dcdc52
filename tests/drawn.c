#include "drawn.h"

#include <check.h>
#include <stdio.h> /* jpeglib.h wants it */

#include <jpeglib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Strokes in a square of 1 by 1, y downwards: 'm' moves, 'l' draws a line, 'c' a curve. */
typedef struct stroke {
    char kind; /* 0 ends a digit */
    double at[6];
} stroke;

enum { MOST_STROKES = 10, DIGITS = 10, HEADER_SIZE = 64 };

static const stroke digits[DIGITS][MOST_STROKES] = {
    {{'m', {0.52, 0.02}},
     {'c', {0.20, 0.02, 0.18, 0.35, 0.18, 0.50}},
     {'c', {0.18, 0.75, 0.26, 0.98, 0.50, 0.98}},
     {'c', {0.76, 0.98, 0.82, 0.72, 0.82, 0.50}},
     {'c', {0.82, 0.25, 0.74, 0.02, 0.52, 0.02}}},
    {{'m', {0.53, 0.00}}, {'l', {0.48, 1.00}}},
    {{'m', {0.20, 0.22}},
     {'c', {0.26, -0.05, 0.80, -0.05, 0.76, 0.28}},
     {'c', {0.72, 0.55, 0.35, 0.80, 0.18, 0.98}},
     {'l', {0.84, 0.96}}},
    {{'m', {0.22, 0.12}},
     {'c', {0.40, -0.05, 0.78, -0.02, 0.74, 0.25}},
     {'c', {0.72, 0.42, 0.55, 0.47, 0.42, 0.48}},
     {'c', {0.65, 0.47, 0.82, 0.58, 0.80, 0.74}},
     {'c', {0.76, 1.02, 0.36, 1.04, 0.18, 0.88}}},
    {{'m', {0.24, 0.04}},
     {'c', {0.22, 0.20, 0.20, 0.40, 0.20, 0.54}},
     {'l', {0.82, 0.50}},
     {'m', {0.74, 0.02}},
     {'l', {0.66, 1.00}}},
    {{'m', {0.78, 0.02}},
     {'l', {0.32, 0.04}},
     {'l', {0.26, 0.44}},
     {'c', {0.48, 0.34, 0.80, 0.44, 0.78, 0.70}},
     {'c', {0.76, 0.98, 0.38, 1.04, 0.20, 0.88}}},
    {{'m', {0.66, 0.00}},
     {'c', {0.40, 0.12, 0.22, 0.45, 0.24, 0.72}},
     {'c', {0.26, 1.04, 0.74, 1.04, 0.76, 0.74}},
     {'c', {0.76, 0.52, 0.40, 0.48, 0.25, 0.70}}},
    {{'m', {0.16, 0.06}}, {'l', {0.82, 0.03}}, {'c', {0.66, 0.30, 0.50, 0.60, 0.42, 1.00}}},
    {{'m', {0.70, 0.12}},
     {'c', {0.50, -0.06, 0.22, 0.04, 0.26, 0.24}},
     {'c', {0.30, 0.46, 0.76, 0.50, 0.74, 0.78}},
     {'c', {0.72, 1.04, 0.26, 1.04, 0.26, 0.78}},
     {'c', {0.26, 0.52, 0.76, 0.42, 0.72, 0.14}}},
    {{'m', {0.76, 0.26}},
     {'c', {0.70, -0.06, 0.24, -0.04, 0.24, 0.26}},
     {'c', {0.24, 0.54, 0.72, 0.52, 0.76, 0.24}},
     {'c', {0.76, 0.50, 0.72, 0.76, 0.66, 1.00}}},
};

static void set_source(cairo_t *cairo, drawn_color color)
{
    cairo_set_source_rgba(cairo, color.red, color.green, color.blue, color.alpha);
}

static void trace(cairo_t *cairo, const stroke *strokes)
{
    for (int i = 0; i < MOST_STROKES && strokes[i].kind; i++) {
        const double *at = strokes[i].at;
        if (strokes[i].kind == 'm')
            cairo_move_to(cairo, at[0], at[1]);
        else if (strokes[i].kind == 'l')
            cairo_line_to(cairo, at[0], at[1]);
        else
            cairo_curve_to(cairo, at[0], at[1], at[2], at[3], at[4], at[5]);
    }
}

cairo_surface_t *drawn_digit(int digit, const drawn_style *style)
{
    cairo_surface_t *surface =
        cairo_image_surface_create(CAIRO_FORMAT_ARGB32, style->width, style->height);
    cairo_t *cairo = cairo_create(surface);
    set_source(cairo, style->ground);
    cairo_paint(cairo);
    cairo_translate(cairo, style->x * style->width, style->y * style->height);
    cairo_scale(cairo, style->size, style->size);
    cairo_matrix_t slant = {1.0, 0.0, -style->slant, 1.0, 0.0, 0.0};
    cairo_transform(cairo, &slant);
    cairo_translate(cairo, -0.5, -0.5);
    trace(cairo, digits[digit]);
    cairo_set_line_width(cairo, style->thickness);
    cairo_set_line_cap(cairo, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(cairo, CAIRO_LINE_JOIN_ROUND);
    set_source(cairo, style->ink);
    cairo_stroke(cairo);
    ck_assert_int_eq(cairo_status(cairo), CAIRO_STATUS_SUCCESS);
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
    return surface;
}

typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

static cairo_status_t append(void *user, const unsigned char *data, unsigned length)
{
    bytes *to = user;
    to->data = realloc(to->data, to->size + length);
    ck_assert_ptr_nonnull(to->data);
    memcpy(to->data + to->size, data, length);
    to->size += length;
    return CAIRO_STATUS_SUCCESS;
}

uint8_t *drawn_png(size_t *size, cairo_surface_t *surface)
{
    bytes png = {0};
    ck_assert_int_eq(cairo_surface_write_to_png_stream(surface, append, &png),
                     CAIRO_STATUS_SUCCESS);
    *size = png.size;
    return png.data;
}

/* A row of bytes, of an opaque picture: red alone, or red, green, blue. */
static void read_row(uint8_t *row, cairo_surface_t *surface, int y, int channels)
{
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int x = 0; x < cairo_image_surface_get_width(surface); x++) {
        uint32_t pixel;
        memcpy(&pixel, data + y * stride + 4 * x, sizeof pixel);
        for (int c = 0; c < channels; c++)
            row[channels * x + c] = (uint8_t)(pixel >> (16 - 8 * c));
    }
}

uint8_t *drawn_jpeg(size_t *size, cairo_surface_t *surface, int channels)
{
    struct jpeg_compress_struct encoder;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long length = 0;
    encoder.err = jpeg_std_error(&errors);
    jpeg_create_compress(&encoder);
    jpeg_mem_dest(&encoder, &data, &length);
    encoder.image_width = (JDIMENSION)cairo_image_surface_get_width(surface);
    encoder.image_height = (JDIMENSION)cairo_image_surface_get_height(surface);
    encoder.input_components = channels;
    encoder.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&encoder);
    jpeg_start_compress(&encoder, TRUE);
    uint8_t *row = malloc((size_t)encoder.image_width * 3);
    ck_assert_ptr_nonnull(row);
    while (encoder.next_scanline < encoder.image_height) {
        read_row(row, surface, (int)encoder.next_scanline, channels);
        jpeg_write_scanlines(&encoder, &row, 1);
    }
    free(row);
    jpeg_finish_compress(&encoder);
    jpeg_destroy_compress(&encoder);
    *size = length;
    return data;
}

uint8_t *drawn_pnm(size_t *size, cairo_surface_t *surface, int channels)
{
    int width = cairo_image_surface_get_width(surface);
    int height = cairo_image_surface_get_height(surface);
    size_t row = (size_t)width * (size_t)channels;
    uint8_t *data = malloc(HEADER_SIZE + row * (size_t)height);
    ck_assert_ptr_nonnull(data);
    int header = snprintf((char *)data, HEADER_SIZE, "P%d\n# drawn\n%d %d\n255\n",
                          channels == 1 ? 5 : 6, width, height);
    for (int y = 0; y < height; y++)
        read_row(data + header + (size_t)y * row, surface, y, channels);
    *size = (size_t)header + row * (size_t)height;
    return data;
}
