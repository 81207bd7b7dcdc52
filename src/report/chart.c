#include "report/chart.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
enum {
    MOST_TICKS = 32,
    LEFT = 52, /* of the plot */
    RIGHT = 10,
    TOP = 58,
    BOTTOM = 42,
    TICKS = 5,       /* about */
    MOST_MARKS = 40, /* points that are marked one by one */
    MOST_POINTS = 1000
};

static const double plot_width = CNN_CHART_WIDTH - LEFT - RIGHT;
static const double plot_height = CNN_CHART_HEIGHT - TOP - BOTTOM;

typedef struct axis {
    double low, high, step;
} axis;

typedef struct plot {
    const cnn_chart *chart;
    axis x, y;
} plot;

const char *cnn_chart_style(void)
{
    return ".chart text{fill:var(--text);font:12px system-ui,sans-serif}"
           ".chart .heading{font-weight:600;font-size:14px}"
           ".chart .tick{fill:var(--muted)}"
           ".chart .grid{stroke:var(--line);fill:none}"
           ".chart .axis{stroke:var(--muted);fill:none}"
           ".chart .c0,.chart .c1,.chart .c2{fill:none;stroke-width:2;stroke-linejoin:round}"
           ".chart .thin{stroke-width:1.2}"
           ".chart .c0{stroke:var(--c0)}"
           ".chart .c1{stroke:var(--c1);stroke-dasharray:7 3}"
           ".chart .c2{stroke:var(--c2);stroke-dasharray:2 2}"
           ".chart .m0{fill:var(--c0)}.chart .m1{fill:var(--c1)}.chart .m2{fill:var(--c2)}\n";
}

bool cnn_chart_line_is_empty(const cnn_chart_line *line, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isfinite(line->y[i]))
            return false;
    return true;
}

/* 1, 2 or 5 times a power of ten. */
static double round_step(double span)
{
    double raw = span / TICKS, power = pow(10.0, floor(log10(raw)));
    double part = raw / power;
    return power * (part <= 1.0 ? 1.0 : part <= 2.0 ? 2.0 : part <= 5.0 ? 5.0 : 10.0);
}

static axis make_epochs(const cnn_chart *chart)
{
    axis result = {chart->x[0], chart->x[chart->count - 1], 1.0};
    if (result.high <= result.low) {
        result.low -= 0.5;
        result.high += 0.5;
    }
    result.step = fmax(1.0, round_step(result.high - result.low));
    return result;
}

/* Losses start at zero; shares show what they cover, but no less than two per cent of it. */
static axis make_values(const cnn_chart *chart)
{
    double low = INFINITY, high = -INFINITY;
    for (int i = 0; i < chart->line_count; i++)
        for (size_t j = 0; j < chart->count; j++)
            if (isfinite(chart->lines[i].y[j])) {
                low = fmin(low, chart->lines[i].y[j]);
                high = fmax(high, chart->lines[i].y[j]);
            }
    if (!isfinite(low) || (!chart->percent && high < (double)FLT_MIN)) {
        low = 0.0;
        high = 1.0;
    }
    if (!chart->percent)
        low = 0.0;
    if (chart->percent && high - low < 0.02) {
        low = fmax(0.0, low - 0.01);
        high = fmin(1.0, high + 0.01);
    }
    axis result = {.step = round_step(high - low)};
    result.low = result.step * floor(low / result.step + 1e-9);
    result.high = result.step * ceil(high / result.step - 1e-9);
    return result;
}

static double place_x(const plot *at, double x)
{
    return LEFT + plot_width * (x - at->x.low) / (at->x.high - at->x.low);
}

static double place_y(const plot *at, double y)
{
    return TOP + plot_height * (at->y.high - y) / (at->y.high - at->y.low);
}

/* As many decimals as the step has; far from 1 with an exponent. */
static void format_value(char *text, size_t size, const plot *at, double value)
{
    double factor = at->chart->percent ? 100.0 : 1.0, step = factor * at->y.step;
    int decimals = step < 1.0 ? (int)ceil(-log10(step) - 1e-9) : 0;
    const char *unit = at->chart->percent ? "%" : "";
    if (decimals > 4 || fabs(value) >= 1e6)
        cnn_format(text, size, "%.3g%s", factor * value, unit);
    else
        cnn_format(text, size, "%.*f%s", decimals, factor * value, unit);
}

