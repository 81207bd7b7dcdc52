#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/plain.h"
#include "base/status.h"
#include "base/text.h"

char *cnn_json_dump(const json_t *json, size_t flags)
{
    locale_t before = cnn_plain_enter();
    char *text = json_dumps(json, flags);
    cnn_plain_leave(before);
    return text;
}

json_t *cnn_json_parse(const char *text, size_t size, size_t flags, json_error_t *error)
{
    locale_t before = cnn_plain_enter();
    json_t *json = json_loadb(text, size, flags, error);
    cnn_plain_leave(before);
    return json;
}

cnn_status cnn_json_to_text(char **text, json_t *root)
{
    *text = NULL;
    if (!root)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for a JSON document");
    char *dump = cnn_json_dump(root, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(root);
    if (!dump)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for a JSON document");
    cnn_text buffer = {0};
    cnn_text_append(&buffer, "%s\n", dump);
    free(dump);
    return cnn_text_take(text, &buffer);
}

json_t *cnn_json_string(const char *text)
{
    json_t *json = json_string(text);
    return json ? json : json_string("?");
}

json_t *cnn_json_uint64(uint64_t value)
{
    char text[32];
    if (value <= INT64_MAX)
        return json_integer((json_int_t)value);
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

bool cnn_json_get_uint64(uint64_t *value, const json_t *json)
{
    const char *text = json_string_value(json);
    if (!text) {
        json_int_t whole = json_integer_value(json);
        if (!json_is_integer(json) || whole < 0)
            return false;
        *value = (uint64_t)whole;
        return true;
    }
    char *end;
    errno = 0;
    uint64_t read = strtoull(text, &end, 10); /* it would take blanks and a sign */
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
        return false;
    *value = read;
    return true;
}

cnn_status cnn_json_write_events(const char *path, json_t *events)
{
    const size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15); /* nanoseconds of some hours */
    json_t *root =
        events ? json_pack("{s:s, s:o}", "displayTimeUnit", "ms", "traceEvents", events) : NULL;
    char *text = root ? cnn_json_dump(root, flags) : NULL;
    cnn_status status = CNN_OK;
    if (text) {
        const cnn_piece pieces[] = {{text, strlen(text)}, {"\n", 1}};
        status = cnn_file_write_atomic(path, pieces, sizeof pieces / sizeof pieces[0]);
    } else {
        status = cnn_fail(CNN_ERROR_MEMORY, "out of memory for a trace");
    }
    json_decref(root);
    free(text);
    return status;
}
