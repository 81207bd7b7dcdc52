/* Convolution (torch.nn.Conv2d), any kernel, stride, dilation, zero padding and groups:
 *   y[n][oy][ox][o] = b[o] + sum over ky, kx, c of w[o][c][ky][kx] *
 *     x[n][oy SH + ky DH - PT][ox SW + kx DW - PL][first channel of o's group + c]
 * and its gradients. The gradient of the input is a sum of the same products with the roles of the
 * channels swapped: the output pixels that read the pixel through tap (ky, kx), where
 * iy + PT - ky DH is a multiple of SH. conv_direct serves both (TRANSPOSED says which).
 *
 * Layout: activations (N, H, W, C); weights w (O, I / GROUPS, KH, KW) as they are saved. conv_pack
 * lays them as packed (BLOCKS, TAPS, ICG, OCB): the outputs of a group in blocks, output channels
 * innermost and filled up with zeros, with a row of zeros (ICG) behind, which stands for pixels
 * outside the plane.
 *
 * Must be given, as conv_direct sees them:
 *   IC, IH, IW      channels and plane of its input
 *   OC, OH, OW      channels and plane of its output
 *   KH, KW, PT, PL  kernel size, padding before the first row and column
 * With defaults:
 *   SH, SW 1        stride of the layer
 *   DH, DW 1        dilation
 *   GROUPS 1        of the layer
 *   TRANSPOSED 0    1: the weights are (IC, OC / GROUPS, KH, KW) (gradient of the input)
 *   OCB 16          output channels of a register block: 8 or 16
 *   PX 4            pixels of a register block: 1 to 6
 *   ICB 4           input channels of a register block of the weights' gradient: 1 to 6
 *   ROWS 8          rows of a plane that the weights' gradient takes at a time
 * What stands behind it in the same step: epilogue.cl. */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(OH) ||                \
    !defined(OW) || !defined(KH) || !defined(KW) || !defined(PT) || !defined(PL)
#error "IC, IH, IW, OC, OH, OW, KH, KW, PT and PL must be given"
#endif
#ifndef SH
#define SH 1
#endif
#ifndef SW
#define SW 1
#endif
#ifndef DH
#define DH 1
#endif
#ifndef DW
#define DW 1
#endif
#ifndef GROUPS
#define GROUPS 1
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
#include "epilogue.cl"
#include "exact.cl"
#include "loop.cl"

#define ICG (IC / GROUPS)
#define OCG (OC / GROUPS)
#define GROUP_BLOCKS ((OCG + OCB - 1) / OCB)
#define BLOCKS (GROUPS * GROUP_BLOCKS)
#define TAPS (KH * KW)
#define PACKED (BLOCKS * TAPS * ICG * OCB)
#define VECTORS (OCB / 8)

/* Loads and stores of a block that ends with its group. */
#define LOAD_BLOCK(row, c) load_channels((row), (c), OCG)
#define STORE_BLOCK(value, row, c) store_channels((value), (row), (c), OCG)

/* packed (BLOCKS, TAPS, ICG, OCB) and a row of zeros (ICG), from w at w_offset. */
kernel void conv_pack(global float *packed, const global float *w, int w_offset)
{
    FOR_EACH (i, (size_t)PACKED + ICG) {
        const int lane = i % OCB, c = i / OCB % ICG, tap = i / (OCB * ICG) % TAPS;
        const int block = i / ((size_t)OCB * ICG * TAPS);
        const int group = block / GROUP_BLOCKS, o = block % GROUP_BLOCKS * OCB + lane;
        float value = 0.0f;
        if (i < PACKED && o < OCG)
            value = TRANSPOSED ? w[w_offset + ((group * ICG + c) * OCG + o) * TAPS + tap]
                               : w[w_offset + ((group * OCG + o) * ICG + c) * TAPS + tap];
        packed[i] = value;
    }
}

/* The row of the input that tap ky of output row oy reads; outside the plane where there is none.
 * A column likewise. */
static int source_row(int oy, int ky)
{
    if (!TRANSPOSED)
        return oy * SH + ky * DH - PT;
    const int at = oy + PT - ky * DH;
    return at < 0 || at % SH != 0 ? -1 : at / SH;
}

static int source_column(int ox, int kx)
{
    if (!TRANSPOSED)
        return ox * SW + kx * DW - PL;
    const int at = ox + PL - kx * DW;
    return at < 0 || at % SW != 0 ? -1 : at / SW;
}

/* Of the pixels of a register block: with strides the gradient of every SW-th pixel of the input has
 * the same taps. */
#define STEP (TRANSPOSED ? SW : 1)

/* The products of a row of taps where all of them, of all pixels of the block, are inside the plane;
 * first is what the first pixel's first tap reads. */
