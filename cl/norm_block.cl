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
#define LISTED 1
#include "taps.cl"

/* scratch: packed (VECTORS, TAPS, IC, 8), filled up with zeros. */
kernel void norm_block_pack(global float *restrict scratch, const global float *restrict w,
                            int w_offset, int items)
{
    global float *packed = scratch + SUMS(items);
    FOR_EACH (i, WEIGHTS) {
        const int c = i / 8 % IC, tap = i / (8 * IC) % TAPS;
        const int o = (int)(i / (8 * IC * TAPS)) * 8 + i % 8;
        packed[i] = o < OC ? w[w_offset + (o * IC + c) * TAPS + tap] : 0.0f;
    }
}

/* list (TAPS, inputs): where packed has the weights of the kept channels. */
static void list_weights(global int *list, selection input)
{
    for (int tap = 0; tap < TAPS; ++tap)
        for (int k = 0; k < input.count; ++k)
            list[tap * input.count + k] = (tap * IC + input.list[k]) * 8;
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

/* z in `saved`, unless STORED is 0, and the moments of each work-item's samples in scratch, from x
 * (n, IH, IW, IC); the bias at its offset; the weights were packed by norm_block_pack. input_scales
 * (n, IC) tell the dropped channels where input_masked, which may be PACKED (cl/kept.cl). */
kernel void norm_block_convolve(global float *saved, global float *scratch, const global float *x,
                                const global float *parameters, int bias_offset,
                                const global float *input_scales, int input_masked, int n,
                                int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const global float *packed = scratch + SUMS(items);
    global float *tile = scratch + SUMS(items) + WEIGHTS + item * (size_t)SCRATCH;
    global int *list = (global int *)(tile + ALIGNED(TILE(IC)));
    global float *unstored = tile + ALIGNED(TILE(IC)) + ALIGNED(TAPS * IC);
    float8 mean[VECTORS], squares[VECTORS];
    int input_list[LIST(IC)];
    for (int v = 0; v < VECTORS; ++v)
        mean[v] = squares[v] = (float8)0.0f;

    const int begin = sample_begin(n, item, items), end = sample_begin(n, item + 1, items);
    for (int sample = begin; sample < end; ++sample) {
        const selection input = select_inputs(input_list, input_scales + sample * IC, input_masked);
        const sweep s = {PLANE, OW, TW, input.count, 1, 0, TAPS * IC * 8, list};
        global float *z =
            STORED ? Z(saved) + sample * (size_t)(PLANE * WIDTH) : unstored;
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), input, input.count);
        list_weights(list, input);
        convolve(z, tile, packed, parameters + bias_offset, OC, s, VECTORS);
        for (int v = 0; v < VECTORS; ++v)
            add_moments(&mean[v], &squares[v], z + v * (PLANE * 8), sample - begin);
    }
    global float *moments = scratch + item * (2 * OC);
    for (int v = 0; v < VECTORS; ++v) {
        store_channels(mean[v], moments, v * 8, OC);
        store_channels(squares[v], moments + OC, v * 8, OC);
    }
}

/* Batch norm of eight channels. */
typedef struct affine {
    float8 mean, inverse, weight, bias;
} affine;

/* Stores those of a vector's channels that are kept; y: a pixel. */
static void store_lanes(global float *y, float8 value, lanes to)
{
    float values[8];
    if (to.count == 8) {
        vstore8(value, 0, y + to.at[0]);
        return;
    }
    vstore8(value, 0, values);
    for (int i = 0; i < to.count; ++i)
        y[to.at[to.order[i]]] = values[to.order[i]];
}

/* The windows of one vector of a sample's channels: y (PH, PW, pitch), best and which (PH, PW, 8)
 * from z (OH, OW, 8). */
static void apply_vector(global float *y, global float *best, global uchar8 *which,
                         const global float *z, affine norm, float scale, lanes to, int pitch)
{
    for (int py = 0; py < PH; ++py, z += 2 * OW * 8)
        for (int px = 0; px < PW; ++px, y += pitch, best += 8, ++which) {
            float8 largest = (float8)0.0f, largest_h = (float8)0.0f;
            int8 position = (int8)0;
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const float8 h =
                    (vload8(2 * px + i % 2 + i / 2 * OW, z) - norm.mean) * norm.inverse;
                const float8 value = h * norm.weight + norm.bias;
                const int8 larger = i == 0 ? (int8)-1 : (value > largest) | (value != value);
                largest = select(largest, value, larger);
                largest_h = select(largest_h, h, larger);
                position = select(position, (int8)i, larger);
            }
            const int8 dead = (largest <= (float8)0.0f) | ~to.kept;
            store_lanes(y, select(largest, (float8)0.0f, dead) * scale, to);
            vstore8(largest_h, 0, best);
            *which = convert_uchar8(select(position, (int8)DEAD, dead));
        }
}

/* y (n, PH, PW, OC), best and which, from z and the statistics in `saved`; weight and bias of
 * the batch norm at their offsets; scales (n, OC) tell the dropped channels where `masked`, which
 * may be PACKED (cl/kept.cl); scale multiplies what is kept. */
kernel void norm_block_apply(global float *y, global float *saved, const global float *parameters,
                             int w_offset, int b_offset, const global float *scales, int masked,
                             float scale, int n)
{
    int list[LIST(OC)];
    FOR_EACH (sample, (size_t)n) {
        const selection output = select_kept(list, scales + sample * OC, OC, masked);
        global float *pixels = y + sample * (WINDOWS * OC);
        if (output.count < output.pitch)
            clear(pixels, WINDOWS * OC);
        for (int v = 0, k = 0; v < VECTORS; ++v) {
            const size_t plane = sample * VECTORS + v;
            const lanes to = find_lanes(output, v, k);
            const affine norm = {load_channels(saved, v * 8, OC),
                                 load_channels(saved + OC, v * 8, OC),
                                 load_channels(parameters + w_offset, v * 8, OC),
                                 load_channels(parameters + b_offset, v * 8, OC)};
            apply_vector(pixels, BEST(saved, n) + plane * (WINDOWS * 8),
                         WHICH(global uchar8 *, saved, n) + plane * WINDOWS,
                         Z(saved) + plane * (PLANE * 8), norm, scale, to, output.pitch);
            k += to.count;
        }
    }
}

/* For evaluation: what conv_block_evaluate and winograd_weights expect as packed (BLOCKS, TAPS, IC,
 * 16), and the bias (OC) at bias_at, with the affine map of the running statistics in them. */
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
