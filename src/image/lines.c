/* A line is straight, thin, as thick everywhere, and longer than a stroke; it may end at a side of
 * the picture, or at the digit. Votes name places where lines may be; a walk along each finds where
 * the ink across it is thin. What crosses a line has ink on both sides of it and stays; what only
 * touches it does not hold the line. */
#include "image/lines.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "image/hough.h"

enum {
    AT_SIDE = 4,     /* pixels from a side */
    MOST_TRIES = 80, /* lines that are looked at */
    PASSES = 3       /* walks, each along a line that fits the one before */
};

static const double thickest = 0.025;            /* of the picture's longer side */
static const double whole = 0.6, to_side = 0.12; /* how long, as a part of the picture's side */
static const double thin_part = 0.45;            /* of a line's places, the least that is thin */
static const double near_same = 1.0, same_part = 0.3; /* how much its thickness varies: pixels, */
static const double usual_part = 0.75;                /* a part of it, and where it does not */
static const double straight = 1.0; /* root of the mean square of pixels off the line */
static const double roughly = 0.7;  /* of its length, before the line fits */

/* Where a line meets the ink, place by place from one side of the picture to another. */
typedef struct track {
    cnn_line line;
    double start;       /* of the first place, along the line */
    int length;         /* places, a pixel each */
    int limit;          /* what is thicker is no line */
    double *low, *high; /* of the ink across: from the line, in pixels; low > high: none */
    bool *cut;          /* places where the line is to be erased */
    int first, last;    /* the places of the line that was found; first > last: none */
    double thickness;   /* the median of its thin places' */
} track;

static int longest_of(const cnn_plane *ink)
{
    return ink->width > ink->height ? ink->width : ink->height;
}

static bool is_ink(const cnn_plane *ink, const track *on, int place, double off, float level)
{
    const cnn_line *line = &on->line;
    double along = on->start + place, across = line->offset + off;
    int x = (int)floor(across * line->cosine - along * line->sine + 0.5);
    int y = (int)floor(across * line->sine + along * line->cosine + 0.5);
    return x >= 0 && y >= 0 && x < ink->width && y < ink->height &&
           ink->values[y * ink->width + x] > level;
}

/* The part of a line that is in the picture. */
static void clip(track *on, const cnn_plane *ink)
{
    const double sides[2] = {ink->width - 1, ink->height - 1};
    const double from[2] = {on->line.offset * on->line.cosine, on->line.offset * on->line.sine};
    const double to[2] = {-on->line.sine, on->line.cosine};
    double low = -1e9, high = 1e9;
    for (int i = 0; i < 2; i++) {
        if (fabs(to[i]) < 1e-9) {
            if (from[i] < -0.5 || from[i] > sides[i] + 0.5)
                high = low - 1.0;
            continue;
        }
        double a = -from[i] / to[i], b = (sides[i] - from[i]) / to[i];
        low = fmax(low, fmin(a, b));
        high = fmin(high, fmax(a, b));
    }
    on->start = low;
    on->length = high >= low ? (int)(high - low) + 1 : 0;
}

/* The ink across a place, nearest to the line. */
static void measure(track *on, const cnn_plane *ink, int place, float level)
{
    static const double near[] = {0.0, 1.0, -1.0, 2.0, -2.0};
    on->low[place] = 1.0;
    on->high[place] = -1.0;
    for (int i = 0; i < 5; i++) {
        double low = near[i], high = near[i];
        if (!is_ink(ink, on, place, near[i], level))
            continue;
        while (high - low <= on->limit && is_ink(ink, on, place, low - 1.0, level))
            low -= 1.0;
        while (high - low <= on->limit && is_ink(ink, on, place, high + 1.0, level))
            high += 1.0;
        on->low[place] = low;
        on->high[place] = high;
        return;
    }
}

static double thickness_at(const track *on, int place)
{
    return on->high[place] - on->low[place] + 1.0; /* below 0 for none */
}

static bool is_thin(const track *on, int place)
{
    double thickness = thickness_at(on, place);
    double off = fabs(on->low[place] + on->high[place]) / 2.0;
    return thickness > 0.0 && thickness <= on->limit && off <= 0.5 * thickness + 0.5;
}

/* The longest way from a thin place to another on which the ink has only short gaps. */
static void find_extent(track *on)
{
    int first = -1, last = -1, gap = 0;
    on->first = 0;
    on->last = -1;
    for (int i = 0; i < on->length; i++) {
        gap = thickness_at(on, i) > 0.0 ? 0 : gap + 1;
        if (gap > 2 * on->limit)
            first = -1;
        if (!is_thin(on, i))
            continue;
        first = first < 0 ? i : first;
        last = i;
        if (last - first > on->last - on->first) {
            on->first = first;
            on->last = last;
        }
    }
}

/* The median thickness of the thin places, and how many there are. */
static int find_thickness(track *on)
{
    enum { MOST = 64 };
    int counts[MOST] = {0}, total = 0, level = 0;
    for (int i = on->first; i <= on->last; i++)
        if (is_thin(on, i)) {
            int thickness = (int)thickness_at(on, i);
            counts[thickness < MOST ? thickness : MOST - 1]++;
            total++;
        }
    for (int below = counts[0]; 2 * below < total; below += counts[level])
        level++;
    on->thickness = level;
    return total;
}

