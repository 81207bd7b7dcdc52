/* Convolution, ReLU, 2x2 max pool and Dropout2d as one operation, for devices whose work-items are
 * long: each takes whole samples, one after the other.
 *
 * Forward keeps the four sums of a pool window in registers and writes the pooled value alone, with
 * one byte per window: which of the four it was, in row-major order, or DEAD where it was not
 * positive. Backward walks these events: three in four positions, and all dead ones, carry nothing.
 *
 * Dropped channels (their masks are drawn before) are neither computed nor read: their sample's
 * input and weights are packed to the kept channels first. What is left out is exactly zero, and
 * what is summed is summed in the order of cl/conv.cl.
 *
 * Layout: activations (N, H, W, C); weights w (O, I, K, K). A tile is a sample's input with its
 * padding, (TH, TW, stride), kept channels innermost.
 *
 * Must be given: IC, IH, IW (input), OC, K, PAD, PH, PW (pooled plane);
 *   SCRATCH  floats of scratch memory per work-item (src/plan/conv_block.c computes it). */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(K) || \
    !defined(PAD) || !defined(PH) || !defined(PW) || !defined(SCRATCH)
#error "IC, IH, IW, OC, K, PAD, PH, PW and SCRATCH must be given"
#endif

#include "channels.cl"
#include "loop.cl"

#define DEAD 4
#define OCB 16 /* output channels of a register block */
#define BLOCKS ((OC + OCB - 1) / OCB)
#define TAPS (K * K)
#define TH (2 * PH + K - 1)
#define TW (2 * PW + K - 1)
#define WINDOWS (PH * PW)

/* Backward reads and adds eight channels at a time: a pixel of its tile has a multiple of eight,
 * unless the input has fewer; and a row of taps is filled up with zeros to whole vectors. */
#define PADDED(channels) (IC < 8 ? (channels) : ((channels) + 7) / 8 * 8)
#define ROW(stride) ((K * (stride) + 7) / 8 * 8)
#define TILE(stride) (TH * TW * (stride) + 8)

/* The scratch memory. Forward: the packed weights, then SCRATCH floats for each work-item. Backward:
 * the packed rows, each work-item's partial gradients of weights (OC, K, ROW) and bias (OC), then
 * SCRATCH floats for each. */
#define PACKED (BLOCKS * TAPS * IC * OCB)
#define PARTIAL (OC * K * ROW(PADDED(IC)))

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

/* For backward: packed (OC, K, ROW), each row (K, stride) with stride PADDED(IC). */
kernel void conv_block_pack_rows(global float *restrict packed, const global float *restrict w,
                                 int w_offset)
{
    const int stride = PADDED(IC), row = ROW(stride);
    FOR_EACH (i, OC * K * row) {
        const int at = i % row, ky = i / row % K, o = i / (row * K), kx = at / stride;
        const int c = at % stride;
        packed[i] = kx < K && c < IC ? w[w_offset + (o * IC + c) * TAPS + ky * K + kx] : 0.0f;
    }
}

/* The channels whose scale is not zero; all of them where there is no mask. */
static int list_kept(int *list, const global float *scales, int channels, int masked)
{
    int kept = 0;
    for (int c = 0; c < channels; ++c) {
        list[kept] = c;
        kept += !masked || scales[c] != 0.0f;
    }
    return kept;
}

/* tile (TH, TW, stride) of the kept channels of plane (IH, IW, IC); zeros around it, and in the
 * channels from `kept` to the stride. */
