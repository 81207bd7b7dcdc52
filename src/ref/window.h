/* Where windows lie: of convolutions, of pools; which values a dropout keeps. */
#ifndef REF_WINDOW_H
#define REF_WINDOW_H

#include "layers/layer.h"

/* How the windows of a layer go along an axis: rows (0) or columns (1). */
typedef struct cnn_ref_window {
    int kernel, stride, dilation, padding;
} cnn_ref_window;

static inline cnn_ref_window cnn_ref_conv_window(const cnn_layer *layer, int axis)
{
    const cnn_conv_options *conv = &layer->options.conv;
    return (cnn_ref_window){conv->kernel[axis], conv->stride[axis], conv->dilation[axis],
                            conv->padding[axis]};
}

static inline cnn_ref_window cnn_ref_pool_window(const cnn_layer *layer, int axis)
{
    const cnn_pool_options *pool = &layer->options.pool;
    return (cnn_ref_window){pool->kernel[axis], pool->stride[axis], pool->dilation[axis],
                            pool->padding[axis]};
}

/* The row (or column) that output `at` reads through a tap; it may be in the padding. */
static inline int64_t cnn_ref_place(cnn_ref_window window, int at, int tap)
{
    return (int64_t)at * window.stride + (int64_t)tap * window.dilation - window.padding;
}

/* The output's row (or column), of so many, that reads `at` through a tap: -1 where there is none. */
static inline int64_t cnn_ref_reader(cnn_ref_window window, int at, int tap, int count)
{
    int64_t from = (int64_t)at + window.padding - (int64_t)tap * window.dilation;
    if (from < 0 || from % window.stride != 0 || from / window.stride >= count)
        return -1;
    return from / window.stride;
}

static inline bool cnn_ref_is_inside(int64_t at, int size)
{
    return at >= 0 && at < size;
}

/* The input's channel that output channel o of a convolution reads as its channel c. */
static inline int cnn_ref_conv_channel(const cnn_layer *layer, int o, int c)
{
    int groups = layer->options.conv.groups;
    return o / (layer->out.c / groups) * (layer->in.c / groups) + c;
}

/* What the average of window (h, w) divides by. */
double cnn_ref_avgpool_divisor(const cnn_layer *layer, int h, int w);
/* Output `at` of `count` averages from begin to end - 1 (torch.nn.AdaptiveAvgPool2d). */
void cnn_ref_adaptive_range(int *begin, int *end, int at, int count, int size);

/* Is this value of a dropout's input kept? sample: its number in the batch. */
bool cnn_ref_is_kept(const cnn_layer *layer, int sample, int c, int h, int w, uint64_t seed,
                     uint64_t step);

#endif
