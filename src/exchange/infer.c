/* From the names and shapes of a state_dict to the network's options. Only what tells them is
 * looked at here: whether every tensor is that of the network is checked when it is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/exchange.h"
#include "layers/layer.h"
#include "net/network.h"

enum { MAX_INDEX = 9999, MAX_SIDE = 65535 };

/* The kinds of layers that have tensors, and the rank of their weights. */
static const struct {
    cnn_layer_kind kind;
    int rank;
} kinds[] = {{CNN_LAYER_CONV, 4}, {CNN_LAYER_BATCHNORM, 1}, {CNN_LAYER_LINEAR, 2}};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

/* A layer that has a weight in the file. */
typedef struct found_layer {
    cnn_layer_kind kind;
    int index; /* in the sequence, as its name says */
    const cnn_tensor_info *weight;
} found_layer;

/* "net.conv2d_04.weight" is of the kind conv, 4 and "weight". */
static bool parse_name(int *kind, int *index, const char **suffix, const char *name)
{
    for (*kind = 0; *kind < KIND_COUNT; ++*kind) {
        char prefix[CNN_LAYER_NAME_SIZE + 8];
        snprintf(prefix, sizeof prefix, "net.%s_",
                 cnn_layer_get_class(kinds[*kind].kind)->torch_name);
        if (!cnn_starts_with(name, prefix))
            continue;
        const char *digits = name + strlen(prefix);
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

static cnn_status check_weight(const cnn_tensor_info *weight, int rank, const char *path)
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
    const found_layer *one = a, *other = b;
    return (one->index > other->index) - (one->index < other->index);
}

/* layers has room for every tensor; they come out in the order of the sequence. */
static cnn_status find_layers(found_layer *layers, size_t *count, const cnn_archive *archive)
{
    const char *path = cnn_archive_path(archive);
    *count = 0;
    for (size_t i = 0; i < cnn_archive_count(archive); i++) {
        const cnn_tensor_info *tensor = cnn_archive_get(archive, i);
        const char *suffix;
        int kind, index;
        if (!parse_name(&kind, &index, &suffix, tensor->name))
            return cnn_archive_fail(path, tensor->name,
                                    "expected a name of the notebook's network: net.conv2d_NN.*, "
                                    "net.batchnorm2d_NN.* or net.linear_NN.*");
        if (strcmp(suffix, "weight") != 0)
            continue;
        cnn_status status = check_weight(tensor, kinds[kind].rank, path);
        if (status != CNN_OK)
            return status;
        layers[(*count)++] = (found_layer){kinds[kind].kind, index, tensor};
    }
    qsort(layers, *count, sizeof *layers, compare_layers);
    return CNN_OK;
}

static cnn_status append_width(int *widths, int *count, const found_layer *layer, const char *path)
{
    if (*count == CNN_MAX_BLOCKS)
        return cnn_fail(CNN_ERROR_DATA, "%s: tensor '%s': expected at most %d layers of its kind",
                        path, layer->weight->name, CNN_MAX_BLOCKS);
    widths[(*count)++] = layer->weight->shape[0];
    return CNN_OK;
}

/* The widths of all layers; the last linear one is no hidden layer but gives ydim. */
static cnn_status take_widths(cnn_config *config, const found_layer *layers, size_t count,
                              const char *path)
{
    cnn_status status = CNN_OK;
    const found_layer *last = NULL;
    config->cdim_count = config->hdim_count = 0;
    config->batchnorm = false;
    for (size_t i = 0; i < count; i++) {
        const found_layer *layer = &layers[i];
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
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a last linear layer net.linear_NN.weight, found none", path);
    config->ydim = last->weight->shape[0];
out:
    return status;
}

static const cnn_tensor_info *first_weight(const found_layer *layers, size_t count,
                                           cnn_layer_kind kind)
{
    for (size_t i = 0; i < count; i++)
        if (layers[i].kind == kind)
            return layers[i].weight;
    return NULL;
}

/* The side of a square of `area` places; 0 where there is none. */
static int side_of(int area)
{
    int side = 1;
    while (side < MAX_SIDE && (int64_t)side * side < area)
        side++;
    return (int64_t)side * side == area ? side : 0;
}

/* The side of the planes when `channels` square ones hold `inputs` places; 0 where they do not. */
static int side_of_planes(int inputs, int channels)
{
    return channels > 0 && inputs % channels == 0 ? side_of(inputs / channels) : 0;
}

/* The plane in front of the first linear layer, doubled for each pooling: with any ksize such a
 * plane is halved to it, and so are planes of some rows less or more. */
static int side_before_pooling(int side, int poolings)
{
    int64_t result = side;
    for (int i = 0; i < poolings && result <= MAX_SIDE; i++)
        result *= CNN_POOL_SIZE;
    return result <= MAX_SIDE ? (int)result : 0;
}

/* Without a convolution nothing tells channels from places: pictures are grey or RGB, and at most
 * one of the two makes a square. */
static bool guess_flat(int xdim[3], int inputs)
{
    for (int channels = 1; channels <= 3; channels += 2) {
        int side = side_of_planes(inputs, channels);
        if (side == 0)
            continue;
        xdim[0] = channels;
        xdim[1] = xdim[2] = side;
        return true;
    }
    return false;
}

static cnn_status infer_xdim(cnn_config *config, const found_layer *layers, size_t count,
                             const char *path)
{
    const cnn_tensor_info *linear = first_weight(layers, count, CNN_LAYER_LINEAR);
    const cnn_tensor_info *conv = first_weight(layers, count, CNN_LAYER_CONV);
    int inputs = linear->shape[1], *xdim = config->xdim;
    bool found;
    if (conv) {
        int side = side_of_planes(inputs, config->cdims[config->cdim_count - 1]);
        xdim[0] = conv->shape[1];
        xdim[1] = xdim[2] = side_before_pooling(side, config->cdim_count);
        found = xdim[1] > 0;
    } else {
        found = guess_flat(xdim, inputs);
    }
    if (!found)
        return cnn_fail(
            CNN_ERROR_DATA,
            "%s: tensor '%s': its %d inputs are no square planes of %s: the images' shape "
            "cannot be inferred: give --xdim C,H,W",
            path, linear->name, inputs,
            conv ? "the last convolution's channels" : "1 or 3 channels");
    cnn_log(CNN_LOG_INFO,
            "%s: images of %d,%d,%d: square%s, as '%s' has %d inputs; other shapes may fit: --xdim "
            "settles it",
            path, xdim[0], xdim[1], xdim[2], conv ? " and halved without rest" : ", grey or RGB",
            linear->name, inputs);
    return CNN_OK;
}

cnn_status cnn_exchange_infer(cnn_config *config, const cnn_archive *archive,
                              const cnn_import_options *options)
{
    cnn_status status = CNN_OK;
    const char *path = cnn_archive_path(archive);
    found_layer *layers = NULL;
    size_t count;
    CNN_TRY(cnn_allocate(&layers, cnn_archive_count(archive), sizeof *layers, path));
    CNN_TRY(find_layers(layers, &count, archive));
    CNN_TRY(take_widths(config, layers, count, path));
    const cnn_tensor_info *conv = first_weight(layers, count, CNN_LAYER_CONV);
    if (conv)
        config->ksize = conv->shape[2];
    if (!options->xdim)
        CNN_TRY(infer_xdim(config, layers, count, path));
    if (conv && options->dropout < 0.0)
        cnn_log(CNN_LOG_INFO,
                "%s: dropout %g is assumed, tensors do not tell it: --dropout settles it", path,
                config->dropout);
out:
    free(layers);
    return status;
}
