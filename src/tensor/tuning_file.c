#include "tensor/tuning_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/text.h"

enum { VERSION = 1, MOST_BYTES = 4 << 20, MOST_SHAPES = 1 << 12, NAME_SIZE = 64 };

static const char format[] = "cnn-cl gemm tuning";

/* What a record holds for. */
typedef struct identity {
    const char *key, *value;
} identity;

enum { IDENTITIES = 5 };

static void identify(identity of[IDENTITIES], const cnn_device *device)
{
    const identity all[IDENTITIES] = {
        {"device", device->info.name},
        {"platform", device->info.platform_name},
        {"driver", device->info.driver},
        {"kernels", device->kernel_class == CNN_KERNEL_CPU ? "cpu" : "gpu"},
        {"clblast", cnn_gemm_library_version()}};
    memcpy(of, all, sizeof all);
}

/* "tuning-0123456789abcdef.json" */
static cnn_status name_file(char name[NAME_SIZE], const cnn_device *device)
{
    identity of[IDENTITIES];
    cnn_text text = {0};
    char *all = NULL;
    identify(of, device);
    for (int i = 0; i < IDENTITIES; i++)
        cnn_text_append(&text, "%s\n", of[i].value);
    cnn_status status = cnn_text_take(&all, &text);
    if (status == CNN_OK)
        snprintf(name, NAME_SIZE, "tuning-%016" PRIx64 ".json", cnn_hash_text(all));
    free(all);
    return status;
}

cnn_status cnn_gemm_record_path(char **path, const cnn_device *device)
{
    char name[NAME_SIZE], *folder = NULL;
    cnn_status status = CNN_OK;
    *path = NULL;
    CNN_TRY(name_file(name, device));
    CNN_TRY(cnn_cache_folder(&folder));
    if (folder)
        status = cnn_path_join(path, folder, name);
out:
    free(folder);
    return status;
}

/* Of all that the document says but the checksum itself, in an order of its own. */
static cnn_status find_checksum(char text[32], json_t *root)
{
    json_t *all = json_copy(root);
    char *dump = NULL;
    json_object_del(all, "checksum");
    if (all)
        dump = cnn_json_dump(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
    json_decref(all);
    if (!dump)
        return cnn_fail_memory(MOST_BYTES, "a tuning file");
    snprintf(text, 32, "%016" PRIx64, cnn_hash_text(dump));
    free(dump);
    return CNN_OK;
}

/* ---- from the document to the record; false where it is not as it must be ---- */

static bool read_values(size_t *values, const json_t *array, int count)
{
    if (!json_is_array(array) || json_array_size(array) != (size_t)count)
        return false;
    for (int i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, (size_t)i);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return false;
        values[i] = (size_t)json_integer_value(value);
    }
    return true;
}

static bool read_seconds(double *seconds, const json_t *array, size_t count)
{
    if (!json_is_array(array) || json_array_size(array) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_number(value) || json_number_value(value) < 0.0)
            return false;
        seconds[i] = json_number_value(value);
    }
    return true;
}

static bool read_tuning(cnn_gemm_tuning *tuning, const json_t *object)
{
    *tuning = (cnn_gemm_tuning){{false}, {{0}}};
    if (!json_is_object(object))
        return false;
    for (int part = 0; part < CNN_GEMM_PARTS; part++) {
        const cnn_gemm_part_kind *kind = &cnn_gemm_parts[part];
        const json_t *values = json_object_get(object, kind->kernel);
        tuning->given[part] = values != NULL;
        if (values && json_object_size(values) != (size_t)kind->count)
            return false;
        for (int i = 0; values && i < kind->count; i++) {
            const json_t *value = json_object_get(values, kind->names[i]);
            if (!json_is_integer(value) || json_integer_value(value) < 0)
                return false;
            tuning->values[part][i] = (size_t)json_integer_value(value);
        }
    }
    return true;
}

static bool read_shape(cnn_gemm_shape *shape, json_t *object)
{
    int ta, tb;
    json_int_t m, n, k;
    if (json_unpack(object, "{s:b, s:b, s:I, s:I, s:I}", "transpose_a", &ta, "transpose_b", &tb,
                    "m", &m, "n", &n, "k", &k) != 0 ||
        m < 1 || n < 1 || k < 1)
        return false;
    *shape = (cnn_gemm_shape){ta != 0, tb != 0, (size_t)m, (size_t)n, (size_t)k};
    return true;
}

