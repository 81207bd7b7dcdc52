/* The opcodes of containers, of the memo, of classes and what they would give; the table of all. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "exchange/pickle_stack.h"

enum { MOST_MARKS = 128, MOST_MEMO = 1 << 24, OPCODES = 256, NAME_SIZE = 256 };

/* A new value of a kind, with nothing in it. */
static cnn_status do_empty(cnn_pickle *pickle, int kind)
{
    cnn_pickle_value *value;
    cnn_status status = cnn_pickle_make(&value, pickle, (cnn_pickle_kind)kind);
    return status == CNN_OK ? cnn_pickle_push(pickle, value) : status;
}

static cnn_status do_mark(cnn_pickle *pickle, int unused)
{
    (void)unused;
    if (!pickle->marks) {
        cnn_status status =
            cnn_allocate(&pickle->marks, MOST_MARKS, sizeof *pickle->marks, pickle->path);
        if (status != CNN_OK)
            return status;
    }
    if (pickle->mark_count == MOST_MARKS)
        return cnn_pickle_fail(pickle, "containers in each other, more than %d deep", MOST_MARKS);
    pickle->marks[pickle->mark_count++] = pickle->count;
    return CNN_OK;
}

static cnn_status do_pop(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value *value;
    (void)unused;
    if (pickle->mark_count > 0 && pickle->count == cnn_pickle_floor(pickle)) {
        pickle->mark_count--;
        return CNN_OK;
    }
    return cnn_pickle_pop(&value, pickle);
}

static cnn_status do_pop_mark(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value **items;
    size_t count;
    (void)unused;
    return cnn_pickle_pop_mark(&items, &count, pickle);
}

static cnn_status do_dup(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value *value;
    (void)unused;
    cnn_status status = cnn_pickle_top(&value, pickle);
    return status == CNN_OK ? cnn_pickle_push(pickle, value) : status;
}

/* What a dict may have as a key: Python must be able to hash it. */
static bool is_key(const cnn_pickle_value *value)
{
    return value->kind != CNN_PICKLE_LIST && value->kind != CNN_PICKLE_DICT &&
           value->kind != CNN_PICKLE_SET;
}

static cnn_status append_all(cnn_pickle_value *target, cnn_pickle *pickle, cnn_pickle_value **items,
                             size_t count)
{
    cnn_status status = CNN_OK;
    bool pairs = target->kind == CNN_PICKLE_DICT;
    if (pairs && count % 2 != 0)
        return cnn_pickle_fail(pickle, "expected a value for each key of a dict");
    for (size_t i = 0; status == CNN_OK && i < count; i++) {
        if (pairs && i % 2 == 0 && !is_key(items[i]))
            return cnn_pickle_fail(pickle, "expected keys of a dict that can be keys");
        status = cnn_pickle_append(target, pickle, items[i]);
    }
    return status;
}

/* A new container of what is above the mark. */
static cnn_status do_marked(cnn_pickle *pickle, int kind)
{
    cnn_pickle_value **items, *value;
    size_t count;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pickle_pop_mark(&items, &count, pickle));
    CNN_TRY(cnn_pickle_make(&value, pickle, (cnn_pickle_kind)kind));
    CNN_TRY(append_all(value, pickle, items, count));
    status = cnn_pickle_push(pickle, value);
out:
    return status;
}

/* TUPLE1 to TUPLE3. */
static cnn_status do_tuple(cnn_pickle *pickle, int count)
{
    cnn_pickle_value *value;
    cnn_status status = CNN_OK;
    if (pickle->count - cnn_pickle_floor(pickle) < (size_t)count)
        return cnn_pickle_fail(pickle, "expected %d values on its stack, found less", count);
    CNN_TRY(cnn_pickle_make(&value, pickle, CNN_PICKLE_TUPLE));
    pickle->count -= (size_t)count;
    CNN_TRY(append_all(value, pickle, pickle->stack + pickle->count, (size_t)count));
    status = cnn_pickle_push(pickle, value);
out:
    return status;
}

