/* Convolution, BatchNorm2d, ReLU, 2x2 max pool and Dropout2d as one operation, for devices whose
 * work-items are long: forward. The formulas are those of cl/batchnorm.cl.
 *
 * The statistics need every output channel at every position, so these are all computed and kept,
 * but dropped input channels (their masks are drawn before) are neither read nor multiplied. The
 * output of the batch norm is never stored: one pass normalises the four values of a window, takes
 * the largest and writes it with one byte, which of the four it was, or DEAD where it was not
 * positive or the channel is dropped.
 *
 * In evaluation batch norm is affine: norm_block_fold makes it part of the weights and the bias of
 * cl/conv_block.cl.
 *
 * Layout and -D options: cl/norm_shape.cl. Weights w (O, I, K, K). */
#include "norm_shape.cl"
#include "taps.cl"

/* scratch: packed (VECTORS, TAPS, IC, 8), filled up with zeros. */
kernel void norm_block_pack(global float *restrict scratch, const global float *restrict w,
                            int w_offset)
{
    global float *packed = scratch + SUMS;
    FOR_EACH (i, WEIGHTS) {
        const int c = i / 8 % IC, tap = i / (8 * IC) % TAPS;
        const int o = (int)(i / (8 * IC * TAPS)) * 8 + i % 8;
        packed[i] = o < OC ? w[w_offset + (o * IC + c) * TAPS + tap] : 0.0f;
    }
}

/* weights (VECTORS, TAPS, inputs, 8) of the kept channels, from packed. */
static void pack_kept(global float *restrict weights, const global float *restrict packed,
                      selection input)
{
    for (int i = 0; i < VECTORS * TAPS; ++i)
        for (int k = 0; k < input.count; ++k, weights += 8)
            vstore8(vload8(i * IC + input.list[k], packed), 0, weights);
}

/* Adds the moments of one more sample's plane to the mean and squared deviation of `samples`
 * before. */
static void add_moments(float8 *mean, float8 *squares, const global float *plane, int samples)
{
    enum { CHAINS = 4 };
    float8 sum[CHAINS], deviation[CHAINS];
    for (int j = 0; j < CHAINS; ++j)
        sum[j] = deviation[j] = (float8)0.0f;
    for (int i = 0; i < PLANE; i += CHAINS)
#pragma unroll
        for (int j = 0; j < CHAINS; ++j)
            if (i + j < PLANE)
                sum[j] += vload8(i + j, plane);
    const float8 local_mean = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)PLANE;
    for (int i = 0; i < PLANE; i += CHAINS)
#pragma unroll
        for (int j = 0; j < CHAINS; ++j)
            if (i + j < PLANE) {
                const float8 d = vload8(i + j, plane) - local_mean;
                deviation[j] = fma(d, d, deviation[j]);
            }
    const float8 delta = local_mean - *mean;
    const float share = 1.0f / (samples + 1);
    *squares += (deviation[0] + deviation[1]) + (deviation[2] + deviation[3]) +
                delta * delta * (samples * share * PLANE);
    *mean += delta * share;
}

/* z in `saved` and the moments of each work-item's samples in scratch, from x (n, IH, IW, IC); the
 * bias at its offset; the weights were packed by norm_block_pack. input_scales (n, IC) tell the
 * dropped channels where input_masked. */
kernel void norm_block_convolve(global float *saved, global float *scratch, const global float *x,
                                const global float *parameters, int bias_offset,
                                const global float *input_scales, int input_masked, int n)
{
    const int item = get_global_id(0);
    if (item >= ITEMS)
        return;
    const global float *packed = scratch + SUMS;
    global float *tile = scratch + SUMS + WEIGHTS + item * (size_t)SCRATCH;
    global float *kept_weights = tile + ALIGNED(TILE(IC));
    float8 mean[VECTORS], squares[VECTORS];
    int input_list[LIST(IC)];
    for (int v = 0; v < VECTORS; ++v)
        mean[v] = squares[v] = (float8)0.0f;

    const int begin = sample_begin(n, item), end = sample_begin(n, item + 1);
    for (int sample = begin; sample < end; ++sample) {
        const selection input = select_inputs(input_list, input_scales + sample * IC, input_masked);
        const sweep s = {PLANE, OW, TW, input.count, 1, 0};
        global float *z = Z(saved) + sample * (size_t)(PLANE * WIDTH);
        const global float *weights = packed;
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), input, input.count);
        if (input.count < IC) {
            pack_kept(kept_weights, packed, input);
            weights = kept_weights;
        }
        convolve(z, tile, weights, parameters + bias_offset, OC, s, VECTORS);
        for (int v = 0; v < VECTORS; ++v)
            add_moments(&mean[v], &squares[v], z + v * (PLANE * 8), sample - begin);
    }
    global float *moments = scratch + item * (2 * OC);
    for (int v = 0; v < VECTORS; ++v) {
        store_channels(mean[v], moments, v * 8, OC);
        store_channels(squares[v], moments + OC, v * 8, OC);
    }
}

