/* The weights of a network's first layer as small pictures. */
#include <cairo.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "picture/picture.h"
#include "picture/png.h"

enum {
    FILTER_LIMIT = 64,  /* filters that are shown */
    ROW_LIMIT = 16,     /* where each takes a row of its own */
    CHANNEL_LIMIT = 16, /* channels of such a row */
    TILE = 48,          /* pixels: small filters grow by whole factors up to about this */
    TILE_LIMIT = 96,    /* larger ones are thinned to this */
    COLUMNS = 8,        /* of filters that are one picture each */
    GAP = 6,
};

/* The first convolution, else the first linear layer, else the first layer with parameters. */
static cnn_layer_info find_layer(const cnn_network *network)
{
    static const char *const kinds[] = {"conv2d", "linear"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t i = 0; i < cnn_network_layer_count(network); i++)
            if (strcmp(cnn_network_layer(network, i).kind, kinds[k]) == 0)
                return cnn_network_layer(network, i);
    size_t i = 0;
    while (i + 1 < cnn_network_layer_count(network) &&
           cnn_network_layer(network, i).parameters == 0)
        i++;
    return cnn_network_layer(network, i);
}

/* Its weight: the first tensor of the rank that its kind has. */
static cnn_tensor_info find_weight(const cnn_model *model, const cnn_layer_info *layer)
{
    int rank = strcmp(layer->kind, "conv2d") == 0 ? 4 : strcmp(layer->kind, "linear") == 0 ? 2 : 1;
    size_t i = 0;
    while (i + 1 < cnn_model_tensor_count(model) && cnn_model_tensor(model, i).rank != rank)
        i++;
    return cnn_model_tensor(model, i);
}

/* The weight of a convolution is (filters, channels, height, width), that of a linear layer (units,
 * values of the image); where those are not an image's they lie in one row. */
cnn_filters cnn_model_filters(const cnn_model *model)
{
    if (!model)
        return (cnn_filters){0};
    const cnn_network *network = cnn_model_network(model);
    const cnn_layer_info layer = find_layer(network);
    const int *input = cnn_network_input(network);
    const cnn_tensor_info weight = find_weight(model, &layer);
    const float *values = weight.values;
    bool conv = weight.rank == 4;
    bool image = weight.rank == 2 && weight.shape[1] == input[0] * input[1] * input[2];
    cnn_filters filters = {.layer = layer.name, .count = weight.shape[0], .channels = 1};
    filters.height = conv ? weight.shape[2] : image ? input[1] : 1;
    filters.width = conv               ? weight.shape[3]
                    : image            ? input[2]
                    : weight.rank == 2 ? weight.shape[1]
                                       : 1;
    filters.channels = conv ? weight.shape[1] : image ? input[0] : 1;
    filters.convolution = conv;
    bool whole = filters.channels == 1 || filters.channels == 3;
    int limit = whole ? FILTER_LIMIT : ROW_LIMIT;
    filters.shown = filters.count < limit ? filters.count : limit;
    filters.shown_channels =
        whole || filters.channels < CHANNEL_LIMIT ? filters.channels : CHANNEL_LIMIT;
    for (size_t i = 0; i < weight.count; i++)
        if (isfinite(values[i]))
            filters.scale = fmaxf(filters.scale, fabsf(values[i]));
    return filters;
}

/* How the filters lie: tiles in columns and rows. */
typedef struct layout {
    const cnn_filters *filters;
    const float *weights;
    bool rgb;
    int columns, rows;
    int width, height; /* of a tile */
} layout;

static int drawn_side(int side, int longest)
{
    if (longest <= TILE)
        return side * (TILE / (longest > 0 ? longest : 1));
    if (longest <= TILE_LIMIT)
        return side;
    int64_t thinned = (int64_t)side * TILE_LIMIT / longest;
    return thinned > 0 ? (int)thinned : 1;
}

static layout make_layout(const cnn_filters *filters, const cnn_model *model)
{
    cnn_layer_info layer = find_layer(cnn_model_network(model));
    layout at = {.filters = filters, .weights = find_weight(model, &layer).values};
    int longest = filters->height > filters->width ? filters->height : filters->width;
    at.rgb = filters->channels == 3;
    at.width = drawn_side(filters->width, longest);
    at.height = drawn_side(filters->height, longest);
    if (at.rgb || filters->channels == 1) {
        at.columns = filters->shown < COLUMNS ? filters->shown : COLUMNS;
        at.rows = (filters->shown - 1) / COLUMNS + 1;
    } else {
        at.columns = filters->shown_channels;
        at.rows = filters->shown;
    }
    return at;
}

