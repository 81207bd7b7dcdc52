/* From records of commands to the times of rows. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "bench/bench.h"

/* A row runs from the end of the one before it; the first one after a wait from its own start. */
static void find_spans(cnn_bench *bench)
{
    size_t stretch = CNN_BENCH_IN_FLIGHT * bench->entry_count;
    uint64_t last_end = 0;
    for (size_t i = 0; i < bench->profile.complete; i++) {
        const cnn_profile_record *record = &bench->profile.records[i];
        cnn_bench_span *span = &bench->spans[record->group];
        bool waited = i == 0 || record->group / stretch != record[-1].group / stretch;
        if (span->ended == 0)
            span->begun = waited || last_end > record->ended ? record->started : last_end;
        last_end = span->ended = record->ended;
    }
}

static void count_launches(cnn_bench *bench)
{
    for (size_t i = 0; i < bench->profile.complete; i++) {
        size_t group = bench->profile.records[i].group;
        if (group < bench->entry_count) /* of the first batch */
            bench->entries[group].row.launches++;
    }
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* times: room for all steps. */
static double find_median(const cnn_bench *bench, size_t entry, uint64_t *times)
{
    size_t steps = (size_t)bench->summary.steps;
    for (size_t i = 0; i < steps; i++) {
        const cnn_bench_span *span = &bench->spans[i * bench->entry_count + entry];
        times[i] = span->ended - span->begun;
    }
    qsort(times, steps, sizeof *times, compare);
    size_t low = (steps - 1) / 2, high = steps / 2;
    return 0.5e-6 * (double)(times[low] + times[high]);
}

cnn_status cnn_bench_find_times(cnn_bench *bench)
{
    cnn_status status = CNN_OK;
    size_t steps = (size_t)bench->summary.steps;
    uint64_t *times = NULL;
    double total = 0.0;
    CNN_TRY(cnn_allocate(&bench->spans, steps * bench->entry_count, sizeof *bench->spans,
                         "the times of the steps"));
    CNN_TRY(cnn_allocate(&times, steps, sizeof *times, "the times of a step"));
    find_spans(bench);
    count_launches(bench);
    for (size_t i = 0; i < bench->entry_count; i++) {
        cnn_bench_row *row = &bench->entries[i].row;
        row->milliseconds = find_median(bench, i, times);
        total += row->milliseconds;
        if (row->launches == 0)
            row->flops = row->computed_flops = row->bytes = 0.0;
    }
    for (size_t i = 0; i < bench->entry_count; i++)
        bench->entries[i].row.share = bench->entries[i].row.milliseconds / total;
    bench->summary.milliseconds = total;
out:
    free(times);
    return status;
}
