/* What tuning found, as a table for people and as JSON. */
#include <stdlib.h>

#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "bench/tune.h"

static void append_rate(cnn_text *text, double before, double after)
{
    cnn_text_append(text, " %10.1f %10.1f", before, after);
    if (before > 0.0)
        cnn_text_append(text, " %7.2fx", after / before);
    cnn_text_append(text, "\n");
}

static void append_rows(cnn_text *text, const cnn_tuning *tuning, const cnn_tuning_summary *summary)
{
    cnn_text_append(text,
                    "GFLOP/s of CLBlast's products, C (m, n) = A (m, k) * B (k, n):\n"
                    "%8s %8s %8s %-10s %10s %10s %8s\n",
                    "m", "n", "k", "transposed", "before", "after", "gain");
    for (size_t i = 0; i < cnn_tuning_row_count(tuning); i++) {
        cnn_tuning_row row = cnn_tuning_get_row(tuning, i);
        cnn_text_append(text, "%8zu %8zu %8zu %-10s", row.m, row.n, row.k,
                        row.transpose_a   ? "first"
                        : row.transpose_b ? "second"
                                          : "none");
        append_rate(text, row.before_gflops, row.after_gflops);
    }
    cnn_text_append(text, "%-37s", "all");
    append_rate(text, summary->before_gflops, summary->after_gflops);
    cnn_text_append(text, "\n");
}

static void append_summary(cnn_text *text, const cnn_tuning *tuning,
                           const cnn_tuning_summary *summary)
{
    char values[CNN_GEMM_TUNING_TEXT];
    for (int part = 0; part < CNN_GEMM_PARTS; part++)
        cnn_text_append(text, "%s: %s\n", cnn_gemm_parts[part].kernel,
                        cnn_gemm_tuning_text(values, &tuning->record.tuning, (cnn_gemm_part)part));
    cnn_text_append(text,
                    "%d sets of parameters tried, %d of them now; each was compared with "
                    "plain C.\n",
                    summary->trials, summary->new_trials);
    if (!summary->complete)
        cnn_text_append(text, "The search is not complete: the same command goes on with it.\n");
    if (summary->saved)
        cnn_text_append(text, "Tuning %s is in %s%s.\n", summary->fingerprint, summary->path,
                        summary->complete && summary->new_trials == 0 ? "; remove it to search anew"
                                                                      : "");
    else
        cnn_text_append(text, "It is not kept: %s cannot be written; set CNN_CL_CACHE_DIR.\n",
                        *summary->path ? summary->path : "no folder of caches is known, and it");
}

cnn_status cnn_tuning_to_text(char **text, const cnn_tuning *tuning)
{
    CNN_NEED(text, tuning);
    cnn_text buffer = {0};
    cnn_tuning_summary summary = cnn_tuning_get_summary(tuning);
    if (cnn_tuning_row_count(tuning) == 0) {
        cnn_text_append(&buffer,
                        "Nothing to tune: on %s this network's plan has no matrix product of "
                        "CLBlast's.\nLayers too wide for the plan's own kernels have, and every "
                        "linear layer with --no-fuse.\n",
                        tuning->device.name);
    } else {
        append_rows(&buffer, tuning, &summary);
        append_summary(&buffer, tuning, &summary);
    }
    return cnn_text_take(text, &buffer);
}

static json_t *rows_to_json(const cnn_tuning *tuning)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < cnn_tuning_row_count(tuning); i++) {
        cnn_tuning_row row = cnn_tuning_get_row(tuning, i);
        json_array_append_new(
            rows, json_pack("{s:b, s:b, s:I, s:I, s:I, s:f, s:f, s:f}", "transpose_a",
                            row.transpose_a, "transpose_b", row.transpose_b, "m", (json_int_t)row.m,
                            "n", (json_int_t)row.n, "k", (json_int_t)row.k, "flops", row.flops,
                            "before_gflops", row.before_gflops, "after_gflops", row.after_gflops));
    }
    return rows;
}

cnn_status cnn_tuning_to_json(char **json, const cnn_tuning *tuning)
{
    CNN_NEED(json, tuning);
    cnn_tuning_summary summary = cnn_tuning_get_summary(tuning);
    return cnn_json_to_text(
        json,
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:b, s:s, s:s, s:f, s:f, s:o, s:o}", "device",
                  tuning->device.name, "platform", tuning->device.platform_name, "driver",
                  tuning->device.driver, "trials", summary.trials, "new_trials", summary.new_trials,
                  "complete", summary.complete, "saved", summary.saved, "path", summary.path,
                  "fingerprint", summary.fingerprint, "before_gflops", summary.before_gflops,
                  "after_gflops", summary.after_gflops, "parameters",
                  cnn_gemm_tuning_to_json(&tuning->record.tuning), "rows", rows_to_json(tuning)));
}
