/* What Winograd's 3 x 3 convolutions share: tiles and taps, transformed there and back, and their
 * products in register blocks. F(4x4, 3x3) for the output and for the gradient of the input, which is a
 * convolution of the output's gradient with the weights turned by 180 degrees; F(3x3, 4x4) for the
 * gradient of the weights. See winograd_points.cl. The tiles of a batch, 4 x 4 outputs each, are (n,
 * TILES_Y, TILES_X).
 *
 * A value that is not finite does not vanish: it spoils its whole tile.
 *
 * Layout: activations (N, H, W, C); weights (O, I, 3, 3) as they are saved.
 * Must be given, as the kernel sees them (the gradient of the input swaps them):
 *   IC, IH, IW, OC, OH, OW, PT, PL   input, output, padding before the first row and column
 *   ROWS, WIDE        a register block: tiles (or input channels), vectors of 16 output channels
 *   V_PITCH, M_PITCH  floats from one point to the next of the transformed inputs and of m
 *   ITEM              floats of a work-item's memory
 * Must be defined before: M_ROW, floats from one tile to the next in m. What stands behind it in the same
 * step: epilogue.cl. */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(OH) ||                \
    !defined(OW) || !defined(PT) || !defined(PL) || !defined(ROWS) || !defined(WIDE) ||            \
    !defined(V_PITCH) || !defined(M_PITCH) || !defined(ITEM)
#error "IC, IH, IW, OC, OH, OW, PT, PL, ROWS, WIDE, V_PITCH, M_PITCH and ITEM must be given"
#endif

#define POINT_VECTOR float16

#include "channels.cl"
#include "epilogue.cl"
#include "loop.cl"
#include "winograd_points.cl"

#define TAPS 9
#define SIDE 4
#define TILES_Y ((OH + SIDE - 1) / SIDE)
#define TILES_X ((OW + SIDE - 1) / SIDE)
#define TILES (TILES_Y * TILES_X)
#define LANES 16
#define OCB (LANES * WIDE)
#define BLOCKS ((OC + OCB - 1) / OCB)
#define OCP (BLOCKS * OCB)
#define ICP ((IC + LANES - 1) / LANES * LANES)
#define HALF_WAY (PRODUCTS * LANES)

/* Output channels o to o + 15 of input channel c of w, transformed: to u, `pitch` floats from point to
 * point. turned: w is (IC, OC, 3, 3), and its taps are taken from the last to the first. */
static void transform_taps(global float *u, size_t pitch, const global float *w, int o, int c,
                           int turned)
{
    const int count = min(LANES, OC - o);
    float16 g[3], columns[3][POINTS], row[POINTS];
    for (int x = 0; x < 3; ++x) {
        for (int y = 0; y < 3; ++y) {
            const int tap = turned ? TAPS - 1 - (y * 3 + x) : y * 3 + x;
            float lanes[LANES];
            for (int lane = 0; lane < LANES; ++lane) {
                const int at = turned ? c * OC + o + lane : (o + lane) * IC + c;
                lanes[lane] = lane < count ? w[at * TAPS + tap] : 0.0f;
            }
            g[y] = vload16(0, lanes);
        }
        transform_weights(columns[x], g, 3);
    }
    for (int y = 0; y < POINTS; ++y) {
        for (int x = 0; x < 3; ++x)
            g[x] = columns[x][y];
        transform_weights(row, g, 3);
        for (int x = 0; x < POINTS; ++x)
            vstore16(row[x], 0, u + (y * POINTS + x) * pitch);
    }
}

/* Which of `count` rows or columns from `first` on are inside: a bit each. */
static int find_inside(int first, int count, int size)
{
    int bits = 0;
    for (int i = 0; i < count; ++i)
        bits |= (first + i >= 0 && first + i < size) << i;
    return bits;
}

/* Channels c to c + 15 of six by six pixels of a plane (.., width, channels), transformed: to v,
 * V_PITCH from point to point. */
