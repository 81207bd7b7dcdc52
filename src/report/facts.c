/* The run as it was asked for: options, network, device, data. */
#include <stdio.h>
#include <stdlib.h>

#include "report/page.h"

void cnn_page_add_fact(cnn_page *page, const char *name, const char *value)
{
    cnn_text_append(&page->html, "<tr><th scope=\"row\">");
    cnn_html_text(&page->html, name);
    cnn_text_append(&page->html, "</th><td>");
    cnn_html_text(&page->html, value);
    cnn_text_append(&page->html, "</td></tr>\n");
}

static void open_table(cnn_page *page, const char *title)
{
    cnn_text_append(&page->html, "<div><h3>%s</h3>\n<table class=\"data facts\"><tbody>\n", title);
}

static void close_table(cnn_page *page)
{
    cnn_text_append(&page->html, "</tbody></table></div>\n");
}

/* A JSON value as its option is written: lists with commas, flags as yes and no. */
static void add_json(cnn_page *page, const char *name, const json_t *value)
{
    cnn_text text = {0};
    char *string = NULL;
    if (json_is_string(value)) {
        cnn_text_append(&text, "%s", json_string_value(value));
    } else if (json_is_boolean(value)) {
        cnn_text_append(&text, json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            char *item = cnn_json_dump(json_array_get(value, i), JSON_ENCODE_ANY | JSON_COMPACT);
            cnn_text_append(&text, "%s%s", i ? "," : "", item ? item : "");
            free(item);
        }
        if (json_array_size(value) == 0)
            cnn_text_append(&text, "none");
    } else {
        char *dump = cnn_json_dump(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        cnn_text_append(&text, "%s", json_is_null(value) || !dump ? "\xe2\x80\x93" : dump);
        free(dump);
    }
    if (cnn_text_take(&string, &text) == CNN_OK)
        cnn_page_add_fact(page, name, string);
    else
        page->html.failed = true;
    free(string);
}

static void add_object(cnn_page *page, const char *title, json_t *object)
{
    const char *key;
    json_t *value;
    if (json_object_size(object) == 0)
        return;
    open_table(page, title);
    json_object_foreach(object, key, value)
    {
        add_json(page, key, value);
    }
    close_table(page);
}

static void add_text(cnn_page *page, const char *key)
{
    const char *text = cnn_run_text(page->run, key);
    if (text && *text)
        cnn_page_add_fact(page, key, text);
}

static void add_devices(cnn_page *page)
{
    const cnn_device_info *device = page->content->device;
    if (!page->run->json && !device)
        return;
    open_table(page, "Device");
    add_text(page, "device");
    add_text(page, "platform");
    add_text(page, "driver");
    if (device) {
        char figure[2 * CNN_FIGURE_SIZE];
        cnn_page_add_fact(page, "this page's figures", device->name);
        snprintf(figure, sizeof figure, "%s, %u units, %u MHz", cnn_device_type_name(device->type),
                 device->compute_units, device->clock_mhz);
        cnn_page_add_fact(page, "its kind", figure);
    }
    close_table(page);
}

static void add_count(cnn_page *page, const char *name, int64_t count)
{
    char figure[CNN_FIGURE_SIZE];
    if (count >= 0)
        cnn_page_add_fact(page, name, cnn_figure_count(figure, (uint64_t)count));
}

static void add_data(cnn_page *page)
{
    const cnn_run *run = page->run;
    const cnn_dataset *dataset = page->content->dataset;
    const char *source = dataset ? cnn_dataset_source(dataset) : cnn_run_data(run);
    int64_t train = cnn_run_number(run, "train_images"), test = cnn_run_number(run, "test_images");
    if (dataset && train < 0)
        train = (int64_t)cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    if (dataset && test < 0)
        test = (int64_t)cnn_dataset_count(dataset, CNN_SPLIT_TEST);
    if (!source)
        return;
    open_table(page, "Data");
    cnn_page_add_fact(page, "folder", source);
    add_count(page, "training images", train);
    add_count(page, "validation images", cnn_run_number(run, "val_images"));
    add_count(page, "test images", test);
    close_table(page);
}

void cnn_page_add_facts(cnn_page *page)
{
    cnn_page_open_section(page, "facts", "The run", NULL);
    cnn_text_append(&page->html, "<div class=\"pair\">\n");
    add_object(page, "Options", json_object_get(page->run->json, "options"));
    add_object(page, "Options of the network", json_object_get(page->run->json, "network"));
    add_devices(page);
    add_data(page);
    cnn_text_append(&page->html, "</div>\n");
    cnn_page_close_section(page);
}
