/* Convolution, ReLU, 2x2 max pool and Dropout2d as one operation, for devices with many small
 * work-items that share local memory: forward, and the gradient of the input. The gradient of
 * the weights is in cl/gpu_conv_weights.cl.
 *
 * Both are the same sum. Forward: the four sums of a pool window over the input's channels and
 * the taps; only the pooled value is written, with one byte per window: which of the four it
 * was, in row-major order, or DEAD where it was not positive. DATA: the gradients of 2x2 pixels
 * of the input, over the output channels and the turned taps; the gradient of the convolution's
 * output is spread out from the pooled one and the bytes. So one program has one of the two, and
 * calls its terms SOURCES, its results TARGETS, and its 2x2 results a window.
 *
 * A work-group takes one sample, a tile of TH by TW windows and up to GROUP_TARGETS channels;
 * the tile and the weights are in local memory for CHUNK sources at a time. Dropped channels are
 * neither computed nor read: a group works on the sample's list of kept ones, and a group beyond
 * its end only writes zeros. Any local size is right.
 *
 * Layout: activations (N, H, W, C); weights w (OC, IC, K, K). A tile's channel is (ROWS, 2,
 * HALF): its even columns, then its odd ones, so that neighbouring windows read neighbours.
 *
 * Must be given: DATA (0 or 1), IC, IH, IW (input), OC, K, PAD, PH, PW (pooled plane), TH, TW,
 * GROUP_TARGETS (a multiple of 4), CHUNK. */
#if !defined(DATA) || !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) ||              \
    !defined(K) || !defined(PAD) || !defined(PH) || !defined(PW) || !defined(TH) ||                \
    !defined(TW) || !defined(GROUP_TARGETS) || !defined(CHUNK)
#error "DATA, IC, IH, IW, OC, K, PAD, PH, PW, TH, TW, GROUP_TARGETS and CHUNK must be given"
#endif

#include "philox.cl"

#define DEAD 4
#define TAPS (K * K)
#define SOURCES (DATA ? OC : IC)
#define TARGETS (DATA ? IC : OC)
#define WINDOW_ROWS (DATA ? (IH + 1) / 2 : PH)
#define WINDOW_COLUMNS (DATA ? (IW + 1) / 2 : PW)
#define MARGIN (DATA ? K - 1 - PAD : PAD) /* of the tile before its first window */
#define TILE_ROWS ((WINDOW_ROWS + TH - 1) / TH)
#define TILE_COLUMNS ((WINDOW_COLUMNS + TW - 1) / TW)
#define TILES (TILE_ROWS * TILE_COLUMNS)
#define GROUPS ((TARGETS + GROUP_TARGETS - 1) / GROUP_TARGETS) /* of a tile */
#define ROWS (2 * TH + K - 1)
#define COLUMNS (2 * TW + K - 1)
#define HALF (TW + K / 2)
#define COLUMN(x) ((x) % 2 * HALF + (x) / 2)
#define CHANNEL (ROWS * 2 * HALF | 1) /* odd: the channels of a pixel are in different banks */
#define QUADS (GROUP_TARGETS / 4)

/* What a work-group works on. */
typedef struct place {
    size_t sample;
    int row, column; /* its first window */
    int part;        /* of the tile's groups */
} place;

static place get_place(void)
{
    const size_t group = get_group_id(0), tile = group / GROUPS;
    place place;
    place.part = group % GROUPS;
    place.sample = tile / TILES;
    place.row = tile % TILES / TILE_COLUMNS * TH;
    place.column = tile % TILE_COLUMNS * TW;
    return place;
}

/* The channels whose flags are set, and their number. The flags are read behind a barrier. Each
 * list has flags of its own: pocl 3.1 loses those that are written to an array a second time. */
static int list_kept(local ushort *list, const local uchar *kept, int channels)
{
    int count = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int c = 0; c < channels; ++c)
        if (kept[c]) {
            if (get_local_id(0) == 0)
                list[count] = c;
            ++count;
        }
    barrier(CLK_LOCAL_MEM_FENCE);
    return count;
}

/* list of the sample's channels with a scale that is not zero, or all; kept (channels) tells
 * each. */
static int list_scaled(local ushort *list, local uchar *kept, const global float *scales,
                       size_t sample, int channels, int masked)
{
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int c = get_local_id(0); c < channels; c += get_local_size(0))
        kept[c] = !masked || scales[sample * channels + c] != 0.0f;
    return list_kept(list, kept, channels);
}

