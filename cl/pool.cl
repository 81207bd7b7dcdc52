/* Pools: the largest value of a window (the first in row-major order on a tie, a NaN before any
 * number), its mean, and the mean of as many stretches as the output has (torch.nn.MaxPool2d,
 * AvgPool2d, AdaptiveAvgPool2d).
 * Layout: (N, H, W, C); input (ih, iw), output (oh, ow). With defaults, those of a window:
 * KH, KW, SH, SW 1; DH, DW 1, dilation; PT, PL, PB, PR 0, the padding above, to the left, below and
 * to the right, in which no value stands; COUNT_PADDING 0, 1: a mean counts it. */
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

#include "channels.cl"
#include "exact.cl"
#include "loop.cl"

/* What every kernel is told: the input (n, ih, iw, channels) and the output (n, oh, ow, channels). */
#define SIZES int channels, int ih, int iw, int oh, int ow

#define TAPS (KH * KW)
#if TAPS < 256
typedef uchar tap_t;
#else
typedef uint tap_t;
#endif

/* The first tap of a window that is inside the plane, along one axis; begin is negative in the padding. */
static int first_tap(int begin, int dilation)
{
    return begin < 0 ? (-begin + dilation - 1) / dilation : 0;
}

/* Channels c to c + 15 of the row (channels) at values[place], of `count` in all: behind its last channel
 * there is anything, the next row for one. */
static float16 load_any(const global float *values, size_t place, size_t count, int c, int channels)
{
    return place + c + 16 <= count ? vload16(0, values + place + c)
                                   : load_wide(values + place, c, channels);
}

static void store_taps(int16 taps, global tap_t *row, int c, int channels)
{
    int values[16];
    vstore16(taps, 0, values);
    for (int i = 0; i < min(16, channels - c); ++i)
        row[c + i] = values[i];
}

/* y and which (n, oh, ow, channels), the tap of the largest; x (n, ih, iw, channels). The first tap
 * inside the plane begins: it stays where no value is above minus infinity. */
kernel void maxpool_forward(global float *restrict y, global tap_t *restrict which,
                            const global float *restrict x, SIZES, int n)
{
    const size_t count = (size_t)n * ih * iw * channels;
    FOR_EACH_PIXEL (sample, oy, ox, n, oh, ow) {
        const size_t window = (((size_t)sample * oh + oy) * ow + ox) * channels;
        const int top = oy * SH - PT, left = ox * SW - PL;
        const int first_y = first_tap(top, DH), first_x = first_tap(left, DW);
        const size_t plane = (size_t)sample * ih * iw;
        for (int c = 0; c < channels; c += 16) {
            float16 b = (float16)(-INFINITY);
            int16 best = (int16)(first_y * KW + first_x);
            for (int ky = first_y; ky < KH && top + ky * DH < ih; ++ky)
                for (int kx = first_x; kx < KW && left + kx * DW < iw; ++kx) {
                    const size_t pixel = plane + (top + ky * DH) * iw + left + kx * DW;
                    const float16 a = load_any(x, pixel * channels, count, c, channels);
                    const int16 wins = a > b || a != a;
                    b = select(b, a, wins);
                    best = select(best, (int16)(ky * KW + kx), wins);
                }
            store_wide(b, y + window, c, channels);
            store_taps(best, which + window, c, channels);
        }
    }
}

/* The output row that reads input row iy through tap ky; -1 where there is none. A column likewise. */
static int reader(int at, int tap, int stride, int dilation, int padding, int count)
{
    const int from = at + padding - tap * dilation;
    return from < 0 || from % stride != 0 || from / stride >= count ? -1 : from / stride;
}

/* dx (n, ih, iw, channels): the sum of dy (n, oh, ow, channels) over the windows whose largest a
 * value was. */
