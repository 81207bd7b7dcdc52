/* A model starts from what another file has: every tensor that fits by name and shape. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "exchange/fit.h"
#include "exchange/named.h"
#include "exchange/onnx_in.h"
#include "model/format.h"

struct cnn_weights {
    cnn_state_dict *dict;
    cnn_model *model;  /* that an ONNX file is, whose values the dict has; NULL */
    cnn_origin origin; /* how its pictures were prepared; not of an ONNX file, whose model knows */
};

/* A tensor of a model, as a file's. */
static cnn_status add_tensor(cnn_state_dict *dict, const cnn_tensor_info *info)
{
    cnn_raw_tensor tensor = {.name = info->name,
                             .dtype = cnn_dtype_find(cnn_type_rows[info->type].name),
                             .rank = info->rank,
                             .count = info->count,
                             .values = info->values};
    size_t stride = 1;
    for (int axis = info->rank - 1; axis >= 0; axis--) {
        tensor.shape[axis] = info->shape[axis];
        tensor.strides[axis] = stride;
        stride *= (size_t)info->shape[axis];
    }
    return cnn_state_dict_add(dict, &tensor);
}

/* An ONNX file's layers, by their names. */
static cnn_status read_onnx(cnn_weights *weights, const char *path)
{
    cnn_import_options options;
    cnn_status status = CNN_OK;
    cnn_import_options_init(&options);
    CNN_TRY(cnn_onnx_import(&weights->model, path, &options));
    CNN_TRY(cnn_state_dict_create(&weights->dict, path));
    for (size_t i = 0; i < weights->model->slot_count; i++)
        CNN_TRY(add_tensor(weights->dict, &weights->model->slots[i].info));
    cnn_state_dict_sort(weights->dict);
out:
    return status;
}

static cnn_status read_others(cnn_weights *weights, const char *path)
{
    cnn_status status = cnn_state_dict_read(&weights->dict, path);
    if (status != CNN_OK)
        return status;
    return cnn_origin_read_preparation(
        &weights->origin, cnn_state_dict_metadata(weights->dict, CNN_PREPARATION_KEY), path);
}

cnn_status cnn_weights_load(cnn_weights **weights, const char *path)
{
    CNN_NEED(weights, path);
    cnn_weights *result = NULL;
    cnn_status status = CNN_OK;
    *weights = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, path));
    cnn_origin_init(&result->origin);
    CNN_TRY(cnn_onnx_is(path) ? read_onnx(result, path) : read_others(result, path));
    *weights = result;
    result = NULL;
out:
    cnn_weights_destroy(result);
    return status;
}

void cnn_weights_destroy(cnn_weights *weights)
{
    if (!weights)
        return;
    cnn_state_dict_destroy(weights->dict);
    cnn_model_destroy(weights->model);
    cnn_origin_finish(&weights->origin);
    free(weights);
}

bool cnn_weights_are_of_pictures(const cnn_weights *weights, cnn_picture_fit *fit)
{
    if (!weights)
        return false;
    const cnn_origin *origin = weights->model ? &weights->model->origin : &weights->origin;
    if (origin->of_pictures && fit)
        *fit = origin->fit;
    return origin->of_pictures;
}

/* While tensors are sought for a model. */
typedef struct taking {
    cnn_model *model;
    const cnn_state_dict *dict;
    const cnn_raw_tensor **sources; /* per slot; NULL: stays as it is */
    size_t taken;
} taking;

static void find_sources(taking *at)
{
    for (size_t i = 0; i < at->model->slot_count; i++) {
        const cnn_raw_tensor *found = cnn_fit_find(at->model, i, at->dict);
        if (!found || !cnn_fit_suits(&at->model->slots[i].info, found))
            continue;
        at->sources[i] = found;
        at->taken++;
    }
}

/* What of the model stays as it is. */
static size_t list_fresh(cnn_text *text, const taking *at)
{
    size_t count = 0;
    for (size_t i = 0; i < at->model->slot_count; i++) {
        const cnn_tensor_info *info = &at->model->slots[i].info;
        if (!at->sources[i])
            cnn_list_tensor(text, count++, info->name, info->shape, info->rank);
    }
    return count;
}