static void fill_tile(global float *restrict tile, const global float *restrict plane,
                      const int *list, int kept, int stride)
{
    for (int i = TILE(stride) - 8; i < TILE(stride); ++i)
        tile[i] = 0.0f;
    for (int ty = 0; ty < TH; ++ty)
        for (int tx = 0; tx < TW; ++tx) {
            global float *target = tile + (ty * TW + tx) * stride;
            const int iy = ty - PAD, ix = tx - PAD;
            const int inside = iy >= 0 && iy < IH && ix >= 0 && ix < IW;
            const global float *source = plane + (iy * IW + ix) * IC;
            if (!inside)
                for (int k = 0; k < stride; ++k)
                    target[k] = 0.0f;
            else if (kept == IC)
                for (int k = 0; k < IC; ++k)
                    target[k] = source[k];
            else
                for (int k = 0; k < kept; ++k)
                    target[k] = source[list[k]];
            for (int k = kept; inside && k < stride; ++k)
                target[k] = 0.0f;
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

/* add_taps_PIXELS_VECTORS: the sums of some positions by eight or sixteen output channels. Pixels 0 to
 * 3 are a pool window in row-major order, 4 to 7 the one to its right. at: the tile's pixel under
 * the first tap. Their numbers are constants, so that the sums stay in registers. */
#define DEFINE_ADD_TAPS(PIXELS, VECTORS)                                                           \
    static void add_taps_##PIXELS##_##VECTORS(float8 *sum, const global float *at,                 \
                                              const global float *weights, int stride)             \
    {                                                                                              \
        for (int ky = 0; ky < K; ++ky, at += TW * stride)                                          \
            for (int i = 0; i < K * stride; ++i, weights += OCB) {                                 \
                float8 w[VECTORS];                                                                 \
                _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                                  \
                    w[v] = vload8(v, weights);                                                     \
                _Pragma("unroll") for (int p = 0; p < PIXELS; ++p) {                                                 \
                    const int offset = (p / 2 % 2 * TW + p % 2 + p / 4 * 2) * stride;              \
                    _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                              \
                        sum[p * VECTORS + v] =                                                     \
                            fma((float8)at[i + offset], w[v], sum[p * VECTORS + v]);               \
                }                                                                                  \
            }                                                                                      \
    }

DEFINE_ADD_TAPS(4, 2)
DEFINE_ADD_TAPS(8, 1)

/* Max pool and ReLU of a window's four sums, which are `step` apart. */
static float8 pool(int8 *position, const float8 *sum, int step)
{
    float8 best = sum[0];
    int8 at = (int8)0;
    for (int p = 1; p < 4; ++p) {
        const int8 larger = sum[p * step] > best || isnan(sum[p * step]);
        best = select(best, sum[p * step], larger);
        at = select(at, (int8)p, larger);
    }
    const int8 dead = best <= (float8)0.0f;
    *position = select(at, (int8)DEAD, dead);
    return select(best, (float8)0.0f, dead);
}

/* Writes eight channels of a pooled pixel: those that list names, from number `first` on. */
static void store_pooled(global float *y, global uchar *which, const float8 *sum, int step,
                         const int *list, int first, int kept, float scale)
{
    int8 position;
    const float8 value = pool(&position, sum, step) * scale;
    if (kept == OC && first + 8 <= OC) {
        vstore8(value, 0, y + first);
        vstore8(convert_uchar8(position), 0, which + first);
        return;
    }
    float values[8];
    int positions[8];
    vstore8(value, 0, values);
    vstore8(position, 0, positions);
    for (int j = 0; j < 8; ++j)
        if (first + j < kept) {
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
            float8 sum[8];
            if (narrow && px + 1 < PW) {
                for (int p = 0; p < 8; ++p)
                    sum[p] = bias0;
                add_taps_8_1(sum, at, weights, stride);
                store_pooled(y + window, which + window, sum, 1, list, first, kept, scale);
                store_pooled(y + window + OC, which + window + OC, sum + 4, 1, list, first, kept,
                             scale);
                px += 2;
                continue;
            }
            for (int p = 0; p < 4; ++p) {
                sum[2 * p] = bias0;
                sum[2 * p + 1] = bias1;
            }
            add_taps_4_2(sum, at, weights, stride);
            store_pooled(y + window, which + window, sum, 2, list, first, kept, scale);
            store_pooled(y + window, which + window, sum + 1, 2, list, first + 8, kept, scale);
            px += 1;
        }
}

/* y (n, PH, PW, OC) and which (n, PH, PW, OC) from x (n, IH, IW, IC); the bias at its
 * offset; the weights were packed by conv_block_pack. input_scales (n, IC) and output_scales (n, OC) tell the dropped channels where
 * input_masked and output_masked; scale multiplies what is kept. `items` work-items share the n
 * samples; scratch (items, SCRATCH). */
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
        const int inputs = list_kept(input, input_scales + sample * IC, IC, input_masked);
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

/* The events of one output channel: where its gradient goes in the tile, and how much. */
static int list_events(global int *restrict offsets, global float *restrict amounts,
                       const global float *restrict dy, const global uchar *restrict which, int o,
                       float scale, int stride)
{
    int count = 0;
    for (int py = 0; py < PH; ++py)
        for (int px = 0; px < PW; ++px) {
            const int at = (py * PW + px) * OC + o, position = which[at];
            offsets[count] = ((2 * py + (position >> 1 & 1)) * TW + 2 * px + (position & 1)) * stride;
            amounts[count] = dy[at] * scale;
            count += position != DEAD;
        }
    return count;
}

/* The vectors of a row that are summed in registers together: a long run, a run, a single one. */
#define LONG_RUN (K <= 3 ? 2 * K : K)

/* sum_NAME: sums (VECTORS * 8) = the events' amounts times the tile's values at their offsets. */
#define DEFINE_SUM_EVENTS(NAME, VECTORS)                                                           \
    static void sum_##NAME(global float *sums, const global float *tile,                           \
                           const global int *offsets, const global float *amounts, int count)      \
    {                                                                                              \
        float8 sum[VECTORS];                                                                       \
        _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                                          \
            sum[v] = (float8)0.0f;                                                                 \
        for (int event = 0; event < count; ++event) {                                              \
            const global float *at = tile + offsets[event];                                        \
            const float8 amount = (float8)amounts[event];                                          \
            _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                                      \
                sum[v] = fma(amount, vload8(v, at), sum[v]);                                       \
        }                                                                                          \
        _Pragma("unroll") for (int v = 0; v < VECTORS; ++v)                                                          \
            vstore8(sum[v], v, sums);                                                              \
    }

