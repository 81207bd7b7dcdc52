/* A line's words to a statement: [NAME =] KIND(ARGUMENTS) [<- SOURCE], and the lines of a define.
 */
#include "base/status.h"
#include "net/text_reader.h"

#define MOST_STORED_TEXT "at most 4194304 lines, and arguments, in all defines"

static cnn_status check_name(const cnn_text_reader *reader, cnn_slice name)
{
    char found[CNN_LAYER_NAME_SIZE];
    if (cnn_text_is_name(reader->text + name.start, name.length))
        return CNN_OK;
    return cnn_text_fail(reader, reader->line,
                         "expected a name of letters, digits, '_', '.' and '-', at most %d bytes "
                         "and none of input, define, end, found '%s'",
                         CNN_LAYER_NAME_SIZE - 1, cnn_slice_quote(found, reader, name));
}

/* A number, a word, or up to four of them between parentheses. *text is all of it. */
static cnn_status parse_value(cnn_slice *text, cnn_lexer *lexer)
{
    const char *expected = "a number, a word or (NUMBER, NUMBER)";
    size_t start = lexer->token.slice.start, end = lexer->at;
    cnn_status status = CNN_OK;
    bool is_tuple = lexer->token.type == CNN_TOKEN_OPEN;
    if (is_tuple)
        cnn_lexer_next(lexer);
    for (int count = 0;; count++) {
        if (is_tuple && count > 0 && lexer->token.type == CNN_TOKEN_CLOSE)
            break;
        if (count == CNN_VALUE_ELEMENTS)
            return cnn_lexer_fail(lexer, "at most four numbers and ')'");
        if (lexer->token.type != CNN_TOKEN_WORD && lexer->token.type != CNN_TOKEN_QUOTED)
            return cnn_lexer_fail(lexer, expected);
        cnn_lexer_next(lexer);
        if (!is_tuple)
            break;
        if (lexer->token.type != CNN_TOKEN_CLOSE)
            CNN_TRY(cnn_lexer_skip(lexer, CNN_TOKEN_COMMA, "',' or ')'"));
    }
    if (is_tuple) {
        end = lexer->at;
        cnn_lexer_next(lexer);
    }
    *text = (cnn_slice){(uint32_t)start, (uint32_t)(end - start)};
    if (end - start > CNN_TEXT_LONGEST_VALUE)
        status = cnn_text_fail(lexer->reader, lexer->reader->line,
                               "expected an argument of at most %d bytes, found %zu",
                               CNN_TEXT_LONGEST_VALUE, end - start);
out:
    return status;
}

/* [NAME =] VALUE */
static cnn_status parse_argument(cnn_text_reader *reader, cnn_lexer *lexer)
{
    cnn_lexer behind = *lexer;
    cnn_text_argument parsed = {.slot = -1};
    cnn_lexer_next(&behind);
    if (lexer->token.type == CNN_TOKEN_WORD && behind.token.type == CNN_TOKEN_EQUALS) {
        parsed.name = lexer->token.slice;
        *lexer = behind;
        cnn_lexer_next(lexer);
    }
    cnn_status status = parse_value(&parsed.value, lexer);
    if (status != CNN_OK)
        return status;
    if (reader->arguments.count >= CNN_TEXT_MOST_STORED)
        return cnn_text_fail(reader, reader->line, "expected " MOST_STORED_TEXT ", found more");
    cnn_text_argument *argument = cnn_pile_push(&reader->arguments, sizeof *argument);
    if (!argument)
        return CNN_ERROR_MEMORY;
    *argument = parsed;
    return CNN_OK;
}

