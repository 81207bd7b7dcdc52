/* Convolution, ReLU and 2x2 max pool of an evaluation as one operation with fewer multiplications,
 * Winograd's F(4x4, 3x3) or F(2x2, 5x5), for devices whose work-items are long.
 *
 * A tile of SIDE x SIDE outputs, SIDE = 7 - K, has whole pool windows and reads 6 x 6 inputs:
 *   y = A^T [ sum over input channels of (G g G^T) .* (B^T d B) ] A,   .* element by element:
 * 36 multiplications instead of (SIDE * K)^2, 144 or 100 (winograd_points.cl). Their error in float
 * is 3e-7 to 7e-7 of a layer's norm (a plain sum has 1e-7).
 *
 * The tiles of a batch, (n, TILES_Y, TILES_X), are taken in chunks of CHUNK. v (36, CHUNK, ICP) are
 * the transformed inputs. For PASS blocks of output channels after another, small matrix products
 * with the transformed weights u (36, BLOCKS, IC, OCB) give m (36, PASS, CHUNK, OCB), whose
 * transform back, bias, maximum and ReLU stay in registers. v and m stay in the cache.
 *
 * A value that is not finite does not vanish: it spoils its whole tile.
 *
 * Layout: activations (N, H, W, C).
 * Must be given: IC, IH, IW (input), OC, K (3 or 5), PAD, PH, PW (pooled plane). */
#if !defined(IC) || !defined(IH) || !defined(IW) || !defined(OC) || !defined(K) || \
    !defined(PAD) || !defined(PH) || !defined(PW)
#error "IC, IH, IW, OC, K, PAD, PH and PW must be given"
#endif
#if K != 3 && K != 5
#error "K must be 3 or 5"
#endif

#define POINT_VECTOR float8

#include "channels.cl"
#include "loop.cl"
#include "window.cl"
#include "winograd_points.cl"

#define SIDE (POINTS + 1 - K)
#define TILES_Y ((2 * PH + SIDE - 1) / SIDE)
#define TILES_X ((2 * PW + SIDE - 1) / SIDE)
#define TILES (TILES_Y * TILES_X)
#define TAPS (K * K)
#define OCB 16 /* output channels of a register block, */
#define ROWS 4 /* and tiles */
#define CHUNK 8
#define BLOCKS ((OC + OCB - 1) / OCB)
#define PASS (BLOCKS < 4 ? BLOCKS : 4)
#define ICP ((IC + 7) / 8 * 8)

/* What a work-item has for itself, in floats: v, m, a tile half transformed, a pixel of zeros. From
 * one product to the next an odd number of cache lines, so that they fall into different sets. */
#define LINES(floats) ((((floats) + 15) / 16 | 1) * 16)
#define V_PITCH LINES(CHUNK *ICP)
#define M_PITCH LINES(CHUNK *OCB *PASS)
#define HALF_WAY (PRODUCTS * 8)
#define SCRATCH (PRODUCTS * (V_PITCH + M_PITCH) + HALF_WAY + LINES(ICP))

/* u (36, BLOCKS, IC, OCB) at u_at of the prepared memory, from packed (BLOCKS, TAPS, IC, OCB) at its
 * beginning. */
kernel void winograd_weights(global float *prepared, int u_at)
{
    const global float *packed = prepared;
    global float *u = prepared + u_at;
    FOR_EACH (i, BLOCKS * IC * 2) {
        const int v = i % 2, c = i / 2 % IC, block = i / (2 * IC);
        float8 g[K], columns[K][POINTS], row[POINTS];
        for (int x = 0; x < K; ++x) {
            for (int y = 0; y < K; ++y)
                g[y] = vload8(v, packed + ((block * TAPS + y * K + x) * IC + c) * OCB);
            transform_weights(columns[x], g, K);
        }
        for (int y = 0; y < POINTS; ++y) {
            for (int x = 0; x < K; ++x)
                g[x] = columns[x][y];
            transform_weights(row, g, K);
            for (int x = 0; x < POINTS; ++x)
                vstore8(row[x], v, u + (((y * POINTS + x) * BLOCKS + block) * IC + c) * OCB);
        }
    }
}

/* The pixels of x (n, IH, IW, IC) that a tile reads; zeros stand for the padding. */
static void find_pixels(const global float **pixel, const global float *x,
                        const global float *zeros, int tile)
{
    const int top = tile / TILES_X % TILES_Y * SIDE - PAD, left = tile % TILES_X * SIDE - PAD;
    const global float *plane = x + tile / TILES * (size_t)(IH * IW * IC);
#pragma unroll
    for (int i = 0; i < PRODUCTS; ++i) {
        const int iy = top + i / POINTS, ix = left + i % POINTS;
        const int inside = iy >= 0 && iy < IH && ix >= 0 && ix < IW;
        pixel[i] = inside ? plane + (iy * IW + ix) * IC : zeros;
    }
}

/* One tile of v. */
static void load_tile(global float *v, global float *half_way, const global float **pixel)
{
    for (int c = 0; c < IC; c += 8) {
        float8 r[POINTS];
#pragma unroll
        for (int x = 0; x < POINTS; ++x) {
            float8 d[POINTS];
#pragma unroll
            for (int y = 0; y < POINTS; ++y)
                d[y] = load_channels(pixel[y * POINTS + x], c, IC);
            transform_input(r, d[0], d[1], d[2], d[3], d[4], d[5]);
#pragma unroll
            for (int y = 0; y < POINTS; ++y)
                vstore8(r[y], y * POINTS + x, half_way);
        }
#pragma unroll
        for (int y = 0; y < POINTS; ++y) {
            const global float *d = half_way + y * (POINTS * 8);
            transform_input(r, vload8(0, d), vload8(1, d), vload8(2, d), vload8(3, d), vload8(4, d),
                            vload8(5, d));
#pragma unroll
            for (int x = 0; x < POINTS; ++x)
                vstore8(r[x], 0, v + (y * POINTS + x) * V_PITCH + c);
        }
    }
}

