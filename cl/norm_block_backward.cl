/* Convolution, BatchNorm2d, ReLU, 2x2 max pool and Dropout2d as one operation: backward; see
 * cl/norm_block.cl.
 *
 * With h = (z - mean) * inverse and g the pooled gradient at the position that `which` names,
 * zero elsewhere, the gradient of z is
 *   dz = weight * inverse * (g - (sum of g) / count - h * (sum of g h) / count). A work-item
 *     makes it for one sample at a time, in memory that stays near, and takes the gradients of
 *     the weights and of the input from it, for the kept input channels alone. The gradient of
 *     the convolution's bias is zero: the mean takes it away.
 *
 * Layout and -D options: cl/norm_shape.cl. */
#include "norm_shape.cl"
#include "taps.cl"
#include "weights.cl"

/* A tile of dz, (VECTORS, DH, DW, 8), has MARGIN pixels of zeros above and left of it, so that the
 * input's gradient is a convolution with the taps reversed. */
#define MARGIN (FIRST ? 0 : K - 1 - PAD)
#define DH (FIRST ? OH : IH + K - 1)
#define DW (FIRST ? OW : IW + K - 1)
#define INPUT_VECTORS ((IC + 7) / 8)

/* The work-items' own scratch memory: the partial gradients of the weights (VECTORS, TAPS, IC,
 * 8) of each, PARTIAL floats apart (off the multiples of a page, which fall into one set of the
 * cache), then SCRATCH floats for each. */
#define PARTIAL (WEIGHTS + 16)

/* A vector's lanes of a pixel; what is dropped may be anything that is there. */
static float8 load_lanes(const global float *pixel, lanes from)
{
    const int *at = from.at;
    if (from.count == 8)
        return vload8(0, pixel + at[0]);
    return (float8)(pixel[at[0]], pixel[at[1]], pixel[at[2]], pixel[at[3]], pixel[at[4]],
                    pixel[at[5]], pixel[at[6]], pixel[at[7]]);
}

/* Adds to sum (2) those of g, and of g * h, in one vector of a sample's channels; dy (PH, PW,
 * pitch); best, which (PH, PW, 8). */
static void add_sums(float8 *sum, const global float *dy, const global float *best,
                     const global uchar8 *which, lanes from, int pitch, float scale)
{
    for (int window = 0; window < WINDOWS; ++window) {
        const int8 dead = convert_int8(which[window]) == (int8)DEAD;
        const float8 g = select(load_lanes(dy + window * pitch, from) * scale, (float8)0.0f, dead);
        sum[0] += g;
        sum[1] = fma(g, vload8(window, best), sum[1]);
    }
}

/* sums (items, 2, OC): of g, and of g * h, over each work-item's samples. dy (n, PH, PW, OC);
 * scales (n, OC) tell the dropped channels where `masked`, which may be PACKED (cl/kept.cl). */
kernel void norm_block_sums(global float *sums, const global float *dy, const global float *saved,
                            const global float *scales, int masked, float scale, int n,
                            int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const int begin = sample_begin(n, item, items), end = sample_begin(n, item + 1, items);
    int list[LIST(OC)];
    float8 sum[VECTORS][2];
    for (int v = 0; v < VECTORS; ++v)
        sum[v][0] = sum[v][1] = (float8)0.0f;
    for (int sample = begin; sample < end; ++sample) {
        const selection output = select_kept(list, scales + sample * OC, OC, masked);
        for (int v = 0, k = 0; v < VECTORS; ++v) {
            const size_t plane = sample * (size_t)VECTORS + v;
            const lanes from = find_lanes(output, v, k);
            add_sums(sum[v], dy + sample * (size_t)(WINDOWS * OC),
                     BEST(saved, n) + plane * (WINDOWS * 8),
                     WHICH(const global uchar8 *, saved, n) + plane * WINDOWS, from, output.pitch,
                     scale);
            k += from.count;
        }
    }
    for (int v = 0; v < VECTORS; ++v) {
        store_channels(sum[v][0], sums + item * (2 * OC), v * 8, OC);
        store_channels(sum[v][1], sums + item * (2 * OC) + OC, v * 8, OC);
    }
}

