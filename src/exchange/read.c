/* Which format a file of tensors has; and what the names in it have in common. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/signature.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/state_dict.h"

enum { HEAD_SIZE = CNN_SIGNATURE_BYTES + 1, PICKLE_PROTOCOL = 0x80, LAST_PROTOCOL = 5 };

/* A length in eight bytes, whose upper half is zero, then JSON. */
static bool is_safetensors(const unsigned char head[HEAD_SIZE], size_t size)
{
    return size > 8 && memcmp(head + 4, (unsigned char[4]){0}, 4) == 0 && head[8] == '{';
}

static bool is_torch_zip(const unsigned char head[HEAD_SIZE], size_t size)
{
    const cnn_signature *signature = cnn_signature_find(head, size);
    return signature &&
           (strcmp(signature->name, "PyTorch") == 0 ||
            strcmp(signature->name, "PyTorch program") == 0 || strcmp(signature->name, "zip") == 0);
}

static bool is_pickle(const unsigned char head[HEAD_SIZE], size_t size)
{
    return size > 1 && head[0] == PICKLE_PROTOCOL && head[1] <= LAST_PROTOCOL;
}

static bool is_json(const unsigned char head[HEAD_SIZE], size_t size)
{
    (void)size;
    return head[strspn((const char *)head, " \t\r\n")] == '{';
}

/* The first that fits counts. */
static const struct {
    bool (*is)(const unsigned char head[HEAD_SIZE], size_t size);
    cnn_status (*read)(cnn_state_dict *dict, const char *path);
} formats[] = {
    {is_safetensors, cnn_read_safetensors},
    {is_torch_zip, cnn_read_torch_zip},
    {is_pickle, cnn_read_torch_old},
    {is_json, cnn_read_shards},
};

static cnn_status fail_format(const char *path, const unsigned char *head, size_t size)
{
    char found[CNN_SIGNATURE_TEXT];
    return cnn_fail(CNN_ERROR_DATA, "%s: expected safetensors or a file of torch.save(), found %s",
                    path, cnn_signature_found(found, head, size, CNN_WANTED_TENSORS));
}

/* The first bytes of the file. */
static cnn_status read_head(unsigned char head[HEAD_SIZE], size_t *size, const char *path)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISFIFO(info.st_mode)) /* opening it would wait */
        return cnn_fail(CNN_ERROR_FILE, "%s: expected a regular file, found a pipe", path);
    FILE *file = fopen(path, "rb");
    if (!file)
        return cnn_fail(CNN_ERROR_FILE, "%s: cannot be opened: %s", path, strerror(errno));
    bool regular = fstat(fileno(file), &info) == 0 && S_ISREG(info.st_mode);
    *size = regular ? fread(head, 1, HEAD_SIZE - 1, file) : 0;
    bool failed = regular && ferror(file);
    fclose(file);
    if (!regular)
        return cnn_fail(CNN_ERROR_FILE, "%s: expected a regular file", path);
    return failed ? cnn_fail(CNN_ERROR_FILE, "%s: cannot be read: %s", path, strerror(errno))
                  : CNN_OK;
}

cnn_status cnn_read_tensors(cnn_state_dict *dict, const char *path)
{
    unsigned char head[HEAD_SIZE] = {0};
    size_t size = 0;
    cnn_status status = read_head(head, &size, path);
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; size > 0 && i < sizeof formats / sizeof formats[0]; i++)
        if (formats[i].is(head, size))
            return formats[i].read(dict, path);
    return fail_format(path, head, size);
}

/* Do all names below a module begin with the part? */
static bool all_begin_with(const cnn_state_dict *dict, const char *part)
{
    bool some = false;
    for (size_t i = 0; i < dict->count; i++) {
        const char *name = dict->tensors[i].name;
        if (!strchr(name, '.'))
            continue; /* of the wrapper itself: "n_averaged" */
        if (!cnn_starts_with(name, part))
            return false;
        some = true;
    }
    return some;
}

/* A copy of the name without a part, wherever it stands between dots. */
static cnn_status leave_out(const char **name, const char *part, cnn_state_dict *dict)
{
    cnn_status status = CNN_OK;
    const char *at = *name, *found;
    cnn_text text = {0};
    char *copy;
    while ((found = strstr(at, part)) != NULL) {
        bool whole = found == *name || found[-1] == '.';
        cnn_text_append_bytes(&text, at, (size_t)(found - at) + (whole ? 0 : strlen(part)));
        at = found + strlen(part);
    }
    cnn_text_append(&text, "%s", at);
    CNN_TRY(cnn_text_take(&copy, &text));
    *name = copy;
    status = cnn_state_dict_own(dict, copy);
out:
    return status;
}

/* DistributedDataParallel, DataParallel and AveragedModel wrap a whole network as "module",
 * torch.compile() any part of it as "_orig_mod". */
static cnn_status leave_out_wrappers(cnn_state_dict *dict)
{
    static const char compiled[] = "_orig_mod.", wrapped[] = "module.";
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < dict->count; i++)
        if (strstr(dict->tensors[i].name, compiled))
            CNN_TRY(leave_out(&dict->tensors[i].name, compiled, dict));
    while (all_begin_with(dict, wrapped))
        for (size_t i = 0; i < dict->count; i++)
            if (cnn_starts_with(dict->tensors[i].name, wrapped))
                dict->tensors[i].name += strlen(wrapped);
out:
    return status;
}

static cnn_status settle(cnn_state_dict *dict)
{
    cnn_status status = CNN_OK;
    CNN_TRY(leave_out_wrappers(dict));
    cnn_state_dict_sort(dict);
    for (size_t i = 1; i < dict->count; i++)
        if (strcmp(dict->tensors[i - 1].name, dict->tensors[i].name) == 0)
            return cnn_archive_fail(dict->path, dict->tensors[i].name, "the name is there twice");
out:
    return status;
}

cnn_status cnn_state_dict_read(cnn_state_dict **dict, const char *path)
{
    cnn_status status = CNN_OK;
    cnn_state_dict *result = NULL;
    *dict = NULL;
    CNN_TRY(cnn_state_dict_create(&result, path));
    CNN_TRY(cnn_read_tensors(result, path));
    CNN_TRY(settle(result));
    *dict = result;
    result = NULL;
out:
    cnn_state_dict_destroy(result);
    return status;
}