static bool read_trial(cnn_gemm_trial *trial, json_t *object, size_t shape_count)
{
    const char *kernel;
    json_t *values, *seconds;
    int failed, part = 0;
    if (json_unpack(object, "{s:s, s:o, s:b, s:o}", "kernel", &kernel, "values", &values, "failed",
                    &failed, "seconds", &seconds) != 0)
        return false;
    while (part < CNN_GEMM_SWITCH && strcmp(cnn_gemm_parts[part].kernel, kernel) != 0)
        part++;
    trial->part = (cnn_gemm_part)part;
    trial->failed = failed != 0;
    return part < CNN_GEMM_SWITCH &&
           read_values(trial->values, values, cnn_gemm_parts[part].count) &&
           read_seconds(trial->seconds, seconds, shape_count);
}

static cnn_status read_shapes(cnn_gemm_record *record, bool *good, const json_t *array)
{
    size_t count = json_array_size(array);
    cnn_gemm_shape *shapes = NULL;
    *good = json_is_array(array) && count <= MOST_SHAPES;
    if (!*good)
        return CNN_OK;
    cnn_status status = CNN_OK;
    shapes = calloc(count + 1, sizeof *shapes);
    if (!shapes)
        return cnn_fail_memory(count * sizeof *shapes, "a tuning's shapes");
    for (size_t i = 0; *good && i < count; i++)
        *good = read_shape(&shapes[i], json_array_get(array, i));
    if (*good)
        status = cnn_gemm_record_set_shapes(record, shapes, count);
    free(shapes);
    return status;
}

static cnn_status read_trials(cnn_gemm_record *record, bool *good, const json_t *array)
{
    cnn_status status = CNN_OK;
    *good = json_is_array(array);
    for (size_t i = 0; *good && i < json_array_size(array); i++) {
        cnn_gemm_trial *trial;
        CNN_TRY(cnn_gemm_record_add(&trial, record));
        *good = read_trial(trial, json_array_get(array, i), record->shape_count);
    }
out:
    return status;
}

static cnn_status read_record(cnn_gemm_record *record, bool *good, const json_t *root)
{
    cnn_status status = CNN_OK;
    const json_t *complete = json_object_get(root, "complete");
    record->complete = json_is_true(complete);
    *good =
        json_is_boolean(complete) && read_tuning(&record->tuning, json_object_get(root, "tuning"));
    if (*good)
        CNN_TRY(read_shapes(record, good, json_object_get(root, "shapes")));
    *good = *good &&
            read_seconds(record->before, json_object_get(root, "before"), record->shape_count) &&
            read_seconds(record->after, json_object_get(root, "after"), record->shape_count);
    if (*good)
        status = read_trials(record, good, json_object_get(root, "trials"));
out:
    return status;
}

/* Why the document is not this device's record, as one line's end; NULL where it is. */
static cnn_status find_flaw(const char **flaw, cnn_gemm_record *record, json_t *root,
                            const cnn_device *device)
{
    identity of[IDENTITIES];
    char checksum[32];
    bool good;
    *flaw = "it is damaged";
    const char *found = json_string_value(json_object_get(root, "format"));
    if (!found || strcmp(found, format) != 0)
        return CNN_OK;
    if (json_integer_value(json_object_get(root, "version")) != VERSION) {
        *flaw = "another version of cnn-cl wrote it";
        return CNN_OK;
    }
    cnn_status status = find_checksum(checksum, root);
    found = json_string_value(json_object_get(root, "checksum"));
    if (status != CNN_OK || !found || strcmp(found, checksum) != 0)
        return status;
    identify(of, device);
    for (int i = 0; i < IDENTITIES; i++) {
        found = json_string_value(json_object_get(root, of[i].key));
        if (!found || strcmp(found, of[i].value) != 0) {
            *flaw = "it is of another device or driver";
            return CNN_OK;
        }
    }
    status = read_record(record, &good, root);
    if (status != CNN_OK || !good)
        return status;
    *flaw = cnn_gemm_tuning_is_legal(&record->tuning, device)
                ? NULL
                : "its values do not go together on this device";
    return CNN_OK;
}

static void warn(const char *path, const char *flaw)
{
    cnn_log(CNN_LOG_WARNING,
            "%s is left aside: %s; remove it, or run 'cnn-cl bench --tune' to make a new one", path,
            flaw);
}