/* scratch: packed (IC, OC, TAPS), so that a kept channel's weights lie together. */
kernel void norm_block_pack_rows(global float *restrict scratch, const global float *restrict w,
                                 int w_offset, int items)
{
    global float *packed = scratch + SUMS(items);
    FOR_EACH (i, IC * OC) {
        const int c = i / OC, o = i % OC;
        for (int tap = 0; tap < TAPS; ++tap)
            packed[i * TAPS + tap] = w[w_offset + (o * IC + c) * TAPS + tap];
    }
}

/* weights (vectors of inputs, VECTORS, TAPS, 8, 8) of the kept channels, the taps reversed, from
 * packed; zeros for the outputs behind the last. */
static void pack_kept_rows(global float *restrict weights, const global float *restrict packed,
                           selection input)
{
    for (int k = 0; k < input.count; k += 8)
        for (int o = 0; o < WIDTH; ++o) {
            global float *last = weights + (k / 8 * VECTORS + o / 8) * (TAPS * 64) +
                                 (TAPS - 1) * 64 + o % 8 * 8;
            int from[8];
            for (int j = 0; j < 8; ++j)
                from[j] = (input.list[k + j] * OC + o) * TAPS;
            if (o < OC)
                gather_taps(last, -K * 64, -64, packed, from);
            else
                for (int tap = 0; tap < TAPS; ++tap)
                    vstore8((float8)0.0f, 0, last - tap * 64);
        }
}

/* What all samples have in common, in vector `at`: dz = factor * g - share - (z - mean) * slope. */
typedef struct affine {
    float8 mean, factor, share, slope;
} affine;

static affine load_affine(const global float *saved, const global float *parameters,
                          const global float *gradients, int w_offset, int b_offset, int at, int n)
{
    const float each = 1.0f / ((float)n * PLANE);
    const float8 inverse = load_channels(saved + OC, at, OC);
    affine a;
    a.mean = load_channels(saved, at, OC);
    a.factor = load_channels(parameters + w_offset, at, OC) * inverse;
    a.share = a.factor * (load_channels(gradients + b_offset, at, OC) * each);
    a.slope = a.factor * inverse * (load_channels(gradients + w_offset, at, OC) * each);
    return a;
}

/* One vector of dz: what reaches every position. */
static void fill_gradient(global float *restrict dz, const global float *restrict z, affine a)
{
    dz += (MARGIN * DW + MARGIN) * 8;
    for (int oy = 0; oy < OH; ++oy)
        for (int ox = 0; ox < OW; ++ox) {
            const float8 deviation = vload8(oy * OW + ox, z) - a.mean;
            vstore8(fma(deviation, -a.slope, -a.share), oy * DW + ox, dz);
        }
}

/* What arrives at one position of each window, in kept output channel k: dy (WINDOWS, pitch) times
 * factor; which (VECTORS, WINDOWS, 8). */
static void add_arrivals(global float *restrict dz, const global float *restrict dy,
                         const global uchar *restrict which, selection output, int k, float factor)
{
    const int o = output.list[k], at = output.count == output.pitch ? k : o;
    const int place[DEAD + 1] = {0, 8, DW * 8, DW * 8 + 8, 0};
    const float share[DEAD + 1] = {factor, factor, factor, factor, 0.0f}; /* without a branch */
    dz += o / 8 * (DH * DW * 8) + (MARGIN * DW + MARGIN) * 8 + o % 8;
    which += o / 8 * (WINDOWS * 8) + o % 8;
    for (int py = 0; py < PH; ++py)
        for (int px = 0; px < PW; ++px) {
            const int window = py * PW + px;
            const int position = which[window * 8];
            dz[(2 * py * DW + 2 * px) * 8 + place[position]] +=
                dy[window * output.pitch + at] * share[position];
        }
}

/* Adds to rows (COUNT vectors, TAPS, IC, 8): ROWS products at a time of shifted input channels with
 * COUNT vectors of dz, summed over the plane in registers. */
