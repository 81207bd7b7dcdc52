/* rank_sums FLOATS ROUNDS: milliseconds of the sum of so many floats over the ranks that a launcher started,
 * a slice each: the median and the least. So are the points of docs/scaling.md measured. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "comm/sum.h"

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check(cnn_status status)
{
    if (status == CNN_OK)
        return;
    fprintf(stderr, "rank_sums: %s\n", cnn_error_message());
    exit(1);
}

static void fill(cnn_sum *sum, int rank)
{
    float *values;
    cnn_sum_begin(sum);
    check(cnn_sum_give(&values, sum, (cnn_tree_node){0, rank}));
    for (size_t i = 0; i < sum->count; i++)
        values[i] = (float)(rank + 1) / (float)(i + 1);
}

int main(int argc, char **argv)
{
    cnn_comm *comm;
    cnn_sum sum;
    if (argc < 3) {
        fprintf(stderr, "rank_sums: expected FLOATS ROUNDS\n");
        return 2;
    }
    check(cnn_comm_create(&comm));
    int size = cnn_comm_size(comm), rounds = (int)strtol(argv[2], NULL, 10);
    const cnn_cut cut = {size, size};
    int *deal = calloc((size_t)size + 1, sizeof *deal);
    double *times = calloc((size_t)rounds, sizeof *times);
    if (!deal || !times) {
        free(deal);
        free(times);
        return 1;
    }
    for (int r = 0; r <= size; r++)
        deal[r] = r;
    check(cnn_sum_init(&sum, strtoull(argv[1], NULL, 10)));
    for (int i = 0; i < rounds; i++) {
        const float *total;
        float orders[CNN_SUM_ORDERS] = {0.0f};
        char all = 0;
        fill(&sum, cnn_comm_rank(comm));
        for (int r = 1; r < size; r++) /* they begin together */
            check(cnn_comm_rank(comm) == 0   ? cnn_comm_receive(comm, r, &all, 1)
                  : cnn_comm_rank(comm) == r ? cnn_comm_send(comm, 0, &all, 1)
                                             : CNN_OK);
        check(cnn_comm_broadcast(comm, &all, 1));
        double start = cnn_seconds();
        check(cnn_sum_run(&total, orders, &sum, comm, &cut, deal, (cnn_span){0, sum.count}));
        times[i] = cnn_seconds() - start;
    }
    qsort(times, (size_t)rounds, sizeof *times, compare);
    if (cnn_comm_rank(comm) == 0)
        printf("%d ranks, %zu floats: median %.3f ms, least %.3f ms\n", size, sum.count,
               1e3 * times[rounds / 2], 1e3 * times[0]);
    cnn_sum_finish(&sum);
    free(deal);
    free(times);
    cnn_comm_end(comm, 0, NULL);
    return 0;
}
