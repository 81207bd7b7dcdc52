/* A confusion matrix: shades, and where there is room names and numbers. */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "picture/picture.h"
#include "picture/png.h"
#include "picture/utf8.h"

enum {
    NAMED_LIMIT = 30, /* classes with names and numbers */
    CELL = 48,        /* of those, pixels */
    MATRIX = 768,     /* about the side of a larger matrix */
    FONT = 15,
    NAME_WIDTH = 160, /* at most */
    GAP = 12,
    HALF = GAP / 2,
    TITLE = 30, /* the height of an axis' title */
};

/* Where everything is, in pixels. */
typedef struct layout {
    int classes, cell;
    bool named, turned; /* names stand on their heads over the columns */
    int names;          /* the width of the widest name */
    int left, top;      /* of the matrix */
    int width, height;
} layout;

static void select_font(cairo_t *cairo)
{
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, FONT);
}

static int widest_name(char *const *names, int classes)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    double widest = 0.0;
    select_font(cairo);
    for (int i = 0; i < classes; i++)
        widest = fmax(widest, cnn_png_text_width(cairo, names[i]));
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return widest < NAME_WIDTH ? (int)widest + 1 : NAME_WIDTH;
}

static layout make_layout(char *const *names, int classes)
{
    layout at = {.classes = classes, .named = classes <= NAMED_LIMIT, .cell = CELL};
    if (!at.named)
        at.cell = MATRIX / classes > 2 ? MATRIX / classes : 2;
    at.names = at.named ? widest_name(names, classes) : 0;
    at.left = GAP + TITLE + at.names + HALF;
    at.turned = at.names > CELL - 4;
    at.top = at.turned ? at.left : GAP + TITLE + FONT + HALF;
    at.width = at.left + classes * at.cell + GAP;
    at.height = at.top + classes * at.cell + GAP;
    return at;
}

/* Counts of a row become shades by their share of it; the root lets rare mistakes be seen. */
static double shade(size_t count, size_t sum, bool right)
{
    double share = sum > 0 ? (double)count / (double)sum : 0.0;
    return right ? share : sqrt(share);
}

static void draw_cell(cairo_t *cairo, const layout *at, int row, int column, double strength)
{
    static const double right[3] = {0.11, 0.31, 0.85}, wrong[3] = {0.85, 0.37, 0.01};
    const double *color = row == column ? right : wrong;
    cairo_set_source_rgb(cairo, 1.0 + strength * (color[0] - 1.0),
                         1.0 + strength * (color[1] - 1.0), 1.0 + strength * (color[2] - 1.0));
    int gap = at->named ? 1 : 0;
    cairo_rectangle(cairo, at->left + column * at->cell, at->top + row * at->cell, at->cell - gap,
                    at->cell - gap);
    cairo_fill(cairo);
}

static void draw_number(cairo_t *cairo, const layout *at, int row, int column, size_t count,
                        double strength)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", count);
    cairo_set_font_size(cairo, FONT);
    double width = cnn_png_text_width(cairo, text), most = at->cell - 4;
    if (width > most)
        cairo_set_font_size(cairo, FONT * most / width);
    width = fmin(width, most);
    double grey = strength > (row == column ? 0.7 : 0.9) ? 1.0 : count == 0 ? 0.72 : 0.1;
    cairo_set_source_rgb(cairo, grey, grey, grey);
    cairo_move_to(cairo, at->left + column * at->cell + (at->cell - 1 - width) / 2.0,
                  at->top + row * at->cell + at->cell / 2.0 + FONT / 3.0);
    cairo_show_text(cairo, text);
}

static void draw_row(cairo_t *cairo, const layout *at, const size_t *counts, int row)
{
    size_t sum = 0;
    for (int i = 0; i < at->classes; i++)
        sum += counts[i];
    for (int i = 0; i < at->classes; i++) {
        double strength = shade(counts[i], sum, i == row);
        draw_cell(cairo, at, row, i, strength);
        if (at->named)
            draw_number(cairo, at, row, i, counts[i], strength);
    }
}

/* Over a column: upright, or standing on its head. The place is its middle. */
static void draw_column_name(cairo_t *cairo, const layout *at, const char *name, double middle)
{
    cairo_save(cairo);
    if (at->turned) {
        cairo_move_to(cairo, middle + FONT / 3.0, at->top - HALF);
        cairo_rotate(cairo, -acos(0.0));
    } else {
        cairo_move_to(cairo, middle - cnn_png_text_width(cairo, name) / 2.0, at->top - HALF);
    }
    cairo_show_text(cairo, name);
    cairo_restore(cairo);
}

