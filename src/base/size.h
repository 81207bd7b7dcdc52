/* Arithmetic of sizes. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stddef.h>

static inline size_t cnn_divide_up(size_t value, size_t by)
{
    return (value + by - 1) / by;
}

/* The next multiple of `to`. */
static inline size_t cnn_round_up(size_t value, size_t to)
{
    return cnn_divide_up(value, to) * to;
}

static inline size_t cnn_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t cnn_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
