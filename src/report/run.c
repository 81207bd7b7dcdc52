/* A run's folder: which run it is, and the files that describe it. */
#include "report/run.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

/* The files that name a run, and those of the same ending that do not. */
static const char *const endings[] = {".metrics.csv", ".run.json", ".safetensors"};
static const char *const asides[] = {".ckpt.safetensors", ".ckpt.prev.safetensors",
                                     ".best.safetensors"};
enum { ENDINGS = sizeof endings / sizeof endings[0], ASIDES = sizeof asides / sizeof asides[0] };

/* The length of what stands before the ending; 0 where it does not end so. */
static size_t stem_length(const char *file, const char *ending)
{
    size_t length = strlen(file), tail = strlen(ending);
    return length > tail && strcmp(file + length - tail, ending) == 0 ? length - tail : 0;
}

/* The length of the run's name in a file's; 0 for other files. */
static size_t name_length(const char *file)
{
    if (file[0] == '.')
        return 0;
    for (int i = 0; i < ASIDES; i++)
        if (stem_length(file, asides[i]) > 0)
            return 0;
    for (int i = 0; i < ENDINGS; i++)
        if (stem_length(file, endings[i]) > 0)
            return stem_length(file, endings[i]);
    return 0;
}

static cnn_status fail_several(const char *folder, const char *one, const char *other)
{
    char quoted[2][CNN_QUOTE_SIZE];
    return cnn_fail(CNN_ERROR_FILE,
                    "%s: expected one run, found '%s' and '%s': choose one with --name", folder,
                    cnn_quote(quoted[0], one), cnn_quote(quoted[1], other));
}

/* *name stays NULL where the folder has no run. */
static cnn_status find_name(char **name, const char *folder, DIR *directory)
{
    cnn_status status = CNN_OK;
    for (const struct dirent *entry; status == CNN_OK && (entry = readdir(directory)) != NULL;) {
        char *found = NULL;
        cnn_text text = {0};
        size_t length = name_length(entry->d_name);
        if (length == 0)
            continue;
        cnn_text_append_bytes(&text, entry->d_name, length);
        status = cnn_text_take(&found, &text);
        if (status == CNN_OK && *name && strcmp(*name, found) != 0)
            status = fail_several(folder, *name, found);
        if (*name)
            free(found);
        else
            *name = found;
    }
    return status;
}

static cnn_status choose_name(char **chosen, const char *folder, const char *name)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return cnn_fail(CNN_ERROR_FILE, "%s: expected the folder of a run: %s", folder,
                        strerror(errno));
    cnn_status status = CNN_OK;
    if (name) {
        cnn_text text = {0};
        cnn_text_append(&text, "%s", name);
        status = cnn_text_take(chosen, &text);
    } else {
        status = find_name(chosen, folder, directory);
    }
    closedir(directory);
    return status;
}

/* FOLDER/NAME with an ending. */
static cnn_status make_path(char **path, const cnn_run *run, const char *ending)
{
    cnn_text text = {0};
    char *file = NULL;
    cnn_text_append(&text, "%s%s", run->name, ending);
    cnn_status status = cnn_text_take(&file, &text);
    if (status == CNN_OK)
        status = cnn_path_join(path, run->folder, file);
    free(file);
    return status;
}

static cnn_status read_files(cnn_run *run)
{
    cnn_status status = CNN_OK;
    CNN_TRY(make_path(&run->metrics_path, run, endings[0]));
    CNN_TRY(make_path(&run->json_path, run, endings[1]));
    CNN_TRY(make_path(&run->model_path, run, endings[2]));
    if (cnn_file_exists(run->metrics_path)) {
        run->has_metrics = true;
        CNN_TRY(cnn_metrics_read(&run->metrics, &run->metric_count, run->metrics_path));
    }
    if (cnn_file_exists(run->json_path))
        CNN_TRY(cnn_run_json_read(&run->json, run->json_path));
    if (!run->has_metrics && !run->json && !cnn_file_exists(run->model_path))
        status = cnn_fail(CNN_ERROR_FILE,
                          "%s: expected a run, found none of its files: give another folder or "
                          "another --name",
                          run->model_path);
out:
    return status;
}

