/* What was taken for what: the confusion matrix, and each class' figures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "report/page.h"

enum { TABLE_LIMIT = 30, MOST_SCORES = 1000 };

static size_t count_of(const cnn_page *page, int label, int predicted)
{
    return page->counts[(size_t)label * (size_t)page->classes + (size_t)predicted];
}

static void append_name(cnn_page *page, int label)
{
    cnn_html_text(&page->html, page->names[label]);
}

/* The root of a mistake's share of its row lets rare ones be seen. */
static void append_cell(cnn_page *page, int label, int predicted, size_t sum)
{
    size_t count = count_of(page, label, predicted);
    bool hit = label == predicted;
    double share = sum > 0 ? (double)count / (double)sum : 0.0;
    double strength = hit ? share : sqrt(share);
    if (count == 0)
        cnn_text_append(&page->html, "<td class=\"zero\">0</td>");
    else
        cnn_text_append(&page->html, "<td class=\"%s%s\" style=\"--a:%.2f\">%zu</td>",
                        hit ? "hit" : "miss", hit && strength > 0.82 ? " on" : "", strength, count);
}

static void append_row(cnn_page *page, int label)
{
    size_t sum = 0;
    for (int i = 0; i < page->classes; i++)
        sum += count_of(page, label, i);
    cnn_text_append(&page->html, "<tr><th scope=\"row\">");
    append_name(page, label);
    cnn_text_append(&page->html, "</th>");
    for (int i = 0; i < page->classes; i++)
        append_cell(page, label, i, sum);
    cnn_text_append(&page->html, "</tr>\n");
}

/* Short names stand upright over their columns. */
static bool has_long_names(const cnn_page *page)
{
    enum { SHORT = 3 };
    for (int i = 0; i < page->classes; i++)
        if (strlen(page->names[i]) > SHORT)
            return true;
    return false;
}

static void append_table(cnn_page *page)
{
    bool turned = has_long_names(page);
    cnn_text_append(&page->html,
                    "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion "
                    "matrix\">\n<table class=\"matrix\" id=\"matrix\"><caption>Rows: "
                    "true. Columns: predicted.</caption>\n<thead><tr><td "
                    "class=\"zero\"></td>");
    for (int i = 0; i < page->classes; i++) {
        cnn_text_append(&page->html,
                        turned ? "<th scope=\"col\"><div class=\"up\">" : "<th scope=\"col\">");
        append_name(page, i);
        cnn_text_append(&page->html, turned ? "</div></th>" : "</th>");
    }
    cnn_text_append(&page->html, "</tr></thead>\n<tbody>\n");
    for (int i = 0; i < page->classes; i++)
        append_row(page, i);
    cnn_text_append(&page->html, "</tbody></table></div>\n");
}

static void append_picture(cnn_page *page)
{
    cnn_text_append(&page->html, "<div class=\"picture smooth\">");
    cnn_html_png(&page->html, &page->confusion, page->confusion_width, page->confusion_height,
                 "The confusion matrix as shades: rows are the true classes, columns the predicted "
                 "ones. The largest mistakes are in the table that follows.");
    cnn_text_append(&page->html, "</div>\n");
}

static void append_pairs(cnn_page *page)
{
    const cnn_confusion_pair *pairs = page->pairs;
    size_t count = page->pair_count;
    if (count == 0)
        return;
    cnn_text_append(&page->html,
                    "<h3>The most frequent mistakes</h3>\n<table class=\"data names\" id=\"pairs\">"
                    "<thead><tr><th scope=\"col\">is</th><th scope=\"col\">was taken for</th><th "
                    "scope=\"col\" class=\"n\">images</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < count; i++) {
        cnn_text_append(&page->html, "<tr><th scope=\"row\">");
        append_name(page, pairs[i].label);
        cnn_text_append(&page->html, "</th><td>");
        append_name(page, pairs[i].predicted);
        cnn_text_append(&page->html, "</td><td class=\"n\">%zu</td></tr>\n", pairs[i].count);
    }
    cnn_text_append(&page->html, "</tbody></table>\n");
}

static void append_score(cnn_page *page, int label)
{
    char precision[CNN_FIGURE_SIZE], recall[CNN_FIGURE_SIZE], f1[CNN_FIGURE_SIZE],
        support[CNN_FIGURE_SIZE];
    cnn_class_score score = page->scores[label];
    cnn_text_append(&page->html, "<tr><th scope=\"row\">");
    append_name(page, label);
    cnn_text_append(&page->html,
                    "</th><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>"
                    "<td class=\"n\">%s</td></tr>\n",
                    cnn_figure_percent(precision, score.precision),
                    cnn_figure_percent(recall, score.recall), cnn_figure_percent(f1, score.f1),
                    cnn_figure_count(support, score.support));
}

static void append_scores(cnn_page *page)
{
    cnn_text_append(
        &page->html,
        "<div class=\"scroll%s\" tabindex=\"0\" role=\"region\" aria-label=\"Figures of each "
        "class\">\n<table class=\"data names\" id=\"scores\"><caption>Precision: of the images "
        "taken for "
        "the class, how many are of it. Recall: of its images, how many were found. F1: their "
        "harmonic mean.</caption>\n<thead><tr><th scope=\"col\">class</th><th scope=\"col\" "
        "class=\"n\">precision</th><th scope=\"col\" class=\"n\">recall</th><th scope=\"col\" "
        "class=\"n\">F1</th><th scope=\"col\" class=\"n\">images</th></tr></thead>\n<tbody>\n",
        page->classes > TABLE_LIMIT ? " tall" : "");
    for (int i = 0; i < page->classes && i < MOST_SCORES; i++)
        append_score(page, i);
    cnn_text_append(&page->html, "</tbody></table></div>\n");
    if (page->classes > MOST_SCORES)
        cnn_text_append(&page->html,
                        "<p>The first %d of %d classes: 'cnn-cl eval' lists all.</p>\n",
                        MOST_SCORES, page->classes);
}

void cnn_page_add_classes(cnn_page *page)
{
    if (page->classes == 0)
        return;
    char hits[CNN_FIGURE_SIZE], count[CNN_FIGURE_SIZE], intro[160];
    const cnn_evaluation *evaluation = page->content->evaluation;
    cnn_format(intro, sizeof intro, "%s of %s %s images are right; the loss is %.4f.",
               cnn_figure_count(hits, evaluation->hits), cnn_figure_count(count, evaluation->count),
               cnn_page_judge(page), evaluation->loss);
    cnn_page_open_section(page, "classes", "What it takes for what", intro);
    bool small = page->classes <= TABLE_LIMIT;
    cnn_text_append(&page->html, "<div class=\"pair\"><div>\n");
    if (small) {
        append_table(page);
    } else {
        if (page->confusion.length > 0)
            append_picture(page);
        append_pairs(page);
    }
    cnn_text_append(&page->html, "</div><div>\n");
    append_scores(page);
    cnn_text_append(&page->html, "</div></div>\n");
    cnn_page_close_section(page);
}
