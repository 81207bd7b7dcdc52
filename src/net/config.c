/* The options of the network family: their names, ranges, text and JSON. Everything that is known
 * about an option is in this file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "net/network.h"

enum { MAX_DIM = 65535, MAX_KSIZE = 11, MAX_WIDTH = 1 << 20 };

/* Each setter parses text into the configuration; false where the text does not fit. */
typedef bool (*setter)(cnn_config *config, const char *text);

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length >= CNN_MAX_NAME || text[0] == '.' || text[0] == '-')
        return false;
    for (const char *at = text; *at; at++)
        if (!cnn_is_alphanumeric(*at) && !strchr("._-", *at))
            return false;
    return true;
}

static bool set_name(cnn_config *config, const char *text)
{
    if (!is_name(text))
        return false;
    snprintf(config->name, sizeof config->name, "%s", text);
    return true;
}

/* Parses exactly or at most `limit` comma-separated integers of low..high. */
static bool parse_list(int *values, int *count, const char *text, int limit, int low, int high)
{
    *count = 0;
    for (;;) {
        char item[16];
        size_t length = strcspn(text, ",");
        if (length >= sizeof item || *count == limit)
            return false;
        memcpy(item, text, length);
        item[length] = '\0';
        int64_t value;
        if (!cnn_parse_int(&value, item, low, high))
            return false;
        values[(*count)++] = (int)value;
        if (text[length] == '\0')
            return true;
        text += length + 1;
    }
}

static bool set_xdim(cnn_config *config, const char *text)
{
    int count;
    return parse_list(config->xdim, &count, text, 3, 1, MAX_DIM) && count == 3;
}

static bool set_ksize(cnn_config *config, const char *text)
{
    int64_t value;
    if (!cnn_parse_int(&value, text, 1, MAX_KSIZE))
        return false;
    config->ksize = (int)value;
    return true;
}

static bool parse_widths(int *widths, int *count, const char *text)
{
    if (strcmp(text, "none") == 0) {
        *count = 0;
        return true;
    }
    return parse_list(widths, count, text, CNN_MAX_BLOCKS, 1, MAX_WIDTH);
}

static bool set_cdims(cnn_config *config, const char *text)
{
    return parse_widths(config->cdims, &config->cdim_count, text);
}

static bool set_hdims(cnn_config *config, const char *text)
{
    return parse_widths(config->hdims, &config->hdim_count, text);
}

static bool set_ydim(cnn_config *config, const char *text)
{
    int64_t value;
    if (!cnn_parse_int(&value, text, 1, CNN_NETWORK_MAX_CLASSES))
        return false;
    config->ydim = (int)value;
    return true;
}

static bool set_batchnorm(cnn_config *config, const char *text)
{
    config->batchnorm = strcmp(text, "true") == 0;
    return config->batchnorm || strcmp(text, "false") == 0;
}

/* Kept channels are scaled by 1 / (1 - p). */
static const cnn_range dropout_range = {0.0, 1.0, true, "a number in [0, 1)"};

static bool set_dropout(cnn_config *config, const char *text)
{
    return cnn_take_number(&config->dropout, &dropout_range, text, "dropout") == CNN_OK;
}

static const struct option_row {
    const char *key;
    setter set;
    const char *expected;
} options[] = {
    {"name", set_name,
     "a name of letters, digits, '.', '_' and '-', at most 63, not starting with '.' or '-'"},
    {"xdim", set_xdim, "three integers of 1 to 65535: channels,height,width"},
    {"ksize", set_ksize, "an integer of 1 to 11"},
    {"cdims", set_cdims,
     "integers of 1 to 1048576 with one comma between two, at most 64, or none"},
    {"hdims", set_hdims,
     "integers of 1 to 1048576 with one comma between two, at most 64, or none"},
    {"ydim", set_ydim, "an integer of 1 to 65535"},
    {"batchnorm", set_batchnorm, "true or false"},
    {"dropout", set_dropout, "a number in [0, 1)"},
};

enum { OPTION_COUNT = sizeof options / sizeof options[0] };

void cnn_config_init(cnn_config *config)
{
    if (!config)
        return;
    *config = (cnn_config){
        .name = "cnn",
        .xdim = {1, 28, 28},
        .ksize = 3,
        .cdim_count = 2,
        .cdims = {32, 64},
        .hdim_count = 1,
        .hdims = {32},
        .ydim = 10,
        .batchnorm = false,
        .dropout = 0.5,
    };
}

cnn_status cnn_config_set(cnn_config *config, const char *key, const char *value)
{
    CNN_NEED(config, key, value);
    for (int i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(key, options[i].key) != 0)
            continue;
        cnn_config changed = *config;
        if (options[i].set(&changed, value))
            *config = changed;
        else if (options[i].set == set_dropout)
            return CNN_ERROR_ARGUMENT; /* said already, with its float32 */
        else
            return cnn_fail(CNN_ERROR_ARGUMENT, "--%s: expected %s, found '%s'", key,
                            options[i].expected, value);
        return CNN_OK;
    }
    return cnn_fail(CNN_ERROR_ARGUMENT, "no network option is called '%s'", key);
}