static void append_axes(cnn_text *svg, const plot *at)
{
    char value[32];
    double bottom = CNN_CHART_HEIGHT - BOTTOM;
    for (int i = 0; i <= MOST_TICKS && at->y.low + i * at->y.step <= at->y.high + 0.5 * at->y.step;
         i++) {
        double y = at->y.low + i * at->y.step;
        format_value(value, sizeof value, at, y);
        cnn_text_append(svg,
                        "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%d\" "
                        "y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
                        LEFT, place_y(at, y), CNN_CHART_WIDTH - RIGHT, LEFT - 7,
                        place_y(at, y) + 4.0, value);
    }
    /* Not below zero, where a lone first epoch has half a one before it: and no "-0". */
    double first = at->x.step * fmax(0.0, ceil(at->x.low / at->x.step - 1e-9));
    for (int i = 0; first + i * at->x.step <= at->x.high + 1e-9 * at->x.step; i++) {
        double x = first + i * at->x.step;
        cnn_text_append(svg,
                        "<path class=\"axis\" d=\"M%.1f %.1fv5\"/><text class=\"tick\" x=\"%.1f\" "
                        "y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n",
                        place_x(at, x), bottom, place_x(at, x), bottom + 18.0, x);
    }
    cnn_text_append(svg,
                    "<path class=\"axis\" d=\"M%d %.1fH%d\"/><text class=\"tick\" x=\"%.1f\" "
                    "y=\"%d\" text-anchor=\"middle\">epoch</text>\n",
                    LEFT, bottom, CNN_CHART_WIDTH - RIGHT, LEFT + plot_width / 2.0,
                    CNN_CHART_HEIGHT - 6);
}

/* The heading, and the lines' names in a row below it. */
static void append_legend(cnn_text *svg, const cnn_chart *chart)
{
    enum { SWATCH = 24, LETTER = 7, SPACE = 18 };
    int left = LEFT;
    cnn_text_append(svg, "<text class=\"heading\" x=\"%d\" y=\"18\">%s</text>\n", LEFT,
                    chart->title);
    for (int i = 0; chart->line_count > 1 && i < chart->line_count; i++) {
        const cnn_chart_line *line = &chart->lines[i];
        cnn_text_append(svg,
                        "<path class=\"%s\" d=\"M%d 37h%d\"/><text x=\"%d\" y=\"41\">%s</text>\n",
                        line->style, left, SWATCH, left + SWATCH + 5, line->name);
        left += SWATCH + 5 + LETTER * (int)strlen(line->name) + SPACE;
    }
}

/* A run of epochs becomes its lowest and its highest value, so that no spike is lost. */
static size_t thin(size_t *kept, const cnn_chart_line *line, size_t first, size_t end)
{
    size_t low = end, high = end;
    for (size_t i = first; i < end; i++) {
        if (isnan(line->y[i]))
            continue;
        if (low == end || line->y[i] < line->y[low])
            low = i;
        if (high == end || line->y[i] > line->y[high])
            high = i;
    }

    if (low == end)
        return 0;
    kept[0] = low < high ? low : high;
    kept[1] = low < high ? high : low;
    return low == high ? 1 : 2;
}

/* A path; where a value is no number the line is broken. A lone point is a dot: the round cap of a
 * line of no length. */
static void append_path(cnn_text *svg, const plot *at, const cnn_chart_line *line)
{
    const cnn_chart *chart = at->chart;
    size_t stride = chart->count > MOST_POINTS ? 2 * chart->count / MOST_POINTS : 1;
    bool drawing = false;
    cnn_text_append(svg, "<path class=\"%s%s\" stroke-linecap=\"round\" d=\"", line->style,
                    chart->count > MOST_MARKS ? " thin" : "");
    for (size_t first = 0; first < chart->count; first += stride) {
        size_t end = first + stride < chart->count ? first + stride : chart->count, kept[2];
        size_t count = thin(kept, line, first, end);
        for (size_t i = 0; i < count; i++) {
            double y = line->y[kept[i]];
            if (isfinite(y))
                cnn_text_append(svg, "%s%.1f %.1f", drawing ? "L" : "M",
                                place_x(at, chart->x[kept[i]]), place_y(at, y));
            if (isfinite(y) && !drawing)
                cnn_text_append(svg, "h0");
            drawing = isfinite(y);
        }
    }
    cnn_text_append(svg, "\"/>\n");
}

static void append_marks(cnn_text *svg, const plot *at, const cnn_chart_line *line)
{
    const cnn_chart *chart = at->chart;
    for (size_t i = 0; i < chart->count; i++) {
        double y = line->y[i];
        if (!isfinite(y))
            continue;
        cnn_text_append(svg,
                        "<circle class=\"m%c\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>epoch %.0f, "
                        "%s: %.*f%s</title></circle>\n",
                        line->style[1], place_x(at, chart->x[i]), place_y(at, y), chart->x[i],
                        line->name, chart->percent ? 2 : 4, chart->percent ? 100.0 * y : y,
                        chart->percent ? "%" : "");
    }
}

void cnn_chart_append(cnn_text *svg, const cnn_chart *chart)
{
    plot at = {chart, make_epochs(chart), make_values(chart)};
    append_legend(svg, chart);
    append_axes(svg, &at);
    for (int i = 0; i < chart->line_count; i++) {
        append_path(svg, &at, &chart->lines[i]);
        if (chart->count <= MOST_MARKS && !chart->plain)
            append_marks(svg, &at, &chart->lines[i]);
    }
}
