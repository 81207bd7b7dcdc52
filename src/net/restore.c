/* What files keep of a network, and which one that was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "net/network.h"

cnn_status cnn_network_rename(cnn_network *network, const char *name)
{
    cnn_config config;
    cnn_config_init(&config);
    cnn_status status = cnn_config_set(&config, "name", name);
    if (status != CNN_OK)
        return status;
    snprintf(network->name, sizeof network->name, "%s", name);
    if (network->family)
        snprintf(network->family->name, sizeof network->family->name, "%s", name);
    return CNN_OK;
}

cnn_status cnn_network_to_json(char **json, const cnn_network *network)
{
    *json = NULL;
    if (network->family)
        return cnn_config_to_json(json, network->family);
    json_t *root =
        json_pack("{s:s, s:[i, i, i], s:i}", "name", network->name, "xdim", network->input[0],
                  network->input[1], network->input[2], "ydim", network->classes);
    if (root)
        *json = cnn_json_dump(root, JSON_COMPACT);
    json_decref(root);
    return *json ? CNN_OK : cnn_fail(CNN_ERROR_MEMORY, "out of memory for a network's name");
}

/* Only the family has kernels of one size. What is no JSON at all is refused as the family's. */
static bool is_family(const char *json)
{
    json_t *root = cnn_json_parse(json, strlen(json), JSON_REJECT_DUPLICATES, NULL);
    bool found =
        !json_is_object(root) || json_object_get(root, "ksize") || json_object_get(root, "cdims");
    json_decref(root);
    return found;
}

/* A network that cannot be is the file's fault here, not the caller's. */
static cnn_status blame(const char *source, cnn_status status)
{
    return status == CNN_ERROR_ARGUMENT
               ? cnn_fail(CNN_ERROR_DATA, "%s: %s", source, cnn_error_message())
               : status;
}

/* Both are there, and were written of one network. Files of earlier versions have no text. */
static cnn_status check_text(const cnn_network *network, const char *text, const char *source)
{
    char *expected = NULL;
    cnn_status status = text ? cnn_network_to_text(&expected, network) : CNN_OK;
    if (status == CNN_OK && text && strcmp(text, expected) != 0)
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: cnn-cl.network: expected the network that cnn-cl.config has the "
                          "options of, found another: the file is damaged",
                          source);
    free(expected);
    return status;
}

cnn_status cnn_network_restore(cnn_network **network, const char *json, const char *text,
                               const char *source)
{
    cnn_config config;
    cnn_network *made = NULL;
    json_t *root = NULL;
    cnn_status status = CNN_OK;
    *network = NULL;
    if (!text || is_family(json)) {
        CNN_TRY(cnn_config_from_json(&config, json, source));
        CNN_TRY(blame(source, cnn_network_create(&made, &config)));
        CNN_TRY(check_text(made, text, source));
        *network = made;
        return CNN_OK;
    }
    root = cnn_json_parse(json, strlen(json), JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(root, "name"));
    CNN_TRY(blame(source, cnn_network_from_text(&made, "network", text, source, NULL)));
    if (name)
        CNN_TRY(blame(source, cnn_network_rename(made, name)));
    *network = made;
    made = NULL;
out:
    cnn_network_destroy(made);
    json_decref(root);
    return status;
}

static void append_list(cnn_text *text, const char *option, const int *values, int count)
{
    cnn_text_append(text, "%s ", option);
    if (count == 0)
        cnn_text_append(text, "none");
    for (int i = 0; i < count; i++)
        cnn_text_append(text, "%s%d", i ? "," : "", values[i]);
}

cnn_status cnn_network_arguments(char **arguments, const cnn_network *network)
{
    const cnn_config *config = network->family;
    cnn_text text = {0};
    if (!config)
        cnn_text_append(&text, "--net %s ", network->name);
    append_list(&text, "--xdim", network->input, 3);
    if (config) {
        cnn_text_append(&text, " --ksize %d", config->ksize);
        append_list(&text, " --cdims", config->cdims, config->cdim_count);
        append_list(&text, " --hdims", config->hdims, config->hdim_count);
    }
    cnn_text_append(&text, " --ydim %d", network->classes);
    if (config)
        cnn_text_append(&text, " --dropout %g%s", config->dropout,
                        config->batchnorm ? " --batchnorm" : "");
    return cnn_text_take(arguments, &text);
}

static cnn_status say(char **difference, cnn_text *text)
{
    return cnn_text_take(difference, text);
}

/* The first option that differs, as JSON has it. */
static cnn_status compare_families(char **difference, const cnn_config *now, const cnn_config *then,
                                   const char *source)
{
    enum { FLAGS = JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9) };
    char *texts[2] = {NULL, NULL};
    json_t *found = NULL, *expected = NULL, *value;
    cnn_text text = {0};
    const char *key;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_config_to_json(&texts[0], now));
    CNN_TRY(cnn_config_to_json(&texts[1], then));
    found = cnn_json_parse(texts[0], strlen(texts[0]), 0, NULL);
    expected = cnn_json_parse(texts[1], strlen(texts[1]), 0, NULL);
    json_object_foreach(expected, key, value)
    {
        const json_t *other = json_object_get(found, key);
        if (json_equal(other, value))
            continue;
        char *before = cnn_json_dump(value, FLAGS), *after = cnn_json_dump(other, FLAGS);
        cnn_text_append(&text, "--%s: expected %s as in %s, found %s", key, before ? before : "",
                        source, after ? after : "");
        free(before);
        free(after);
        status = say(difference, &text);
        break;
    }
out:
    json_decref(found);
    json_decref(expected);
    free(texts[0]);
    free(texts[1]);
    return status;
}

/* The first line that differs. */
static cnn_status compare_texts(char **difference, const char *now, const char *then,
                                const char *source)
{
    cnn_text text = {0};
    size_t line = 0, i = 0;
    for (; now[i] && now[i] == then[i]; i++)
        if (now[i] == '\n')
            line = i + 1;
    if (!now[i] && !then[i])
        return CNN_OK;
    cnn_text_append(&text, "--net: expected the line '%.*s' as in %s, found '%.*s'",
                    (int)strcspn(then + line, "\n"), then + line, source,
                    (int)strcspn(now + line, "\n"), now + line);
    return say(difference, &text);
}

cnn_status cnn_network_compare(char **difference, const cnn_network *now, const cnn_network *then,
                               const char *source)
{
    char *texts[2] = {NULL, NULL};
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    *difference = NULL;
    if (now->family && then->family)
        return compare_families(difference, now->family, then->family, source);
    CNN_TRY(cnn_network_to_text(&texts[0], now));
    CNN_TRY(cnn_network_to_text(&texts[1], then));
    CNN_TRY(compare_texts(difference, texts[0], texts[1], source));
    if (!*difference && strcmp(now->name, then->name) != 0) {
        cnn_text_append(&text, "--name: expected \"%s\" as in %s, found \"%s\"", then->name, source,
                        now->name);
        status = say(difference, &text);
    }
out:
    free(texts[0]);
    free(texts[1]);
    return status;
}
