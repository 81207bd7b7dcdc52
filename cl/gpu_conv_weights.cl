/* The gradients of weights and bias of the convolution in cl/gpu_conv_block.cl:
 *   dw[o][c][ky][kx] = sum over samples and windows with an event of channel o, at the position p that
 *   the byte names: dy * scale * x[p's row + ky - PAD][p's column + kx - PAD][c]
 *
 * In two stages of fixed order. gpu_conv_weights: `parts` parts of the samples' tiles of TH by TW windows;
 * a group takes, for one part, OB output by CB input channels, with tile and events in local memory; a work-item has the taps of
 * RUN rows of one pair of channels in registers; where a group has more work-items than that, they
 * share the windows. gpu_conv_reduce adds up the parts. Any power of two may be the local size, up to
 * GROUP.
 *
 * Layout: activations (N, H, W, C); weights w (OC, IC, K, K).
 * Must be given: IC, IH, IW (input), OC, K, PAD, PH, PW (pooled plane), TH, TW, CB, OB. */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(K) ||                 \
    !defined(PAD) || !defined(PH) || !defined(PW) || !defined(TH) || !defined(TW) ||               \
    !defined(CB) || !defined(OB)
#error "IC, IH, IW, OC, K, PAD, PH, PW, TH, TW, CB and OB must be given"
#endif

#define DEAD 4
#define GROUP 256 /* the largest local size */
#define TAPS (K * K)
#define RUN (K <= 3 ? K : 1) /* rows of taps of a work-item */
#define RUNS (K / RUN)
#define SUMS (RUN * K + 1) /* the last is the bias's */
#define UNITS (OB * RUNS * CB)
#define C_BLOCKS ((IC + CB - 1) / CB)
#define O_BLOCKS ((OC + OB - 1) / OB)
#define TILE_ROWS ((PH + TH - 1) / TH)
#define TILE_COLUMNS ((PW + TW - 1) / TW)
#define TILES (TILE_ROWS * TILE_COLUMNS)
#define WINDOWS (TH * TW)
#define ROWS (2 * TH + K - 1)
#define COLUMNS (2 * TW + K - 1)
#define PIXELS (ROWS * COLUMNS)
#define ROOM (PIXELS * CB > GROUP * SUMS ? PIXELS * CB : GROUP * SUMS)
#define VALUES (OC * (IC * TAPS + 1)) /* of a part: dw, db */

/* tile (ROWS, COLUMNS, CB) of plane (IH, IW, IC), channels c0 on; zeros around it. */
static void stage_input(local float *tile, const global float *plane, int row, int column, int c0)
{
    for (int i = get_local_id(0); i < PIXELS * CB; i += get_local_size(0)) {
        const int c = c0 + i % CB;
        const int iy = 2 * row + i / (CB * COLUMNS) - PAD;
        const int ix = 2 * column + i / CB % COLUMNS - PAD;
        const int inside = c < IC && iy >= 0 && iy < IH && ix >= 0 && ix < IW;
        tile[i] = inside ? plane[(iy * IW + ix) * IC + c] : 0.0f;
    }
}

/* amounts, positions (OB, WINDOWS) of output channels o0 on, from dy and which (PH, PW, OC); DEAD beyond
 * the plane and the last channel. */
static void stage_events(local float *amounts, local uchar *positions, const global float *dy,
                         const global uchar *which, int row, int column, int o0)
{
    for (int i = get_local_id(0); i < WINDOWS * OB; i += get_local_size(0)) {
        const int o = o0 + i % OB, window = i / OB;
        const int py = row + window / TW, px = column + window % TW;
        const int inside = o < OC && py < PH && px < PW;
        const int at = (py * PW + px) * OC + o, target = i % OB * WINDOWS + window;
        amounts[target] = inside ? dy[at] : 0.0f;
        positions[target] = inside ? which[at] : DEAD;
    }
}

/* Every slices-th window from `slice` on. tile: at the work-item's channel and first row of taps. */
static void add_events(float *sum, const local float *tile, const local float *amounts,
                       const local uchar *positions, int slice, int slices)
{
    for (int window = slice; window < WINDOWS; window += slices) {
        const int position = positions[window];
        if (position == DEAD)
            continue;
        const float amount = amounts[window];
        const int y = window / TW * 2 + position / 2, x = window % TW * 2 + position % 2;
        const local float *at = tile + (y * COLUMNS + x) * CB;
#pragma unroll
        for (int i = 0; i < SUMS - 1; ++i)
            sum[i] = fma(amount, at[(i / K * COLUMNS + i % K) * CB], sum[i]);
        sum[SUMS - 1] += amount;
    }
}

