#include "train/epoch.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

typedef enum field_kind { WHOLE, STEP, NUMBER, TEXT } field_kind;

typedef struct field_row {
    const char *name;
    size_t offset;
    field_kind kind;
} field_row;

static const field_row rows[] = {
    {"epoch", offsetof(cnn_epoch, index), WHOLE},
    {"step", offsetof(cnn_epoch, step), STEP},
    {"loss", offsetof(cnn_epoch, loss), NUMBER},
    {"train_accuracy", offsetof(cnn_epoch, train_accuracy), NUMBER},
    {"val_accuracy", offsetof(cnn_epoch, val_accuracy), NUMBER},
    {"test_accuracy", offsetof(cnn_epoch, test_accuracy), NUMBER},
    {"seconds", offsetof(cnn_epoch, seconds), NUMBER},
    {"images_per_second", offsetof(cnn_epoch, images_per_second), NUMBER},
    {"learning_rate", offsetof(cnn_epoch, learning_rate), NUMBER},
    {"device", offsetof(cnn_epoch, device), TEXT},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static const void *field_of(const cnn_epoch *epoch, const field_row *row)
{
    return (const char *)epoch + row->offset;
}

void cnn_epoch_append_header(cnn_text *text)
{
    for (int i = 0; i < ROWS; i++)
        cnn_text_append(text, "%s%s", i ? "," : "", rows[i].name);
    cnn_text_append(text, "\n");
}

/* RFC 4180: in quotes where it holds what separates fields, quotes doubled. */
static void append_quoted(cnn_text *text, const char *string)
{
    if (!strpbrk(string, ",\"\r\n")) {
        cnn_text_append(text, "%s", string);
        return;
    }
    cnn_text_append(text, "\"");
    for (; *string; string++)
        cnn_text_append(text, *string == '"' ? "\"\"" : "%c", *string);
    cnn_text_append(text, "\"");
}

static void append_field(cnn_text *text, const cnn_epoch *epoch, const field_row *row)
{
    const void *field = field_of(epoch, row);
    if (row->kind == WHOLE)
        cnn_text_append(text, "%d", *(const int *)field);
    else if (row->kind == STEP)
        cnn_text_append(text, "%" PRIu64, *(const uint64_t *)field);
    else if (row->kind == TEXT)
        append_quoted(text, *(const char *const *)field);
    else if (isfinite(*(const double *)field))
        cnn_text_append(text, "%.9g", *(const double *)field);
}

void cnn_epoch_append_csv(cnn_text *text, const cnn_epoch *epoch)
{
    for (int i = 0; i < ROWS; i++) {
        cnn_text_append(text, "%s", i ? "," : "");
        append_field(text, epoch, &rows[i]);
    }
    cnn_text_append(text, "\n");
}

static json_t *field_to_json(const cnn_epoch *epoch, const field_row *row)
{
    const void *field = field_of(epoch, row);
    if (row->kind == WHOLE)
        return json_integer(*(const int *)field);
    if (row->kind == STEP)
        return json_integer((json_int_t) * (const uint64_t *)field);
    if (row->kind == TEXT)
        return cnn_json_string(*(const char *const *)field);
    double number = *(const double *)field;
    return isfinite(number) ? json_real(number) : json_null();
}

json_t *cnn_epoch_to_json(const cnn_epoch *epoch)
{
    json_t *json = json_object();
    for (int i = 0; i < ROWS; i++)
        if (json_object_set_new(json, rows[i].name, field_to_json(epoch, &rows[i])) != 0) {
            json_decref(json);
            return NULL;
        }
    return json;
}

static bool field_from_json(cnn_epoch *epoch, const field_row *row, const json_t *value)
{
    void *field = (char *)epoch + row->offset;
    json_int_t whole = json_integer_value(value);
    switch (row->kind) {
    case WHOLE:
        *(int *)field = (int)whole;
        return json_is_integer(value) && whole >= -1 && whole <= INT_MAX;
    case STEP:
        *(uint64_t *)field = (uint64_t)whole;
        return json_is_integer(value) && whole >= 0;
    case TEXT:
        *(const char **)field = json_string_value(value);
        return json_is_string(value);
    default:
        *(double *)field = json_is_null(value) ? NAN : json_number_value(value);
        return json_is_null(value) || json_is_number(value);
    }
}

bool cnn_epoch_from_json(cnn_epoch *epoch, const json_t *json)
{
    *epoch = (cnn_epoch){0};
    for (int i = 0; i < ROWS; i++)
        if (!field_from_json(epoch, &rows[i], json_object_get(json, rows[i].name)))
            return false;
    epoch->evaluated = isfinite(epoch->train_accuracy);
    return true;
}
