/* What the two forms of torch.save()'s files have in common: storages by key. */
#ifndef EXCHANGE_TORCH_H
#define EXCHANGE_TORCH_H

#include "base/json.h"
#include "exchange/pickle.h"
#include "exchange/state_dict.h"

/* Storages by their keys; start from {0}. They live as long as the pickle. */
typedef struct cnn_torch_storages {
    cnn_pickle *pickle;
    cnn_pickle_storage **items;
    size_t count, room;
    json_t *places; /* key to index */
} cnn_torch_storages;

/* The storage of the key, which must have so many bytes; *is_new where there was none. */
cnn_status cnn_torch_storage(cnn_pickle_storage **storage, bool *is_new,
                             cnn_torch_storages *storages, const char *key, size_t size);
/* NULL where there is none. */
cnn_pickle_storage *cnn_torch_find(const cnn_torch_storages *storages, const char *key);
void cnn_torch_finish(cnn_torch_storages *storages);

/* Adds the tensors of the dict, whose storages have been read. */
cnn_status cnn_torch_take(cnn_state_dict *dict, cnn_pickle *pickle, const cnn_pickle_value *state);

#endif
