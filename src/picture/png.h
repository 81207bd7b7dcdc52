/* What all pictures share: text that fits, pixels of images, PNG in memory. */
#ifndef PICTURE_PNG_H
#define PICTURE_PNG_H

#include <cairo.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#include "base/text.h"

/* Errors: MEMORY, ARGUMENT (a size beyond cairo's). */
cnn_status cnn_png_check(cairo_status_t code);

/* Appends the surface as a PNG file: grey of CAIRO_FORMAT_A8, whose alpha is then the grey, colours
 * of CAIRO_FORMAT_RGB24. Errors: MEMORY. */
cnn_status cnn_png_encode(cnn_text *png, cairo_surface_t *surface);

double cnn_png_text_width(cairo_t *cairo, const char *text);
/* Shortens the text, in place, until it fits with an ellipsis; it has room for one. */
void cnn_png_fit_text(cairo_t *cairo, char *text, double width);

/* The pixel of an image (C, H, W) as 0xRRGGBB: 3 channels are RGB, of others the first is grey. at:
 * in the plane. */
uint32_t cnn_png_pixel(const uint8_t *pixels, const int shape[3], size_t at);

#endif