/* m (ROWS, OCB) = v (ROWS, ICP) times u (IC, OCB). */
static void multiply(global float *m, const global float *v, const global float *u)
{
    float8 sum[ROWS][2];
#pragma unroll
    for (int r = 0; r < ROWS; ++r)
        sum[r][0] = sum[r][1] = (float8)0.0f;
    for (int c = 0; c < IC; ++c) {
        const float8 u0 = vload8(2 * c, u), u1 = vload8(2 * c + 1, u);
#pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            sum[r][0] = fma((float8)v[r * ICP + c], u0, sum[r][0]);
            sum[r][1] = fma((float8)v[r * ICP + c], u1, sum[r][1]);
        }
    }
#pragma unroll
    for (int r = 0; r < ROWS; ++r) {
        vstore8(sum[r][0], 2 * r, m);
        vstore8(sum[r][1], 2 * r + 1, m);
    }
}

/* Some blocks of m, from u's block `first` on; of the chunk's tiles the first `tiles`. */
static void multiply_blocks(global float *m, const global float *v, const global float *u,
                            int first, int blocks, int tiles)
{
    for (int i = 0; i < PRODUCTS; ++i)
        for (int b = 0; b < blocks; ++b)
            for (int tile = 0; tile < tiles; tile += ROWS)
                multiply(m + i * M_PITCH + (b * CHUNK + tile) * OCB, v + i * V_PITCH + tile * ICP,
                         u + (i * BLOCKS + first + b) * (IC * OCB));
}

/* Eight channels, from o on, of the windows of y (n, PH, PW, OC) that a tile has. */
static void store_tile(global float *y, global float *half_way, const global float *m, float8 bias,
                       int tile, int o)
{
    const int top = tile / TILES_X % TILES_Y * (SIDE / 2), left = tile % TILES_X * (SIDE / 2);
    float8 d[POINTS], r[2][SIDE];
#pragma unroll
    for (int x = 0; x < POINTS; ++x) {
#pragma unroll
        for (int i = 0; i < POINTS; ++i)
            d[i] = vload8(0, m + (i * POINTS + x) * M_PITCH);
        transform_output(r[0], d, SIDE);
#pragma unroll
        for (int i = 0; i < SIDE; ++i)
            vstore8(r[0][i], i * POINTS + x, half_way);
    }
    y += tile / TILES * (size_t)(PH * PW * OC);
#pragma unroll
    for (int i = 0; i < SIDE; ++i) {
#pragma unroll
        for (int x = 0; x < POINTS; ++x)
            d[x] = vload8(i * POINTS + x, half_way);
        transform_output(r[i % 2], d, SIDE);
#pragma unroll
        for (int x = 0; x < SIDE; x += 2)
            if (i % 2 == 1 && top + i / 2 < PH && left + x / 2 < PW) {
                const float8 sum = largest_sum(r[0][x], r[0][x + 1], r[1][x], r[1][x + 1]);
                store_channels(positive(sum + bias),
                               y + ((top + i / 2) * PW + left + x / 2) * OC, o, OC);
            }
    }
}

/* y (n, PH, PW, OC) from x (n, IH, IW, IC); the biases (OC) at bias_at; u at u_at of the prepared
 * memory. Of the scratch memory, which may be the same, behind u's place SCRATCH floats for each of the
 * `items` work-items, which share the chunks. */
kernel void winograd_forward(global float *y, const global float *x, const global float *biases,
                             int bias_at, const global float *prepared, global float *scratch,
                             int u_at, int n, int items)
{
    const int item = get_global_id(0), tiles = n * TILES, chunks = (tiles + CHUNK - 1) / CHUNK;
    if (item >= items)
        return;
    const global float *u = prepared + u_at;
    global float *v = scratch + u_at + PRODUCTS * BLOCKS * IC * OCB + item * (size_t)SCRATCH;
    global float *m = v + PRODUCTS * V_PITCH, *half_way = m + PRODUCTS * M_PITCH;
    global float *zeros = half_way + HALF_WAY;
    for (int c = 0; c < ICP; ++c)
        zeros[c] = 0.0f;

    const int end = (int)((long)chunks * (item + 1) / items);
    for (int chunk = (int)((long)chunks * item / items); chunk < end; ++chunk) {
        const int first = chunk * CHUNK, count = min(CHUNK, tiles - first);
        const int whole_rows = (count + ROWS - 1) / ROWS * ROWS; /* the last tile again and again */
        for (int i = 0; i < whole_rows; ++i) {
            const global float *pixel[PRODUCTS];
            find_pixels(pixel, x, zeros, first + min(i, count - 1));
            load_tile(v + i * ICP, half_way, pixel);
        }
        for (int block = 0; block < BLOCKS; block += PASS) {
            const int blocks = min(PASS, BLOCKS - block);
            multiply_blocks(m, v, u, block, blocks, whole_rows);
            for (int o = block * OCB; o < min(OC, (block + blocks) * OCB); o += 8) {
                const float8 bias = load_channels(biases + bias_at, o, OC);
                const global float *source = m + (o / OCB - block) * (CHUNK * OCB) + o % OCB;
                for (int i = 0; i < count; ++i)
                    store_tile(y, half_way, source + i * OCB, bias, first + i, o);
            }
        }
    }
}
