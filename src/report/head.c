/* The top of the page: its name, the figures that everyone looks for, what is missing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "report/page.h"

static void add_figure(cnn_page *page, const char *value, const char *name)
{
    cnn_text_append(&page->html, "<li><b>%s</b><span>%s</span></li>\n", value, name);
}

/* The last value of a column that is there and finite; NaN where there is none. */
static double last_value(const cnn_run *run, size_t field)
{
    for (size_t i = run->metric_count; i > 0; i--) {
        double value;
        memcpy(&value, (const char *)&run->metrics[i - 1] + field, sizeof value);
        if (isfinite(value))
            return value;
    }
    return (double)NAN;
}

/* What was measured now, of the model that is shown, comes before what training said. */
static double test_accuracy(const cnn_page *page)
{
    const cnn_evaluation *evaluation = page->content->evaluation;
    return evaluation && strcmp(cnn_page_judge(page), "test") == 0
               ? evaluation->accuracy
               : last_value(page->run, offsetof(cnn_metric, test_accuracy));
}

static void add_accuracies(cnn_page *page)
{
    char text[CNN_FIGURE_SIZE];
    const struct {
        const char *name;
        double value;
    } shares[] = {
        {"test images right", test_accuracy(page)},
        {"training images right", last_value(page->run, offsetof(cnn_metric, train_accuracy))},
        {"validation images right", last_value(page->run, offsetof(cnn_metric, val_accuracy))},
    };
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++)
        if (!isnan(shares[i].value))
            add_figure(page, cnn_figure_percent(text, shares[i].value), shares[i].name);
}

static void add_training(cnn_page *page)
{
    char text[CNN_FIGURE_SIZE];
    const cnn_run *run = page->run;
    double loss = last_value(run, offsetof(cnn_metric, loss)), seconds = 0.0;
    size_t epochs = 0;
    for (size_t i = 0; i < run->metric_count; i++) {
        epochs += run->metrics[i].epoch >= 0;
        if (run->metrics[i].epoch >= 0 && isfinite(run->metrics[i].seconds))
            seconds += run->metrics[i].seconds;
    }
    if (!isnan(loss)) {
        cnn_format(text, sizeof text, "%.3f", loss);
        add_figure(page, text, "loss of the last epoch");
    }
    if (run->has_metrics)
        add_figure(page, cnn_figure_count(text, epochs), epochs == 1 ? "epoch" : "epochs");
    if (seconds > 0.0)
        add_figure(page, cnn_figure_duration(text, seconds), "of training");
}

static void add_notes(cnn_page *page)
{
    const char *const *note = page->content->notes;
    bool missing = !page->run->has_metrics || !page->run->json;
    if (!missing && (!note || !*note))
        return;
    cnn_text_append(&page->html, "<ul class=\"notes\" id=\"notes\">\n");
    if (!page->run->has_metrics) {
        cnn_text_append(&page->html, "<li>No curves: ");
        cnn_html_text(&page->html, page->run->metrics_path);
        cnn_text_append(&page->html, " is not there.</li>\n");
    }
    if (!page->run->json) {
        cnn_text_append(&page->html, "<li>The options of training are not known: ");
        cnn_html_text(&page->html, page->run->json_path);
        cnn_text_append(&page->html, " is not there.</li>\n");
    }
    for (; note && *note; note++) {
        cnn_text_append(&page->html, "<li>");
        cnn_html_text(&page->html, *note);
        cnn_text_append(&page->html, "</li>\n");
    }
    cnn_text_append(&page->html, "</ul>\n");
}

/* "Trained on DEVICE with DATA." of what is known. */
static void add_lead(cnn_page *page)
{
    const char *device = cnn_run_text(page->run, "device"), *data = cnn_run_data(page->run);
    if (!data && page->content->dataset)
        data = cnn_dataset_source(page->content->dataset);
    if (!device && !data)
        return;
    cnn_text_append(&page->html, "<p class=\"lead\">Trained");
    if (device) {
        cnn_text_append(&page->html, " on ");
        cnn_html_text(&page->html, device);
    }
    if (data) {
        cnn_text_append(&page->html, " with the images of ");
        cnn_html_text(&page->html, data);
    }
    cnn_text_append(&page->html, "</p>\n");
}

static void add_navigation(cnn_page *page)
{
    const cnn_report_content *content = page->content;
    const struct {
        const char *id, *name;
        bool there;
    } links[] = {
        {"curves", "Curves", page->run->metric_count > 0},
        {"classes", "Classes", page->classes > 0},
        {"samples", "Predictions", page->classes > 0},
        {"filters", "Filters", content->model != NULL},
        {"mistakes", "Mistakes", page->classes > 0},
        {"steps", "Time", content->bench != NULL},
        {"network", "Network", content->model != NULL},
        {"facts", "The run", true},
    };
    cnn_text_append(&page->html, "<nav aria-label=\"Sections\"><ul>\n");
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
        if (links[i].there)
            cnn_text_append(&page->html, "<li><a href=\"#%s\">%s</a></li>\n", links[i].id,
                            links[i].name);
    cnn_text_append(&page->html, "</ul></nav>\n");
}

void cnn_page_add_head(cnn_page *page)
{
    cnn_text_append(&page->html, "<header>\n<h1>");
    cnn_html_text(&page->html, page->run->name);
    cnn_text_append(&page->html, "</h1>\n");
    add_lead(page);
    cnn_text_append(&page->html, "<ul class=\"figures\">\n");
    add_accuracies(page);
    add_training(page);
    if (page->content->model) {
        char text[CNN_FIGURE_SIZE];
        add_figure(page, cnn_figure_count(text, cnn_model_parameter_count(page->content->model)),
                   "parameters");
    }
    cnn_text_append(&page->html, "</ul>\n");
    add_notes(page);
    add_navigation(page);
    cnn_text_append(&page->html, "</header>\n");
}
