/* safetensors files as others write them: one, or several with an index. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/state_dict.h"

enum { INDEX_LIMIT = 1 << 26 };

cnn_status cnn_read_safetensors(cnn_state_dict *dict, const char *path)
{
    cnn_archive *archive;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_archive_read_any(&archive, path));
    CNN_TRY(cnn_state_dict_own_archive(dict, archive));
    for (size_t i = 0; i < cnn_archive_count(archive); i++)
        CNN_TRY(cnn_state_dict_add(dict, cnn_archive_raw(archive, i)));
out:
    return status;
}

static cnn_status read_index(json_t **index, const char *path)
{
    void *text;
    size_t size;
    json_error_t error;
    char quoted[CNN_QUOTE_SIZE];
    cnn_status status = cnn_file_read(&text, &size, path, INDEX_LIMIT);
    *index = NULL;
    if (status != CNN_OK)
        return status;
    *index = cnn_json_parse(text, size, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!*index)
        return cnn_fail(CNN_ERROR_DATA, "%s: expected an index of weights in JSON: line %d: %s",
                        path, error.line, cnn_quote(quoted, error.text));
    if (json_object_size(json_object_get(*index, "weight_map")) > 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected an index with \"weight_map\": the file of each tensor", path);
}

/* The files of the map stand beside the index: another folder is none of a file's business. */
static cnn_status check_file(const char *name, const json_t *file, const char *path)
{
    const char *text = json_string_value(file);
    char quoted[CNN_QUOTE_SIZE], problem[CNN_QUOTE_SIZE + 96];
    size_t length = json_string_length(file);
    if (text && length > 0 && strlen(text) == length && !strchr(text, '/') && text[0] != '.')
        return CNN_OK;
    snprintf(problem, sizeof problem,
             "weight_map: expected the name of a file beside the index, found '%s'",
             cnn_quote(quoted, text ? text : "something else"));
    return cnn_archive_fail(path, name, problem);
}

/* Reads one file, and keeps of what it added the tensors that the map has in it. */
static cnn_status read_shard(cnn_state_dict *dict, const char *path, const char *file,
                             const json_t *map)
{
    char *folder = NULL, *whole = NULL;
    size_t first = dict->count, kept = first;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_path_directory(&folder, path));
    CNN_TRY(cnn_path_join(&whole, folder, file));
    CNN_TRY(cnn_read_tensors(dict, whole));
    for (size_t i = first; i < dict->count; i++) {
        const char *place = json_string_value(json_object_get(map, dict->tensors[i].name));
        if (place && strcmp(place, file) == 0)
            dict->tensors[kept++] = dict->tensors[i];
    }
    dict->count = kept;
out:
    free(folder);
    free(whole);
    return status;
}

/* Every tensor of the map must have been in its file. */
static cnn_status check_whole(const cnn_state_dict *dict, json_t *map, const char *path)
{
    if (dict->count == json_object_size(map))
        return CNN_OK;
    json_t *left = json_copy(map);
    for (size_t i = 0; i < dict->count; i++)
        json_object_del(left, dict->tensors[i].name);
    const char *name = json_object_iter_key(json_object_iter(left));
    char quoted[CNN_QUOTE_SIZE], problem[CNN_QUOTE_SIZE + 64];
    snprintf(problem, sizeof problem, "weight_map: expected it in '%s', it is missing there",
             cnn_quote(quoted, name ? json_string_value(json_object_get(left, name)) : "?"));
    cnn_status status = cnn_archive_fail(path, name ? name : "?", problem);
    json_decref(left);
    return status;
}

cnn_status cnn_read_shards(cnn_state_dict *dict, const char *path)
{
    cnn_status status = CNN_OK;
    json_t *index = NULL, *read = json_object(), *map, *file;
    const char *name;
    if (dict->has_index)
        CNN_TRY(cnn_fail(CNN_ERROR_DATA, "%s: expected tensors, found another index", path));
    dict->has_index = true;
    CNN_TRY(read_index(&index, path));
    map = json_object_get(index, "weight_map");
    json_object_foreach(map, name, file)
    {
        CNN_TRY(check_file(name, file, path));
        const char *text = json_string_value(file);
        if (json_object_get(read, text))
            continue;
        json_object_set_new(read, text, json_true());
        CNN_TRY(read_shard(dict, path, text, map));
    }
    CNN_TRY(check_whole(dict, map, path));
out:
    json_decref(index);
    json_decref(read);
    return status;
}