#define DEFINE_CORRELATE(ROWS, COUNT)                                                              \
    static void correlate_##ROWS##_##COUNT(global float *rows, const global float *tile,           \
                                           const global float *dz, selection input)                \
    {                                                                                              \
        const int kept = input.count;                                                              \
        for (int first = 0; first < TAPS * kept; first += ROWS) {                                  \
            float8 sum[ROWS * COUNT];                                                              \
            const global float *at[ROWS];                                                          \
            _Pragma("unroll") for (int r = 0; r < ROWS; ++r)                                       \
            {                                                                                      \
                const int row = min(first + r, TAPS * kept - 1);                                   \
                at[r] = tile + row / (K * kept) * (TW * kept) + row % (K * kept);                  \
                _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                                  \
                    sum[r * COUNT + v] = (float8)0.0f;                                             \
            }                                                                                      \
            for (int oy = 0; oy < OH; ++oy) {                                                      \
                const global float *g = dz + ((oy + MARGIN) * DW + MARGIN) * 8;                    \
                int x = oy * (TW * kept);                                                          \
                for (int ox = 0; ox < OW; ++ox, x += kept, g += 8) {                               \
                    float8 gradient[COUNT];                                                        \
                    _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                              \
                        gradient[v] = vload8(0, g + v * (DH * DW * 8));                            \
                    _Pragma("unroll") for (int r = 0; r < ROWS; ++r)                               \
                        _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                          \
                            sum[r * COUNT + v] =                                                   \
                                fma((float8)at[r][x], gradient[v], sum[r * COUNT + v]);            \
                }                                                                                  \
            }                                                                                      \
            _Pragma("unroll") for (int r = 0; r < ROWS; ++r) if (first + r < TAPS * kept)          \
            {                                                                                      \
                const int tap = (first + r) / kept, c = input.list[(first + r) % kept];            \
                global float *target = rows + (tap * IC + c) * 8;                                  \
                _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                                  \
                    vstore8(vload8(v * TAPS * IC, target) + sum[r * COUNT + v], v * TAPS * IC,     \
                            target);                                                               \
            }                                                                                      \
        }                                                                                          \
    }

DEFINE_CORRELATE(8, 1)
DEFINE_CORRELATE(6, 2)
DEFINE_CORRELATE(4, 3)

static void correlate(global float *rows, const global float *tile, const global float *dz,
                      selection input)
{
    for (int v = 0, count; v < VECTORS; v += count) {
        const global float *gradient = dz + v * (DH * DW * 8);
        count = block_vectors(VECTORS - v);
        if (count == 1)
            correlate_8_1(rows + v * (TAPS * IC * 8), tile, gradient, input);
        else if (count == 2)
            correlate_6_2(rows + v * (TAPS * IC * 8), tile, gradient, input);
        else
            correlate_4_3(rows + v * (TAPS * IC * 8), tile, gradient, input);
    }
}

/* dx (IH, IW, pitch) from its vectors (kept channels / 8, IH, IW, 8); zero in dropped channels. */
static void store_input_gradient(global float *restrict dx, const global float *restrict vectors,
                                 selection input)
{
    if (input.count < input.pitch)
        clear(dx, IH * IW * IC);
    for (int pixel = 0; pixel < IH * IW; ++pixel)
        for (int k = 0; k < input.count; k += 8)
            store_kept(vload8(k / 8 * (IH * IW) + pixel, vectors), dx, pixel, input, k,
                       IH * IW * IC);
}

/* What a work-item has for itself in the scratch memory. */
typedef struct room {
    global float *tile;    /* (TH, TW, kept) */
    global float *dz;      /* (VECTORS, DH, DW, 8) */
    global float *weights; /* (INPUT_VECTORS, VECTORS, TAPS, 8, 8) */
    global float *dx;      /* (INPUT_VECTORS, IH, IW, 8) */
    global float *partial; /* (VECTORS, TAPS, IC, 8) */
} room;

