/* Digits drawn with cairo, as a hand would: for tests of what reads pictures. */
#ifndef TESTS_DRAWN_H
#define TESTS_DRAWN_H

#include <cairo.h>
#include <stddef.h>
#include <stdint.h>

typedef struct drawn_color {
    double red, green, blue, alpha;
} drawn_color;

/* How a digit is drawn. */
typedef struct drawn_style {
    const char *name;
    int width, height; /* of the picture */
    double size;       /* height of the digit, in pixels */
    double x, y;       /* its middle, as parts of the picture */
    double thickness;  /* of strokes, as a part of the size */
    double slant;      /* to the right, as a part of the height */
    drawn_color ink, ground;
} drawn_style;

/* The picture, premultiplied ARGB; to be destroyed by the caller. */
cairo_surface_t *drawn_digit(int digit, const drawn_style *style);

/* As the bytes of a file; to be freed with free(). channels of PNM: 1 (PGM) or 3 (PPM). */
uint8_t *drawn_png(size_t *size, cairo_surface_t *surface);
uint8_t *drawn_jpeg(size_t *size, cairo_surface_t *surface, int channels);
uint8_t *drawn_pnm(size_t *size, cairo_surface_t *surface, int channels);

#endif
