/* One image as a picture of its own, pixel by pixel. */
#include <cairo.h>
#include <string.h>

#include "picture/picture.h"
#include "picture/png.h"

enum { SIDE_LIMIT = 128 };

/* Grey takes a byte a pixel: 8 bits of alpha are a grey PNG. */
static void fill(cairo_surface_t *surface, const uint8_t *pixels, const int shape[3])
{
    int width = cairo_image_surface_get_width(surface);
    int height = cairo_image_surface_get_height(surface);
    unsigned char *data = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);
    for (int y = 0; y < height; y++) {
        size_t from = (size_t)y * (size_t)shape[1] / (size_t)height * (size_t)shape[2];
        for (int x = 0; x < width; x++) {
            size_t at = from + (size_t)x * (size_t)shape[2] / (size_t)width;
            uint32_t color = cnn_png_pixel(pixels, shape, at);
            if (shape[0] == 3)
                memcpy(data + (size_t)y * stride + (size_t)x * sizeof color, &color, sizeof color);
            else
                data[(size_t)y * stride + (size_t)x] = pixels[at];
        }
    }
}

static int thin(int side, int longest)
{
    if (longest <= SIDE_LIMIT)
        return side;
    int64_t thinned = (int64_t)side * SIDE_LIMIT / longest;
    return thinned > 0 ? (int)thinned : 1;
}

cnn_status cnn_image_to_png(cnn_text *png, int *width, int *height, const uint8_t *pixels,
                            const int shape[3])
{
    int longest = shape[1] > shape[2] ? shape[1] : shape[2];
    *width = thin(shape[2], longest);
    *height = thin(shape[1], longest);
    cairo_surface_t *surface = cairo_image_surface_create(
        shape[0] == 3 ? CAIRO_FORMAT_RGB24 : CAIRO_FORMAT_A8, *width, *height);
    cnn_status status = cnn_png_check(cairo_surface_status(surface));
    if (status == CNN_OK) {
        cairo_surface_flush(surface);
        fill(surface, pixels, shape);
        cairo_surface_mark_dirty(surface);
        status = cnn_png_encode(png, surface);
    }
    cairo_surface_destroy(surface);
    return status;
}
