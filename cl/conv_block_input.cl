/* The gradient of the convolution block's input, for cl/conv_block_backward.cl: one window's events
 * after the other's, those of each position in one sum.
 *
 * Must be defined before: what cl/conv_block_shape.cl and cl/weights.cl define; room, corner(),
 * beside(), RUN_ROWS. */

/* A set of output channels: a bit each. */
#define WORDS ((OC + 63) / 64)

/* For each position of a window the kept channels whose event is there; which (outputs). */
static void find_events(ulong events[DEAD][WORDS], const global uchar8 *which, int outputs)
{
    for (int i = 0; i < DEAD * WORDS; ++i)
        events[i / WORDS][i % WORDS] = 0;
    for (int k = 0; k < outputs; k += 8) {
        const uint8 position = convert_uint8(which[k / 8]);
        const uint8 bits =
            select((uint8)(1, 2, 4, 8, 16, 32, 64, 128) << (position * 8 & 31), (uint8)0,
                   position == (uint8)DEAD); /* eight for each position */
        const uint4 halves = bits.lo | bits.hi;
        const uint2 quarters = halves.lo | halves.hi;
        const uint all = quarters.lo | quarters.hi;
        for (int p = 0; p < DEAD; ++p)
            events[p][k / 64] |= (ulong)(all >> 8 * p & 255) << k % 64;
    }
}

/* spread_NAME: what the events at one position of a window add to the input's gradient: eight
 * channels at COUNT rows of taps, summed in registers over the output channels. at: the tile's
 * pixel under the first tap. amounts (outputs); rows (outputs, K, ROW(stride)), channel k's at
 * row_at[k]. */
#define DEFINE_SPREAD_EVENTS(NAME, COUNT)                                                          \
    static void spread_##NAME(global float *at, const global float *rows, int stride,              \
                              const int *row_at, const ulong *events,                              \
                              const global float *amounts)                                         \
    {                                                                                              \
        float8 sum[COUNT * K];                                                                     \
        _Pragma("unroll") for (int i = 0; i < COUNT * K; ++i)                                      \
            sum[i] = vload8(0, at + (i / K * TW + i % K) * stride);                                \
        for (int word = 0; word < WORDS; ++word)                                                   \
            for (ulong left = events[word]; left != 0; left &= left - 1) {                         \
                const int k = word * 64 + 63 - (int)clz(left & (0 - left));                        \
                const global float *row = rows + row_at[k];                                        \
                const float8 amount = (float8)amounts[k];                                          \
                _Pragma("unroll") for (int i = 0; i < COUNT * K; ++i)                              \
                    sum[i] = fma(amount, vload8(0, row + i / K * ROW(stride) + i % K * stride),    \
                                 sum[i]);                                                          \
            }                                                                                      \
        _Pragma("unroll") for (int i = 0; i < COUNT * K; ++i)                                      \
            vstore8(sum[i], 0, at + (i / K * TW + i % K) * stride);                                \
    }

DEFINE_SPREAD_EVENTS(rows, RUN_ROWS)
DEFINE_SPREAD_EVENTS(row, 1)

/* Adds all events to the gradient's tile. */
static void spread_events(const room *room, const global float *rows, const int *row_at,
                          const global uchar8 *which, int outputs, int stride)
{
    for (int window = 0; window < WINDOWS; ++window) {
        const global float *amounts = room->amounts + window * EIGHTS(outputs);
        ulong events[DEAD][WORDS];
        find_events(events, which + window * EIGHTS(outputs) / 8, outputs);
        for (int p = 0; p < DEAD; ++p) {
            global float *at = room->gradient_tile + corner(window, stride) + beside(p, stride);
            for (int c = 0; c < stride; c += 8) {
                int ky = 0;
                for (; ky + RUN_ROWS <= K; ky += RUN_ROWS)
                    spread_rows(at + ky * TW * stride + c, rows + ky * ROW(stride) + c, stride,
                                row_at, events[p], amounts);
                for (; ky < K; ++ky)
                    spread_row(at + ky * TW * stride + c, rows + ky * ROW(stride) + c, stride,
                               row_at, events[p], amounts);
            }
        }
    }
}

/* rows (outputs, K, ROW(stride)) of the kept channels, from w (OC, IC, K, K). */
static void pack_kept_rows(global float *restrict rows, const global float *restrict w,
                           selection input, selection output, int stride)
{
    for (int i = 0; i < output.count; ++i)
        for (int k = 0; k < input.count; k += 8) {
            int from[8];
            for (int j = 0; j < 8; ++j)
                from[j] = (output.list[i] * IC + input.list[k + j]) * TAPS;
            gather_taps(rows + i * (K * ROW(stride)) + k, ROW(stride), stride, w, from);
        }
}

/* dx (IH, IW, pitch) from the gradient's tile; zero where no window looked, and in dropped
 * channels. */
static void store_tile(global float *restrict dx, const global float *restrict tile,
                       selection input, int stride)
{
    if (input.count < input.pitch)
        clear(dx, IH * IW * IC);
    for (int iy = 0; iy < IH; ++iy)
        for (int ix = 0; ix < IW; ++ix) {
            const int inside = iy + PAD < TH && ix + PAD < TW;
            const global float *source = tile + ((iy + PAD) * TW + ix + PAD) * stride;
            for (int k = 0; k < input.count; k += 8)
                store_kept(inside ? vload8(0, source + k) : (float8)0.0f, dx, iy * IW + ix, input,
                           k, IH * IW * IC);
        }
}

/* The gradient of the input. */
static void find_input_gradient(const room *room, global float *dx, const global float *packed,
                                const global float *w, const global uchar8 *which, selection input,
                                selection output, int stride, int masked)
{
    int row_at[OC];
    for (int k = 0; k < output.count; ++k)
        row_at[k] = (masked ? k : output.list[k]) * (K * ROW(stride));
    if (masked)
        pack_kept_rows(room->rows, w, input, output, stride);
    clear(room->gradient_tile, TILE(stride));
    spread_events(room, masked ? room->rows : packed, row_at, which, output.count, stride);
    store_tile(dx, room->gradient_tile, input, stride);
}