static cnn_status add_to_top(cnn_pickle *pickle, int kind, cnn_pickle_value **items, size_t count)
{
    cnn_pickle_value *target;
    cnn_status status = cnn_pickle_top(&target, pickle);
    if (status == CNN_OK && target->kind != (cnn_pickle_kind)kind)
        status = cnn_pickle_fail(pickle, "expected a container to add to, found something else");
    return status == CNN_OK ? append_all(target, pickle, items, count) : status;
}

/* APPENDS, SETITEMS and ADDITEMS. */
static cnn_status do_add_marked(cnn_pickle *pickle, int kind)
{
    cnn_pickle_value **items;
    size_t count;
    cnn_status status = cnn_pickle_pop_mark(&items, &count, pickle);
    return status == CNN_OK ? add_to_top(pickle, kind, items, count) : status;
}

/* APPEND and SETITEM. */
static cnn_status do_add(cnn_pickle *pickle, int kind)
{
    size_t count = kind == CNN_PICKLE_DICT ? 2 : 1;
    if (pickle->count - cnn_pickle_floor(pickle) < count)
        return cnn_pickle_fail(pickle, "expected values on its stack, found none");
    pickle->count -= count;
    return add_to_top(pickle, kind, pickle->stack + pickle->count, count);
}

/* A pickler counts its memo up: an index beyond the bytes is none of its own. */
static cnn_status keep(cnn_pickle *pickle, uint64_t index)
{
    cnn_pickle_value *value;
    cnn_status status = cnn_pickle_top(&value, pickle);
    if (status != CNN_OK)
        return status;
    if (index >= pickle->size || index >= MOST_MEMO)
        return cnn_pickle_fail(pickle, "expected a place of the memo below %zu, found %llu",
                               pickle->size, (unsigned long long)index);
    if (index >= pickle->memo_room) {
        size_t room = 2 * (size_t)index + 64;
        cnn_pickle_value **memo = realloc(pickle->memo, room * sizeof *memo);
        if (!memo)
            return cnn_fail_memory(room * sizeof *memo, pickle->path);
        memset(memo + pickle->memo_room, 0, (room - pickle->memo_room) * sizeof *memo);
        pickle->memo = memo;
        pickle->memo_room = room;
    }
    pickle->memo_count += !pickle->memo[index];
    pickle->memo[index] = value;
    return CNN_OK;
}

static cnn_status fetch(cnn_pickle *pickle, uint64_t index)
{
    if (index >= pickle->memo_room || !pickle->memo[index])
        return cnn_pickle_fail(pickle, "expected a place of the memo that is taken, found %llu",
                               (unsigned long long)index);
    return cnn_pickle_push(pickle, pickle->memo[index]);
}

static cnn_status do_put(cnn_pickle *pickle, int width)
{
    uint64_t index;
    cnn_status status = cnn_pickle_take_number(&index, pickle, (size_t)width);
    return status == CNN_OK ? keep(pickle, index) : status;
}

static cnn_status do_memoize(cnn_pickle *pickle, int unused)
{
    (void)unused;
    return keep(pickle, pickle->memo_count);
}

static cnn_status do_get(cnn_pickle *pickle, int width)
{
    uint64_t index;
    cnn_status status = cnn_pickle_take_number(&index, pickle, (size_t)width);
    return status == CNN_OK ? fetch(pickle, index) : status;
}

/* PUT and GET of protocol 0. */
static cnn_status do_memo_line(cnn_pickle *pickle, int puts)
{
    const unsigned char *line;
    size_t length;
    char text[24] = "";
    int64_t index;
    cnn_status status = cnn_pickle_take_line(&line, &length, pickle);
    if (status != CNN_OK)
        return status;
    if (length < sizeof text)
        memcpy(text, line, length);
    if (!cnn_parse_int(&index, text, 0, INT64_MAX))
        return cnn_pickle_fail(pickle, "expected a place of the memo, found something else");
    return puts ? keep(pickle, (uint64_t)index) : fetch(pickle, (uint64_t)index);
}

static void copy_name(char name[NAME_SIZE], const unsigned char *bytes, size_t size)
{
    size_t length = size < NAME_SIZE - 1 ? size : NAME_SIZE - 1;
    memcpy(name, bytes, length);
    name[length] = '\0';
}