/* weights (CHUNK, TAPS, GROUP_TARGETS) of `count` sources and the group's targets, zero beyond
 * them. */
static void stage_weights(local float *weights, const global float *w, const local ushort *source,
                          int count, const local ushort *target, int targets)
{
    const int whole = (targets + 3) / 4 * 4;
    for (int i = get_local_id(0); i < whole * CHUNK * TAPS; i += get_local_size(0)) {
        const int tap = i % TAPS, k = i / TAPS % CHUNK, j = i / (TAPS * CHUNK);
        float value = 0.0f;
        if (k < count && j < targets)
            value = DATA ? w[(source[k] * IC + target[j]) * TAPS + TAPS - 1 - tap]
                         : w[(target[j] * IC + source[k]) * TAPS + tap];
        weights[(k * TAPS + tap) * GROUP_TARGETS + j] = value;
    }
}

/* Adds one source's part to the sums of a window's four positions by four targets. at: the
 * tile's pixel under the first tap of the first position. */
static void add_source(float4 *sum, const local float *at, const local float4 *weights)
{
    float upper[K + 1], lower[K + 1];
#pragma unroll
    for (int x = 0; x <= K; ++x)
        upper[x] = at[COLUMN(x)];
    for (int ky = 0; ky < K; ++ky, weights += K * QUADS) {
        at += 2 * HALF;
#pragma unroll
        for (int x = 0; x <= K; ++x)
            lower[x] = at[COLUMN(x)];
#pragma unroll
        for (int kx = 0; kx < K; ++kx) {
            const float4 w = weights[kx * QUADS];
            sum[0] = fma((float4)upper[kx], w, sum[0]);
            sum[1] = fma((float4)upper[kx + 1], w, sum[1]);
            sum[2] = fma((float4)lower[kx], w, sum[2]);
            sum[3] = fma((float4)lower[kx + 1], w, sum[3]);
        }
#pragma unroll
        for (int x = 0; x <= K; ++x)
            upper[x] = lower[x];
    }
}

#if !DATA
/* The tile's values of `count` channels of plane (IH, IW, IC); zeros around it. */
static void stage_input(local float *tile, const global float *plane, const place *place,
                        const local ushort *source, int count)
{
    for (int i = get_local_id(0); i < ROWS * COLUMNS * CHUNK; i += get_local_size(0)) {
        const int k = i % CHUNK, tx = i / CHUNK % COLUMNS, ty = i / (CHUNK * COLUMNS);
        const int iy = 2 * place->row + ty - MARGIN, ix = 2 * place->column + tx - MARGIN;
        const int inside = k < count && iy >= 0 && iy < IH && ix >= 0 && ix < IW;
        tile[k * CHANNEL + ty * (2 * HALF) + COLUMN(tx)] =
            inside ? plane[(iy * IW + ix) * IC + source[k]] : 0.0f;
    }
}

/* The output's masks as cl/dropout.cl draws them for samples that have `before` others before them
 * in their batch: flags for the group, and scales (n, OC). */
static void draw_masks(local uchar *kept, global float *scales, const place *place, int masked,
                       float scale, uint threshold, uint2 seed, uint stream_layer, uint2 step,
                       int before)
{
    const int is_first = place->part == 0 && place->row == 0 && place->column == 0;
    for (int c = get_local_id(0); c < OC; c += get_local_size(0)) {
        const uint value = (uint)(before + place->sample) * OC + c, lane = value % 4;
        int flag = 1;
        if (masked) {
            const uint4 words = philox((uint4)(value / 4, stream_layer, step.x, step.y), seed);
            const uint word = lane < 2 ? (lane == 0 ? words.x : words.y)
                                       : (lane == 2 ? words.z : words.w);
            flag = word >= threshold;
            if (is_first)
                scales[place->sample * OC + c] = flag ? scale : 0.0f;
        }
        kept[c] = flag;
    }
}

/* What the group's share of dropped channels gives. */
static void store_dropped(global float *y, global uchar *which, const place *place,
                          const local uchar *kept)
{
    for (int i = get_local_id(0); i < TH * TW * GROUP_TARGETS; i += get_local_size(0)) {
        const int o = place->part * GROUP_TARGETS + i % GROUP_TARGETS;
        const int row = place->row + i / (GROUP_TARGETS * TW);
        const int column = place->column + i / GROUP_TARGETS % TW;
        if (o < OC && row < PH && column < PW && !kept[o]) {
            const size_t at = ((place->sample * PH + row) * PW + column) * OC + o;
            y[at] = 0.0f;
            which[at] = DEAD;
        }
    }
}

