/* Convolution, stride 1, zero padding:
 *   y[n][oy][ox][o] = b[o] + sum over ky, kx, c of x[n][oy + ky - PAD][ox + kx - PAD][c] *
 *     w[o][c][ky][kx] and its gradients. The gradient of the input is the same sum with the
 *     roles of the channels swapped and the taps reversed, so conv_direct serves both
 *     (TRANSPOSED says which).
 *
 * Layout: activations (N, H, W, C); weights w (O, I, K, K) as they are saved. conv_pack lays
 * them as packed (BLOCKS, K * K, IC, OCB), output channels innermost and filled up with zeros,
 * with a row of zeros (IC) behind, which stands for pixels outside the plane.
 *
 * Must be given, as conv_direct sees them:
 *   IC, IH, IW      channels and plane of its input
 *   OC, OH, OW      channels and plane of its output
 *   K, PAD          kernel size, padding before the first row and column With defaults:
 *   TRANSPOSED 0    1: the weights are (IC, OC, K, K), taps reversed (gradient of the input)
 *   OCB 16          output channels of a register block: 8 or 16
 *   PX 4            pixels of a register block: 1 to 6
 *   ICB 4           input channels of a register block of the weights' gradient: 1 to 6
 *   ROWS 8          rows of a plane that the weights' gradient takes at a time */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(OH) || \
    !defined(OW) || !defined(K) || !defined(PAD)
#error "IC, IH, IW, OC, OH, OW, K and PAD must be given"
#endif
#ifndef TRANSPOSED
#define TRANSPOSED 0
#endif
#ifndef OCB
#define OCB 16
#endif
#ifndef PX
#define PX 4
#endif
#ifndef ICB
#define ICB 4
#endif
#ifndef ROWS
#define ROWS 8
#endif

#include "channels.cl"
#include "loop.cl"

#define BLOCKS ((OC + OCB - 1) / OCB)
#define TAPS (K * K)
#define PACKED (BLOCKS * TAPS * IC * OCB)
#define VECTORS (OCB / 8)

/* packed (BLOCKS, TAPS, IC, OCB) and a row of zeros (IC), from w at w_offset. */
kernel void conv_pack(global float *packed, const global float *w, int w_offset)
{
    FOR_EACH (i, PACKED + IC) {
        const int lane = i % OCB, c = i / OCB % IC, tap = i / (OCB * IC) % TAPS;
        const int o = (int)(i / (OCB * IC * TAPS)) * OCB + lane;
        float value = 0.0f;
        if (i < PACKED && o < OC)
            value = TRANSPOSED ? w[w_offset + (c * OC + o) * TAPS + TAPS - 1 - tap]
                               : w[w_offset + (o * IC + c) * TAPS + tap];
        packed[i] = value;
    }
}

/* y (n, OH, OW, OC) from x (n, IH, IW, IC); bias (OC) at bias_offset, none where that is
 * negative. A work-item computes one row of one block of output channels. */
kernel void conv_direct(global float *y, const global float *x, const global float *packed,
                        const global float *bias, int bias_offset, int n)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)n * BLOCKS * OH)
        return;
    const int oy = item % OH, block = item / OH % BLOCKS;
    const size_t sample = item / (OH * BLOCKS);
    const global float *plane = x + sample * (IH * IW * IC);
    const global float *zeros = packed + PACKED;
    global float *row = y + (sample * OH + oy) * (OW * OC);

    float8 start[VECTORS];
    for (int v = 0; v < VECTORS; ++v)
        start[v] = bias_offset < 0
                       ? (float8)0.0f
                       : load_channels(bias + bias_offset, block * OCB + v * 8, OC);

    for (int ox = 0; ox < OW; ox += PX) {
        float8 sum[PX][VECTORS];
#pragma unroll
        for (int p = 0; p < PX; ++p)
#pragma unroll
            for (int v = 0; v < VECTORS; ++v)
                sum[p][v] = start[v];

        const global float *weight = packed + block * (TAPS * IC * OCB);
        for (int ky = 0; ky < K; ++ky) {
            const int iy = oy + ky - PAD;
            if (iy < 0 || iy >= IH) {
                weight += K * IC * OCB;
                continue;
            }
            for (int kx = 0; kx < K; ++kx) {
                const global float *pixel[PX];
#pragma unroll
                for (int p = 0; p < PX; ++p) {
                    const int ix = ox + p + kx - PAD;
                    pixel[p] = ix >= 0 && ix < IW ? plane + (iy * IW + ix) * IC : zeros;
                }
                for (int c = 0; c < IC; ++c, weight += OCB) {
                    float8 w[VECTORS];
#pragma unroll
                    for (int v = 0; v < VECTORS; ++v)
                        w[v] = vload8(v, weight);
#pragma unroll
                    for (int p = 0; p < PX; ++p)
#pragma unroll
                        for (int v = 0; v < VECTORS; ++v)
                            sum[p][v] = fma((float8)pixel[p][c], w[v], sum[p][v]);
                }
            }
        }

#pragma unroll
        for (int p = 0; p < PX; ++p)
            if (ox + p < OW)
#pragma unroll
                for (int v = 0; v < VECTORS; ++v)
                    store_channels(sum[p][v], row + (ox + p) * OC, block * OCB + v * 8, OC);
    }
}

