/* The gradients of the convolution block (cl/conv_block.cl): they walk over events, which are the
 * windows of a kept channel whose value was positive, and where in the window it was.
 *
 * The options are in cl/conv_block_shape.cl. */
#include "conv_block_shape.cl"

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

/* sum_NAME: sums (ROWS, VECTORS * 8), which are `row` apart, = the events' amounts times the tile's
 * values at their offsets, and those of the next ROWS - 1 rows of the tile. */
#define DEFINE_SUM_EVENTS(NAME, ROWS, VECTORS)                                                     \
    static void sum_##NAME(global float *sums, const global float *tile, int stride,               \
                           const global int *offsets, const global float *amounts, int count)      \
    {                                                                                              \
        float8 sum[ROWS * VECTORS];                                                                \
        _Pragma("unroll") for (int i = 0; i < ROWS * VECTORS; ++i) sum[i] = (float8)0.0f;          \
        for (int event = 0; event < count; ++event) {                                              \
            const global float *at = tile + offsets[event];                                        \
            const float8 amount = (float8)amounts[event];                                          \
            _Pragma("unroll") for (int i = 0; i < ROWS * VECTORS; ++i)                             \
                sum[i] = fma(amount, vload8(i % VECTORS, at + i / VECTORS * (TW * stride)),        \
                             sum[i]);                                                              \
        }                                                                                          \
        _Pragma("unroll") for (int i = 0; i < ROWS * VECTORS; ++i)                                 \
            vstore8(sum[i], i % VECTORS, sums + i / VECTORS * ROW(stride));                        \
    }

/* A narrow first layer's taps all fit the registers; else a row is done in runs of vectors. */
#define ALL_AT_ONCE (FIRST && K * ROW(IC) / 8 <= 12)
#define LONG_RUN (K <= 3 ? 2 * K : K)

#if ALL_AT_ONCE
DEFINE_SUM_EVENTS(all, K, (ROW(IC) / 8))
#else
DEFINE_SUM_EVENTS(long_run, 1, LONG_RUN)
DEFINE_SUM_EVENTS(run, 1, K)
DEFINE_SUM_EVENTS(single, 1, 1)
#endif

/* sums (K, ROW(stride)): the gradient of one output channel's weights from its events. */
static void sum_events(global float *restrict sums, const global float *restrict tile, int stride,
                       const global int *offsets, const global float *amounts, int count)
{
#if ALL_AT_ONCE
    sum_all(sums, tile, stride, offsets, amounts, count);
#else
    const int vectors = ROW(stride) / 8;
    for (int ky = 0; ky < K; ++ky, tile += TW * stride, sums += ROW(stride)) {
        int v = 0;
        for (; v + LONG_RUN <= vectors; v += LONG_RUN)
            sum_long_run(sums + v * 8, tile + v * 8, stride, offsets, amounts, count);
        for (; v + K <= vectors; v += K)
            sum_run(sums + v * 8, tile + v * 8, stride, offsets, amounts, count);
        for (; v < vectors; ++v)
            sum_single(sums + v * 8, tile + v * 8, stride, offsets, amounts, count);
    }
#endif
}

/* Adds sums (K, ROW(stride)) of the kept input channels to partial (K, ROW(PADDED(IC))). */
static void add_sums(global float *restrict partial, const global float *restrict sums,
                     const int *list, int kept, int stride)
{
    for (int ky = 0; ky < K; ++ky, partial += ROW(PADDED(IC)), sums += ROW(stride)) {
        if (kept == IC)
            for (int i = 0; i < ROW(PADDED(IC)); ++i)
                partial[i] += sums[i];
        else
            for (int kx = 0; kx < K; ++kx)
                for (int k = 0; k < kept; ++k)
                    partial[kx * PADDED(IC) + list[k]] += sums[kx * stride + k];
    }
}

/* What the events of one pool window add to the input's gradient. TAP_ROWS rows of taps by eight
 * channels are summed in registers over all output channels whose event is at the same position. */
#define TAP_ROWS (12 / K > K ? K : 12 / K > 0 ? 12 / K : 1)

