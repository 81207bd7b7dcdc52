/* torch.save() before PyTorch 1.6, and since where it is asked: pickles one after the other (a
 * magic number, a version, the machine, what was saved, the storages' keys), then for each key a
 * count and the values. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/torch.h"

enum { VERSION = 1001 };

typedef struct torch_old {
    cnn_pickle pickle;
    cnn_torch_storages storages;
} torch_old;

static bool is_magic(const cnn_pickle_value *value)
{
    static const unsigned char magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                          0x20, 0x6a, 0xa8, 0x50, 0x19};
    return value->kind == CNN_PICKLE_LONG && value->text.size == sizeof magic &&
           memcmp(value->text.bytes, magic, sizeof magic) == 0;
}

/* What stands before the value that was saved. */
static cnn_status read_head(cnn_pickle *pickle)
{
    cnn_pickle_value *value;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pickle_load(&value, pickle));
    if (!is_magic(value))
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected a file of torch.save() or safetensors, found another pickle: "
                        "save the weights with torch.save(model.state_dict(), FILE)",
                        pickle->path);
    CNN_TRY(cnn_pickle_load(&value, pickle));
    if (value->kind != CNN_PICKLE_INT || value->integer != VERSION)
        return cnn_pickle_fail(pickle, "expected version %d of the format, found another", VERSION);
    CNN_TRY(cnn_pickle_load(&value, pickle));
    const cnn_pickle_value *little = cnn_pickle_get(value, "little_endian");
    if (little && little->kind == CNN_PICKLE_INT && !little->integer)
        status = cnn_pickle_fail(pickle, "expected a little-endian file, found a big-endian one");
out:
    return status;
}

static cnn_status find_storage(cnn_pickle_storage **storage, void *user, const char *key,
                               const cnn_dtype *dtype, size_t numel)
{
    torch_old *at = user;
    bool is_new;
    size_t size = numel * dtype->size;
    if (size > at->pickle.size)
        return cnn_pickle_fail(&at->pickle, "storage '%.64s' of %zu bytes in a file of %zu", key,
                               size, at->pickle.size);
    cnn_status status = cnn_torch_storage(storage, &is_new, &at->storages, key, size);
    if (status == CNN_OK && is_new)
        (*storage)->width = dtype->size;
    return status;
}

/* The values of one storage: a count, and so many values. */
static cnn_status read_storage(cnn_pickle_storage *storage, cnn_pickle *pickle)
{
    uint64_t count;
    size_t left = pickle->size - pickle->at;
    if (left < sizeof count || left - sizeof count < storage->size)
        return cnn_pickle_fail(pickle,
                               "storage '%.64s': expected %zu bytes, found %zu; is it "
                               "truncated?",
                               storage->key, storage->size, left);
    memcpy(&count, pickle->data + pickle->at, sizeof count);
    if (count != storage->size / storage->width)
        return cnn_pickle_fail(pickle, "storage '%.64s': expected %zu values, found %llu",
                               storage->key, storage->size / storage->width,
                               (unsigned long long)count);
    storage->bytes = pickle->data + pickle->at + sizeof count;
    pickle->at += sizeof count + storage->size;
    return CNN_OK;
}

static cnn_status read_storages(torch_old *at, const cnn_pickle_value *keys)
{
    cnn_status status = CNN_OK;
    cnn_pickle *pickle = &at->pickle;
    if (keys->kind != CNN_PICKLE_LIST)
        return cnn_pickle_fail(pickle, "expected the list of storages, found something else");
    for (size_t i = 0; i < keys->list.count; i++) {
        const char *key;
        CNN_TRY(cnn_pickle_copy_text(&key, pickle, keys->list.items[i]));
        cnn_pickle_storage *storage = cnn_torch_find(&at->storages, key);
        if (!storage || storage->bytes)
            return cnn_pickle_fail(pickle, "storage '%.64s': expected each once, and no other",
                                   key);
        CNN_TRY(read_storage(storage, pickle));
    }
    for (size_t i = 0; i < at->storages.count; i++)
        if (!at->storages.items[i]->bytes)
            return cnn_pickle_fail(pickle, "storage '%.64s': expected its values, there are none",
                                   at->storages.items[i]->key);
out:
    return status;
}

static cnn_status read_all(cnn_state_dict *dict, torch_old *at)
{
    cnn_pickle *pickle = &at->pickle;
    cnn_pickle_value *root, *keys;
    const cnn_pickle_value *state;
    cnn_status status = CNN_OK;
    CNN_TRY(read_head(pickle));
    pickle->find_storage = find_storage;
    pickle->user = at;
    at->storages.pickle = pickle;
    CNN_TRY(cnn_pickle_load(&root, pickle));
    pickle->find_storage = NULL;
    CNN_TRY(cnn_pickle_find_state(&state, pickle, root));
    CNN_TRY(cnn_pickle_load(&keys, pickle));
    CNN_TRY(read_storages(at, keys));
    status = cnn_torch_take(dict, pickle, state);
out:
    return status;
}

cnn_status cnn_read_torch_old(cnn_state_dict *dict, const char *path)
{
    torch_old at = {0};
    void *data;
    size_t size;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_file_read(&data, &size, path, SIZE_MAX / 2));
    CNN_TRY(cnn_state_dict_own(dict, data));
    cnn_pickle_init(&at.pickle, path, data, size);
    status = read_all(dict, &at);
    cnn_torch_finish(&at.storages);
    cnn_pickle_finish(&at.pickle);
out:
    return status;
}
