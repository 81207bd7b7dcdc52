/* A picture brought to a size: resampled with a triangle filter that widens as the picture shrinks,
 * so that nothing aliases; in whole numbers and pass by pass as Pillow's bilinear resampling. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/image.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/check.h"
#include "image/fit.h"

enum { PRECISION = 22, ROWS = 0, COLUMNS = 1, COLORS = 3 };

/* Along one axis: the source's values that each value of the target takes. */
typedef struct taps {
    int size;           /* weights of a value, at most */
    int *first, *count; /* (target) */
    int32_t *weights;   /* (target, size), in units of 2^-PRECISION */
} taps;

/* Along one axis: `source` values become `scaled`, of which those from `offset` on are wanted, and
 * come to `place` and on of the target's `size`. */
typedef struct axis {
    int source, offset, place, count, size;
    int full;      /* values of the source before a decoder scaled it down */
    double extent; /* what those are of its values now */
    double scaled;
} axis;

static void taps_finish(taps *at)
{
    free(at->first);
    free(at->count);
    free(at->weights);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

/* Of the value at `index` of the scaled axis. */
static void set_tap(taps *at, int place, double index, const axis *along, double scale)
{
    enum { MOST = 1 << PRECISION };
    double width = scale > 1.0 ? scale : 1.0, center = (index + 0.5) * scale, sum = 0.0;
    int first = (int)fmax(center - width + 0.5, 0.0);
    int end = (int)fmin(center + width + 0.5, along->source);
    int32_t *weights = at->weights + (size_t)place * (size_t)at->size;
    at->first[place] = first;
    at->count[place] = end - first;
    for (int i = first; i < end; i++)
        sum += triangle((i - center + 0.5) / width);
    for (int i = first; i < end; i++)
        weights[i - first] =
            (int32_t)(0.5 + triangle((i - center + 0.5) / width) / sum * (double)MOST);
}

static cnn_status taps_init(taps *at, const axis *along)
{
    double scale = along->extent / along->scaled;
    size_t count = (size_t)along->count;
    cnn_status status = CNN_OK;
    at->size = 2 * (int)ceil(scale > 1.0 ? scale : 1.0) + 1;
    CNN_TRY(cnn_allocate(&at->first, count, sizeof *at->first, "a picture"));
    CNN_TRY(cnn_allocate(&at->count, count, sizeof *at->count, "a picture"));
    CNN_TRY(cnn_allocate(&at->weights, count * (size_t)at->size, sizeof *at->weights, "a picture"));
    for (int i = 0; i < along->count; i++)
        set_tap(at, i, (double)along->offset + i, along, scale);
out:
    return status;
}

static uint8_t to_byte(int64_t sum)
{
    int64_t value = (sum + (1 << (PRECISION - 1))) >> PRECISION;
    return (uint8_t)(value < 0 ? 0 : value > UINT8_MAX ? UINT8_MAX : value);
}

/* Rows first to end - 1 of the source, scaled along their length, one after the other. */
static void scale_columns(uint8_t *target, const uint8_t *source, int width, const taps *at,
                          int count, int first, int end)
{
    for (int y = first; y < end; y++) {
        const uint8_t *row = source + (size_t)y * (size_t)width;
        for (int x = 0; x < count; x++) {
            const int32_t *weights = at->weights + (size_t)x * (size_t)at->size;
            int64_t sum = 0;
            for (int i = 0; i < at->count[x]; i++)
                sum += (int64_t)weights[i] * row[at->first[x] + i];
            *target++ = to_byte(sum);
        }
    }
}

/* From rows (count values each) that begin with row `first` of the picture. */
static void scale_rows(uint8_t *target, int stride, const uint8_t *rows, int first, const taps *at,
                       int height, int count)
{
    for (int y = 0; y < height; y++) {
        const int32_t *weights = at->weights + (size_t)y * (size_t)at->size;
        const uint8_t *from = rows + (size_t)(at->first[y] - first) * (size_t)count;
        for (int x = 0; x < count; x++) {
            int64_t sum = 0;
            for (int i = 0; i < at->count[y]; i++)
                sum += (int64_t)weights[i] * from[(size_t)i * (size_t)count + (size_t)x];
            target[(size_t)y * (size_t)stride + (size_t)x] = to_byte(sum);
        }
    }
}

/* One channel into its place in the target (height, width). */
static cnn_status scale_plane(uint8_t *target, const uint8_t *source, const axis along[2],
                              const taps at[2])
{
    const axis *rows = &along[ROWS], *columns = &along[COLUMNS];
    int first = at[ROWS].first[0], last = rows->count - 1;
    int end = at[ROWS].first[last] + at[ROWS].count[last];
    uint8_t *scaled = NULL;
    cnn_status status =
        cnn_allocate(&scaled, (size_t)(end - first), (size_t)columns->count, "a picture");
    if (status != CNN_OK)
        return status;
    scale_columns(scaled, source, columns->source, &at[COLUMNS], columns->count, first, end);
    scale_rows(target + (size_t)rows->place * (size_t)columns->size + (size_t)columns->place,
               columns->size, scaled, first, &at[ROWS], rows->count, columns->count);
    free(scaled);
    return CNN_OK;
}

/* The sides of what is scaled before its middle is cut out: torchvision's Resize(size / 0.875). */
static void plan_crop(axis along[2])
{
    static const double share = 0.875;
    double factors[2], sides[2];
    for (int i = 0; i < 2; i++) {
        sides[i] = floor(along[i].size / share);
        factors[i] = sides[i] / along[i].full;
    }
    int decisive = factors[ROWS] >= factors[COLUMNS] ? ROWS : COLUMNS;
    for (int i = 0; i < 2; i++) {
        along[i].scaled = sides[i];
        if (i != decisive)
            along[i].scaled = floor(sides[decisive] * along[i].full / along[decisive].full);
        along[i].offset = (int)nearbyint((along[i].scaled - along[i].size) / 2.0);
        along[i].count = along[i].size;
    }
}

/* As Pillow's ImageOps.pad(). */
static void plan_pad(axis along[2])
{
    double ratio = (double)along[COLUMNS].full / along[ROWS].full;
    bool wide = ratio > (double)along[COLUMNS].size / along[ROWS].size;
    double side = wide ? along[COLUMNS].size / ratio : along[ROWS].size * ratio;
    along[ROWS].scaled = wide ? fmax(nearbyint(side), 1.0) : along[ROWS].size;
    along[COLUMNS].scaled = wide ? along[COLUMNS].size : fmax(nearbyint(side), 1.0);
    for (int i = 0; i < 2; i++) {
        along[i].count = (int)along[i].scaled;
        along[i].place = (int)nearbyint((along[i].size - along[i].count) / 2.0);
    }
}

static void plan_axes(axis along[2], const int shape[3], const cnn_reduced *image,
                      cnn_picture_fit fit)
{
    for (int i = 0; i < 2; i++)
        along[i] = (axis){.source = image->image.shape[1 + i],
                          .full = image->full[i],
                          .extent = (double)image->full[i] / image->reduction,
                          .size = shape[1 + i],
                          .scaled = shape[1 + i],
                          .count = shape[1 + i]};
    bool fits = memcmp(shape + 1, image->full, sizeof image->full) == 0;
    if (!fits && fit == CNN_FIT_CROP)
        plan_crop(along);
    else if (!fits && fit == CNN_FIT_PAD)
        plan_pad(along);
}

/* Grey of colour, ITU-R BT.601, as Pillow makes it. */
static cnn_status make_grey(uint8_t **grey, const cnn_image *image)
{
    enum { RED = 19595, GREEN = 38470, BLUE = 7471, HALF = 1 << 15, SHIFT = 16 };
    size_t plane = (size_t)image->shape[1] * (size_t)image->shape[2];
    const uint8_t *red = image->pixels, *green = red + plane, *blue = green + plane;
    cnn_status status = cnn_allocate(grey, plane, 1, "a picture");
    for (size_t i = 0; status == CNN_OK && i < plane; i++)
        (*grey)[i] = (uint8_t)((red[i] * (uint32_t)RED + green[i] * (uint32_t)GREEN +
                                blue[i] * (uint32_t)BLUE + HALF) >>
                               SHIFT);
    return status;
}

cnn_status cnn_fit_reduced(uint8_t *pixels, const int shape[3], const cnn_reduced *reduced,
                           cnn_picture_fit fit)
{
    const cnn_image *image = &reduced->image;
    axis along[2];
    taps at[2] = {{0}, {0}};
    uint8_t *grey = NULL;
    size_t from = (size_t)image->shape[1] * (size_t)image->shape[2];
    size_t plane = (size_t)shape[1] * (size_t)shape[2];
    bool to_grey = shape[0] == 1 && image->shape[0] == COLORS;
    cnn_status status = CNN_OK;
    if (!to_grey && shape[0] != image->shape[0] && image->shape[0] != 1)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "an image of %d channels does not become one of %d: give images of %d",
                        image->shape[0], shape[0], shape[0]);
    plan_axes(along, shape, reduced, fit);
    CNN_TRY(taps_init(&at[ROWS], &along[ROWS]));
    CNN_TRY(taps_init(&at[COLUMNS], &along[COLUMNS]));
    if (to_grey)
        CNN_TRY(make_grey(&grey, image));
    if (fit == CNN_FIT_PAD)
        memset(pixels, 0, (size_t)shape[0] * plane);
    for (int c = 0; c < shape[0]; c++) {
        size_t channel = c < image->shape[0] ? (size_t)c : 0;
        CNN_TRY(scale_plane(pixels + (size_t)c * plane,
                            grey ? grey : image->pixels + channel * from, along, at));
    }
out:
    free(grey);
    taps_finish(&at[ROWS]);
    taps_finish(&at[COLUMNS]);
    return status;
}

