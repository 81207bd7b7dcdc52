#include "image/pieces.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

enum { MOST_WIDTH = 512 };

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

static bool is_inside(const cnn_pieces *pieces, int x, int y)
{
    return x >= 0 && y >= 0 && x < pieces->width && y < pieces->height;
}

/* Of the four sides of a pixel those behind which there is no ink. */
static int open_sides(const cnn_pieces *pieces, const cnn_plane *ink, float level, int x, int y)
{
    static const int steps[CNN_SIDES][2] = {{-1, 0}, {0, -1}, {1, 0}, {0, 1}};
    int count = 0;
    for (int i = 0; i < CNN_SIDES; i++) {
        int u = x + steps[i][0], v = y + steps[i][1];
        count += !is_inside(pieces, u, v) || !(ink->values[v * ink->width + u] > level);
    }
    return count;
}

static void add_pixel(cnn_piece *piece, const cnn_pieces *pieces, const cnn_plane *ink, float level,
                      int x, int y)
{
    cnn_box *box = &piece->box;
    int right = most(box->left + box->width, x + 1), bottom = most(box->top + box->height, y + 1);
    box->left = least(box->left, x);
    box->top = least(box->top, y);
    box->width = right - box->left;
    box->height = bottom - box->top;
    piece->area++;
    piece->outline += open_sides(pieces, ink, level, x, y);
    piece->sides[0] += x == 0;
    piece->sides[1] += y == 0;
    piece->sides[2] += x == pieces->width - 1;
    piece->sides[3] += y == pieces->height - 1;
    piece->ink += (double)ink->values[y * ink->width + x];
    piece->x += x;
    piece->y += y;
    piece->xx += (double)x * x;
    piece->xy += (double)x * y;
    piece->yy += (double)y * y;
}

/* Gives the piece around a pixel its number. */
static void fill_piece(cnn_pieces *pieces, const cnn_plane *ink, float level, const cnn_plane *grey,
                       int start)
{
    int depth = 0, number = ++pieces->count, width = ink->width;
    cnn_piece *piece = &pieces->all[number];
    *piece = (cnn_piece){.box = {start % width, start / width, 1, 1}};
    pieces->labels[start] = number;
    pieces->stack[depth++] = start;
    while (depth > 0) {
        int at = pieces->stack[--depth], x = at % width, y = at / width;
        add_pixel(piece, pieces, ink, level, x, y);
        piece->grey += grey ? (double)grey->values[at] : 0.0;
        for (int row = most(y - 1, 0); row <= least(y + 1, ink->height - 1); row++)
            for (int column = most(x - 1, 0); column <= least(x + 1, width - 1); column++) {
                int next = row * width + column;
                if (pieces->labels[next] || !(ink->values[next] > level))
                    continue;
                pieces->labels[next] = number;
                pieces->stack[depth++] = next;
            }
    }
}

static cnn_status make_room(cnn_pieces *pieces)
{
    if (pieces->count + 1 < pieces->room)
        return CNN_OK;
    int room = pieces->room ? 2 * pieces->room : 64;
    cnn_piece *larger = realloc(pieces->all, (size_t)room * sizeof *larger);
    if (!larger)
        return cnn_fail_memory((size_t)room * sizeof *larger, "an image's pieces");
    pieces->all = larger;
    pieces->room = room;
    return CNN_OK;
}

cnn_status cnn_pieces_find(cnn_pieces *pieces, const cnn_plane *ink, float level,
                           const cnn_plane *grey)
{
    size_t count = (size_t)ink->width * (size_t)ink->height;
    cnn_status status = CNN_OK;
    *pieces = (cnn_pieces){.width = ink->width, .height = ink->height};
    CNN_TRY(cnn_allocate(&pieces->labels, count, sizeof(int), "an image's pieces"));
    CNN_TRY(cnn_allocate(&pieces->stack, count, sizeof(int), "an image's pieces"));
    for (size_t i = 0; i < count; i++)
        if (!pieces->labels[i] && ink->values[i] > level) {
            CNN_TRY(make_room(pieces));
            fill_piece(pieces, ink, level, grey, (int)i);
        }
out:
    free(pieces->stack);
    pieces->stack = NULL;
    return status;
}

void cnn_pieces_finish(cnn_pieces *pieces)
{
    free(pieces->labels);
    free(pieces->all);
    *pieces = (cnn_pieces){0};
}

int cnn_piece_length(const cnn_piece *piece)
{
    return most(piece->box.width, piece->box.height);
}

