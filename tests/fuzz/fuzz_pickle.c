/* A file of torch.save() as it comes; and the bytes as the pickle of one, whose storages are all
 * there: every value of every tensor that is taken is read. */
#include <stdlib.h>
#include <string.h>

#include <cnncl/exchange.h>

#include "exchange/torch.h"
#include "fuzz.h"

enum { MOST_BYTES = 1 << 16 };

static void ignore(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)line;
    (void)user;
}

static cnn_status find_storage(cnn_pickle_storage **storage, void *user, const char *key,
                               const cnn_dtype *dtype, size_t numel)
{
    bool is_new;
    return cnn_torch_storage(storage, &is_new, user, key, numel * dtype->size);
}

/* Not a byte more than it says: the sanitizer sees what is read behind. */
static bool fill(cnn_torch_storages *storages, cnn_state_dict *dict)
{
    for (size_t i = 0; i < storages->count; i++) {
        cnn_pickle_storage *storage = storages->items[i];
        if (!storage->wanted)
            continue;
        void *bytes =
            storage->size <= MOST_BYTES ? malloc(storage->size ? storage->size : 1) : NULL;
        if (!bytes || cnn_state_dict_own(dict, bytes) != CNN_OK)
            return false;
        memset(bytes, 1, storage->size);
        storage->bytes = bytes;
    }
    return true;
}

static void read_values(const cnn_state_dict *dict)
{
    for (size_t i = 0; i < dict->count; i++) {
        float *values = malloc(sizeof *values * (dict->tensors[i].count + 1));
        int64_t number;
        if (!values)
            abort();
        (void)cnn_raw_to_float(values, &dict->tensors[i], "input");
        if (dict->tensors[i].count > 0)
            (void)cnn_raw_to_int64(&number, &dict->tensors[i], "input");
        free(values);
    }
}

static void load(const uint8_t *data, size_t size)
{
    cnn_state_dict *dict = calloc(1, sizeof *dict);
    cnn_pickle pickle;
    cnn_torch_storages storages = {.pickle = &pickle};
    cnn_pickle_value *root;
    const cnn_pickle_value *state;
    if (!dict)
        abort();
    cnn_pickle_init(&pickle, "input", data, size);
    pickle.find_storage = find_storage;
    pickle.user = &storages;
    if (cnn_pickle_load(&root, &pickle) == CNN_OK &&
        cnn_pickle_find_state(&state, &pickle, root) == CNN_OK && fill(&storages, dict) &&
        cnn_torch_take(dict, &pickle, state) == CNN_OK)
        read_values(dict);
    cnn_torch_finish(&storages);
    cnn_pickle_finish(&pickle);
    cnn_state_dict_destroy(dict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_model *model;
    cnn_import_options options;
    cnn_import_options_init(&options);
    cnn_log_set_callback(ignore, NULL);
    if (cnn_model_import(&model, fuzz_file(data, size), &options) == CNN_OK)
        cnn_model_destroy(model);
    load(data, size);
    return 0;
}
