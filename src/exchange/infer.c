/* From the names and shapes of a state_dict to the network's options. Only what tells them is
 * looked at here: whether every tensor is that of the network is checked when it is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/infer.h"
#include "layers/layer.h"
#include "net/network.h"

enum { MAX_INDEX = 9999 };

/* The kinds of layers that have tensors, and the rank of their weights. */
static const struct {
    cnn_layer_kind kind;
    int rank;
} kinds[] = {{CNN_LAYER_CONV, 4}, {CNN_LAYER_BATCHNORM, 1}, {CNN_LAYER_LINEAR, 2}};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

/* "net.conv2d_04.weight" is of the kind conv, 4 and "weight", whatever is before. */
static bool parse_name(int *kind, int *index, const char **suffix, const char *name)
{
    for (*kind = 0; *kind < KIND_COUNT; ++*kind) {
        char part[CNN_LAYER_NAME_SIZE + 8];
        snprintf(part, sizeof part, "%s_", cnn_layer_get_class(kinds[*kind].kind)->torch_name);
        const char *found = strstr(name, part);
        if (!found || (found != name && found[-1] != '.'))
            continue;
        const char *digits = found + strlen(part);
        size_t length = strspn(digits, "0123456789");
        char number[8];
        int64_t value;
        if (digits[length] != '.' || length < 2 || length >= sizeof number)
            return false;
        memcpy(number, digits, length);
        number[length] = '\0';
        *suffix = digits + length + 1;
        if (!cnn_parse_int(&value, number, 0, MAX_INDEX))
            return false;
        *index = (int)value;
        return true;
    }
    return false;
}

static cnn_status check_weight(const cnn_raw_tensor *weight, int rank, const char *path)
{
    bool good = weight->rank == rank;
    for (int axis = 0; good && axis < rank; axis++)
        good = weight->shape[axis] > 0;
    if (good)
        return CNN_OK;
    char shape[64], problem[128];
    cnn_shape_to_text(shape, sizeof shape, weight->shape, weight->rank);
    snprintf(problem, sizeof problem, "shape: expected %d size%s above 0, found %s", rank,
             rank > 1 ? "s" : "", shape);
    return cnn_archive_fail(path, weight->name, problem);
}

static int compare_layers(const void *a, const void *b)
{
    const cnn_found_layer *one = a, *other = b;
    return (one->index > other->index) - (one->index < other->index);
}

/* The layers that have names of the family, in the order of the sequence. */
static cnn_status find_named(cnn_found_layer *layers, size_t *count, const cnn_state_dict *dict)
{
    *count = 0;
    for (size_t i = 0; i < dict->count; i++) {
        const cnn_raw_tensor *tensor = &dict->tensors[i];
        const char *suffix;
        int kind, index;
        if (!parse_name(&kind, &index, &suffix, tensor->name) || strcmp(suffix, "weight") != 0)
            continue;
        cnn_status status = check_weight(tensor, kinds[kind].rank, dict->path);
        if (status != CNN_OK)
            return status;
        layers[(*count)++] = (cnn_found_layer){kinds[kind].kind, index, tensor};
    }
    if (*count > 0)
        qsort(layers, *count, sizeof *layers, compare_layers);
    return CNN_OK;
}

static cnn_status append_width(int *widths, int *count, const cnn_found_layer *layer,
                               const char *path)
{
    if (*count == CNN_MAX_BLOCKS)
        return cnn_fail(CNN_ERROR_DATA, "%s: tensor '%s': expected at most %d layers of its kind",
                        path, layer->weight->name, CNN_MAX_BLOCKS);
    widths[(*count)++] = layer->weight->shape[0];
    return CNN_OK;
}

/* The widths of all layers; the last linear one is no hidden layer but gives ydim. */
static cnn_status take_widths(cnn_config *config, const cnn_found_layer *layers, size_t count,
                              const char *path)
{
    cnn_status status = CNN_OK;
    const cnn_found_layer *last = NULL;
    config->cdim_count = config->hdim_count = 0;
    config->batchnorm = false;
    for (size_t i = 0; i < count; i++) {
        const cnn_found_layer *layer = &layers[i];
        if (layer->kind == CNN_LAYER_CONV)
            CNN_TRY(append_width(config->cdims, &config->cdim_count, layer, path));
        else if (layer->kind == CNN_LAYER_BATCHNORM)
            config->batchnorm = true;
        else if (last)
            CNN_TRY(append_width(config->hdims, &config->hdim_count, last, path));
        if (layer->kind == CNN_LAYER_LINEAR)
            last = layer;
    }
    if (!last)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected a last linear layer, found none", path);
    config->ydim = last->weight->shape[0];
out:
    return status;
}

