/* What a line calls, a kind of layer or a define, and which of its arguments each one is. */
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "net/text_reader.h"

/* Is what is between the parentheses, without a name, what the layer reads? */
static bool reads_names(const cnn_statement *statement)
{
    return !statement->is_call &&
           cnn_layer_get_class((cnn_layer_kind)statement->callee)->most_inputs > 1;
}

static int slot_count(const cnn_text_reader *reader, const cnn_statement *statement)
{
    if (statement->is_call)
        return cnn_reader_define(reader, statement->callee)->parameter_count;
    return cnn_layer_get_class((cnn_layer_kind)statement->callee)->argument_count;
}

static const char *slot_name(char buffer[CNN_LAYER_NAME_SIZE], const cnn_text_reader *reader,
                             const cnn_statement *statement, int slot)
{
    if (!statement->is_call)
        return cnn_layer_get_class((cnn_layer_kind)statement->callee)->arguments[slot].name;
    const cnn_define *define = cnn_reader_define(reader, statement->callee);
    return cnn_slice_quote(buffer, reader,
                           cnn_reader_argument(reader, define->first_parameter + slot)->name);
}

static bool is_required(const cnn_text_reader *reader, const cnn_statement *statement, int slot)
{
    if (!statement->is_call)
        return cnn_layer_get_class((cnn_layer_kind)statement->callee)->arguments[slot].required;
    const cnn_define *define = cnn_reader_define(reader, statement->callee);
    return cnn_reader_argument(reader, define->first_parameter + slot)->value.length == 0;
}

/* "Conv2d(out_channels, kernel_size, ...)" of a callee, cut to the buffer. */
enum { SIGNATURE_SIZE = 512 };

static const char *signature(char buffer[SIGNATURE_SIZE], const cnn_text_reader *reader,
                             const cnn_statement *statement)
{
    char word[CNN_LAYER_NAME_SIZE];
    cnn_text text = {0};
    if (statement->is_call)
        cnn_text_append(
            &text, "%s(",
            cnn_slice_quote(word, reader, cnn_reader_define(reader, statement->callee)->name));
    else
        cnn_text_append(&text, "%s(", cnn_layer_get_class((cnn_layer_kind)statement->callee)->name);
    if (reads_names(statement))
        cnn_text_append(&text, "NAME, ...");
    for (int i = 0; i < slot_count(reader, statement); i++)
        cnn_text_append(&text, "%s%s", i || reads_names(statement) ? ", " : "",
                        slot_name(word, reader, statement, i));
    size_t length = text.length < SIGNATURE_SIZE - 2 ? text.length : SIGNATURE_SIZE - 2;
    if (text.data)
        memcpy(buffer, text.data, length);
    memcpy(buffer + length, ")", 2);
    cnn_text_finish(&text);
    return buffer;
}

/* The number of changes of a letter that make one word of the other, cases left aside; both are
 * shorter than CNN_LAYER_NAME_SIZE. */
static size_t distance(const char *a, const char *b)
{
    size_t row[CNN_LAYER_NAME_SIZE], length = strlen(b);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < length; j++) {
            bool same = (a[i] | 0x20) == (b[j] | 0x20);
            size_t best = diagonal + (same ? 0 : 1);
            diagonal = row[j + 1];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j + 1] + 1 < best)
                best = row[j + 1] + 1;
            row[j + 1] = best;
        }
    }
    return row[length];
}

/* The kind or define whose name is most like the word; NULL where none is. */
static const char *nearest(const cnn_text_reader *reader, const char *word)
{
    const char *best = NULL, *key;
    size_t least = strlen(word) / 2 + 1;
    json_t *value;
    for (int i = 0; i < CNN_LAYER_KIND_COUNT; i++) {
        const char *name = cnn_layer_get_class((cnn_layer_kind)i)->name;
        size_t changes = distance(word, name);
        if (changes < least) {
            best = name;
            least = changes;
        }
    }
    json_object_foreach(reader->define_names, key, value)
    {
        size_t changes = distance(word, key);
        if (changes < least) {
            best = key;
            least = changes;
        }
    }
    return best;
}

