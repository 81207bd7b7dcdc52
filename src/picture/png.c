#include "picture/png.h"

#include <string.h>

#include "base/status.h"
#include "picture/utf8.h"

cnn_status cnn_png_check(cairo_status_t code)
{
    if (code == CAIRO_STATUS_SUCCESS)
        return CNN_OK;
    cnn_status status = code == CAIRO_STATUS_NO_MEMORY ? CNN_ERROR_MEMORY : CNN_ERROR_ARGUMENT;
    return cnn_fail(status, "a picture cannot be drawn: %s", cairo_status_to_string(code));
}

static cairo_status_t append_png(void *user, const unsigned char *data, unsigned length)
{
    cnn_text *png = user;
    cnn_text_append_bytes(png, (const char *)data, length);
    return png->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

cnn_status cnn_png_encode(cnn_text *png, cairo_surface_t *surface)
{
    return cnn_png_check(cairo_surface_write_to_png_stream(surface, append_png, png));
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
