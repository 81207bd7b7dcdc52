/* SHA-256 (FIPS 180-4) through nettle. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include "base/file.h"

enum { CNN_SHA256_DIGITS = 64, CNN_SHA256_SIZE = CNN_SHA256_DIGITS + 1 };

/* The hash of the pieces, one after the other, in lower-case hexadecimal. */
void cnn_sha256(char text[CNN_SHA256_SIZE], const cnn_piece *pieces, size_t count);

#endif