cnn_status cnn_text_parse_arguments(cnn_text_reader *reader, cnn_lexer *lexer, int *count)
{
    cnn_status status = CNN_OK;
    *count = 0;
    CNN_TRY(cnn_lexer_skip(lexer, CNN_TOKEN_OPEN, "'('"));
    while (lexer->token.type != CNN_TOKEN_CLOSE) {
        if (*count == CNN_TEXT_MOST_ARGUMENTS)
            return cnn_text_fail(reader, reader->line, "expected at most %d arguments, found more",
                                 CNN_TEXT_MOST_ARGUMENTS);
        CNN_TRY(parse_argument(reader, lexer));
        ++*count;
        if (lexer->token.type != CNN_TOKEN_CLOSE)
            CNN_TRY(cnn_lexer_skip(lexer, CNN_TOKEN_COMMA, "',' or ')'"));
    }
    cnn_lexer_next(lexer);
out:
    return status;
}

/* [<- SOURCE], a comma as in a list of PyTorch's modules, and the end. */
static cnn_status parse_behind(cnn_slice *source, cnn_lexer *lexer)
{
    cnn_status status = CNN_OK;
    const char *expected = "'<- NAME' or the end of the line";
    if (lexer->token.type == CNN_TOKEN_ARROW) {
        cnn_lexer_next(lexer);
        expected = "the end of the line";
        CNN_TRY(cnn_lexer_take(source, lexer, CNN_TOKEN_WORD, "the name of an earlier line"));
    }
    if (lexer->token.type == CNN_TOKEN_COMMA)
        cnn_lexer_next(lexer);
    status = cnn_lexer_skip(lexer, CNN_TOKEN_END, expected);
out:
    return status;
}

/* Appends it, to the open define where there is one. */
static cnn_status store(cnn_text_reader *reader, const cnn_statement *parsed)
{
    if (reader->statements.count >= CNN_TEXT_MOST_STORED)
        return cnn_text_fail(reader, reader->line, "expected " MOST_STORED_TEXT ", found more");
    cnn_statement *statement = cnn_pile_push(&reader->statements, sizeof *statement);
    if (!statement)
        return CNN_ERROR_MEMORY;
    *statement = *parsed;
    if (reader->open_define >= 0)
        cnn_reader_define(reader, reader->open_define)->statement_count++;
    return CNN_OK;
}

cnn_status cnn_text_parse_statement(cnn_text_reader *reader, cnn_lexer *lexer)
{
    cnn_statement statement = {.line = reader->line,
                               .first_argument = (int)reader->arguments.count};
    cnn_slice callee;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_lexer_take(&callee, lexer, CNN_TOKEN_WORD, "NAME = KIND(...) or KIND(...)"));
    if (lexer->token.type == CNN_TOKEN_EQUALS) {
        statement.name = callee;
        CNN_TRY(check_name(reader, callee));
        cnn_lexer_next(lexer);
        CNN_TRY(cnn_lexer_take(&callee, lexer, CNN_TOKEN_WORD, "a kind of layer"));
    }
    if (lexer->token.type != CNN_TOKEN_OPEN)
        return cnn_lexer_fail(lexer, statement.name.length ? "'(' behind the kind of layer"
                                                           : "'(' or '='");
    CNN_TRY(cnn_text_find_callee(&statement, reader, callee));
    CNN_TRY(cnn_text_parse_arguments(reader, lexer, &statement.argument_count));
    CNN_TRY(parse_behind(&statement.source, lexer));
    CNN_TRY(cnn_text_set_slots(reader, &statement));
    status = store(reader, &statement);
out:
    return status;
}

/* What was read as an argument is a parameter: NAME or NAME = DEFAULT. */
static cnn_status set_parameter(cnn_text_reader *reader, int first, int slot)
{
    cnn_text_argument *parameter = cnn_reader_argument(reader, first + slot);
    char found[CNN_LAYER_NAME_SIZE];
    if (parameter->name.length == 0) {
        parameter->name = parameter->value;
        parameter->value = (cnn_slice){0, 0};
    }
    parameter->slot = slot;
    if (!cnn_text_is_name(reader->text + parameter->name.start, parameter->name.length))
        return cnn_text_fail(reader, reader->line, "expected the name of a parameter, found '%s'",
                             cnn_slice_quote(found, reader, parameter->name));
    for (int i = 0; i < slot; i++)
        if (cnn_slice_equal(reader, cnn_reader_argument(reader, first + i)->name, parameter->name))
            return cnn_text_fail(reader, reader->line,
                                 "expected parameters of different names, found '%s' twice",
                                 cnn_slice_quote(found, reader, parameter->name));
    return CNN_OK;
}

