#include "train/checkpoint.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/hash.h"
#include "net/network.h"
#include "train/options.h"
#include "train/state.h"

static cnn_status fail_json(const cnn_checkpoint *checkpoint, const char *problem)
{
    char quoted[CNN_QUOTE_SIZE];
    return cnn_fail(CNN_ERROR_DATA, "%s: " CNN_CHECKPOINT_KEY ": %s",
                    cnn_archive_path(checkpoint->archive), cnn_quote(quoted, problem));
}

static cnn_status parse_position(cnn_checkpoint *checkpoint)
{
    json_error_t error;
    json_int_t steps, step, hits;
    cnn_loop_sums *sums = &checkpoint->sums;
    if (json_unpack_ex(checkpoint->json, &error, 0, "{s:{s:i, s:I, s:I, s:F, s:F, s:I, s:F}}",
                       "position", "epoch", &checkpoint->epoch, "epoch_steps", &steps, "step",
                       &step, "batch_loss", &sums->batch_loss, "sample_loss", &sums->sample_loss,
                       "hits", &hits, "seconds", &sums->seconds) != 0)
        return fail_json(checkpoint, error.text);
    if (checkpoint->epoch < -1 || checkpoint->epoch == INT_MAX || steps < 0 || step < steps ||
        hits < 0)
        return fail_json(checkpoint, "position: numbers that cannot be");
    sums->steps = (size_t)steps;
    sums->hits = (size_t)hits;
    checkpoint->step = (uint64_t)step;
    return CNN_OK;
}

static cnn_status parse_best(cnn_checkpoint *checkpoint)
{
    json_error_t error;
    json_t *best = json_object_get(checkpoint->json, "best");
    checkpoint->best_epoch = -1;
    if (json_is_null(best))
        return CNN_OK;
    if (json_unpack_ex(best, &error, 0, "{s:i, s:F, s:F, s:i}", "epoch", &checkpoint->best_epoch,
                       "accuracy", &checkpoint->best_accuracy, "loss", &checkpoint->best_loss,
                       "since", &checkpoint->best_since) != 0)
        return fail_json(checkpoint, error.text);
    if (checkpoint->best_epoch < 0 || checkpoint->best_since < 0)
        return fail_json(checkpoint, "best: numbers that cannot be");
    return CNN_OK;
}

/* Checkpoints of earlier versions have none. */
static cnn_status parse_classes(cnn_checkpoint *checkpoint)
{
    const json_t *names = json_object_get(json_object_get(checkpoint->json, "data"), "classes");
    size_t count = json_array_size(names);
    cnn_status status = CNN_OK;
    if (count == 0)
        return CNN_OK;
    if (count > CNN_NETWORK_MAX_CLASSES)
        return fail_json(checkpoint, "data: classes: more than there can be");
    CNN_TRY(cnn_allocate(&checkpoint->classes, count, sizeof *checkpoint->classes,
                         "the classes' names"));
    for (size_t i = 0; i < count; i++) {
        checkpoint->classes[i] = json_string_value(json_array_get(names, i));
        if (!checkpoint->classes[i])
            return fail_json(checkpoint, "data: classes: expected names");
    }
    checkpoint->class_count = (int)count;
out:
    return status;
}

static cnn_status parse_json(cnn_checkpoint *checkpoint, const char *text)
{
    json_error_t error;
    int version = 0;
    cnn_status status = CNN_OK;
    checkpoint->json = cnn_json_parse(text, strlen(text), JSON_REJECT_DUPLICATES, &error);
    if (!checkpoint->json)
        return fail_json(checkpoint, error.text);
    if (json_unpack_ex(checkpoint->json, &error, 0, "{s:i, s:{s:s, s:s}, s:o}", "version", &version,
                       "data", "source", &checkpoint->source, "sha256", &checkpoint->data_hash,
                       "history", &(json_t *){NULL}) != 0)
        return fail_json(checkpoint, error.text);
    if (version != CNN_CHECKPOINT_VERSION)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a checkpoint of version %d, found %d: made by "
                        "another cnn-cl",
                        cnn_archive_path(checkpoint->archive), CNN_CHECKPOINT_VERSION, version);
    CNN_TRY(parse_position(checkpoint));
    CNN_TRY(parse_best(checkpoint));
    CNN_TRY(parse_classes(checkpoint));
    CNN_TRY(cnn_train_options_from_json(&checkpoint->options,
                                        json_object_get(checkpoint->json, "options"),
                                        cnn_archive_path(checkpoint->archive)));
