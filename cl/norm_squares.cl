/* The products of a convolution's taps, summed over the output's positions: of row ky of the taps
 * with row ky' >= ky, both as runs of RUN_IN values, which lie together in a tile. What is asked of
 * them is no more than rows of the tile times rows of the tile.
 *
 * Layout: squares (K, K, RUN_IN + 1, EIGHTS(RUN_IN)): products of row ky's value i with row ky' are
 * at [ky][ky'][i], the sums of row ky' at [ky][ky'][RUN_IN]. Must be defined before: IC, K, OH, OW,
 * TH, TW, RUN_IN. */

/* What multiply_rows keeps in registers: the products of RUN_STEP values of the upper row with all
 * vectors of BELOW rows from there on down. */
#define RUN_VECTORS (EIGHTS(RUN_IN) / 8)
#define RUN_STEPS ((RUN_IN * RUN_VECTORS + 7) / 8)
#define RUN_STEP ((RUN_IN + RUN_STEPS - 1) / RUN_STEPS)
#define BELOW (RUN_STEP * RUN_VECTORS * K <= 9 ? K : 1)

/* products (BELOW, RUN_STEP, RUN_VECTORS): values `first` on of all runs of the row `upper` with
 * the runs of the rows `lower`. */
static void multiply_rows(float8 *products, const global float *upper,
                          const global float *const *lower, int first)
{
    float8 sum[BELOW * RUN_STEP * RUN_VECTORS];
    int at[RUN_STEP];
#pragma unroll
    for (int i = 0; i < BELOW * RUN_STEP * RUN_VECTORS; ++i)
        sum[i] = (float8)0.0f;
#pragma unroll
    for (int i = 0; i < RUN_STEP; ++i)
        at[i] = min(first + i, RUN_IN - 1);
    for (int x = 0; x < OW * IC; x += IC)
#pragma unroll
        for (int v = 0; v < BELOW * RUN_VECTORS; ++v) {
            const float8 value = vload8(v % RUN_VECTORS, lower[v / RUN_VECTORS] + x);
#pragma unroll
            for (int i = 0; i < RUN_STEP; ++i)
                sum[(v / RUN_VECTORS * RUN_STEP + i) * RUN_VECTORS + v % RUN_VECTORS] =
                    fma((float8)upper[x + at[i]], value,
                        sum[(v / RUN_VECTORS * RUN_STEP + i) * RUN_VECTORS + v % RUN_VECTORS]);
        }
#pragma unroll
    for (int i = 0; i < BELOW * RUN_STEP * RUN_VECTORS; ++i)
        products[i] = sum[i];
}

static global float *squares_at(global float *squares, int ky, int below, int i)
{
    return squares + ((ky * K + ky + below) * (RUN_IN + 1) + i) * EIGHTS(RUN_IN);
}

static void add_vectors(global float *target, const float8 *values)
{
    for (int v = 0; v < RUN_VECTORS; ++v)
        vstore8(vload8(v, target) + values[v], v, target);
}

/* Row r of the tile is row ky of the taps of the output's row r - ky. */
static void add_products(global float *squares, const global float *tile, int r, int first_below)
{
    const global float *lower[BELOW];
    for (int b = 0; b < BELOW; ++b)
        lower[b] = tile + min(r + first_below + b, TH - 1) * TW * IC;
    for (int first = 0; first < RUN_IN; first += RUN_STEP) {
        float8 products[BELOW * RUN_STEP * RUN_VECTORS];
        multiply_rows(products, tile + r * TW * IC, lower, first);
        for (int b = 0; b < BELOW; ++b)
            for (int ky = max(0, r - OH + 1); ky <= min(r, K - 1 - first_below - b); ++ky)
                for (int i = 0; i < min(RUN_STEP, RUN_IN - first); ++i)
                    add_vectors(squares_at(squares, ky, first_below + b, first + i),
                                products + (b * RUN_STEP + i) * RUN_VECTORS);
    }
}

/* Adds a sample's tile (TH, TW, IC) to squares. */
static void add_squares(global float *squares, const global float *tile)
{
    for (int r = 0; r < TH; ++r) {
        float8 sum[RUN_VECTORS];
        for (int v = 0; v < RUN_VECTORS; ++v)
            sum[v] = (float8)0.0f;
        for (int ox = 0; ox < OW; ++ox)
            for (int v = 0; v < RUN_VECTORS; ++v)
                sum[v] += vload8(v, tile + (r * TW + ox) * IC);
        for (int ky = max(0, r - OH + 1); ky <= min(r, K - 1); ++ky)
            add_vectors(squares_at(squares, ky, 0, RUN_IN), sum);
        for (int below = 0; below < min(K, TH - r); below += BELOW)
            add_products(squares, tile, r, below);
    }
}
