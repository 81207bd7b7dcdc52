/* A 3 x 3 convolution at stride 1, and its gradients, with a quarter of the multiplications, for
 * devices whose work-items are long (winograd_tile.cl).
 *
 * A work-item takes some stretch of the tiles in chunks: the inputs are transformed to v (36, tiles,
 * ICP), small products with the transformed weights u (36, BLOCKS, IC, OCB) give m (36, tiles, OCP),
 * whose transform back is the output. For the weights' gradient m has the transformed gradients of the
 * output, and the products over the tiles stay at 36 points until all are added up.
 *
 * Must be given, besides: CHUNK, tiles of a chunk, a multiple of ROWS. A work-item's ITEM floats: v, m, a
 * half-transformed tile, a pixel of zeros. */
#ifndef CHUNK
#error "CHUNK must be given"
#endif

#define M_ROW OCP
#include "winograd_tile.cl"

#define ICR ((IC + ROWS - 1) / ROWS * ROWS)
/* Of the weights' gradient: the products of all points, and the gradient of the bias. */
#define PARTIAL ((size_t)PRODUCTS * ICR * OCP + OCP)

/* u (36, BLOCKS, IC, OCB) from w at w_offset. */
kernel void winograd_conv_pack(global float *u, const global float *w, int w_offset, int turned)
{
    FOR_EACH (i, BLOCKS * WIDE * IC) {
        const int v = i % WIDE, c = i / WIDE % IC, block = i / (WIDE * IC);
        transform_taps(u + ((size_t)block * IC + c) * OCB + v * LANES, (size_t)BLOCKS * IC * OCB,
                       w + w_offset, block * OCB + v * LANES, c, turned);
    }
}

/* The stretch of the tiles that a work-item takes: whole chunks. */
static int chunk_at(int tiles, int item, int items)
{
    const int chunks = (tiles + CHUNK - 1) / CHUNK;
    return (int)((long)chunks * item / items) * CHUNK;
}

/* y (n, OH, OW, OC) from x (n, IH, IW, IC), what the epilogue adds, z (as y), and u, which may be the
 * beginning of the scratch memory: from its float number `begin` on each of the work-items has ITEM
 * floats; bias (OC) at bias_offset, none where that is negative. */
kernel void winograd_conv_forward(global float *y, const global float *x, const global float *z,
                                  const global float *bias, int bias_offset,
                                  const global float *u, global float *scratch, int begin, int n,
                                  int items)
{
    const int item = get_global_id(0), tiles = n * TILES;
    if (item >= items)
        return;
    global float *v = scratch + begin + item * (size_t)ITEM;
    global float *m = v + PRODUCTS * V_PITCH, *half_way = m + PRODUCTS * M_PITCH;
    global float *zeros = half_way + HALF_WAY;
    clear_zeros(zeros);
    const int end = min(tiles, chunk_at(tiles, item + 1, items));
    for (int first = chunk_at(tiles, item, items); first < end; first += CHUNK) {
        const int count = min(CHUNK, end - first);
        const int whole_rows = (count + ROWS - 1) / ROWS * ROWS; /* the last tile again */
        for (int i = 0; i < whole_rows; ++i)
            load_tile(v + i * ICP, half_way, x, zeros, first + min(i, count - 1));
        for (int i = 0; i < PRODUCTS; ++i)
            for (int b = 0; b < BLOCKS; ++b)
                for (int tile = 0; tile < whole_rows; tile += ROWS)
                    multiply(m + i * M_PITCH + tile * OCP + b * OCB, v + i * V_PITCH + tile * ICP,
                             u + (size_t)(i * BLOCKS + b) * (IC * OCB));
        for (int o = 0; o < OC; o += LANES) {
            const float16 start = bias_offset < 0 ? (float16)0.0f
                                                  : load_wide(bias + bias_offset, o, OC);
            for (int i = 0; i < count; ++i)
                store_tile(y, z, half_way, m + i * OCP + o, start, first + i, o);
        }
    }
}

/* The partial sums of the weights' gradient, PARTIAL floats for each work-item, from x (n, IH, IW,
 * IC) and dy (n, OH, OW, OC): (36, ICR, OCP), then those of the bias (OCP). The work-items' memory
 * as above, the partial sums at the beginning. */
kernel void winograd_conv_gradient(global float *scratch, int begin, const global float *x,
                                   const global float *dy, int n, int items)
{
    const int item = get_global_id(0), tiles = n * TILES;
    if (item >= items)
        return;
    global float *partial = scratch + item * PARTIAL;
    global float *bias = partial + (size_t)PRODUCTS * ICR * OCP;
    global float *v = scratch + begin + item * (size_t)ITEM;
    global float *m = v + PRODUCTS * V_PITCH, *half_way = m + PRODUCTS * M_PITCH;
    global float *zeros = half_way + HALF_WAY;
    clear_zeros(zeros);
    for (size_t i = 0; i < PARTIAL; i += LANES)
        vstore16((float16)0.0f, 0, partial + i);
    const int end = min(tiles, chunk_at(tiles, item + 1, items));
    for (int first = chunk_at(tiles, item, items); first < end; first += CHUNK) {
        const int count = min(CHUNK, end - first);
        for (int i = 0; i < count; ++i) {
            load_tile(v + i * ICP, half_way, x, zeros, first + i);
            load_gradients(m + i * OCP, OCB, M_PITCH, bias, half_way, dy, zeros, first + i);
        }
        for (int i = 0; i < PRODUCTS; ++i)
            for (int c = 0; c < IC; c += ROWS)
                for (int o = 0; o < OCP; o += OCB)
                    accumulate(partial + ((size_t)i * ICR + c) * OCP + o, v + i * V_PITCH + c,
                               m + i * M_PITCH + o, count);
    }
}

/* One point of the work-items' partial sums, added up in their order. */
static float16 sum_partials(const global float *at, int items)
{
    float16 sum = vload16(0, at);
    for (int item = 1; item < items; ++item)
        sum += vload16(0, at + item * PARTIAL);
    return sum;
}

/* dw (OC, IC, 3, 3) and db (OC) at their offsets from the partial sums; no db where its offset is
 * negative. */
kernel void winograd_conv_reduce(global float *gradients, int w_offset, int b_offset,
                                 const global float *scratch, int items)
{
    FOR_EACH (i, (IC + 1) * (OCP / LANES)) {
        const int c = i % (IC + 1), o = i / (IC + 1) * LANES, count = min(LANES, OC - o);
        float lanes[LANES];
        if (c == IC) {
            const float16 sum =
                sum_partials(scratch + (size_t)PRODUCTS * ICR * OCP + o, items);
            vstore16(sum, 0, lanes);
            for (int lane = 0; b_offset >= 0 && lane < count; ++lane)
                gradients[b_offset + o + lane] = lanes[lane];
            continue;
        }
        float16 d[POINTS], columns[POINTS][3];
        for (int x = 0; x < POINTS; ++x) {
            for (int y = 0; y < POINTS; ++y)
                d[y] = sum_partials(
                    scratch + ((size_t)(y * POINTS + x) * ICR + c) * OCP + o, items);
            transform_output(columns[x], d, 3);
        }
        store_taps(gradients + w_offset, columns, o, c, 0);
    }
}
