#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

bool cnn_multiply_size(size_t *product, size_t a, size_t b)
{
    if (a != 0 && b > SIZE_MAX / a)
        return false;
    *product = a * b;
    return true;
}

cnn_status cnn_allocate(void *memory, size_t count, size_t size, const char *what)
{
    void *block = calloc(count ? count : 1, size ? size : 1);
    memcpy(memory, &block, sizeof block);
    if (block)
        return CNN_OK;
    size_t bytes = SIZE_MAX;
    cnn_multiply_size(&bytes, count, size);
    return cnn_fail_memory(bytes, what);
}