kernel void maxpool_backward(global float *restrict dx, const global float *restrict dy,
                             const global tap_t *restrict which, SIZES, int n)
{
    FOR_EACH_PIXEL (sample, iy, ix, n, ih, iw) {
        const size_t pixel = (((size_t)sample * ih + iy) * iw + ix) * channels;
        for (int c = 0; c < channels; ++c)
            dx[pixel + c] = 0.0f;
        for (int ky = 0; ky < KH; ++ky) {
            const int oy = reader(iy, ky, SH, DH, PT, oh);
            if (oy < 0)
                continue;
            for (int kx = 0; kx < KW; ++kx) {
                const int ox = reader(ix, kx, SW, DW, PL, ow);
                if (ox < 0)
                    continue;
                const size_t window = (((size_t)sample * oh + oy) * ow + ox) * channels;
                for (int c = 0; c < channels; ++c)
                    dx[pixel + c] +=
                        which[window + c] == ky * KW + kx ? dy[window + c] : 0.0f;
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

static float divisor(int oy, int ox, int ih, int iw)
{
    return (float)places(oy * SH - PT, KH, ih, PB) * (float)places(ox * SW - PL, KW, iw, PR);
}

/* The pixels of a window that are added up one after the other. */
#define STRETCH 64

/* total + part; *lost is what rounding has added too much, taken from the next part (W. Kahan, "Further
 * remarks on reducing truncation errors", Comm. ACM 8, 1965). A total that is not finite stays so. */
static float16 add_part(float16 total, float16 part, float16 *lost)
{
    const float16 rest = part - *lost, sum = total + rest, error = (sum - total) - rest;
    *lost = error - error == (float16)0.0f ? error : (float16)0.0f;
    return sum;
}

/* The sums of channels c to c + 15 over rows top to bottom - 1 and columns left to right - 1 of the
 * plane whose first pixel is `first`; x has `count` values. The mean of a plane of a million pixels is
 * as good as that of a few. */
static float16 window_sum(const global float *x, size_t count, size_t first, int top, int bottom,
                          int left, int right, int iw, int c, int channels)
{
    float16 total = (float16)0.0f, part = total, lost = total;
    int added = 0;
    for (int iy = top; iy < bottom; ++iy)
        for (int ix = left; ix < right; ++ix) {
            part += load_any(x, (first + (size_t)iy * iw + ix) * channels, count, c, channels);
            if (++added == STRETCH) {
                total = add_part(total, part, &lost);
                part = (float16)0.0f;
                added = 0;
            }
        }
    return add_part(total, part, &lost);
}

/* y (n, oh, ow, channels) from x (n, ih, iw, channels). */
kernel void avgpool_forward(global float *restrict y, const global float *restrict x, SIZES, int n)
{
    const size_t count = (size_t)n * ih * iw * channels;
    FOR_EACH_PIXEL (sample, oy, ox, n, oh, ow) {
        const size_t window = (((size_t)sample * oh + oy) * ow + ox) * channels;
        const size_t first = (size_t)sample * ih * iw;
        const int top = max(0, oy * SH - PT), bottom = min(ih, oy * SH - PT + KH);
        const int left = max(0, ox * SW - PL), right = min(iw, ox * SW - PL + KW);
        const float share = quotient(1.0f, divisor(oy, ox, ih, iw));
        for (int c = 0; c < channels; c += 16)
            store_wide(window_sum(x, count, first, top, bottom, left, right, iw, c, channels) *
                           share, y + window, c, channels);
    }
}

/* dx (n, ih, iw, channels): each value's share of dy (n, oh, ow, channels). */
kernel void avgpool_backward(global float *restrict dx, const global float *restrict dy, SIZES, int n)
{
    FOR_EACH_PIXEL (sample, iy, ix, n, ih, iw) {
        const size_t pixel = (((size_t)sample * ih + iy) * iw + ix) * channels;
        for (int c = 0; c < channels; ++c)
            dx[pixel + c] = 0.0f;
        for (int ky = 0; ky < KH; ++ky) {
            const int oy = reader(iy, ky, SH, 1, PT, oh);
            if (oy < 0)
                continue;
            for (int kx = 0; kx < KW; ++kx) {
                const int ox = reader(ix, kx, SW, 1, PL, ow);
                if (ox < 0)
                    continue;
                const float share = quotient(1.0f, divisor(oy, ox, ih, iw));
                const global float *gradient = dy + (((size_t)sample * oh + oy) * ow + ox) * channels;
                for (int c = 0; c < channels; ++c)
                    dx[pixel + c] += gradient[c] * share;
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

/* y (n, oh, ow, channels) from x (n, ih, iw, channels). */
kernel void adaptive_forward(global float *restrict y, const global float *restrict x, SIZES, int n)
{
    const size_t count = (size_t)n * ih * iw * channels;
    FOR_EACH_PIXEL (sample, oy, ox, n, oh, ow) {
        const int top = stretch_begin(oy, oh, ih), bottom = stretch_end(oy, oh, ih);
        const int left = stretch_begin(ox, ow, iw), right = stretch_end(ox, ow, iw);
        const size_t window = (((size_t)sample * oh + oy) * ow + ox) * channels;
        const size_t first = (size_t)sample * ih * iw;
        const float share = quotient(1.0f, (float)((bottom - top) * (right - left)));
        for (int c = 0; c < channels; c += 16)
            store_wide(window_sum(x, count, first, top, bottom, left, right, iw, c, channels) *
                           share, y + window, c, channels);
    }
}

/* dx (n, ih, iw, channels): of dy (n, oh, ow, channels) over the stretches that a value is in. */
kernel void adaptive_backward(global float *restrict dx, const global float *restrict dy, SIZES, int n)
{
    FOR_EACH_PIXEL (sample, iy, ix, n, ih, iw) {
        const size_t pixel = (((size_t)sample * ih + iy) * iw + ix) * channels;
        for (int c = 0; c < channels; ++c)
            dx[pixel + c] = 0.0f;
        /* The first stretch that may hold it, and those behind while they begin before it. */
        for (int oy = (int)((long)iy * oh / ih); oy < oh && stretch_begin(oy, oh, ih) <= iy; ++oy) {
            const int rows = stretch_end(oy, oh, ih) - stretch_begin(oy, oh, ih);
            if (stretch_end(oy, oh, ih) <= iy)
                continue;
            for (int ox = (int)((long)ix * ow / iw); ox < ow && stretch_begin(ox, ow, iw) <= ix;
                 ++ox) {
                const int columns = stretch_end(ox, ow, iw) - stretch_begin(ox, ow, iw);
                if (stretch_end(ox, ow, iw) <= ix)
                    continue;
                const float share = quotient(1.0f, (float)(rows * columns));
                const global float *gradient = dy + (((size_t)sample * oh + oy) * ow + ox) * channels;
                for (int c = 0; c < channels; ++c)
                    dx[pixel + c] += gradient[c] * share;
            }
        }
    }
}
