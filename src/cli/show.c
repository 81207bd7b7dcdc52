#include "cli/show.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"

enum { MOST_COLUMNS = 78, HALVES = 2 };

static bool has_colors(void)
{
    const char *kind = getenv("TERM"), *none = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb") != 0 && !(none && *none);
}

/* The pixel as red, green, blue of 0 to 255; black below the last row. */
static void pixel_color(int color[3], const float *values, const int shape[3], int y, int x)
{
    size_t plane = (size_t)shape[1] * (size_t)shape[2];
    for (int c = 0; c < 3; c++) {
        color[c] = 0;
        if (y < shape[1]) {
            float value = values[(shape[0] == 3 ? (size_t)c * plane : 0) +
                                 (size_t)y * (size_t)shape[2] + (size_t)x];
            color[c] = (int)(value * 255.0f + 0.5f);
        }
    }
}

/* The upper and the lower pixel of one character. */
static void print_pair(int pair[HALVES][3], bool colors)
{
    static const char *const blocks[] = {" ", "\xe2\x96\x80", "\xe2\x96\x84", "\xe2\x96\x88"};
    if (colors) {
        cli_print("\033[38;2;%d;%d;%d;48;2;%d;%d;%dm%s", pair[0][0], pair[0][1], pair[0][2],
                  pair[1][0], pair[1][1], pair[1][2], blocks[1]);
        return;
    }
    int lit = 0;
    for (int half = 0; half < HALVES; half++)
        lit |= (299 * pair[half][0] + 587 * pair[half][1] + 114 * pair[half][2] >= 127500) << half;
    cli_print("%s", blocks[lit]);
}

void cli_show_image(const float *values, const int shape[3])
{
    bool colors = has_colors();
    int step = (shape[2] + MOST_COLUMNS - 1) / MOST_COLUMNS;
    for (int y = 0; y < shape[1]; y += HALVES * step) {
        for (int x = 0; x < shape[2]; x += step) {
            int pair[HALVES][3];
            for (int half = 0; half < HALVES; half++)
                pixel_color(pair[half], values, shape, y + half * step, x);
            print_pair(pair, colors);
        }
        cli_print(colors ? "\033[0m\n" : "\n");
    }
}
