/* Where a picture's digit is. A picture is looked at in several ways: its brightness and its
 * colours, dark ink and light ink (maps); each is cut at several levels, with its ruled lines and
 * without them; and the piece that looks most like a digit is taken. */
#include "image/ink.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/choice.h"
#include "image/ground.h"

enum { WORK_SIZE = 400, COLORS = 3, MOST_MAPS = 2 * (COLORS + 1) };

static const float colorful = 12.0f; /* levels between channels: less is grey */
static const float inked = 0.3f;     /* what counts as ink */
static const double speck = 0.02;    /* smaller than this share of the largest piece */
static const float brightness[COLORS] = {0.299f, 0.587f, 0.114f}; /* ITU-R BT.601 */

static int scaled_side(int side, int longest)
{
    if (longest <= WORK_SIZE)
        return side;
    int scaled = (int)((double)side * WORK_SIZE / longest + 0.5);
    return scaled > 0 ? scaled : 1;
}

static cnn_status shrink(cnn_plane *plane, const cnn_image *image, int channel)
{
    int height = image->shape[1], width = image->shape[2];
    int longest = height > width ? height : width;
    cnn_status status =
        cnn_plane_init(plane, scaled_side(width, longest), scaled_side(height, longest));
    cnn_area from = {.bytes = image->pixels + (size_t)channel * (size_t)height * (size_t)width,
                     .stride = width,
                     .width = width,
                     .height = height};
    return status == CNN_OK ? cnn_plane_scale(plane, &from) : status;
}

/* grey = the brightness of three channels. Returns whether they differ. */
static bool mix(cnn_plane *grey, const cnn_plane colors[COLORS])
{
    int count = grey->width * grey->height, apart = 0;
    for (int i = 0; i < count; i++) {
        float low = colors[0].values[i], high = low;
        for (int c = 0; c < COLORS; c++) {
            float value = colors[c].values[i];
            grey->values[i] += brightness[c] * value;
            low = value < low ? value : low;
            high = value > high ? value : high;
        }
        apart += high - low > colorful;
    }
    return apart * 1000 > count;
}

/* The brightness, and of colours each. *count planes, of COLORS + 1. */
static cnn_status make_planes(cnn_plane planes[], int *count, const cnn_image *image)
{
    cnn_status status = CNN_OK;
    bool colors = image->shape[0] >= COLORS; /* other numbers are no colours */
    *count = 1;
    if (!colors)
        return shrink(&planes[0], image, 0);
    for (int c = 0; c < COLORS; c++)
        CNN_TRY(shrink(&planes[1 + c], image, c));
    CNN_TRY(cnn_plane_init(&planes[0], planes[1].width, planes[1].height));
    if (mix(&planes[0], planes + 1))
        *count = 1 + COLORS;
out:
    return status;
}

cnn_status cnn_ink_find(cnn_plane *ink, int *found, const cnn_image *image)
{
    cnn_plane planes[COLORS + 1] = {{0}};
    cnn_map maps[MOST_MAPS] = {{.light = false}};
    int count;
    cnn_status status = CNN_OK;
    *ink = (cnn_plane){0};
    CNN_TRY(make_planes(planes, &count, image));
    for (int i = 0; i < 2 * count; i++) {
        maps[i].grey = planes[i / 2];
        maps[i].light = i % 2;
        CNN_TRY(cnn_ground_contrast(&maps[i].contrast, &maps[i].grey, maps[i].light));
    }
    CNN_TRY(cnn_choose_digit(ink, found, maps, 2 * count));
out:
    for (int i = 0; i < COLORS + 1; i++)
        cnn_plane_finish(&planes[i]);
    for (int i = 0; i < MOST_MAPS; i++)
        cnn_plane_finish(&maps[i].contrast);
    return status;
}

cnn_status cnn_ink_clean(cnn_box *box, cnn_plane *ink)
{
    cnn_pieces pieces = {0};
    int largest = 0, left = ink->width, right = 0, top = ink->height, bottom = 0;
    cnn_status status = cnn_pieces_find(&pieces, ink, inked, NULL);
    for (int i = 1; status == CNN_OK && i <= pieces.count; i++)
        largest = pieces.all[i].area > largest ? pieces.all[i].area : largest;
    for (int i = 0; status == CNN_OK && i < ink->width * ink->height; i++)
        if (pieces.labels[i] && pieces.all[pieces.labels[i]].area < speck * largest)
            ink->values[i] = 0.0f;
    for (int i = 1; status == CNN_OK && i <= pieces.count; i++) {
        const cnn_box *at = &pieces.all[i].box;
        if (pieces.all[i].area < speck * largest)
            continue;
        left = at->left < left ? at->left : left;
        top = at->top < top ? at->top : top;
        right = at->left + at->width > right ? at->left + at->width : right;
        bottom = at->top + at->height > bottom ? at->top + at->height : bottom;
    }
    *box = (cnn_box){left, top, right - left, bottom - top};
    cnn_pieces_finish(&pieces);
    return status;
}
