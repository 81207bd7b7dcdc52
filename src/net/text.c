/* Network files: the lines of a text to a network. docs/networks.md has the format. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/plain.h"
#include "base/status.h"
#include "net/text_reader.h"

enum {
    DEFAULT_CLASSES = 10,
    MOST_EXTENT = 65535, /* of the input */
    MESSAGE_SIZE = 2048
};

static const int default_input[3] = {1, 28, 28};

cnn_status cnn_text_fail(const cnn_text_reader *reader, uint32_t line, const char *format, ...)
{
    char message[MESSAGE_SIZE], name[CNN_LAYER_NAME_SIZE];
    const cnn_scope *scope = reader->scope;
    va_list arguments;
    va_start(arguments, format);
    cnn_format_list(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!scope || !scope->define)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s:%u: %s", reader->source, line, message);
    int length = (int)strlen(scope->prefix); /* without the dot at its end */
    if (length == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s:%u (in %s, called in line %u): %s", reader->source,
                        line, cnn_slice_quote(name, reader, scope->define->name), scope->line,
                        message);
    return cnn_fail(CNN_ERROR_ARGUMENT, "%s:%u (in %.*s, called in line %u): %s", reader->source,
                    line, length - 1, scope->prefix, scope->line, message);
}

void *cnn_pile_push(cnn_pile *pile, size_t size)
{
    enum { FIRST_ROOM = 64 };
    if (pile->count == pile->room) {
        size_t room = pile->room ? 2 * pile->room : FIRST_ROOM;
        void *items = realloc(pile->items, room * size);
        if (!items) {
            cnn_fail_memory(room * size, "the lines of a network file");
            return NULL;
        }
        pile->items = items;
        pile->room = room;
    }
    void *item = (char *)pile->items + size * pile->count++;
    memset(item, 0, size);
    return item;
}

/* Behind the word "input": (), or (CHANNELS, HEIGHT, WIDTH). */
static cnn_status read_input(cnn_text_reader *reader, cnn_lexer *lexer)
{
    static const char *const names[] = {"channels", "height", "width"};
    int count, numbers[3] = {reader->input.c, reader->input.h, reader->input.w};
    size_t before = reader->arguments.count;
    cnn_value value;
    cnn_status status = CNN_OK;
    if (reader->open_define >= 0 || reader->has_input || reader->builder.network)
        return cnn_text_fail(reader, reader->line,
                             "expected input(...) once, before the first layer and outside of "
                             "defines, found it here");
    CNN_TRY(cnn_text_parse_arguments(reader, lexer, &count));
    if (lexer->token.type == CNN_TOKEN_COMMA)
        cnn_lexer_next(lexer);
    CNN_TRY(cnn_lexer_skip(lexer, CNN_TOKEN_END, "the end of the line"));
    if (count != 0 && count != 3)
        return cnn_text_fail(reader, reader->line,
                             "expected input() or input(channels, height, width), found %d numbers",
                             count);
    for (int i = 0; i < count; i++) {
        const cnn_text_argument *argument = cnn_reader_argument(reader, (int)before + i);
        if (argument->name.length > 0)
            return cnn_text_fail(reader, reader->line,
                                 "expected input(channels, height, width) as numbers alone, found "
                                 "a name");
        CNN_TRY(cnn_text_evaluate(&value, reader, NULL, reader->line, argument->value));
        CNN_TRY(
            cnn_text_get_int(&numbers[i], reader, reader->line, names[i], &value, 1, MOST_EXTENT));
    }
    reader->arguments.count = before;
    reader->has_input = true;
    reader->fixes_input = count == 3;
    if (reader->given_input[0] == 0)
        reader->input = (cnn_shape){numbers[0], numbers[1], numbers[2]};
out:
    return status;
}

