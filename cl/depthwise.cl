/* Depthwise convolution, a kernel of its own for each channel:
 *   y[n][oy][ox][c] = b[c] + sum over ky, kx of w[c][ky][kx] * x[n][oy SH + ky DH - PT]
 *     [ox SW + kx DW - PL][c]
 * and its gradients. A vector of channels goes together, and its taps stay in registers along a row.
 *
 * Layout: activations (N, H, W, C); weights (C, 1, KH, KW) as they are saved. depthwise_pack lays
 * them as packed (TAPS, C).
 * Must be given: C; IH, IW, OH, OW; KH, KW, SH, SW, DH, DW; PT, PL.
 * What stands behind it in the same step: epilogue.cl. */
#if !defined(C) || !defined(IH) || !defined(IW) || !defined(OH) || !defined(OW) ||                 \
    !defined(KH) || !defined(KW) || !defined(SH) || !defined(SW) || !defined(DH) ||                \
    !defined(DW) || !defined(PT) || !defined(PL)
#error "C, IH, IW, OH, OW, KH, KW, SH, SW, DH, DW, PT and PL must be given"
#endif

#include "channels.cl"
#include "epilogue.cl"
#include "exact.cl"
#include "loop.cl"

#define TAPS (KH * KW)
#if CNN_CPU
#define LANES 16
typedef float16 vector;
#define LOAD(row, c) load_wide((row), (c), C)
#define STORE(value, row, c) store_wide((value), (row), (c), C)
#define FINISH finish_wide
#else
#define LANES 8
typedef float8 vector;
#define LOAD(row, c) load_channels((row), (c), C)
#define STORE(value, row, c) store_channels((value), (row), (c), C)
#define FINISH finish_channels
#endif
#define VECTORS ((C + LANES - 1) / LANES)

/* packed (TAPS, C) from w (C, TAPS) at w_offset. */
kernel void depthwise_pack(global float *packed, const global float *w, int w_offset)
{
    FOR_EACH (i, TAPS * C)
        packed[i] = w[w_offset + i % C * TAPS + i / C];
}

static void load_taps(vector *w, const global float *packed, int at)
{
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        w[tap] = LOAD(packed + tap * C, at);
}

/* Do all taps of the pixels from column `left` on stand inside? */
static int is_whole(int left)
{
    return left >= 0 && left + (KW - 1) * DW < IW;
}

/* sum and the products of the taps from row `top`, column `left` of a plane on. `whole` is a
 * constant: no column needs a look. */
static vector add_taps(vector sum, const global float *plane, const vector *w, int top, int left,
                       int at, int whole)
{
#pragma unroll
    for (int ky = 0; ky < KH; ++ky) {
        const int iy = top + ky * DH;
        if (iy < 0 || iy >= IH)
            continue;
#pragma unroll
        for (int kx = 0; kx < KW; ++kx) {
            const int ix = left + kx * DW;
            if (whole || (ix >= 0 && ix < IW))
                sum = fma(LOAD(plane + (iy * IW + ix) * C, at), w[ky * KW + kx], sum);
        }
    }
    return sum;
}

/* y (n, OH, OW, C) from x (n, IH, IW, C) and what the epilogue adds, z (as y); bias (C) at
 * bias_offset, none where that is negative. A work-item computes a vector of channels of one row.
 */
kernel void depthwise_forward(global float *y, const global float *x, const global float *z,
                              const global float *packed, const global float *bias,
                              int bias_offset, int n)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)n * OH * VECTORS)
        return;
    const int at = item % VECTORS * LANES, oy = item / VECTORS % OH, top = oy * SH - PT;
    const size_t sample = item / ((size_t)VECTORS * OH);
    const global float *plane = x + sample * (IH * IW * C);
    const size_t row = (sample * OH + oy) * (OW * C);
    const vector start = bias_offset < 0 ? (vector)0.0f : LOAD(bias + bias_offset, at);
    vector w[TAPS];
    load_taps(w, packed, at);
    for (int ox = 0; ox < OW; ++ox) {
        const int left = ox * SW - PL;
        const size_t pixel = row + ox * C;
        const vector sum = is_whole(left) ? add_taps(start, plane, w, top, left, at, 1)
                                          : add_taps(start, plane, w, top, left, at, 0);
        STORE(FINISH(sum, z + pixel, at, C), y + pixel, at);
    }
}

/* The gradient of pixel (iy, phase + i * SW) from a plane of dy, of which the taps that read it at
 * this phase have every SW-th column. `phase` and `whole` are constants. */
static vector add_readers(const global float *plane, const vector *w, int iy, int i, int at,
                          int phase, int whole)
{
    vector sum = (vector)0.0f;
#pragma unroll
    for (int ky = 0; ky < KH; ++ky) {
        const int y = iy + PT - ky * DH;
        if (y < 0 || y % SH != 0 || y / SH >= OH)
            continue;
        const global float *row = plane + y / SH * (OW * C);
#pragma unroll
        for (int kx = 0; kx < KW; ++kx) {
            const int shift = phase + PL - kx * DW, x = i + shift / SW;
            if (shift % SW == 0 && (whole || (x >= 0 && x < OW)))
                sum = fma(LOAD(row + x * C, at), w[ky * KW + kx], sum);
        }
    }
    return sum;
}