static void add_whole_row(float8 sum[PX][VECTORS], const global float *first,
                          const global float *weight)
{
    for (int kx = 0; kx < KW; ++kx, first += DW * IC)
        for (int c = 0; c < ICG; ++c, weight += OCB) {
            float8 w[VECTORS];
#pragma unroll
            for (int v = 0; v < VECTORS; ++v)
                w[v] = vload8(v, weight);
#pragma unroll
            for (int p = 0; p < PX; ++p)
#pragma unroll
                for (int v = 0; v < VECTORS; ++v)
                    sum[p][v] = fma((float8)first[p * (SW * IC) + c], w[v], sum[p][v]);
        }
}

/* The products of the block's pixels from ox on, STEP apart, with a block of weights. */
static void add_products(float8 sum[PX][VECTORS], const global float *plane,
                         const global float *weight, const global float *zeros, int oy, int ox)
{
    const int left = ox * SW - PL;
    const int is_whole =
        !TRANSPOSED && left >= 0 && left + (PX - 1) * SW + (KW - 1) * DW < IW;
    for (int ky = 0; ky < KH; ++ky) {
        const int iy = source_row(oy, ky);
        if (iy < 0 || iy >= IH) {
            weight += KW * ICG * OCB;
            continue;
        }
        if (is_whole) {
            add_whole_row(sum, plane + (iy * IW + left) * IC, weight);
            weight += KW * ICG * OCB;
            continue;
        }
        for (int kx = 0; kx < KW; ++kx) {
            const global float *pixel[PX];
            int used = 0;
#pragma unroll
            for (int p = 0; p < PX; ++p) {
                const int ix = source_column(ox + p * STEP, kx);
                const int inside = ix >= 0 && ix < IW;
                pixel[p] = inside ? plane + (iy * IW + ix) * IC : zeros;
                used |= inside;
            }
            if (TRANSPOSED && !used) {
                weight += ICG * OCB;
                continue;
            }
            for (int c = 0; c < ICG; ++c, weight += OCB) {
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
}

/* y (n, OH, OW, OC) from x (n, IH, IW, IC) and what the epilogue adds, z (as y); bias (OC) at
 * bias_offset, none where that is negative. A work-item computes one row of one block of output
 * channels. */
kernel void conv_direct(global float *y, const global float *x, const global float *z,
                        const global float *packed, const global float *bias, int bias_offset,
                        int n)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)n * BLOCKS * OH)
        return;
    const int oy = item % OH, block = item / OH % BLOCKS;
    const int group = block / GROUP_BLOCKS, o = block % GROUP_BLOCKS * OCB;
    const size_t sample = item / ((size_t)OH * BLOCKS);
    const global float *plane = x + sample * (IH * IW * IC) + group * ICG;
    const global float *weight = packed + (size_t)block * (TAPS * ICG * OCB);
    const size_t row = (sample * OH + oy) * (OW * OC) + group * OCG;

    float8 start[VECTORS];
    for (int v = 0; v < VECTORS; ++v)
        start[v] = bias_offset < 0 ? (float8)0.0f
                                   : LOAD_BLOCK(bias + bias_offset + group * OCG, o + v * 8);

    for (int first = 0; first < STEP; ++first)
        for (int ox = first; ox < OW; ox += PX * STEP) {
            float8 sum[PX][VECTORS];
#pragma unroll
            for (int p = 0; p < PX; ++p)
#pragma unroll
                for (int v = 0; v < VECTORS; ++v)
                    sum[p][v] = start[v];
            add_products(sum, plane, weight, packed + PACKED, oy, ox);
#pragma unroll
            for (int p = 0; p < PX; ++p)
                if (ox + p * STEP < OW)
#pragma unroll
                    for (int v = 0; v < VECTORS; ++v) {
                        const size_t pixel = row + (ox + p * STEP) * OC;
                        STORE_BLOCK(finish_channels(sum[p][v], z + pixel, o + v * 8, OCG),
                                    y + pixel, o + v * 8);
                    }
        }
}

#define IC_BLOCKS ((ICG + ICB - 1) / ICB)
#define PARTIAL_ROWS (TAPS * ICG + 1)
#define PARTIAL ((size_t)PARTIAL_ROWS * BLOCKS * OCB)

/* The outputs begin to end - 1 whose tap `offset` stands inside `size` values. */
static int first_inside(int offset, int stride)
{
    return offset >= 0 ? 0 : (-offset + stride - 1) / stride;
}

static int end_inside(int offset, int stride, int size, int count)
{
    return offset >= size ? 0 : min(count, (size - 1 - offset) / stride + 1);
}

/* The sum over rows oy0 to oy1 - 1 of one sample for one tap and one block of channels, added to
 * partial (TAPS, ICG, BLOCKS * OCB) unless it is the first. x and dy point at the group's first
 * channel; o0 is the block's in the group, target_o in partial. */
