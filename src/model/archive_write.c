#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "model/archive.h"
#include "model/format.h"
#include "model/seal.h"

/* Where each tensor's values go, and the pieces of the file in the order of their bytes. */
typedef struct value_layout {
    size_t *offsets; /* per tensor, within the values */
    cnn_piece *pieces;
    size_t piece_count;
} value_layout;

enum { HEADER_PIECES = 2 };

static void place_values(value_layout *layout, const cnn_tensor_info *tensors, size_t count)
{
    static const cnn_type widest_first[CNN_ARCHIVE_TYPES] = {CNN_INT64, CNN_FLOAT32};
    size_t offset = 0;
    layout->piece_count = HEADER_PIECES;
    for (int type = 0; type < CNN_ARCHIVE_TYPES; type++) {
        for (size_t i = 0; i < count; i++) {
            if (tensors[i].type != widest_first[type])
                continue;
            size_t size = tensors[i].count * cnn_type_rows[tensors[i].type].size;
            layout->offsets[i] = offset;
            layout->pieces[layout->piece_count++] = (cnn_piece){tensors[i].values, size};
            offset += size;
        }
    }
}

static json_t *entry_to_json(const cnn_tensor_info *tensor, size_t offset)
{
    const cnn_type_row *type = &cnn_type_rows[tensor->type];
    size_t end = offset + tensor->count * type->size;
    json_t *shape = json_array();
    for (int axis = 0; axis < tensor->rank; axis++)
        json_array_append_new(shape, json_integer(tensor->shape[axis]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type->name, "shape", shape, "data_offsets",
                     (json_int_t)offset, (json_int_t)end);
}

static cnn_status add_entry(json_t *object, const char *key, json_t *value, const char *path)
{
    char quoted[CNN_QUOTE_SIZE];
    if (json_object_get(object, key)) {
        json_decref(value);
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s: the name '%s' is there twice", path,
                        cnn_quote(quoted, key));
    }
    if (json_object_set_new(object, key, value) == 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT, "%s: '%s' or its text is not UTF-8", path,
                    cnn_quote(quoted, key));
}

static cnn_status build_header(json_t *root, const value_layout *layout,
                               const cnn_tensor_info *tensors, size_t tensor_count,
                               const cnn_metadata *metadata, size_t metadata_count,
                               const char *path)
{
    cnn_status status = CNN_OK;
    json_t *strings = json_object();
    CNN_TRY(add_entry(root, CNN_ARCHIVE_METADATA, strings, path));
    for (size_t i = 0; i < metadata_count; i++)
        CNN_TRY(add_entry(strings, metadata[i].key, json_string(metadata[i].value), path));
    for (size_t i = 0; i < tensor_count; i++)
        CNN_TRY(
            add_entry(root, tensors[i].name, entry_to_json(&tensors[i], layout->offsets[i]), path));
out:
    return status;
}

/* The header's text, padded with blanks. Takes the reference of root. */
static cnn_status dump_header(char **header, uint64_t *length, json_t *root, const char *path)
{
    char *dump = cnn_json_dump(root, JSON_COMPACT);
    json_decref(root);
    if (!dump)
        return cnn_fail(CNN_ERROR_MEMORY, "out of memory for the header of %s", path);
    cnn_text text = {0};
    cnn_text_append(&text, "%s", dump);
    free(dump);
    while (text.length % CNN_ARCHIVE_ALIGNMENT != 0 && !text.failed)
        cnn_text_append(&text, " ");
    *length = text.length;
    cnn_status status = cnn_text_take(header, &text);
    if (status == CNN_OK && *length > CNN_ARCHIVE_HEADER_LIMIT)
        status = cnn_fail(CNN_ERROR_ARGUMENT, "%s: its header exceeds the format's %d bytes", path,
                          CNN_ARCHIVE_HEADER_LIMIT);
    return status;
}

static cnn_status write_archive(const char *path, const cnn_tensor_info *tensors,
                                size_t tensor_count, const cnn_metadata *metadata,
                                size_t metadata_count, bool sealed)
{
    value_layout layout = {0};
    char *header = NULL;
    uint64_t length = 0;
    json_t *root = json_object();
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&layout.offsets, tensor_count, sizeof *layout.offsets, path));
    CNN_TRY(
        cnn_allocate(&layout.pieces, tensor_count + HEADER_PIECES, sizeof *layout.pieces, path));
    place_values(&layout, tensors, tensor_count);
    CNN_TRY(build_header(root, &layout, tensors, tensor_count, metadata, metadata_count, path));
    CNN_TRY(dump_header(&header, &length, json_incref(root), path));
    layout.pieces[0] = (cnn_piece){&length, CNN_ARCHIVE_LENGTH_SIZE};
    layout.pieces[1] = (cnn_piece){header, (size_t)length};
    if (sealed)
        cnn_seal_set(header, layout.pieces, layout.piece_count);
    CNN_TRY(cnn_file_write_atomic(path, layout.pieces, layout.piece_count));
out:
    json_decref(root);
    free(header);
    free(layout.pieces);
    free(layout.offsets);
    return status;
}

cnn_status cnn_archive_write(const char *path, const cnn_tensor_info *tensors, size_t tensor_count,
                             const cnn_metadata *metadata, size_t metadata_count)
{
    return write_archive(path, tensors, tensor_count, metadata, metadata_count, false);
}

cnn_status cnn_archive_write_sealed(const char *path, const cnn_tensor_info *tensors,
                                    size_t tensor_count, const cnn_metadata *metadata,
                                    size_t metadata_count)
{
    char zeros[CNN_HASH_SIZE];
    cnn_metadata *all;
    cnn_status status = cnn_allocate(&all, metadata_count + 1, sizeof *all, path);
    if (status != CNN_OK)
        return status;
    memset(zeros, '0', CNN_HASH_DIGITS);
    zeros[CNN_HASH_DIGITS] = '\0';
    memcpy(all, metadata, metadata_count * sizeof *all);
    all[metadata_count] = (cnn_metadata){CNN_ARCHIVE_SEAL, zeros};
    status = write_archive(path, tensors, tensor_count, all, metadata_count + 1, true);
    free(all);
    return status;
}