static cnn_status push_global(cnn_pickle *pickle, const char *module, const char *name)
{
    cnn_pickle_value *value;
    cnn_status status = cnn_pickle_find_global(&value, pickle, module, name);
    return status == CNN_OK ? cnn_pickle_push(pickle, value) : status;
}

/* GLOBAL; and INST, which would call it: no file of tensors has it, so that the name is refused. */
static cnn_status do_global(cnn_pickle *pickle, int calls)
{
    const unsigned char *lines[2];
    size_t lengths[2];
    char module[NAME_SIZE], name[NAME_SIZE];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_pickle_take_line(&lines[0], &lengths[0], pickle));
    CNN_TRY(cnn_pickle_take_line(&lines[1], &lengths[1], pickle));
    copy_name(module, lines[0], lengths[0]);
    copy_name(name, lines[1], lengths[1]);
    CNN_TRY(push_global(pickle, module, name));
    if (calls)
        status = cnn_pickle_fail(pickle, "'%s.%s' is not made this way", module, name);
out:
    return status;
}

static cnn_status do_stack_global(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value *parts[2];
    char module[NAME_SIZE], name[NAME_SIZE];
    cnn_status status = CNN_OK;
    (void)unused;
    CNN_TRY(cnn_pickle_pop(&parts[1], pickle));
    CNN_TRY(cnn_pickle_pop(&parts[0], pickle));
    if (parts[0]->kind != CNN_PICKLE_TEXT || parts[1]->kind != CNN_PICKLE_TEXT)
        return cnn_pickle_fail(pickle, "expected the name of a class, found something else");
    copy_name(module, parts[0]->text.bytes, parts[0]->text.size);
    copy_name(name, parts[1]->text.bytes, parts[1]->text.size);
    status = push_global(pickle, module, name);
out:
    return status;
}

/* REDUCE and NEWOBJ: what a callable of the table gives. */
static cnn_status do_call(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value *arguments, *callable, *value;
    cnn_status status = CNN_OK;
    (void)unused;
    CNN_TRY(cnn_pickle_pop(&arguments, pickle));
    CNN_TRY(cnn_pickle_pop(&callable, pickle));
    CNN_TRY(cnn_pickle_call(&value, pickle, callable, arguments));
    status = cnn_pickle_push(pickle, value);
out:
    return status;
}

/* The state of an object: attributes of an OrderedDict or a tensor, which are not needed. */
static cnn_status do_build(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value *state, *object;
    cnn_status status = CNN_OK;
    (void)unused;
    CNN_TRY(cnn_pickle_pop(&state, pickle));
    CNN_TRY(cnn_pickle_top(&object, pickle));
    if (object->kind != CNN_PICKLE_DICT && object->kind != CNN_PICKLE_TENSOR)
        status = cnn_pickle_fail(pickle, "expected an OrderedDict or a tensor with attributes, "
                                         "found something else");
out:
    return status;
}

static cnn_status do_persistent(cnn_pickle *pickle, int unused)
{
    cnn_pickle_value *id, *value;
    cnn_status status = CNN_OK;
    (void)unused;
    CNN_TRY(cnn_pickle_pop(&id, pickle));
    CNN_TRY(cnn_pickle_find_view(&value, pickle, id));
    status = cnn_pickle_push(pickle, value);
out:
    return status;
}

static cnn_status do_skip(cnn_pickle *pickle, int width)
{
    const unsigned char *bytes;
    return cnn_pickle_take(&bytes, pickle, (size_t)width);
}

/* A frame only says how many bytes belong together. */
static cnn_status do_frame(cnn_pickle *pickle, int width)
{
    uint64_t size;
    cnn_status status = cnn_pickle_take_number(&size, pickle, (size_t)width);
    if (status == CNN_OK && size > pickle->size - pickle->at)
        status = cnn_pickle_fail(pickle, "expected %llu more bytes, found %zu; is it truncated?",
                                 (unsigned long long)size, pickle->size - pickle->at);
    return status;
}

