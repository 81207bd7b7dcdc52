#include "image/cut.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { LEVELS = 256 };

/* Marks what the picture's sides are connected with by other pixels than those of a piece. */
static cnn_status flood(bool *outside, const cnn_pieces *pieces, int number)
{
    static const int steps[4][2] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};
    int width = pieces->width, height = pieces->height, depth = 0, *stack = NULL;
    cnn_status status =
        cnn_allocate(&stack, (size_t)width * (size_t)height, sizeof *stack, "an image's pieces");
    for (int i = 0; status == CNN_OK && i < width * height; i++) {
        int x = i % width, y = i / width;
        bool at_side = x == 0 || y == 0 || x == width - 1 || y == height - 1;
        if (!at_side || outside[i] || pieces->labels[i] == number)
            continue;
        outside[i] = true;
        for (stack[depth++] = i; depth > 0;) {
            int at = stack[--depth];
            for (int k = 0; k < 4; k++) {
                int u = at % width + steps[k][0], v = at / width + steps[k][1];
                int next = v * width + u;
                if (u < 0 || v < 0 || u >= width || v >= height || outside[next] ||
                    pieces->labels[next] == number)
                    continue;
                outside[next] = true;
                stack[depth++] = next;
            }
        }
    }
    free(stack);
    return status;
}

/* A frame around the digit may look like one: the best piece that it encloses, else itself. */
static cnn_status enter(int *number, const cnn_pieces *pieces, const cnn_place *at)
{
    bool *outside = NULL;
    size_t count = (size_t)pieces->width * (size_t)pieces->height;
    const cnn_piece *frame = &pieces->all[*number];
    int inner = 0;
    double best = 0.0;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&outside, count, sizeof *outside, "an image's pieces"));
    CNN_TRY(flood(outside, pieces, *number));
    for (int i = 1; i <= pieces->count; i++) {
        const cnn_piece *piece = &pieces->all[i];
        size_t place_of = (size_t)piece->box.top * (size_t)pieces->width;
        size_t x = (size_t)piece->box.left;
        while (pieces->labels[place_of + x] != i)
            x++;
        if (i == *number || outside[place_of + x] ||
            cnn_piece_length(piece) < 0.15 * cnn_piece_length(frame) ||
            piece->ink / piece->area < 0.4 * frame->ink / frame->area)
            continue;
        double rate = cnn_rate_piece(pieces, i, at->map, at->level, best);
        if (rate > best) {
            best = rate;
            inner = i;
        }
    }
    *number = inner ? inner : *number;
out:
    free(outside);
    return status;
}

static bool touches_side(const cnn_piece *piece)
{
    return piece->sides[0] || piece->sides[1] || piece->sides[2] || piece->sides[3];
}

/* Does a piece that the border cuts stand apart from another on the way there, as the next digit
 * does? A stroke of the same digit begins beside it. */
static bool stands_behind(const cnn_piece *piece, const cnn_piece *other)
{
    const cnn_box *a = &piece->box, *b = &other->box;
    return (piece->sides[0] && a->left + a->width <= b->left) ||
           (piece->sides[1] && a->top + a->height <= b->top) ||
           (piece->sides[2] && a->left >= b->left + b->width) ||
           (piece->sides[3] && a->top >= b->top + b->height);
}

/* Does another piece belong to the digit's largest, as a stroke that does not touch the others? */
static bool belongs(const cnn_pieces *pieces, int other, int number, bool without_lines)
{
    const cnn_piece *piece = &pieces->all[other], *digit = &pieces->all[number];
    int length = cnn_piece_length(digit), gap = cnn_box_gap(&piece->box, &digit->box);
    double darkness = piece->ink / piece->area, expected = digit->ink / digit->area;
    if (piece->area < 0.02 * digit->area || darkness < 0.65 * expected)
        return false;
    double slope, slimness = cnn_piece_slimness(&slope, piece);
    bool underline = slimness < 0.08 && piece->box.width > digit->box.width;
    bool beyond = touches_side(piece) && !touches_side(digit) &&
                  (!cnn_piece_is_cut(piece) || stands_behind(piece, digit));
    if (cnn_piece_length(piece) > 1.2 * length || underline || beyond ||
        cnn_piece_squareness(pieces, other) > CNN_SQUARE)
        return false;
    bool small = 2 * cnn_piece_length(piece) < length || 2 * piece->box.height < digit->box.height;
    bool fragment = small && gap <= 0.2 * length;
    bool overlaps = cnn_box_overlap(&piece->box, &digit->box) > 0.25;
    return fragment || overlaps || (without_lines && gap <= 6);
}

