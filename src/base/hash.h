/* SHA-256 (FIPS 180-4) through nettle. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/file.h"

enum { CNN_HASH_DIGITS = 64, CNN_HASH_SIZE = CNN_HASH_DIGITS + 1 };

/* The hash of the pieces, one after the other, in lower-case hexadecimal. */
void cnn_hash(char text[CNN_HASH_SIZE], const cnn_piece *pieces, size_t count);

/* The same, of pieces that come later. */
typedef struct cnn_hasher cnn_hasher;
/* Errors: MEMORY. */
cnn_status cnn_hasher_create(cnn_hasher **hasher);
void cnn_hasher_add(cnn_hasher *hasher, const void *data, size_t size);
/* What formatted text is, without a terminating zero. */
void cnn_hasher_add_text(cnn_hasher *hasher, const char *format, ...) CNN_PRINTF(2, 3);
/* Frees it; text may be NULL. */
void cnn_hasher_end(char text[CNN_HASH_SIZE], cnn_hasher *hasher);
/* The first eight bytes of a text's hash, as a number: for names, and to tell accidents. */
uint64_t cnn_hash_text(const char *text);

#endif