static room enter(global float *scratch, int item, int items)
{
    room r;
    r.partial = scratch + SUMS(items) + WEIGHTS + PARTIAL * (size_t)item;
    r.tile = scratch + SUMS(items) + WEIGHTS + PARTIAL * (size_t)items + item * (size_t)SCRATCH;
    r.dz = r.tile + ALIGNED(TILE(IC));
    r.weights = r.dz + ALIGNED(WIDTH * DH * DW);
    r.dx = r.weights + INPUT_VECTORS * WIDTH * TAPS * 8;
    for (int i = 0; i < WEIGHTS; ++i)
        r.partial[i] = 0.0f;
    for (int i = 0; i < WIDTH * DH * DW; ++i)
        r.dz[i] = 0.0f;
    return r;
}

/* Each work-item's partial gradients, and dx (n, IH, IW, IC) unless this is the first layer. dy
 * (n, PH, PW, OC); x (n, IH, IW, IC); the gradients of the batch norm's weight and bias, at their
 * offsets, are complete; the convolution's weights were packed by norm_block_pack_rows. */
kernel void norm_block_backward(global float *dx, const global float *dy, const global float *saved,
                                const global float *x, const global float *parameters,
                                const global float *gradients, int w_offset, int b_offset,
                                const global float *input_scales, int input_masked,
                                const global float *output_scales, int output_masked, float scale,
                                global float *scratch, int n, int items)
{
    const int item = get_global_id(0);
    if (item >= items)
        return;
    const room room = enter(scratch, item, items);
    int input_list[LIST(IC)], output_list[LIST(OC)];
    const int begin = sample_begin(n, item, items), end = sample_begin(n, item + 1, items);
    for (int sample = begin; sample < end; ++sample) {
        const selection input = select_inputs(input_list, input_scales + sample * IC, input_masked);
        const selection output =
            select_kept(output_list, output_scales + sample * OC, OC, output_masked);
        fill_tile(room.tile, x + sample * (size_t)(IH * IW * IC), input, input.count);
        for (int v = 0; v < VECTORS; ++v)
            fill_gradient(room.dz + v * (DH * DW * 8),
                          Z(saved) + (sample * (size_t)VECTORS + v) * (PLANE * 8),
                          load_affine(saved, parameters, gradients, w_offset, b_offset, v * 8, n));
        for (int k = 0; k < output.count; ++k) {
            const int o = output.list[k];
            add_arrivals(room.dz, dy + sample * (size_t)(WINDOWS * OC),
                         WHICH(const global uchar *, saved, n) + sample * (size_t)(WINDOWS * WIDTH),
                         output, k, parameters[w_offset + o] * saved[OC + o] * scale);
        }
        correlate(room.partial, room.tile, room.dz, input);
        if (FIRST)
            continue;
        const sweep s = {IH * IW, IW, DW, 8, VECTORS, DH * DW * 8, VECTORS * TAPS * 64, 0};
        if (input_masked || sample == begin)
            pack_kept_rows(room.weights, scratch + SUMS(items), input);
        convolve(room.dx, room.dz, room.weights, scratch, 0, s, (input.count + 7) / 8);
        store_input_gradient(dx + sample * (size_t)(IH * IW * IC), room.dx, input);
    }
}

/* dw (OC, IC, K, K) at its offset: the work-items' partials in their order; and db (OC), zeros. */
kernel void norm_block_reduce(global float *restrict gradients, int w_offset, int b_offset,
                              const global float *restrict scratch, int items)
{
    const global float *partials = scratch + SUMS(items) + WEIGHTS;
    FOR_EACH (i, WEIGHTS / 8) {
        const int c = i % IC, tap = i / IC % TAPS, first = i / (IC * TAPS) * 8;
        float8 sum = (float8)0.0f;
        for (int item = 0; item < items; ++item)
            sum += vload8(i, partials + item * (size_t)PARTIAL);
        float values[8];
        vstore8(sum, 0, values);
        for (int o = first; o < min(OC, first + 8); ++o)
            gradients[w_offset + (o * IC + c) * TAPS + tap] = values[o - first];
    }
    FOR_EACH (o, OC)
        gradients[b_offset + o] = 0.0f;
}
