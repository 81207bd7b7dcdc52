#include "fuzz_archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "fuzz.h"
#include "model/archive.h"
#include "model/format.h"
#include "model/seal.h"

enum { MOST_VALUES = 1 << 16 };

static const char metadata_key[] = "__metadata__", offsets_key[] = "data_offsets";

/* Bytes of the tensor's values; false where its entry does not say, or where they are many. */
static bool find_size(size_t *size, const json_t *entry)
{
    static const struct {
        const char *dtype;
        size_t width;
    } types[] = {{"F32", 4}, {"I64", 8}, {"F16", 2}, {"BF16", 2}, {"F64", 8}};
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    *size = 0;
    for (size_t i = 0; dtype && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dtype, types[i].dtype) == 0)
            *size = types[i].width;
    for (size_t i = 0; i < json_array_size(shape); i++) {
        json_int_t side = json_integer_value(json_array_get(shape, i));
        if (side < 0 || side > MOST_VALUES)
            return false;
        *size *= (size_t)side;
        if (*size > MOST_VALUES)
            return false;
    }
    return dtype && shape;
}

/* Gives each tensor that has no place the next one. Returns how many bytes the values take. */
static size_t place_tensors(json_t *root)
{
    size_t total = 0, size;
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, metadata_key) == 0 || !json_is_object(entry) ||
            json_object_get(entry, offsets_key) || !find_size(&size, entry) ||
            total + size > MOST_VALUES)
            continue;
        json_object_set_new(
            entry, offsets_key,
            json_pack("[I, I]", (json_int_t)total, (json_int_t)total + (json_int_t)size));
        total += size;
    }
    return total;
}

/* Metadata are strings: what is an object in the input becomes its text. */
static void make_strings(json_t *metadata)
{
    void *next;
    const char *key;
    json_t *value;
    json_object_foreach_safe(metadata, next, key, value)
    {
        char *text = json_is_object(value) ? json_dumps(value, JSON_COMPACT) : NULL;
        if (text)
            json_object_set_new(metadata, key, json_string(text));
        free(text);
    }
}

/* Room for the seal's digits, where nothing in the header says already that there is one. */
static bool add_seal(json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT), zeros[CNN_HASH_SIZE];
    json_t *metadata = json_object_get(root, metadata_key);
    bool fits = text && !strstr(text, CNN_ARCHIVE_SEAL) && json_is_object(metadata);
    free(text);
    memset(zeros, '0', CNN_HASH_DIGITS);
    zeros[CNN_HASH_DIGITS] = '\0';
    return fits && json_object_set_new(metadata, CNN_ARCHIVE_SEAL, json_string(zeros)) == 0;
}

static const char *write_file(char *header, const uint8_t *values, size_t given, size_t wanted,
                              bool sealed)
{
    const uint64_t length = strlen(header);
    size_t value_size = given > wanted ? given : wanted;
    size_t size = CNN_ARCHIVE_LENGTH_SIZE + (size_t)length + value_size;
    uint8_t *bytes = calloc(size, 1), *at = bytes;
    if (!bytes)
        abort();
    uint8_t *tail = bytes + CNN_ARCHIVE_LENGTH_SIZE + length;
    if (given > 0)
        memcpy(tail, values, given);
    if (sealed)
        cnn_seal_set(header,
                     (cnn_piece[]){{&length, sizeof length}, {header, length}, {tail, value_size}},
                     3);
    memcpy(at, &length, sizeof length);
    memcpy(at + sizeof length, header, length);
    const char *path = fuzz_file(bytes, size);
    free(bytes);
    return path;
}

const char *fuzz_archive(const uint8_t *data, size_t size, bool sealed)
{
    if (size == 0 || data[0] != '{')
        return fuzz_file(data, size);
    const uint8_t *zero = memchr(data, '\0', size);
    size_t length = zero ? (size_t)(zero - data) : size, wanted = 0;
    size_t behind = zero ? length + 1 : length; /* the zero byte is not of the file */
    json_t *root = json_loadb((const char *)data, length, JSON_REJECT_DUPLICATES, NULL);
    if (root) {
        make_strings(json_object_get(root, metadata_key));
        wanted = place_tensors(root);
    }
    sealed = sealed && root && add_seal(root);
    char *header = root ? json_dumps(root, JSON_COMPACT) : strndup((const char *)data, length);
    json_decref(root);
    if (!header)
        abort();
    const char *path = write_file(header, data + behind, size - behind, wanted, sealed);
    free(header);
    return path;
}