DEFINE_SUM_EVENTS(long_run, LONG_RUN)
DEFINE_SUM_EVENTS(run, K)
DEFINE_SUM_EVENTS(single, 1)

/* The gradient of one output channel's weights, added to partial (K, ROW(PADDED(IC))). */
static void add_weights(global float *restrict partial, global float *restrict sums,
                        const global float *restrict tile, const int *list, int kept, int stride,
                        const global int *offsets, const global float *amounts, int count)
{
    const int vectors = ROW(stride) / 8, all = PADDED(IC);
    for (int ky = 0; ky < K; ++ky) {
        const global float *row = tile + ky * TW * stride;
        int v = 0;
        for (; v + LONG_RUN <= vectors; v += LONG_RUN)
            sum_long_run(sums + v * 8, row + v * 8, offsets, amounts, count);
        for (; v + K <= vectors; v += K)
            sum_run(sums + v * 8, row + v * 8, offsets, amounts, count);
        for (; v < vectors; ++v)
            sum_single(sums + v * 8, row + v * 8, offsets, amounts, count);

        global float *target = partial + ky * ROW(PADDED(IC));
        for (int kx = 0; kx < K; ++kx)
            if (kept == IC)
                for (int c = 0; c < IC; ++c)
                    target[kx * all + c] += sums[kx * stride + c];
            else
                for (int k = 0; k < kept; ++k)
                    target[kx * all + list[k]] += sums[kx * stride + k];
    }
}

/* Adds each event's amount times the rows of weights (K, ROW(stride)) to the tile of the input's
 * gradient. */
static void scatter_events(global float *restrict tile, const global float *restrict rows,
                           int stride, const global int *offsets, const global float *amounts,
                           int count)
{
    const int vectors = ROW(stride) / 8;
    for (int event = 0; event < count; ++event) {
        const float8 amount = (float8)amounts[event];
        for (int ky = 0; ky < K; ++ky) {
            global float *at = tile + offsets[event] + ky * TW * stride;
            const global float *row = rows + ky * ROW(stride);
            for (int v = 0; v < vectors; ++v)
                vstore8(fma(amount, vload8(v, row), vload8(v, at)), v, at);
        }
    }
}

/* rows (K, ROW(stride)) of the kept input channels, from packed (K, ROW(PADDED(IC))). */
static void pack_rows(global float *restrict rows, const global float *restrict packed,
                      const int *list, int kept, int stride)
{
    for (int ky = 0; ky < K; ++ky, packed += ROW(PADDED(IC)), rows += ROW(stride)) {
        for (int kx = 0; kx < K; ++kx)
            for (int k = 0; k < stride; ++k)
                rows[kx * stride + k] = k < kept ? packed[kx * PADDED(IC) + list[k]] : 0.0f;
        for (int i = K * stride; i < ROW(stride); ++i)
            rows[i] = 0.0f;
    }
}

/* dx (IH, IW, IC) from its tile; zero in dropped channels, and where no window looked. */
static void store_tile(global float *restrict dx, const global float *restrict tile,
                       const int *list, int kept, int stride)
{
    for (int iy = 0; iy < IH; ++iy)
        for (int ix = 0; ix < IW; ++ix) {
            global float *target = dx + (iy * IW + ix) * IC;
            const global float *source = tile + ((iy + PAD) * TW + ix + PAD) * stride;
            const int inside = iy + PAD < TH && ix + PAD < TW;
            if (!inside || kept < IC)
                for (int c = 0; c < IC; ++c)
                    target[c] = 0.0f;
            if (inside && kept == IC)
                for (int c = 0; c < IC; ++c)
                    target[c] = source[c];
            else if (inside)
                for (int k = 0; k < kept; ++k)
                    target[list[k]] = source[k];
        }
}

