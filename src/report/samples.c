/* Images with what they are taken for: some at random, and the mistakes that it was surest of. */
#include <stdio.h>
#include <stdlib.h>

#include <cnncl/random.h>

#include "base/memory.h"
#include "base/status.h"
#include "report/page.h"

enum { GRID = 25, MISTAKES = 24 };

static size_t image_size(const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

static const char *name_of(const cnn_page *page, int label)
{
    return cnn_dataset_class_name(page->content->dataset, label);
}

static int label_of(const cnn_page *page, size_t index)
{
    const cnn_dataset *dataset = page->content->dataset;
    return cnn_dataset_labels(dataset, cnn_dataset_judge(dataset))[index];
}

/* The image; its words stand beside it for everyone. */
static cnn_status append_image(cnn_page *page, size_t index)
{
    const cnn_dataset *dataset = page->content->dataset;
    uint8_t *pixels = NULL;
    char alt[64];
    cnn_text png = {0};
    int width, height;
    snprintf(alt, sizeof alt, "%s image %zu", cnn_page_judge(page), index);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&pixels, image_size(dataset), 1, "an image"));
    CNN_TRY(cnn_dataset_read(pixels, dataset, cnn_dataset_judge(dataset), index));
    CNN_TRY(cnn_image_to_png(&png, &width, &height, pixels, cnn_dataset_shape(dataset)));
    cnn_html_png(&page->html, &png, width, height, alt);
out:
    free(pixels);
    cnn_text_finish(&png);
    return status;
}

static cnn_status append_sample(cnn_page *page, size_t index)
{
    cnn_prediction prediction = page->content->predictions[index];
    int label = label_of(page, index);
    cnn_text_append(&page->html, "<li>");
    cnn_status status = append_image(page, index);
    bool right = prediction.label == label;
    cnn_text_append(&page->html, right ? "<span>" : "<span><b>");
    cnn_html_text(&page->html, name_of(page, prediction.label));
    cnn_text_append(&page->html, right ? "</span>" : "</b></span><span>is ");
    if (!right) {
        cnn_html_text(&page->html, name_of(page, label));
        cnn_text_append(&page->html, "</span>");
    }
    cnn_text_append(&page->html, "</li>\n");
    return status;
}

cnn_status cnn_page_add_samples(cnn_page *page)
{
    const cnn_report_content *content = page->content;
    size_t indices[GRID], count = GRID;
    cnn_status status = CNN_OK;
    if (page->classes == 0)
        return CNN_OK;
    if (content->evaluation->count < count)
        count = content->evaluation->count;
    CNN_TRY(cnn_random_choice(indices, count, content->evaluation->count, content->seed));
    cnn_page_open_section(page, "samples", "Images at random",
                          "Test images, each with what it was taken for; mistakes are red, with "
                          "what the image is.");
    cnn_text_append(&page->html, "<ul class=\"images grid\" id=\"grid\">\n");
    for (size_t i = 0; i < count; i++)
        CNN_TRY(append_sample(page, indices[i]));
    cnn_text_append(&page->html, "</ul>\n");
    cnn_page_close_section(page);
out:
    return status;
}

/* The mistakes of the highest probabilities, highest first. Returns how many. */
static size_t find_mistakes(size_t found[MISTAKES], const cnn_page *page)
{
    const cnn_prediction *predictions = page->content->predictions;
    const cnn_dataset *dataset = page->content->dataset;
    const uint16_t *labels = cnn_dataset_labels(dataset, cnn_dataset_judge(dataset));
    size_t count = 0;
    for (size_t i = 0; i < page->content->evaluation->count; i++) {
        if (predictions[i].label == labels[i])
            continue;
        size_t at = count < MISTAKES ? count++ : MISTAKES;
        for (; at > 0 && predictions[found[at - 1]].probability < predictions[i].probability; at--)
            if (at < MISTAKES)
                found[at] = found[at - 1];
        if (at < MISTAKES)
            found[at] = i;
    }
    return count;
}

static cnn_status append_mistake(cnn_page *page, size_t index)
{
    char percent[CNN_FIGURE_SIZE];
    cnn_prediction prediction = page->content->predictions[index];
    int label = label_of(page, index);
    cnn_text_append(&page->html, "<li>");
    cnn_status status = append_image(page, index);
    cnn_text_append(&page->html, "<span><b>");
    cnn_html_text(&page->html, name_of(page, prediction.label));
    cnn_text_append(&page->html, "</b>, %s</span><span>is ",
                    cnn_figure_percent(percent, (double)prediction.probability));
    cnn_html_text(&page->html, name_of(page, label));
    cnn_text_append(&page->html, "</span></li>\n");
    return status;
}

cnn_status cnn_page_add_mistakes(cnn_page *page)
{
    size_t found[MISTAKES];
    cnn_status status = CNN_OK;
    if (page->classes == 0)
        return CNN_OK;
    size_t count = find_mistakes(found, page);
    cnn_page_open_section(page, "mistakes", "The mistakes it was surest of",
                          count > 0 ? "Red: what the image was taken for, and with which "
                                      "probability. Below: what it is."
                                    : NULL);
    if (count == 0)
        cnn_text_append(&page->html, "<p>None: all %s images are right.</p>\n",
                        cnn_page_judge(page));
    else
        cnn_text_append(&page->html, "<ul class=\"images wrong\">\n");
    for (size_t i = 0; i < count; i++)
        CNN_TRY(append_mistake(page, found[i]));
    cnn_text_append(&page->html, count > 0 ? "</ul>\n" : "");
    cnn_page_close_section(page);
out:
    return status;
}
