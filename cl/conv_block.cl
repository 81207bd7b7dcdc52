/* Convolution, ReLU, 2x2 max pool and Dropout2d as one operation, for devices whose work-items
 * are long: each takes whole samples, one after the other. The last kernel is for evaluations.
 *
 * This file is the forward pass, which keeps the four sums of a pool window in registers and
 * writes the pooled value alone, with one byte per window: which of the four it was, in
 * row-major order, or DEAD where it was not positive. cl/conv_block_backward.cl walks these
 * events: three in four positions, and all dead ones, carry nothing.
 *
 * Dropped channels (their masks are drawn before) are neither computed nor read: their sample's
 * input and weights are packed to the kept channels first. What is left out is zero times a
 * finite value, and what is summed is summed in the order of cl/conv.cl. (A value that is not
 * finite in a dropped channel does not show in the step: the next evaluation or save finds it.)
 *
 * Layout: activations (N, H, W, C); weights w (O, I, K, K). A tile is a sample's input with its
 * padding, (TH, TW, stride), kept channels innermost.
 *
 * The options are in cl/conv_block_shape.cl. */
#include "conv_block_shape.cl"

#include "window.cl"

/* For forward: packed (BLOCKS, TAPS, IC, OCB), filled up with zeros. */
kernel void conv_block_pack(global float *restrict packed, const global float *restrict w,
                            int w_offset)
{
    FOR_EACH (i, PACKED) {
        const int c = i / OCB % IC, tap = i / (OCB * IC) % TAPS;
        const int o = (int)(i / (OCB * IC * TAPS)) * OCB + i % OCB;
        packed[i] = o < OC ? w[w_offset + (o * IC + c) * TAPS + tap] : 0.0f;
    }
}

/* weights (blocks, TAPS, inputs, OCB) of the kept channels, from packed. */
static void pack_kept(global float *restrict weights, const global float *restrict packed,
                      const int *input, int inputs, const int *output, int outputs)
{
    for (int o0 = 0; o0 < outputs; o0 += OCB) {
        int offset[OCB];
        for (int j = 0; j < OCB; ++j) {
            const int o = output[min(o0 + j, outputs - 1)];
            offset[j] = o / OCB * (TAPS * IC * OCB) + o % OCB;
        }
        for (int tap = 0; tap < TAPS; ++tap)
            for (int k = 0; k < inputs; ++k, weights += OCB) {
                const global float *source = packed + (tap * IC + input[k]) * OCB;
                for (int j = 0; j < OCB; ++j)
                    weights[j] = source[offset[j]];
            }
    }
}

/* CALLER_PIXELS_VECTORS: the sums of some positions by eight or sixteen output channels.
 * Pixels 0 to 3 are a pool window in row-major order, 4 to 7 the one to its right. at: the
 * tile's pixel under the first tap. Their numbers are constants, and each caller has its own, which
 * becomes part of it, so that the sums stay in registers. */
#define DEFINE_ADD_TAPS(CALLER, PIXELS, VECTORS)                                                   \
    static void CALLER##_##PIXELS##_##VECTORS(float8 *sum, const global float *at,                 \
                                              const global float *weights, int stride)             \
    {                                                                                              \
        for (int ky = 0; ky < K; ++ky, at += TW * stride)                                          \
            for (int i = 0; i < K * stride; ++i, weights += OCB) {                                 \
                float8 w[VECTORS];                                                                 \
                _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                \
                    w[v] = vload8(v, weights);                                                     \
                _Pragma("unroll") for (int p = 0; p < PIXELS; ++p) {                               \
                    const int offset = (p / 2 % 2 * TW + p % 2 + p / 4 * 2) * stride;              \
                    _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                            \
                        sum[p * VECTORS + v] =                                                     \
                            fma((float8)at[i + offset], w[v], sum[p * VECTORS + v]);               \
                }                                                                                  \
            }                                                                                      \
    }

