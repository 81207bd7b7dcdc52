/* A convolution in register blocks: some pixels by eight to 24 output channels.
 *
 * The tile is (blocks, rows, tile_width, stride): a row of K taps is K * stride values one behind
 * the other. The weights are, for each vector of eight output channels, (blocks, K, K * stride, 8);
 * with LISTED 1 (default 0) there is one block, and a list says where each value's eight weights
 * are. The result is (vectors, pixels, 8). Must be defined before: K. */
#ifndef LISTED
#define LISTED 0
#endif

typedef struct sweep {
    int pixels, width;       /* of the result's plane */
    int tile_width, stride;  /* pixels of a row of the tile, values of a pixel */
    int blocks, block_pitch; /* of the tile, and values from one to the next */
    int pitch;               /* from one vector's weights to the next one's */
    const global int *list;  /* (K * K * stride) with LISTED */
} sweep;

/* Adds to sum (PIXELS, VECTORS): both are constants, so that the sums stay in registers. */
#define DEFINE_CONVOLVE(PIXELS, COUNT)                                                             \
    static void add_taps_##PIXELS##_##COUNT(float8 *sum, const global float *tile,                 \
                                            const int *offset, const global float *weights,        \
                                            sweep s)                                               \
    {                                                                                              \
        const global int *next = s.list;                                                           \
        for (int block = 0; block < s.blocks; ++block)                                             \
            for (int ky = 0; ky < K; ++ky) {                                                       \
                const global float *row =                                                          \
                    tile + block * s.block_pitch + ky * s.tile_width * s.stride;                   \
                const global float *at[PIXELS];                                                    \
                _Pragma("unroll") for (int p = 0; p < PIXELS; ++p) at[p] = row + offset[p];        \
                for (int i = 0; i < K * s.stride; ++i) {                                           \
                    const global float *taps = LISTED ? weights + *next++ : weights;               \
                    float8 w[COUNT];                                                               \
                    _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                              \
                        w[v] = vload8(0, taps + v * s.pitch);                                      \
                    weights += LISTED ? 0 : 8;                                                     \
                    _Pragma("unroll") for (int p = 0; p < PIXELS; ++p)                             \
                        _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                          \
                            sum[p * COUNT + v] =                                                   \
                                fma((float8)at[p][i], w[v], sum[p * COUNT + v]);                   \
                }                                                                                  \
            }                                                                                      \
    }                                                                                              \
                                                                                                   \
    static void convolve_##PIXELS##_##COUNT(global float *out, const global float *tile,           \
                                            const global float *weights, const float8 *start,      \
                                            sweep s)                                               \
    {                                                                                              \
        for (int first = 0; first < s.pixels; first += PIXELS) {                                   \
            float8 sum[PIXELS * COUNT];                                                            \
            int offset[PIXELS];                                                                    \
            _Pragma("unroll") for (int p = 0; p < PIXELS; ++p)                                     \
            {                                                                                      \
                const int pixel = min(first + p, s.pixels - 1);                                    \
                offset[p] = (pixel / s.width * s.tile_width + pixel % s.width) * s.stride;         \
                _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                                  \
                    sum[p * COUNT + v] = start[v];                                                 \
            }                                                                                      \
            add_taps_##PIXELS##_##COUNT(sum, tile, offset, weights, s);                            \
            _Pragma("unroll") for (int p = 0; p < PIXELS; ++p)                                     \
                _Pragma("unroll") for (int v = 0; v < COUNT; ++v)                                  \
                    vstore8(sum[p * COUNT + v], min(first + p, s.pixels - 1) + v * s.pixels, out); \
        }                                                                                          \
    }

DEFINE_CONVOLVE(8, 1)
DEFINE_CONVOLVE(6, 2)
DEFINE_CONVOLVE(4, 3)

/* How many of the vectors that are left make the next block. */
static int block_vectors(int left)
{
    return left == 1 || left == 3 ? left : 2;
}

/* out (vectors, pixels, 8); the sums begin with bias (channels), or with zero where there are
 * none. */
static void convolve(global float *out, const global float *tile, const global float *weights,
                     const global float *bias, int channels, sweep s, int vectors)
{
    for (int v = 0, count; v < vectors; v += count) {
        float8 start[3];
        count = block_vectors(vectors - v);
        for (int i = 0; i < 3; ++i)
            start[i] = i < count && channels > 0 ? load_channels(bias, (v + i) * 8, channels)
                                                 : (float8)0.0f;
        global float *target = out + v * s.pixels * 8;
        const global float *source = weights + v * s.pitch;
        if (count == 1)
            convolve_8_1(target, tile, source, start, s);
        else if (count == 2)
            convolve_6_2(target, tile, source, start, s);
        else
            convolve_4_3(target, tile, source, start, s);
    }
}