/* Each work-item's partial gradients, and dx (n, IH, IW, IC) where `want_input`. dy, which (n, PH, PW,
 * OC); x (n, IH, IW, IC); the weights were packed by conv_block_pack_rows; the rest as in
 * conv_block_forward. */
kernel void conv_block_backward(global float *restrict dx, int want_input,
                                const global float *restrict dy,
                                const global uchar *restrict which, const global float *restrict x,
                                const global float *restrict input_scales, int input_masked,
                                const global float *restrict output_scales, int output_masked,
                                float scale, global float *restrict scratch, int n, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const global float *packed = scratch;
    global float *partial = scratch + PARTIAL * (size_t)(1 + item);
    global float *bias_partial = scratch + PARTIAL * (size_t)(1 + items) + item * OC;
    global float *tile =
        scratch + PARTIAL * (size_t)(1 + items) + items * OC + item * (size_t)SCRATCH;
    global float *gradient_tile = tile + TILE(PADDED(IC));
    global float *rows = gradient_tile + TILE(PADDED(IC));
    global float *sums = rows + K * ROW(PADDED(IC));
    global float *amounts = sums + ROW(PADDED(IC));
    global int *offsets = (global int *)(amounts + WINDOWS + 1);
    int input[IC];

    for (int i = 0; i < PARTIAL; ++i)
        partial[i] = 0.0f;
    for (int o = 0; o < OC; ++o)
        bias_partial[o] = 0.0f;

    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        const int inputs = list_kept(input, input_scales + sample * IC, IC, input_masked);
        const int stride = PADDED(inputs);
        fill_tile(tile, x + sample * (size_t)(IH * IW * IC), input, inputs, stride);
        if (want_input)
            for (int i = 0; i < TILE(stride); ++i)
                gradient_tile[i] = 0.0f;
        for (int o = 0; o < OC; ++o) {
            if (output_masked && output_scales[sample * OC + o] == 0.0f)
                continue;
            const size_t at = sample * (size_t)(WINDOWS * OC);
            const int count =
                list_events(offsets, amounts, dy + at, which + at, o, scale, stride);
            for (int event = 0; event < count; ++event)
                bias_partial[o] += amounts[event];
            if (count == 0)
                continue;
            add_weights(partial + o * (K * ROW(PADDED(IC))), sums, tile, input, inputs, stride,
                        offsets, amounts, count);
            if (!want_input)
                continue;
            const global float *packed_rows = packed + o * (K * ROW(PADDED(IC)));
            if (inputs == IC) {
                scatter_events(gradient_tile, packed_rows, stride, offsets, amounts, count);
            } else {
                pack_rows(rows, packed_rows, input, inputs, stride);
                scatter_events(gradient_tile, rows, stride, offsets, amounts, count);
            }
        }
        if (want_input)
            store_tile(dx + sample * (size_t)(IH * IW * IC), gradient_tile, input, inputs, stride);
    }
}

/* dw (OC, IC, K, K) and db (OC) at their offsets: the work-items' partials in their order. */
kernel void conv_block_reduce(global float *restrict gradients, int w_offset, int b_offset,
                              const global float *restrict scratch, int items)
{
    const int row = ROW(PADDED(IC));
    const global float *partials = scratch + PARTIAL;
    const global float *bias_partials = scratch + PARTIAL * (size_t)(1 + items);
    FOR_EACH (i, OC * (TAPS * IC + 1)) {
        const int o = i / (TAPS * IC + 1), at = i % (TAPS * IC + 1);
        float sum = 0.0f;
        if (at == TAPS * IC) {
            for (int item = 0; item < items; ++item)
                sum += bias_partials[item * OC + o];
            gradients[b_offset + o] = sum;
            continue;
        }
        const int c = at % IC, tap = at / IC, ky = tap / K, kx = tap % K;
        const global float *source = partials + (o * K + ky) * row + kx * PADDED(IC) + c;
        for (int item = 0; item < items; ++item)
            sum += source[item * (size_t)PARTIAL];
        gradients[w_offset + (o * IC + c) * TAPS + tap] = sum;
    }
}
