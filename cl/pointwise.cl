/* A 1 x 1 convolution at stride 1, a product of each pixel with the weights, and its gradients, in
 * register blocks of ROWS pixels (or input channels) by WIDE vectors of 16 output channels, for
 * devices whose work-items are long. The gradient of the input is the same product with the weights
 * turned.
 *
 * Layout: activations (pixels, C), pixels = n * H * W; weights (O, I) as they are saved.
 * Must be given, as the kernel sees them (the gradient of the input swaps them): IC, OC; ROWS,
 * WIDE. What stands behind it in the same step: epilogue.cl. */
#if !defined(IC) || !defined(OC) || !defined(ROWS) || !defined(WIDE)
#error "IC, OC, ROWS and WIDE must be given"
#endif

#include "channels.cl"
#include "epilogue.cl"
#include "loop.cl"

#define LANES 16
#define OCB (LANES * WIDE)
#define BLOCKS ((OC + OCB - 1) / OCB)
#define OCP (BLOCKS * OCB)
#define ICR ((IC + ROWS - 1) / ROWS * ROWS)
#define CHUNK (ROWS * 8) /* pixels that stay in the cache */
/* Of the weights' gradient, and behind it that of the bias. */
#define PARTIAL ((size_t)(ICR + 1) * OCP)

/* u (BLOCKS, IC, OCB) from w at w_offset; turned: w is (IC, OC). */
kernel void pointwise_pack(global float *u, const global float *w, int w_offset, int turned)
{
    FOR_EACH (i, BLOCKS * IC * OCB) {
        const int c = i / OCB % IC, o = i / (OCB * IC) * OCB + i % OCB;
        u[i] = o < OC ? w[w_offset + (turned ? c * OC + o : o * IC + c)] : 0.0f;
    }
}

/* `count` pixels, ROWS at most, of a block of y from x, z and the block's u (IC, OCB). */
static void multiply(global float *y, const global float *x, const global float *z,
                     const global float *u, const float16 *start, int o, int count)
{
    const global float *pixel[ROWS];
    float16 sum[ROWS][WIDE];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        pixel[r] = x + min(r, count - 1) * IC;
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            sum[r][w] = start[w];
    }
    for (int c = 0; c < IC; ++c) {
        float16 weight[WIDE];
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            weight[w] = vload16(c * WIDE + w, u);
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int w = 0; w < WIDE; ++w)
                sum[r][w] = fma((float16)pixel[r][c], weight[w], sum[r][w]);
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            if ((OC % OCB == 0 || o + w * LANES < OC) && r < count)
                store_wide(finish_wide(sum[r][w], z + r * OC, o + w * LANES, OC), y + r * OC,
                           o + w * LANES, OC);
}

/* The stretch of the pixels that a work-item takes: its borders divide no eight of them, whatever
 * ROWS (4 or 8) is, so that sums over stretches do not depend on it. */
static int stretch_at(int pixels, int item, int items)
{
    return (int)((long)((pixels + 7) / 8) * item / items) * 8;
}

/* y (pixels, OC) from x (pixels, IC), u, and what the epilogue adds, z (pixels, OC); bias (OC) at
 * bias_offset, none where that is negative. */
kernel void pointwise_forward(global float *y, const global float *x, const global float *z,
                              const global float *u, const global float *bias, int bias_offset,
                              int pixels, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const int end = min(pixels, stretch_at(pixels, item + 1, items));
    for (int first = stretch_at(pixels, item, items); first < end; first += CHUNK)
        for (int block = 0; block < BLOCKS; ++block) {
            float16 start[WIDE];
#pragma unroll
            for (int w = 0; w < WIDE; ++w) {
                const int o = block * OCB + w * LANES;
                start[w] = bias_offset < 0 || o >= OC ? (float16)0.0f
                                                      : load_wide(bias + bias_offset, o, OC);
            }
            for (int i = first; i < min(end, first + CHUNK); i += ROWS) {
                global float *target = y + (size_t)i * OC;
                const global float *source = x + (size_t)i * IC;
                const global float *weight = u + (size_t)block * (IC * OCB);
                multiply(target, source, z + (size_t)i * OC, weight, start, block * OCB,
                         min(ROWS, end - i));
            }
        }
}

/* partial (ROWS, OCP) += the products of `count` pixels' input channels from x on and output
 * channels from o on. `rows` of the channels are there. */
static void accumulate(global float *partial, const global float *x, const global float *dy, int o,
                       int count, int rows)
{
    const global float *channel[ROWS];
    float16 sum[ROWS][WIDE];
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        channel[r] = x + min(r, rows - 1);
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            sum[r][w] = vload16(w, partial + r * OCP);
    }
    for (int i = 0; i < count; ++i) {
        float16 g[WIDE];
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            g[w] = OC % OCB == 0 || o + w * LANES < OC ? load_wide(dy + i * OC, o + w * LANES, OC)
                                                       : (float16)0.0f;
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int w = 0; w < WIDE; ++w)
                sum[r][w] = fma((float16)channel[r][i * IC], g[w], sum[r][w]);
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            vstore16(sum[r][w], w, partial + r * OCP);
}

/* The sum of dy over some pixels, added to the bias' row. */
static void add_bias(global float *partial, const global float *dy, int count)
{
    for (int o = 0; o < OC; o += LANES) {
        float16 sum = vload16(0, partial + o);
        for (int i = 0; i < count; ++i)
            sum += load_wide(dy + i * OC, o, OC);
        vstore16(sum, 0, partial + o);
    }
}

/* partials (items, ICR + 1, OCP): the gradients of weights and bias over each work-item's stretch of
 * x (pixels, IC) and dy (pixels, OC). */
kernel void pointwise_gradient(global float *partials, const global float *x,
                               const global float *dy, int with_bias, int pixels, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    global float *partial = partials + item * PARTIAL;
    for (size_t i = 0; i < PARTIAL; i += LANES)
        vstore16((float16)0.0f, 0, partial + i);
    const int end = min(pixels, stretch_at(pixels, item + 1, items));
    for (int first = stretch_at(pixels, item, items); first < end; first += CHUNK) {
        const int count = min(CHUNK, end - first);
        const global float *source = x + (size_t)first * IC, *gradient = dy + (size_t)first * OC;
        for (int o = 0; o < OCP; o += OCB)
            for (int c = 0; c < IC; c += ROWS)
                accumulate(partial + c * OCP + o, source + c, gradient, o, count,
                           min(ROWS, IC - c));
        if (with_bias)
            add_bias(partial + ICR * OCP, gradient, count);
    }
}

/* dw (OC, IC) and db (OC) at their offsets: the partial sums, added up in their order; no db where
 * its offset is negative. */
kernel void pointwise_reduce(global float *gradients, int w_offset, int b_offset,
                             const global float *partials, int items)
{
    FOR_EACH (i, (IC + 1) * (OCP / LANES)) {
        const int c = i % (IC + 1), o = i / (IC + 1) * LANES, count = min(LANES, OC - o);
        const global float *at = partials + (c == IC ? ICR : c) * OCP + o;
        float16 sum = vload16(0, at);
        float lanes[LANES];
        if (c == IC && b_offset < 0)
            continue;
        for (int item = 1; item < items; ++item)
            sum += vload16(0, at + item * PARTIAL);
        vstore16(sum, 0, lanes);
        for (int lane = 0; lane < count; ++lane)
            gradients[c == IC ? b_offset + o + lane : w_offset + (o + lane) * IC + c] = lanes[lane];
    }
}
