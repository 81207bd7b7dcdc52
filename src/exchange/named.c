#include "exchange/named.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "exchange/fit.h"
#include "net/network.h"

enum {
    MAX_WIDTH = 65535,
    MOST_TRIES = 16 /* of widths */
};

/* Where no name is the network's: the last matrix of the file, as a classifier stands last. */
static const cnn_raw_tensor *last_matrix(const cnn_state_dict *dict)
{
    for (size_t i = dict->count; i-- > 0;)
        if (dict->tensors[i].rank == 2)
            return &dict->tensors[i];
    return NULL;
}

/* The file's width of the network's last layer with parameters; 0 where it does not tell. */
static int find_width(const cnn_model *model, const cnn_state_dict *dict)
{
    const cnn_raw_tensor *found = NULL;
    size_t last = model->slot_count;
    for (size_t i = 0; i < model->slot_count; i++)
        if (model->slots[i].info.trainable &&
            (last == model->slot_count || model->slots[i].layer != model->slots[last].layer))
            last = i;
    if (last < model->slot_count)
        found = cnn_fit_find(model, last, dict);
    if (!found)
        found = last_matrix(dict);
    bool good = found && found->rank > 0 && found->shape[0] > 0 && found->shape[0] <= MAX_WIDTH;
    return good ? found->shape[0] : 0;
}

void cnn_name_of_file(char name[CNN_MAX_NAME], const char *path)
{
    static const char ending[] = ".net";
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t length = strlen(base), tail = sizeof ending - 1;
    if (length > tail && strcmp(base + length - tail, ending) == 0)
        length -= tail;
    snprintf(name, CNN_MAX_NAME, "%.*s", (int)(length < CNN_MAX_NAME ? length : CNN_MAX_NAME),
             base);
}

/* Is the file's last layer as wide as the network? */
static cnn_status has_width(bool *has, const cnn_network *network, const cnn_state_dict *dict)
{
    cnn_model *model = NULL;
    cnn_status status = cnn_model_describe(&model, network);
    *has = status == CNN_OK && find_width(model, dict) == cnn_network_classes(network);
    cnn_model_destroy(model);
    return status;
}

/* Widths that the file's matrices have, and then those of its convolutions, the last first. */
static int list_widths(int widths[MOST_TRIES], const cnn_state_dict *dict)
{
    static const int ranks[] = {2, 4};
    int count = 0;
    for (size_t r = 0; r < sizeof ranks / sizeof ranks[0]; r++)
        for (size_t i = dict->count; i-- > 0 && count < MOST_TRIES;) {
            const cnn_raw_tensor *tensor = &dict->tensors[i];
            int width = tensor->shape[0], at = 0;
            while (at < count && widths[at] != width)
                at++;
            if (tensor->rank == ranks[r] && at == count && width > 0 && width <= MAX_WIDTH)
                widths[count++] = width;
        }
    return count;
}

/* A network that cannot be with the usual number of classes: with one that a layer of the file is
 * wide. Where none is right, what is wrong with the likeliest is told. */
static cnn_status try_widths(cnn_network **network, const char *name, const char *path,
                             const cnn_state_dict *dict, const cnn_network_given *given)
{
    int widths[MOST_TRIES], count = list_widths(widths, dict);
    cnn_network_given tried = *given;
    cnn_status status = CNN_ERROR_ARGUMENT;
    bool has = false;
    for (int i = 0; i < count; i++) {
        tried.classes = widths[i];
        status = cnn_network_from_file(network, name, path, &tried);
        if (status == CNN_OK)
            status = has_width(&has, *network, dict);
        if (has || status == CNN_ERROR_MEMORY)
            return status;
        cnn_network_destroy(*network);
        *network = NULL;
    }
    tried.classes = count > 0 ? widths[0] : given->classes;
    return cnn_network_from_file(network, name, path, &tried);
}

/* The network of a path: first as it stands, which tells its last layer, then with its width. */
static cnn_status build(cnn_network **network, const char *path, const cnn_state_dict *dict,
                        const cnn_import_options *options)
{
    char name[CNN_MAX_NAME];
    cnn_network_given given = {.classes = options->ydim};
    cnn_network *first = NULL;
    cnn_model *model = NULL;
    cnn_status status = CNN_OK;
    cnn_name_of_file(name, path);
    const char *chosen = options->name ? options->name : name;
    if (options->xdim)
        memcpy(given.input, options->xdim, sizeof given.input);
    status = cnn_network_from_file(&first, chosen, path, &given);
    if (status == CNN_ERROR_ARGUMENT && given.classes == 0)
        return try_widths(network, chosen, path, dict, &given);
    if (status != CNN_OK)
        goto out;
    if (given.classes == 0) {
        CNN_TRY(cnn_model_describe(&model, first));
        given.classes = find_width(model, dict);
    }
    if (given.classes == 0 || given.classes == cnn_network_classes(first)) {
        *network = first;
        first = NULL;
    } else {
        CNN_TRY(cnn_network_from_file(network, chosen, path, &given));
    }
out:
    cnn_model_destroy(model);
    cnn_network_destroy(first);
    return status;
}

cnn_status cnn_named_network(cnn_network **network, const cnn_state_dict *dict,
                             const cnn_import_options *options)
{
    *network = NULL;
    cnn_status status = build(network, options->network, dict, options);
    return status == CNN_ERROR_FILE /* the argument is wrong */
               ? cnn_fail(CNN_ERROR_ARGUMENT, "%s", cnn_error_message())
               : status;
}

static cnn_status try_preset(cnn_network **network, const char *name, const cnn_state_dict *dict,
                             const cnn_import_options *options, cnn_preset_match match)
{
    char *path = NULL;
    cnn_model *model = NULL;
    bool fits = false;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_preset(&path, name));
    CNN_TRY(build(network, path, dict, options));
    CNN_TRY(cnn_model_describe(&model, *network));
    if (match == CNN_PRESET_SHAPES)
        CNN_TRY(cnn_fit_has_shapes(&fits, model, dict));
    else
        fits = match == CNN_PRESET_EXACT ? cnn_fit_is_exact(model, dict)
                                         : cnn_fit_has_most(model, dict);
out:
    if (!fits) {
        cnn_network_destroy(*network);
        *network = NULL;
    }
    cnn_model_destroy(model);
    free(path);
    return status;
}

/* A preset that cannot be, with this input say, does not fit. */
cnn_status cnn_find_preset(cnn_network **network, char **preset, const cnn_state_dict *dict,
                           const cnn_import_options *options, cnn_preset_match match)
{
    char *names[CNN_MAX_PRESETS];
    cnn_import_options open = *options; /* that the ydim is another is said later */
    open.ydim = 0;
    size_t count = cnn_network_list_presets(names);
    cnn_status status = CNN_OK;
    *network = NULL;
    *preset = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!*network && status != CNN_ERROR_MEMORY)
            status = try_preset(network, names[i], dict, &open, match);
        if (*network && !*preset)
            *preset = names[i];
        else
            free(names[i]);
    }
    return status == CNN_ERROR_MEMORY ? status : CNN_OK;
}