static cnn_status check_range(const char *key, int value, int low, int high)
{
    if (value >= low && value <= high)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT, "--%s: expected %d to %d, found %d", key, low, high, value);
}

static cnn_status check_list(const char *key, const int *values, int count, int high)
{
    cnn_status status = check_range(key, count, 0, CNN_MAX_BLOCKS);
    for (int i = 0; status == CNN_OK && i < count; i++)
        status = check_range(key, values[i], 1, high);
    return status;
}

cnn_status cnn_config_check(const cnn_config *config)
{
    cnn_status status = CNN_OK;
    if (!memchr(config->name, '\0', sizeof config->name) || !is_name(config->name))
        return cnn_fail(CNN_ERROR_ARGUMENT, "--name: expected %s", options[0].expected);
    CNN_TRY(check_list("xdim", config->xdim, 3, MAX_DIM));
    CNN_TRY(check_range("ksize", config->ksize, 1, MAX_KSIZE));
    CNN_TRY(check_list("cdims", config->cdims, config->cdim_count, MAX_WIDTH));
    CNN_TRY(check_list("hdims", config->hdims, config->hdim_count, MAX_WIDTH));
    CNN_TRY(check_range("ydim", config->ydim, 1, CNN_NETWORK_MAX_CLASSES));
    status = cnn_check_number(&dropout_range, config->dropout, "dropout");
out:
    return status;
}

static json_t *list_to_json(const int *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_integer(values[i]));
    return list;
}

cnn_status cnn_config_to_json(char **json, const cnn_config *config)
{
    *json = NULL;
    json_t *root = json_pack("{s:s, s:o, s:i, s:o, s:o, s:i, s:b, s:f}", "name", config->name,
                             "xdim", list_to_json(config->xdim, 3), "ksize", config->ksize, "cdims",
                             list_to_json(config->cdims, config->cdim_count), "hdims",
                             list_to_json(config->hdims, config->hdim_count), "ydim", config->ydim,
                             "batchnorm", config->batchnorm, "dropout", config->dropout);
    if (root)
        *json = cnn_json_dump(root, JSON_COMPACT);
    json_decref(root);
    return *json ? CNN_OK : cnn_fail(CNN_ERROR_MEMORY, "out of memory for a configuration");
}

/* A JSON value as the text that the command line would take: lists are joined with commas. */
static bool json_to_option(cnn_text *text, const json_t *value)
{
    if (json_is_string(value)) {
        cnn_text_append(text, "%s", json_string_value(value));
    } else if (json_is_integer(value)) {
        cnn_text_append(text, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        /* jansson writes a decimal point in every locale. */
        char *number = cnn_json_dump(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        cnn_text_append(text, "%s", number ? number : "");
        free(number);
    } else if (json_is_boolean(value)) {
        cnn_text_append(text, "%s", json_is_true(value) ? "true" : "false");
    } else if (json_is_array(value)) {
        size_t count = json_array_size(value);
        for (size_t i = 0; i < count; i++) {
            const json_t *item = json_array_get(value, i);
            if (!json_is_integer(item))
                return false;
            cnn_text_append(text, "%s%lld", i ? "," : "", (long long)json_integer_value(item));
        }
        if (count == 0)
            cnn_text_append(text, "none");
    } else {
        return false;
    }
    return true;
}

static cnn_status set_from_json(cnn_config *config, const json_t *root,
                                const struct option_row *option, const char *source)
{
    const json_t *value = json_object_get(root, option->key);
    if (!value)
        return CNN_OK; /* the default */
    cnn_text text = {0};
    char *string = NULL;
    bool good = json_to_option(&text, value);
    cnn_status status = cnn_text_take(&string, &text);
    if (status == CNN_OK && (!good || !option->set(config, string))) {
        char quoted[CNN_QUOTE_SIZE];
        status = cnn_fail(CNN_ERROR_DATA, "%s: the network's option '%s': expected %s, found '%s'",
                          source, option->key, option->expected, cnn_quote(quoted, string));
    }
    free(string);
    return status;
}

/* An option that this version does not know may change what the network computes. */
static cnn_status refuse_unknown(json_t *root, const char *source)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        int i = 0;
        while (i < OPTION_COUNT && strcmp(key, options[i].key) != 0)
            i++;
        char quoted[CNN_QUOTE_SIZE];
        if (i == OPTION_COUNT)
            return cnn_fail(CNN_ERROR_DATA,
                            "%s: the network's option '%s' is unknown to this version (%s)", source,
                            cnn_quote(quoted, key), cnn_version());
    }
    return CNN_OK;
}

cnn_status cnn_config_from_json(cnn_config *config, const char *json, const char *source)
{
    json_error_t error;
    json_t *root = cnn_json_parse(json, strlen(json), JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return cnn_fail(CNN_ERROR_DATA, "%s: expected a JSON object with the network's options",
                        source);
    }
    cnn_config result;
    cnn_config_init(&result);
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < OPTION_COUNT; i++)
        status = set_from_json(&result, root, &options[i], source);
    if (status == CNN_OK)
        status = refuse_unknown(root, source);
    json_decref(root);
    if (status == CNN_OK)
        *config = result;
    return status;
}
