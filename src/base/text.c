#include "base/text.h"

#include <cnncl/device.h>

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "base/status.h"

/* Makes room for extra more bytes and the terminator. */
static bool reserve(cnn_text *text, size_t extra)
{
    if (text->failed)
        return false;
    size_t needed = text->length + extra + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void cnn_text_append_bytes(cnn_text *text, const char *bytes, size_t count)
{
    if (!reserve(text, count))
        return;
    if (count)
        memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void cnn_text_append(cnn_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = cnn_format_list(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !reserve(text, (size_t)length)) {
        text->failed = true;
        return;
    }
    va_start(arguments, format);
    cnn_format_list(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

cnn_status cnn_text_take(char **string, cnn_text *text)
{
    *string = NULL;
    if (!reserve(text, 0)) {
        size_t length = text->length;
        cnn_text_finish(text);
        return cnn_fail_memory(length, "a text");
    }
    text->data[text->length] = '\0';
    *string = text->data;
    *text = (cnn_text){0};
    return CNN_OK;
}

void cnn_text_finish(cnn_text *text)
{
    free(text->data);
    *text = (cnn_text){0};
}

void cnn_string_free(char *string)
{
    free(string);
}

/* Not ctype.h's, which follow the locale: to Turkish ones "I" is no large "i". */
bool cnn_is_digit(char letter)
{
    return letter >= '0' && letter <= '9';
}

char cnn_to_lower(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return (char)(letter - 'A' + 'a');
    return letter;
}

bool cnn_is_graphic(char letter)
{
    return letter > ' ' && letter <= '~';
}

bool cnn_is_alphanumeric(char letter)
{
    char lower = cnn_to_lower(letter);
    return cnn_is_digit(letter) || (lower >= 'a' && lower <= 'z');
}

/* strtol() and its kin skip blanks and take signs: a number here starts with a digit or a minus. */
static bool starts_as_number(const char *string)
{
    if (*string == '-')
        string++;
    return cnn_is_digit(*string) || *string == '.';
}

bool cnn_parse_int(int64_t *value, const char *string, int64_t low, int64_t high)
{
    if (!starts_as_number(string))
        return false;
    char *end;
    errno = 0;
    long long number = strtoll(string, &end, 10);
    if (errno != 0 || *end != '\0' || end == string || number < low || number > high)
        return false;
    *value = number;
    return true;
}

bool cnn_parse_double(double *value, const char *string)
{
    if (!starts_as_number(string) || strpbrk(string, "xX"))
        return false;
    locale_t before = cnn_plain_enter();
    char *end;
    errno = 0;
    double number = strtod(string, &end);
    bool vanished = errno == ERANGE && number == 0.0;
    cnn_plain_leave(before);
    if (*end != '\0' || end == string || !isfinite(number) || vanished)
        return false;
    *value = number;
    return true;
}

bool cnn_starts_with(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool cnn_starts_with_ignoring_case(const char *string, const char *prefix)
{
    for (; *prefix; string++, prefix++)
        if (cnn_to_lower(*string) != cnn_to_lower(*prefix))
            return false;
    return true;
}

bool cnn_contains_ignoring_case(const char *string, const char *part)
{
    for (;; string++) {
        if (cnn_starts_with_ignoring_case(string, part))
            return true;
        if (!*string)
            return false;
    }
}

bool cnn_ends_with(const char *string, const char *end)
{
    size_t length = strlen(string), size = strlen(end);
    return length >= size && strcmp(string + length - size, end) == 0;
}

bool cnn_ends_with_ignoring_case(const char *string, const char *end)
{
    size_t length = strlen(string), size = strlen(end);
    return length >= size && cnn_starts_with_ignoring_case(string + length - size, end);
}

const char *cnn_quote(char buffer[CNN_QUOTE_SIZE], const char *string)
{
    size_t length = 0;
    for (; length < CNN_QUOTE_SIZE - 1 && string[length]; length++)
        buffer[length] =
            (char)(string[length] >= ' ' && string[length] <= '~' ? string[length] : '?');
    buffer[length] = '\0';
    if (string[length])
        memcpy(buffer + CNN_QUOTE_SIZE - sizeof "...", "...", sizeof "...");
    return buffer;
}

const char *cnn_format_bytes(char buffer[32], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000.0 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024.0;
        unit++;
    }
    cnn_format(buffer, 32, value < 10.0 && unit > 0 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return buffer;
}

enum { NUMBERS = 65536, DIGITS = 6 };

static char number_names[NUMBERS][DIGITS];

static void name_numbers(void)
{
    for (int i = 0; i < NUMBERS; i++) {
        int power = 10000, length = 0;
        while (power > 1 && i < power)
            power /= 10;
        for (; power > 0; power /= 10)
            number_names[i][length++] = (char)('0' + i / power % 10);
    }
}

const char *cnn_number_name(int number)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (number < 0 || number >= NUMBERS)
        return "?";
    pthread_once(&once, name_numbers);
    return number_names[number];
}
