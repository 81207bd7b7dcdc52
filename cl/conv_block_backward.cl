/* The gradients of the convolution block (cl/conv_block.cl): they walk over events, which are the
 * windows of a kept channel whose value was positive, and where in the window it was.
 *
 * The options are in cl/conv_block_shape.cl. */
#include "conv_block_shape.cl"
#include "weights.cl"

/* Where no input channel is dropped: packed (OC, K, ROW), each row (K, stride) with stride
 * PADDED(IC). */
kernel void conv_block_pack_rows(global float *restrict packed, const global float *restrict w,
                                 int w_offset)
{
    const int stride = PADDED(IC), row = ROW(stride);
    FOR_EACH(i, ROWS)
    {
        const int at = i % row, ky = i / row % K, o = i / (row * K), kx = at / stride;
        const int c = at % stride;
        packed[i] = kx < K && c < IC ? w[w_offset + (o * IC + c) * TAPS + ky * K + kx] : 0.0f;
    }
}

/* What a work-item of conv_block_backward has for itself in the scratch memory. */
typedef struct room {
    global float *tile, *gradient_tile; /* (TH, TW, stride) */
    global float *rows;                 /* (outputs, K, ROW(stride)) */
    global float *sums;                 /* (K, ROW(stride)) */
    global float *amounts;              /* (WINDOWS, EIGHTS(outputs)): gradients, scaled */
    global float *event_amounts;        /* (WINDOWS): those of one channel's events, */
    global int *event_offsets;          /* and the events' places in the tile */
    global float *partial, *bias_partial;
#if NORM
    global float *product_partial, *squares; /* (OC), SQUARES floats */
    const global float *best;                /* (WINDOWS, EIGHTS(outputs)): of the sample */
#endif
} room;

/* Where the window's first position is in the tile. */
static int corner(int window, int stride)
{
    return (window / PW * 2 * TW + window % PW * 2) * stride;
}

/* And what a position adds. */
static int beside(int position, int stride)
{
    return ((position >> 1) * TW + (position & 1)) * stride;
}

/* A first layer with few taps: one pass over the windows, eight output channels side by side, of
 * which each takes its gradient at one of the four positions. */
#define NARROW (FIRST && TAPS * IC <= 12)

#if NARROW
static void correlate_windows(const room *room, const global float *dy, const global uchar8 *which,
                              selection output, float scale)
{
    for (int k = 0; k < output.count; k += 8) {
        float8 sum[TAPS * IC], bias = (float8)0.0f;
#if NORM
        float8 product = (float8)0.0f;
#endif
        for (int t = 0; t < TAPS * IC; ++t)
            sum[t] = (float8)0.0f;
        for (int window = 0; window < WINDOWS; ++window) {
            const int place = (window * EIGHTS(output.count) + k) / 8;
            const int8 position = convert_int8(which[place]);
            const float8 gradient = load_kept(dy, window, output, k, WINDOWS * OC) * scale;
            const float8 amount = select(gradient, (float8)0.0f, position == (int8)DEAD);
            const global float *at = room->tile + corner(window, IC);
            bias += amount;
#if NORM
            product = fma(amount, vload8(place, room->best), product);
#endif
#pragma unroll
            for (int p = 0; p < DEAD; ++p) {
                const float8 here = select((float8)0.0f, amount, position == (int8)p);
#pragma unroll
                for (int t = 0; t < TAPS * IC; ++t) {
                    const int tap = t / (K * IC) * (TW * IC) + t % (K * IC);
                    sum[t] = fma((float8)at[beside(p, IC) + tap], here, sum[t]);
                }
            }
        }
        float values[TAPS * IC][8];
        for (int t = 0; t < TAPS * IC; ++t)
            vstore8(sum[t], 0, values[t]);
        for (int j = 0; j < min(8, output.count - k); ++j) {
            const int o = output.list[k + j];
            for (int t = 0; t < TAPS * IC; ++t)
                room->partial[(o * K + t / (K * IC)) * ROW(IC) + t % (K * IC)] += values[t][j];
        }
        add_listed(room->bias_partial, bias, output, k);
#if NORM
        add_listed(room->product_partial, product, output, k);
#endif
    }
}
#else

/* room->amounts of the kept channels' events, zero where a window is dead, from dy (WINDOWS,
 * pitch); and their sums. */