/* A line outside of defines is built at once, and not kept. */
static cnn_status read_layer(cnn_text_reader *reader, cnn_lexer *lexer, cnn_scope *file)
{
    size_t statements = reader->statements.count, arguments = reader->arguments.count;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_text_parse_statement(reader, lexer));
    if (reader->open_define >= 0)
        return CNN_OK;
    if (!reader->builder.network)
        CNN_TRY(cnn_builder_init(&reader->builder, "", "", reader->input));
    reader->scope = file;
    CNN_TRY(cnn_text_expand(reader, file, cnn_reader_statement(reader, (int)statements)));
    reader->statements.count = statements;
    reader->arguments.count = arguments;
out:
    reader->scope = NULL;
    return status;
}

/* The words that begin a line which is no layer. */
static const struct {
    const char *word;
    cnn_status (*read)(cnn_text_reader *reader, cnn_lexer *lexer);
} words[] = {
    {"input", read_input},
    {"define", cnn_text_parse_define},
    {"end", cnn_text_parse_end},
};

static cnn_status read_line(cnn_text_reader *reader, cnn_scope *file, size_t start, size_t end)
{
    cnn_lexer lexer;
    cnn_lexer_init(&lexer, reader, start, end);
    if (lexer.token.type == CNN_TOKEN_END)
        return CNN_OK;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (lexer.token.type == CNN_TOKEN_WORD &&
            cnn_slice_is(reader, lexer.token.slice, words[i].word)) {
            cnn_lexer_next(&lexer);
            return words[i].read(reader, &lexer);
        }
    return read_layer(reader, &lexer, file);
}

/* Lines end as on Unix, on Windows, or as on old Macs. */
static size_t find_line_end(const cnn_text_reader *reader, size_t at)
{
    while (at < reader->size && reader->text[at] != '\n' && reader->text[at] != '\r')
        at++;
    return at;
}

static bool is_windows_end(const cnn_text_reader *reader, size_t at)
{
    return at + 1 < reader->size && reader->text[at] == '\r' && reader->text[at + 1] == '\n';
}

static cnn_status read_lines(cnn_text_reader *reader)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, which some editors write */
    size_t at = strncmp(reader->text, mark, 3) == 0 ? 3 : 0;
    cnn_scope file = {0};
    cnn_status status = CNN_OK;
    for (; status == CNN_OK && at < reader->size; at++) {
        size_t end = find_line_end(reader, at);
        reader->line++;
        status = read_line(reader, &file, at, end);
        at = is_windows_end(reader, end) ? end + 1 : end;
    }
    if (status == CNN_OK && reader->open_define >= 0)
        status = cnn_text_fail(reader, reader->line,
                               "expected 'end' of the define in line %u, found the end of the file",
                               cnn_reader_define(reader, reader->open_define)->line);
    return status;
}

/* A file that uses the word gives an output for each class. */
static cnn_status check_classes(const cnn_text_reader *reader, const cnn_network *network)
{
    char found[16], advice[40] = "";
    snprintf(found, sizeof found, "%d", network ? network->classes : 0);
    if (!*reader->uses_classes || strcmp(found, reader->classes) == 0)
        return CNN_OK;
    if (!reader->gives_classes)
        snprintf(advice, sizeof advice, "give --ydim %s, ", found);
    return cnn_text_fail(reader, reader->line,
                         "expected an output of `classes`, %s%s, as it uses the word, found one of "
                         "%s: %send with Linear(classes), or write a number in the word's place",
                         reader->classes, reader->gives_classes ? "" : " by default", found,
                         advice);
}

/* What is wrong with the whole of it is told of the line at fault, or of the last one. */
static cnn_status take(cnn_network **network, cnn_text_reader *reader)
{
    int culprit;
    if (!reader->builder.network)
        return cnn_text_fail(reader, reader->line ? reader->line : 1,
                             "expected at least one layer, found none");
    cnn_status status = cnn_builder_take(network, &culprit, &reader->builder);
    if (status != CNN_ERROR_ARGUMENT)
        return status;
    if (culprit < 0)
        return cnn_text_fail(reader, reader->line, "%s", cnn_error_message());
    cnn_origin_line origin = ((cnn_origin_line *)reader->origins.items)[culprit];
    if (origin.call == 0)
        return cnn_text_fail(reader, origin.line, "%s", cnn_error_message());
    return cnn_fail(CNN_ERROR_ARGUMENT, "%s:%u (called in line %u): %s", reader->source,
                    origin.line, origin.call, cnn_error_message());
}