static cnn_status parse_parameters(cnn_text_reader *reader, cnn_lexer *lexer, cnn_define *define)
{
    cnn_status status = CNN_OK;
    define->first_parameter = (int)reader->arguments.count;
    CNN_TRY(cnn_text_parse_arguments(reader, lexer, &define->parameter_count));
    if (define->parameter_count > CNN_TEXT_MOST_PARAMETERS)
        return cnn_text_fail(reader, reader->line, "expected at most %d parameters, found %d",
                             CNN_TEXT_MOST_PARAMETERS, define->parameter_count);
    for (int i = 0; status == CNN_OK && i < define->parameter_count; i++)
        status = set_parameter(reader, define->first_parameter, i);
out:
    return status;
}

/* The name is new, and no kind's. */
static cnn_status claim_define(cnn_text_reader *reader, cnn_slice name)
{
    char word[CNN_LAYER_NAME_SIZE];
    cnn_layer_kind kind;
    cnn_status status = check_name(reader, name);
    if (status != CNN_OK)
        return status;
    cnn_slice_quote(word, reader, name);
    const json_t *before = json_object_get(reader->define_names, word);
    if (before)
        return cnn_text_fail(reader, reader->line,
                             "expected a new name, found '%s', which is defined in line %u", word,
                             cnn_reader_define(reader, (int)json_integer_value(before))->line);
    if (cnn_layer_find_kind(&kind, word))
        return cnn_text_fail(reader, reader->line,
                             "expected a new name, found '%s', which is a kind of layer", word);
    if (json_object_set_new_nocheck(reader->define_names, word,
                                    json_integer((json_int_t)reader->defines.count)) != 0)
        return cnn_fail_memory(sizeof word, "a define's name");
    return CNN_OK;
}

cnn_status cnn_text_parse_define(cnn_text_reader *reader, cnn_lexer *lexer)
{
    cnn_define define = {.line = reader->line};
    cnn_status status = CNN_OK;
    if (reader->open_define >= 0)
        return cnn_text_fail(reader, reader->line,
                             "expected 'end' of the define in line %u before another, found "
                             "'define'",
                             cnn_reader_define(reader, reader->open_define)->line);
    CNN_TRY(cnn_lexer_take(&define.name, lexer, CNN_TOKEN_WORD, "define NAME(PARAMETERS)"));
    CNN_TRY(parse_parameters(reader, lexer, &define));
    CNN_TRY(cnn_lexer_skip(lexer, CNN_TOKEN_END, "the end of the line"));
    CNN_TRY(claim_define(reader, define.name));
    define.first_statement = (int)reader->statements.count;
    cnn_define *stored = cnn_pile_push(&reader->defines, sizeof *stored);
    if (!stored)
        return CNN_ERROR_MEMORY;
    *stored = define;
    reader->open_define = (int)reader->defines.count - 1;
out:
    return status;
}

cnn_status cnn_text_parse_end(cnn_text_reader *reader, cnn_lexer *lexer)
{
    cnn_status status = cnn_lexer_skip(lexer, CNN_TOKEN_END, "the end of the line behind 'end'");
    if (status != CNN_OK)
        return status;
    if (reader->open_define < 0)
        return cnn_text_fail(reader, reader->line, "expected a define before 'end', found none");
    if (cnn_reader_define(reader, reader->open_define)->statement_count == 0)
        return cnn_text_fail(reader, reader->line,
                             "expected at least one layer in the define, found 'end'");
    reader->open_define = -1;
    return CNN_OK;
}
