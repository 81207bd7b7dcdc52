/* SHA-256 (FIPS 180-4) through nettle. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/file.h"

enum { CNN_HASH_DIGITS = 64, CNN_HASH_SIZE = CNN_HASH_DIGITS + 1 };

/* The hash of the pieces, one after the other, in lower-case hexadecimal. */
void cnn_hash(char text[CNN_HASH_SIZE], const cnn_piece *pieces, size_t count);
/* The first eight bytes of a text's hash, as a number: for names, and to tell accidents. */
uint64_t cnn_hash_text(const char *text);

#endif
