/* The words of HTML: text that is escaped, pictures within the page, figures for people. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* Appends text of unknown origin, for elements and quoted attributes: <>&"' are escaped, wrong
 * UTF-8 and control characters become '?'. */
void cnn_html_text(cnn_text *html, const char *text);

/* Appends a PNG as an <img> that holds it. alt is escaped here. */
void cnn_html_png(cnn_text *html, const cnn_text *png, int width, int height, const char *alt);

enum { CNN_FIGURE_SIZE = 48 };
/* "60,000". Each returns buffer. */
const char *cnn_figure_count(char buffer[CNN_FIGURE_SIZE], uint64_t count);
/* "98.2%" of a share of 0 to 1; a dash for NaN. */
const char *cnn_figure_percent(char buffer[CNN_FIGURE_SIZE], double share);
/* "850 ms", "58.3 s", "12 min 5 s", "3 h 20 min". */
const char *cnn_figure_duration(char buffer[CNN_FIGURE_SIZE], double seconds);

#endif
