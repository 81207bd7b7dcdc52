/* Which rank computes which slices. */
#include "comm/sum.h"

#include <math.h>

int cnn_deal_owner(const int *deal, int slice)
{
    int rank = 0;
    while (deal[rank + 1] <= slice)
        rank++;
    return rank;
}

/* A rank of which nothing is known is as fast as the others are on average. */
static double time_of(const double *seconds, int size, int rank)
{
    double sum = 0.0;
    int known = 0;
    for (int i = 0; i < size; i++)
        if (seconds[i] > 0.0) {
            sum += seconds[i];
            known++;
        }
    if (seconds[rank] > 0.0)
        return seconds[rank];
    return known > 0 ? sum / known : 1.0;
}

/* When the last one ends. */
static double find_end(const int *deal, const double *seconds, int size)
{
    double end = 0.0;
    for (int r = 0; r < size; r++)
        end = fmax(end, (deal[r + 1] - deal[r]) * time_of(seconds, size, r));
    return end;
}

/* How many slices each rank is given where none may end later than this; the sum is bounded by
 * `slices`. */
static int fill(int *deal, int slices, const double *seconds, int size, double end)
{
    static const double rounding = 1e-9;
    deal[0] = 0;
    for (int r = 0; r < size; r++) {
        double most = floor(end / time_of(seconds, size, r) + rounding);
        int left = slices - deal[r];
        deal[r + 1] = deal[r] + (most < left ? (int)most : left);
    }
    return deal[size];
}

/* The earliest end that there is: a number of slices on one of the ranks, up to all. */
static double find_earliest(const double *seconds, int slices, int size, int *room)
{
    double best = INFINITY;
    for (int r = 0; r < size; r++)
        for (int low = 1, high = slices; low <= high;) {
            int middle = low + (high - low) / 2;
            double end = middle * time_of(seconds, size, r);
            if (fill(room, slices, seconds, size, end) == slices) {
                best = fmin(best, end);
                high = middle - 1;
            } else {
                low = middle + 1;
            }
        }
    return best;
}

void cnn_deal_by_time(int *deal, int slices, const double *seconds, int size, int *room)
{
    static const double gain = 0.9;
    double now = find_end(deal, seconds, size);
    double best = find_earliest(seconds, slices, size, room);
    if (best < gain * now)
        (void)fill(deal, slices, seconds, size, best);
}
