/* A checksum: it tells accidents, not attacks. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

/* FNV-1a of 64 bits (G. Fowler, L. C. Noll, K.-P. Vo). */
uint64_t cnn_hash_text(const char *text);

#endif
