/* Statements to nodes: a layer is one, a call of a define those of its lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "net/text_reader.h"

/* The scope's prefix and the name. */
static cnn_status expand_name(char full[CNN_LAYER_NAME_SIZE], const cnn_text_reader *reader,
                              const cnn_scope *scope, cnn_slice name, uint32_t line)
{
    size_t prefix = strlen(scope->prefix);
    if (prefix + name.length >= CNN_LAYER_NAME_SIZE)
        return cnn_text_fail(reader, line,
                             "expected a name of at most %d bytes with those of its blocks, found "
                             "%zu",
                             CNN_LAYER_NAME_SIZE - 1, prefix + name.length);
    memcpy(full, scope->prefix, prefix);
    memcpy(full + prefix, reader->text + name.start, name.length);
    full[prefix + name.length] = '\0';
    return CNN_OK;
}

/* The entry of an expanded name; NULL where there is none. */
static cnn_named *find_named(const cnn_text_reader *reader, const char *full)
{
    const json_t *place = json_object_get(reader->names, full);
    return place ? (cnn_named *)reader->named.items + json_integer_value(place) : NULL;
}

/* Enters a name that makes nothing yet; *place among reader->named. */
static cnn_status claim(int *place, cnn_text_reader *reader, const char *full, uint32_t line,
                        bool is_own)
{
    const cnn_named *before = find_named(reader, full);
    if (before)
        return cnn_text_fail(reader, line, "expected a new name, found '%s', which is line %u's",
                             full, before->line);
    cnn_named *named = cnn_pile_push(&reader->named, sizeof *named);
    if (!named)
        return CNN_ERROR_MEMORY;
    *named = (cnn_named){.line = line, .value = -1, .is_own = is_own};
    *place = (int)reader->named.count - 1;
    if (json_object_set_new_nocheck(reader->names, full, json_integer(*place)) != 0)
        return cnn_fail_memory(CNN_LAYER_NAME_SIZE, "a layer's name");
    return CNN_OK;
}

static void set_named(cnn_text_reader *reader, int place, int value)
{
    ((cnn_named *)reader->named.items)[place].value = value;
}

/* The value of a name in this scope: `input`, or one of the scope's own earlier lines. */
static cnn_status find_value(int *value, const cnn_text_reader *reader, const cnn_scope *scope,
                             cnn_slice name, uint32_t line)
{
    char full[CNN_LAYER_NAME_SIZE], found[CNN_LAYER_NAME_SIZE];
    cnn_status status = CNN_OK;
    *value = scope->input;
    if (cnn_slice_is(reader, name, "input"))
        return CNN_OK;
    cnn_slice_quote(found, reader, name);
    if (!cnn_text_is_name(reader->text + name.start, name.length))
        return cnn_text_fail(reader, line,
                             "expected the name of an earlier line or input, found '%s'", found);
    CNN_TRY(expand_name(full, reader, scope, name, line));
    const cnn_named *named = find_named(reader, full);
    if (named && named->is_own && named->value > scope->outer)
        *value = named->value;
    else if (named && !named->is_own)
        status = cnn_text_fail(reader, line,
                               "expected the name of an earlier line or input, found '%s': line %u "
                               "has no name, write one before it",
                               found, named->line);
    else
        status = cnn_text_fail(reader, line,
                               "expected the name of an earlier line%s or input, found '%s'",
                               scope->define ? " of the define" : "", found);
out:
    return status;
}

/* What a line reads that does not say more: SOURCE, or what the line before made. */
static cnn_status find_input(int *value, const cnn_text_reader *reader, const cnn_scope *scope,
                             const cnn_statement *statement)
{
    *value = scope->before;
    if (statement->source.length == 0)
        return CNN_OK;
    return find_value(value, reader, scope, statement->source, statement->line);
}

/* The values that the arguments of Add, Concat or Mul name; with one of them, what a line reads
 * comes first. */
