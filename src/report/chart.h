/* Line charts over epochs, as SVG: text stays text, and colours are the page's. */
#ifndef REPORT_CHART_H
#define REPORT_CHART_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { CNN_CHART_WIDTH = 440, CNN_CHART_HEIGHT = 270, CNN_CHART_LINES = 3 };

/* y, of each epoch. NaN: not measured, the line goes on past it; infinite: no number, a gap. */
typedef struct cnn_chart_line {
    const char *name;  /* of the legend */
    const char *style; /* a class of cnn_chart_style() */
    double *y;         /* (count) */
} cnn_chart_line;

typedef struct cnn_chart {
    const char *title;
    bool percent; /* y is a share of 0 to 1 */
    bool plain;   /* a line alone: its points are not marked */
    const double *x; /* (count) epochs and parts of them, rising */
    size_t count;
    int line_count;
    cnn_chart_line lines[CNN_CHART_LINES];
} cnn_chart;

/* Is there a finite value? */
bool cnn_chart_line_is_empty(const cnn_chart_line *line, size_t count);

/* Appends what stands within an <svg>: 0 to CNN_CHART_WIDTH across, 0 to CNN_CHART_HEIGHT down. */
void cnn_chart_append(cnn_text *svg, const cnn_chart *chart);

/* CSS of the charts: the styles "c0" to "c2", axes, text. Takes its colours from the variables
 * --c0, --c1, --c2, --text, --muted, --line. */
const char *cnn_chart_style(void);

#endif
