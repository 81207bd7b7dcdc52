#include "exchange/pickle_stack.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

cnn_status cnn_pickle_push(cnn_pickle *pickle, cnn_pickle_value *value)
{
    if (pickle->count == pickle->room) {
        size_t room = pickle->room ? 2 * pickle->room : 64;
        cnn_pickle_value **stack = realloc(pickle->stack, room * sizeof *stack);
        if (!stack)
            return cnn_fail_memory(room * sizeof *stack, pickle->path);
        pickle->stack = stack;
        pickle->room = room;
    }
    pickle->stack[pickle->count++] = value;
    return CNN_OK;
}

size_t cnn_pickle_floor(const cnn_pickle *pickle)
{
    return pickle->mark_count > 0 ? pickle->marks[pickle->mark_count - 1] : 0;
}

cnn_status cnn_pickle_pop(cnn_pickle_value **value, cnn_pickle *pickle)
{
    *value = NULL;
    if (pickle->count <= cnn_pickle_floor(pickle))
        return cnn_pickle_fail(pickle, "expected a value on its stack, found none");
    *value = pickle->stack[--pickle->count];
    return CNN_OK;
}

cnn_status cnn_pickle_top(cnn_pickle_value **value, cnn_pickle *pickle)
{
    cnn_status status = cnn_pickle_pop(value, pickle);
    pickle->count += status == CNN_OK;
    return status;
}

cnn_status cnn_pickle_pop_mark(cnn_pickle_value ***items, size_t *count, cnn_pickle *pickle)
{
    *items = NULL;
    *count = 0;
    if (pickle->mark_count == 0)
        return cnn_pickle_fail(pickle, "expected a mark on its stack, found none");
    size_t height = pickle->marks[--pickle->mark_count];
    *count = pickle->count - height;
    *items = *count > 0 ? pickle->stack + height : NULL;
    pickle->count = height;
    return CNN_OK;
}

cnn_status cnn_pickle_take(const unsigned char **bytes, cnn_pickle *pickle, uint64_t count)
{
    *bytes = NULL;
    if (count > pickle->size - pickle->at)
        return cnn_pickle_fail(pickle, "expected %llu more bytes, found %zu; is it truncated?",
                               (unsigned long long)count, pickle->size - pickle->at);
    *bytes = pickle->data + pickle->at;
    pickle->at += (size_t)count;
    return CNN_OK;
}

cnn_status cnn_pickle_take_number(uint64_t *number, cnn_pickle *pickle, size_t width)
{
    const unsigned char *bytes = NULL;
    cnn_status status = cnn_pickle_take(&bytes, pickle, width);
    *number = 0;
    for (size_t i = 0; bytes && i < width; i++)
        *number |= (uint64_t)bytes[i] << 8 * i;
    return status;
}

cnn_status cnn_pickle_take_line(const unsigned char **line, size_t *length, cnn_pickle *pickle)
{
    const unsigned char *start = pickle->data + pickle->at;
    const unsigned char *end = memchr(start, '\n', pickle->size - pickle->at);
    *line = NULL;
    *length = 0;
    if (!end)
        return cnn_pickle_fail(pickle, "expected a line, found no end of it; is it truncated?");
    *line = start;
    *length = (size_t)(end - start);
    pickle->at += *length + 1;
    return CNN_OK;
}
