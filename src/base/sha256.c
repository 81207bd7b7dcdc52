#include "base/sha256.h"

#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>

void cnn_sha256(char text[CNN_SHA256_SIZE], const cnn_piece *pieces, size_t count)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&context);
    for (size_t i = 0; i < count; i++)
        sha256_update(&context, pieces[i].size, pieces[i].data);
    sha256_digest(&context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}
