/* The page and its pictures, from what is known of a run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"
#include "report/chart.h"
#include "report/page.h"

void cnn_page_open_section(cnn_page *page, const char *id, const char *title, const char *intro)
{
    cnn_text_append(&page->html,
                    "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 "
                    "id=\"%s-title\">%s</h2>\n",
                    id, id, id, title);
    if (intro)
        cnn_text_append(&page->html, "<p class=\"intro\">%s</p>\n", intro);
}

void cnn_page_close_section(cnn_page *page)
{
    cnn_text_append(&page->html, "</section>\n");
}

static cnn_status check_content(const cnn_report_content *content)
{
    if (!content->predictions != !content->evaluation)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "a report needs an evaluation and its predictions, or neither");
    if (content->predictions && (!content->dataset || !content->model))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "a report on predictions needs their model and data set");
    return CNN_OK;
}

static cnn_status count_confusion(cnn_page *page)
{
    const cnn_report_content *content = page->content;
    if (!content->predictions)
        return CNN_OK;
    int classes = cnn_network_classes(cnn_model_network(content->model));
    cnn_status status = CNN_OK;
    const uint16_t *labels =
        cnn_dataset_labels(content->dataset, cnn_dataset_judge(content->dataset));
    size_t count = content->evaluation->count;
    CNN_TRY(cnn_allocate(&page->scores, (size_t)classes, sizeof *page->scores, "the scores"));
    if (classes <= CNN_CONFUSION_LIMIT)
        CNN_TRY(cnn_allocate(&page->counts, (size_t)classes, (size_t)classes * sizeof *page->counts,
                             "a confusion matrix"));
    CNN_TRY(cnn_allocate(&page->names, (size_t)classes, sizeof *page->names, "the names"));
    for (int i = 0; i < classes; i++)
        page->names[i] = cnn_dataset_class_name(content->dataset, i);
    cnn_confusion_count(page->counts, classes, content->predictions, labels, count);
    cnn_confusion_scores(page->scores, classes, content->predictions, labels, count);
    CNN_TRY(cnn_confusion_mistakes(page->pairs, &page->pair_count, CNN_PAGE_PAIRS, classes,
                                   content->predictions, labels, count));
    page->classes = classes;
out:
    return status;
}

static cnn_status draw_pictures(cnn_page *page)
{
    cnn_status status = CNN_OK;
    if (page->counts)
        CNN_TRY(cnn_confusion_to_png(&page->confusion, &page->confusion_width,
                                     &page->confusion_height, page->counts, page->classes,
                                     page->names));
    if (page->content->model)
        CNN_TRY(cnn_filters_to_png(&page->filters, &page->filters_width, &page->filters_height,
                                   page->content->model));
out:
    return status;
}

/* Nothing may be fetched: the browser itself sees to it. */
static void open_page(cnn_page *page)
{
    cnn_text_append(&page->html,
                    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "img-src data:; style-src 'unsafe-inline'\"/>\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                    "<link rel=\"icon\" href=\"data:,\"/>\n<title>");
    cnn_html_text(&page->html, page->run->name);
    if (page->content->evaluation) {
        char percent[CNN_FIGURE_SIZE];
        cnn_text_append(&page->html, ": %s of the %s images right",
                        cnn_figure_percent(percent, page->content->evaluation->accuracy),
                        cnn_page_judge(page));
    }
    cnn_text_append(&page->html, "</title>\n<style>\n");
    for (const char *const *piece = cnn_page_style; *piece; piece++)
        cnn_text_append(&page->html, "%s", *piece);
    cnn_text_append(&page->html, "%s</style>\n</head>\n<body>\n", cnn_chart_style());
}

const char *cnn_page_judge(const cnn_page *page)
{
    const cnn_dataset *dataset = page->content->dataset;
    return dataset && cnn_dataset_judge(dataset) == CNN_SPLIT_VAL ? "validation" : "test";
}

static void close_page(cnn_page *page)
{
    const char *version = cnn_run_text(page->run, "version");
    cnn_text_append(&page->html, "</main>\n<footer>Written by cnn-cl %s", cnn_version());
    if (version && strcmp(version, cnn_version()) != 0) {
        cnn_text_append(&page->html, "; trained by ");
        cnn_html_text(&page->html, version);
    }
    cnn_text_append(&page->html, ".</footer>\n</body>\n</html>\n");
}

static cnn_status make_page(cnn_page *page)
{
    cnn_status status = CNN_OK;
    CNN_TRY(count_confusion(page));
    CNN_TRY(draw_pictures(page));
    open_page(page);
    cnn_page_add_head(page);
    cnn_text_append(&page->html, "<main>\n");
    CNN_TRY(cnn_page_add_curves(page));
    cnn_page_add_classes(page);
    cnn_text_append(&page->html, "<div class=\"pair\">\n");
    CNN_TRY(cnn_page_add_samples(page));
    cnn_page_add_filters(page);
    cnn_text_append(&page->html, "</div>\n");
    CNN_TRY(cnn_page_add_mistakes(page));
    cnn_page_add_steps(page);
    cnn_page_add_network(page);
    cnn_page_add_facts(page);
    close_page(page);
out:
    return status;
}

/* Takes what was written; nothing where it is empty. */
static cnn_status write_file(const cnn_run *run, const char *name, cnn_text *text)
{
    char *path = NULL, *content = NULL;
    size_t length = text->length;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_text_take(&content, text));
    if (length == 0)
        goto out;
    CNN_TRY(cnn_path_join(&path, run->folder, name));
    status = cnn_file_write_atomic(path, &(cnn_piece){content, length}, 1);
out:
    free(content);
    free(path);
    return status;
}

static cnn_status write_files(cnn_page *page)
{
    cnn_status status = CNN_OK;
    CNN_TRY(write_file(page->run, "curves.svg", &page->curves));
    CNN_TRY(write_file(page->run, "confusion.png", &page->confusion));
    CNN_TRY(write_file(page->run, "filters.png", &page->filters));
    status = write_file(page->run, "report.html", &page->html);
out:
    return status;
}

cnn_status cnn_report_write(const cnn_run *run, const cnn_report_content *content)
{
    CNN_NEED(run, content);
    cnn_page page = {.run = run, .content = content};
    cnn_status status = check_content(content);
    if (status != CNN_OK)
        return status;
    locale_t before = cnn_plain_enter(); /* cairo's, too */
    CNN_TRY(make_page(&page));
    CNN_TRY(write_files(&page));
out:
    cnn_plain_leave(before);
    free(page.counts);
    free(page.scores);
    free(page.names);
    cnn_text_finish(&page.html);
    cnn_text_finish(&page.curves);
    cnn_text_finish(&page.confusion);
    cnn_text_finish(&page.filters);
    return status;
}