#define IC_BLOCKS ((IC + ICB - 1) / ICB)
#define PARTIAL_ROWS (TAPS * IC + 1)
#define PARTIAL (PARTIAL_ROWS * BLOCKS * OCB)

/* The sum over rows oy0 to oy1 - 1 of one sample for one tap and one block of channels, added to
 * partial (TAPS, IC, BLOCKS * OCB) unless it is the first. */
static void add_tap(global float *partial, const global float *x, const global float *dy, int tap,
                    int oy0, int oy1, int c0, int o0, int first)
{
    const int ky = tap / K, kx = tap % K;
    const int ox0 = max(0, PAD - kx), ox1 = min(OW, IW + PAD - kx);
    int channel[ICB];
#pragma unroll
    for (int j = 0; j < ICB; ++j)
        channel[j] = IC % ICB == 0 ? j : min(j, IC - 1 - c0);

    float8 sum[ICB][VECTORS];
#pragma unroll
    for (int j = 0; j < ICB; ++j)
#pragma unroll
        for (int v = 0; v < VECTORS; ++v)
            sum[j][v] = (float8)0.0f;

    for (int oy = max(oy0, PAD - ky); oy < min(oy1, IH + PAD - ky); ++oy) {
        const global float *pixel = x + ((oy + ky - PAD) * IW + ox0 + kx - PAD) * IC + c0;
        const global float *gradient = dy + (oy * OW + ox0) * OC;
        for (int ox = ox0; ox < ox1; ++ox, pixel += IC, gradient += OC) {
            float8 g[VECTORS];
#pragma unroll
            for (int v = 0; v < VECTORS; ++v)
                g[v] = load_channels(gradient, o0 + v * 8, OC);
#pragma unroll
            for (int j = 0; j < ICB; ++j)
#pragma unroll
                for (int v = 0; v < VECTORS; ++v)
                    sum[j][v] = fma((float8)pixel[channel[j]], g[v], sum[j][v]);
        }
    }

#pragma unroll
    for (int j = 0; j < ICB; ++j)
        if (IC % ICB == 0 || c0 + j < IC) {
            global float *target = partial + (tap * IC + c0 + j) * (BLOCKS * OCB) + o0;
#pragma unroll
            for (int v = 0; v < VECTORS; ++v)
                vstore8(first ? sum[j][v] : vload8(v, target) + sum[j][v], v, target);
        }
}

/* The bias' row of partial. */
static void add_bias(global float *partial, const global float *dy, int oy0, int oy1, int o0,
                     int first)
{
    float8 sum[VECTORS];
    for (int v = 0; v < VECTORS; ++v)
        sum[v] = (float8)0.0f;
    for (int i = oy0 * OW; i < oy1 * OW; ++i)
        for (int v = 0; v < VECTORS; ++v)
            sum[v] += load_channels(dy + i * OC, o0 + v * 8, OC);
    global float *target = partial + TAPS * IC * (BLOCKS * OCB) + o0;
    for (int v = 0; v < VECTORS; ++v)
        vstore8(first ? sum[v] : vload8(v, target) + sum[v], v, target);
}

/* The gradients of weights and bias over one of `parts` stretches of the samples: partials (parts,
 * TAPS * IC + 1, BLOCKS * OCB), the bias' row last. x (n, IH, IW, IC), dy (n, OH, OW, OC). A
 * work-item computes one block of input and output channels of one part. */
kernel void conv_weights(global float *partials, const global float *x, const global float *dy,
                         int n, int parts)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)parts * BLOCKS * IC_BLOCKS)
        return;
    const int c0 = item % IC_BLOCKS * ICB, o0 = item / IC_BLOCKS % BLOCKS * OCB;
    const int part = item / (IC_BLOCKS * BLOCKS);
    global float *partial = partials + part * (size_t)PARTIAL;
    const int begin = (int)((long)n * part / parts), end = (int)((long)n * (part + 1) / parts);

    for (int sample = begin; sample < end; ++sample) {
        const global float *plane = x + sample * (size_t)(IH * IW * IC);
        const global float *gradient = dy + sample * (size_t)(OH * OW * OC);
        for (int oy = 0; oy < OH; oy += ROWS) {
            const int oy_end = min(OH, oy + ROWS), first = sample == begin && oy == 0;
            for (int tap = 0; tap < TAPS; ++tap)
                add_tap(partial, plane, gradient, tap, oy, oy_end, c0, o0, first);
            if (c0 == 0)
                add_bias(partial, gradient, oy, oy_end, o0, first);
        }
    }
}

/* dw (OC, IC, K, K) and db (OC) at their offsets, from partials of the parts that are not empty, in
 * their order. */
kernel void conv_reduce(global float *gradients, int w_offset, int b_offset,
                        const global float *partials, int n, int parts)
{
    FOR_EACH (i, PARTIAL_ROWS * OC) {
        const int o = i % OC, row = i / OC;
        float sum = 0.0f;
        for (int part = 0; part < parts; ++part)
            if ((long)n * part / parts < (long)n * (part + 1) / parts)
                sum += partials[part * (size_t)PARTIAL + row * (BLOCKS * OCB) + o];
        const int tap = row / IC, c = row % IC;
        gradients[row == TAPS * IC ? b_offset + o : w_offset + (o * IC + c) * TAPS + tap] = sum;
    }
}
