/* Convolution, ReLU, 2x2 max pool and Dropout2d as one operation, for devices whose work-items
 * are long: each takes whole samples, one after the other. The last kernel is for evaluations.
 *
 * This file is the forward pass, which keeps the four sums of a pool window in registers and
 * writes the pooled value alone, with one byte per window: which of the four it was, in
 * row-major order, or DEAD where it was not positive. cl/conv_block_backward.cl walks these
 * events: three in four positions, and all dead ones, carry nothing. These bytes are the block's
 * own: of each sample's kept channels alone, filled up to whole vectors with DEAD.
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
#include "weights.cl"
#include "window.cl"

/* Where no channel is dropped: packed (BLOCKS, TAPS, IC, OCB), filled up with zeros. */
kernel void conv_block_pack(global float *restrict packed, const global float *restrict w,
                            int w_offset)
{
    FOR_EACH (i, WEIGHTS) {
        const int c = i / OCB % IC, tap = i / (OCB * IC) % TAPS;
        const int o = (int)(i / (OCB * IC * TAPS)) * OCB + i % OCB;
        packed[i] = o < OC ? w[w_offset + (o * IC + c) * TAPS + tap] : 0.0f;
    }
}

/* weights (blocks, TAPS, inputs, OCB) of the kept channels, from w (OC, IC, K, K). */
static void pack_kept(global float *restrict weights, const global float *restrict w,
                      selection input, selection output)
{
    for (int o = 0; o < output.count; o += 8) {
        global float *target = weights + o / OCB * (TAPS * input.count * OCB) + o % OCB;
        for (int k = 0; k < input.count; ++k) {
            int from[8];
            for (int j = 0; j < 8; ++j)
                from[j] = (output.list[o + j] * IC + input.list[k]) * TAPS;
            gather_taps(target + k * OCB, K * input.count * OCB, input.count * OCB, w, from);
        }
    }
}

/* A narrow first layer's taps are unrolled, all or a row of them: their loops are too short for the
 * processor to foresee their ends. Longer rows are slower without a loop. */
#define UNROLLED _Pragma("unroll")
#if FIRST && TAPS * IC <= 12
#define EACH_ROW UNROLLED
#else
#define EACH_ROW
#endif
#if FIRST && K * IC <= 8
#define EACH_TAP UNROLLED
#else
#define EACH_TAP
#endif

/* CALLER_PIXELS_VECTORS: the sums of some positions by eight or sixteen output channels.
 * Pixels 0 to 3 are a pool window in row-major order, 4 to 7 the one to its right. at: the
 * tile's pixel under the first tap. Their numbers are constants, and each caller has its own, which
 * becomes part of it, so that the sums stay in registers. */
