/* Reading an archive: nothing in the file is believed before it is checked. */
#include "model/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/signature.h"
#include "base/status.h"
#include "base/text.h"
#include "model/format.h"
#include "model/seal.h"

enum { MAX_RANK = 4 };

typedef struct archive_entry {
    cnn_tensor_info info; /* its name belongs to the header */
    cnn_raw_tensor raw;   /* the same as the file has it */
    size_t begin, end;    /* bytes within the values */
} archive_entry;

struct cnn_archive {
    char *path;
    json_t *header;
    archive_entry *entries; /* in the header's order */
    size_t count;
    unsigned char *values;
    size_t value_size; /* bytes */
    bool any;          /* takes what other programs write: all types, more axes */
};

static cnn_status fail_tensor(const cnn_archive *archive, const char *name, const char *problem)
{
    return cnn_archive_fail(archive->path, name, problem);
}

static cnn_status parse_type(archive_entry *entry, const cnn_archive *archive, const json_t *value)
{
    const char *name = json_string_value(value);
    if (!name)
        return fail_tensor(archive, entry->info.name, "dtype: expected a string");
    entry->raw.dtype = cnn_dtype_find(name);
    for (int type = 0; type < CNN_ARCHIVE_TYPES; type++) {
        if (strcmp(name, cnn_type_rows[type].name) == 0) {
            entry->info.type = (cnn_type)type;
            return CNN_OK;
        }
    }
    if (archive->any && entry->raw.dtype)
        return CNN_OK;
    char quoted[CNN_QUOTE_SIZE], problem[CNN_QUOTE_SIZE + 64];
    snprintf(problem, sizeof problem, "dtype: expected %s, found '%s'",
             archive->any ? "a type that safetensors files have" : "F32 or I64",
             cnn_quote(quoted, name));
    return fail_tensor(archive, entry->info.name, problem);
}

static cnn_status parse_shape(archive_entry *entry, const cnn_archive *archive, const json_t *value)
{
    cnn_tensor_info *info = &entry->info;
    size_t rank = json_array_size(value), limit = archive->any ? CNN_RAW_RANK : MAX_RANK;
    char problem[64];
    snprintf(problem, sizeof problem, "shape: expected a list of at most %zu sizes", limit);
    if (!json_is_array(value) || rank > limit)
        return fail_tensor(archive, info->name, problem);
    info->rank = entry->raw.rank = (int)rank;
    info->count = 1;
    for (size_t axis = 0; axis < rank; axis++) {
        const json_t *item = json_array_get(value, axis);
        json_int_t size = json_integer_value(item);
        if (!json_is_integer(item) || size < 0 || size > INT_MAX)
            return fail_tensor(archive, info->name,
                               "shape: expected sizes of 0 to 2147483647, found something else");
        entry->raw.shape[axis] = (int)size;
        if (axis < MAX_RANK)
            info->shape[axis] = (int)size;
        if (!cnn_multiply_size(&info->count, info->count, (size_t)size))
            return fail_tensor(archive, info->name, "shape: more values than memory can address");
    }
    return CNN_OK;
}

static bool parse_offset(size_t *offset, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    *offset = (size_t)number;
    return json_is_integer(value) && number >= 0 && (uint64_t)number <= SIZE_MAX;
}

static cnn_status parse_offsets(archive_entry *entry, const cnn_archive *archive,
                                const json_t *value)
{
    char problem[160];
    const char *name = entry->info.name;
    size_t size;
    if (json_array_size(value) != 2 || !parse_offset(&entry->begin, json_array_get(value, 0)) ||
        !parse_offset(&entry->end, json_array_get(value, 1)))
        return fail_tensor(archive, name,
                           "data_offsets: expected two byte positions, found something else");
    if (!cnn_multiply_size(&size, entry->info.count, entry->raw.dtype->size))
        return fail_tensor(archive, name, "shape: more bytes than memory can address");
    if (entry->begin > entry->end || entry->end > archive->value_size) {
        snprintf(problem, sizeof problem,
                 "data_offsets: expected positions within the file's %zu bytes of values, found "
                 "%zu to %zu; is it truncated?",
                 archive->value_size, entry->begin, entry->end);
        return fail_tensor(archive, name, problem);
    }
    if (entry->end - entry->begin == size)
        return CNN_OK;
    snprintf(problem, sizeof problem,
             "data_offsets: expected %zu bytes for its shape and dtype, found %zu", size,
             entry->end - entry->begin);
    return fail_tensor(archive, name, problem);
}

static cnn_status parse_entry(cnn_archive *archive, const char *name, const json_t *value)
{
    cnn_status status = CNN_OK;
    archive_entry *entry = &archive->entries[archive->count];
    entry->info.name = name;
    if (!json_is_object(value))
        return fail_tensor(archive, name, "expected an object of dtype, shape and data_offsets");
    CNN_TRY(parse_type(entry, archive, json_object_get(value, "dtype")));
    CNN_TRY(parse_shape(entry, archive, json_object_get(value, "shape")));
    CNN_TRY(parse_offsets(entry, archive, json_object_get(value, "data_offsets")));
    archive->count++;
out:
    return status;
}