DEFINE_ADD_TAPS(add_kept, 4, 2)
DEFINE_ADD_TAPS(add_kept, 8, 1)
DEFINE_ADD_TAPS(add_all, 4, 2)
DEFINE_ADD_TAPS(add_all, 8, 1)

/* Max pool and ReLU of the four sums of a window. */
static float8 pool(int8 *position, float8 a, float8 b, float8 c, float8 d)
{
    int8 larger = b > a || isnan(b);
    float8 best = select(a, b, larger);
    int8 at = select((int8)0, (int8)1, larger);
    larger = c > best || isnan(c);
    best = select(best, c, larger);
    at = select(at, (int8)2, larger);
    larger = d > best || isnan(d);
    best = select(best, d, larger);
    at = select(at, (int8)3, larger);
    const int8 dead = best <= (float8)0.0f;
    *position = select(at, (int8)DEAD, dead);
    return select(best, (float8)0.0f, dead);
}

/* Writes eight channels of a pooled pixel: those that list names, from number `first` on. */
static void store_pooled(global float *y, global uchar *which, float8 value, int8 position,
                         const int *list, int first, int kept)
{
    const uchar8 bytes = convert_uchar8(position);
    if (kept == OC && first + 8 <= OC) {
        vstore8(value, 0, y + first);
        vstore8(bytes, 0, which + first);
        return;
    }
    float values[8];
    uchar positions[8];
    vstore8(value, 0, values);
    vstore8(bytes, 0, positions);
    const int count = min(8, kept - first);
    for (int j = 0; j < count; ++j) {
        y[list[first + j]] = values[j];
        which[list[first + j]] = positions[j];
    }
}

static float8 load_bias(const global float *bias, const int *list, int first, int kept)
{
    float values[8];
    for (int j = 0; j < 8; ++j)
        values[j] = first + j < kept ? bias[list[first + j]] : 0.0f;
    return vload8(0, values);
}

/* One block of output channels of one sample; narrow: at most eight of them are left. */
static void forward_block(global float *y, global uchar *which, const global float *tile,
                          const global float *weights, const global float *bias, const int *list,
                          int first, int kept, int stride, float scale)
{
    const float8 bias0 = load_bias(bias, list, first, kept);
    const float8 bias1 = load_bias(bias, list, first + 8, kept);
    const int narrow = kept - first <= 8;
    for (int py = 0; py < PH; ++py)
        for (int px = 0; px < PW;) {
            const global float *at = tile + (2 * py * TW + 2 * px) * stride;
            const int window = (py * PW + px) * OC;
            const int pair = narrow && px + 1 < PW;
            float8 sum[8];
            int8 position;
            if (pair) {
                for (int p = 0; p < 8; ++p)
                    sum[p] = bias0;
                add_kept_8_1(sum, at, weights, stride);
                float8 value = pool(&position, sum[0], sum[1], sum[2], sum[3]) * scale;
                store_pooled(y + window, which + window, value, position, list, first, kept);
                value = pool(&position, sum[4], sum[5], sum[6], sum[7]) * scale;
                store_pooled(y + window + OC, which + window + OC, value, position, list, first,
                             kept);
            } else {
                for (int p = 0; p < 4; ++p) {
                    sum[2 * p] = bias0;
                    sum[2 * p + 1] = bias1;
                }
                add_kept_4_2(sum, at, weights, stride);
                float8 value = pool(&position, sum[0], sum[2], sum[4], sum[6]) * scale;
                store_pooled(y + window, which + window, value, position, list, first, kept);
                value = pool(&position, sum[1], sum[3], sum[5], sum[7]) * scale;
                store_pooled(y + window, which + window, value, position, list, first + 8, kept);
            }
            px += 1 + pair;
        }
}

/* y (n, PH, PW, OC) and which (n, PH, PW, OC) from x (n, IH, IW, IC); the bias at its offset;
 * the weights were packed by conv_block_pack. input_scales (n, IC) and output_scales (n, OC)
 * tell the dropped channels where input_masked and output_masked; scale multiplies what is kept.
 * `items` work-items share the n samples; scratch (items, SCRATCH). */
