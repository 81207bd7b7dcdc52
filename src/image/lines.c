/* A line's pixels are those where the ink is thin across the line. Where a stroke crosses it the
 * ink is thicker, and such pixels stay; the parts of a line on both sides of a stroke count as one.
 */
#include "image/lines.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

static const double thickest = 0.025;            /* of the picture's longer side */
static const double whole = 0.6, to_side = 0.12; /* how long, as a part of the picture's side */
static const double flattest = 5.0;              /* times as long as high */

static int longest_of(const cnn_plane *ink)
{
    return ink->width > ink->height ? ink->width : ink->height;
}

bool cnn_may_be_line(const cnn_piece *piece, const cnn_plane *ink)
{
    const cnn_box *box = &piece->box;
    bool touches = piece->sides[0] || piece->sides[1] || piece->sides[2] || piece->sides[3];
    double part = touches ? 2.0 * to_side : whole;
    return (box->width > part * ink->width || box->height > part * ink->height) &&
           cnn_piece_width(piece) < thickest * longest_of(ink);
}

/* A picture looked at along one axis: (across, along) are (y, x), or (x, y) for upright lines. */
typedef struct view {
    float *values;
    int length, breadth; /* along, across */
    int step, row;       /* values from one place to the next along, and across */
} view;

static float *value_at(const view *at, int along, int across)
{
    return at->values + (size_t)along * (size_t)at->step + (size_t)across * (size_t)at->row;
}

/* thickness (as the picture): across the line, of the ink that each pixel is in; 0 for none. */
static void measure(int *thickness, const view *at, float level)
{
    for (int along = 0; along < at->length; along++)
        for (int first = 0, end; first < at->breadth; first = end + 1) {
            for (end = first; end<at->breadth && * value_at(at, along, end)> level; end++)
                continue;
            for (int across = first; across < end; across++)
                thickness[value_at(at, along, across) - at->values] = end - first;
        }
}

/* 1 where a pixel of thin ink is within reach along the line: so gaps close. */
static void bridge(const view *thin, const int *thickness, const view *at, int limit)
{
    int reach = 2 * limit;
    for (int across = 0; across < at->breadth; across++)
        for (int along = 0, last = -1 - reach; along < at->length + reach; along++) {
            if (along < at->length) {
                int here = thickness[value_at(at, along, across) - at->values];
                last = here > 0 && here <= limit ? along : last;
            }
            /* `last` is the last thin pixel up to here: those within reach behind it are set, and
             * those before it when the place lags by the reach. */
            int place = along - reach / 2;
            if (place >= 0 && place < at->length)
                *value_at(thin, place, across) = last >= 0 && along - last <= reach ? 1.0f : 0.0f;
        }
}

/* Is the piece of the bridged picture a line? Its ends are longer than the ink's by `reach`. */
static bool is_line(const cnn_piece *piece, const view *at, int reach, bool upright)
{
    int length = upright ? piece->box.height : piece->box.width;
    int height = upright ? piece->box.width : piece->box.height;
    bool at_side = piece->sides[upright ? 1 : 0] > 0 || piece->sides[upright ? 3 : 2] > 0;
    double least = (at_side ? to_side : whole) * at->length + reach;
    return length >= least && length >= flattest * height;
}

/* The mean thickness of a line's ink. */
static double thickness_of(const int *thickness, const cnn_pieces *pieces, int number, int limit)
{
    double sum = 0.0;
    int count = 0;
    for (int i = 0; i < pieces->width * pieces->height; i++)
        if (pieces->labels[i] == number && thickness[i] > 0 && thickness[i] <= limit) {
            sum += thickness[i];
            count++;
        }
    return count ? sum / count : 0.0;
}

static void erase(cnn_plane *ink, const int *thickness, const cnn_pieces *pieces, int number,
                  int limit)
{
    double most = 1.5 * thickness_of(thickness, pieces, number, limit) + 1.0;
    most = most < limit ? most : limit;
    for (int i = 0; i < ink->width * ink->height; i++)
        if (pieces->labels[i] == number && thickness[i] > 0 && thickness[i] <= most)
            ink->values[i] = 0.0f;
}

static cnn_status remove_along(cnn_plane *to, bool *removed, const cnn_plane *ink, float level,
                               bool upright)
{
    int limit = (int)(thickest * longest_of(ink));
    view at = {ink->values, ink->width, ink->height, 1, ink->width};
    if (upright)
        at = (view){ink->values, ink->height, ink->width, ink->width, 1};
    int *thickness = NULL;
    cnn_plane thin = {0};
    cnn_pieces pieces = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&thickness, (size_t)ink->width * (size_t)ink->height, sizeof *thickness,
                         "an image's lines"));
    CNN_TRY(cnn_plane_init(&thin, ink->width, ink->height));
    measure(thickness, &at, level);
    view bridged = at;
    bridged.values = thin.values;
    bridge(&bridged, thickness, &at, limit);
    CNN_TRY(cnn_pieces_find(&pieces, &thin, 0.5f, NULL));
    for (int number = 1; number <= pieces.count; number++)
        if (is_line(&pieces.all[number], &at, 2 * limit, upright)) {
            erase(to, thickness, &pieces, number, limit);
            *removed = true;
        }
out:
    free(thickness);
    cnn_plane_finish(&thin);
    cnn_pieces_finish(&pieces);
    return status;
}

cnn_status cnn_lines_remove(cnn_plane *ink, bool *removed, float level)
{
    cnn_plane source = {0};
    cnn_status status = CNN_OK;
    *removed = false;
    CNN_TRY(cnn_plane_copy(&source, ink));
    CNN_TRY(remove_along(ink, removed, &source, level, false));
    CNN_TRY(remove_along(ink, removed, &source, level, true));
out:
    cnn_plane_finish(&source);
    return status;
}