#define DEFINE_ADD_TAPS(CALLER, PIXELS, VECTORS)                                                   \
    static void CALLER##_##PIXELS##_##VECTORS(float8 *sum, const global float *at,                 \
                                              const global float *weights, int stride)             \
    {                                                                                              \
        EACH_ROW for (int ky = 0; ky < K; ++ky, at += TW * stride)                                 \
            EACH_TAP for (int i = 0; i < K * stride; ++i, weights += OCB)                          \
        {                                                                                          \
            float8 w[VECTORS];                                                                     \
            _Pragma("unroll") for (int v = 0; v < VECTORS; ++v) w[v] = vload8(v, weights);         \
            _Pragma("unroll") for (int p = 0; p < PIXELS; ++p)                                     \
            {                                                                                      \
                const int offset = (p / 2 % 2 * TW + p % 2 + p / 4 * 2) * stride;                  \
                _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                \
                    sum[p * VECTORS + v] =                                                         \
                        fma((float8)at[i + offset], w[v], sum[p * VECTORS + v]);                   \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_ADD_TAPS(add_kept, 4, 2)
DEFINE_ADD_TAPS(add_kept, 8, 1)
DEFINE_ADD_TAPS(add_all, 4, 2)
DEFINE_ADD_TAPS(add_all, 8, 1)

#if NORM
/* Batch norm of eight channels. */
typedef struct affine {
    float8 mean, inverse, weight, bias;
} affine;

static float8 normalise(float8 z, affine a)
{
    return (z - a.mean) * a.inverse;
}
#endif

/* A block of output channels: what is the same in all windows of a sample. */
typedef struct block {
    selection output;
    int first;       /* the block's first kept channel */
    float8 bias[2];
    int8 missing[2]; /* lanes behind the last kept channel */
    float scale;
    global float *y;
    global uchar8 *which;
#if NORM
    affine norm[2];
    const global float *statistics, *norm_weight, *norm_bias;
    global float *best;
#endif
} block;

static float8 load_listed(const global float *values, selection kept, int first)
{
    float listed[8];
    for (int j = 0; j < 8; ++j)
        listed[j] = first + j < kept.count ? values[kept.list[first + j]] : 0.0f;
    return vload8(0, listed);
}

/* The larger of two, b where it is NaN; larger: whether it is b. */
static float8 larger_of(float8 a, float8 b, int8 *larger)
{
    *larger = (b > a) | (b != b);
    return select(a, b, *larger);
}

/* Max pool, ReLU and scale of the four sums of a window in vector v of the block, which are stored
 * with their position. That is made as floats: of integers the compiler makes bytes too early. */
static void pool(block b, int v, int window, float8 s0, float8 s1, float8 s2, float8 s3)
{
    const int k = b.first + v * 8, place = (window * EIGHTS(b.output.count) + k) / 8;
    int8 right, bottom_right, bottom;
#if NORM
    const affine norm = b.norm[v];
    const float8 h0 = normalise(s0, norm), h1 = normalise(s1, norm);
    const float8 h2 = normalise(s2, norm), h3 = normalise(s3, norm);
    s0 = h0 * norm.weight + norm.bias;
    s1 = h1 * norm.weight + norm.bias;
    s2 = h2 * norm.weight + norm.bias;
    s3 = h3 * norm.weight + norm.bias;
#endif
    const float8 top = larger_of(s0, s1, &right), low = larger_of(s2, s3, &bottom_right);
    const float8 best = larger_of(top, low, &bottom);
    const int8 dead = (best <= (float8)0.0f) | b.missing[v];
    float8 position = select(select((float8)0.0f, (float8)1.0f, right),
                             select((float8)2.0f, (float8)3.0f, bottom_right), bottom);
    position = select(position, (float8)DEAD, dead);
    store_kept(select(best, (float8)0.0f, dead) * b.scale, b.y, window, b.output, k, WINDOWS * OC);
    b.which[place] = convert_uchar8(position);
#if NORM
    vstore8(select(select(h0, h1, right), select(h2, h3, bottom_right), bottom), place, b.best);
#endif
}

/* The block's windows; stride: of the tile. */
static void forward_block(block b, const global float *tile, const global float *weights,
                          int stride)
{
    const int narrow = b.output.count - b.first <= 8;
    for (int py = 0; py < PH; ++py)
        for (int px = 0; px < PW;) {
            const global float *at = tile + (2 * py * TW + 2 * px) * stride;
            const int window = py * PW + px, pair = narrow && px + 1 < PW;
            float8 sum[8];
            if (pair) {
#pragma unroll
                for (int p = 0; p < 8; ++p)
                    sum[p] = b.bias[0];
                add_kept_8_1(sum, at, weights, stride);
                pool(b, 0, window, sum[0], sum[1], sum[2], sum[3]);
                pool(b, 0, window + 1, sum[4], sum[5], sum[6], sum[7]);
            } else {
#pragma unroll
                for (int p = 0; p < 8; ++p)
                    sum[p] = b.bias[p % 2];
                add_kept_4_2(sum, at, weights, stride);
                pool(b, 0, window, sum[0], sum[2], sum[4], sum[6]);
                if (!narrow)
                    pool(b, 1, window, sum[1], sum[3], sum[5], sum[7]);
            }
            px += 1 + pair;
        }
}

/* One sample; b tells where to. weights: of the kept channels. The last block comes first: a vector
 * that reaches beyond the last channel of a packed pixel is overwritten by the blocks before. */
static void forward_sample(block b, const global float *tile, const global float *weights,
                           const global float *bias, int inputs)
{
    const int8 lanes = (int8)(0, 1, 2, 3, 4, 5, 6, 7);
    if (b.output.count < b.output.pitch)
        clear(b.y, WINDOWS * OC);
    for (b.first = (b.output.count + OCB - 1) / OCB * OCB - OCB; b.first >= 0; b.first -= OCB) {
        for (int v = 0; v < 2; ++v) {
            const int k = b.first + v * 8;
            b.bias[v] = load_listed(bias, b.output, k);
            b.missing[v] = k + lanes >= (int8)b.output.count;
#if NORM
            b.norm[v].mean = load_listed(b.statistics, b.output, k);
            b.norm[v].inverse = load_listed(b.statistics + OC, b.output, k);
            b.norm[v].weight = load_listed(b.norm_weight, b.output, k);
            b.norm[v].bias = load_listed(b.norm_bias, b.output, k);
#endif
        }
        forward_block(b, tile, weights + b.first * TAPS * inputs, inputs);
    }
}

/* y (n, PH, PW, OC) and which (n, PH, PW, EIGHTS(OC)) bytes, in `saved` with what NORM adds, from x
 * (n, IH, IW, IC); the bias at its offset; the weights at theirs, where no channel is dropped
 * packed by conv_block_pack. input_scales (n, IC) and output_scales (n, OC) tell the dropped
 * channels where input_masked and output_masked, which may be PACKED (cl/kept.cl); scale multiplies
 * what is kept. `items` work-items share the n samples; scratch (items, SCRATCH). The batch norm's
 * weight and bias are at their offsets; without NORM these are not looked at. */
kernel void conv_block_forward(global float *y, global float *saved, const global float *x,
                               const global float *parameters, int w_offset, int bias_offset,
                               const global float *input_scales, int input_masked,
                               const global float *output_scales, int output_masked, float scale,
                               int norm_w_offset, int norm_b_offset, global float *scratch, int n,
                               int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const int masked = input_masked || output_masked;
    const global float *packed = scratch;
    global float *tile = scratch + WEIGHTS + item * (size_t)SCRATCH;
    global float *kept_weights = tile + TILE(IC);
    int input_list[LIST(IC)], output_list[LIST(OC)];

    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        const selection input = select_inputs(input_list, input_scales + sample * IC, input_masked);
        const size_t windows = sample * (size_t)(WINDOWS * EIGHTS(OC));
        block b = {.scale = scale};
        b.output = select_kept(output_list, output_scales + sample * OC, OC, output_masked);
        b.y = y + sample * (size_t)(WINDOWS * OC);
        b.which = WHICH(global uchar8 *, saved, n) + windows / 8;
#if NORM
        b.best = BEST(saved) + windows;
        b.statistics = saved;
        b.norm_weight = parameters + norm_w_offset;
        b.norm_bias = parameters + norm_b_offset;
#else
        (void)norm_w_offset, (void)norm_b_offset;
#endif
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), input, input.count);
        if (masked)
            pack_kept(kept_weights, parameters + w_offset, input, b.output);
        forward_sample(b, tile, masked ? kept_weights : packed, parameters + bias_offset,
                       input.count);
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
 * (n, IH, IW, IC), with the packed weights at the beginning of the prepared memory, the biases (OC) at
 * bias_at, and SCRATCH floats of scratch memory, which may be the same, for each work-item from items_at
 * on. */
kernel void conv_block_evaluate(global float *y, const global float *x, const global float *biases,
                                int bias_at, const global float *prepared, global float *scratch,
                                int items_at, int n, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    global float *tile = scratch + items_at + item * (size_t)SCRATCH;
    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), (selection){IC, IC, 0}, IC);
        for (int o = 0; o < OC; o += OCB)
            evaluate_block(y + sample * (size_t)(WINDOWS * OC), tile, prepared + o * (TAPS * IC),
                           biases + bias_at, o);
    }
}
