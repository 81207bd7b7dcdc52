/* Depthwise convolution, a kernel of its own for each channel:
 *   y[n][oy][ox][c] = b[c] + sum over ky, kx of w[c][ky][kx] * x[n][oy SH + ky DH - PT]
 *     [ox SW + kx DW - PL][c]
 * and its gradients. Eight channels go together, and their taps stay in registers along a row.
 *
 * Layout: activations (N, H, W, C); weights (C, 1, KH, KW) as they are saved. depthwise_pack lays
 * them as packed (TAPS, C).
 * Must be given: C; IH, IW, OH, OW; KH, KW, SH, SW, DH, DW; PT, PL. */
#if !defined(C) || !defined(IH) || !defined(IW) || !defined(OH) || !defined(OW) ||                 \
    !defined(KH) || !defined(KW) || !defined(SH) || !defined(SW) || !defined(DH) ||                \
    !defined(DW) || !defined(PT) || !defined(PL)
#error "C, IH, IW, OH, OW, KH, KW, SH, SW, DH, DW, PT and PL must be given"
#endif

#include "channels.cl"
#include "loop.cl"

#define TAPS (KH * KW)
#define VECTORS ((C + 7) / 8)

/* packed (TAPS, C) from w (C, TAPS) at w_offset. */
kernel void depthwise_pack(global float *packed, const global float *w, int w_offset)
{
    FOR_EACH (i, TAPS * C)
        packed[i] = w[w_offset + i % C * TAPS + i / C];
}

/* y (n, OH, OW, C) from x (n, IH, IW, C); bias (C) at bias_offset, none where that is negative. A
 * work-item computes eight channels of one row. */
kernel void depthwise_forward(global float *y, const global float *x, const global float *packed,
                              const global float *bias, int bias_offset, int n)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)n * OH * VECTORS)
        return;
    const int at = item % VECTORS * 8, oy = item / VECTORS % OH;
    const size_t sample = item / ((size_t)VECTORS * OH);
    const global float *plane = x + sample * (IH * IW * C);
    global float *row = y + (sample * OH + oy) * (OW * C);
    const float8 start =
        bias_offset < 0 ? (float8)0.0f : load_channels(bias + bias_offset, at, C);
    float8 w[TAPS];
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        w[tap] = load_channels(packed + tap * C, at, C);
    for (int ox = 0; ox < OW; ++ox) {
        float8 sum = start;
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap) {
            const int iy = oy * SH + tap / KW * DH - PT, ix = ox * SW + tap % KW * DW - PL;
            if (iy >= 0 && iy < IH && ix >= 0 && ix < IW)
                sum = fma(load_channels(plane + (iy * IW + ix) * C, at, C), w[tap], sum);
        }
        store_channels(sum, row + ox * C, at, C);
    }
}

/* dx (n, IH, IW, C) from dy (n, OH, OW, C): likewise, a row of the input. */
kernel void depthwise_input(global float *dx, const global float *dy, const global float *packed,
                            int n)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)n * IH * VECTORS)
        return;
    const int at = item % VECTORS * 8, iy = item / VECTORS % IH;
    const size_t sample = item / ((size_t)VECTORS * IH);
    const global float *plane = dy + sample * (OH * OW * C);
    global float *row = dx + (sample * IH + iy) * (IW * C);
    float8 w[TAPS];
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        w[tap] = load_channels(packed + tap * C, at, C);
    for (int ix = 0; ix < IW; ++ix) {
        float8 sum = (float8)0.0f;
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap) {
            const int y = iy + PT - tap / KW * DH, x = ix + PL - tap % KW * DW;
            if (y >= 0 && x >= 0 && y % SH == 0 && x % SW == 0 && y / SH < OH && x / SW < OW)
                sum = fma(load_channels(plane + (y / SH * OW + x / SW) * C, at, C), w[tap], sum);
        }
        store_channels(sum, row + ix * C, at, C);
    }
}

/* partials (parts, TAPS + 1, C): the gradients of weights and bias, which is the last row, over one
 * of `parts` stretches of the samples' rows. A work-item computes eight channels of one part. */
kernel void depthwise_weights(global float *partials, const global float *x,
                              const global float *dy, int n, int parts)
{
    const size_t item = get_global_id(0), rows = (size_t)n * OH;
    if (item >= (size_t)parts * VECTORS)
        return;
    const int at = item % VECTORS * 8, part = item / VECTORS;
    float8 sum[TAPS], bias = (float8)0.0f;
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        sum[tap] = (float8)0.0f;
    for (size_t i = rows * part / parts; i < rows * (part + 1) / parts; ++i) {
        const int oy = i % OH;
        const global float *plane = x + i / OH * (IH * IW * C), *row = dy + i * (OW * C);
        for (int ox = 0; ox < OW; ++ox) {
            const float8 g = load_channels(row + ox * C, at, C);
            bias += g;
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap) {
                const int iy = oy * SH + tap / KW * DH - PT, ix = ox * SW + tap % KW * DW - PL;
                if (iy >= 0 && iy < IH && ix >= 0 && ix < IW)
                    sum[tap] = fma(load_channels(plane + (iy * IW + ix) * C, at, C), g, sum[tap]);
            }
        }
    }
    global float *partial = partials + part * (size_t)((TAPS + 1) * C);
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        store_channels(sum[tap], partial + tap * C, at, C);
    store_channels(bias, partial + TAPS * C, at, C);
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
            sum += partials[part * (size_t)((TAPS + 1) * C) + i];
        if (tap < TAPS)
            gradients[w_offset + c * TAPS + tap] = sum;
        else if (b_offset >= 0)
            gradients[b_offset + c] = sum;
    }
}
