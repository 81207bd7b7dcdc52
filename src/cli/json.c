/* The one place of the command that escapes JSON strings (RFC 8259, section 7). */
#include "cli/json.h"

#include <stddef.h>

#include "cli/output.h"

enum { PIECE_SIZE = 8 };

/* The length of the UTF-8 character that text starts with (RFC 3629, section 4); 0 for none. */
static size_t character_length(const unsigned char *text)
{
    static const struct {
        unsigned char low, high;               /* of the first byte */
        unsigned char second_low, second_high; /* of the second; all others are 80 to bf */
        size_t length;
    } forms[] = {
        {0x00, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].low || text[0] > forms[i].high)
            continue;
        if (text[1] < forms[i].second_low || text[1] > forms[i].second_high)
            return 0;
        for (size_t j = 2; j < forms[i].length; j++)
            if ((text[j] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

/* The next character as JSON has it, in `piece`. Returns the bytes of the string that it took. */
static size_t escape(char piece[PIECE_SIZE], const char *string)
{
    const unsigned char *at = (const unsigned char *)string;
    size_t length = character_length(at);
    if (length == 0)
        snprintf(piece, PIECE_SIZE, "\\ufffd");
    else if (*at == '"' || *at == '\\')
        snprintf(piece, PIECE_SIZE, "\\%c", *at);
    else if (*at < 0x20)
        snprintf(piece, PIECE_SIZE, "\\u%04x", *at);
    else
        snprintf(piece, PIECE_SIZE, "%.*s", (int)length, string);
    return length ? length : 1;
}

void cli_json_write_string(FILE *file, const char *string)
{
    char piece[PIECE_SIZE];
    fputc('"', file);
    while (*string) {
        string += escape(piece, string);
        fputs(piece, file);
    }
    fputc('"', file);
}

void cli_print_json_string(const char *string)
{
    char piece[PIECE_SIZE];
    cli_print("\"");
    while (*string) {
        string += escape(piece, string);
        cli_print("%s", piece);
    }
    cli_print("\"");
}