kernel void conv_block_forward(global float *y, global uchar *which, const global float *x,
                               const global float *parameters, int bias_offset,
                               const global float *input_scales, int input_masked,
                               const global float *output_scales, int output_masked, float scale,
                               global float *scratch, int n, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const global float *packed = scratch;
    global float *tile = scratch + PACKED + item * (size_t)SCRATCH;
    global float *kept_weights = tile + TILE(IC);
    int input[IC], output[OC];

    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        const int inputs = list_inputs(input, input_scales + sample * IC, input_masked);
        const int outputs = list_kept(output, output_scales + sample * OC, OC, output_masked);
        global float *values = y + sample * (size_t)(WINDOWS * OC);
        global uchar *positions = which + sample * (size_t)(WINDOWS * OC);
        if (outputs < OC)
            for (int i = 0; i < WINDOWS * OC; ++i) {
                values[i] = 0.0f;
                positions[i] = DEAD;
            }
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), input, inputs, inputs);
        const global float *weights = packed;
        if (inputs < IC || outputs < OC) {
            pack_kept(kept_weights, packed, input, inputs, output, outputs);
            weights = kept_weights;
        }
        for (int first = 0; first < outputs; first += OCB)
            forward_block(values, positions, tile, weights + first * TAPS * inputs,
                          parameters + bias_offset, output, first, outputs, inputs, scale);
    }
}

/* One block of output channels, from o on, of one sample of an evaluation. */
static void evaluate_block(global float *y, const global float *tile, const global float *weights,
                           const global float *biases, int o)
{
    const float8 bias0 = load_channels(biases, o, OC), bias1 = load_channels(biases, o + 8, OC);
    const int narrow = (OC - 1) % OCB < 8 && OC - o <= 8; /* constant where none is */
    for (int py = 0; py < PH; ++py)
        for (int px = 0; px < PW;) {
            const global float *at = tile + (2 * py * TW + 2 * px) * IC;
            global float *window = y + (py * PW + px) * OC;
            const int pair = narrow && px + 1 < PW;
            float8 sum[8];
            if (pair) {
#pragma unroll
                for (int p = 0; p < 8; ++p)
                    sum[p] = bias0;
                add_all_8_1(sum, at, weights, IC);
                const float8 left = largest_sum(sum[0], sum[1], sum[2], sum[3]);
                const float8 right = largest_sum(sum[4], sum[5], sum[6], sum[7]);
                store_channels(positive(left), window, o, OC);
                store_channels(positive(right), window + OC, o, OC);
            } else {
#pragma unroll
                for (int p = 0; p < 4; ++p) {
                    sum[2 * p] = bias0;
                    sum[2 * p + 1] = bias1;
                }
                add_all_4_2(sum, at, weights, IC);
                const float8 low = largest_sum(sum[0], sum[2], sum[4], sum[6]);
                const float8 high = largest_sum(sum[1], sum[3], sum[5], sum[7]);
                store_channels(positive(low), window, o, OC);
                if (!narrow)
                    store_channels(positive(high), window, o + 8, OC);
            }
            px += 1 + pair;
        }
}

/* For evaluation, which drops nothing and keeps nothing for backward: y (n, PH, PW, OC) from x
 * (n, IH, IW, IC), with the packed weights at the beginning of the scratch memory, the biases (OC)
 * at bias_at, and SCRATCH floats for each work-item from items_at on. */
kernel void conv_block_evaluate(global float *y, const global float *x, const global float *biases,
                                int bias_at, global float *scratch, int items_at, int n, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    global float *tile = scratch + items_at + item * (size_t)SCRATCH;
    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), 0, IC, IC);
        for (int o = 0; o < OC; o += OCB)
            evaluate_block(y + sample * (size_t)(WINDOWS * OC), tile, scratch + o * (TAPS * IC),
                           biases + bias_at, o);
    }
}