/* y (n, PH, PW, OC), best and which, from z and the statistics in `saved`; weight and bias of
 * the batch norm at their offsets; scales (n, OC) multiply where `masked`. */
kernel void norm_block_apply(global float *restrict y, global float *restrict saved,
                            const global float *restrict parameters, int w_offset, int b_offset,
                            const global float *restrict scales, int masked, int n)
{
    FOR_EACH (row, (size_t)n * VECTORS * PH) {
        const size_t py = row % PH, at = row / PH % VECTORS * 8, sample = row / (PH * VECTORS);
        const float8 mean = load_channels(saved, at, OC);
        const float8 inverse = load_channels(saved + OC, at, OC);
        const float8 weight = load_channels(parameters + w_offset, at, OC);
        const float8 bias = load_channels(parameters + b_offset, at, OC);
        const float8 scale =
            masked ? load_channels(scales + sample * OC, at, OC) : (float8)1.0f;
        const global float *top = Z(saved) + (row / PH * PLANE + 2 * py * OW) * 8;
        global float *normalised = BEST(saved, n) + row * (PW * 8);
        global uchar *which = WHICH(global uchar *, saved, n) + row * (PW * 8);
        global float *target = y + (sample * PH + py) * (PW * OC);
        for (int px = 0; px < PW; ++px) {
            float8 best = (float8)0.0f, best_h = (float8)0.0f;
            int8 position = (int8)0;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float8 h = (vload8(2 * px + i % 2 + i / 2 * OW, top) - mean) * inverse;
                const float8 value = h * weight + bias;
                const int8 larger = i == 0 ? (int8)-1 : (value > best) | (value != value);
                best = select(best, value, larger);
                best_h = select(best_h, h, larger);
                position = select(position, (int8)i, larger);
            }
            const int8 dead = best <= (float8)0.0f;
            best = select(best, (float8)0.0f, dead) * scale;
            position = select(position, (int8)DEAD, dead | (scale == (float8)0.0f));
            store_channels(best, target + px * OC, at, OC);
            vstore8(best_h, px, normalised);
            vstore8(convert_uchar8(position), px, which);
        }
    }
}

/* For evaluation: what conv_block_evaluate and winograd_weights expect as packed (BLOCKS, TAPS, IC, 16), and the bias
 * (OC) at bias_at, with the affine map of the running statistics in them. */
kernel void norm_block_fold(global float *restrict packed, int bias_at,
                            const global float *restrict parameters, int w_offset, int b_offset,
                            int norm_w_offset, int norm_b_offset,
                            const global float *restrict statistics, int offset, float epsilon)
{
    enum { BLOCK = 16, ALL = (OC + BLOCK - 1) / BLOCK * BLOCK * TAPS * IC };
    FOR_EACH (i, ALL + OC) {
        const int is_bias = i >= ALL;
        const int c = i / BLOCK % IC, tap = i / (BLOCK * IC) % TAPS;
        const int o = is_bias ? i - ALL : i / (BLOCK * IC * TAPS) * BLOCK + i % BLOCK;
        float value = 0.0f;
        if (o < OC) {
            const float factor = parameters[norm_w_offset + o] /
                                 sqrt(statistics[offset + OC + o] + epsilon);
            value = is_bias ? (parameters[b_offset + o] - statistics[offset + o]) * factor +
                                  parameters[norm_b_offset + o]
                            : parameters[w_offset + (o * IC + c) * TAPS + tap] * factor;
        }
        packed[is_bias ? bias_at + o : i] = value;
    }
}
