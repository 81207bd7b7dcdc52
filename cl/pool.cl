/* Pools: the largest value of a window (the first in row-major order on a tie, a NaN before any
 * number), its mean, and the mean of as many stretches as the output has (torch.nn.MaxPool2d,
 * AvgPool2d, AdaptiveAvgPool2d).
 * Layout: (N, H, W, C). Must be given: C, IH, IW, OH, OW. With defaults, those of a window:
 * KH, KW, SH, SW 1; DH, DW 1, dilation; PT, PL, PB, PR 0, the padding above, to the left, below and
 * to the right, in which no value stands; COUNT_PADDING 0, 1: a mean counts it. */
#if !defined(C) || !defined(IH) || !defined(IW) || !defined(OH) || !defined(OW)
#error "C, IH, IW, OH and OW must be given"
#endif
#ifndef KH
#define KH 1
#define KW 1
#define SH 1
#define SW 1
#endif
#ifndef DH
#define DH 1
#define DW 1
#endif
#ifndef PT
#define PT 0
#define PL 0
#define PB 0
#define PR 0
#endif
#ifndef COUNT_PADDING
#define COUNT_PADDING 0
#endif

#include "loop.cl"

#define TAPS (KH * KW)
#if TAPS < 256
typedef uchar tap_t;
#else
typedef uint tap_t;
#endif

/* y (n, OH, OW, C) and which (n, OH, OW, C), the tap of the largest; x (n, IH, IW, C). The first tap
 * inside the plane begins. */
kernel void maxpool_forward(global float *restrict y, global tap_t *restrict which,
                            const global float *restrict x, int n)
{
    FOR_EACH (window, (size_t)n * OH * OW) {
        const int ox = window % OW, oy = window / OW % OH;
        const global float *plane = x + window / (OW * OH) * (IH * IW * C);
        global float *best = y + window * C;
        global tap_t *position = which + window * C;
        int begun = 0;
        for (int ky = 0; ky < KH; ++ky) {
            const int iy = oy * SH + ky * DH - PT;
            if (iy < 0 || iy >= IH)
                continue;
            for (int kx = 0; kx < KW; ++kx) {
                const int ix = ox * SW + kx * DW - PL;
                if (ix < 0 || ix >= IW)
                    continue;
                const global float *pixel = plane + (iy * IW + ix) * C;
                const tap_t tap = ky * KW + kx;
                if (!begun)
                    for (int c = 0; c < C; ++c) {
                        best[c] = pixel[c];
                        position[c] = tap;
                    }
                else
                    for (int c = 0; c < C; ++c) {
                        const float a = pixel[c], b = best[c];
                        const int wins = a > b || a != a;
                        best[c] = wins ? a : b;
                        position[c] = wins ? tap : position[c];
                    }
                begun = 1;
            }
        }
    }
}

/* The output row that reads input row iy through tap ky; -1 where there is none. A column likewise. */
static int reader(int at, int tap, int stride, int dilation, int padding, int count)
{
    const int from = at + padding - tap * dilation;
    return from < 0 || from % stride != 0 || from / stride >= count ? -1 : from / stride;
}

/* dx (n, IH, IW, C): the sum of dy (n, OH, OW, C) over the windows whose largest a value was. */
kernel void maxpool_backward(global float *restrict dx, const global float *restrict dy,
                             const global tap_t *restrict which, int n)
{
    FOR_EACH (pixel, (size_t)n * IH * IW) {
        const int ix = pixel % IW, iy = pixel / IW % IH;
        const size_t sample = pixel / (IW * IH);
        for (int c = 0; c < C; ++c)
            dx[pixel * C + c] = 0.0f;
        for (int ky = 0; ky < KH; ++ky) {
            const int oy = reader(iy, ky, SH, DH, PT, OH);
            if (oy < 0)
                continue;
            for (int kx = 0; kx < KW; ++kx) {
                const int ox = reader(ix, kx, SW, DW, PL, OW);
                if (ox < 0)
                    continue;
                const size_t window = (sample * OH + oy) * OW + ox;
                for (int c = 0; c < C; ++c)
                    dx[pixel * C + c] +=
                        which[window * C + c] == ky * KW + kx ? dy[window * C + c] : 0.0f;
            }
        }
    }
}

/* What the mean of a window that begins at `begin` divides by, along one axis: its places, those
 * that ceil_mode alone adds behind the padding left out. */
static int places(int begin, int kernel_size, int size, int behind)
{
    const int end = min(begin + kernel_size, size + (COUNT_PADDING ? behind : 0));
    return end - (COUNT_PADDING ? begin : max(begin, 0));
}

static float divisor(int oy, int ox)
{
    return (float)places(oy * SH - PT, KH, IH, PB) * (float)places(ox * SW - PL, KW, IW, PR);
}

