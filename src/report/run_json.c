/* NAME.run.json: what a run was. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "report/run.h"

enum { MOST_TEXT = 1 << 24 };

/* Each may be missing; one that is there has this type. More fields than these are welcome. */
static const struct field {
    const char *name;
    json_type type;
    const char *expected;
} fields[] = {
    {"name", JSON_STRING, "text"},
    {"version", JSON_STRING, "text"},
    {"device", JSON_STRING, "text"},
    {"platform", JSON_STRING, "text"},
    {"driver", JSON_STRING, "text"},
    {"data", JSON_STRING, "text"},
    {"train_images", JSON_INTEGER, "an integer from 0"},
    {"val_images", JSON_INTEGER, "an integer from 0"},
    {"test_images", JSON_INTEGER, "an integer from 0"},
    {"network", JSON_OBJECT, "an object"},
    {"options", JSON_OBJECT, "an object"},
};

static cnn_status check_field(const json_t *json, const struct field *field, const char *path)
{
    const json_t *value = json_object_get(json, field->name);
    if (!value)
        return CNN_OK;
    bool good = json_typeof(value) == field->type;
    if (good && field->type == JSON_INTEGER)
        good = json_integer_value(value) >= 0;
    if (good)
        return CNN_OK;
    char *text = cnn_json_dump(value, JSON_ENCODE_ANY | JSON_COMPACT), quoted[CNN_QUOTE_SIZE];
    cnn_status status = cnn_fail(
        CNN_ERROR_DATA, "%s: field %s: expected %s, found %s: correct it, or move the file away",
        path, field->name, field->expected, cnn_quote(quoted, text ? text : "?"));
    free(text);
    return status;
}

cnn_status cnn_run_json_read(json_t **json, const char *path)
{
    void *data = NULL;
    size_t size;
    json_error_t error;
    cnn_status status = CNN_OK;
    *json = NULL;
    CNN_TRY(cnn_file_read(&data, &size, path, MOST_TEXT));
    *json = cnn_json_parse(data, size, JSON_REJECT_DUPLICATES, &error);
    if (!*json) {
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: line %d: expected JSON: %s: correct it, or move the file away", path,
                          error.line, error.text);
        goto out;
    }
    if (!json_is_object(*json)) {
        status = cnn_fail(CNN_ERROR_DATA, "%s: line 1: expected a JSON object, found another value",
                          path);
        goto out;
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        CNN_TRY(check_field(*json, &fields[i], path));
out:
    free(data);
    if (status != CNN_OK) {
        json_decref(*json);
        *json = NULL;
    }
    return status;
}

const char *cnn_run_text(const cnn_run *run, const char *key)
{
    return json_string_value(json_object_get(run->json, key));
}

int64_t cnn_run_number(const cnn_run *run, const char *key)
{
    const json_t *value = json_object_get(run->json, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : -1;
}
