/* The bench as a table for people, and as JSON. */
#include "base/text.h"
#include "base/json.h"
#include "base/status.h"
#include "bench/bench.h"

/* Work per second; 0 where there was no time. */
static double rate(double work, double milliseconds)
{
    return milliseconds > 0.0 ? 1e3 * work / milliseconds : 0.0;
}

static double divide(double a, double b)
{
    return b > 0.0 ? a / b : 0.0;
}

/* A figure, or a dash for none. */
static void append_figure(cnn_text *text, int width, int decimals, double value, const char *unit)
{
    if (value > 0.0)
        cnn_text_append(text, " %*.*f%s", width, decimals, value, unit);
    else
        cnn_text_append(text, " %*s%*s", width, "-", *unit ? 1 : 0, "");
}

static void append_row(cnn_text *text, const cnn_bench_summary *summary, const cnn_bench_row *row)
{
    double computed = rate(row->computed_flops, row->milliseconds);
    double bytes = rate(row->bytes, row->milliseconds);
    cnn_text_append(text, "%-8s %-26s %8d %9.3f %5.1f%%", row->phase, row->layers, row->launches,
                    row->milliseconds, 100.0 * row->share);
    append_figure(text, 8, 1, 1e-9 * rate(row->flops, row->milliseconds), "");
    append_figure(text, 8, 1, 1e-9 * computed, "");
    append_figure(text, 5, 1, 100.0 * divide(computed, summary->peak_flops), "%");
    append_figure(text, 7, 1, 1e-9 * bytes, "");
    append_figure(text, 6, 1, 100.0 * divide(bytes, summary->peak_bytes), "%");
    cnn_text_append(text, "%s%s\n", *row->name ? "  " : "", row->name);
}

static cnn_bench_row sum_rows(const cnn_bench *bench)
{
    cnn_bench_row sum = {.phase = "all", .name = "", .layers = ""};
    for (size_t i = 0; i < bench->entry_count; i++) {
        const cnn_bench_row *row = &bench->entries[i].row;
        sum.launches += row->launches;
        sum.milliseconds += row->milliseconds;
        sum.share += row->share;
        sum.flops += row->flops;
        sum.computed_flops += row->computed_flops;
        sum.bytes += row->bytes;
    }
    return sum;
}

cnn_status cnn_bench_to_text(char **text, const cnn_bench *bench)
{
    CNN_NEED(text, bench);
    const cnn_bench_summary *summary = &bench->summary;
    cnn_text buffer = {0};
    cnn_bench_row sum = sum_rows(bench);
    cnn_text_append(&buffer, "%-8s %-26s %8s %9s %6s %8s %8s %6s %7s %7s\n", "phase", "layers",
                    "launches", "ms", "share", "GFLOP/s", "computed", "of FMA", "GB/s", "of copy");
    for (size_t i = 0; i < bench->entry_count; i++)
        append_row(&buffer, summary, &bench->entries[i].row);
    append_row(&buffer, summary, &sum);
    cnn_text_append(&buffer,
                    "\nBatch %d, medians of %d %s, %.3f ms each while nothing is recorded "
                    "(%.0f images/s).\n",
                    summary->batch, summary->steps,
                    summary->training ? "training steps" : "evaluated batches",
                    summary->plain_milliseconds, rate(summary->batch, summary->plain_milliseconds));
    if (summary->peak_flops > 0.0)
        cnn_text_append(&buffer,
                        "Measured peaks of %s: %.1f GFLOP/s in fused multiply-adds, %.1f GB/s in a "
                        "copy.\n",
                        bench->device.name, 1e-9 * summary->peak_flops, 1e-9 * summary->peak_bytes);
    cnn_text_append(&buffer,
                    "GFLOP/s counts all that the layers say, \"computed\" what is done: less where "
                    "something is skipped, more where it is done twice. Above 100%% of a copy: the "
                    "values stay in the cache.\n");
    if (!summary->device_clock)
        cnn_text_append(&buffer,
                        "The driver's clock does not run: the host waited for each launch, "
                        "which costs time.\n");
    return cnn_text_take(text, &buffer);
}

static json_t *row_to_json(const cnn_bench_summary *summary, const cnn_bench_row *row)
{
    double computed = rate(row->computed_flops, row->milliseconds);
    double bytes = rate(row->bytes, row->milliseconds);
    return json_pack("{s:s, s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                     "phase", row->phase, "name", row->name, "layers", row->layers, "launches",
                     row->launches, "milliseconds", row->milliseconds, "share", row->share, "flops",
                     row->flops, "computed_flops", row->computed_flops, "bytes", row->bytes,
                     "gflops", 1e-9 * rate(row->flops, row->milliseconds), "computed_gflops",
                     1e-9 * computed, "gigabytes", 1e-9 * bytes, "of_peak_flops",
                     divide(computed, summary->peak_flops), "of_peak_bytes",
                     divide(bytes, summary->peak_bytes));
}

cnn_status cnn_bench_to_json(char **json, const cnn_bench *bench)
{
    CNN_NEED(json, bench);
    const cnn_bench_summary *summary = &bench->summary;
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < bench->entry_count; i++)
        if (json_array_append_new(rows, row_to_json(summary, &bench->entries[i].row)) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    return cnn_json_to_text(
        json, json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:f, s:f, s:f, s:f, s:o}", "device",
                        bench->device.name, "platform", bench->device.platform_name, "driver",
                        bench->device.driver, "batch", summary->batch, "steps", summary->steps,
                        "training", summary->training, "device_clock", summary->device_clock,
                        "milliseconds", summary->milliseconds, "plain_milliseconds",
                        summary->plain_milliseconds, "peak_flops", summary->peak_flops,
                        "peak_bytes", summary->peak_bytes, "rows", rows));
}
