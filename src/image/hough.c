#include "image/hough.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

static const double half_turn = 3.14159265358979323846;

static bool is_ink(const cnn_plane *ink, int x, int y, float level)
{
    return x >= 0 && y >= 0 && x < ink->width && y < ink->height &&
           ink->values[y * ink->width + x] > level;
}

/* Marks the middle of each run of ink in a direction that is no longer than `limit`. */
static void mark_middles(bool *marked, const cnn_plane *ink, float level, const int step[2],
                         int limit)
{
    for (int i = 0; i < ink->width * ink->height; i++) {
        int x = i % ink->width, y = i / ink->width, length = 0;
        bool is_first = ink->values[i] > level && !is_ink(ink, x - step[0], y - step[1], level);
        for (; is_first && length <= limit && is_ink(ink, x, y, level); length++) {
            x += step[0];
            y += step[1];
        }
        if (length == 0 || length > limit)
            continue;
        int back = length - length / 2;
        marked[(y - back * step[1]) * ink->width + x - back * step[0]] = true;
    }
}

static cnn_status find_voters(cnn_votes *votes, const cnn_plane *ink, float level, int limit)
{
    static const int steps[4][2] = {{1, 0}, {0, 1}, {1, 1}, {-1, 1}};
    bool *marked = NULL;
    int count = ink->width * ink->height;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&marked, (size_t)count, sizeof *marked, "an image's lines"));
    CNN_TRY(cnn_allocate(&votes->voters, (size_t)count, sizeof(int), "an image's lines"));
    for (int i = 0; i < 4; i++)
        mark_middles(marked, ink, level, steps[i], i < 2 ? limit : (int)(limit / sqrt(2.0)));
    for (int i = 0; i < count; i++)
        if (marked[i])
            votes->voters[votes->voter_count++] = i;
out:
    free(marked);
    return status;
}

/* Adds `vote` to all lines through a pixel. */
static void vote_for(cnn_votes *votes, int voter, int vote)
{
    int x = voter % votes->width, y = voter / votes->width, middle = votes->offsets / 2;
    for (int i = 0; i < CNN_ANGLES; i++) {
        double at = x * votes->cosines[i] + y * votes->sines[i] + middle;
        votes->counts[i * votes->offsets + (int)(at + 0.5)] += vote;
    }
}

cnn_status cnn_votes_init(cnn_votes *votes, const cnn_plane *ink, float level, int limit)
{
    cnn_status status = CNN_OK;
    /* From minus to plus the diagonal, with a place beside each end. */
    *votes = (cnn_votes){.width = ink->width,
                         .offsets = 2 * (int)ceil(hypot(ink->width, ink->height)) + 3};
    CNN_TRY(find_voters(votes, ink, level, limit));
    CNN_TRY(cnn_allocate(&votes->counts, CNN_ANGLES * (size_t)votes->offsets, sizeof(int),
                         "an image's lines"));
    for (int i = 0; i < CNN_ANGLES; i++) {
        votes->cosines[i] = cos(half_turn * i / CNN_ANGLES);
        votes->sines[i] = sin(half_turn * i / CNN_ANGLES);
        votes->most[i] = votes->voter_count;
    }
    for (int i = 0; i < votes->voter_count; i++)
        vote_for(votes, votes->voters[i], 1);
out:
    return status;
}

void cnn_votes_remove(cnn_votes *votes, const cnn_line *line, double reach)
{
    int kept = 0;
    for (int i = 0; i < votes->voter_count; i++) {
        int voter = votes->voters[i], x = voter % votes->width, y = voter / votes->width;
        if (fabs(x * line->cosine + y * line->sine - line->offset) > reach)
            votes->voters[kept++] = voter;
        else
            vote_for(votes, voter, -1);
    }
    votes->voter_count = kept;
}

/* The votes of three offsets, as a line's pixels lie between those that are counted: the most at
 * an angle. */
static int find_offset(int *offset, const cnn_votes *votes, int angle)
{
    const int *counts = votes->counts + (size_t)angle * (size_t)votes->offsets;
    int most = 0;
    *offset = 1;
    for (int i = 1; i + 1 < votes->offsets; i++) {
        int sum = counts[i - 1] + counts[i] + counts[i + 1];
        *offset = sum > most ? i : *offset;
        most = sum > most ? sum : most;
    }
    return most;
}

/* Votes are only removed, so what an angle had at most bounds what it has: most need no look. */
int cnn_votes_take(cnn_line *line, cnn_votes *votes)
{
    int best = 0, offset = 0;
    for (bool sure = false; !sure;) {
        for (int i = 0; i < CNN_ANGLES; i++)
            best = votes->most[i] > votes->most[best] ? i : best;
        int most = find_offset(&offset, votes, best);
        sure = most == votes->most[best];
        votes->most[best] = most;
    }
    offset -= votes->offsets / 2;
    *line = (cnn_line){votes->cosines[best], votes->sines[best], offset};
    int count = votes->most[best];
    cnn_votes_remove(votes, line, 1.5);
    return count;
}

void cnn_votes_finish(cnn_votes *votes)
{
    free(votes->voters);
    free(votes->counts);
    *votes = (cnn_votes){0};
}