static void add_tap(global float *partial, const global float *x, const global float *dy, int tap,
                    int oy0, int oy1, int c0, int o0, int target_o, int first)
{
    const int ky = tap / KW, kx = tap % KW, top = ky * DH - PT, left = kx * DW - PL;
    const int ox0 = first_inside(left, SW), ox1 = end_inside(left, SW, IW, OW);
    int channel[ICB];
#pragma unroll
    for (int j = 0; j < ICB; ++j)
        channel[j] = ICG % ICB == 0 ? j : min(j, ICG - 1 - c0);

    float8 sum[ICB][VECTORS];
#pragma unroll
    for (int j = 0; j < ICB; ++j)
#pragma unroll
        for (int v = 0; v < VECTORS; ++v)
            sum[j][v] = (float8)0.0f;

    for (int oy = max(oy0, first_inside(top, SH)); oy < min(oy1, end_inside(top, SH, IH, OH));
         ++oy) {
        const global float *pixel = x + ((oy * SH + top) * IW + ox0 * SW + left) * IC + c0;
        const global float *gradient = dy + (oy * OW + ox0) * OC;
        for (int ox = ox0; ox < ox1; ++ox, pixel += SW * IC, gradient += OC) {
            float8 g[VECTORS];
#pragma unroll
            for (int v = 0; v < VECTORS; ++v)
                g[v] = LOAD_BLOCK(gradient, o0 + v * 8);
#pragma unroll
            for (int j = 0; j < ICB; ++j)
#pragma unroll
                for (int v = 0; v < VECTORS; ++v)
                    sum[j][v] = fma((float8)pixel[channel[j]], g[v], sum[j][v]);
        }
    }

#pragma unroll
    for (int j = 0; j < ICB; ++j)
        if (ICG % ICB == 0 || c0 + j < ICG) {
            global float *target = partial + (tap * ICG + c0 + j) * (BLOCKS * OCB) + target_o;
#pragma unroll
            for (int v = 0; v < VECTORS; ++v)
                vstore8(first ? sum[j][v] : vload8(v, target) + sum[j][v], v, target);
        }
}

/* The bias' row of partial. */
static void add_bias(global float *partial, const global float *dy, int oy0, int oy1, int o0,
                     int target_o, int first)
{
    float8 sum[VECTORS];
    for (int v = 0; v < VECTORS; ++v)
        sum[v] = (float8)0.0f;
    for (int i = oy0 * OW; i < oy1 * OW; ++i)
        for (int v = 0; v < VECTORS; ++v)
            sum[v] += LOAD_BLOCK(dy + i * OC, o0 + v * 8);
    global float *target = partial + TAPS * ICG * (BLOCKS * OCB) + target_o;
    for (int v = 0; v < VECTORS; ++v)
        vstore8(first ? sum[v] : vload8(v, target) + sum[v], v, target);
}

/* The gradients of weights and bias over one of `parts` stretches of the samples: partials (parts,
 * TAPS * ICG + 1, BLOCKS * OCB), the bias' row last. x (n, IH, IW, IC), dy (n, OH, OW, OC). A
 * work-item computes one block of input and output channels of one part. */
kernel void conv_weights(global float *partials, const global float *x, const global float *dy,
                         int n, int parts)
{
    const size_t item = get_global_id(0);
    if (item >= (size_t)parts * BLOCKS * IC_BLOCKS)
        return;
    const int c0 = item % IC_BLOCKS * ICB, block = item / IC_BLOCKS % BLOCKS;
    const int group = block / GROUP_BLOCKS, o0 = block % GROUP_BLOCKS * OCB;
    const int part = item / ((size_t)IC_BLOCKS * BLOCKS);
    global float *partial = partials + part * PARTIAL;
    const int begin = (int)((long)n * part / parts), end = (int)((long)n * (part + 1) / parts);

    for (int sample = begin; sample < end; ++sample) {
        const global float *plane = x + sample * (size_t)(IH * IW * IC) + group * ICG;
        const global float *gradient = dy + sample * (size_t)(OH * OW * OC) + group * OCG;
        for (int oy = 0; oy < OH; oy += ROWS) {
            const int oy_end = min(OH, oy + ROWS), first = sample == begin && oy == 0;
            for (int tap = 0; tap < TAPS; ++tap)
                add_tap(partial, plane, gradient, tap, oy, oy_end, c0, o0, block * OCB, first);
            if (c0 == 0)
                add_bias(partial, gradient, oy, oy_end, o0, block * OCB, first);
        }
    }
}

/* dw (OC, ICG, KH, KW) and db (OC) at their offsets, from partials of the parts that are not empty,
 * in their order; no db where its offset is negative. */
kernel void conv_reduce(global float *gradients, int w_offset, int b_offset,
                        const global float *partials, int n, int parts)
{
    FOR_EACH (i, (size_t)PARTIAL_ROWS * OC) {
        const int o = i % OC, row = i / OC, tap = row / ICG, c = row % ICG;
        const int place = (o / OCG * GROUP_BLOCKS + o % OCG / OCB) * OCB + o % OCG % OCB;
        float sum = 0.0f;
        for (int part = 0; part < parts; ++part)
            if ((long)n * part / parts < (long)n * (part + 1) / parts)
                sum = plus_in_order(
                    sum, partials[part * PARTIAL + (size_t)row * (BLOCKS * OCB) + place]);
        if (row < TAPS * ICG)
            gradients[w_offset + (o * ICG + c) * TAPS + tap] = sum;
        else if (b_offset >= 0)
            gradients[b_offset + o] = sum;
    }
}
