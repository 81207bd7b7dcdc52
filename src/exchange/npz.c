/* NumPy's npz: a zip archive, not compressed, of one npy file for each tensor. The format is
 * numpy.lib.format's version 1.0: magic, length, a Python dict padded with blanks, values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/exchange.h"
#include "model/format.h"
#include "net/network.h"

/* Everything but the values is in 128 bytes, a multiple of the format's alignment of 64. */
enum { MAGIC_SIZE = 10, NPY_HEADER_SIZE = 128 };
/* 1980-01-01, a zip's first day, as in NumPy's own: the same model gives the same file. */
enum { ZIP_TIME = 0, ZIP_DATE = 1 << 5 | 1 };

typedef struct npz_entry {
    char header[NPY_HEADER_SIZE];
    zip_buffer_fragment_t fragments[2]; /* header, values */
} npz_entry;

/* Values are little-endian, as in saved models. */
static const char *const descriptions[CNN_ARCHIVE_TYPES] = {
    [CNN_FLOAT32] = "<f4", [CNN_INT64] = "<i8"};

static void describe(npz_entry *entry, const cnn_tensor_info *tensor)
{
    static const char magic[MAGIC_SIZE] = "\x93NUMPY\x01\x00";
    size_t size = NPY_HEADER_SIZE - MAGIC_SIZE;
    char shape[64], *text = entry->header + MAGIC_SIZE;
    cnn_shape_to_text(shape, sizeof shape, tensor->shape, tensor->rank);
    memcpy(entry->header, magic, MAGIC_SIZE);
    entry->header[MAGIC_SIZE - 2] = (char)size;
    int length = snprintf(text, size, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                          descriptions[tensor->type], shape);
    memset(text + length, ' ', size - (size_t)length);
    text[size - 1] = '\n';
    entry->fragments[0] = (zip_buffer_fragment_t){(zip_uint8_t *)entry->header, NPY_HEADER_SIZE};
    entry->fragments[1] =
        (zip_buffer_fragment_t){tensor->values, tensor->count * cnn_type_rows[tensor->type].size};
}

static cnn_status fail_zip(const char *path, zip_error_t *error)
{
    cnn_status status =
        zip_error_code_zip(error) == ZIP_ER_MEMORY ? CNN_ERROR_MEMORY : CNN_ERROR_FILE;
    cnn_fail(status, "%s: the zip archive cannot be built: %s", path, zip_error_strerror(error));
    zip_error_fini(error);
    return status;
}

/* The entry must live until the archive is closed. */
static bool add_entry(zip_t *archive, npz_entry *entry, const cnn_slot *slot)
{
    char name[sizeof slot->name + sizeof ".npy"];
    snprintf(name, sizeof name, "%s.npy", slot->name);
    describe(entry, &slot->info);
    zip_source_t *source =
        zip_source_buffer_fragment_create(entry->fragments, 2, 0, zip_get_error(archive));
    if (!source)
        return false;
    zip_int64_t index = zip_file_add(archive, name, source, 0);
    if (index < 0) {
        zip_source_free(source);
        return false;
    }
    return zip_set_file_compression(archive, (zip_uint64_t)index, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(archive, (zip_uint64_t)index, ZIP_TIME, ZIP_DATE, 0) == 0;
}

/* Writes the archive into the buffer. */
static cnn_status fill(zip_source_t *buffer, const cnn_model *model, const char *path)
{
    cnn_status status = CNN_OK;
    npz_entry *entries = NULL;
    zip_t *archive = NULL;
    zip_error_t error;
    zip_error_init(&error);
    CNN_TRY(cnn_allocate(&entries, model->slot_count, sizeof *entries, path));
    archive = zip_open_from_source(buffer, ZIP_TRUNCATE, &error);
    if (!archive) {
        status = fail_zip(path, &error);
        goto out;
    }
    zip_source_keep(buffer); /* the archive takes one reference, the caller has the other */
    bool good = true;
    for (size_t i = 0; good && i < model->slot_count; i++)
        good = add_entry(archive, &entries[i], &model->slots[i]);
    if (good && zip_close(archive) == 0)
        archive = NULL;
    else
        status = fail_zip(path, zip_get_error(archive));
out:
    if (archive)
        zip_discard(archive);
    free(entries);
    return status;
}

static cnn_status write_buffer(const char *path, zip_source_t *buffer)
{
    cnn_status status = CNN_OK;
    char *data = NULL;
    zip_stat_t info;
    if (zip_source_stat(buffer, &info) != 0 || zip_source_open(buffer) != 0)
        return fail_zip(path, zip_source_error(buffer));
    CNN_TRY(cnn_allocate(&data, info.size, 1, path));
    if (zip_source_read(buffer, data, info.size) != (zip_int64_t)info.size) {
        status = fail_zip(path, zip_source_error(buffer));
        goto out;
    }
    CNN_TRY(cnn_file_write_atomic(path, &(cnn_piece){data, info.size}, 1));
out:
    zip_source_close(buffer);
    free(data);
    return status;
}

cnn_status cnn_model_export_npz(const cnn_model *model, const char *path)
{
    CNN_NEED(model, path);
    cnn_status status = CNN_OK;
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *buffer = zip_source_buffer_create(NULL, 0, 0, &error);
    if (!buffer)
        return fail_zip(path, &error);
    CNN_TRY(cnn_model_check_finite(model, path));
    CNN_TRY(fill(buffer, model, path));
    CNN_TRY(write_buffer(path, buffer));
out:
    zip_source_free(buffer);
    return status;
}
