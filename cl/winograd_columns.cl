/* A 3 x 3 convolution at stride 1, and its gradients, by Winograd's method (winograd_tile.cl) where the
 * transformed weights are larger than the caches and a sample's tiles few: a work-item takes some blocks
 * of output channels, transforms their weights, which stay near the processor, and goes over all
 * tiles of some samples. For the weights' gradient it takes blocks of input and output channels, whose
 * products of all these tiles stay in registers: there are no sums of its own to write and read.
 *
 * Must be given, besides: CHUNK, the tiles of a piece of the batch, at most, in whole ROWS; U_PITCH and
 * G_PITCH, floats from one point to the next of transformed weights and of transformed gradients.
 *
 * The scratch memory: v (36, CHUNK, ICP); of the weights' gradient also g (36, BLOCKS, CHUNK, OCB), the
 * gradients of the output transformed; then ITEM floats for each work-item. */
#if !defined(CHUNK) || !defined(U_PITCH) || !defined(G_PITCH)
#error "CHUNK, U_PITCH and G_PITCH must be given"
#endif

#define M_ROW OCB
#include "winograd_tile.cl"

#define V_FLOATS ((size_t)PRODUCTS * V_PITCH)
#define INPUT_BLOCKS ((IC + ROWS - 1) / ROWS)

/* What a work-item has for itself. */
typedef struct room {
    global float *half_way, *zeros;
    global float *bias;     /* (OCP): sums of the output's gradient */
    global float *u, *m;    /* (36, IC, OCB), (36, CHUNK, OCB) */
    global float *products; /* (36, ROWS, OCB), in the place of u */
} room;

static room enter(global float *scratch, int begin, int item)
{
    room r;
    r.half_way = scratch + begin + item * (size_t)ITEM;
    r.zeros = r.half_way + HALF_WAY;
    r.bias = r.zeros + max(ICP, OCP);
    r.u = r.products = r.bias + OCP;
    r.m = r.u + (size_t)PRODUCTS * U_PITCH;
    return r;
}

/* The stretch of `count` pieces of work that an item takes begins here. */
static int begin_at(int count, int item, int items)
{
    return (int)((long)count * item / items);
}

/* v of n samples from sample `first` of x on; the last tile again, to whole ROWS. */
kernel void winograd_columns_tiles(global float *scratch, int begin, const global float *x,
                                   int first, int n, int items)
{
    const int item = get_global_id(0), tiles = n * TILES;
    if (item >= items)
        return;
    const room r = enter(scratch, begin, item);
    const int count = (tiles + ROWS - 1) / ROWS * ROWS;
    clear_zeros(r.zeros);
    for (int i = begin_at(count, item, items); i < begin_at(count, item + 1, items); ++i)
        load_tile(scratch + (size_t)i * ICP, r.half_way, x + (size_t)first * (IH * IW * IC),
                  r.zeros, min(i, tiles - 1));
}

/* y (n, OH, OW, OC) of these samples, from v and the weights w at w_offset; bias (OC) at bias_offset, none
 * where that is negative. */
kernel void winograd_columns_forward(global float *y, const global float *w, int w_offset,
                                     int turned, const global float *bias, int bias_offset,
                                     global float *scratch, int begin, int first, int n, int items)
{
    const int item = get_global_id(0), tiles = n * TILES;
    if (item >= items)
        return;
    const room r = enter(scratch, begin, item);
    y += (size_t)first * (OH * OW * OC);
    for (int b = begin_at(BLOCKS, item, items); b < begin_at(BLOCKS, item + 1, items); ++b) {
        for (int c = 0; c < IC; ++c)
            for (int o = 0; o < OCB; o += LANES)
                transform_taps(r.u + c * OCB + o, U_PITCH, w + w_offset, b * OCB + o, c, turned);
        for (int i = 0; i < PRODUCTS; ++i)
            for (int tile = 0; tile < tiles; tile += ROWS)
                multiply(r.m + (size_t)i * M_PITCH + tile * OCB,
                         scratch + (size_t)i * V_PITCH + (size_t)tile * ICP,
                         r.u + (size_t)i * U_PITCH);
        for (int o = b * OCB; o < min(OC, (b + 1) * OCB); o += LANES) {
            const float16 start = bias_offset < 0 ? (float16)0.0f
                                                  : load_wide(bias + bias_offset, o, OC);
            for (int tile = 0; tile < tiles; ++tile)
                store_tile(y, y, r.half_way, r.m + tile * OCB + o % OCB, start, tile, o);
        }
    }
}

