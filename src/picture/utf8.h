/* UTF-8 as cairo wants it: cairo refuses a whole drawing for one wrong byte. */
#ifndef PICTURE_UTF8_H
#define PICTURE_UTF8_H

#include <stddef.h>

#include <cnncl/error.h>

/* A copy of the text in which every wrong byte and control character is '?', with room for one
 * more character of at most 3 bytes; to be freed with free(). Errors: MEMORY. */
cnn_status cnn_utf8_repair(char **repaired, const char *text);

/* Where the last character of the first `length` bytes begins; length is above 0. */
size_t cnn_utf8_previous(const char *text, size_t length);

#endif