static cnn_status fail_unknown(const cnn_text_reader *reader, const char *word)
{
    const char *best = nearest(reader, word);
    cnn_text kinds = {0};
    if (strcmp(word, "input") == 0)
        return cnn_text_fail(reader, reader->line,
                             "expected input(...) once, before the first layer, found another");
    if (best)
        return cnn_text_fail(reader, reader->line,
                             "expected a kind of layer, or a define that stands before its use, "
                             "found '%s': is %s meant?",
                             word, best);
    for (int i = 0; i < CNN_LAYER_KIND_COUNT; i++)
        cnn_text_append(&kinds, "%s%s", i ? ", " : "",
                        cnn_layer_get_class((cnn_layer_kind)i)->name);
    cnn_status status = cnn_text_fail(
        reader, reader->line,
        "expected a define that stands before its use, or a kind of layer (%s), found '%s'",
        kinds.data ? kinds.data : "", word);
    cnn_text_finish(&kinds);
    return status;
}

cnn_status cnn_text_find_callee(cnn_statement *statement, const cnn_text_reader *reader,
                                cnn_slice name)
{
    char word[CNN_LAYER_NAME_SIZE];
    cnn_layer_kind kind;
    cnn_slice_quote(word, reader, name);
    bool is_whole = name.length < sizeof word;
    if (is_whole && cnn_layer_find_kind(&kind, word)) {
        statement->callee = (int)kind;
        return CNN_OK;
    }
    const json_t *place = json_object_get(reader->define_names, word);
    if (!is_whole || !place)
        return fail_unknown(reader, word);
    statement->is_call = true;
    statement->callee = (int)json_integer_value(place);
    if (statement->callee == reader->open_define)
        return cnn_text_fail(reader, reader->line,
                             "expected a kind of layer or an earlier define, found '%s' within its "
                             "own define",
                             word);
    return CNN_OK;
}

/* The slot of an argument that has a name. */
static cnn_status find_slot(cnn_text_argument *argument, const cnn_text_reader *reader,
                            const cnn_statement *statement)
{
    char word[CNN_LAYER_NAME_SIZE], known[SIGNATURE_SIZE];
    int count = slot_count(reader, statement);
    for (int i = 0; i < count; i++)
        if (cnn_slice_is(reader, argument->name, slot_name(word, reader, statement, i))) {
            argument->slot = i;
            return CNN_OK;
        }
    cnn_slice_quote(word, reader, argument->name);
    signature(known, reader, statement);
    if (count == 0)
        return cnn_text_fail(reader, reader->line, "expected %s, without arguments, found '%s='",
                             known, word);
    return cnn_text_fail(reader, reader->line, "expected the arguments of %s, found '%s='", known,
                         word);
}

/* Its slot by position or name; *taken has a bit for each slot that has its argument. */
static cnn_status set_slot(cnn_text_argument *argument, int position, uint64_t *taken,
                           const cnn_text_reader *reader, const cnn_statement *statement)
{
    char word[CNN_LAYER_NAME_SIZE], known[SIGNATURE_SIZE];
    cnn_status status = CNN_OK;
    bool has_name = argument->name.length > 0;
    if (has_name)
        CNN_TRY(find_slot(argument, reader, statement));
    else if (reads_names(statement))
        return CNN_OK;
    else
        argument->slot = position;
    if (argument->slot >= slot_count(reader, statement))
        return cnn_text_fail(reader, reader->line, "expected %s, found one argument more: '%s'",
                             signature(known, reader, statement),
                             cnn_slice_quote(word, reader, argument->value));
    if (*taken & UINT64_C(1) << argument->slot)
        return cnn_text_fail(reader, reader->line, "expected each argument once, found '%s' twice",
                             slot_name(word, reader, statement, argument->slot));
    *taken |= UINT64_C(1) << argument->slot;
out:
    return status;
}

cnn_status cnn_text_set_slots(cnn_text_reader *reader, const cnn_statement *statement)
{
    char word[CNN_LAYER_NAME_SIZE], known[SIGNATURE_SIZE];
    uint64_t taken = 0;
    bool names_began = false;
    for (int i = 0; i < statement->argument_count; i++) {
        cnn_text_argument *argument = cnn_reader_argument(reader, statement->first_argument + i);
        if (argument->name.length > 0)
            names_began = true;
        else if (names_began)
            return cnn_text_fail(reader, reader->line,
                                 "expected NAME=VALUE behind an argument with a name, found '%s'",
                                 cnn_slice_quote(word, reader, argument->value));
        cnn_status status = set_slot(argument, i, &taken, reader, statement);
        if (status != CNN_OK)
            return status;
    }
    for (int i = 0; i < slot_count(reader, statement); i++)
        if (is_required(reader, statement, i) && !(taken & UINT64_C(1) << i))
            return cnn_text_fail(reader, reader->line, "expected %s, found no %s",
                                 signature(known, reader, statement),
                                 slot_name(word, reader, statement, i));
    return CNN_OK;
}