#define DEFINE_SPREAD_EVENTS(NAME, ROWS)                                                           \
    static void spread_##NAME(global float *at, const global float *rows, int stride,              \
                              const int *outputs, const float *amounts, int count)                 \
    {                                                                                              \
        float8 sum[ROWS * K];                                                                      \
        _Pragma("unroll") for (int i = 0; i < ROWS * K; ++i)                                       \
            sum[i] = vload8(0, at + (i / K * TW + i % K) * stride);                                \
        for (int event = 0; event < count; ++event) {                                              \
            const global float *row = rows + outputs[event] * (K * ROW(stride));                   \
            const float8 amount = (float8)amounts[event];                                          \
            _Pragma("unroll") for (int i = 0; i < ROWS * K; ++i)                                   \
                sum[i] = fma(amount, vload8(0, row + i / K * ROW(stride) + i % K * stride),        \
                             sum[i]);                                                              \
        }                                                                                          \
        _Pragma("unroll") for (int i = 0; i < ROWS * K; ++i)                                       \
            vstore8(sum[i], 0, at + (i / K * TW + i % K) * stride);                                \
    }

DEFINE_SPREAD_EVENTS(rows, TAP_ROWS)
DEFINE_SPREAD_EVENTS(row, 1)

/* at: the tile's pixel under the first tap; rows (outputs, K, ROW(stride)). */
static void spread_events(global float *at, const global float *rows, int stride,
                          const int *outputs, const float *amounts, int count)
{
    for (int c = 0; c < stride; c += 8) {
        int ky = 0;
        for (; ky + TAP_ROWS <= K; ky += TAP_ROWS)
            spread_rows(at + ky * TW * stride + c, rows + ky * ROW(stride) + c, stride, outputs,
                        amounts, count);
        for (; ky < K; ++ky)
            spread_row(at + ky * TW * stride + c, rows + ky * ROW(stride) + c, stride, outputs,
                       amounts, count);
    }
}