/* dx (n, IH, IW, C) from dy (n, OH, OW, C): likewise, a row of the input. */
kernel void depthwise_input(global float *dx, const global float *dy, const global float *packed,
                            int n)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)n * IH * VECTORS)
        return;
    const int at = item % VECTORS * LANES, iy = item / VECTORS % IH;
    const size_t sample = item / ((size_t)VECTORS * IH);
    const global float *plane = dy + sample * (OH * OW * C);
    global float *row = dx + (sample * IH + iy) * (IW * C);
    vector w[TAPS];
    load_taps(w, packed, at);
#pragma unroll
    for (int phase = 0; phase < SW; ++phase)
        for (int ix = phase, i = 0; ix < IW; ix += SW, ++i) {
            const int whole = ix + PL >= (KW - 1) * DW && ix + PL < OW * SW;
            const vector sum = whole ? add_readers(plane, w, iy, i, at, phase, 1)
                                     : add_readers(plane, w, iy, i, at, phase, 0);
            STORE(sum, row + ix * C, at);
        }
}

/* The rows whose pixels stay in the cache. */
#define ROWS 4

/* sum[TAPS] += the products of one pixel's gradient and what its taps read. */
static void add_gradient(vector *sum, const global float *plane, vector g, int top, int left,
                         int at, int whole)
{
#pragma unroll
    for (int ky = 0; ky < KH; ++ky) {
        const int iy = top + ky * DH;
        if (iy < 0 || iy >= IH)
            continue;
#pragma unroll
        for (int kx = 0; kx < KW; ++kx) {
            const int ix = left + kx * DW;
            if (whole || (ix >= 0 && ix < IW))
                sum[ky * KW + kx] =
                    fma(LOAD(plane + (iy * IW + ix) * C, at), g, sum[ky * KW + kx]);
        }
    }
}

/* Rows `begin` to `end` - 1 of dy (rows, OW, C) added to a vector of partial (TAPS + 1, C), unless
 * they are the first. */
static void add_rows(global float *partial, const global float *x, const global float *dy,
                     size_t begin, size_t end, int at, int first)
{
    vector sum[TAPS], bias = first ? (vector)0.0f : LOAD(partial + TAPS * C, at);
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        sum[tap] = first ? (vector)0.0f : LOAD(partial + tap * C, at);
    for (size_t i = begin; i < end; ++i) {
        const int top = (int)(i % OH) * SH - PT;
        const global float *plane = x + i / OH * (IH * IW * C), *row = dy + i * (OW * C);
        for (int ox = 0; ox < OW; ++ox) {
            const int left = ox * SW - PL;
            const vector g = LOAD(row + ox * C, at);
            bias += g;
            if (is_whole(left))
                add_gradient(sum, plane, g, top, left, at, 1);
            else
                add_gradient(sum, plane, g, top, left, at, 0);
        }
    }
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        STORE(sum[tap], partial + tap * C, at);
    STORE(bias, partial + TAPS * C, at);
}

/* partials (parts, TAPS + 1, C): the gradients of weights and bias, which is the last row, over one
 * of `parts` stretches of the samples' rows. A work-item computes one part, on a GPU a vector of
 * channels of it. */
kernel void depthwise_weights(global float *partials, const global float *x,
                              const global float *dy, int n, int parts)
{
    const size_t item = get_global_id(0), rows = (size_t)n * OH;
    const size_t part = CNN_CPU ? item : item / VECTORS;
    if (part >= (size_t)parts)
        return;
    const size_t begin = rows * part / parts, end = rows * (part + 1) / parts;
    const size_t stretch = CNN_CPU ? ROWS : max((size_t)1, end - begin);
    const int first_vector = CNN_CPU ? 0 : item % VECTORS;
    const int end_vector = CNN_CPU ? VECTORS : first_vector + 1;
    global float *partial = partials + part * (size_t)((TAPS + 1) * C);
    size_t i = begin;
    do { /* a part without rows is zero */
        const size_t next = min(end, i + stretch);
        for (int v = first_vector; v < end_vector; ++v)
            add_rows(partial, x, dy, i, next, v * LANES, i == begin);
        i = next;
    } while (i < end);
}

/* dw (C, TAPS) and db (C) at their offsets: the sums of all parts, in their order; no db where its
 * offset is negative. */
kernel void depthwise_reduce(global float *gradients, int w_offset, int b_offset,
                             const global float *partials, int parts)
{
    FOR_EACH (i, (TAPS + 1) * C) {
        const int c = i % C, tap = i / C;
        float sum = 0.0f;
        for (int part = 0; part < parts; ++part)
            sum = plus_in_order(sum, partials[part * (size_t)((TAPS + 1) * C) + i]);
        if (tap < TAPS)
            gradients[w_offset + c * TAPS + tap] = sum;
        else if (b_offset >= 0)
            gradients[b_offset + c] = sum;
    }
}