static bool is_usual(const track *on, int place)
{
    double most = near_same + same_part * on->thickness;
    return is_thin(on, place) && fabs(thickness_at(on, place) - on->thickness) <= most;
}

/* Lays the line through the middles of the usual places. Returns how far they are off it. */
static double fit(track *on)
{
    double n = 0.0, x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, yy = 0.0;
    for (int i = on->first; i <= on->last; i++) {
        if (!is_usual(on, i))
            continue;
        double along = on->start + i, off = (on->low[i] + on->high[i]) / 2.0;
        n += 1.0;
        x += along;
        y += off;
        xx += along * along;
        xy += along * off;
        yy += off * off;
    }
    double spread = n * xx - x * x;
    if (n < 2.0 || spread <= 0.0)
        return INFINITY;
    double slope = (n * xy - x * y) / spread, base = (y - slope * x) / n;
    double error = (yy - base * y - slope * xy) / n, turn = atan(slope);
    cnn_line old = on->line;
    on->line.cosine = old.cosine * cos(turn) + old.sine * sin(turn);
    on->line.sine = old.sine * cos(turn) - old.cosine * sin(turn);
    on->line.offset = (old.offset + base) * cos(turn);
    return sqrt(error > 0.0 ? error : 0.0);
}

/* Is it as long as a line is, or near this part of it? */
static bool is_long(const track *on, const cnn_plane *ink, double part)
{
    int length = on->last + 1 - on->first;
    bool at_side = on->first < AT_SIDE || on->last >= on->length - AT_SIDE;
    double side = fabs(on->line.sine) > fabs(on->line.cosine) ? ink->width : ink->height;
    return length >= part * (at_side ? to_side : whole) * side;
}

/* Walks along a place of many votes. Is it a line? */
static bool walk(track *on, const cnn_plane *ink, float level)
{
    double error = INFINITY;
    int thin = 0, usual = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        clip(on, ink);
        for (int i = 0; i < on->length; i++)
            measure(on, ink, i, level);
        find_extent(on);
        if (on->last <= on->first || !is_long(on, ink, pass + 1 < PASSES ? roughly : 1.0))
            return false;
        thin = find_thickness(on);
        if (pass + 1 < PASSES)
            error = fit(on);
    }
    for (int i = on->first; i <= on->last; i++)
        usual += is_usual(on, i);
    return thin >= thin_part * (on->last + 1 - on->first) && usual >= usual_part * thin &&
           error <= straight;
}

/* Where the ink is thin, or on one side of the line only, the line is cut. */
static void choose_cuts(track *on, const cnn_plane *ink, float level)
{
    double beside = on->thickness / 2.0 + 2.0;
    for (int i = 0; i < on->length; i++)
        on->cut[i] = i >= on->first && i <= on->last &&
                     (is_usual(on, i) || !is_ink(ink, on, i, -beside, level) ||
                      !is_ink(ink, on, i, beside, level));
}

static void erase(cnn_plane *ink, const track *on)
{
    const cnn_line *line = &on->line;
    double reach = on->thickness / 2.0 + 1.0;
    for (int i = 0; i < ink->width * ink->height; i++) {
        int x = i % ink->width, y = i / ink->width;
        double off = x * line->cosine + y * line->sine - line->offset;
        int place = (int)floor(y * line->cosine - x * line->sine - on->start + 0.5);
        if (fabs(off) <= reach && place >= 0 && place < on->length && on->cut[place])
            ink->values[i] = 0.0f;
    }
}

static cnn_status prepare(track *on, const cnn_plane *ink)
{
    size_t most = (size_t)hypot(ink->width, ink->height) + 2;
    cnn_status status = CNN_OK;
    on->limit = (int)(thickest * longest_of(ink));
    CNN_TRY(cnn_allocate(&on->low, most, sizeof *on->low, "an image's lines"));
    CNN_TRY(cnn_allocate(&on->high, most, sizeof *on->high, "an image's lines"));
    CNN_TRY(cnn_allocate(&on->cut, most, sizeof *on->cut, "an image's lines"));
out:
    return status;
}

cnn_status cnn_lines_remove(cnn_plane *ink, bool *removed, float level)
{
    cnn_votes votes = {0};
    track on = {.length = 0};
    int least = (int)(thin_part * to_side * (ink->width < ink->height ? ink->width : ink->height));
    cnn_status status = CNN_OK;
    *removed = false;
    CNN_TRY(prepare(&on, ink));
    CNN_TRY(cnn_votes_init(&votes, ink, level, on.limit));
    for (int i = 0; i < MOST_TRIES && cnn_votes_take(&on.line, &votes) > least; i++) {
        if (!walk(&on, ink, level))
            continue;
        choose_cuts(&on, ink, level);
        erase(ink, &on);
        cnn_votes_remove(&votes, &on.line, on.thickness / 2.0 + 2.0);
        *removed = true;
    }
out:
    cnn_votes_finish(&votes);
    free(on.low);
    free(on.high);
    free(on.cut);
    return status;
}
