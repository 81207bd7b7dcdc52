/* Models as files: an archive of the network's tensors that describes itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "model/archive.h"
#include "model/format.h"
#include "net/network.h"

enum { METADATA_LIMIT = 10 };

static void add_metadata(cnn_metadata *metadata, size_t *count, const char *key, const char *value)
{
    if (value)
        metadata[(*count)++] = (cnn_metadata){key, value};
}

cnn_status cnn_model_check_finite(const cnn_model *model, const char *path)
{
    for (size_t i = 0; i < model->slot_count; i++)
        if (!cnn_tensor_is_finite(&model->slots[i].info))
            return cnn_fail(
                CNN_ERROR_DATA,
                "%s: not written: tensor '%s': expected finite values, found inf or NaN", path,
                model->slots[i].name);
    return CNN_OK;
}

cnn_status cnn_model_save(const cnn_model *model, const char *path)
{
    CNN_NEED(model, path);
    cnn_status status = CNN_OK;
    char *config = NULL, *network = NULL, *classes = NULL, *preparation = NULL;
    cnn_tensor_info *tensors = NULL;
    CNN_TRY(cnn_model_check_finite(model, path)); /* it could not be loaded */
    CNN_TRY(cnn_network_to_json(&config, model->network));
    CNN_TRY(cnn_network_to_text(&network, model->network));
    CNN_TRY(cnn_origin_classes_to_json(&classes, &model->origin));
    CNN_TRY(cnn_origin_preparation_to_json(&preparation, &model->origin));
    CNN_TRY(cnn_allocate(&tensors, model->slot_count, sizeof *tensors, path));
    for (size_t i = 0; i < model->slot_count; i++)
        tensors[i] = model->slots[i].info;
    cnn_metadata metadata[METADATA_LIMIT];
    size_t count = 0;
    add_metadata(metadata, &count, "format", "pt");
    add_metadata(metadata, &count, CNN_VERSION_KEY, cnn_version());
    add_metadata(metadata, &count, CNN_CONFIG_KEY, config);
    add_metadata(metadata, &count, CNN_NETWORK_KEY, network);
    add_metadata(metadata, &count, CNN_DATA_KEY, model->origin.data);
    add_metadata(metadata, &count, CNN_CLASSES_KEY, classes);
    add_metadata(metadata, &count, CNN_NORMALIZE_KEY, model->normalization.text);
    add_metadata(metadata, &count, CNN_PREPARATION_KEY, preparation);
    add_metadata(metadata, &count, CNN_START_KEY, model->start);
    add_metadata(metadata, &count, CNN_PICTURES_KEY, model->origin.digits ? "digits" : NULL);
    CNN_TRY(cnn_archive_write(path, tensors, model->slot_count, metadata, count));
out:
    free(tensors);
    free(config);
    free(network);
    free(classes);
    free(preparation);
    return status;
}

static cnn_status read_network(cnn_network **network, const cnn_archive *archive)
{
    const char *path = cnn_archive_path(archive);
    const char *json = cnn_archive_metadata(archive, CNN_CONFIG_KEY);
    if (!json)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected the metadata " CNN_CONFIG_KEY
                        " with the network's options, found "
                        "none: this file was not written by cnn-cl; cnn-cl import makes a model of "
                        "others' tensors",
                        path);
    return cnn_network_restore(network, json, cnn_archive_metadata(archive, CNN_NETWORK_KEY), path);
}

cnn_status cnn_model_describe_file(cnn_model **model, const cnn_config *config, const char *path)
{
    cnn_network *network = NULL;
    cnn_status status = cnn_network_create(&network, config);
    if (status == CNN_OK)
        status = cnn_model_describe(model, network);
    cnn_network_destroy(network);
    if (status == CNN_ERROR_ARGUMENT)
        status = cnn_fail(CNN_ERROR_DATA, "%s: %s", path, cnn_error_message());
    return status;
}

cnn_status cnn_model_normalize_file(cnn_model *model, const char *text, const char *path)
{
    cnn_status status = cnn_model_keep_normalization(model, text);
    if (status == CNN_ERROR_ARGUMENT)
        status =
            cnn_fail(CNN_ERROR_DATA, "%s: " CNN_NORMALIZE_KEY ": %s", path, cnn_error_message());
    return status;
}

static bool has_tensor(const cnn_model *model, const char *name)
{
    for (size_t i = 0; i < model->slot_count; i++)
        if (strcmp(model->slots[i].name, name) == 0)
            return true;
    return false;
}

static const char *missing_tensor(const cnn_model *model, const cnn_archive *archive)
{
    for (size_t i = 0; i < model->slot_count; i++)
        if (!cnn_archive_find(archive, model->slots[i].name))
            return model->slots[i].name;
    return NULL;
}

static cnn_status refuse_extra(const cnn_model *model, const cnn_archive *archive)
{
    for (size_t i = 0; i < cnn_archive_count(archive); i++) {
        const char *name = cnn_archive_get(archive, i)->name;
        if (has_tensor(model, name))
            continue;
        char problem[64 + CNN_LAYER_NAME_SIZE + 32] = "the network has no such tensor";
        const char *missing = missing_tensor(model, archive);
        if (missing)
            snprintf(problem, sizeof problem,
                     "the network has no such tensor; it has '%s', which is missing", missing);
        return cnn_archive_fail(cnn_archive_path(archive), name, problem);
    }
    return CNN_OK;
}

cnn_status cnn_archive_to_model(cnn_model **model, const cnn_network *network,
                                const cnn_archive *archive)
{
    *model = NULL;
    cnn_status status = CNN_OK;
    cnn_model *result = NULL;
    CNN_TRY(cnn_model_describe(&result, network));
    CNN_TRY(refuse_extra(result, archive));
    CNN_TRY(cnn_origin_read(&result->origin, cnn_archive_metadata(archive, CNN_DATA_KEY),
                            cnn_archive_metadata(archive, CNN_CLASSES_KEY),
                            cnn_archive_metadata(archive, CNN_PICTURES_KEY),
                            cnn_archive_path(archive)));
    CNN_TRY(cnn_model_normalize_file(result, cnn_archive_metadata(archive, CNN_NORMALIZE_KEY),
                                     cnn_archive_path(archive)));
    CNN_TRY(cnn_origin_read_preparation(&result->origin,
                                        cnn_archive_metadata(archive, CNN_PREPARATION_KEY),
                                        cnn_archive_path(archive)));
    CNN_TRY(cnn_model_set_start(result, cnn_archive_metadata(archive, CNN_START_KEY)));
    for (size_t i = 0; i < result->slot_count; i++)
        CNN_TRY(cnn_archive_check(&result->slots[i].info, archive));
    CNN_TRY(cnn_model_allocate(result));
    for (size_t i = 0; i < result->slot_count; i++)
        CNN_TRY(cnn_archive_copy(&result->slots[i].info, archive));
    *model = result;
    result = NULL;
out:
    cnn_model_destroy(result);
    return status;
}

cnn_status cnn_model_load(cnn_model **model, const char *path)
{
    CNN_NEED(model, path);
    *model = NULL;
    cnn_status status = CNN_OK;
    cnn_archive *archive = NULL;
    cnn_network *network = NULL;
    CNN_TRY(cnn_archive_read(&archive, path));
    CNN_TRY(read_network(&network, archive));
    CNN_TRY(cnn_archive_to_model(model, network, archive));
out:
    cnn_network_destroy(network);
    cnn_archive_destroy(archive);
    return status;
}