static cnn_status find_inputs(int *inputs, int *count, const cnn_text_reader *reader,
                              const cnn_scope *scope, const cnn_statement *statement)
{
    const cnn_layer_class *class = cnn_layer_get_class((cnn_layer_kind)statement->callee);
    cnn_status status = CNN_OK;
    int names = 0;
    CNN_TRY(find_input(&inputs[0], reader, scope, statement));
    for (int i = 0; i < statement->argument_count; i++)
        names += cnn_reader_argument(reader, statement->first_argument + i)->slot < 0;
    *count = names == 1 ? 1 : 0;
    if (names > 1 && statement->source.length > 0)
        return cnn_text_fail(reader, statement->line,
                             "expected no '<-' where %s names all that it reads, found one",
                             class->name);
    if (names < 1 || *count + names < class->least_inputs || names > class->most_inputs)
        return cnn_text_fail(reader, statement->line,
                             "expected %s of one to %d names, found %d: with one of them it reads "
                             "the line before, too",
                             class->name, class->most_inputs, names);
    for (int i = 0; i < statement->argument_count; i++) {
        const cnn_text_argument *argument =
            cnn_reader_argument(reader, statement->first_argument + i);
        if (argument->slot < 0)
            CNN_TRY(
                find_value(&inputs[(*count)++], reader, scope, argument->value, statement->line));
    }
out:
    return status;
}

/* The builder's message, with the line in front and, for a layer with one input, its name. */
static cnn_status blame(cnn_text_reader *reader, const cnn_statement *statement, int input_count,
                        int input)
{
    const cnn_network *network = reader->builder.network;
    if (input_count > 1)
        return cnn_text_fail(reader, statement->line, "%s", cnn_error_message());
    return cnn_text_fail(reader, statement->line, "%s; it reads %s", cnn_error_message(),
                         input == 0 ? "the network's input" : network->layers[input - 1].name);
}

/* Adds the node; *value is what it makes. */
static cnn_status add_layer(int *value, cnn_text_reader *reader, cnn_scope *scope,
                            const cnn_statement *statement, const char *name)
{
    const cnn_layer_class *class = cnn_layer_get_class((cnn_layer_kind)statement->callee);
    int inputs[CNN_TEXT_MOST_ARGUMENTS + 1], count = 1;
    cnn_layer_options options;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_text_set_options(&options, reader, scope, statement));
    if (class->most_inputs == 1)
        CNN_TRY(find_input(&inputs[0], reader, scope, statement));
    else
        CNN_TRY(find_inputs(inputs, &count, reader, scope, statement));
    status = cnn_builder_add(&reader->builder, value, (cnn_layer_kind)statement->callee, &options,
                             name, inputs, count);
    if (status == CNN_ERROR_ARGUMENT)
        status = blame(reader, statement, count, inputs[0]);
    if (status != CNN_OK)
        return status;
    cnn_origin_line *origin = cnn_pile_push(&reader->origins, sizeof *origin);
    if (!origin)
        return CNN_ERROR_MEMORY;
    *origin = (cnn_origin_line){.line = statement->line, .call = scope->line};
out:
    return status;
}

static cnn_status expand_layer(cnn_text_reader *reader, cnn_scope *scope,
                               const cnn_statement *statement)
{
    const cnn_layer_class *class = cnn_layer_get_class((cnn_layer_kind)statement->callee);
    char name[CNN_LAYER_NAME_SIZE] = "";
    bool is_own = statement->name.length > 0;
    int place = -1, value = 0;
    cnn_status status = CNN_OK;
    if (is_own)
        CNN_TRY(expand_name(name, reader, scope, statement->name, statement->line));
    else
        snprintf(name, sizeof name, "%s_%02d", class->torch_name,
                 reader->builder.network->layer_count);
    CNN_TRY(claim(&place, reader, name, statement->line, is_own));
    CNN_TRY(add_layer(&value, reader, scope, statement, is_own ? name : NULL));
    set_named(reader, place, value);
    scope->before = value;
out:
    return status;
}

/* The call's arguments in the caller's scope, then the defaults of the others, which may have
 * earlier parameters in them. */
