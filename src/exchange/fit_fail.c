/* What of a file does not fit a network, in words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "exchange/fit_part.h"

enum { SHAPE_TEXT = 96, OPTION_TEXT = 32 };

/* What of the model lacks, as a list. Returns how many; *first is the first. */
static size_t list_missing(cnn_text *text, const cnn_slot **first, const cnn_fit *fit,
                           const cnn_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_tensor_info *info = &model->slots[i].info;
        if (!cnn_fit_is_missing(fit, model, i))
            continue;
        if (count == 0)
            *first = &model->slots[i];
        cnn_list_tensor(text, count++, info->name, info->shape, info->rank);
    }
    return count;
}

size_t cnn_fit_list_extra(cnn_text *text, const cnn_raw_tensor **first, const cnn_fit *fit,
                          const cnn_model *model, const cnn_state_dict *dict)
{
    size_t count = 0;
    for (size_t i = 0; i < dict->count; i++) {
        const cnn_raw_tensor *tensor = &dict->tensors[i];
        if (cnn_fit_is_source(fit, model, tensor))
            continue;
        if (count == 0)
            *first = tensor;
        cnn_list_tensor(text, count++, tensor->name, tensor->shape, tensor->rank);
    }
    const cnn_raw_tensor *weight = *first ? cnn_fit_member(dict, *first, "weight") : NULL;
    if (weight && !cnn_fit_is_source(fit, model, weight))
        *first = weight; /* tells more than its bias */
    return count;
}

/* Tensors of other shapes than the model's, as two lists. Returns how many; *first is the slot of
 * the first. */
static size_t list_misfits(cnn_text *expected, cnn_text *found, const cnn_fit *fit,
                           const cnn_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_tensor_info *info = &model->slots[i].info;
        const cnn_raw_tensor *source = fit->sources[i];
        if (!source || cnn_fit_suits(info, source))
            continue;
        cnn_list_tensor(expected, count, info->name, info->shape, info->rank);
        cnn_list_tensor(found, count++, source->name, source->shape, source->rank);
    }
    return count;
}

/* The first missing one of the tensor's shape, which perhaps has but another name; else as it is.
 */
static const cnn_slot *find_partner(const cnn_slot *missing, const cnn_raw_tensor *extra,
                                    const cnn_fit *fit, const cnn_model *model)
{
    for (size_t i = 0; extra && i < model->slot_count; i++)
        if (cnn_fit_is_missing(fit, model, i) && cnn_fit_has_shape(&model->slots[i].info, extra))
            return &model->slots[i];
    return missing;
}

/* Behind a list of what lacks: what is there in another shape. */
static cnn_status append_misfits(cnn_text *problem, const cnn_fit *fit, const cnn_model *model)
{
    cnn_text expected = {0}, found = {0};
    char *lists[2] = {NULL, NULL};
    size_t count = list_misfits(&expected, &found, fit, model);
    cnn_status statuses[] = {cnn_text_take(&lists[0], &expected), cnn_text_take(&lists[1], &found)};
    cnn_status status = statuses[0] ? statuses[0] : statuses[1];
    if (count > 0 && status == CNN_OK)
        cnn_text_append(problem, "; %zu of another shape: expected %s; found %s", count, lists[0],
                        lists[1]);
    free(lists[0]);
    free(lists[1]);
    return status;
}

static cnn_status fail_missing(const cnn_fit *fit, const cnn_model *model,
                               const cnn_state_dict *dict)
{
    cnn_text missing_text = {0}, extra_text = {0}, problem = {0};
    char *missing_list = NULL, *extra_list = NULL, *whole = NULL;
    const cnn_slot *missing = NULL;
    const cnn_raw_tensor *extra = NULL;
    size_t missing_count = list_missing(&missing_text, &missing, fit, model);
    size_t extra_count = cnn_fit_list_extra(&extra_text, &extra, fit, model, dict);
    missing = find_partner(missing, extra, fit, model);
    bool is_pair = extra && cnn_fit_has_shape(&missing->info, extra);
    cnn_status status = cnn_text_take(&missing_list, &missing_text);
    cnn_status other = cnn_text_take(&extra_list, &extra_text);
    if (extra)
        cnn_text_append(&problem, "the network has no such tensor; it has '%s', which is missing",
                        missing->name);
    else
        cnn_text_append(&problem, "expected it in the file, it is missing");
    if (missing_count + extra_count > 1 + (extra != NULL) || (extra && !is_pair)) {
        cnn_text_append(&problem, " (%zu missing: %s", missing_count, missing_list);
        if (extra)
            cnn_text_append(&problem, "; %zu of the file fit nowhere: %s", extra_count, extra_list);
        cnn_text_append(&problem, ")");
    }
    cnn_status misfits = append_misfits(&problem, fit, model),
               last = cnn_text_take(&whole, &problem);
    status = status ? status : other ? other : misfits ? misfits : last;
    if (status == CNN_OK)
        status = cnn_archive_fail(dict->path, extra ? extra->name : missing->name, whole);
    free(missing_list);
    free(extra_list);
    free(whole);
    return status;
}