bool cnn_piece_is_cut(const cnn_piece *piece)
{
    int sides = 0, touching = 0;
    for (int i = 0; i < CNN_SIDES; i++) {
        sides += piece->sides[i] > 0;
        touching += piece->sides[i];
    }
    return sides == 1 && touching <= cnn_piece_length(piece) / 2;
}

double cnn_piece_width(const cnn_piece *piece)
{
    return 2.0 * piece->area / piece->outline;
}

int cnn_piece_square(const cnn_pieces *pieces, int number)
{
    const cnn_box *box = &pieces->all[number].box;
    int sides[2][MOST_WIDTH] = {{0}}, largest = 0;
    for (int y = 0; box->width <= MOST_WIDTH && y < box->height; y++) {
        int *row = sides[y % 2];
        const int *above = sides[1 - y % 2];
        for (int x = 0; x < box->width; x++) {
            int at = (box->top + y) * pieces->width + box->left + x;
            int corner = x > 0 ? least(above[x - 1], row[x - 1]) : 0;
            row[x] = pieces->labels[at] == number ? 1 + least(above[x], corner) : 0;
            largest = most(row[x], largest);
        }
    }
    return largest;
}

double cnn_piece_slimness(double *slope, const cnn_piece *piece)
{
    double n = piece->area, x = piece->x / n, y = piece->y / n;
    double xx = piece->xx / n - x * x, yy = piece->yy / n - y * y, xy = piece->xy / n - x * y;
    double middle = (xx + yy) / 2.0, half = hypot((xx - yy) / 2.0, xy);
    double large = middle + half, small = middle - half;
    *slope = fabs(atan2(2.0 * xy, yy - xx) / 2.0);
    return large > 0.0 ? sqrt((small > 0.0 ? small : 0.0) / large) : 1.0;
}

/* The first and the last column of a piece in a row; none where first > last. */
static void find_row(int *first, int *last, const cnn_pieces *pieces, int number, int row)
{
    const int *labels = pieces->labels + (size_t)row * (size_t)pieces->width;
    const cnn_box *box = &pieces->all[number].box;
    *first = box->left;
    *last = box->left + box->width - 1;
    while (*first <= *last && labels[*first] != number)
        ++*first;
    while (*last > *first && labels[*last] != number)
        --*last;
}

/* The least and the most of x and y over points, in axes that are turned. */
typedef struct turned {
    double cosine, sine;
    double low[2], high[2];
} turned;

static void take_point(turned *axes, double x, double y)
{
    double at[2] = {x * axes->cosine + y * axes->sine, y * axes->cosine - x * axes->sine};
    for (int i = 0; i < 2; i++) {
        axes->low[i] = fmin(at[i], axes->low[i]);
        axes->high[i] = fmax(at[i], axes->high[i]);
    }
}

double cnn_piece_squareness(const cnn_pieces *pieces, int number)
{
    enum { TURNS = 30 }; /* in a right angle */
    const cnn_box *box = &pieces->all[number].box;
    turned all[TURNS];
    double filled = 0.0, smallest = INFINITY;
    for (int i = 0; i < TURNS; i++) {
        double angle = acos(0.0) * i / TURNS;
        all[i] = (turned){cos(angle), sin(angle), {INFINITY, INFINITY}, {-INFINITY, -INFINITY}};
    }
    for (int row = box->top; row < box->top + box->height; row++) {
        int first, last;
        find_row(&first, &last, pieces, number, row);
        filled += last + 1 - first;
        for (int i = 0; i < TURNS; i++) {
            take_point(&all[i], first, row);
            take_point(&all[i], last, row);
        }
    }
    for (int i = 0; i < TURNS; i++) {
        double width = all[i].high[0] + 1.0 - all[i].low[0];
        smallest = fmin(smallest, width * (all[i].high[1] + 1.0 - all[i].low[1]));
    }
    return filled / smallest;
}

int cnn_box_gap(const cnn_box *a, const cnn_box *b)
{
    int across = most(a->left, b->left) - least(a->left + a->width, b->left + b->width);
    int down = most(a->top, b->top) - least(a->top + a->height, b->top + b->height);
    return most(0, most(across, down));
}

double cnn_box_overlap(const cnn_box *a, const cnn_box *b)
{
    int across = least(a->left + a->width, b->left + b->width) - most(a->left, b->left);
    int down = least(a->top + a->height, b->top + b->height) - most(a->top, b->top);
    double smaller = fmin((double)a->width * a->height, (double)b->width * b->height);
    return across > 0 && down > 0 ? (double)across * down / smaller : 0.0;
}