/* Max pool and ReLU of the four sums of a window; the first on a tie, a NaN before any number. */
static void store_pooled(global float *y, global uchar *which, const float4 *sum, float scale,
                         const local ushort *target, int count)
{
    float4 best = sum[0];
    int4 position = (int4)0;
#pragma unroll
    for (int p = 1; p < 4; ++p) {
        const int4 larger = sum[p] > best || isnan(sum[p]);
        best = select(best, sum[p], larger);
        position = select(position, (int4)p, larger);
    }
    const int4 dead = best <= (float4)0.0f;
    best = select(best * scale, (float4)0.0f, dead);
    position = select(position, (int4)DEAD, dead);
    float values[4];
    int positions[4];
    vstore4(best, 0, values);
    vstore4(position, 0, positions);
    for (int j = 0; j < count; ++j) {
        y[target[j]] = values[j];
        which[target[j]] = positions[j];
    }
}

/* y (n, PH, PW, OC), which (n, PH, PW, OC) and, where masked, scales (n, OC) from x (n, IH, IW,
 * IC). input_scales (n, IC) tell the input's dropped channels where input_masked. A group is one
 * part of one tile of one sample. */
kernel void gpu_conv_forward(global float *y, global uchar *which, global float *scales,
                             const global float *x, const global float *parameters, int w_offset,
                             int b_offset, const global float *input_scales, int input_masked,
                             int masked, float scale, uint threshold, uint seed_low, uint seed_high,
                             uint stream_layer, uint step_low, uint step_high, int before)
{
    local float4 weights[CHUNK * TAPS * QUADS];
    local float tile[CHUNK * CHANNEL];
    local ushort source[IC], target[OC];
    local uchar kept_source[SOURCES], kept[TARGETS];
    const int item = get_local_id(0), items = get_local_size(0);
    const place place = get_place();
    const int sources =
        list_scaled(source, kept_source, input_scales, place.sample, IC, input_masked);
    draw_masks(kept, scales, &place, masked, scale, threshold, (uint2)(seed_low, seed_high),
               stream_layer, (uint2)(step_low, step_high), before);
    const int all = list_kept(target, kept, OC);
    store_dropped(y, which, &place, kept);

    const local ushort *list = target + min(place.part * GROUP_TARGETS, all);
    const int targets = clamp(all - place.part * GROUP_TARGETS, 0, GROUP_TARGETS);
    const int quads = (targets + 3) / 4, units = quads * TH * TW;
    for (int pass = 0; pass < units; pass += items) {
        const int active = pass + item < units, unit = active ? pass + item : 0;
        const int window = unit / quads, quad = unit - window * quads;
        const int row = window / TW, column = window % TW, first = quad * 4;
        const int count = min(4, targets - first);
        float bias[4];
        for (int j = 0; j < 4; ++j)
            bias[j] = j < count ? parameters[b_offset + list[first + j]] : 0.0f;
        float4 sum[4];
        for (int p = 0; p < 4; ++p)
            sum[p] = vload4(0, bias);
        for (int start = 0; start < sources; start += CHUNK) {
            const int some = min(CHUNK, sources - start);
            barrier(CLK_LOCAL_MEM_FENCE);
            stage_input(tile, x + place.sample * (IH * IW * IC), &place, source + start, some);
            stage_weights((local float *)weights, parameters + w_offset, source + start, some, list,
                          targets);
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int k = 0; active && k < some; ++k)
                add_source(sum, tile + k * CHANNEL + 2 * row * (2 * HALF) + column,
                           weights + k * TAPS * QUADS + quad);
        }
        if (active && place.row + row < PH && place.column + column < PW) {
            const size_t at =
                ((place.sample * PH + place.row + row) * PW + place.column + column) * OC;
            store_pooled(y + at, which + at, sum, scale, list + first, count);
        }
    }
}
#else
/* The tile's gradients of `count` channels of the convolution's output, from the pooled dy and
 * which (PH, PW, OC); zeros where nothing was pooled. */