static cnn_status check_metadata(const cnn_archive *archive, json_t *metadata)
{
    const char *key;
    json_t *value;
    char quoted[CNN_QUOTE_SIZE];
    if (!json_is_object(metadata))
        return cnn_fail(CNN_ERROR_DATA, "%s: __metadata__: expected an object of strings",
                        archive->path);
    json_object_foreach(metadata, key, value)
    {
        if (!json_is_string(value))
            return cnn_fail(CNN_ERROR_DATA, "%s: __metadata__: expected a string for '%s'",
                            archive->path, cnn_quote(quoted, key));
    }
    return CNN_OK;
}

static int compare_entries(const void *a, const void *b)
{
    const archive_entry *one = *(archive_entry *const *)a, *other = *(archive_entry *const *)b;
    if (one->begin != other->begin)
        return one->begin < other->begin ? -1 : 1;
    return (one->end > other->end) - (one->end < other->end);
}

/* The tensors must cover the values without holes or overlaps. */
static cnn_status check_cover(const cnn_archive *archive)
{
    cnn_status status = CNN_OK;
    const archive_entry **sorted;
    size_t position = 0;
    char problem[128];
    CNN_TRY(cnn_allocate(&sorted, archive->count, sizeof *sorted, archive->path));
    for (size_t i = 0; i < archive->count; i++)
        sorted[i] = &archive->entries[i];
    qsort(sorted, archive->count, sizeof *sorted, compare_entries);
    for (size_t i = 0; status == CNN_OK && i < archive->count; i++) {
        if (sorted[i]->begin != position) {
            snprintf(problem, sizeof problem,
                     "data_offsets: expected to begin at %zu, where the tensor before ends, found "
                     "%zu",
                     position, sorted[i]->begin);
            status = fail_tensor(archive, sorted[i]->info.name, problem);
        }
        position = sorted[i]->end;
    }
    free(sorted);
    if (status == CNN_OK && position != archive->value_size)
        status =
            cnn_fail(CNN_ERROR_DATA, "%s: expected %zu bytes of values after the header, found %zu",
                     archive->path, position, archive->value_size);
out:
    return status;
}

static cnn_status parse_header(cnn_archive *archive, const char *text, size_t length)
{
    cnn_status status = CNN_OK;
    json_error_t error;
    const char *key;
    json_t *value;
    archive->header = cnn_json_parse(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(archive->header)) {
        char quoted[CNN_QUOTE_SIZE];
        return cnn_fail(
            CNN_ERROR_DATA, "%s: header: expected a JSON object as safetensors has it, found %s",
            archive->path, archive->header ? "another value" : cnn_quote(quoted, error.text));
    }
    CNN_TRY(cnn_allocate(&archive->entries, json_object_size(archive->header),
                         sizeof *archive->entries, archive->path));
    json_object_foreach(archive->header, key, value)
    {
        if (strcmp(key, CNN_ARCHIVE_METADATA) == 0)
            CNN_TRY(check_metadata(archive, value));
        else
            CNN_TRY(parse_entry(archive, key, value));
    }
    CNN_TRY(check_cover(archive));
out:
    return status;
}

static cnn_status read_bytes(void *bytes, size_t size, FILE *file, const char *path)
{
    if (fread(bytes, 1, size, file) == size)
        return CNN_OK;
    if (ferror(file))
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno));
    return cnn_fail(CNN_ERROR_DATA, "%s: truncated while it was read", path);
}

/* Is it a file of another format, that can be named? */
static bool is_other(const char *path)
{
    const cnn_signature *other;
    return cnn_signature_read(&other, path) == CNN_OK && other &&
           strcmp(other->name, "safetensors") != 0;
}

static cnn_status fail_other(FILE *file, const char *path)
{
    char found[CNN_SIGNATURE_TEXT];
    unsigned char head[CNN_SIGNATURE_BYTES];
    rewind(file);
    size_t size = fread(head, 1, sizeof head, file);
    return cnn_fail(CNN_ERROR_DATA, "%s: expected a saved model (safetensors), found %s", path,
                    cnn_signature_found(found, head, size, CNN_WANTED_MODEL));
}