static void transform_pixels(global float *v, global float *half_way, const global float *corner,
                             const global float *zeros, int rows, int columns, int c)
{
    float16 r[POINTS];
#pragma unroll
    for (int x = 0; x < POINTS; ++x) {
        float16 d[POINTS];
#pragma unroll
        for (int y = 0; y < POINTS; ++y)
            d[y] = load_wide(rows >> y & columns >> x & 1 ? corner + (y * IW + x) * IC : zeros, c,
                             IC);
        transform_input(r, d[0], d[1], d[2], d[3], d[4], d[5]);
#pragma unroll
        for (int y = 0; y < POINTS; ++y)
            vstore16(r[y], y * POINTS + x, half_way);
    }
#pragma unroll
    for (int y = 0; y < POINTS; ++y) {
        const global float *d = half_way + y * (POINTS * LANES);
        transform_input(r, vload16(0, d), vload16(1, d), vload16(2, d), vload16(3, d),
                        vload16(4, d), vload16(5, d));
#pragma unroll
        for (int x = 0; x < POINTS; ++x)
            vstore16(r[x], 0, v + (y * POINTS + x) * V_PITCH + c);
    }
}

/* One tile of x (n, IH, IW, IC) to v (ICP). */
static void load_tile(global float *v, global float *half_way, const global float *x,
                      const global float *zeros, int tile)
{
    const int top = tile / TILES_X % TILES_Y * SIDE - PT, left = tile % TILES_X * SIDE - PL;
    const int rows = find_inside(top, POINTS, IH), columns = find_inside(left, POINTS, IW);
    const global float *corner =
        x + tile / TILES * (size_t)(IH * IW * IC) + (top * IW + left) * IC;
    const int all = (1 << POINTS) - 1;
    if (rows == all && columns == all)
        for (int c = 0; c < IC; c += LANES)
            transform_pixels(v, half_way, corner, zeros, all, all, c);
    else
        for (int c = 0; c < IC; c += LANES)
            transform_pixels(v, half_way, corner, zeros, rows, columns, c);
}

/* m (ROWS, OCB), M_ROW floats from row to row, = v (ROWS, ICP) times u (IC, OCB). */
static void multiply(global float *m, const global float *v, const global float *u)
{
    float16 sum[ROWS][WIDE];
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            sum[r][w] = (float16)0.0f;
    for (int c = 0; c < IC; ++c) {
        float16 weight[WIDE];
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            weight[w] = vload16(c * WIDE + w, u);
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int w = 0; w < WIDE; ++w)
                sum[r][w] = fma((float16)v[r * ICP + c], weight[w], sum[r][w]);
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            vstore16(sum[r][w], w, m + r * M_ROW);
}

/* 16 channels from o on of a tile of y (n, OH, OW, OC), and of z where the epilogue adds it. */
static void store_tile(global float *y, const global float *z, global float *half_way,
                       const global float *m, float16 bias, int tile, int o)
{
    const int top = tile / TILES_X % TILES_Y * SIDE, left = tile % TILES_X * SIDE;
    const int rows = OH % SIDE == 0 ? SIDE : min(SIDE, OH - top);
    const int columns = OW % SIDE == 0 ? SIDE : min(SIDE, OW - left);
    float16 d[POINTS], r[SIDE];
#pragma unroll
    for (int x = 0; x < POINTS; ++x) {
#pragma unroll
        for (int i = 0; i < POINTS; ++i)
            d[i] = vload16(0, m + (i * POINTS + x) * M_PITCH);
        transform_output(r, d, SIDE);
#pragma unroll
        for (int i = 0; i < SIDE; ++i)
            vstore16(r[i], i * POINTS + x, half_way);
    }
    const size_t corner = tile / TILES * (size_t)(OH * OW * OC) + (top * OW + left) * OC;
#pragma unroll
    for (int i = 0; i < SIDE; ++i) {
#pragma unroll
        for (int x = 0; x < POINTS; ++x)
            d[x] = vload16(i * POINTS + x, half_way);
        transform_output(r, d, SIDE);
#pragma unroll
        for (int x = 0; x < SIDE; ++x)
            if (i < rows && x < columns) {
                const size_t pixel = corner + (i * OW + x) * OC;
                store_wide(finish_wide(r[x] + bias, z + pixel, o, OC), y + pixel, o, OC);
            }
    }
}

static void clear_zeros(global float *zeros)
{
    for (int c = 0; c < max(ICP, OCP); ++c)
        zeros[c] = 0.0f;
}

