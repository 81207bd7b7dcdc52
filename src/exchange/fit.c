#include "exchange/fit_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { NAME_SIZE = 512 };

static const char family_prefix[] = "net.", counter[] = "num_batches_tracked";

bool cnn_fit_is_source(const cnn_fit *fit, const cnn_model *model, const cnn_raw_tensor *tensor)
{
    for (size_t i = 0; i < model->slot_count; i++)
        if (fit->sources[i] == tensor)
            return true;
    return false;
}

bool cnn_fit_is_missing(const cnn_fit *fit, const cnn_model *model, size_t index)
{
    const char *name = model->slots[index].name;
    const char *dot = strrchr(name, '.');
    return !fit->sources[index] && !(dot && strcmp(dot + 1, counter) == 0);
}

/* The file's tensor of a module, "conv1." and "bias". */
const cnn_raw_tensor *cnn_fit_member(const cnn_state_dict *dict, const cnn_raw_tensor *weight,
                                     const char *suffix)
{
    char name[NAME_SIZE];
    const char *dot = strrchr(weight->name, '.');
    int length = dot ? (int)(dot + 1 - weight->name) : 0;
    int size = snprintf(name, sizeof name, "%.*s%s", length, weight->name, suffix);
    return size > 0 && (size_t)size < sizeof name ? cnn_state_dict_find(dict, name) : NULL;
}

bool cnn_fit_has_shape(const cnn_tensor_info *wanted, const cnn_raw_tensor *found)
{
    return wanted->rank == found->rank &&
           memcmp(wanted->shape, found->shape, sizeof(int) * (size_t)wanted->rank) == 0;
}

bool cnn_fit_suits(const cnn_tensor_info *wanted, const cnn_raw_tensor *found)
{
    return cnn_fit_has_shape(wanted, found) || (wanted->rank == 0 && found->count == 1);
}

/* The slot's name without the part that a Sequential of the notebook's does not have. */
static const char *stem_of(const cnn_slot *slot)
{
    const char *name = slot->name;
    return cnn_starts_with(name, family_prefix) ? name + strlen(family_prefix) : name;
}

/* The tensor of a prefix's and a slot's name. */
static const cnn_raw_tensor *find(const cnn_state_dict *dict, const char *prefix, size_t length,
                                  const cnn_slot *slot)
{
    char name[NAME_SIZE];
    int size = snprintf(name, sizeof name, "%.*s%s", (int)length, prefix, stem_of(slot));
    return size > 0 && (size_t)size < sizeof name ? cnn_state_dict_find(dict, name) : NULL;
}

static size_t count_found(const cnn_model *model, const cnn_state_dict *dict, const char *prefix,
                          size_t length)
{
    size_t found = 0;
    for (size_t i = 0; i < model->slot_count; i++)
        found += find(dict, prefix, length, &model->slots[i]) != NULL;
    return found;
}

/* Does the name end with the stem, alone or behind a dot? Then what is before it. */
static bool split(size_t *length, const char *name, const char *stem)
{
    size_t whole = strlen(name), tail = strlen(stem);
    *length = whole - tail;
    return whole >= tail && strcmp(name + *length, stem) == 0 &&
           (*length == 0 || name[*length - 1] == '.');
}

/* The part before the model's names with which most of them are there. Returns how many. */
static size_t find_prefix(const char **prefix, size_t *length, const cnn_model *model,
                          const cnn_state_dict *dict)
{
    size_t best = 0, at;
    *prefix = "";
    *length = 0;
    for (size_t i = 0; i < model->slot_count && best == 0; i++) {
        for (size_t j = 0; j < dict->count; j++) {
            const char *name = dict->tensors[j].name;
            if (!split(&at, name, stem_of(&model->slots[i])))
                continue;
            size_t found = count_found(model, dict, name, at);
            if (found <= best)
                continue;
            best = found;
            *prefix = name;
            *length = at;
        }
    }
    return best;
}

bool cnn_fit_is_exact(const cnn_model *model, const cnn_state_dict *dict)
{
    const char *prefix;
    size_t length, used = 0;
    if (dict->count > model->slot_count)
        return false;
    find_prefix(&prefix, &length, model, dict);
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_slot *slot = &model->slots[i];
        const cnn_raw_tensor *found = find(dict, prefix, length, slot);
        if (found ? !cnn_fit_suits(&slot->info, found) : slot->info.type != CNN_INT64)
            return false;
        used += found != NULL;
    }
    return used == dict->count;
}

bool cnn_fit_has_most(const cnn_model *model, const cnn_state_dict *dict)
{
    const char *prefix;
    size_t length, count = 0;
    find_prefix(&prefix, &length, model, dict);
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_raw_tensor *found = find(dict, prefix, length, &model->slots[i]);
        count += found && cnn_fit_suits(&model->slots[i].info, found);
    }
    return 2 * count > model->slot_count;
}

const cnn_raw_tensor *cnn_fit_find(const cnn_model *model, size_t slot, const cnn_state_dict *dict)
{
    const char *prefix;
    size_t length;
    return find_prefix(&prefix, &length, model, dict) > 0
               ? find(dict, prefix, length, &model->slots[slot])
               : NULL;
}