/* A digit that the border cuts may have a stroke that stands apart, does not touch the border, and
 * so looks better: the digit's largest piece is the one that is cut. */
static void prefer_cut(int *number, const cnn_pieces *pieces, const cnn_place *at)
{
    const cnn_piece *stroke = &pieces->all[*number];
    int best = *number, length = cnn_piece_length(stroke);
    if (touches_side(stroke))
        return;
    double least = 0.5 * cnn_rate_piece(pieces, *number, at->map, at->level, 0.0);
    for (int i = 1; i <= pieces->count; i++) {
        const cnn_piece *piece = &pieces->all[i];
        double width = cnn_piece_width(piece) / cnn_piece_width(stroke);
        if (!cnn_piece_is_cut(piece) || stands_behind(piece, stroke) ||
            cnn_piece_length(piece) < length || width < 0.6 || width > 1.7 ||
            cnn_box_gap(&piece->box, &stroke->box) > length / 5 ||
            !belongs(pieces, *number, i, at->without_lines))
            continue;
        double rate = cnn_rate_piece(pieces, i, at->map, at->level, least);
        if (rate > least) {
            least = rate;
            best = i;
        }
    }
    *number = best;
}

/* What lies within `reach` of the marked pixels is marked, too. */
static cnn_status grow(bool *marked, int width, int height, int reach)
{
    bool *old = NULL;
    size_t count = (size_t)width * (size_t)height;
    cnn_status status = cnn_allocate(&old, count, sizeof *old, "an image's pieces");
    for (int pass = 0; status == CNN_OK && pass < reach; pass++) {
        memcpy(old, marked, count * sizeof *old);
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) {
                int i = y * width + x;
                marked[i] = old[i] || (x > 0 && old[i - 1]) || (x + 1 < width && old[i + 1]) ||
                            (y > 0 && old[i - width]) || (y + 1 < height && old[i + width]);
            }
    }
    free(old);
    return status;
}

/* The level that this share of the values does not exceed: inside of what is marked, or outside. */
static float quantile(const cnn_plane *ink, const bool *marked, bool inside, double share)
{
    int counts[LEVELS] = {0}, total = 0, level = 0;
    for (int i = 0; i < ink->width * ink->height; i++)
        if (marked[i] == inside) {
            counts[(int)(ink->values[i] * (LEVELS - 1) + 0.5f)]++;
            total++;
        }
    for (int below = counts[0]; below < share * total; below += counts[level])
        level++;
    return (float)level / (LEVELS - 1);
}

/* From the contrast to the amount of ink: nothing for most of the ground, all of it for the darkest
 * parts. */
static cnn_status stretch(cnn_plane *ink, bool *marked)
{
    float high = quantile(ink, marked, true, 0.9);
    cnn_status status = grow(marked, ink->width, ink->height, 2);
    if (status != CNN_OK)
        return status;
    float low = quantile(ink, marked, false, 0.9);
    low = low < 0.3f * high ? low : 0.3f * high;
    for (int i = 0; i < ink->width * ink->height; i++) {
        float value = marked[i] ? (ink->values[i] - low) / (high - low) : 0.0f;
        ink->values[i] = value < 0.0f ? 0.0f : value > 1.0f ? 1.0f : value;
    }
    return CNN_OK;
}

/* How many others look like digits, beside the marked pieces. */
static int count_others(const cnn_pieces *pieces, const bool *taken, int number,
                        const cnn_place *at)
{
    const cnn_piece *digit = &pieces->all[number];
    double rate = cnn_rate_piece(pieces, number, at->map, at->level, 0.0);
    int count = 0;
    for (int i = 1; i <= pieces->count; i++) {
        const cnn_piece *piece = &pieces->all[i];
        if (taken[i] || cnn_piece_length(piece) < 0.4 * cnn_piece_length(digit) ||
            cnn_box_overlap(&piece->box, &digit->box) > 0.9)
            continue;
        count += cnn_rate_piece(pieces, i, at->map, at->level, 0.16 * rate) > 0.16 * rate;
    }
    return count;
}

