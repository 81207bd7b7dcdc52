/* A digit is made of strokes, which are narrower than it is large, on a ground that goes on around
 * it; it does not run along the picture's sides or from one to another; and its ink is darker than
 * the level at which it was cut out, which noise is not. */
#include "image/rate.h"

#include <math.h>

enum { LEVELS = 256, SPECK = 5, INWARDS = 2, SAMPLES = 24, LEAST_SAMPLES = 40 };

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

/* Blobs have wide "strokes". */
static double rate_strokes(const cnn_piece *piece)
{
    double width = cnn_piece_width(piece) / cnn_piece_length(piece);
    return clamp((0.36 - width) / (0.36 - 0.24), 0.01, 1.0);
}

/* A one is a line, too: but it stands. */
static double rate_slimness(const cnn_piece *piece)
{
    double slope, slimness = cnn_piece_slimness(&slope, piece);
    double rate = clamp(0.35 + 0.65 * (slimness - 0.12) / (0.28 - 0.12), 0.35, 1.0);
    if (slimness < 0.06)
        rate = 0.15;
    if (slimness < 0.28 && slope > 0.9)
        rate *= 0.25;
    return rate;
}

/* What touches the picture's sides: a part of a digit does so on a short way. */
static double rate_sides(const cnn_piece *piece, const cnn_map *map)
{
    double parts[CNN_SIDES], longest = 0.0;
    int touched = 0;
    for (int i = 0; i < CNN_SIDES; i++) {
        int side = i % 2 ? map->grey.width : map->grey.height;
        parts[i] = (double)piece->sides[i] / side;
        touched += piece->sides[i] > 0;
        longest = fmax(longest, parts[i]);
    }
    bool across = (parts[0] > 0.0 && parts[2] > 0.0) || (parts[1] > 0.0 && parts[3] > 0.0);
    bool thin = cnn_piece_width(piece) < 0.05 * cnn_piece_length(piece);
    double factor = touched == 0 ? 1.0 : touched == 1 ? 0.6 : 0.4;
    if (longest > 0.5)
        factor *= 0.1;
    return across && (thin || longest > 0.5) ? 0.1 * factor : factor;
}

/* Ink is far above the level, noise just above it. */
static double rate_level(const cnn_piece *piece, float level)
{
    double part = (double)level * piece->area / piece->ink;
    return clamp(1.6 * (1.0 - part), 0.02, 1.0);
}

/* The middle brightness of what is around the piece's box. -1 where there is nothing. */
static double surround_of(const cnn_piece *piece, const cnn_plane *grey)
{
    const cnn_box *box = &piece->box;
    int counts[LEVELS] = {0}, total = 0, level = 0;
    int margin = (int)(0.4 * cnn_piece_length(piece)) + 1;
    int step = (cnn_piece_length(piece) + 2 * margin) / SAMPLES + 1;
    for (int y = box->top - margin; y < box->top + box->height + margin; y += step)
        for (int x = box->left - margin; x < box->left + box->width + margin; x += step) {
            bool in_box = x >= box->left && x < box->left + box->width && y >= box->top &&
                          y < box->top + box->height;
            if (in_box || x < 0 || y < 0 || x >= grey->width || y >= grey->height)
                continue;
            counts[(int)(grey->values[y * grey->width + x] + 0.5f)]++;
            total++;
        }
    if (total < LEAST_SAMPLES)
        return -1.0;
    for (int below = counts[0]; 2 * below < total; below += counts[level])
        level++;
    return level;
}

/* The ground goes on around it: between the strokes of a digit are pieces of ground that look like
 * ink of the other kind, but have strokes around them, and behind those the same ground again. */
static double rate_surround(const cnn_piece *piece, const cnn_map *map)
{
    double around = surround_of(piece, &map->grey), own = piece->grey / piece->area;
    double contrast = piece->ink / piece->area;
    if (around < 0.0)
        return 0.7;
    double ground = map->light ? own * (1.0 - contrast) : own / fmax(1.0 - contrast, 0.02);
    double part = (around - own) / (ground - own);
    return part > 0.35 ? 1.0 : part > 0.15 ? 0.3 : 0.05;
}