/* What has another shape, the first in words and the first few as two lists. */
static cnn_status fail_shapes(const cnn_fit *fit, const cnn_model *model,
                              const cnn_tensor_info *info, const cnn_raw_tensor *first,
                              const char *path)
{
    char texts[2][SHAPE_TEXT], *lists[2] = {NULL, NULL}, *whole = NULL;
    cnn_text expected = {0}, found = {0}, problem = {0};
    size_t count = list_misfits(&expected, &found, fit, model);
    cnn_shape_to_text(texts[0], SHAPE_TEXT, info->shape, info->rank);
    cnn_shape_to_text(texts[1], SHAPE_TEXT, first->shape, first->rank);
    cnn_status statuses[] = {cnn_text_take(&lists[0], &expected), cnn_text_take(&lists[1], &found),
                             CNN_OK};
    cnn_text_append(&problem, "shape: expected %s, found %s", texts[0], texts[1]);
    if (count > 1)
        cnn_text_append(&problem, " (%zu tensors have other shapes: expected %s; found %s)", count,
                        lists[0] ? lists[0] : "", lists[1] ? lists[1] : "");
    statuses[2] = cnn_text_take(&whole, &problem);
    cnn_status status = statuses[0] ? statuses[0] : statuses[1] ? statuses[1] : statuses[2];
    if (status == CNN_OK)
        status = cnn_archive_fail(path, first->name, whole);
    free(lists[0]);
    free(lists[1]);
    free(whole);
    return status;
}

/* The option, "bias=false", that leaves parameters out. */
static void name_option(char option[OPTION_TEXT], const cnn_layer *layer)
{
    const cnn_layer_class *class = cnn_layer_get_class(layer->kind);
    option[0] = '\0';
    for (int i = 0; i < class->argument_count; i++) {
        const cnn_argument *argument = &class->arguments[i];
        const char *at = (const char *)&layer->options + argument->offset;
        if ((strcmp(argument->name, "bias") == 0 || strcmp(argument->name, "affine") == 0) &&
            !*(const bool *)at)
            snprintf(option, OPTION_TEXT, "%s=false", argument->name);
    }
}

/* What a layer's options leave out must not be in the file: the result would be another. */
static cnn_status check_left_out(const cnn_fit *fit, const cnn_model *model,
                                 const cnn_state_dict *dict)
{
    char option[OPTION_TEXT], problem[OPTION_TEXT + CNN_LAYER_NAME_SIZE + 128];
    for (int n = 0; fit->extra_count > 0 && n < model->network->layer_count; n++) {
        const cnn_layer *layer = &model->network->layers[n];
        for (int i = layer->param_count; i < CNN_LAYER_MAX_PARAMS && layer->params[i].suffix; i++) {
            const cnn_raw_tensor *found =
                cnn_fit_parameter(fit, model, dict, n, layer->params[i].suffix);
            if (!found)
                continue;
            name_option(option, layer);
            snprintf(problem, sizeof problem,
                     "the file has it, and the network's %s '%s' has %s: leave %s out there, or "
                     "the tensor in the file",
                     cnn_layer_get_class(layer->kind)->name, layer->name, option, option);
            return cnn_archive_fail(dict->path, found->name, problem);
        }
    }
    return CNN_OK;
}

cnn_status cnn_fit_check(cnn_fit *fit, const cnn_model *model, const cnn_state_dict *dict)
{
    size_t used = 0;
    for (size_t i = 0; i < model->slot_count; i++) {
        if (cnn_fit_is_missing(fit, model, i))
            return fail_missing(fit, model, dict);
        used += fit->sources[i] != NULL;
    }
    for (size_t i = 0; i < model->slot_count; i++)
        if (fit->sources[i] && !cnn_fit_suits(&model->slots[i].info, fit->sources[i]))
            return fail_shapes(fit, model, &model->slots[i].info, fit->sources[i], dict->path);
    fit->extra_count = dict->count - used;
    return check_left_out(fit, model, dict);
}
