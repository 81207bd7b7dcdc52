/* A grid of small images with a title above each, drawn with cairo. */
#include <cairo.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/picture.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "picture/png.h"
#include "picture/utf8.h"

enum {
    IMAGE_SIZE = 144,    /* small images grow by whole factors up to this */
    IMAGE_LIMIT = 512,   /* larger ones are thinned to this */
    TITLE_WIDTH = 280,   /* a cell grows up to this for its title */
    TITLE_SIZE = 16,     /* of the font */
    TITLE_HEIGHT = 26,   /* from the title's top to the image */
    TITLE_BASELINE = 18, /* from the title's top */
    GAP = 18,            /* around cells */
    PAGE_LIMIT = 32767,  /* cairo's */
};

/* Where everything is, in pixels. */
typedef struct layout {
    int columns, rows;
    int image_width, image_height; /* as drawn */
    int cell_width, cell_height;
    int width, height; /* of the page */
} layout;

typedef struct color {
    double red, green, blue;
} color;

static const color title_color = {0.13, 0.13, 0.13};
static const color wrong_color = {0.80, 0.08, 0.08};
static const color frame_color = {0.72, 0.72, 0.72};

/* The side of a plane as drawn, when its longer side is `longest`. */
static int drawn_side(int side, int longest)
{
    if (longest <= IMAGE_SIZE)
        return side * (IMAGE_SIZE / longest);
    if (longest <= IMAGE_LIMIT)
        return side;
    int64_t thinned = (int64_t)side * IMAGE_LIMIT / longest;
    return thinned > 0 ? (int)thinned : 1;
}

static void select_title_font(cairo_t *cairo)
{
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, TITLE_SIZE);
}

/* The page is as wide as images and titles need; there is no page yet to measure titles on. */
static cnn_status measure_titles(double *widest, char *const *titles, int count)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    select_title_font(cairo);
    *widest = 0.0;
    for (int i = 0; i < count; i++) {
        double width = cnn_png_text_width(cairo, titles[i]);
        if (width > *widest)
            *widest = width;
    }
    cnn_status status = cnn_png_check(cairo_status(cairo));
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return status;
}

static cnn_status make_layout(layout *at, char *const *titles, int count, int columns,
                              const int shape[3])
{
    double widest;
    cnn_status status = measure_titles(&widest, titles, count);
    if (status != CNN_OK)
        return status;
    int longest = shape[1] > shape[2] ? shape[1] : shape[2];
    at->columns = columns < count ? columns : count;
    at->rows = (count - 1) / at->columns + 1;
    at->image_height = drawn_side(shape[1], longest);
    at->image_width = drawn_side(shape[2], longest);
    at->cell_height = TITLE_HEIGHT + at->image_height;
    int title = widest < TITLE_WIDTH ? (int)widest + 1 : TITLE_WIDTH;
    at->cell_width = at->image_width;
    if (at->cell_width < IMAGE_SIZE)
        at->cell_width = IMAGE_SIZE;
    if (at->cell_width < title)
        at->cell_width = title;
    int64_t width = GAP + (int64_t)at->columns * (at->cell_width + GAP);
    int64_t height = GAP + (int64_t)at->rows * (at->cell_height + GAP);
    if (width > PAGE_LIMIT || height > PAGE_LIMIT)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "a picture of %d images in %d columns would be %lld x %lld pixels, at "
                        "most %d x %d are possible: draw fewer",
                        count, columns, (long long)width, (long long)height, PAGE_LIMIT,
                        PAGE_LIMIT);
    at->width = (int)width;
    at->height = (int)height;
    return CNN_OK;
}

/* Nearest neighbour straight into the page's memory: no filter can blur it. */
static void draw_image(cairo_surface_t *page, const layout *at, int left, int top,
                       const uint8_t *pixels, const int shape[3])
{
    cairo_surface_flush(page);
    unsigned char *data = cairo_image_surface_get_data(page);
    size_t stride = (size_t)cairo_image_surface_get_stride(page);
    for (int y = 0; y < at->image_height; y++) {
        unsigned char *row = data + (size_t)(top + y) * stride + (size_t)left * sizeof(uint32_t);
        size_t from = (size_t)y * (size_t)shape[1] / (size_t)at->image_height * (size_t)shape[2];
        for (int x = 0; x < at->image_width; x++) {
            size_t column = (size_t)x * (size_t)shape[2] / (size_t)at->image_width;
            uint32_t pixel = cnn_png_pixel(pixels, shape, from + column);
            memcpy(row + (size_t)x * sizeof pixel, &pixel, sizeof pixel);
        }
    }
    cairo_surface_mark_dirty(page);
}

