#include "picture/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

enum { EXTRA_ROOM = 3 };

/* Lead bytes by the length of their character, and the smallest code point that needs it. */
static const struct form {
    uint8_t mask, lead;
    size_t length;
    uint32_t least;
} forms[] = {
    {0x80, 0x00, 1, 0x20},
    {0xe0, 0xc0, 2, 0x80},
    {0xf0, 0xe0, 3, 0x800},
    {0xf8, 0xf0, 4, 0x10000},
};

static bool is_continuation(char byte)
{
    return ((uint8_t)byte & 0xc0) == 0x80;
}

static bool is_drawable(uint32_t point, const struct form *form)
{
    bool is_surrogate = point >= 0xd800 && point <= 0xdfff;
    bool is_control = point >= 0x7f && point < 0xa0;
    return point >= form->least && point <= 0x10ffff && !is_surrogate && !is_control;
}

/* The length of the character that text starts with; 0 where it is none to draw. */
static size_t character_length(const char *text)
{
    uint8_t lead = (uint8_t)text[0];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *form = &forms[i];
        if ((lead & form->mask) != form->lead)
            continue;
        uint32_t point = lead & (uint8_t)~form->mask;
        for (size_t j = 1; j < form->length; j++) {
            if (!is_continuation(text[j]))
                return 0;
            point = point << 6 | ((uint8_t)text[j] & 0x3f);
        }
        return is_drawable(point, form) ? form->length : 0;
    }
    return 0;
}

cnn_status cnn_utf8_repair(char **repaired, const char *text)
{
    size_t length = strlen(text);
    char *copy;
    cnn_status status = cnn_allocate(&copy, length + EXTRA_ROOM + 1, 1, "a title");
    if (status != CNN_OK)
        return status;
    memcpy(copy, text, length + 1);
    for (size_t at = 0; at < length;) {
        size_t step = character_length(copy + at);
        if (step == 0)
            copy[at] = '?';
        at += step ? step : 1;
    }
    *repaired = copy;
    return CNN_OK;
}

size_t cnn_utf8_previous(const char *text, size_t length)
{
    do
        length--;
    while (length > 0 && is_continuation(text[length]));
    return length;
}