cnn_status cnn_image_fit(uint8_t *pixels, const int shape[3], const cnn_image *image,
                         cnn_picture_fit fit)
{
    CNN_NEED(pixels, shape, image);
    cnn_status status = cnn_image_check(shape, image);
    if (status != CNN_OK)
        return status;
    if ((int)fit < 0 || (int)fit > CNN_FIT_STRETCH)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "expected a fit of CNN_FIT_CROP to CNN_FIT_STRETCH, found %d", (int)fit);
    const cnn_reduced whole = {*image, {image->shape[1], image->shape[2]}, 1};
    return cnn_fit_reduced(pixels, shape, &whole, fit);
}

void cnn_fit_least(int *height, int *width, const int shape[3], cnn_picture_fit fit)
{
    static const double share = 0.875;
    double factor = fit == CNN_FIT_CROP ? 1.0 / share : 1.0;
    *height = (int)(shape[1] * factor);
    *width = (int)(shape[2] * factor);
}

static const char *const names[] = {
    [CNN_FIT_CROP] = "crop", [CNN_FIT_PAD] = "pad", [CNN_FIT_STRETCH] = "stretch"};

const char *cnn_picture_fit_name(cnn_picture_fit fit)
{
    return (int)fit >= 0 && (int)fit <= CNN_FIT_STRETCH ? names[fit] : "?";
}

bool cnn_picture_fit_find(cnn_picture_fit *fit, const char *name)
{
    if (!fit || !name)
        return false;
    for (int i = CNN_FIT_CROP; i <= CNN_FIT_STRETCH; i++)
        if (strcmp(name, names[i]) == 0) {
            *fit = (cnn_picture_fit)i;
            return true;
        }
    return false;
}