/* y (n, OH, OW, C) from x (n, IH, IW, C). */
kernel void avgpool_forward(global float *restrict y, const global float *restrict x, int n)
{
    FOR_EACH (window, (size_t)n * OH * OW) {
        const int ox = window % OW, oy = window / OW % OH;
        const global float *plane = x + window / (OW * OH) * (IH * IW * C);
        global float *sum = y + window * C;
        const float share = 1.0f / divisor(oy, ox);
        for (int c = 0; c < C; ++c)
            sum[c] = 0.0f;
        for (int iy = max(0, oy * SH - PT); iy < min(IH, oy * SH - PT + KH); ++iy)
            for (int ix = max(0, ox * SW - PL); ix < min(IW, ox * SW - PL + KW); ++ix)
                for (int c = 0; c < C; ++c)
                    sum[c] += plane[(iy * IW + ix) * C + c];
        for (int c = 0; c < C; ++c)
            sum[c] *= share;
    }
}

/* dx (n, IH, IW, C): each value's share of dy (n, OH, OW, C). */
kernel void avgpool_backward(global float *restrict dx, const global float *restrict dy, int n)
{
    FOR_EACH (pixel, (size_t)n * IH * IW) {
        const int ix = pixel % IW, iy = pixel / IW % IH;
        const size_t sample = pixel / (IW * IH);
        for (int c = 0; c < C; ++c)
            dx[pixel * C + c] = 0.0f;
        for (int ky = 0; ky < KH; ++ky) {
            const int oy = reader(iy, ky, SH, 1, PT, OH);
            if (oy < 0)
                continue;
            for (int kx = 0; kx < KW; ++kx) {
                const int ox = reader(ix, kx, SW, 1, PL, OW);
                if (ox < 0)
                    continue;
                const float share = 1.0f / divisor(oy, ox);
                const global float *gradient = dy + ((sample * OH + oy) * OW + ox) * C;
                for (int c = 0; c < C; ++c)
                    dx[pixel * C + c] += gradient[c] * share;
            }
        }
    }
}

/* Stretch `at` of `count` along an axis of `size`: from begin to end - 1; stretches may overlap. */
static int stretch_begin(int at, int count, int size)
{
    return (int)((long)at * size / count);
}

static int stretch_end(int at, int count, int size)
{
    return (int)(((long)(at + 1) * size + count - 1) / count);
}

/* y (n, OH, OW, C) from x (n, IH, IW, C). */
kernel void adaptive_forward(global float *restrict y, const global float *restrict x, int n)
{
    FOR_EACH (window, (size_t)n * OH * OW) {
        const int ox = window % OW, oy = window / OW % OH;
        const int top = stretch_begin(oy, OH, IH), bottom = stretch_end(oy, OH, IH);
        const int left = stretch_begin(ox, OW, IW), right = stretch_end(ox, OW, IW);
        const global float *plane = x + window / (OW * OH) * (IH * IW * C);
        global float *sum = y + window * C;
        const float share = 1.0f / ((bottom - top) * (right - left));
        for (int c = 0; c < C; ++c)
            sum[c] = 0.0f;
        for (int iy = top; iy < bottom; ++iy)
            for (int ix = left; ix < right; ++ix)
                for (int c = 0; c < C; ++c)
                    sum[c] += plane[(iy * IW + ix) * C + c];
        for (int c = 0; c < C; ++c)
            sum[c] *= share;
    }
}

/* dx (n, IH, IW, C): of dy (n, OH, OW, C) over the stretches that a value is in. */
kernel void adaptive_backward(global float *restrict dx, const global float *restrict dy, int n)
{
    FOR_EACH (pixel, (size_t)n * IH * IW) {
        const int ix = pixel % IW, iy = pixel / IW % IH;
        const size_t sample = pixel / (IW * IH);
        for (int c = 0; c < C; ++c)
            dx[pixel * C + c] = 0.0f;
        /* The first stretch that may hold it, and those behind while they begin before it. */
        for (int oy = (int)((long)iy * OH / IH); oy < OH && stretch_begin(oy, OH, IH) <= iy; ++oy) {
            const int rows = stretch_end(oy, OH, IH) - stretch_begin(oy, OH, IH);
            if (stretch_end(oy, OH, IH) <= iy)
                continue;
            for (int ox = (int)((long)ix * OW / IW); ox < OW && stretch_begin(ox, OW, IW) <= ix;
                 ++ox) {
                const int columns = stretch_end(ox, OW, IW) - stretch_begin(ox, OW, IW);
                if (stretch_end(ox, OW, IW) <= ix)
                    continue;
                const float share = 1.0f / (rows * columns);
                const global float *gradient = dy + ((sample * OH + oy) * OW + ox) * C;
                for (int c = 0; c < C; ++c)
                    dx[pixel * C + c] += gradient[c] * share;
            }
        }
    }
}
