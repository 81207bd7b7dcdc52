#include "exchange/torch.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

cnn_pickle_storage *cnn_torch_find(const cnn_torch_storages *storages, const char *key)
{
    const json_t *place = json_object_get(storages->places, key);
    return place ? storages->items[json_integer_value(place)] : NULL;
}

static cnn_status make(cnn_pickle_storage **storage, cnn_torch_storages *storages, const char *key)
{
    cnn_pickle *pickle = storages->pickle;
    cnn_status status = CNN_OK;
    if (!storages->places)
        storages->places = json_object();
    if (storages->count == storages->room) {
        size_t room = storages->room ? 2 * storages->room : 64;
        cnn_pickle_storage **items = realloc(storages->items, room * sizeof(void *));
        if (!items)
            return cnn_fail_memory(room * sizeof(void *), pickle->path);
        storages->items = items;
        storages->room = room;
    }
    CNN_TRY(cnn_pickle_allocate(storage, pickle, sizeof **storage));
    (*storage)->key = key;
    if (json_object_set_new(storages->places, key, json_integer((json_int_t)storages->count)) != 0)
        return cnn_pickle_fail(pickle, "expected the key of a storage in UTF-8");
    storages->items[storages->count++] = *storage;
out:
    return status;
}

cnn_status cnn_torch_storage(cnn_pickle_storage **storage, bool *is_new,
                             cnn_torch_storages *storages, const char *key, size_t size)
{
    *storage = cnn_torch_find(storages, key);
    *is_new = !*storage;
    if (*storage && (*storage)->size != size)
        return cnn_pickle_fail(storages->pickle,
                               "storage '%.64s': expected %zu bytes as before, found %zu", key,
                               (*storage)->size, size);
    if (*storage)
        return CNN_OK;
    cnn_status status = make(storage, storages, key);
    if (status == CNN_OK)
        (*storage)->size = size;
    return status;
}

void cnn_torch_finish(cnn_torch_storages *storages)
{
    json_decref(storages->places);
    free(storages->items);
    *storages = (cnn_torch_storages){0};
}

static cnn_status add(cnn_state_dict *dict, cnn_pickle *pickle, const cnn_pickle_value *name,
                      const cnn_pickle_tensor *tensor)
{
    cnn_raw_tensor raw = tensor->raw;
    const char *text;
    char *copy;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pickle_copy_text(&text, pickle, name));
    copy = strdup(text);
    if (!copy)
        return cnn_fail_memory(strlen(text), dict->path);
    CNN_TRY(cnn_state_dict_own(dict, copy));
    raw.name = copy;
    raw.order = dict->count + 1;
    raw.values = tensor->view.storage->bytes + tensor->view.offset * raw.dtype->size;
    status = cnn_state_dict_add(dict, &raw);
out:
    return status;
}

cnn_status cnn_torch_take(cnn_state_dict *dict, cnn_pickle *pickle, const cnn_pickle_value *state)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i + 1 < state->list.count; i += 2) {
        const cnn_pickle_value *name = state->list.items[i], *value = state->list.items[i + 1];
        if (name->kind == CNN_PICKLE_TEXT && value->kind == CNN_PICKLE_TENSOR)
            status = add(dict, pickle, name, value->tensor);
    }
    return status;
}