static bool is_source(const taking *at, const cnn_raw_tensor *tensor)
{
    for (size_t i = 0; i < at->model->slot_count; i++)
        if (at->sources[i] == tensor)
            return true;
    return false;
}

/* What of the file is not taken. */
static size_t list_left(cnn_text *text, const taking *at)
{
    size_t count = 0;
    for (size_t i = 0; i < at->dict->count; i++) {
        const cnn_raw_tensor *tensor = &at->dict->tensors[i];
        if (!is_source(at, tensor))
            cnn_list_tensor(text, count++, tensor->name, tensor->shape, tensor->rank);
    }
    return count;
}

/* One line: what was taken, and what was not. */
static cnn_status say_taken(const taking *at)
{
    cnn_text fresh = {0}, left = {0};
    char *fresh_list = NULL, *left_list = NULL;
    size_t fresh_count = list_fresh(&fresh, at), left_count = list_left(&left, at);
    cnn_status status = cnn_text_take(&fresh_list, &fresh);
    cnn_status other = cnn_text_take(&left_list, &left);
    if (status == CNN_OK && other == CNN_OK)
        cnn_log(CNN_LOG_INFO,
                "%s: %zu of the network's %zu tensors are taken; %zu start afresh%s%s; "
                "%zu of the file's are left out%s%s",
                at->dict->path, at->taken, at->model->slot_count, fresh_count,
                fresh_count ? ": " : "", fresh_list, left_count, left_count ? ": " : "", left_list);
    free(fresh_list);
    free(left_list);
    return status == CNN_OK ? other : status;
}

/* Nothing fits: what there is on both sides, and a preset that has the file's tensors. */
static cnn_status refuse(const taking *at)
{
    cnn_text fresh = {0}, left = {0};
    char *wanted = NULL, *found = NULL, *preset = NULL;
    cnn_network *other = NULL;
    cnn_import_options open;
    cnn_status status = CNN_OK;
    cnn_import_options_init(&open);
    list_fresh(&fresh, at);
    list_left(&left, at);
    CNN_TRY(cnn_text_take(&wanted, &fresh));
    CNN_TRY(cnn_text_take(&found, &left));
    CNN_TRY(cnn_find_preset(&other, &preset, at->dict, &open, CNN_PRESET_EXACT));
    status = cnn_fail(CNN_ERROR_DATA,
                      "%s: expected tensors with names and shapes of the network %s (%s), found "
                      "none among its %zu (%s)%s%s",
                      at->dict->path, at->model->network->name, wanted, at->dict->count, found,
                      preset ? ": they are those of --net " : "", preset ? preset : "");
out:
    cnn_network_destroy(other);
    free(preset);
    free(wanted);
    free(found);
    return status;
}

static cnn_status copy_values(const taking *at)
{
    const char *path = at->dict->path;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < at->model->slot_count; i++) {
        const cnn_tensor_info *info = &at->model->slots[i].info;
        const cnn_raw_tensor *source = at->sources[i];
        if (!source)
            continue;
        if (info->type == CNN_INT64)
            CNN_TRY(cnn_raw_to_int64(info->values, source, path));
        else
            CNN_TRY(cnn_raw_to_float(info->values, source, path));
        if (!cnn_tensor_is_finite(info))
            return cnn_archive_fail(path, source->name, "expected finite values, found inf or NaN");
    }
out:
    return status;
}

/* What the file's network was given is what its weights expect. */
static cnn_status take_normalization(cnn_model *model, const cnn_weights *weights)
{
    const char *text = weights->model ? weights->model->normalization.text
                                      : cnn_state_dict_metadata(weights->dict, CNN_NORMALIZE_KEY);
    return text ? cnn_model_normalize_file(model, text, weights->dict->path) : CNN_OK;
}

cnn_status cnn_model_take_weights(cnn_model *model, const cnn_weights *weights)
{
    CNN_NEED(model, weights);
    taking at = {.model = model, .dict = weights->dict};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at.sources, model->slot_count, sizeof *at.sources, at.dict->path));
    find_sources(&at);
    if (at.taken == 0) {
        status = refuse(&at);
        goto out;
    }
    CNN_TRY(copy_values(&at));
    CNN_TRY(take_normalization(model, weights));
    CNN_TRY(cnn_model_set_start(model, at.dict->path));
    status = say_taken(&at);
out:
    free(at.sources);
    return status;
}