/* Beside the layer's other tensors; by its name, where it has none. */
const cnn_raw_tensor *cnn_fit_parameter(const cnn_fit *fit, const cnn_model *model,
                                        const cnn_state_dict *dict, int layer, const char *suffix)
{
    cnn_slot slot = {.layer = layer};
    const char *prefix;
    size_t length;
    for (size_t i = 0; i < model->slot_count; i++)
        if (model->slots[i].layer == layer && fit->sources[i])
            return cnn_fit_member(dict, fit->sources[i], suffix);
    if (fit->by_shape)
        return NULL;
    find_prefix(&prefix, &length, model, dict);
    snprintf(slot.name, sizeof slot.name, "%s.%s", model->network->layers[layer].name, suffix);
    return find(dict, prefix, length, &slot);
}

static const char *suffix_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

/* Slots first to last - 1 are a layer's: do the tensors beside this weight have their shapes? */
static bool layer_fits(const cnn_model *model, size_t first, size_t last,
                       const cnn_state_dict *dict, const cnn_raw_tensor *weight)
{
    for (size_t i = first; i < last; i++) {
        const cnn_slot *slot = &model->slots[i];
        const cnn_raw_tensor *found = cnn_fit_member(dict, weight, suffix_of(slot->name));
        if (found ? !cnn_fit_has_shape(&slot->info, found) && slot->info.rank > 0
                  : strcmp(suffix_of(slot->name), counter) != 0)
            return false;
    }
    return true;
}

/* "layer1.0.conv1" and "layer2.1.conv1", but not "layer1.0.conv1" and "layer1.0.down1". */
static bool differ_in_numbers(const char *a, const char *b)
{
    static const char digits[] = "0123456789";
    while (*a && *b) {
        size_t one = strspn(a, digits), other = strspn(b, digits);
        if ((one > 0) != (other > 0) || (one == 0 && *a != *b))
            return false;
        a += one > 0 ? one : 1;
        b += one > 0 ? other : 1;
    }
    return *a == *b;
}

/* The next module in natural order, from *at on, that fits slots first to last - 1 and is free. */
static const cnn_raw_tensor *next_module(size_t *at, const cnn_fit *fit, const cnn_model *model,
                                         size_t first, size_t last, const cnn_state_dict *dict)
{
    while (*at < dict->count) {
        const cnn_raw_tensor *weight = &dict->tensors[(*at)++];
        if (strcmp(suffix_of(weight->name), "weight") == 0 &&
            !cnn_fit_is_source(fit, model, weight) && layer_fits(model, first, last, dict, weight))
            return weight;
    }
    return NULL;
}

/* The one of those that fit, as cnn_fit_init() has it; *told is false where names alone decide. */
static const cnn_raw_tensor *choose_module(bool *told, const cnn_fit *fit, const cnn_model *model,
                                           size_t first, size_t last, const cnn_state_dict *dict)
{
    const cnn_raw_tensor *chosen = NULL, *earliest = NULL, *module;
    size_t at = 0;
    *told = true;
    while ((module = next_module(&at, fit, model, first, last, dict))) {
        if (!chosen)
            chosen = earliest = module;
        *told = *told && differ_in_numbers(chosen->name, module->name);
        if (module->order < earliest->order)
            earliest = module;
    }
    if (*told || earliest->order == 0)
        return chosen;
    *told = true;
    at = 0;
    do
        module = next_module(&at, fit, model, first, last, dict);
    while (!differ_in_numbers(earliest->name, module->name));
    return module;
}

/* Gives a layer's slots the module that choose_module() finds, if any. */
static void take_module(cnn_fit *fit, const cnn_model *model, size_t first, size_t last,
                        const cnn_state_dict *dict)
{
    bool told;
    const cnn_raw_tensor *weight = choose_module(&told, fit, model, first, last, dict);
    for (size_t i = first; weight && i < last; i++)
        fit->sources[i] = cnn_fit_member(dict, weight, suffix_of(model->slots[i].name));
    fit->guess_count += !told;
}

static void match_shapes(cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict)
{
    for (size_t first = 0, last; first < model->slot_count; first = last) {
        last = first + 1;
        while (last < model->slot_count && model->slots[last].layer == model->slots[first].layer)
            last++;
        take_module(fit, model, first, last, dict);
    }
    fit->by_shape = true;
}

cnn_status cnn_fit_has_shapes(bool *fits, const cnn_model *model, const cnn_state_dict *dict)
{
    cnn_fit fit = {0};
    const char *prefix;
    size_t length, used = 0;
    *fits = false;
    if (find_prefix(&prefix, &length, model, dict) > 0)
        return CNN_OK;
    cnn_status status =
        cnn_allocate(&fit.sources, model->slot_count, sizeof *fit.sources, dict->path);
    *fits = status == CNN_OK;
    if (status == CNN_OK)
        match_shapes(&fit, model, dict);
    for (size_t i = 0; *fits && i < model->slot_count; i++) {
        *fits = !cnn_fit_is_missing(&fit, model, i);
        used += fit.sources[i] != NULL;
    }
    *fits = *fits && used == dict->count;
    cnn_fit_finish(&fit);
    return status;
}