/* One unit's gradients into its place of the part. sums: `slices` of each unit, (SUMS, items). */
static void store_sums(global float *part, const local float *sums, int unit, int o, int c, int run,
                       int slices, float scale)
{
    for (int i = 0; i < SUMS; ++i) {
        float total = 0.0f;
        for (int slice = 0; slice < slices; ++slice)
            total += sums[i * get_local_size(0) + unit + slice * UNITS];
        if (i < SUMS - 1)
            part[(o * IC + c) * TAPS + run * RUN * K + i] = total * scale;
        else if (c == 0 && run == 0)
            part[OC * IC * TAPS + o] = total * scale;
    }
}

/* partials (parts, VALUES) from dy, which (n, PH, PW, OC) and x (n, IH, IW, IC). output_scales (n, OC)
 * tell the dropped channels where masked. */
kernel void gpu_conv_weights(global float *partials, const global float *dy,
                             const global uchar *which, const global float *x,
                             const global float *output_scales, int masked, float scale, int n,
                             int parts)
{
    local float room[ROOM]; /* the tile, at last the sums */
    local float amounts[OB * WINDOWS];
    local uchar positions[OB * WINDOWS];
    const int item = get_local_id(0), items = get_local_size(0), group = get_group_id(0);
    const int part = group / (C_BLOCKS * O_BLOCKS), c0 = group % C_BLOCKS * CB;
    const int o0 = group / C_BLOCKS % O_BLOCKS * OB;
    const int slices = max(1, items / UNITS);
    const int begin = (int)((long)n * TILES * part / parts);
    const int end = (int)((long)n * TILES * (part + 1) / parts);
    for (int pass = 0; pass < UNITS; pass += items) {
        const int unit = (pass + item) % UNITS, slice = (pass + item) / UNITS;
        const int c = unit % CB, run = unit / CB % RUNS, o = unit / (CB * RUNS);
        const int active = slice < slices && c0 + c < IC && o0 + o < OC;
        float sum[SUMS];
#pragma unroll
        for (int i = 0; i < SUMS; ++i)
            sum[i] = 0.0f;
        for (int at = begin; at < end; ++at) {
            const size_t sample = at / TILES, pooled = sample * (PH * PW * OC);
            const int row = at % TILES / TILE_COLUMNS * TH, column = at % TILE_COLUMNS * TW;
            barrier(CLK_LOCAL_MEM_FENCE);
            stage_input(room, x + sample * (IH * IW * IC), row, column, c0);
            stage_events(amounts, positions, dy + pooled, which + pooled, row, column, o0);
            barrier(CLK_LOCAL_MEM_FENCE);
            if (active && (!masked || output_scales[sample * OC + o0 + o] != 0.0f))
                add_events(sum, room + run * RUN * COLUMNS * CB + c, amounts + o * WINDOWS,
                           positions + o * WINDOWS, slice, slices);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int i = 0; i < SUMS; ++i)
            room[i * items + item] = sum[i];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (active && slice == 0)
            store_sums(partials + part * (size_t)VALUES, room, item, o0 + o, c0 + c, run, slices,
                       scale);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
}

#define WIDTH 32 /* values of a group of gpu_conv_reduce, or its local size where that is smaller */

/* dw (OC, IC, K, K) and db (OC) at their offsets: the sum of the parts. */
kernel void gpu_conv_reduce(global float *restrict gradients, int w_offset, int b_offset,
                            const global float *restrict partials, int parts)
{
    local float sums[GROUP];
    const int item = get_local_id(0), items = get_local_size(0), width = min(WIDTH, items);
    const int slices = items / width, slice = item / width;
    const size_t value = get_group_id(0) * (size_t)width + item % width;
    float sum = 0.0f;
    for (int part = slice; value < VALUES && part < parts; part += slices)
        sum += partials[part * (size_t)VALUES + value];
    sums[item] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (slice > 0 || value >= VALUES)
        return;
    for (int i = 1; i < slices; ++i)
        sum += sums[i * width + item];
    const int bias = (int)value - OC * IC * TAPS;
    gradients[bias >= 0 ? b_offset + bias : w_offset + (int)value] = sum;
}