static void stage_gradients(local float *tile, const global float *dy, const global uchar *which,
                            float scale, const place *place, const local ushort *source, int count)
{
    for (int i = get_local_id(0); i < ROWS * COLUMNS * CHUNK; i += get_local_size(0)) {
        const int k = i % CHUNK, tx = i / CHUNK % COLUMNS, ty = i / (CHUNK * COLUMNS);
        const int oy = 2 * place->row + ty - MARGIN, ox = 2 * place->column + tx - MARGIN;
        float value = 0.0f;
        if (k < count && oy >= 0 && oy < 2 * PH && ox >= 0 && ox < 2 * PW) {
            const int at = (oy / 2 * PW + ox / 2) * OC + source[k];
            value = which[at] == oy % 2 * 2 + ox % 2 ? dy[at] * scale : 0.0f;
        }
        tile[k * CHANNEL + ty * (2 * HALF) + COLUMN(tx)] = value;
    }
}

/* Zeros for the group's share of dropped channels. */
static void store_dropped(global float *dx, const place *place, const local uchar *kept)
{
    for (int i = get_local_id(0); i < 4 * TH * TW * GROUP_TARGETS; i += get_local_size(0)) {
        const int c = place->part * GROUP_TARGETS + i % GROUP_TARGETS;
        const int iy = 2 * place->row + i / (GROUP_TARGETS * 2 * TW);
        const int ix = 2 * place->column + i / GROUP_TARGETS % (2 * TW);
        if (c < IC && iy < IH && ix < IW && !kept[c])
            dx[((place->sample * IH + iy) * IW + ix) * IC + c] = 0.0f;
    }
}

/* The four pixels of a window, as far as they are in the plane dx (IH, IW, IC). */
static void store_pixels(global float *dx, const float4 *sum, int iy, int ix,
                         const local ushort *target, int count)
{
    for (int p = 0; p < 4; ++p) {
        const int y = iy + p / 2, x = ix + p % 2;
        float values[4];
        vstore4(sum[p], 0, values);
        for (int j = 0; j < count && y < IH && x < IW; ++j)
            dx[(y * IW + x) * IC + target[j]] = values[j];
    }
}

/* dx (n, IH, IW, IC) from dy, which (n, PH, PW, OC). input_scales (n, IC) and output_scales (n, OC)
 * tell the dropped channels where input_masked and output_masked. */
kernel void gpu_conv_data(global float *dx, const global float *dy, const global uchar *which,
                          const global float *parameters, int w_offset,
                          const global float *input_scales, int input_masked,
                          const global float *output_scales, int output_masked, float scale)
{
    local float4 weights[CHUNK * TAPS * QUADS];
    local float tile[CHUNK * CHANNEL];
    local ushort source[OC], target[IC];
    local uchar kept_source[SOURCES], kept[TARGETS];
    const int item = get_local_id(0), items = get_local_size(0);
    const place place = get_place();
    const int sources =
        list_scaled(source, kept_source, output_scales, place.sample, OC, output_masked);
    const int all = list_scaled(target, kept, input_scales, place.sample, IC, input_masked);
    store_dropped(dx, &place, kept);

    const local ushort *list = target + min(place.part * GROUP_TARGETS, all);
    const int targets = clamp(all - place.part * GROUP_TARGETS, 0, GROUP_TARGETS);
    const int quads = (targets + 3) / 4, units = quads * TH * TW;
    const size_t pooled = place.sample * (PH * PW * OC);
    for (int pass = 0; pass < units; pass += items) {
        const int active = pass + item < units, unit = active ? pass + item : 0;
        const int window = unit / quads, quad = unit - window * quads;
        const int row = window / TW, column = window % TW, first = quad * 4;
        float4 sum[4];
        for (int p = 0; p < 4; ++p)
            sum[p] = (float4)0.0f;
        for (int start = 0; start < sources; start += CHUNK) {
            const int some = min(CHUNK, sources - start);
            barrier(CLK_LOCAL_MEM_FENCE);
            stage_gradients(tile, dy + pooled, which + pooled, scale, &place, source + start, some);
            stage_weights((local float *)weights, parameters + w_offset, source + start, some, list,
                          targets);
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int k = 0; active && k < some; ++k)
                add_source(sum, tile + k * CHANNEL + 2 * row * (2 * HALF) + column,
                           weights + k * TAPS * QUADS + quad);
        }
        if (active)
            store_pixels(dx + place.sample * (IH * IW * IC), sum, 2 * (place.row + row),
                         2 * (place.column + column), list + first, min(4, targets - first));
    }
}
#endif
