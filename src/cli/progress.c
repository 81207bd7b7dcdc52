/* The progress bar: the last line of a terminal on stderr. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"

enum { DEFAULT_WIDTH = 80, LINE_SIZE = 256, BAR_WIDTH = 24, BAR_MINIMUM = 4 };

static const double redraw_seconds = 0.1;

static bool is_shown;
static double shown_at;

double cli_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool is_terminal(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
}

static size_t terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return DEFAULT_WIDTH;
    return size.ws_col;
}

static void format_duration(char *text, size_t size, double seconds)
{
    unsigned long whole = (unsigned long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, size, "%lu:%02lu", whole / 60, whole % 60);
}

static void format_bar(char *bar, size_t width, const cnn_progress *progress)
{
    size_t full = progress->steps ? width * progress->step / progress->steps : 0;
    bar[0] = '[';
    for (size_t i = 0; i < width; i++)
        bar[1 + i] = i < full ? '#' : '.';
    memcpy(bar + 1 + width, "] ", sizeof "] ");
}

/* The line fits `room` columns: the bar shrinks first, then the line's end goes. */
static void format_line(char line[LINE_SIZE], const cnn_progress *progress, size_t room)
{
    char head[64], tail[160], left[32], loss[48] = "", bar[BAR_WIDTH + 4] = "";
    double rate = progress->seconds > 0.0 ? (double)progress->images / progress->seconds : 0.0;
    double rest = progress->step ? progress->seconds * (double)(progress->steps - progress->step) /
                                       (double)progress->step
                                 : 0.0;
    format_duration(left, sizeof left, rest);
    if (progress->epoch < 0)
        snprintf(head, sizeof head, "%s ", progress->phase);
    else
        snprintf(head, sizeof head, "epoch:[%d] %s ", progress->epoch, progress->phase);
    if (progress->epoch >= 0 && isfinite(progress->loss))
        snprintf(loss, sizeof loss, "  loss:[%.3f]", progress->loss);
    snprintf(tail, sizeof tail, "%zu/%zu%s  %.0f images/s  %s left", progress->step,
             progress->steps, loss, rate, left);
    size_t needed = strlen(head) + strlen(tail) + sizeof "[] " - 1;
    if (room >= needed + BAR_MINIMUM) {
        size_t width = room - needed;
        format_bar(bar, width < BAR_WIDTH ? width : BAR_WIDTH, progress);
    }
    snprintf(line, LINE_SIZE, "%s%s%s", head, bar, tail);
    if (strlen(line) > room)
        line[room] = '\0';
}

void cli_progress_show(const cnn_progress *progress)
{
    double time = cli_seconds();
    if (!is_terminal() || time - shown_at < redraw_seconds)
        return;
    char line[LINE_SIZE];
    size_t width = terminal_width();
    format_line(line, progress, width - 1); /* a full last column would wrap */
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    is_shown = true;
    shown_at = time;
}

void cli_progress_clear(void)
{
    if (!is_shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    is_shown = false;
}
