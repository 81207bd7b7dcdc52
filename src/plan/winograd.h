/* What the 3 x 3 convolutions by Winograd's method share: cl/winograd_tile.cl. */
#ifndef PLAN_WINOGRAD_H
#define PLAN_WINOGRAD_H

#include "base/size.h"
#include "ops/op.h"

enum {
    CNN_WINOGRAD_POINTS = 36, /* of a tile of */
    CNN_WINOGRAD_SIDE = 4,    /* by as many outputs */
    CNN_WINOGRAD_LANES = 16   /* of a vector */
};

/* A direction: the layer's own, or that of its input's gradient. */
typedef struct cnn_winograd {
    cnn_shape in, out;
    int top, left;        /* padding */
    int rows, wide;       /* of a register block: ROWS, WIDE */
    size_t in_channels;   /* in whole vectors, */
    size_t out_channels;  /* in whole blocks */
} cnn_winograd;

/* The layer's own, or that of its input's gradient. */
cnn_winograd cnn_winograd_of(const cnn_op *op, bool turned);

static inline size_t cnn_winograd_tiles(cnn_shape out)
{
    return cnn_divide_up((size_t)out.h, CNN_WINOGRAD_SIDE) *
           cnn_divide_up((size_t)out.w, CNN_WINOGRAD_SIDE);
}

/* Whole cache lines, an odd number: from one point to the next other sets of the cache. */
static inline size_t cnn_winograd_lines(size_t floats)
{
    return (cnn_divide_up(floats, CNN_WINOGRAD_LANES) | 1) * CNN_WINOGRAD_LANES;
}

/* Formats the kernels' options for shape and register block. */
enum { CNN_WINOGRAD_OPTIONS = 160 };
void cnn_winograd_format(char options[CNN_WINOGRAD_OPTIONS], const cnn_winograd *at);

/* The kernels' argument: negative where there is no bias. */
cnn_arg cnn_winograd_bias(const cnn_layer *layer);

/* For the bench: of a tile a transform of six values takes 22, its way back to four 16. */
double cnn_winograd_flops(const cnn_op *op, const cnn_op_work *work);

#endif
