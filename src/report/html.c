#include "report/html.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "picture/utf8.h"

static void append_escaped(cnn_text *html, const char *text)
{
    static const char special[] = "<>&\"'";
    while (*text) {
        size_t plain = strcspn(text, special);
        cnn_text_append_bytes(html, text, plain);
        text += plain;
        if (*text)
            cnn_text_append(html, "&#%d;", *text++);
    }
}

void cnn_html_text(cnn_text *html, const char *text)
{
    char *repaired;
    if (cnn_utf8_repair(&repaired, text) != CNN_OK) {
        html->failed = true;
        return;
    }
    append_escaped(html, repaired);
    free(repaired);
}

/* RFC 4648, section 4. */
static void append_base64(cnn_text *html, const char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < size; i += 3) {
        size_t count = size - i < 3 ? size - i : 3;
        unsigned group = (unsigned)bytes[i] << 16;
        group |= count > 1 ? (unsigned)bytes[i + 1] << 8 : 0;
        group |= count > 2 ? bytes[i + 2] : 0;
        char out[4] = {digits[group >> 18], digits[group >> 12 & 63], digits[group >> 6 & 63],
                       digits[group & 63]};
        memset(out + count + 1, '=', 3 - count);
        cnn_text_append_bytes(html, out, sizeof out);
    }
}

void cnn_html_png(cnn_text *html, const cnn_text *png, int width, int height, const char *alt)
{
    cnn_text_append(html, "<img width=\"%d\" height=\"%d\" alt=\"", width, height);
    cnn_html_text(html, alt);
    cnn_text_append(html, "\" src=\"data:image/png;base64,");
    append_base64(html, png->data, png->length);
    cnn_text_append(html, "\"/>");
}

const char *cnn_figure_count(char buffer[CNN_FIGURE_SIZE], uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, count), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            buffer[at++] = ',';
        buffer[at++] = digits[i];
    }
    buffer[at] = '\0';
    return buffer;
}

const char *cnn_figure_percent(char buffer[CNN_FIGURE_SIZE], double share)
{
    if (isnan(share))
        snprintf(buffer, CNN_FIGURE_SIZE, "\xe2\x80\x93");
    else
        cnn_format(buffer, CNN_FIGURE_SIZE, "%.1f%%", 100.0 * share);
    return buffer;
}

const char *cnn_figure_duration(char buffer[CNN_FIGURE_SIZE], double seconds)
{
    unsigned long whole = (unsigned long)fmin(seconds + 0.5, 4e9);
    if (seconds < 1.0)
        cnn_format(buffer, CNN_FIGURE_SIZE, "%.0f ms", 1e3 * seconds);
    else if (seconds < 60.0)
        cnn_format(buffer, CNN_FIGURE_SIZE, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(buffer, CNN_FIGURE_SIZE, "%lu min %lu s", whole / 60, whole % 60);
    else
        snprintf(buffer, CNN_FIGURE_SIZE, "%lu h %lu min", whole / 3600, whole / 60 % 60);
    return buffer;
}
