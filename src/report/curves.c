/* Loss, accuracy and learning rate over the epochs: on the page, and as curves.svg. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "report/chart.h"
#include "report/page.h"
#include "report/rates.h"

enum { LOSS, TRAIN, VALIDATION, TEST, COLUMNS, CHARTS = 3 };

/* The metrics by column, without the evaluation before training: it would squeeze the rest. */
typedef struct curves {
    size_t count;
    double *epochs;
    double *values[COLUMNS]; /* (count) each */
    cnn_rates rates;
    cnn_chart charts[CHARTS];
    int chart_count;
} curves;

static void finish(curves *of)
{
    free(of->epochs);
    for (int i = 0; i < COLUMNS; i++)
        free(of->values[i]);
    cnn_rates_finish(&of->rates);
}

static void make_charts(curves *of)
{
    const cnn_chart_line accuracies[] = {
        {"training", "c0", of->values[TRAIN]},
        {"validation", "c1", of->values[VALIDATION]},
        {"test", "c2", of->values[TEST]},
    };
    cnn_chart loss = {.title = "Loss", .x = of->epochs, .count = of->count};
    cnn_chart accuracy = {
        .title = "Accuracy", .percent = true, .x = of->epochs, .count = of->count};
    cnn_chart rate = {
        .title = "Learning rate", .plain = true, .x = of->rates.x, .count = of->rates.count};
    loss.lines[loss.line_count++] = (cnn_chart_line){"training", "c0", of->values[LOSS]};
    for (size_t i = 0; i < sizeof accuracies / sizeof accuracies[0]; i++)
        if (!cnn_chart_line_is_empty(&accuracies[i], of->count))
            accuracy.lines[accuracy.line_count++] = accuracies[i];
    rate.lines[rate.line_count++] = (cnn_chart_line){"learning rate", "c0", of->rates.y};
    of->charts[of->chart_count++] = loss;
    of->charts[of->chart_count++] = accuracy;
    if (!cnn_chart_line_is_empty(&rate.lines[0], rate.count))
        of->charts[of->chart_count++] = rate;
}

static cnn_status take_metrics(curves *of, const cnn_run *run)
{
    cnn_status status = CNN_OK;
    bool before = run->metric_count > 0 && run->metrics[0].epoch < 0;
    const cnn_metric *first = run->metrics + (before ? 1 : 0);
    of->count = run->metric_count - (before ? 1 : 0);
    CNN_TRY(cnn_allocate(&of->epochs, of->count, sizeof *of->epochs, "curves"));
    for (int i = 0; i < COLUMNS; i++)
        CNN_TRY(cnn_allocate(&of->values[i], of->count, sizeof(double), "curves"));
    for (size_t i = 0; i < of->count; i++) {
        of->epochs[i] = first[i].epoch;
        of->values[LOSS][i] = first[i].loss;
        of->values[TRAIN][i] = first[i].train_accuracy;
        of->values[VALIDATION][i] = first[i].val_accuracy;
        of->values[TEST][i] = first[i].test_accuracy;
    }
    CNN_TRY(cnn_rates_init(&of->rates, run, first, of->count));
    make_charts(of);
out:
    return status;
}

/* A chart in words, for who does not see it. */
static void append_description(cnn_text *text, const cnn_chart *chart)
{
    for (int i = 0; i < chart->line_count; i++) {
        const cnn_chart_line *line = &chart->lines[i];
        size_t first = 0, last = chart->count - 1;
        while (first < last && !isfinite(line->y[first]))
            first++;
        while (last > first && !isfinite(line->y[last]))
            last--;
        if (!isfinite(line->y[last]))
            continue;
        double factor = chart->percent ? 100.0 : 1.0;
        const char *unit = chart->percent ? "%" : "";
        cnn_text_append(text, "%s: from %.4g%s in epoch %.6g to %.4g%s in epoch %.6g. ", line->name,
                        factor * line->y[first], unit, chart->x[first], factor * line->y[last],
                        unit, chart->x[last]);
    }
}

static void append_chart(cnn_text *html, const cnn_chart *chart)
{
    cnn_text_append(html,
                    "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s over "
                    "the epochs\"><desc>",
                    CNN_CHART_WIDTH, CNN_CHART_HEIGHT, chart->title);
    append_description(html, chart);
    cnn_text_append(html, "</desc>\n");
    cnn_chart_append(html, chart);
    cnn_text_append(html, "</svg>\n");
}

/* A drawing of its own: one chart below the other, with the colours of the page. */
static void append_file(cnn_text *svg, const curves *of)
{
    int height = of->chart_count * CNN_CHART_HEIGHT;
    cnn_text_append(svg,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"%d\" "
                    "height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n<title>Loss, accuracy and "
                    "learning rate over the epochs</title>\n<style>",
                    3 * CNN_CHART_WIDTH / 2, 3 * height / 2, CNN_CHART_WIDTH, height);
    for (int i = 0; i < 2; i++) /* the two that have the colours */
        cnn_text_append(svg, "%s", cnn_page_style[i]);
    cnn_text_append(svg,
                    "%s</style>\n<rect width=\"%d\" height=\"%d\" style=\"fill:var(--card)\"/>\n",
                    cnn_chart_style(), CNN_CHART_WIDTH, height);
    for (int i = 0; i < of->chart_count; i++) {
        cnn_text_append(svg, "<g transform=\"translate(0 %d)\">\n", i * CNN_CHART_HEIGHT);
        cnn_chart_append(svg, &of->charts[i]);
        cnn_text_append(svg, "</g>\n");
    }
    cnn_text_append(svg, "</svg>\n");
}

/* The accuracies that the curves leave out. */
static void append_before(cnn_text *html, const cnn_metric *before)
{
    char train[CNN_FIGURE_SIZE], test[CNN_FIGURE_SIZE];
    bool tested = !isnan(before->test_accuracy);
    cnn_text_append(html,
                    "<p class=\"intro\">Before training: %s of the training images were right, %s "
                    "of the %s images.</p>\n",
                    cnn_figure_percent(train, before->train_accuracy),
                    cnn_figure_percent(test, tested ? before->test_accuracy : before->val_accuracy),
                    tested ? "test" : "validation");
}

cnn_status cnn_page_add_curves(cnn_page *page)
{
    const cnn_run *run = page->run;
    curves of = {0};
    cnn_status status = CNN_OK;
    if (run->metric_count == 0)
        return CNN_OK;
    CNN_TRY(take_metrics(&of, run));
    cnn_page_open_section(page, "curves", "How training went", NULL);
    if (run->metrics[0].epoch < 0)
        append_before(&page->html, &run->metrics[0]);
    if (of.count > 0) {
        append_file(&page->curves, &of);
        cnn_text_append(&page->html, "<div class=\"charts\">\n");
        for (int i = 0; i < of.chart_count; i++)
            append_chart(&page->html, &of.charts[i]);
        cnn_text_append(&page->html, "</div>\n");
    } else {
        cnn_text_append(&page->html, "<p>No epoch was trained.</p>\n");
    }
    cnn_page_close_section(page);
out:
    finish(&of);
    return status;
}