static void set_color(cairo_t *cairo, color value)
{
    cairo_set_source_rgb(cairo, value.red, value.green, value.blue);
}

static void draw_cell(cairo_t *cairo, const layout *at, int index, const cnn_grid_cell *cell,
                      char *title, const int shape[3])
{
    int left = GAP + index % at->columns * (at->cell_width + GAP);
    int top = GAP + index / at->columns * (at->cell_height + GAP);
    cnn_png_fit_text(cairo, title, at->cell_width);
    set_color(cairo, cell->wrong ? wrong_color : title_color);
    cairo_move_to(cairo, left + (at->cell_width - cnn_png_text_width(cairo, title)) / 2.0,
                  top + TITLE_BASELINE);
    cairo_show_text(cairo, title);

    int image_left = left + (at->cell_width - at->image_width) / 2;
    int image_top = top + TITLE_HEIGHT;
    set_color(cairo, frame_color);
    cairo_rectangle(cairo, image_left - 1, image_top - 1, at->image_width + 2,
                    at->image_height + 2);
    cairo_fill(cairo);
    draw_image(cairo_get_target(cairo), at, image_left, image_top, cell->pixels, shape);
}

static cnn_status draw_page(cnn_text *png, const layout *at, const cnn_grid_cell *cells,
                            char **titles, int count, const int shape[3])
{
    cairo_surface_t *page = cairo_image_surface_create(CAIRO_FORMAT_RGB24, at->width, at->height);
    cairo_t *cairo = cairo_create(page);
    cnn_status status = cnn_png_check(cairo_status(cairo));
    if (status == CNN_OK) {
        cairo_set_source_rgb(cairo, 1.0, 1.0, 1.0);
        cairo_paint(cairo);
        select_title_font(cairo);
        for (int i = 0; i < count; i++)
            draw_cell(cairo, at, i, &cells[i], titles[i], shape);
        status = cnn_png_check(cairo_status(cairo));
    }
    if (status == CNN_OK)
        status = cnn_png_encode(png, page);
    cairo_destroy(cairo);
    cairo_surface_destroy(page);
    return status;
}

static void free_titles(char **titles, int count)
{
    for (int i = 0; titles && i < count; i++)
        free(titles[i]);
    free(titles);
}

static cnn_status check_arguments(const cnn_grid_cell *cells, int count, int columns,
                                  const int shape[3])
{
    if (count < 1 || columns < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "a picture needs at least one image and one column, found %d and %d", count,
                        columns);
    if (shape[0] < 1 || shape[1] < 1 || shape[2] < 1)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "a picture needs images of at least 1,1,1, found %d,%d,%d", shape[0],
                        shape[1], shape[2]);
    for (int i = 0; i < count; i++)
        if (!cells[i].pixels || !cells[i].title)
            return cnn_fail(CNN_ERROR_ARGUMENT, "image %d of a picture has no pixels or no title",
                            i);
    return CNN_OK;
}

cnn_status cnn_picture_grid(const char *path, const cnn_grid_cell *cells, int count, int columns,
                            const int shape[3])
{
    CNN_NEED(path, cells, shape);
    cnn_text png = {0};
    char **titles = NULL;
    layout at = {0};
    cnn_status status = check_arguments(cells, count, columns, shape);
    if (status != CNN_OK)
        return status;
    CNN_TRY(cnn_allocate(&titles, (size_t)count, sizeof *titles, "the titles of a picture"));
    for (int i = 0; i < count; i++)
        CNN_TRY(cnn_utf8_repair(&titles[i], cells[i].title));
    CNN_TRY(make_layout(&at, titles, count, columns, shape));
    CNN_TRY(draw_page(&png, &at, cells, titles, count, shape));
    CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){png.data, png.length}, 1));
out:
    free_titles(titles, count);
    cnn_text_finish(&png);
    return status;
}
