/* Strings: a growing text, and the parsing of numbers that accepts nothing but a number. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

/* A text that grows. Start from {0}; after a failed append it is marked and stays so, which
 * cnn_text_take() reports. */
typedef struct cnn_text {
    char *data; /* always terminated where it is not NULL */
    size_t length, capacity;
    bool failed;
} cnn_text;

void cnn_text_append(cnn_text *text, const char *format, ...) CNN_PRINTF(2, 3);
void cnn_text_append_bytes(cnn_text *text, const char *bytes, size_t count);
/* Hands the string over (to be freed with free()); an empty text gives "". Errors: MEMORY. */
cnn_status cnn_text_take(char **string, cnn_text *text);
void cnn_text_finish(cnn_text *text);

/* A whole decimal integer within [low, high]; nothing else around it. */
bool cnn_parse_int(int64_t *value, const char *string, int64_t low, int64_t high);
/* A finite decimal number; none that is too small for a double. */
bool cnn_parse_double(double *value, const char *string);

/* Printable ASCII but for the blank. */
bool cnn_is_graphic(char letter);
/* What is a capital letter of ASCII as a small one. */
char cnn_to_lower(char letter);
/* A digit of ASCII. */
bool cnn_is_digit(char letter);
/* A letter or a digit of ASCII. */
bool cnn_is_alphanumeric(char letter);
bool cnn_starts_with(const char *string, const char *prefix);
/* ASCII only; true for an empty part. */
bool cnn_starts_with_ignoring_case(const char *string, const char *prefix);
bool cnn_contains_ignoring_case(const char *string, const char *part);
bool cnn_ends_with(const char *string, const char *end);
bool cnn_ends_with_ignoring_case(const char *string, const char *end);

/* "0" to "65535": a number in decimal, for as long as the process lives; "?" for others. */
const char *cnn_number_name(int number);

enum { CNN_QUOTE_SIZE = 64 };
/* A string of unknown origin, fit for a one-line message: cut to the buffer, '?' for what is not
 * printable ASCII. Returns buffer. */
const char *cnn_quote(char buffer[CNN_QUOTE_SIZE], const char *string);

/* "1.5 GiB", "312 KiB": three digits at most before the unit. Returns buffer. */
const char *cnn_format_bytes(char buffer[32], uint64_t bytes);

#endif
