#include "base/hash.h"

#include <nettle/sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"

static void take_digest(char text[CNN_HASH_SIZE], struct sha256_ctx *context)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(context, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

void cnn_hash(char text[CNN_HASH_SIZE], const cnn_piece *pieces, size_t count)
{
    struct sha256_ctx context;
    sha256_init(&context);
    for (size_t i = 0; i < count; i++)
        sha256_update(&context, pieces[i].size, pieces[i].data);
    take_digest(text, &context);
}

struct cnn_hasher {
    struct sha256_ctx context;
};

cnn_status cnn_hasher_create(cnn_hasher **hasher)
{
    cnn_status status = cnn_allocate(hasher, 1, sizeof **hasher, "a hash");
    if (status == CNN_OK)
        sha256_init(&(*hasher)->context);
    return status;
}

void cnn_hasher_add(cnn_hasher *hasher, const void *data, size_t size)
{
    sha256_update(&hasher->context, size, data);
}

void cnn_hasher_add_text(cnn_hasher *hasher, const char *format, ...)
{
    enum { LINE_SIZE = 512 };
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = cnn_format_list(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t size = length < 0 ? 0 : (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    cnn_hasher_add(hasher, line, size);
}

void cnn_hasher_end(char text[CNN_HASH_SIZE], cnn_hasher *hasher)
{
    if (text && hasher)
        take_digest(text, &hasher->context);
    free(hasher);
}

uint64_t cnn_hash_text(const char *text)
{
    struct sha256_ctx context;
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint64_t number = 0;
    sha256_init(&context);
    sha256_update(&context, strlen(text), (const uint8_t *)text);
    sha256_digest(&context, sizeof digest, digest);
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number;
}