static void fill_amounts(const room *room, const global float *dy, const global uchar8 *which,
                         selection output, float scale)
{
    const int vectors = EIGHTS(output.count) / 8;
    for (int v = 0; v < vectors; ++v) {
        float8 bias = (float8)0.0f;
#if NORM
        float8 product = (float8)0.0f;
#endif
        for (int window = 0, place = v; window < WINDOWS; ++window, place += vectors) {
            const float8 gradient = load_kept(dy, window, output, v * 8, WINDOWS * OC) * scale;
            const int8 dead = convert_int8(which[place]) == (int8)DEAD;
            const float8 amount = select(gradient, (float8)0.0f, dead);
            vstore8(amount, place, room->amounts);
            bias += amount;
#if NORM
            product = fma(amount, vload8(place, room->best), product);
#endif
        }
        add_listed(room->bias_partial, bias, output, v * 8);
#if NORM
        add_listed(room->product_partial, product, output, v * 8);
#endif
    }
}

/* What both below keep in registers: RUN_ROWS rows of taps by RUN vectors, of which a row has a
 * multiple. */
#define RUN (FIRST && IC < 8 ? ROW(IC) / 8 : K)
#define RUN_ROWS (12 / RUN > K ? K : 12 / RUN > 0 ? 12 / RUN : 1)

/* sum_NAME: sums (COUNT, RUN vectors), ROW(stride) apart, = the events' amounts times the tile's
 * values at their offsets, and those of the next rows of the tile. */
#define DEFINE_SUM_EVENTS(NAME, COUNT)                                                             \
    static void sum_##NAME(global float *sums, const global float *tile, int stride,               \
                           const global int *offsets, const global float *amounts, int count)      \
    {                                                                                              \
        float8 sum[COUNT * RUN];                                                                   \
        _Pragma("unroll") for (int i = 0; i < COUNT * RUN; ++i) sum[i] = (float8)0.0f;             \
        for (int event = 0; event < count; ++event) {                                              \
            const global float *at = tile + offsets[event];                                        \
            const float8 amount = (float8)amounts[event];                                          \
            _Pragma("unroll") for (int i = 0; i < COUNT * RUN; ++i) sum[i] =                       \
                fma(amount, vload8(i % RUN, at + i / RUN * (TW * stride)), sum[i]);                \
        }                                                                                          \
        _Pragma("unroll") for (int i = 0; i < COUNT * RUN; ++i)                                    \
            vstore8(sum[i], i % RUN, sums + i / RUN * ROW(stride));                                \
    }

DEFINE_SUM_EVENTS(rows, RUN_ROWS)
DEFINE_SUM_EVENTS(row, 1)

/* room->sums: the gradient of one output channel's weights from its `count` events. */
static void sum_events(const room *room, int stride, int count)
{
    for (int v = 0; v < ROW(stride); v += 8 * RUN) {
        const global float *tile = room->tile + v;
        global float *sums = room->sums + v;
        int ky = 0;
        for (; ky + RUN_ROWS <= K; ky += RUN_ROWS)
            sum_rows(sums + ky * ROW(stride), tile + ky * TW * stride, stride, room->event_offsets,
                     room->event_amounts, count);
        for (; ky < K; ++ky)
            sum_row(sums + ky * ROW(stride), tile + ky * TW * stride, stride, room->event_offsets,
                    room->event_amounts, count);
    }
}

/* Lists the events of kept output channel k. */
static int list_events(const room *room, const global uchar8 *which, int k, int outputs, int stride)
{
    const global uchar *positions = (const global uchar *)which;
    const int place[DEAD + 1] = {0, beside(1, stride), beside(2, stride), beside(3, stride), 0};
    int count = 0;
    for (int py = 0; py < PH; ++py) {
        int offset = 2 * py * TW * stride;
        for (int px = 0; px < PW; ++px, k += EIGHTS(outputs), offset += 2 * stride) {
            const int position = positions[k];
            room->event_amounts[count] = room->amounts[k];
            room->event_offsets[count] = offset + place[position];
            count += position != DEAD;
        }
    }
    return count;
}

/* Adds sums (K, ROW(stride)) to partial, which is as long; of kept input channels to partial (IC,
 * TAPS), whose channels' taps lie together. */
static void add_sums(global float *restrict partial, const global float *restrict sums,
                     selection input, int stride, int masked)
{
    if (!masked)
        for (int i = 0; i < K * ROW(stride); ++i)
            partial[i] += sums[i];
    else
        for (int k = 0; k < input.count; ++k) {
            global float *target = partial + input.list[k] * TAPS;
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap)
                target[tap] += sums[tap / K * ROW(stride) + tap % K * stride + k];
        }
}

/* The partial gradients of the weights. */
static void add_events(const room *room, const global uchar8 *which, selection input,
                       selection output, int stride, int masked)
{
    for (int k = 0; k < output.count; ++k) {
        const int o = output.list[k];
        const int count = list_events(room, which, k, output.count, stride);
        sum_events(room, stride, count);
        add_sums(room->partial + o * (masked ? IC * TAPS : K * ROW(stride)), room->sums, input,
                 stride, masked);
    }
}
#endif

