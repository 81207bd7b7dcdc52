/* Layers by shell patterns of their names. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "net/network.h"

enum { LISTED = 10 };

/* Has it values that training changes? */
static bool has_values(const cnn_layer *layer)
{
    return layer->param_count > 0 || layer->statistic_count > 0;
}

/* With what stands before it in its tensors' names, or without. */
static bool matches(const cnn_network *network, const cnn_layer *layer, const char *pattern)
{
    char name[CNN_LAYER_NAME_SIZE + 32];
    snprintf(name, sizeof name, "%s%s", network->prefix, layer->name);
    return fnmatch(pattern, layer->name, 0) == 0 || fnmatch(pattern, name, 0) == 0;
}

static cnn_status refuse(const cnn_network *network, const char *pattern, const char *option)
{
    char quoted[CNN_QUOTE_SIZE];
    cnn_text text = {0};
    char *list = NULL;
    int listed = 0;
    for (int i = 0; i < network->layer_count && listed <= LISTED; i++)
        if (has_values(&network->layers[i])) {
            cnn_text_append(&text, "%s%s", listed ? ", " : "",
                            listed < LISTED ? network->layers[i].name : "...");
            listed++;
        }
    cnn_status status = cnn_text_take(&list, &text);
    if (status == CNN_OK)
        status = cnn_fail(CNN_ERROR_ARGUMENT,
                          "%s: expected a pattern of names of layers with parameters (%s), found "
                          "'%s', which matches none of the network %s",
                          option, list, cnn_quote(quoted, pattern), network->name);
    free(list);
    return status;
}

static cnn_status match_one(bool *matched, const cnn_network *network, const char *pattern,
                            const char *option)
{
    bool any = false;
    for (int i = 0; i < network->layer_count; i++)
        if (has_values(&network->layers[i]) && matches(network, &network->layers[i], pattern))
            any = matched[i] = true;
    return any ? CNN_OK : refuse(network, pattern, option);
}

cnn_status cnn_network_match(bool *matched, const cnn_network *network, const char *patterns,
                             const char *option)
{
    cnn_status status = CNN_OK;
    const char *at = patterns;
    bool more = true;
    while (status == CNN_OK && more) {
        char pattern[CNN_MAX_PATTERNS];
        size_t length = strcspn(at, ",");
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, at);
        status = match_one(matched, network, pattern, option);
        more = at[length] == ',';
        at += length + more;
    }
    return status;
}
