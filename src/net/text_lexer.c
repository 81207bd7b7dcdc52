/* A line's words. */
#include <string.h>

#include "base/status.h"
#include "net/text_reader.h"

/* Letters are ASCII's, whatever the program's locale is. */
static bool is_name_byte(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '.' || byte == '-';
}

/* Numbers have a plus, too: 1e+3. */
static bool is_word_byte(unsigned char byte)
{
    return is_name_byte(byte) || byte == '+';
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

bool cnn_text_is_name(const char *name, size_t length)
{
    static const char *const words[] = {"input", "define", "end"};
    for (size_t i = 0; i < length; i++)
        if (!is_name_byte((unsigned char)name[i]))
            return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == length && memcmp(words[i], name, length) == 0)
            return false;
    return length > 0 && length < CNN_LAYER_NAME_SIZE;
}

/* The length of the word in quotes that begins here; 0 where it does not end. */
static size_t quoted_length(const cnn_lexer *lexer)
{
    const char *text = lexer->reader->text;
    size_t at = lexer->at + 1;
    while (at < lexer->end && is_word_byte((unsigned char)text[at]))
        at++;
    return at < lexer->end && text[at] == text[lexer->at] ? at + 1 - lexer->at : 0;
}

static size_t word_length(const cnn_lexer *lexer)
{
    size_t at = lexer->at;
    while (at < lexer->end && is_word_byte((unsigned char)lexer->reader->text[at]))
        at++;
    return at - lexer->at;
}

static const struct {
    char byte;
    cnn_token_type type;
} marks[] = {
    {'(', CNN_TOKEN_OPEN},
    {')', CNN_TOKEN_CLOSE},
    {',', CNN_TOKEN_COMMA},
    {'=', CNN_TOKEN_EQUALS},
};

/* What is at lexer->at, which is no blank; *length of it. */
static cnn_token_type scan(size_t *length, const cnn_lexer *lexer)
{
    const char *text = lexer->reader->text + lexer->at;
    *length = word_length(lexer);
    if (*length > 0)
        return CNN_TOKEN_WORD;
    *length = 1;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (*text == marks[i].byte)
            return marks[i].type;
    if (*text == '<' && lexer->at + 1 < lexer->end && text[1] == '-') {
        *length = 2;
        return CNN_TOKEN_ARROW;
    }
    if ((*text == '\'' || *text == '"') && quoted_length(lexer) > 0) {
        *length = quoted_length(lexer);
        return CNN_TOKEN_QUOTED;
    }
    return CNN_TOKEN_OTHER;
}

void cnn_lexer_next(cnn_lexer *lexer)
{
    const char *text = lexer->reader->text;
    size_t length = 0;
    lexer->token.type = CNN_TOKEN_END;
    while (lexer->at < lexer->end && is_blank(text[lexer->at]))
        lexer->at++;
    if (lexer->at < lexer->end && text[lexer->at] != '#')
        lexer->token.type = scan(&length, lexer);
    lexer->token.slice = (cnn_slice){(uint32_t)lexer->at, (uint32_t)length};
    lexer->at += length;
}

void cnn_lexer_init(cnn_lexer *lexer, const cnn_text_reader *reader, size_t start, size_t end)
{
    *lexer = (cnn_lexer){.reader = reader, .at = start, .end = end};
    cnn_lexer_next(lexer);
}

cnn_status cnn_lexer_fail(const cnn_lexer *lexer, const char *expected)
{
    const cnn_text_reader *reader = lexer->reader;
    char found[CNN_LAYER_NAME_SIZE];
    unsigned byte = (unsigned char)reader->text[lexer->token.slice.start];
    if (lexer->token.type == CNN_TOKEN_END)
        return cnn_text_fail(reader, reader->line, "expected %s, found the end of the line",
                             expected);
    if (lexer->token.type == CNN_TOKEN_OTHER && (byte <= ' ' || byte > '~'))
        return cnn_text_fail(reader, reader->line, "expected %s, found the byte 0x%02x", expected,
                             byte);
    return cnn_text_fail(reader, reader->line, "expected %s, found '%s'", expected,
                         cnn_slice_quote(found, reader, lexer->token.slice));
}

cnn_status cnn_lexer_take(cnn_slice *slice, cnn_lexer *lexer, cnn_token_type type,
                          const char *expected)
{
    if (lexer->token.type != type)
        return cnn_lexer_fail(lexer, expected);
    *slice = lexer->token.slice;
    cnn_lexer_next(lexer);
    return CNN_OK;
}

cnn_status cnn_lexer_skip(cnn_lexer *lexer, cnn_token_type type, const char *expected)
{
    cnn_slice slice;
    return cnn_lexer_take(&slice, lexer, type, expected);
}

bool cnn_slice_is(const cnn_text_reader *reader, cnn_slice slice, const char *word)
{
    return strlen(word) == slice.length &&
           memcmp(reader->text + slice.start, word, slice.length) == 0;
}

bool cnn_slice_equal(const cnn_text_reader *reader, cnn_slice a, cnn_slice b)
{
    return a.length == b.length &&
           memcmp(reader->text + a.start, reader->text + b.start, a.length) == 0;
}

const char *cnn_slice_quote(char buffer[CNN_LAYER_NAME_SIZE], const cnn_text_reader *reader,
                            cnn_slice slice)
{
    size_t length = slice.length < CNN_LAYER_NAME_SIZE ? slice.length : CNN_LAYER_NAME_SIZE - 1;
    for (size_t i = 0; i < length; i++) {
        char byte = reader->text[slice.start + i];
        buffer[i] = (char)(byte >= ' ' && byte <= '~' ? byte : '?');
    }
    buffer[length] = '\0';
    if (length < slice.length)
        memcpy(buffer + length - 3, "...", 3);
    return buffer;
}
