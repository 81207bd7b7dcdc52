/* Arguments: what they come to in a scope, and a layer's options from them. */
#include <string.h>

#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "net/text_reader.h"

enum { NUMBER_SIZE = 64 };

/* A parameter's value, `classes`, or the word itself. */
static cnn_status resolve(cnn_value *value, const cnn_text_reader *reader, const cnn_scope *scope,
                          const cnn_token *token)
{
    cnn_slice text = token->slice;
    bool quoted = token->type == CNN_TOKEN_QUOTED;
    for (int i = 0; !quoted && scope && i < scope->bound; i++)
        if (cnn_slice_equal(reader,
                            cnn_reader_argument(reader, scope->define->first_parameter + i)->name,
                            text)) {
            *value = scope->parameters[i];
            return CNN_OK;
        }
    *value = (cnn_value){.count = 1};
    value->elements[0].quoted = quoted;
    value->elements[0].text = reader->text + text.start + (quoted ? 1 : 0);
    value->elements[0].length = text.length - (quoted ? 2 : 0);
    if (!quoted && cnn_slice_is(reader, text, "classes")) {
        value->elements[0].text = reader->classes;
        value->elements[0].length = strlen(reader->classes);
        *reader->uses_classes = true;
    }
    return CNN_OK;
}

cnn_status cnn_text_evaluate(cnn_value *value, const cnn_text_reader *reader,
                             const cnn_scope *scope, uint32_t line, cnn_slice text)
{
    cnn_lexer lexer;
    cnn_value element;
    cnn_status status = CNN_OK;
    cnn_lexer_init(&lexer, reader, text.start, text.start + text.length);
    if (lexer.token.type != CNN_TOKEN_OPEN)
        return resolve(value, reader, scope, &lexer.token);
    *value = (cnn_value){.is_tuple = true};
    for (; lexer.token.type != CNN_TOKEN_END; cnn_lexer_next(&lexer)) {
        if (lexer.token.type != CNN_TOKEN_WORD && lexer.token.type != CNN_TOKEN_QUOTED)
            continue;
        CNN_TRY(resolve(&element, reader, scope, &lexer.token));
        if (element.is_tuple) {
            char found[CNN_LAYER_NAME_SIZE];
            return cnn_text_fail(reader, line,
                                 "expected numbers between the parentheses, found '%s', which is "
                                 "several",
                                 cnn_slice_quote(found, reader, lexer.token.slice));
        }
        value->elements[value->count++] = element.elements[0];
    }
out:
    return status;
}

/* A terminated copy of an element; "" where it is too long to be a number or a word. */
static void copy_element(char buffer[NUMBER_SIZE], const cnn_value *value, int element)
{
    size_t length = value->elements[element].length;
    if (length >= NUMBER_SIZE)
        length = 0;
    memcpy(buffer, value->elements[element].text, length);
    buffer[length] = '\0';
}

static bool get_ints(int *numbers, const cnn_value *value, double low, double high)
{
    for (int i = 0; i < value->count; i++) {
        char text[NUMBER_SIZE];
        int64_t number;
        copy_element(text, value, i);
        if (value->elements[i].quoted || !cnn_parse_int(&number, text, (int64_t)low, (int64_t)high))
            return false;
        numbers[i] = (int)number;
    }
    return true;
}

/* As here, or a value of Python's. */
static bool is_word(const char *text, const char *word)
{
    static const char *const values[] = {"True", "False", "None"};
    if (strcmp(text, word) == 0)
        return true;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (strcmp(text, values[i]) == 0)
            return text[0] == word[0] - 'a' + 'A' && strcmp(text + 1, word + 1) == 0;
    return false;
}

/* The number of a word that the argument knows. */
static bool get_word(int *number, const cnn_value *value, const cnn_argument *argument)
{
    char text[NUMBER_SIZE];
    if (value->is_tuple)
        return false;
    copy_element(text, value, 0);
    for (int i = 0; i < 2 && argument->words[i].word; i++)
        if (argument->type == CNN_ARGUMENT_CHOICE ? strcmp(text, argument->words[i].word) == 0
                                                  : is_word(text, argument->words[i].word)) {
            *number = argument->words[i].value;
            return true;
        }
    return false;
}

/* The numbers of an int, a pair or a padding; fewer are spread: (h, w) to (h, w, h, w). */
static bool set_ints(int *numbers, int count, const cnn_value *value, const cnn_argument *argument)
{
    int word;
    if (get_word(&word, value, argument)) {
        for (int i = 0; i < count; i++)
            numbers[i] = word;
        return true;
    }
    if (value->count > count || value->count == 3 ||
        !get_ints(numbers, value, argument->low, argument->high))
        return false;
    for (int i = value->count; i < count; i++)
        numbers[i] = numbers[i % value->count];
    return true;
}

static bool set_int(void *at, const cnn_value *value, const cnn_argument *argument)
{
    return set_ints(at, 1, value, argument);
}

static bool set_pair(void *at, const cnn_value *value, const cnn_argument *argument)
{
    return set_ints(at, 2, value, argument);
}

static bool set_padding(void *at, const cnn_value *value, const cnn_argument *argument)
{
    return set_ints(at, 4, value, argument);
}