cnn_status cnn_run_open(cnn_run **run, const char *folder, const char *name)
{
    CNN_NEED(run, folder);
    cnn_run *result = NULL;
    cnn_text text = {0};
    cnn_status status = CNN_OK;
    *run = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a run"));
    cnn_text_append(&text, "%s", folder);
    CNN_TRY(cnn_text_take(&result->folder, &text));
    CNN_TRY(choose_name(&result->name, folder, name));
    if (!result->name) {
        status = cnn_fail(CNN_ERROR_FILE,
                          "%s: expected a run's NAME.safetensors, NAME.metrics.csv or "
                          "NAME.run.json, found none: give the folder that 'train' wrote",
                          folder);
        goto out;
    }
    CNN_TRY(read_files(result));
    *run = result;
    result = NULL;
out:
    cnn_run_destroy(result);
    return status;
}

void cnn_run_destroy(cnn_run *run)
{
    if (!run)
        return;
    json_decref(run->json);
    free(run->metrics);
    free(run->folder);
    free(run->name);
    free(run->model_path);
    free(run->metrics_path);
    free(run->json_path);
    free(run);
}

const char *cnn_run_name(const cnn_run *run)
{
    if (!run)
        return "";
    return run->name;
}

const char *cnn_run_model_path(const cnn_run *run)
{
    if (!run)
        return "";
    return run->model_path;
}

const char *cnn_run_data(const cnn_run *run)
{
    if (!run)
        return NULL;
    return cnn_run_text(run, "data");
}

static int find_count(const cnn_run *run, const char *name)
{
    const json_t *count = json_object_get(json_object_get(run->json, "options"), name);
    json_int_t value = json_is_integer(count) ? json_integer_value(count) : 0;
    return value > 0 && value <= INT_MAX ? (int)value : 0;
}

int cnn_run_batch(const cnn_run *run)
{
    if (!run)
        return 0;
    return find_count(run, "batch");
}

int cnn_run_micro_batch(const cnn_run *run)
{
    if (!run)
        return 0;
    return find_count(run, "micro_batch");
}

void cnn_run_data_options(cnn_data_options *options, const cnn_run *run)
{
    if (!options || !run)
        return;
    const json_t *coarse = json_object_get(run->json, "coarse");
    const json_t *skip_broken = json_object_get(run->json, "skip_broken");
    options->coarse_labels = coarse ? json_is_true(coarse) : options->coarse_labels;
    options->skip_broken = skip_broken ? json_is_true(skip_broken) : options->skip_broken;
}

double cnn_run_val_split(const cnn_run *run)
{
    if (!run)
        return 0.0;
    double share =
        json_number_value(json_object_get(json_object_get(run->json, "options"), "val_split"));
    return share > 0.0 && share < 1.0 ? share : 0.0;
}

bool cnn_run_seed(uint64_t *seed, const cnn_run *run)
{
    if (!seed || !run)
        return false;
    return cnn_json_get_uint64(seed,
                               json_object_get(json_object_get(run->json, "options"), "seed"));
}

bool cnn_run_fuse(bool *fuse, const cnn_run *run)
{
    if (!fuse || !run)
        return false;
    const json_t *value = json_object_get(json_object_get(run->json, "options"), "fuse");
    if (json_is_boolean(value))
        *fuse = json_is_true(value);
    return json_is_boolean(value);
}

/* Steps of a part of the network tell nothing of its steps. */
static bool has_frozen(const cnn_run *run)
{
    const json_t *options = json_object_get(run->json, "options");
    const char *patterns = json_string_value(json_object_get(options, "freeze"));
    return patterns && patterns[0] != '\0';
}

double cnn_run_step_seconds(const cnn_run *run)
{
    if (!run || has_frozen(run))
        return 0.0;
    double rate =
        run->metric_count > 0 ? run->metrics[run->metric_count - 1].images_per_second : (double)NAN;
    return isfinite(rate) && rate > 0.0 ? cnn_run_batch(run) / rate : 0.0;
}