out:
    return status;
}

/* Which layers its run froze, per layer; NULL: none. To be freed with free(). */
static cnn_status match_frozen(bool **frozen, const cnn_checkpoint *checkpoint)
{
    const cnn_network *network = checkpoint->network;
    const char *patterns = checkpoint->options.freeze;
    if (patterns[0] == '\0')
        return CNN_OK;
    cnn_status status =
        cnn_allocate(frozen, (size_t)network->layer_count, sizeof(bool), "the frozen layers");
    if (status == CNN_OK)
        status =
            cnn_network_match(*frozen, network, patterns, cnn_archive_path(checkpoint->archive));
    return status;
}

/* Does the archive hold the tensors of the network that it names? */
static cnn_status check_tensors(const cnn_checkpoint *checkpoint)
{
    cnn_model *model = NULL, *best = NULL, *average = NULL;
    bool *frozen = NULL;
    cnn_state state = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(match_frozen(&frozen, checkpoint));
    CNN_TRY(cnn_checkpoint_model(&model, checkpoint));
    CNN_TRY(cnn_model_create_network(&best, checkpoint->network, 0));
    if (checkpoint->options.ema > 0.0)
        CNN_TRY(cnn_model_create_network(&average, checkpoint->network, 0));
    CNN_TRY(cnn_state_init(&state, cnn_optimizer_choose(&checkpoint->options), frozen, model,
                           checkpoint->best_epoch >= 0 ? best : NULL, average));
    CNN_TRY(cnn_state_read(&state, checkpoint->archive));
out:
    cnn_state_finish(&state);
    free(frozen);
    cnn_model_destroy(model);
    cnn_model_destroy(best);
    cnn_model_destroy(average);
    return status;
}

/* Of a file without a seal. */
static cnn_status refuse_unsealed(const char *path)
{
    cnn_archive *archive;
    cnn_status status = cnn_archive_read(&archive, path);
    if (status != CNN_OK)
        return status;
    bool is_model = cnn_archive_metadata(archive, CNN_CHECKPOINT_CONFIG_KEY) &&
                    !cnn_archive_metadata(archive, CNN_CHECKPOINT_KEY);
    cnn_archive_destroy(archive);
    if (is_model)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: a saved model, not a checkpoint: --model %s begins with its values",
                        path, path);
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected the metadata " CNN_ARCHIVE_SEAL
                    ", found none: this is no checkpoint of cnn-cl's",
                    path);
}

static cnn_status read_checkpoint(cnn_checkpoint *checkpoint, const char *path)
{
    cnn_status status = cnn_archive_read_sealed(&checkpoint->archive, path);
    if (status == CNN_ERROR_ARGUMENT)
        status = refuse_unsealed(path);
    if (status != CNN_OK)
        return status;
    const char *config = cnn_archive_metadata(checkpoint->archive, CNN_CHECKPOINT_CONFIG_KEY);
    const char *text = cnn_archive_metadata(checkpoint->archive, CNN_CHECKPOINT_KEY);
    if (!config || !text) {
        status = cnn_fail(CNN_ERROR_DATA, "%s: expected the metadata %s, found none", path,
                          config ? CNN_CHECKPOINT_KEY : CNN_CHECKPOINT_CONFIG_KEY);
        goto out;
    }
    CNN_TRY(cnn_network_restore(
        &checkpoint->network, config,
        cnn_archive_metadata(checkpoint->archive, CNN_CHECKPOINT_NETWORK_KEY), path));
    CNN_TRY(parse_json(checkpoint, text));
    status = check_tensors(checkpoint);
out:
    return status;
}

cnn_status cnn_checkpoint_load(cnn_checkpoint **checkpoint, const char *path)
{
    CNN_NEED(checkpoint, path);
    *checkpoint = NULL;
    cnn_checkpoint *result = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, path));
    CNN_TRY(read_checkpoint(result, path));
    *checkpoint = result;
    result = NULL;
out:
    cnn_checkpoint_destroy(result);
    return status;
}

void cnn_checkpoint_destroy(cnn_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    cnn_archive_destroy(checkpoint->archive);
    cnn_network_destroy(checkpoint->network);
    json_decref(checkpoint->json);
    free(checkpoint->classes);
    free(checkpoint);
}

const cnn_network *cnn_checkpoint_network(const cnn_checkpoint *checkpoint)
{
    return checkpoint ? checkpoint->network : NULL;
}