/* As here and as in Python. */
static bool set_bool(void *at, const cnn_value *value, const cnn_argument *argument)
{
    static const char *const words[] = {"false", "true", "False", "True"};
    char text[NUMBER_SIZE];
    (void)argument;
    copy_element(text, value, 0);
    for (size_t i = 0; !value->is_tuple && i < sizeof words / sizeof words[0]; i++)
        if (!value->elements[0].quoted && strcmp(words[i], text) == 0) {
            *(bool *)at = i % 2 == 1;
            return true;
        }
    return false;
}

static bool set_moot(void *at, const cnn_value *value, const cnn_argument *argument)
{
    int word;
    (void)at;
    return get_word(&word, value, argument);
}

static bool set_number(void *at, const cnn_value *value, const cnn_argument *argument)
{
    char text[NUMBER_SIZE];
    double number;
    copy_element(text, value, 0);
    if (value->count != 1 || value->elements[0].quoted || !cnn_parse_double(&number, text) ||
        number < argument->low || number > argument->high || !cnn_fits_float(number))
        return false;
    *(double *)at = number;
    return true;
}

static bool set_choice(void *at, const cnn_value *value, const cnn_argument *argument)
{
    int word;
    if (!get_word(&word, value, argument))
        return false;
    *(bool *)at = word != 0;
    return true;
}

static const struct {
    bool (*set)(void *at, const cnn_value *value, const cnn_argument *argument);
    const char *expected;
    bool has_range;
} types[] = {
    [CNN_ARGUMENT_INT] = {set_int, "a whole number", true},
    [CNN_ARGUMENT_PAIR] = {set_pair, "a whole number, or (height, width), each", true},
    [CNN_ARGUMENT_PADDING] = {set_padding,
                              "a whole number, (height, width) or (top, left, bottom, right), each",
                              true},
    [CNN_ARGUMENT_BOOL] = {set_bool, "true or false", false},
    [CNN_ARGUMENT_NUMBER] = {set_number, "a number", true},
    [CNN_ARGUMENT_CHOICE] = {set_choice, "", false},
    [CNN_ARGUMENT_MOOT] = {set_moot, "", false},
};

/* As it would be written. */
static void append_value(cnn_text *text, const cnn_value *value)
{
    cnn_text_append(text, value->is_tuple ? "(" : "'");
    for (int i = 0; i < value->count; i++) {
        cnn_text_append(text, i ? ", " : "");
        cnn_text_append_bytes(text, value->elements[i].text, value->elements[i].length);
    }
    cnn_text_append(text, value->is_tuple ? ")" : "'");
}

/* Is it a number that becomes 0 on the device? */
static bool is_lost(const cnn_argument *argument, const cnn_value *value)
{
    char text[NUMBER_SIZE];
    double number;
    copy_element(text, value, 0);
    return argument->type == CNN_ARGUMENT_NUMBER && value->count == 1 &&
           cnn_parse_double(&number, text) && number != 0.0 && (float)number == 0.0f;
}

static cnn_status fail_value(const cnn_text_reader *reader, uint32_t line,
                             const cnn_argument *argument, const cnn_value *value)
{
    cnn_text text = {0};
    cnn_text_append(&text, "%s: expected %s", argument->name, types[argument->type].expected);
    if (types[argument->type].has_range)
        cnn_text_append(&text, " from %.10g to %.10g", argument->low, argument->high);
    for (int i = 0; i < 2 && argument->words[i].word; i++)
        cnn_text_append(&text, "%s%s", i || types[argument->type].has_range ? " or " : "",
                        argument->words[i].word);
    cnn_text_append(&text, ", found ");
    append_value(&text, value);
    if (is_lost(argument, value))
        cnn_text_append(&text, ", which is 0 in float32");
    cnn_status status = cnn_text_fail(reader, line, "%s", text.data ? text.data : argument->name);
    cnn_text_finish(&text);
    return status;
}

cnn_status cnn_text_get_int(int *number, const cnn_text_reader *reader, uint32_t line,
                            const char *name, const cnn_value *value, int low, int high)
{
    cnn_argument argument = {.name = name, .type = CNN_ARGUMENT_INT, .low = low, .high = high};
    return set_int(number, value, &argument) ? CNN_OK : fail_value(reader, line, &argument, value);
}

cnn_status cnn_text_set_options(cnn_layer_options *options, const cnn_text_reader *reader,
                                const cnn_scope *scope, const cnn_statement *statement)
{
    const cnn_layer_class *class = cnn_layer_get_class((cnn_layer_kind)statement->callee);
    cnn_value value;
    cnn_status status = CNN_OK;
    cnn_layer_default_options(options, (cnn_layer_kind)statement->callee);
    for (int i = 0; i < statement->argument_count; i++) {
        const cnn_text_argument *given = cnn_reader_argument(reader, statement->first_argument + i);
        if (given->slot < 0)
            continue;
        const cnn_argument *argument = &class->arguments[given->slot];
        CNN_TRY(cnn_text_evaluate(&value, reader, scope, statement->line, given->value));
        if (!types[argument->type].set((char *)options + argument->offset, &value, argument))
            CNN_TRY(fail_value(reader, statement->line, argument, &value));
    }
out:
    return status;
}
