/* Where a value of a row-major tensor is. */
#ifndef REF_INDEX_H
#define REF_INDEX_H

#include "layers/layer.h"

/* The offset of (n, c, h, w) in a tensor (N, C, H, W) whose C, H, W is `shape`. */
static inline size_t cnn_ref_index(cnn_shape shape, int n, int c, int h, int w)
{
    size_t plane = (size_t)n * (size_t)shape.c + (size_t)c;
    return (plane * (size_t)shape.h + (size_t)h) * (size_t)shape.w + (size_t)w;
}

#endif
