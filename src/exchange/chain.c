/* The order of layers whose names do not tell it: each takes what the one before gives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/fit.h"
#include "exchange/infer.h"
#include "layers/layer.h"

enum { NAME_SIZE = 512, MOST_LAYERS = CNN_MAX_BLOCKS + 1, MOST_TRIES = 100000 };

/* Layers of one kind. */
typedef struct chain {
    cnn_layer_kind kind;
    const cnn_raw_tensor *weights[MOST_LAYERS]; /* in natural order of their names */
    int count;
    int order[MOST_LAYERS]; /* of the chain that was found */
    int inputs; /* what the layer behind takes is a multiple of the last one's outputs; 0:
                   none is there */
    int found, tries;
} chain;

static const cnn_raw_tensor *sibling(const cnn_state_dict *dict, const cnn_raw_tensor *weight,
                                     const char *suffix)
{
    char name[NAME_SIZE];
    const char *dot = strrchr(weight->name, '.');
    size_t length = dot ? (size_t)(dot + 1 - weight->name) : 0;
    if (length + strlen(suffix) >= sizeof name)
        return NULL;
    memcpy(name, weight->name, length);
    memcpy(name + length, suffix, strlen(suffix) + 1);
    return cnn_state_dict_find(dict, name);
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static bool is_positive(const cnn_raw_tensor *tensor)
{
    for (int axis = 0; axis < tensor->rank; axis++)
        if (tensor->shape[axis] < 1)
            return false;
    return true;
}

static cnn_status fail_layer(const cnn_raw_tensor *tensor, const char *path)
{
    char shape[96], problem[256];
    cnn_shape_to_text(shape, sizeof shape, tensor->shape, tensor->rank);
    snprintf(problem, sizeof problem,
             "%s: expected weights of 2D convolutions, batch norms behind them and linear layers: "
             "--net names a network of other layers",
             shape);
    return cnn_archive_fail(path, tensor->name, problem);
}

/* Is it a weight, and of which kind? What a layer of another kind has is refused; what no layer has
 * (buffers, counters) is none. */
static cnn_status classify(bool *is_weight, cnn_layer_kind *kind, const cnn_state_dict *dict,
                           const cnn_raw_tensor *tensor)
{
    const char *part = last_part(tensor->name);
    bool norm = sibling(dict, tensor, "running_mean") && sibling(dict, tensor, "running_var");
    *is_weight = strcmp(part, "weight") == 0;
    if (strcmp(part, "running_mean") == 0 && !sibling(dict, tensor, "weight"))
        return cnn_archive_fail(dict->path, tensor->name,
                                "expected a batch norm with weight and bias");
    if (!*is_weight)
        return cnn_starts_with(part, "weight") || strstr(part, "proj_weight") ||
                       strstr(tensor->name, "parametrizations.")
                   ? fail_layer(tensor, dict->path)
                   : CNN_OK;
    if (!is_positive(tensor))
        return fail_layer(tensor, dict->path);
    *kind = tensor->rank == 4   ? CNN_LAYER_CONV
            : tensor->rank == 2 ? CNN_LAYER_LINEAR
                                : CNN_LAYER_BATCHNORM;
    return *kind == CNN_LAYER_BATCHNORM && (tensor->rank != 1 || !norm)
               ? fail_layer(tensor, dict->path)
               : CNN_OK;
}

static cnn_status collect(chain *chains[], int kinds, const cnn_state_dict *dict)
{
    for (size_t i = 0; i < dict->count; i++) {
        bool is_weight;
        cnn_layer_kind kind = CNN_LAYER_CONV;
        cnn_status status = classify(&is_weight, &kind, dict, &dict->tensors[i]);
        if (status != CNN_OK)
            return status;
        for (int k = 0; is_weight && k < kinds; k++) {
            if (chains[k]->kind != kind)
                continue;
            if (chains[k]->count == MOST_LAYERS)
                return cnn_archive_fail(dict->path, dict->tensors[i].name,
                                        "expected at most 64 layers of its kind");
            chains[k]->weights[chains[k]->count++] = &dict->tensors[i];
        }
    }
    return CNN_OK;
}

static bool ends_well(const chain *at, int last)
{
    return at->inputs % at->weights[last]->shape[0] == 0;
}

static bool follows(const chain *at, int next, int last)
{
    return at->weights[next]->shape[1] == at->weights[last]->shape[0];
}

static bool natural_order_fits(chain *at)
{
    for (int i = 0; i < at->count; i++) {
        at->order[i] = i;
        if (i > 0 && !follows(at, i, i - 1))
            return false;
    }
    return at->count == 0 || ends_well(at, at->count - 1);
}

static bool was_tried(const chain *at, const bool *used, int next)
{
    for (int i = 0; i < next; i++)
        if (!used[i] && at->weights[i]->shape[0] == at->weights[next]->shape[0] &&
            at->weights[i]->shape[1] == at->weights[next]->shape[1])
            return true; /* layers of one shape are taken in their natural order */
    return false;
}

/* Counts the chains, two at most, and keeps the first. No deeper than MOST_LAYERS. */
static void search(chain *at, int *order, bool *used, int depth)
{
    if (depth > 0 && depth == at->count && ends_well(at, order[depth - 1]) && at->found++ == 0)
        memcpy(at->order, order, sizeof at->order);
    for (int i = 0; i < at->count && at->found < 2 && at->tries < MOST_TRIES; i++) {
        if (used[i] || (depth > 0 && !follows(at, i, order[depth - 1])) || was_tried(at, used, i))
            continue;
        at->tries++;
        used[i] = true;
        order[depth] = i;
        search(at, order, used, depth + 1);
        used[i] = false;
    }
}

static cnn_status fail_chain(const chain *at, const char *path)
{
    cnn_text text = {0};
    char *list;
    for (int i = 0; i < at->count; i++)
        cnn_list_tensor(&text, (size_t)i, at->weights[i]->name, at->weights[i]->shape,
                        at->weights[i]->rank);
    cnn_status status = cnn_text_take(&list, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_DATA,
                      "%s: expected %s that follow each other in one way, each taking what the one "
                      "before gives, found %s of %d: %s",
                      path, at->kind == CNN_LAYER_CONV ? "convolutions" : "linear layers",
                      at->found == 0 ? "no such order" : "more than one", at->count, list);
    free(list);
    return status;
}

static cnn_status order_chain(chain *at, const char *path)
{
    int order[MOST_LAYERS];
    bool used[MOST_LAYERS] = {false};
    if (natural_order_fits(at))
        return CNN_OK;
    search(at, order, used, 0);
    if (at->found == 1 && at->tries < MOST_TRIES)
        return CNN_OK;
    return fail_chain(at, path);
}

/* One behind each convolution, or none. */
static cnn_status check_norms(const chain *norms, const chain *convs, const char *path)
{
    if (norms->count == 0 || norms->count == convs->count)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected a batch norm behind each of %d convolutions or none, found %d",
                    path, convs->count, norms->count);
}

static void take_chain(cnn_found_layer *layers, size_t *count, const chain *at)
{
    for (int i = 0; i < at->count; i++)
        layers[(*count)++] = (cnn_found_layer){at->kind, 0, at->weights[at->order[i]]};
}

cnn_status cnn_find_chain(cnn_found_layer *layers, size_t *count, const cnn_state_dict *dict)
{
    chain convs = {.kind = CNN_LAYER_CONV}, norms = {.kind = CNN_LAYER_BATCHNORM},
          linears = {.kind = CNN_LAYER_LINEAR};
    chain *all[] = {&convs, &norms, &linears};
    const char *path = dict->path;
    cnn_status status = CNN_OK;
    *count = 0;
    CNN_TRY(collect(all, 3, dict));
    CNN_TRY(order_chain(&linears, path));
    if (linears.count > 0)
        convs.inputs = linears.weights[linears.order[0]]->shape[1];
    CNN_TRY(order_chain(&convs, path));
    CNN_TRY(check_norms(&norms, &convs, path));
    for (int i = 0; i < norms.count; i++)
        norms.order[i] = i;
    take_chain(layers, count, &convs);
    take_chain(layers, count, &norms);
    take_chain(layers, count, &linears);
out:
    return status;
}
