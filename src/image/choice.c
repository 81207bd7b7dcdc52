#include "image/choice.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/cut.h"
#include "image/lines.h"

enum { LEVELS = 256 };

/* A piece with a straight line in it is hardly a digit, nor is what looks like one only without
 * lines: it should look better than what has none. */
static const double with_line = 0.5, without_line = 0.8;

static const float levels[] = {0.08f, 0.12f, 0.17f, 0.24f, 0.34f, 0.48f, 0.66f};
enum {
    LEVEL_COUNT = sizeof levels / sizeof levels[0],
    COARSE = 4
}; /* from here on, on grounds as coarse as wood */

/* The contrast that this share of a map does not exceed. */
static double contrast_at(const int counts[LEVELS], int count, double share)
{
    int level = 0;
    for (int below = counts[0]; below <= share * count && level + 1 < LEVELS;
         below += counts[level])
        level++;
    return (double)level / (LEVELS - 1);
}

/* The mean contrast of the ground, and its deviation: from the quarter of the map with the least of
 * it, as half of the picture may be a table. */
static void measure_ground(double *middle, double *deviation, const cnn_plane *contrast)
{
    static const double parts[2] = {0.05, 0.25}, normal[2] = {-1.645, -0.674}; /* its quantiles */
    int counts[LEVELS] = {0}, count = contrast->width * contrast->height;
    for (int i = 0; i < count; i++)
        counts[(int)(contrast->values[i] * (LEVELS - 1) + 0.5f)]++;
    double low = contrast_at(counts, count, parts[0]), high = contrast_at(counts, count, parts[1]);
    *deviation = (high - low) / (normal[1] - normal[0]);
    *middle = high - normal[1] * *deviation;
}

/* Marks the pieces of which something is not in a plane. */
static void mark_changed(bool *changed, const cnn_pieces *pieces, const cnn_plane *plane,
                         float level)
{
    for (int i = 0; i < plane->width * plane->height; i++)
        changed[pieces->labels[i]] |= !(plane->values[i] > level);
}

/* Looks at the pieces of ink (the contrast, with lines or without) above a level. cleared: the same
 * without lines, or NULL. */
static cnn_status look(cnn_place *best, const cnn_plane *ink, const cnn_plane *cleared,
                       cnn_place at)
{
    cnn_pieces pieces = {0};
    bool *lined = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pieces_find(&pieces, ink, at.level, &at.map->grey));
    CNN_TRY(cnn_allocate(&lined, (size_t)pieces.count + 1, sizeof *lined, "an image's pieces"));
    if (cleared)
        mark_changed(lined, &pieces, cleared, at.level);
    for (int i = 1; i <= pieces.count; i++) {
        double factor = at.without_lines ? without_line : lined[i] ? with_line : 1.0;
        double rate = factor * cnn_rate_piece(&pieces, i, at.map, at.level, best->rate / factor);
        if (rate <= best->rate)
            continue;
        *best = at;
        best->number = i;
        best->rate = rate;
    }
out:
    free(lined);
    cnn_pieces_finish(&pieces);
    return status;
}

static cnn_status look_at_level(cnn_place *best, const cnn_map *map, float level)
{
    cnn_plane cleared = {0};
    bool removed;
    cnn_status status = CNN_OK;
    cnn_place at = {.map = map, .level = level};
    CNN_TRY(cnn_plane_copy(&cleared, &map->contrast));
    CNN_TRY(cnn_lines_remove(&cleared, &removed, level));
    CNN_TRY(look(best, &map->contrast, removed ? &cleared : NULL, at));
    at.without_lines = true;
    if (removed)
        CNN_TRY(look(best, &cleared, NULL, at));
out:
    cnn_plane_finish(&cleared);
    return status;
}

static cnn_status look_everywhere(cnn_place *best, const cnn_map maps[], int count)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < count; i++) {
        double middle, deviation;
        measure_ground(&middle, &deviation, &maps[i].contrast);
        for (int j = 0; j < LEVEL_COUNT; j++)
            if ((double)levels[j] > middle + (j < COARSE ? 4.0 : 2.0) * deviation)
                CNN_TRY(look_at_level(best, &maps[i], levels[j]));
    }
out:
    return status;
}

static bool is_within(const cnn_box *box, const cnn_box *outer)
{
    return box->left > outer->left && box->top > outer->top &&
           box->left + box->width < outer->left + outer->width &&
           box->top + box->height < outer->top + outer->height;
}

/* A sheet on a table is light "ink" with the digit as a hole: of ink of the other kind the piece
 * within the box that looks most like a digit. Its strokes are thinner than the sheet's margins
 * (`square` is the side of the largest there), other than the holes of an 8. */
static cnn_status look_within(cnn_place *best, const cnn_map *map, const cnn_box *box, int square)
{
    cnn_pieces pieces = {0};
    cnn_status status = CNN_OK;
    int longest = box->width > box->height ? box->width : box->height;
    for (int j = 0; j < LEVEL_COUNT; j++) {
        CNN_TRY(cnn_pieces_find(&pieces, &map->contrast, levels[j], &map->grey));
        for (int i = 1; i <= pieces.count; i++) {
            const cnn_piece *piece = &pieces.all[i];
            int length = cnn_piece_length(piece);
            if (!is_within(&piece->box, box) || length < 0.25 * longest ||
                cnn_piece_width(piece) > 0.2 * length ||
                cnn_piece_square(&pieces, i) > 0.45 * square)
                continue;
            double rate = cnn_rate_piece(&pieces, i, map, levels[j], best->rate);
            if (rate > best->rate)
                *best = (cnn_place){map, levels[j], false, i, rate};
        }
        cnn_pieces_finish(&pieces);
    }
out:
    cnn_pieces_finish(&pieces);
    return status;
}

/* If the best is such a sheet. */
static cnn_status leave_sheet(cnn_place *best, const cnn_map maps[])
{
    const cnn_map *other = maps + ((best->map - maps) ^ 1);
    cnn_pieces pieces = {0};
    cnn_place inner = {0};
    cnn_status status = CNN_OK;
    if (best->without_lines)
        return CNN_OK;
    CNN_TRY(cnn_pieces_find(&pieces, &best->map->contrast, best->level, NULL));
    const cnn_piece *piece = &pieces.all[best->number];
    int square = cnn_piece_square(&pieces, best->number);
    double part = (double)piece->area / piece->box.width / piece->box.height;
    bool sheet = part > 0.62 || cnn_piece_squareness(&pieces, best->number) > 0.82;
    if (sheet && part > 0.45 && square > 0.27 * cnn_piece_length(piece))
        CNN_TRY(look_within(&inner, other, &piece->box, square));
    if (inner.map)
        *best = inner;
out:
    cnn_pieces_finish(&pieces);
    return status;
}

cnn_status cnn_choose_digit(cnn_plane *ink, int *found, const cnn_map maps[], int count)
{
    cnn_place best = {0};
    bool removed;
    cnn_status status = CNN_OK;
    CNN_TRY(look_everywhere(&best, maps, count));
    if (!best.map) {
        status =
            cnn_fail(CNN_ERROR_DATA, "expected ink on a ground, found none: the image is blank");
        goto out;
    }
    CNN_TRY(leave_sheet(&best, maps));
    CNN_TRY(cnn_plane_copy(ink, &best.map->contrast));
    if (best.without_lines)
        CNN_TRY(cnn_lines_remove(ink, &removed, best.level));
    CNN_TRY(cnn_cut_out(ink, found, best));
out:
    return status;
}