static cnn_status do_stop(cnn_pickle *pickle, int unused)
{
    (void)unused;
    if (pickle->count != 1 || pickle->mark_count != 0)
        return cnn_pickle_fail(pickle, "expected one value at its end, found %zu", pickle->count);
    pickle->stopped = true;
    return CNN_OK;
}

/* Python's names of the opcodes, in its order: pickletools. */
static const cnn_pickle_opcode opcodes[OPCODES] = {
    ['I'] = {cnn_pickle_do_int_line, 0},
    ['J'] = {cnn_pickle_do_int, 4},
    ['K'] = {cnn_pickle_do_int, 1},
    ['M'] = {cnn_pickle_do_int, 2},
    ['L'] = {cnn_pickle_do_int_line, 0},
    [0x8a] = {cnn_pickle_do_long, 1},
    [0x8b] = {cnn_pickle_do_long, 4},
    ['S'] = {cnn_pickle_do_text_line, 1},
    ['T'] = {cnn_pickle_do_text, 4},
    ['U'] = {cnn_pickle_do_text, 1},
    ['B'] = {cnn_pickle_do_text, 4},
    ['C'] = {cnn_pickle_do_text, 1},
    [0x8e] = {cnn_pickle_do_text, 8},
    [0x96] = {cnn_pickle_do_text, 8},
    ['N'] = {do_empty, CNN_PICKLE_OPAQUE},
    [0x88] = {cnn_pickle_do_bool, 1},
    [0x89] = {cnn_pickle_do_bool, 0},
    ['V'] = {cnn_pickle_do_text_line, 0},
    [0x8c] = {cnn_pickle_do_text, 1},
    ['X'] = {cnn_pickle_do_text, 4},
    [0x8d] = {cnn_pickle_do_text, 8},
    ['F'] = {cnn_pickle_do_real_line, 0},
    ['G'] = {cnn_pickle_do_real, 0},
    [']'] = {do_empty, CNN_PICKLE_LIST},
    ['a'] = {do_add, CNN_PICKLE_LIST},
    ['e'] = {do_add_marked, CNN_PICKLE_LIST},
    ['l'] = {do_marked, CNN_PICKLE_LIST},
    [')'] = {do_empty, CNN_PICKLE_TUPLE},
    ['t'] = {do_marked, CNN_PICKLE_TUPLE},
    [0x85] = {do_tuple, 1},
    [0x86] = {do_tuple, 2},
    [0x87] = {do_tuple, 3},
    ['}'] = {do_empty, CNN_PICKLE_DICT},
    ['d'] = {do_marked, CNN_PICKLE_DICT},
    ['s'] = {do_add, CNN_PICKLE_DICT},
    ['u'] = {do_add_marked, CNN_PICKLE_DICT},
    [0x8f] = {do_empty, CNN_PICKLE_SET},
    [0x90] = {do_add_marked, CNN_PICKLE_SET},
    [0x91] = {do_marked, CNN_PICKLE_SET},
    ['0'] = {do_pop, 0},
    ['2'] = {do_dup, 0},
    ['('] = {do_mark, 0},
    ['1'] = {do_pop_mark, 0},
    ['g'] = {do_memo_line, 0},
    ['h'] = {do_get, 1},
    ['j'] = {do_get, 4},
    ['p'] = {do_memo_line, 1},
    ['q'] = {do_put, 1},
    ['r'] = {do_put, 4},
    [0x94] = {do_memoize, 0},
    ['c'] = {do_global, 0},
    [0x93] = {do_stack_global, 0},
    ['R'] = {do_call, 0},
    ['b'] = {do_build, 0},
    ['i'] = {do_global, 1},
    [0x81] = {do_call, 0},
    [0x80] = {do_skip, 1}, /* PROTO */
    ['.'] = {do_stop, 0},
    [0x95] = {do_frame, 8},
    ['Q'] = {do_persistent, 0},
};

cnn_status cnn_pickle_step(cnn_pickle *pickle, unsigned char opcode)
{
    if (!opcodes[opcode].run)
        return cnn_pickle_fail(pickle, "opcode 0x%02x is none that files of tensors have", opcode);
    return opcodes[opcode].run(pickle, opcodes[opcode].detail);
}