static cnn_status bind(cnn_value *values, cnn_scope *block, const cnn_text_reader *reader,
                       const cnn_scope *scope, const cnn_statement *statement)
{
    const cnn_define *define = block->define;
    uint64_t given = 0;
    cnn_status status = CNN_OK;
    for (int i = 0; i < statement->argument_count; i++) {
        const cnn_text_argument *argument =
            cnn_reader_argument(reader, statement->first_argument + i);
        CNN_TRY(cnn_text_evaluate(&values[argument->slot], reader, scope, statement->line,
                                  argument->value));
        given |= UINT64_C(1) << argument->slot;
    }
    for (; block->bound < define->parameter_count; block->bound++)
        if (!(given & UINT64_C(1) << block->bound))
            CNN_TRY(cnn_text_evaluate(
                &values[block->bound], reader, block, define->line,
                cnn_reader_argument(reader, define->first_parameter + block->bound)->value));
out:
    return status;
}

/* The block's scope: whose names begin with its own, and which was given a value. */
static cnn_status enter(cnn_scope *block, cnn_text_reader *reader, const cnn_scope *scope,
                        const cnn_statement *statement, int *place)
{
    cnn_status status = CNN_OK;
    *block = (cnn_scope){.parent = scope,
                         .define = cnn_reader_define(reader, statement->callee),
                         .line = scope->parent ? scope->line : statement->line,
                         .depth = scope->depth + 1,
                         .outer = reader->builder.network->layer_count};
    if (block->depth > CNN_TEXT_MOST_NESTED)
        return cnn_text_fail(reader, statement->line,
                             "expected at most %d defines in each other, "
                             "found more",
                             CNN_TEXT_MOST_NESTED);
    if (++reader->call_count > CNN_TEXT_MOST_CALLS)
        return cnn_text_fail(reader, statement->line,
                             "expected at most %d calls of defines in "
                             "all, found more",
                             CNN_TEXT_MOST_CALLS);
    CNN_TRY(find_input(&block->input, reader, scope, statement));
    block->before = block->input;
    snprintf(block->prefix, sizeof block->prefix, "%s", scope->prefix);
    *place = -1;
    if (statement->name.length == 0)
        return CNN_OK;
    CNN_TRY(expand_name(block->prefix, reader, scope, statement->name, statement->line));
    CNN_TRY(claim(place, reader, block->prefix, statement->line, true));
    size_t length = strlen(block->prefix);
    if (length + 1 >= sizeof block->prefix)
        return cnn_text_fail(reader, statement->line,
                             "expected a name of a block below %d bytes, found %zu",
                             CNN_LAYER_NAME_SIZE - 1, length);
    memcpy(block->prefix + length, ".", 2);
out:
    return status;
}

static cnn_status expand_call(cnn_text_reader *reader, cnn_scope *scope,
                              const cnn_statement *statement)
{
    cnn_scope block;
    cnn_value *values = NULL;
    int place = -1;
    cnn_status status = CNN_OK;
    CNN_TRY(enter(&block, reader, scope, statement, &place));
    CNN_TRY(cnn_allocate(&values, (size_t)block.define->parameter_count, sizeof *values,
                         "a define's parameters"));
    block.parameters = values;
    CNN_TRY(bind(values, &block, reader, scope, statement));
    reader->scope = &block;
    for (int i = 0; i < block.define->statement_count; i++)
        CNN_TRY(cnn_text_expand(reader, &block,
                                cnn_reader_statement(reader, block.define->first_statement + i)));
    reader->scope = scope;
    if (place >= 0)
        set_named(reader, place, block.before);
    scope->before = block.before;
out:
    reader->scope = scope; /* a message was made by now */
    free(values);
    return status;
}

cnn_status cnn_text_expand(cnn_text_reader *reader, cnn_scope *scope,
                           const cnn_statement *statement)
{
    return statement->is_call ? expand_call(reader, scope, statement)
                              : expand_layer(reader, scope, statement);
}
