/* The one place of the command that escapes JSON strings (RFC 8259, section 7). */
#include <stddef.h>

#include "cli/output.h"

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

void cli_print_json_string(const char *string)
{
    const unsigned char *at = (const unsigned char *)string;
    cli_print("\"");
    while (*at) {
        size_t length = character_length(at);
        if (length == 0)
            cli_print("\\ufffd");
        else if (*at == '"' || *at == '\\')
            cli_print("\\%c", *at);
        else if (*at < 0x20)
            cli_print("\\u%04x", *at);
        else
            cli_print("%.*s", (int)length, (const char *)at);
        at += length ? length : 1;
    }
    cli_print("\"");
}