/* Channels o to o + 15 of four by four pixels of the output's gradient, transformed: to m, `pitch`
 * floats from point to point. Returns their sum. */
static float16 transform_gradients(global float *m, int pitch, global float *half_way,
                                   const global float *corner, const global float *zeros, int rows,
                                   int columns, int o)
{
    float16 g[SIDE], r[POINTS], sum = (float16)0.0f;
#pragma unroll
    for (int x = 0; x < SIDE; ++x) {
#pragma unroll
        for (int y = 0; y < SIDE; ++y) {
            g[y] = load_wide(rows >> y & columns >> x & 1 ? corner + (y * OW + x) * OC : zeros, o,
                             OC);
            sum += g[y];
        }
        transform_weights(r, g, SIDE);
#pragma unroll
        for (int y = 0; y < POINTS; ++y)
            vstore16(r[y], y * SIDE + x, half_way);
    }
#pragma unroll
    for (int y = 0; y < POINTS; ++y) {
#pragma unroll
        for (int x = 0; x < SIDE; ++x)
            g[x] = vload16(y * SIDE + x, half_way);
        transform_weights(r, g, SIDE);
#pragma unroll
        for (int x = 0; x < POINTS; ++x)
            vstore16(r[x], 0, m + (y * POINTS + x) * pitch);
    }
    return sum;
}

/* One tile of dy (n, OH, OW, OC), transformed, and its sum added to that of the bias (OCP): channel o's
 * block of OCB is block_step floats behind the one before in m. */
static void load_gradients(global float *m, int block_step, int pitch, global float *bias,
                           global float *half_way, const global float *dy,
                           const global float *zeros, int tile)
{
    const int top = tile / TILES_X % TILES_Y * SIDE, left = tile % TILES_X * SIDE;
    const int rows = find_inside(top, SIDE, OH), columns = find_inside(left, SIDE, OW);
    const global float *corner =
        dy + tile / TILES * (size_t)(OH * OW * OC) + (top * OW + left) * OC;
    for (int o = 0; o < OCP; o += LANES) {
        const float16 sum =
            transform_gradients(m + o / OCB * block_step + o % OCB, pitch, half_way,
                                o < OC ? corner : zeros, zeros, o < OC ? rows : 0, columns, o);
        vstore16(vload16(0, bias + o) + sum, 0, bias + o);
    }
}

/* partial (ROWS, OCB) += the products of v (tiles, ICP) and m (tiles, OCB), tile by tile; M_ROW floats from
 * row to row of partial and m. */
static void accumulate(global float *partial, const global float *v, const global float *m,
                       int tiles)
{
    float16 sum[ROWS][WIDE];
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            sum[r][w] = vload16(w, partial + r * M_ROW);
    for (int tile = 0; tile < tiles; ++tile) {
        float16 g[WIDE];
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            g[w] = vload16(w, m + tile * M_ROW);
#pragma unroll
        for (int r = 0; r < ROWS; ++r)
#pragma unroll
            for (int w = 0; w < WIDE; ++w)
                sum[r][w] = fma((float16)v[tile * ICP + r], g[w], sum[r][w]);
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
#pragma unroll
        for (int w = 0; w < WIDE; ++w)
            vstore16(sum[r][w], w, partial + r * M_ROW);
}

/* dw (OC, IC, 3, 3) of output channels o to o + 15 and input channel c, from the products at the points,
 * whose columns are transformed back; added to what is there where `more`. */
static void store_taps(global float *dw, float16 columns[POINTS][3], int o, int c, int more)
{
    const int count = min(LANES, OC - o);
    float lanes[LANES];
    for (int y = 0; y < 3; ++y) {
        float16 d[POINTS], r[3];
        for (int x = 0; x < POINTS; ++x)
            d[x] = columns[x][y];
        transform_output(r, d, 3);
        for (int x = 0; x < 3; ++x) {
            vstore16(r[x], 0, lanes);
            for (int lane = 0; lane < count; ++lane) {
                global float *tap = dw + ((o + lane) * IC + c) * TAPS + y * 3 + x;
                *tap = more ? *tap + lanes[lane] : lanes[lane];
            }
        }
    }
}