/* rows (outputs, K, ROW(stride)) of the kept channels, from packed (OC, K, ROW(PADDED(IC))). */
static void pack_kept_rows(global float *restrict rows, const global float *restrict packed,
                           const int *input, int inputs, const int *output, int outputs, int stride)
{
    for (int i = 0; i < outputs; ++i)
        for (int ky = 0; ky < K; ++ky, rows += ROW(stride)) {
            const global float *source = packed + (output[i] * K + ky) * ROW(PADDED(IC));
            for (int kx = 0; kx < K; ++kx) {
                for (int k = 0; k < inputs; ++k)
                    rows[kx * stride + k] = source[kx * PADDED(IC) + input[k]];
                for (int k = inputs; k < stride; ++k)
                    rows[kx * stride + k] = 0.0f;
            }
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

/* What a work-item of conv_block_backward has for itself in the scratch memory. */
typedef struct room {
    global float *tile, *gradient_tile; /* (TH, TW, stride) */
    global float *rows;                 /* (outputs, K, ROW(stride)) */
    global float *sums;                 /* (K, ROW(stride)) */
    global float *amounts;              /* (OC, WINDOWS): each kept output channel's events, */
    global int *offsets;                /* their gradients and their places in the tile */
    global float *partial, *bias_partial;
} room;

/* Lists each output channel's events in `room`, counts (outputs) of them, and adds what they
 * give to the input's gradient: window by window, position by position. */
static void walk_events(const room *room, int *counts, const global float *dy,
                        const global uchar *which, const int *output, int outputs,
                        const global float *rows, int whole_rows, int stride, float scale)
{
    int row[DEAD + 1][OC];
    float amount[DEAD + 1][OC];
    for (int k = 0; k < outputs; ++k)
        counts[k] = 0;
    for (int window = 0; window < WINDOWS; ++window) {
        const int corner = (window / PW * 2 * TW + window % PW * 2) * stride;
        int count[DEAD + 1] = {0};
        for (int k = 0; k < outputs; ++k) {
            const int o = output[k], position = which[window * OC + o];
            const float gradient = dy[window * OC + o] * scale;
            const int event = k * WINDOWS + counts[k];
            room->offsets[event] = corner + ((position >> 1) * TW + (position & 1)) * stride;
            room->amounts[event] = gradient;
            counts[k] += position != DEAD;
            row[position][count[position]] = whole_rows ? o : k;
            amount[position][count[position]] = gradient;
            ++count[position];
        }
        if (FIRST)
            continue;
        for (int position = 0; position < DEAD; ++position)
            if (count[position] > 0)
                spread_events(room->gradient_tile + corner +
                                  ((position >> 1) * TW + (position & 1)) * stride,
                              rows, stride, row[position], amount[position], count[position]);
    }
}

/* One sample. input, output: the kept channels; dx is not looked at in the first layer. */
static void backward_sample(const room *room, global float *dx, const global float *x,
                            const global float *dy, const global uchar *which,
                            const global float *packed, const int *input, int inputs,
                            const int *output, int outputs, float scale)
{
    const int stride = PADDED(inputs), whole_rows = inputs == IC;
    int counts[OC];
    fill_tile(room->tile, x, input, inputs, stride);
    if (!FIRST) {
        for (int i = 0; i < TILE(stride); ++i)
            room->gradient_tile[i] = 0.0f;
        if (!whole_rows)
            pack_kept_rows(room->rows, packed, input, inputs, output, outputs, stride);
    }
    walk_events(room, counts, dy, which, output, outputs, whole_rows ? packed : room->rows,
                whole_rows, stride, scale);
    for (int k = 0; k < outputs; ++k) {
        const global float *amounts = room->amounts + k * WINDOWS;
        float sum = 0.0f;
        for (int event = 0; event < counts[k]; ++event)
            sum += amounts[event];
        room->bias_partial[output[k]] += sum;
        sum_events(room->sums, room->tile, stride, room->offsets + k * WINDOWS, amounts,
                   counts[k]);
        add_sums(room->partial + output[k] * (K * ROW(PADDED(IC))), room->sums, input, inputs,
                 stride);
    }
    if (!FIRST)
        store_tile(dx, room->gradient_tile, input, inputs, stride);
}

/* Each work-item's partial gradients, and dx (n, IH, IW, IC) unless this is the first layer. dy,
 * which (n, PH, PW, OC); x (n, IH, IW, IC); the weights were packed by conv_block_pack_rows; the
 * rest as in conv_block_forward. */
kernel void conv_block_backward(global float *dx, const global float *dy, const global uchar *which,
                                const global float *x, const global float *input_scales,
                                int input_masked, const global float *output_scales,
                                int output_masked, float scale, global float *scratch, int n,
                                int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    room room;
    room.partial = scratch + PARTIAL * (size_t)(1 + item);
    room.bias_partial = scratch + PARTIAL * (size_t)(1 + items) + item * OC;
    room.tile = scratch + PARTIAL * (size_t)(1 + items) + items * OC + item * (size_t)SCRATCH;
    room.gradient_tile = room.tile + TILE(PADDED(IC));
    room.rows = room.gradient_tile + TILE(PADDED(IC));
    room.sums = room.rows + PARTIAL;
    room.amounts = room.sums + K * ROW(PADDED(IC));
    room.offsets = (global int *)(room.amounts + WINDOWS * OC + 1);
    for (int i = 0; i < PARTIAL; ++i)
        room.partial[i] = 0.0f;
    for (int o = 0; o < OC; ++o)
        room.bias_partial[o] = 0.0f;

    int input[IC], output[OC];
    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        const int inputs = list_inputs(input, input_scales + sample * IC, input_masked);
        const int outputs = list_kept(output, output_scales + sample * OC, OC, output_masked);
        const size_t image = sample * (size_t)(IH * IW * IC);
        const size_t pooled = sample * (size_t)(WINDOWS * OC);
        backward_sample(&room, dx + image, x + image, dy + pooled, which + pooled, scratch, input,
                        inputs, output, outputs, scale);
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
