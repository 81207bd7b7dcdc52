/* torch.save() since PyTorch 1.6: a zip archive, not compressed. NAME/data.pkl is the pickle,
 * NAME/data/KEY the bytes of a storage, NAME/byteorder "little". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zip.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/torch.h"

enum { PICKLE_LIMIT = 1 << 27, NAME_SIZE = 512 };

static const char pickle_name[] = "/data.pkl";

typedef struct torch_zip {
    cnn_state_dict *dict;
    const char *path;
    zip_t *zip;
    uint64_t budget; /* bytes of entries that the file's size leaves to be read */
    char folder[NAME_SIZE];
    cnn_pickle pickle;
    cnn_torch_storages storages;
} torch_zip;

static cnn_status fail_zip(const torch_zip *at, const char *entry, const char *problem)
{
    char quoted[CNN_QUOTE_SIZE];
    return cnn_fail(CNN_ERROR_DATA, "%s: '%s' in it: %s", at->path, cnn_quote(quoted, entry),
                    problem);
}

static cnn_status open_zip(torch_zip *at)
{
    int code;
    struct stat info;
    zip_error_t error;
    at->zip = zip_open(at->path, ZIP_RDONLY, &code);
    if (at->zip) {
        at->budget = stat(at->path, &info) == 0 ? (uint64_t)info.st_size : 0;
        return CNN_OK;
    }
    zip_error_init_with_code(&error, code);
    cnn_status status = code == ZIP_ER_MEMORY ? CNN_ERROR_MEMORY : CNN_ERROR_DATA;
    cnn_fail(status,
             "%s: expected a zip archive of torch.save(), found a damaged one (%s); is it "
             "truncated?",
             at->path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

/* Reads an entry whole. All together take no more than the file's size. */
static cnn_status read_entry(void **bytes, size_t *size, torch_zip *at, const char *name)
{
    zip_stat_t info;
    zip_file_t *file = NULL;
    cnn_status status = CNN_OK;
    *bytes = NULL;
    if (zip_stat(at->zip, name, 0, &info) != 0)
        return fail_zip(at, name, "expected it, it is missing");
    if (info.comp_method != ZIP_CM_STORE || info.encryption_method != ZIP_EM_NONE)
        return fail_zip(at, name,
                        "expected it as torch.save() stores it, found it compressed or encrypted: "
                        "load and save it again with PyTorch");
    if (info.size > at->budget)
        return fail_zip(at, name, "more bytes than the file has");
    at->budget -= info.size;
    CNN_TRY(cnn_allocate(bytes, info.size, 1, at->path));
    file = zip_fopen(at->zip, name, 0);
    /* The checksum is compared at the end; of 0 where PyTorch was told to compute none. */
    if (!file || zip_fread(file, *bytes, info.size) != (zip_int64_t)info.size ||
        (info.crc != 0 && zip_fread(file, &(char){0}, 1) != 0))
        status = fail_zip(at, name, "damaged: its checksum or its length is wrong");
    *size = (size_t)info.size;
out:
    if (file)
        zip_fclose(file);
    if (status != CNN_OK) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

/* The folder is named as the file was. */
static cnn_status find_folder(torch_zip *at)
{
    zip_int64_t count = zip_get_num_entries(at->zip, 0);
    for (zip_int64_t i = 0; i < count; i++) {
        const char *name = zip_get_name(at->zip, (zip_uint64_t)i, 0);
        size_t length = name ? strlen(name) : 0, tail = strlen(pickle_name);
        if (length <= tail || length - tail >= sizeof at->folder ||
            strcmp(name + length - tail, pickle_name) != 0)
            continue;
        memcpy(at->folder, name, length - tail);
        at->folder[length - tail] = '\0';
        return CNN_OK;
    }
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: expected safetensors or a file of torch.save(), found a zip archive with "
                    "other files in it: unpack it and name what is inside",
                    at->path);
}

static void name_entry(char name[2 * NAME_SIZE], const torch_zip *at, const char *entry)
{
    snprintf(name, (size_t)2 * NAME_SIZE, "%s/%s", at->folder, entry);
}

static cnn_status check_order(torch_zip *at)
{
    char name[2 * NAME_SIZE];
    void *bytes = NULL;
    size_t size = 0;
    name_entry(name, at, "byteorder");
    if (zip_name_locate(at->zip, name, 0) < 0)
        return CNN_OK; /* older ones do not say it */
    cnn_status status = read_entry(&bytes, &size, at, name);
    if (status != CNN_OK)
        return status;
    if (size != strlen("little") || memcmp(bytes, "little", size) != 0)
        status = fail_zip(at, name, "expected little: big-endian files are not read");
    free(bytes);
    return status;
}

static void name_storage(char name[2 * NAME_SIZE], const torch_zip *at, const char *key)
{
    snprintf(name, (size_t)2 * NAME_SIZE, "%s/data/%.*s", at->folder, NAME_SIZE - 8, key);
}

static cnn_status find_storage(cnn_pickle_storage **storage, void *user, const char *key,
                               const cnn_dtype *dtype, size_t numel)
{
    torch_zip *at = user;
    char name[2 * NAME_SIZE], problem[96];
    zip_stat_t info;
    bool is_new;
    size_t size = numel * dtype->size;
    cnn_status status = cnn_torch_storage(storage, &is_new, &at->storages, key, size);
    if (status != CNN_OK || !is_new)
        return status;
    name_storage(name, at, key);
    if (zip_stat(at->zip, name, 0, &info) != 0)
        return fail_zip(at, name, "expected a storage, it is missing");
    if (info.size == size)
        return CNN_OK;
    snprintf(problem, sizeof problem, "a storage of %zu bytes, found %llu", size,
             (unsigned long long)info.size);
    return fail_zip(at, name, problem);
}

static cnn_status read_storages(torch_zip *at)
{
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < at->storages.count; i++) {
        cnn_pickle_storage *storage = at->storages.items[i];
        char name[2 * NAME_SIZE];
        void *bytes;
        size_t size;
        if (!storage->wanted)
            continue;
        name_storage(name, at, storage->key);
        CNN_TRY(read_entry(&bytes, &size, at, name));
        storage->bytes = bytes;
        CNN_TRY(cnn_state_dict_own(at->dict, bytes));
    }
out:
    return status;
}

static cnn_status read_pickle(torch_zip *at, const void *bytes, size_t size)
{
    cnn_pickle_value *root;
    const cnn_pickle_value *state;
    cnn_status status = CNN_OK;
    cnn_pickle_init(&at->pickle, at->path, bytes, size);
    at->pickle.find_storage = find_storage;
    at->pickle.user = at;
    at->storages.pickle = &at->pickle;
    CNN_TRY(cnn_pickle_load(&root, &at->pickle));
    CNN_TRY(cnn_pickle_find_state(&state, &at->pickle, root));
    CNN_TRY(read_storages(at));
    status = cnn_torch_take(at->dict, &at->pickle, state);
out:
    return status;
}

cnn_status cnn_read_torch_zip(cnn_state_dict *dict, const char *path)
{
    torch_zip at = {.dict = dict, .path = path};
    char name[2 * NAME_SIZE];
    void *bytes = NULL;
    size_t size = 0;
    cnn_status status = CNN_OK;
    CNN_TRY(open_zip(&at));
    CNN_TRY(find_folder(&at));
    CNN_TRY(check_order(&at));
    name_entry(name, &at, pickle_name + 1);
    CNN_TRY(read_entry(&bytes, &size, &at, name));
    if (size > PICKLE_LIMIT)
        CNN_TRY(fail_zip(&at, name, "longer than a file of tensors has it"));
    CNN_TRY(read_pickle(&at, bytes, size));
out:
    cnn_torch_finish(&at.storages);
    cnn_pickle_finish(&at.pickle);
    free(bytes);
    if (at.zip)
        zip_discard(at.zip);
    return status;
}
