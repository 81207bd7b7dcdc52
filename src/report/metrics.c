/* NAME.metrics.csv: one row per epoch. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "report/run.h"

enum { MOST_TEXT = 1 << 28, COLUMNS = 10, MOST_EPOCHS = 1000001 };

static const char header[] = "epoch,step,loss,train_accuracy,val_accuracy,test_accuracy,seconds,"
                             "images_per_second,learning_rate,device";

/* The columns behind the epoch; the device is text. */
static const struct column {
    const char *name;
    size_t field; /* offset in cnn_metric */
    double high;
    const char *expected;
} columns[COLUMNS - 2] = {
    {"step", offsetof(cnn_metric, step), INFINITY, "a number from 0"},
    {"loss", offsetof(cnn_metric, loss), (double)FLT_MAX, "a number from 0 that a float holds"},
    {"train_accuracy", offsetof(cnn_metric, train_accuracy), 1.0, "a number of 0 to 1"},
    {"val_accuracy", offsetof(cnn_metric, val_accuracy), 1.0, "a number of 0 to 1"},
    {"test_accuracy", offsetof(cnn_metric, test_accuracy), 1.0, "a number of 0 to 1"},
    {"seconds", offsetof(cnn_metric, seconds), INFINITY, "a number from 0"},
    {"images_per_second", offsetof(cnn_metric, images_per_second), INFINITY, "a number from 0"},
    {"learning_rate", offsetof(cnn_metric, learning_rate), INFINITY, "a number from 0"},
};

/* Where a message points. */
typedef struct place {
    const char *path;
    size_t line; /* from 1 */
} place;

/* Ends the line at `line` and returns the next one, NULL behind the last. */
static char *cut_line(char *line)
{
    char *end = line + strcspn(line, "\n");
    char *next = *end ? end + 1 : NULL;
    *end = '\0';
    if (end > line && end[-1] == '\r')
        end[-1] = '\0';
    return next && *next ? next : NULL;
}

/* The end of the field at `text`; commas within quotes are text (RFC 4180). */
static char *end_field(char *text)
{
    bool quoted = false;
    for (; *text && (quoted || *text != ','); text++)
        quoted = quoted != (*text == '"');
    return text;
}

/* Cuts the line into its fields, and counts all there are. */
static int cut_fields(char *fields[COLUMNS], char *line)
{
    int count = 0;
    for (char *at = line;; at++) {
        if (count < COLUMNS)
            fields[count] = at;
        count++;
        at = end_field(at);
        if (!*at)
            return count;
        *at = '\0';
    }
}

/* Training may have written "nan" or "inf": a value, but none to draw. */
static bool is_not_finite(const char *text)
{
    if (*text == '-')
        text++;
    return strcmp(text, "nan") == 0 || strcmp(text, "inf") == 0;
}

static cnn_status read_field(cnn_metric *metric, const struct column *column, const char *text,
                             place at)
{
    double value = (double)NAN;
    bool good = true;
    if (is_not_finite(text))
        value = (double)INFINITY;
    else if (*text)
        good = cnn_parse_double(&value, text) && value >= 0.0 && value <= column->high;
    char quoted[CNN_QUOTE_SIZE];
    if (!good)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: line %zu: field %s: expected %s or nothing, found "
                        "'%s': correct it, or move the file away",
                        at.path, at.line, column->name, column->expected, cnn_quote(quoted, text));
    memcpy((char *)metric + column->field, &value, sizeof value);
    return CNN_OK;
}

static cnn_status read_line(cnn_metric *metric, int before, char *line, place at)
{
    char *fields[COLUMNS], quoted[CNN_QUOTE_SIZE];
    int count = cut_fields(fields, line);
    int64_t epoch;
    if (count != COLUMNS)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: line %zu: expected %d fields, found %d: correct it, or move the file "
                        "away",
                        at.path, at.line, COLUMNS, count);
    if (!cnn_parse_int(&epoch, fields[0], -1, MOST_EPOCHS) || epoch <= before)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: line %zu: field epoch: expected an integer above %d, found '%s': "
                        "correct it, or move the file away",
                        at.path, at.line, before, cnn_quote(quoted, fields[0]));
    metric->epoch = (int)epoch;
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < COLUMNS - 2; i++)
        status = read_field(metric, &columns[i], fields[i + 1], at);
    return status;
}

static cnn_status read_lines(cnn_metric **metrics, size_t *count, char *text, const char *path)
{
    size_t lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    cnn_status status = cnn_allocate(metrics, lines, sizeof **metrics, "the epochs of a run");
    int before = -2;
    *count = 0;
    for (char *line = text; status == CNN_OK && line;) {
        char *next = cut_line(line);
        place at = {path, *count + 2};
        status = read_line(&(*metrics)[*count], before, line, at);
        before = (*metrics)[(*count)++].epoch;
        line = next;
    }
    return status;
}

cnn_status cnn_metrics_read(cnn_metric **metrics, size_t *count, const char *path)
{
    void *data = NULL;
    size_t size;
    char quoted[CNN_QUOTE_SIZE];
    cnn_status status = CNN_OK;
    *metrics = NULL;
    *count = 0;
    CNN_TRY(cnn_file_read(&data, &size, path, MOST_TEXT));
    if (memchr(data, '\0', size)) {
        status = cnn_fail(CNN_ERROR_DATA, "%s: expected lines of text, found a zero byte", path);
        goto out;
    }
    char *next = cut_line(data);
    if (strcmp(data, header) != 0) {
        status = cnn_fail(CNN_ERROR_DATA, "%s: line 1: expected the fields %s, found '%s'", path,
                          header, cnn_quote(quoted, data));
        goto out;
    }
    if (next)
        status = read_lines(metrics, count, next, path);
out:
    free(data);
    if (status != CNN_OK) {
        free(*metrics);
        *metrics = NULL;
        *count = 0;
    }
    return status;
}
