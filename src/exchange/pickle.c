/* The machine itself: its memory, its values, and one pickle from the first opcode to the last. */
#include "exchange/pickle.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"

enum {
    CHUNK_SIZE = 1 << 16,
    BYTES_PER_BYTE = 256,  /* memory for each byte of the file */
    MOST_MEMORY = 1 << 29, /* for one that is all pickle */
    MOST_DEPTH = 100,      /* of containers in containers */
    MOST_WEIGHT = 1 << 24, /* values, counted as often as they are there */
    FIRST_LIST = 4
};

struct cnn_pickle_chunk {
    cnn_pickle_chunk *next;
    size_t used, size;
    max_align_t data[];
};

void cnn_pickle_init(cnn_pickle *pickle, const char *path, const void *data, size_t size)
{
    *pickle = (cnn_pickle){.path = path, .data = data, .size = size};
}

void cnn_pickle_finish(cnn_pickle *pickle)
{
    for (cnn_pickle_chunk *next; pickle->chunks; pickle->chunks = next) {
        next = pickle->chunks->next;
        free(pickle->chunks);
    }
    free(pickle->stack);
    free(pickle->marks);
    free(pickle->memo);
    *pickle = (cnn_pickle){0};
}

cnn_status cnn_pickle_fail(const cnn_pickle *pickle, const char *format, ...)
{
    char problem[512];
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return cnn_fail(CNN_ERROR_DATA, "%s: byte %zu of its pickle: %s", pickle->path, pickle->at,
                    problem);
}

static cnn_status add_chunk(cnn_pickle *pickle, size_t size)
{
    size_t bytes = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    size_t limit = pickle->size < MOST_MEMORY / BYTES_PER_BYTE
                       ? pickle->size * BYTES_PER_BYTE + 2 * (size_t)CHUNK_SIZE
                       : MOST_MEMORY;
    cnn_pickle_chunk *chunk;
    if (bytes > limit - pickle->taken)
        return cnn_pickle_fail(pickle, "more in it than files of tensors have");
    cnn_status status = cnn_allocate(&chunk, 1, sizeof *chunk + bytes, pickle->path);
    if (status != CNN_OK)
        return status;
    chunk->size = bytes;
    chunk->next = pickle->chunks;
    pickle->chunks = chunk;
    pickle->taken += bytes;
    return CNN_OK;
}

cnn_status cnn_pickle_allocate(void *memory, cnn_pickle *pickle, size_t size)
{
    size_t unit = sizeof(max_align_t), rounded = (size + unit - 1) / unit * unit;
    void *result;
    if (rounded < size)
        return cnn_fail_memory(size, pickle->path);
    if (!pickle->chunks || rounded > pickle->chunks->size - pickle->chunks->used) {
        cnn_status status = add_chunk(pickle, rounded);
        if (status != CNN_OK)
            return status;
    }
    result = (unsigned char *)pickle->chunks->data + pickle->chunks->used;
    pickle->chunks->used += rounded;
    memcpy(memory, &result, sizeof result);
    return CNN_OK;
}

cnn_status cnn_pickle_make(cnn_pickle_value **value, cnn_pickle *pickle, cnn_pickle_kind kind)
{
    cnn_status status = cnn_pickle_allocate(value, pickle, sizeof **value);
    if (status == CNN_OK) {
        (*value)->kind = kind;
        (*value)->weight = 1;
    }
    return status;
}

cnn_status cnn_pickle_append(cnn_pickle_value *list, cnn_pickle *pickle, cnn_pickle_value *item)
{
    if (list->list.count == list->list.room) {
        size_t room = list->list.room ? 2 * list->list.room : FIRST_LIST;
        cnn_pickle_value **items = NULL;
        cnn_status status = cnn_pickle_allocate(&items, pickle, room * sizeof(cnn_pickle_value *));
        if (status != CNN_OK || !items)
            return status;
        if (list->list.count > 0)
            memcpy(items, list->list.items, list->list.count * sizeof(cnn_pickle_value *));
        list->list.items = items;
        list->list.room = room;
    }
    if (item->depth >= MOST_DEPTH)
        return cnn_pickle_fail(pickle, "containers in each other, more than %d deep", MOST_DEPTH);
    list->depth = list->depth > item->depth + 1 ? list->depth : item->depth + 1;
    list->weight += item->weight;
    if (list->weight > MOST_WEIGHT)
        return cnn_pickle_fail(pickle, "a container of more than %d values", MOST_WEIGHT);
    list->list.items[list->list.count++] = item;
    return CNN_OK;
}

cnn_status cnn_pickle_load(cnn_pickle_value **value, cnn_pickle *pickle)
{
    cnn_status status = CNN_OK;
    pickle->count = pickle->mark_count = pickle->memo_count = 0;
    pickle->stopped = false;
    if (pickle->memo_room > 0)
        memset(pickle->memo, 0, pickle->memo_room * sizeof *pickle->memo);
    while (status == CNN_OK && !pickle->stopped) {
        if (pickle->at >= pickle->size)
            return cnn_pickle_fail(pickle, "it ends before its end; is the file truncated?");
        status = cnn_pickle_step(pickle, pickle->data[pickle->at++]);
    }
    if (status == CNN_OK)
        *value = pickle->stack[0];
    return status;
}

bool cnn_pickle_is_text(const cnn_pickle_value *value, const char *text)
{
    return value->kind == CNN_PICKLE_TEXT && value->text.size == strlen(text) &&
           memcmp(value->text.bytes, text, value->text.size) == 0;
}

const cnn_pickle_value *cnn_pickle_get(const cnn_pickle_value *dict, const char *key)
{
    if (dict->kind != CNN_PICKLE_DICT)
        return NULL;
    for (size_t i = dict->list.count; i >= 2; i -= 2)
        if (cnn_pickle_is_text(dict->list.items[i - 2], key))
            return dict->list.items[i - 1];
    return NULL;
}

cnn_status cnn_pickle_copy_text(const char **copy, cnn_pickle *pickle,
                                const cnn_pickle_value *value)
{
    char *bytes = NULL;
    if (value->kind != CNN_PICKLE_TEXT)
        return cnn_pickle_fail(pickle, "expected a text, found something else");
    size_t size = value->text.size;
    if (size > 0 && memchr(value->text.bytes, '\0', size))
        return cnn_pickle_fail(pickle, "expected a text, found a zero byte in it");
    cnn_status status = cnn_pickle_allocate(&bytes, pickle, size + 1);
    if (status != CNN_OK || !bytes)
        return status;
    if (size > 0)
        memcpy(bytes, value->text.bytes, size);
    *copy = bytes;
    return CNN_OK;
}