static cnn_status read_file(cnn_gemm_record *record, bool *found, const char *path,
                            const cnn_device *device)
{
    void *data = NULL;
    size_t size;
    const char *flaw = NULL;
    cnn_status status = cnn_cache_read(&data, &size, path, MOST_BYTES);
    if (status == CNN_ERROR_MEMORY)
        return status;
    if (status != CNN_OK) {
        cnn_log(CNN_LOG_WARNING,
                "%s; it is left aside: run 'cnn-cl bench --tune' to make a new one",
                cnn_error_message());
        return CNN_OK;
    }
    json_t *root = cnn_json_parse(data, size, JSON_REJECT_DUPLICATES, NULL);
    free(data);
    status = find_flaw(&flaw, record, root, device);
    json_decref(root);
    *found = status == CNN_OK && !flaw;
    if (status == CNN_OK && flaw)
        warn(path, flaw);
    if (!*found)
        cnn_gemm_record_finish(record);
    return status;
}

cnn_status cnn_gemm_record_read(cnn_gemm_record *record, bool *found, const cnn_device *device)
{
    char *path;
    *found = false;
    cnn_status status = cnn_gemm_record_path(&path, device);
    if (status == CNN_OK && path && cnn_file_exists(path))
        status = read_file(record, found, path, device);
    free(path);
    return status;
}

/* ---- from the record to the document; NULL where memory is out ---- */

static json_t *values_to_json(const size_t *values, int count)
{
    json_t *array = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    return array;
}

static json_t *seconds_to_json(const double *seconds, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_real(seconds[i]));
    return array;
}

json_t *cnn_gemm_tuning_to_json(const cnn_gemm_tuning *tuning)
{
    json_t *object = json_object();
    for (int part = 0; part < CNN_GEMM_PARTS; part++) {
        const cnn_gemm_part_kind *kind = &cnn_gemm_parts[part];
        if (!tuning->given[part])
            continue;
        json_t *values = json_object();
        for (int i = 0; i < kind->count; i++)
            json_object_set_new(values, kind->names[i],
                                json_integer((json_int_t)tuning->values[part][i]));
        json_object_set_new(object, kind->kernel, values);
    }
    return object;
}

static json_t *shapes_to_json(const cnn_gemm_record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; i < record->shape_count; i++) {
        const cnn_gemm_shape *shape = &record->shapes[i];
        json_array_append_new(array, json_pack("{s:b, s:b, s:I, s:I, s:I}", "transpose_a",
                                               shape->transpose_a, "transpose_b",
                                               shape->transpose_b, "m", (json_int_t)shape->m, "n",
                                               (json_int_t)shape->n, "k", (json_int_t)shape->k));
    }
    return array;
}

static json_t *trials_to_json(const cnn_gemm_record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; i < record->trial_count; i++) {
        const cnn_gemm_trial *trial = &record->trials[i];
        const cnn_gemm_part_kind *kind = &cnn_gemm_parts[trial->part];
        json_array_append_new(
            array, json_pack("{s:s, s:o, s:b, s:o}", "kernel", kind->kernel, "values",
                             values_to_json(trial->values, kind->count), "failed", trial->failed,
                             "seconds", seconds_to_json(trial->seconds, record->shape_count)));
    }
    return array;
}

static cnn_status record_to_text(char **text, const cnn_gemm_record *record,
                                 const cnn_device *device)
{
    identity of[IDENTITIES];
    char checksum[32];
    *text = NULL;
    json_t *root = json_pack("{s:s, s:i, s:o, s:b, s:o, s:o, s:o, s:o}", "format", format,
                             "version", VERSION, "tuning", cnn_gemm_tuning_to_json(&record->tuning),
                             "complete", record->complete, "shapes", shapes_to_json(record),
                             "before", seconds_to_json(record->before, record->shape_count),
                             "after", seconds_to_json(record->after, record->shape_count), "trials",
                             trials_to_json(record));
    if (!root)
        return cnn_fail_memory(MOST_BYTES, "a tuning file");
    identify(of, device);
    for (int i = 0; i < IDENTITIES; i++)
        json_object_set_new(root, of[i].key, cnn_json_string(of[i].value));
    cnn_status status = find_checksum(checksum, root);
    if (status != CNN_OK) {
        json_decref(root);
        return status;
    }
    json_object_set_new(root, "checksum", json_string(checksum));
    return cnn_json_to_text(text, root);
}

cnn_status cnn_gemm_record_write(bool *saved, const cnn_gemm_record *record,
                                 const cnn_device *device)
{
    char name[NAME_SIZE], *path = NULL, *text = NULL;
    cnn_status status = CNN_OK;
    *saved = false;
    CNN_TRY(name_file(name, device));
    CNN_TRY(cnn_cache_path(&path, name));
    CNN_TRY(record_to_text(&text, record, device));
    if (path && text)
        *saved = cnn_file_write_atomic(path, &(cnn_piece){text, strlen(text)}, 1) == CNN_OK;
out:
    free(path);
    free(text);
    return status;
}