static uint32_t to_byte(double value)
{
    return (uint32_t)(255.0 * fmin(fmax(value, 0.0), 1.0) + 0.5);
}

static uint32_t pack(double red, double green, double blue)
{
    return to_byte(red) << 16 | to_byte(green) << 8 | to_byte(blue);
}

/* -1 is orange, 0 white, 1 blue; what is no number is black. */
static uint32_t diverging_color(double value)
{
    static const double negative[3] = {0.70, 0.35, 0.02}, positive[3] = {0.13, 0.40, 0.67};
    const double *end = value < 0.0 ? negative : positive;
    double part = fmin(fabs(value), 1.0);
    if (isnan(value))
        return pack(0.0, 0.0, 0.0);
    return pack(1.0 + part * (end[0] - 1.0), 1.0 + part * (end[1] - 1.0),
                1.0 + part * (end[2] - 1.0));
}

/* The weight of a filter, -1 to 1 of the largest. */
static double weight_at(const layout *at, int filter, int channel, size_t place)
{
    const cnn_filters *filters = at->filters;
    size_t plane = (size_t)filters->height * (size_t)filters->width;
    size_t row = (size_t)filter * (size_t)filters->channels + (size_t)channel;
    return filters->scale > 0.0f ? (double)at->weights[row * plane + place] / (double)filters->scale
                                 : 0.0;
}

static uint32_t color_at(const layout *at, int filter, int channel, size_t place)
{
    if (!at->rgb)
        return diverging_color(weight_at(at, filter, channel, place));
    return pack(0.5 + 0.5 * weight_at(at, filter, 0, place),
                0.5 + 0.5 * weight_at(at, filter, 1, place),
                0.5 + 0.5 * weight_at(at, filter, 2, place));
}

static void fill_tile(cairo_surface_t *page, const layout *at, int tile)
{
    const cnn_filters *filters = at->filters;
    bool whole = at->rgb || filters->channels == 1;
    int filter = whole ? tile : tile / at->columns, channel = whole ? 0 : tile % at->columns;
    unsigned char *data = cairo_image_surface_get_data(page);
    size_t stride = (size_t)cairo_image_surface_get_stride(page);
    int left = GAP + tile % at->columns * (at->width + GAP);
    int top = GAP + tile / at->columns * (at->height + GAP);
    for (int y = 0; y < at->height; y++) {
        size_t from = (size_t)y * (size_t)filters->height / (size_t)at->height;
        for (int x = 0; x < at->width; x++) {
            size_t column = (size_t)x * (size_t)filters->width / (size_t)at->width;
            uint32_t color = color_at(at, filter, channel, from * (size_t)filters->width + column);
            memcpy(data + (size_t)(top + y) * stride + (size_t)(left + x) * sizeof color, &color,
                   sizeof color);
        }
    }
}

/* Between the tiles: a grey that is seen beside white, or white beside what is mostly grey. */
static void fill_ground(cairo_surface_t *page, bool rgb)
{
    cairo_t *cairo = cairo_create(page);
    cairo_set_source_rgb(cairo, rgb ? 0.90 : 0.60, rgb ? 0.91 : 0.63, rgb ? 0.93 : 0.67);
    cairo_paint(cairo);
    cairo_destroy(cairo);
    cairo_surface_flush(page);
}

cnn_status cnn_filters_to_png(cnn_text *png, int *width, int *height, const cnn_model *model)
{
    cnn_filters filters = cnn_model_filters(model);
    layout at = make_layout(&filters, model);
    bool whole = at.rgb || filters.channels == 1;
    *width = at.columns * (at.width + GAP) + GAP;
    *height = at.rows * (at.height + GAP) + GAP;
    cairo_surface_t *page = cairo_image_surface_create(CAIRO_FORMAT_RGB24, *width, *height);
    cnn_status status = cnn_png_check(cairo_surface_status(page));
    if (status == CNN_OK) {
        fill_ground(page, at.rgb);
        for (int i = 0; i < (whole ? filters.shown : at.rows * at.columns); i++)
            fill_tile(page, &at, i);
        cairo_surface_mark_dirty(page);
        status = cnn_png_encode(png, page);
    }
    cairo_surface_destroy(page);
    return status;
}

cnn_status cnn_picture_filters(const char *path, const cnn_model *model)
{
    CNN_NEED(path, model);
    cnn_text png = {0};
    int width, height;
    cnn_status status = cnn_filters_to_png(&png, &width, &height, model);
    if (status == CNN_OK)
        status = cnn_file_write_atomic(path, &(cnn_piece){png.data, png.length}, 1);
    cnn_text_finish(&png);
    return status;
}
