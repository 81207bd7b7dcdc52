/* The network: its first layer's weights as pictures, its layers, the time of its steps. */
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "report/page.h"

void cnn_page_add_filters(cnn_page *page)
{
    const cnn_model *model = page->content->model;
    char intro[480], caption[160];
    if (!model)
        return;
    cnn_filters filters = cnn_model_filters(model);
    snprintf(caption, sizeof caption, "%s%d %s of %s, %d \xc3\x97 %d pixels each",
             filters.shown < filters.count ? "The first " : "", filters.shown,
             filters.convolution ? "filters" : "units", filters.layer, filters.width,
             filters.height);
    bool rgb = filters.channels == 3, rows = !rgb && filters.channels > 1;
    cnn_format(intro, sizeof intro, "%s%s. %s The strongest colour is a weight of %.3g.", caption,
               filters.shown < filters.count ? ", of more" : "",
               rgb ? "Red, green and blue are the image's channels, grey is zero."
               : rows
                   ? "A row is one of them, channel by channel; blue is positive, orange negative."
                   : "Blue is positive, orange negative, white zero.",
               (double)filters.scale);
    cnn_page_open_section(page, "filters", "What the first layer looks for", intro);
    if (rows && filters.shown_channels < filters.channels)
        cnn_text_append(&page->html,
                        "<p class=\"intro\">The first %d of %d channels are shown.</p>",
                        filters.shown_channels, filters.channels);
    cnn_text_append(&page->html, "<div class=\"picture\">");
    cnn_html_png(&page->html, &page->filters, page->filters_width, page->filters_height, caption);
    cnn_text_append(&page->html, "</div>\n");
    cnn_page_close_section(page);
}

static void append_shape(cnn_text *html, const int shape[3])
{
    if (shape[1] == 1 && shape[2] == 1)
        cnn_text_append(html, "%d", shape[0]);
    else
        cnn_text_append(html, "%d \xc3\x97 %d \xc3\x97 %d", shape[0], shape[1], shape[2]);
}

void cnn_page_add_network(cnn_page *page)
{
    if (!page->content->model)
        return;
    const cnn_network *network = cnn_model_network(page->content->model);
    char figure[CNN_FIGURE_SIZE];
    cnn_page_open_section(page, "network", "The network", NULL);
    cnn_text_append(&page->html,
                    "<div class=\"scroll tall\" tabindex=\"0\" role=\"region\" "
                    "aria-label=\"Layers\">\n"
                    "<table class=\"data\" id=\"layers\"><thead><tr><th scope=\"col\">layer</th>"
                    "<th scope=\"col\" class=\"n\">output</th><th scope=\"col\" class=\"n\">"
                    "parameters</th><th scope=\"col\" class=\"n wide\">MFLOP</th></tr></thead>"
                    "\n<tbody>\n");
    for (size_t i = 0; i < cnn_network_layer_count(network); i++) {
        cnn_layer_info layer = cnn_network_layer(network, i);
        cnn_text_append(&page->html, "<tr><th scope=\"row\">%s</th><td class=\"n\">", layer.name);
        append_shape(&page->html, layer.output);
        cnn_text_append(&page->html,
                        "</td><td class=\"n\">%s</td><td class=\"n wide\">%.3f</td></tr>\n",
                        cnn_figure_count(figure, layer.parameters), 1e-6 * layer.forward_flops);
    }
    cnn_text_append(&page->html, "</tbody></table></div>\n");
    cnn_page_close_section(page);
}

static void append_step(cnn_page *page, const cnn_bench_row *row)
{
    double rate = row->milliseconds > 0.0 ? 1e-6 * row->flops / row->milliseconds : 0.0;
    const char *dots = strstr(row->layers, ".."); /* where a narrow column may break */
    int head = dots ? (int)(dots - row->layers) : 0;
    cnn_text_append(&page->html,
                    "<tr><th scope=\"row\">%s</th><td>%.*s%s%s</td><td class=\"wide\">", row->phase,
                    head, row->layers, dots ? "..<wbr/>" : "", dots ? dots + 2 : row->layers);
    cnn_html_text(&page->html, row->name);
    cnn_text_append(
        &page->html,
        "</td><td class=\"n\">%.3f</td><td class=\"n\">%.1f%%</td><td class=\"share wide\">"
        "<span class=\"bar\" style=\"width:%.1f%%\"></span></td>",
        row->milliseconds, 100.0 * row->share, 100.0 * row->share);
    if (rate > 0.0)
        cnn_text_append(&page->html, "<td class=\"n\">%.1f</td></tr>\n", rate);
    else
        cnn_text_append(&page->html, "<td class=\"n\">\xe2\x80\x93</td></tr>\n");
}

void cnn_page_add_steps(cnn_page *page)
{
    const cnn_bench *bench = page->content->bench;
    char intro[320], rate[CNN_FIGURE_SIZE];
    if (!bench)
        return;
    cnn_bench_summary summary = cnn_bench_get_summary(bench);
    double seconds = 1e-3 * summary.plain_milliseconds;
    cnn_format(
        intro, sizeof intro,
        "A pass of %d images, forward and backward with an update, takes %.3g ms: %s images a "
        "second. Medians of %d; "
        "<code>cnn-cl bench</code> measures longer, and beside the device's peak.",
        summary.batch, summary.plain_milliseconds,
        cnn_figure_count(rate, seconds > 0.0 ? (uint64_t)(summary.batch / seconds + 0.5) : 0),
        summary.steps);
    cnn_page_open_section(page, "steps", "Where the time of a step goes", intro);
    cnn_text_append(
        &page->html,
        "<div class=\"scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"Steps of the "
        "plan\">\n"
        "<table class=\"data\" id=\"plan\"><thead><tr><th scope=\"col\">phase</th><th "
        "scope=\"col\">layers</th><th scope=\"col\" class=\"wide\">step</th><th scope=\"col\" "
        "class=\"n\">ms</th>"
        "<th scope=\"col\" class=\"n\">share</th><td class=\"wide\"></td><th scope=\"col\" "
        "class=\"n\">"
        "GFLOP/s</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < cnn_bench_row_count(bench); i++) {
        cnn_bench_row row = cnn_bench_get_row(bench, i);
        append_step(page, &row);
    }
    cnn_text_append(&page->html, "</tbody></table></div>\n");
    cnn_page_close_section(page);
}