const cnn_train_options *cnn_checkpoint_options(const cnn_checkpoint *checkpoint)
{
    if (!checkpoint)
        return NULL;
    return &checkpoint->options;
}

const char *cnn_checkpoint_data(const cnn_checkpoint *checkpoint)
{
    if (!checkpoint)
        return "";
    return checkpoint->source;
}

cnn_status cnn_checkpoint_model(cnn_model **model, const cnn_checkpoint *checkpoint)
{
    CNN_NEED(model, checkpoint);
    *model = NULL;
    cnn_model *result = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_model_describe(&result, checkpoint->network));
    CNN_TRY(cnn_model_normalize_file(result,
                                     cnn_archive_metadata(checkpoint->archive, CNN_NORMALIZE_KEY),
                                     cnn_archive_path(checkpoint->archive)));
    CNN_TRY(cnn_model_set_start(result, cnn_archive_metadata(checkpoint->archive, CNN_START_KEY)));
    for (size_t i = 0; i < result->slot_count; i++)
        CNN_TRY(cnn_archive_check(&result->slots[i].info, checkpoint->archive));
    CNN_TRY(cnn_model_allocate(result));
    for (size_t i = 0; i < result->slot_count; i++)
        CNN_TRY(cnn_archive_copy(&result->slots[i].info, checkpoint->archive));
    *model = result;
    result = NULL;
out:
    cnn_model_destroy(result);
    return status;
}

static cnn_status match_network(const cnn_network *now, const cnn_network *then, const char *path)
{
    char *difference = NULL;
    cnn_status status = cnn_network_compare(&difference, now, then, path);
    if (status == CNN_OK && difference)
        status = cnn_fail(CNN_ERROR_DATA, "%s: leave it out, or train afresh without --resume",
                          difference);
    free(difference);
    return status;
}

/* Another place was named, or what is in the place has changed. */
static cnn_status refuse_data(const cnn_checkpoint *checkpoint, const char *source,
                              const char *hash)
{
    const char *then = checkpoint->source;
    bool changed = strcmp(source, then) == 0 || cnn_is_same_file(source, then);
    return cnn_fail(CNN_ERROR_DATA,
                    "--data: expected the data set of %s, SHA-256 %.12s..., found another in %s, "
                    "%.12s...: %s%s, or train afresh without --resume",
                    cnn_archive_path(checkpoint->archive), checkpoint->data_hash, source, hash,
                    changed ? "the data there have changed since: name a copy of what was there"
                            : "name the one of ",
                    changed ? "" : then);
}

cnn_status cnn_checkpoint_match(const cnn_checkpoint *checkpoint, const cnn_network *network,
                                const cnn_train_options *options, const cnn_dataset *dataset,
                                const char *data_hash)
{
    const char *path = cnn_archive_path(checkpoint->archive);
    cnn_status status = CNN_OK;
    CNN_TRY(match_network(network, checkpoint->network, path));
    CNN_TRY(cnn_train_options_match(options, &checkpoint->options, path));
    if (strcmp(data_hash, checkpoint->data_hash) != 0)
        status = refuse_data(checkpoint, cnn_dataset_source(dataset), data_hash);
out:
    return status;
}

/* Checkpoints of earlier versions say nothing of some of it. */
void cnn_checkpoint_data_options(cnn_data_options *options, const cnn_checkpoint *checkpoint)
{
    if (!options || !checkpoint)
        return;
    const json_t *data = json_object_get(checkpoint->json, "data");
    const char *name = json_string_value(json_object_get(data, "fit"));
    if (name)
        cnn_picture_fit_find(&options->fit, name);
    const json_t *size = json_object_get(data, "size");
    if (size) {
        options->height = (int)json_integer_value(json_array_get(size, 0));
        options->width = (int)json_integer_value(json_array_get(size, 1));
    }
    options->coarse_labels = json_is_true(json_object_get(data, "coarse"));
    options->skip_broken = json_is_true(json_object_get(data, "skip_broken"));
    options->class_names = checkpoint->classes;
    options->class_count = checkpoint->class_count;
}

cnn_status cnn_checkpoint_check(const cnn_checkpoint *checkpoint, const cnn_network *network,
                                const cnn_train_options *options, const cnn_dataset *dataset)
{
    CNN_NEED(checkpoint, network, options, dataset);
    char hash[CNN_HASH_SIZE];
    cnn_status status = cnn_dataset_hash(hash, dataset);
    if (status == CNN_OK)
        status = cnn_checkpoint_match(checkpoint, network, options, dataset, hash);
    return status;
}