/* g of n samples from sample `first` of dy on; r.bias: its sums. */
kernel void winograd_columns_gradients(global float *scratch, int begin, const global float *dy,
                                       int first, int n, int items)
{
    const int item = get_global_id(0), tiles = n * TILES;
    if (item >= items)
        return;
    const room r = enter(scratch, begin, item);
    clear_zeros(r.zeros);
    for (int o = 0; o < OCP; ++o)
        r.bias[o] = 0.0f;
    for (int i = begin_at(tiles, item, items); i < begin_at(tiles, item + 1, items); ++i)
        load_gradients(scratch + V_FLOATS + (size_t)i * OCB, CHUNK * OCB, G_PITCH, r.bias,
                       r.half_way, dy + (size_t)first * (OH * OW * OC), r.zeros, i);
}

/* dw (OC, IC, 3, 3) at w_offset of output channels o to o + 15 and the block of input channels from c
 * on, whose products are at `products`. */
static void find_taps(global float *dw, const global float *products, int c, int o, int more)
{
    for (int row = 0; row < min(ROWS, IC - c); ++row) {
        float16 d[POINTS], columns[POINTS][3];
        for (int x = 0; x < POINTS; ++x) {
            for (int y = 0; y < POINTS; ++y)
                d[y] = vload16(0, products + ((y * POINTS + x) * ROWS + row) * OCB);
            transform_output(columns[x], d, 3);
        }
        store_taps(dw, columns, o, c + row, more);
    }
}

/* The sums of all work-items, in their order. */
static void find_bias(global float *db, global float *scratch, int begin, int o, int more,
                      int items)
{
    float16 sum = (float16)0.0f;
    float lanes[LANES];
    for (int item = 0; item < items; ++item)
        sum += vload16(0, enter(scratch, begin, item).bias + o);
    vstore16(sum, 0, lanes);
    for (int lane = 0; lane < min(LANES, OC - o); ++lane)
        db[o + lane] = more ? db[o + lane] + lanes[lane] : lanes[lane];
}

/* dw (OC, IC, 3, 3) and db (OC) at their offsets from v and g of n samples; no db where its offset is
 * negative. more: added to what is there. */
kernel void winograd_columns_weights(global float *gradients, int w_offset, int b_offset,
                                     global float *scratch, int begin, int more, int n, int items)
{
    const int item = get_global_id(0), tiles = n * TILES, count = BLOCKS * INPUT_BLOCKS;
    if (item >= items)
        return;
    const room r = enter(scratch, begin, item);
    for (int i = begin_at(count, item, items); i < begin_at(count, item + 1, items); ++i) {
        const int c = i % INPUT_BLOCKS * ROWS, block = i / INPUT_BLOCKS;
        const global float *g = scratch + V_FLOATS + (size_t)block * (CHUNK * OCB);
        for (int p = 0; p < PRODUCTS * ROWS * OCB; ++p)
            r.products[p] = 0.0f;
        for (int p = 0; p < PRODUCTS; ++p)
            accumulate(r.products + p * (ROWS * OCB), scratch + (size_t)p * V_PITCH + c,
                       g + (size_t)p * G_PITCH, tiles);
        for (int o = block * OCB; o < min(OC, (block + 1) * OCB); o += LANES) {
            find_taps(gradients + w_offset, r.products + o % OCB, c, o, more);
            if (c == 0 && b_offset >= 0)
                find_bias(gradients + b_offset, scratch, begin, o, more, items);
        }
    }
}