/* The strokes of a digit: its largest piece, and those that belong to it. Returns their area. */
static int take_strokes(bool *taken, const cnn_pieces *pieces, int number, const cnn_place *at)
{
    int area = 0;
    for (int i = 1; i <= pieces->count; i++) {
        taken[i] = i == number || belongs(pieces, i, number, at->without_lines);
        area += taken[i] ? pieces->all[i].area : 0;
    }
    return area;
}

/* Between a piece's pale parts and its dark ones: the level that leaves the least spread in both
 * (Otsu 1979). */
static float divide(const cnn_plane *ink, const cnn_pieces *pieces, int number)
{
    int counts[LEVELS] = {0}, best = 0;
    double total = 0.0, sum = 0.0, below = 0.0, sum_below = 0.0, most = 0.0;
    for (int i = 0; i < ink->width * ink->height; i++)
        if (pieces->labels[i] == number)
            counts[(int)(ink->values[i] * (LEVELS - 1) + 0.5f)]++;
    for (int i = 0; i < LEVELS; i++) {
        total += counts[i];
        sum += (double)i * counts[i];
    }
    for (int i = 0; i < LEVELS; i++) {
        below += counts[i];
        sum_below += (double)i * counts[i];
        if (below <= 0.0 || below >= total)
            continue;
        double apart = sum_below / below - (sum - sum_below) / (total - below);
        double spread = below * (total - below) * apart * apart;
        best = spread > most ? i : best;
        most = fmax(spread, most);
    }
    return (float)best / (LEVELS - 1);
}

/* What is pale beside the digit, but touches it, is cut off: looks again at a higher level, at what
 * is above it of the digit. Where the digit itself falls apart, all stays as it is. */
static cnn_status cut_closer(cnn_pieces *pieces, int *number, cnn_place *at, const cnn_plane *ink)
{
    cnn_pieces closer = {0};
    bool *taken = NULL;
    cnn_place raised = *at;
    double best = 0.0;
    int count = ink->width * ink->height, area = 0, whole = 0;
    cnn_status status = CNN_OK;
    raised.level = divide(ink, pieces, *number);
    if (raised.level <= at->level)
        return CNN_OK;
    CNN_TRY(cnn_pieces_find(&closer, ink, raised.level, &at->map->grey));
    CNN_TRY(cnn_allocate(&taken, (size_t)closer.count + 1, sizeof *taken, "an image's pieces"));
    for (int i = 0; i < count; i++)
        taken[closer.labels[i]] |= closer.labels[i] && pieces->labels[i] == *number;
    raised.number = 0;
    for (int i = 1; i <= closer.count; i++) {
        double rate = taken[i] ? cnn_rate_piece(&closer, i, at->map, raised.level, best) : 0.0;
        whole += taken[i] ? closer.all[i].area : 0;
        raised.number = rate > best ? i : raised.number;
        best = rate > best ? rate : best;
    }
    if (raised.number)
        area = take_strokes(taken, &closer, raised.number, &raised);
    if (raised.number && area > 0.9 * whole && 2 * area > pieces->all[*number].area) {
        cnn_pieces old = *pieces;
        *pieces = closer;
        closer = old;
        *number = raised.number;
        *at = raised;
    }
out:
    free(taken);
    cnn_pieces_finish(&closer);
    return status;
}

cnn_status cnn_cut_out(cnn_plane *ink, int *found, cnn_place at)
{
    cnn_pieces pieces = {0};
    bool *taken = NULL, *marked = NULL;
    int number = at.number;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pieces_find(&pieces, ink, at.level, &at.map->grey));
    CNN_TRY(enter(&number, &pieces, &at));
    prefer_cut(&number, &pieces, &at);
    CNN_TRY(cut_closer(&pieces, &number, &at, ink));
    CNN_TRY(cnn_allocate(&taken, (size_t)pieces.count + 1, sizeof *taken, "an image's pieces"));
    CNN_TRY(cnn_allocate(&marked, (size_t)ink->width * (size_t)ink->height, sizeof *marked,
                         "an image's pieces"));
    take_strokes(taken, &pieces, number, &at);
    *found = 1 + count_others(&pieces, taken, number, &at);
    for (int i = 0; i < ink->width * ink->height; i++)
        marked[i] = taken[pieces.labels[i]];
    CNN_TRY(stretch(ink, marked));
out:
    free(taken);
    free(marked);
    cnn_pieces_finish(&pieces);
    return status;
}