static void draw_names(cairo_t *cairo, const layout *at, char **names)
{
    cairo_set_source_rgb(cairo, 0.13, 0.13, 0.13);
    for (int i = 0; i < at->classes; i++) {
        double middle = (i + 0.5) * at->cell;
        cnn_png_fit_text(cairo, names[i], at->names);
        cairo_move_to(cairo, at->left - HALF - cnn_png_text_width(cairo, names[i]),
                      at->top + middle + FONT / 3.0);
        cairo_show_text(cairo, names[i]);
        draw_column_name(cairo, at, names[i], at->left + middle);
    }
}

static void draw_titles(cairo_t *cairo, const layout *at)
{
    static const char *const titles[] = {"predicted", "true"};
    double middle = at->classes * at->cell / 2.0;
    cairo_set_source_rgb(cairo, 0.35, 0.35, 0.35);
    cairo_move_to(cairo, at->left + middle - cnn_png_text_width(cairo, titles[0]) / 2.0,
                  GAP + FONT);
    cairo_show_text(cairo, titles[0]);
    cairo_save(cairo);
    cairo_move_to(cairo, GAP + FONT, at->top + middle + cnn_png_text_width(cairo, titles[1]) / 2.0);
    cairo_rotate(cairo, -acos(0.0));
    cairo_show_text(cairo, titles[1]);
    cairo_restore(cairo);
}

static cnn_status draw(cnn_text *png, const layout *at, const size_t *counts, char **names)
{
    cairo_surface_t *page = cairo_image_surface_create(CAIRO_FORMAT_RGB24, at->width, at->height);
    cairo_t *cairo = cairo_create(page);
    cnn_status status = cnn_png_check(cairo_status(cairo));
    if (status == CNN_OK) {
        cairo_set_source_rgb(cairo, 1.0, 1.0, 1.0);
        cairo_paint(cairo);
        int gap = at->named ? 1 : 0; /* the last cells' own */
        cairo_set_source_rgb(cairo, 0.9, 0.9, 0.9);
        cairo_rectangle(cairo, at->left - 1, at->top - 1, at->classes * at->cell + 2 - gap,
                        at->classes * at->cell + 2 - gap);
        cairo_fill(cairo);
        select_font(cairo);
        draw_titles(cairo, at);
        if (at->named)
            draw_names(cairo, at, names);
        for (int i = 0; i < at->classes; i++)
            draw_row(cairo, at, counts + (size_t)i * (size_t)at->classes, i);
        status = cnn_png_check(cairo_status(cairo));
    }
    if (status == CNN_OK)
        status = cnn_png_encode(png, page);
    cairo_destroy(cairo);
    cairo_surface_destroy(page);
    return status;
}

cnn_status cnn_confusion_to_png(cnn_text *png, int *width, int *height, const size_t *counts,
                                int classes, const char *const *names)
{
    char **repaired = NULL;
    cnn_status status = CNN_OK;
    if (classes < 1 || classes > CNN_CONFUSION_LIMIT)
        return cnn_fail(CNN_ERROR_ARGUMENT, "a confusion matrix has 1 to %d classes, found %d",
                        CNN_CONFUSION_LIMIT, classes);
    for (int i = 0; i < classes; i++)
        if (!names[i])
            return cnn_fail(CNN_ERROR_ARGUMENT, "class %d: expected a name, found NULL", i);
    CNN_TRY(cnn_allocate(&repaired, (size_t)classes, sizeof *repaired, "the names of a picture"));
    for (int i = 0; i < classes; i++)
        CNN_TRY(cnn_utf8_repair(&repaired[i], names[i]));
    layout at = make_layout(repaired, classes);
    CNN_TRY(draw(png, &at, counts, repaired));
    *width = at.width;
    *height = at.height;
out:
    for (int i = 0; repaired && i < classes; i++)
        free(repaired[i]);
    free(repaired);
    return status;
}

cnn_status cnn_picture_confusion(const char *path, const size_t *counts, int classes,
                                 const char *const *names)
{
    CNN_NEED(path, counts, names);
    cnn_text png = {0};
    int width, height;
    cnn_status status = cnn_confusion_to_png(&png, &width, &height, counts, classes, names);
    if (status == CNN_OK)
        status = cnn_file_write_atomic(path, &(cnn_piece){png.data, png.length}, 1);
    cnn_text_finish(&png);
    return status;
}