/* How much the picture changes across a piece's outline at a pixel, as a part of what is brighter:
 * from a little within to `reach` outside of it. *at_outline is false where the pixel is not there.
 */
static double change_at(bool *at_outline, const cnn_pieces *pieces, const cnn_map *map, int x,
                        int y, const int step[2], int reach)
{
    const float *grey = map->grey.values;
    int width = pieces->width, number = pieces->labels[y * width + x];
    int u = x + reach * step[0], v = y + reach * step[1];
    *at_outline = u >= 0 && v >= 0 && u < width && v < pieces->height &&
                  pieces->labels[(y + step[1]) * width + x + step[0]] != number;
    if (!*at_outline)
        return 0.0;
    int in_x = x - INWARDS * step[0], in_y = y - INWARDS * step[1], in = y * width + x;
    if (in_x >= 0 && in_y >= 0 && in_x < width && in_y < pieces->height &&
        pieces->labels[in_y * width + in_x] == number)
        in = in_y * width + in_x;
    double inside = (double)grey[in], outside = (double)grey[v * width + u];
    double dark = map->light ? outside : inside, bright = map->light ? inside : outside;
    return (bright - dark) / fmax(bright, 1.0);
}

/* Ink ends where the picture changes: the part of the outline that does. What else differs from the
 * ground, as what lies between a table and a digit, ends where the ground was looked for. */
static double rate_outline(const cnn_pieces *pieces, int number, const cnn_map *map)
{
    static const int steps[CNN_SIDES][2] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};
    const cnn_piece *piece = &pieces->all[number];
    const cnn_box *box = &piece->box;
    double least = 0.3 * piece->ink / piece->area;
    int reach = (int)fmax(3.0, 0.4 * cnn_piece_width(piece)), total = 0, steep = 0;
    for (int i = 0; i < CNN_SIDES * box->width * box->height; i++) {
        int x = box->left + i / CNN_SIDES % box->width, y = box->top + i / CNN_SIDES / box->width;
        bool at_outline;
        if (pieces->labels[y * pieces->width + x] != number)
            continue;
        double change = change_at(&at_outline, pieces, map, x, y, steps[i % CNN_SIDES], reach);
        steep += at_outline && change > least;
        total += at_outline;
    }
    return total ? clamp(((double)steep / total - 0.5) / (0.85 - 0.5), 0.03, 1.0) : 1.0;
}

/* Nowhere is a digit as thick as it is only at its junctions. */
static double rate_thickness(const cnn_pieces *pieces, int number)
{
    double side = cnn_piece_square(pieces, number);
    return clamp((0.42 - side / cnn_piece_length(&pieces->all[number])) / (0.42 - 0.32), 0.02, 1.0);
}

/* A hand draws no ruler's bar, unless it slants as a one does. */
static double rate_corners(const cnn_pieces *pieces, int number)
{
    double slope, slimness = cnn_piece_slimness(&slope, &pieces->all[number]);
    bool one = slimness < 0.28 && slope > 0.05 && slope < 0.6;
    return !one && cnn_piece_squareness(pieces, number) > CNN_SQUARE ? 0.25 : 1.0;
}

double cnn_rate_piece(const cnn_pieces *pieces, int number, const cnn_map *map, float level,
                      double least)
{
    const cnn_piece *piece = &pieces->all[number];
    int longest = map->grey.width > map->grey.height ? map->grey.width : map->grey.height;
    double size = (double)cnn_piece_length(piece) / longest;
    double rate = size * piece->ink / piece->area;
    if (cnn_piece_length(piece) < SPECK && longest > 5 * SPECK)
        return 0.0;
    rate *= rate_strokes(piece) * rate_slimness(piece) * rate_sides(piece, map) *
            rate_level(piece, level);
    if (rate > least)
        rate *= rate_surround(piece, map) * rate_outline(pieces, number, map);
    if (rate > least)
        rate *= rate_thickness(pieces, number);
    return rate > least ? rate * rate_corners(pieces, number) : rate;
}