static cnn_status set_given(cnn_text_reader *reader, const cnn_network_given *given)
{
    int classes = given && given->classes != 0 ? given->classes : DEFAULT_CLASSES;
    const int *input = default_input;
    if (classes < 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "classes: expected a number above 0, found %d",
                        classes);
    snprintf(reader->classes, sizeof reader->classes, "%d", classes);
    reader->gives_classes = given && given->classes != 0;
    if (given && (given->input[0] != 0 || given->input[1] != 0 || given->input[2] != 0)) {
        input = given->input;
        memcpy(reader->given_input, input, sizeof reader->given_input);
    } else if (given && given->open[0] != 0) {
        input = given->open;
    }
    for (int i = 0; i < 3; i++)
        if (input[i] < 1 || input[i] > MOST_EXTENT)
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "input: expected channels, height and width from 1 to %d, found %d",
                            MOST_EXTENT, input[i]);
    reader->input = (cnn_shape){input[0], input[1], input[2]};
    return CNN_OK;
}

static cnn_status begin(cnn_text_reader *reader, const char *text, size_t size, const char *source)
{
    *reader = (cnn_text_reader){.source = source, .text = text, .size = size, .open_define = -1};
    reader->names = json_object();
    reader->define_names = json_object();
    if (!reader->names || !reader->define_names)
        return cnn_fail_memory(sizeof *reader, "the names of a network file");
    if (size > CNN_TEXT_LIMIT)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s: expected at most %d bytes, found %zu", source,
                        CNN_TEXT_LIMIT, size);
    const char *zero = memchr(text, '\0', size);
    if (!zero)
        return CNN_OK;
    uint32_t line = 1;
    for (const char *at = text; at < zero; at++)
        line += *at == '\n';
    return cnn_text_fail(reader, line, "expected text in UTF-8, found a zero byte");
}

static void finish(cnn_text_reader *reader)
{
    cnn_builder_finish(&reader->builder);
    json_decref(reader->names);
    json_decref(reader->define_names);
    free(reader->statements.items);
    free(reader->arguments.items);
    free(reader->defines.items);
    free(reader->named.items);
    free(reader->origins.items);
}

static cnn_status read_text(cnn_network **network, const char *name, const char *text, size_t size,
                            const char *source, const cnn_network_given *given)
{
    cnn_text_reader reader;
    bool uses_classes = false;
    cnn_network *made = NULL;
    cnn_status status = CNN_OK;
    *network = NULL;
    CNN_TRY(begin(&reader, text, size, source));
    reader.uses_classes = &uses_classes;
    CNN_TRY(set_given(&reader, given));
    CNN_TRY(read_lines(&reader));
    CNN_TRY(take(&made, &reader));
    CNN_TRY(check_classes(&reader, made));
    if (made)
        made->open_input = !reader.fixes_input && reader.given_input[0] == 0;
    CNN_TRY(cnn_network_rename(made, name));
    *network = made;
    made = NULL;
out:
    cnn_network_destroy(made);
    finish(&reader);
    return status;
}

cnn_status cnn_network_from_text(cnn_network **network, const char *name, const char *text,
                                 const char *source, const cnn_network_given *given)
{
    CNN_NEED(network, name, text, source);
    return read_text(network, name, text, strlen(text), source, given);
}

cnn_status cnn_network_from_file(cnn_network **network, const char *name, const char *path,
                                 const cnn_network_given *given)
{
    CNN_NEED(network, name, path);
    void *data = NULL;
    size_t size;
    *network = NULL;
    cnn_status status = cnn_file_read_stream(&data, &size, path, CNN_TEXT_LIMIT);
    if (status == CNN_ERROR_DATA) /* too long: the argument is wrong */
        status = cnn_fail(CNN_ERROR_ARGUMENT, "%s", cnn_error_message());
    if (status == CNN_OK)
        status = read_text(network, name, data, size, path, given);
    free(data);
    return status;
}