#if !FIRST
#include "conv_block_input.cl"
#endif

#if NORM
#include "norm_squares.cl"
#endif

static room enter(global float *scratch, int item, int items)
{
    room r;
    r.partial = scratch + ROWS + PARTIAL * (size_t)item;
    r.bias_partial = r.partial + ROWS;
    r.tile = scratch + ROWS + PARTIAL * (size_t)items + item * (size_t)SCRATCH;
    r.gradient_tile = r.tile + TILE(PADDED(IC));
    r.rows = r.gradient_tile + TILE(PADDED(IC));
    r.sums = r.rows + ROWS;
    r.amounts = r.sums + K * ROW(PADDED(IC));
    r.event_amounts = r.amounts + WINDOWS * EIGHTS(OC);
    r.event_offsets = (global int *)(r.event_amounts + WINDOWS);
    clear(r.partial, PARTIAL);
#if NORM
    r.product_partial = r.bias_partial + OC;
    r.squares = r.product_partial + OC;
#endif
    return r;
}

/* Each work-item's partial gradients, and dx (n, IH, IW, IC) unless this is the first layer. dy (n,
 * PH, PW, OC); saved as conv_block_forward left it; x (n, IH, IW, IC); the weights at their
 * offset, where no input channel is dropped packed by conv_block_pack_rows; the rest as in
 * conv_block_forward. */
kernel void conv_block_backward(global float *dx, const global float *dy,
                                const global float *saved, const global float *x,
                                const global float *parameters, int w_offset,
                                const global float *input_scales, int input_masked,
                                const global float *output_scales, int output_masked, float scale,
                                global float *scratch, int n, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    room room = enter(scratch, item, items);
    int input_list[LIST(IC)], output_list[LIST(OC)];
    const int end = (int)((long)n * (item + 1) / items);
    for (int sample = (int)((long)n * item / items); sample < end; ++sample) {
        const selection input = select_inputs(input_list, input_scales + sample * IC, input_masked);
        const selection output =
            select_kept(output_list, output_scales + sample * OC, OC, output_masked);
        const size_t windows = sample * (size_t)(WINDOWS * EIGHTS(OC));
        const global uchar8 *which = WHICH(const global uchar8 *, saved, n) + windows / 8;
        const global float *gradient = dy + sample * (size_t)(WINDOWS * OC);
        const int stride = PADDED(input.count);
#if NORM
        room.best = BEST(saved) + windows;
#endif
        fill_tile(room.tile, x + sample * (size_t)(IH * IW * IC), input, stride);
#if NORM
        add_squares(room.squares, room.tile);
#endif
#if NARROW
        correlate_windows(&room, gradient, which, output, scale);
#else
        fill_amounts(&room, gradient, which, output, scale);
        add_events(&room, which, input, output, stride, input_masked);
#endif
#if FIRST
        (void)dx, (void)parameters, (void)w_offset; /* nobody wants it */
#else
        find_input_gradient(&room, dx + sample * (size_t)(IH * IW * IC), scratch,
                            parameters + w_offset, which, input, output, stride, input_masked);
#endif
    }
}

/* The work-items' partials of one value, in their order. */
static float add_up(const global float *partials, int items)
{
    float sum = 0.0f;
    for (int item = 0; item < items; ++item)
        sum += partials[item * (size_t)PARTIAL];
    return sum;
}

/* dw (OC, IC, K, K) and, without NORM, db (OC) at their offsets, from the partials as add_sums made
 * them. */
kernel void conv_block_reduce(global float *restrict gradients, int w_offset, int b_offset,
                              const global float *restrict scratch, int input_masked, int items)
{
    enum { VECTORS = ROW(PADDED(IC)) / 8 };
    const global float *partials = scratch + ROWS;
    FOR_EACH(i, OC * K * VECTORS)
    {
        float8 sum = (float8)0.0f;
        for (int item = 0; item < items; ++item)
            sum += vload8(i, partials + item * (size_t)PARTIAL);
        float values[8];
        vstore8(sum, 0, values);
        const int ky = i / VECTORS % K, o = i / (VECTORS * K);
        for (int j = 0; j < 8; ++j) {
            const int at = i % VECTORS * 8 + j, kx = at / PADDED(IC), c = at % PADDED(IC);
            const int weight = input_masked ? i * 8 + j : (o * IC + c) * TAPS + ky * K + kx;
            if (input_masked ? weight < OC * IC * TAPS : kx < K && c < IC)
                gradients[w_offset + weight] = values[j];
        }
    }
#if NORM
    (void)b_offset; /* norm_first_finish */
#else
    FOR_EACH (o, OC)
        gradients[b_offset + o] = add_up(partials + ROWS + o, items);
#endif
}