/* "conv1 -> net.conv2d_00, fc1 -> net.linear_09" */
static void log_matches(const cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict)
{
    cnn_text text = {0};
    char *list, quoted[CNN_QUOTE_SIZE];
    for (size_t i = 0; i < model->slot_count; i++) {
        const char *name = model->slots[i].name;
        if (strcmp(suffix_of(name), "weight") != 0)
            continue;
        const char *from = cnn_quote(quoted, fit->sources[i]->name), *dot = strrchr(from, '.');
        cnn_text_append(&text, "%s%.*s -> %.*s", i ? ", " : "", dot ? (int)(dot - from) : 6, from,
                        (int)(suffix_of(name) - name - 1), name);
    }
    if (cnn_text_take(&list, &text) != CNN_OK)
        return;
    cnn_log(CNN_LOG_INFO, "%s: names of another network, matched by the chain of shapes: %s",
            dict->path, list);
    if (fit->guess_count > 0)
        cnn_log(
            CNN_LOG_WARNING,
            "%s: %zu of these layers could have another's values, of the same shapes: the order "
            "of the file's names decided; names as `params` lists them settle it",
            dict->path, fit->guess_count);
    free(list);
}

static void log_extra(const cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict)
{
    cnn_text text = {0};
    char *list;
    const cnn_raw_tensor *first = NULL;
    size_t count = cnn_fit_list_extra(&text, &first, fit, model, dict);
    if (cnn_text_take(&list, &text) != CNN_OK)
        return;
    cnn_log(CNN_LOG_INFO, "%s: %zu tensor%s not the network's, left out: %s", dict->path, count,
            count == 1 ? " is" : "s are", list);
    free(list);
}

cnn_status cnn_fit_init(cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict,
                        bool by_shape)
{
    const char *prefix;
    size_t length;
    *fit = (cnn_fit){0};
    cnn_status status =
        cnn_allocate(&fit->sources, model->slot_count, sizeof *fit->sources, dict->path);
    if (status != CNN_OK)
        return status;
    if (find_prefix(&prefix, &length, model, dict) > 0 || !by_shape)
        for (size_t i = 0; i < model->slot_count; i++)
            fit->sources[i] = find(dict, prefix, length, &model->slots[i]);
    else
        match_shapes(fit, model, dict);
    status = cnn_fit_check(fit, model, dict);
    if (status == CNN_OK && fit->by_shape)
        log_matches(fit, model, dict);
    if (status == CNN_OK && fit->extra_count > 0)
        log_extra(fit, model, dict);
    return status;
}

void cnn_fit_finish(cnn_fit *fit)
{
    free(fit->sources);
    *fit = (cnn_fit){0};
}

/* "8 tensors of F16, 1 of F64 converted to float32" */
static void log_conversions(const cnn_fit *fit, const cnn_model *model, const char *path)
{
    static const char *const types[] = {"F16", "BF16", "F64"};
    cnn_text text = {0};
    char *list;
    for (size_t type = 0; type < sizeof types / sizeof types[0]; type++) {
        size_t count = 0;
        for (size_t i = 0; i < model->slot_count; i++)
            count += model->slots[i].info.type == CNN_FLOAT32 && fit->sources[i] &&
                     strcmp(fit->sources[i]->dtype->name, types[type]) == 0;
        const char *what = text.length ? "" : count == 1 ? " tensor" : " tensors";
        if (count > 0)
            cnn_text_append(&text, "%s%zu%s of %s", text.length ? ", " : "", count, what,
                            types[type]);
    }
    bool none = text.length == 0;
    if (cnn_text_take(&list, &text) != CNN_OK)
        return;
    if (!none)
        cnn_log(CNN_LOG_INFO, "%s: %s converted to float32", path, list);
    free(list);
}

/* PyTorch loads them, too; what a batch norm makes of them is not a number. */
static void warn_of_variances(const cnn_tensor_info *info, const char *path)
{
    const float *values = info->values;
    size_t at = 0;
    if (strcmp(suffix_of(info->name), "running_var") != 0)
        return;
    while (at < info->count && values[at] >= 0.0f)
        at++;
    if (at < info->count)
        cnn_log(CNN_LOG_WARNING,
                "%s: %s: expected variances of 0 or more, found %g: what the network "
                "gives may not be a number",
                path, info->name, (double)values[at]);
}

cnn_status cnn_fit_copy(cnn_model *model, const cnn_fit *fit, const char *path)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_tensor_info *info = &model->slots[i].info;
        const cnn_raw_tensor *source = fit->sources[i];
        if (!source)
            continue; /* a count of batches: zero, as PyTorch has it */
        if (info->type == CNN_INT64)
            CNN_TRY(cnn_raw_to_int64(info->values, source, path));
        else
            CNN_TRY(cnn_raw_to_float(info->values, source, path));
        if (!cnn_tensor_is_finite(info))
            return cnn_archive_fail(path, source->name, "expected finite values, found inf or NaN");
        warn_of_variances(info, path);
    }
    log_conversions(fit, model, path);
out:
    return status;
}