/* The length of the header, and the size of the values behind it. */
static cnn_status read_lengths(size_t *length, cnn_archive *archive, FILE *file)
{
    struct stat info;
    uint64_t declared;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        return cnn_fail(CNN_ERROR_FILE, "%s: expected a regular file", archive->path);
    uint64_t size = (uint64_t)info.st_size;
    if (size < CNN_ARCHIVE_LENGTH_SIZE)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a safetensors file of at least 8 bytes, found %zu",
                        archive->path, (size_t)size);
    cnn_status status = read_bytes(&declared, sizeof declared, file, archive->path);
    if (status != CNN_OK)
        return status;
    size -= CNN_ARCHIVE_LENGTH_SIZE;
    uint64_t limit = size < CNN_ARCHIVE_HEADER_LIMIT ? size : CNN_ARCHIVE_HEADER_LIMIT;
    /* No header is so long: these are not its bytes. */
    if (declared > UINT32_MAX || (declared > limit && is_other(archive->path)))
        return fail_other(file, archive->path);
    if (declared > limit)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: header length: expected at most %llu, found %llu; it is truncated or "
                        "no safetensors file",
                        archive->path, (unsigned long long)limit, (unsigned long long)declared);
    *length = (size_t)declared;
    archive->value_size = (size_t)(size - declared);
    return CNN_OK;
}

static void bind_values(archive_entry *entry, const cnn_archive *archive)
{
    entry->info.values = archive->values + entry->begin;
    entry->raw.name = entry->info.name;
    entry->raw.count = entry->info.count;
    entry->raw.values = archive->values + entry->begin;
    size_t stride = 1;
    for (int axis = entry->raw.rank - 1; axis >= 0; axis--) {
        entry->raw.strides[axis] = stride;
        stride *= (size_t)entry->raw.shape[axis];
    }
}

static cnn_status read_all(cnn_archive *archive, FILE *file, bool sealed)
{
    cnn_status status = CNN_OK;
    char *header = NULL;
    size_t length = 0;
    CNN_TRY(read_lengths(&length, archive, file));
    CNN_TRY(cnn_allocate(&header, length + 1, 1, archive->path));
    CNN_TRY(read_bytes(header, length, file, archive->path));
    CNN_TRY(parse_header(archive, header, length));
    CNN_TRY(cnn_allocate(&archive->values, archive->value_size, 1, archive->path));
    CNN_TRY(read_bytes(archive->values, archive->value_size, file, archive->path));
    if (sealed) {
        const uint64_t declared = length;
        const cnn_piece pieces[] = {{&declared, CNN_ARCHIVE_LENGTH_SIZE},
                                    {header, length},
                                    {archive->values, archive->value_size}};
        CNN_TRY(cnn_seal_check(header, archive->path, pieces, sizeof pieces / sizeof pieces[0]));
    }
    for (size_t i = 0; i < archive->count; i++)
        bind_values(&archive->entries[i], archive);
out:
    free(header);
    return status;
}

static cnn_status read_archive(cnn_archive **archive, const char *path, bool sealed, bool any)
{
    *archive = NULL;
    cnn_status status = CNN_OK;
    cnn_archive *result = NULL;
    cnn_text text = {0};
    /* O_NONBLOCK: a pipe is refused below, and must not be waited for here. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "rb") : NULL;
    if (!file) {
        int error = errno;
        if (descriptor >= 0)
            close(descriptor);
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(error));
    }
    cnn_text_append(&text, "%s", path);
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, path));
    CNN_TRY(cnn_text_take(&result->path, &text));
    result->any = any;
    CNN_TRY(read_all(result, file, sealed));
    *archive = result;
    result = NULL;
out:
    fclose(file);
    cnn_text_finish(&text);
    cnn_archive_destroy(result);
    return status;
}

cnn_status cnn_archive_read(cnn_archive **archive, const char *path)
{
    return read_archive(archive, path, false, false);
}

cnn_status cnn_archive_read_any(cnn_archive **archive, const char *path)
{
    return read_archive(archive, path, false, true);
}

cnn_status cnn_archive_read_sealed(cnn_archive **archive, const char *path)
{
    return read_archive(archive, path, true, false);
}

void cnn_archive_destroy(cnn_archive *archive)
{
    if (!archive)
        return;
    json_decref(archive->header);
    free(archive->entries);
    free(archive->values);
    free(archive->path);
    free(archive);
}

const char *cnn_archive_path(const cnn_archive *archive)
{
    return archive->path;
}

const char *cnn_archive_metadata(const cnn_archive *archive, const char *key)
{
    const json_t *metadata = json_object_get(archive->header, CNN_ARCHIVE_METADATA);
    return json_string_value(json_object_get(metadata, key));
}

size_t cnn_archive_count(const cnn_archive *archive)
{
    return archive->count;
}

const cnn_tensor_info *cnn_archive_get(const cnn_archive *archive, size_t index)
{
    return &archive->entries[index].info;
}

const cnn_raw_tensor *cnn_archive_raw(const cnn_archive *archive, size_t index)
{
    return &archive->entries[index].raw;
}

const cnn_tensor_info *cnn_archive_find(const cnn_archive *archive, const char *name)
{
    for (size_t i = 0; i < archive->count; i++)
        if (strcmp(archive->entries[i].info.name, name) == 0)
            return &archive->entries[i].info;
    return NULL;
}