static const cnn_raw_tensor *first_weight(const cnn_found_layer *layers, size_t count,
                                          cnn_layer_kind kind)
{
    for (size_t i = 0; i < count; i++)
        if (layers[i].kind == kind)
            return layers[i].weight;
    return NULL;
}

/* The N of "PREFIX.N.weight", as an nn.Sequential calls its layers, and the prefix's length; -1:
 * another name. */
static int sequential_index(size_t *prefix, const char *name)
{
    const char *end = strrchr(name, '.'), *digits = end;
    int64_t value;
    char number[8];
    while (digits && digits > name && cnn_is_digit(digits[-1]))
        digits--;
    size_t length = digits ? (size_t)(end - digits) : 0;
    if (length == 0 || length >= sizeof number || (digits > name && digits[-1] != '.'))
        return -1;
    memcpy(number, digits, length);
    number[length] = '\0';
    *prefix = (size_t)(digits - name);
    return cnn_parse_int(&value, number, 0, MAX_INDEX) ? (int)value : -1;
}

/* The batch norms of that prefix whose numbers are between two. */
static int norms_between(const cnn_found_layer *layers, size_t count, const char *name,
                         size_t prefix, int first, int next)
{
    int norms = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = 0;
        int index = layers[i].kind == CNN_LAYER_BATCHNORM
                        ? sequential_index(&length, layers[i].weight->name)
                        : -1;
        norms += index > first && index < next && length == prefix &&
                 strncmp(layers[i].weight->name, name, prefix) == 0;
    }
    return norms;
}

/* In an nn.Sequential the numbers of the layers tell how many stand between them: a convolution's
 * activation alone leaves no place for the pool that the family has there; strides are likely.
 * Where nothing but a batch norm stands there they are of a list, and the network's forward() does
 * the rest. */
static cnn_status check_places(const cnn_found_layer *layers, size_t count, const char *path)
{
    const cnn_found_layer *conv = NULL;
    for (size_t i = 0; i < count; i++) {
        const cnn_found_layer *layer = &layers[i];
        if (layer->kind == CNN_LAYER_BATCHNORM)
            continue;
        const char *name = conv ? conv->weight->name : "";
        size_t before = 0, after = 0;
        int first = conv ? sequential_index(&before, name) : -1;
        int next = conv ? sequential_index(&after, layer->weight->name) : -1;
        bool linear = layer->kind == CNN_LAYER_LINEAR; /* Flatten stands before it, too */
        int norms = first >= 0 ? norms_between(layers, count, name, before, first, next) : 0;
        int others = next - first - 1 - norms;
        if (first >= 0 && others > 0 && others - linear < 2 && before == after &&
            strncmp(name, layer->weight->name, before) == 0)
            return cnn_fail(
                CNN_ERROR_DATA,
                "%s: between '%s' and '%s' is no place for an activation and a pool, as "
                "a network of this family has them: --net names a network of other "
                "layers",
                path, name, layer->weight->name);
        if (linear)
            break;
        conv = layer;
    }
    return CNN_OK;
}

cnn_status cnn_infer(cnn_config *config, bool *by_shape, const cnn_state_dict *dict,
                     const cnn_import_options *options)
{
    cnn_status status = CNN_OK;
    const char *path = dict->path;
    cnn_found_layer *layers = NULL;
    size_t count;
    CNN_TRY(cnn_allocate(&layers, dict->count, sizeof *layers, path));
    CNN_TRY(find_named(layers, &count, dict));
    *by_shape = count == 0;
    if (*by_shape)
        CNN_TRY(cnn_find_chain(layers, &count, dict));
    if (*by_shape)
        CNN_TRY(check_places(layers, count, path));
    CNN_TRY(take_widths(config, layers, count, path));
    const cnn_raw_tensor *conv = first_weight(layers, count, CNN_LAYER_CONV);
    const cnn_raw_tensor *linear = first_weight(layers, count, CNN_LAYER_LINEAR);
    if (conv)
        config->ksize = conv->shape[2];
    if (cnn_config_check(config) != CNN_OK)
        CNN_TRY(cnn_fail(CNN_ERROR_DATA, "%s: %s", path, cnn_error_message()));
    if (options->xdim) {
        memcpy(config->xdim, options->xdim, sizeof config->xdim);
        CNN_TRY(cnn_check_xdim(config, conv, linear, path));
    } else {
        CNN_TRY(cnn_infer_xdim(config, conv, linear, path));
    }
    if (conv && options->dropout < 0.0)
        cnn_log(CNN_LOG_INFO,
                "%s: dropout %g is assumed, tensors do not tell it: --dropout settles it", path,
                config->dropout);
out:
    free(layers);
    return status;
}
