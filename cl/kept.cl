/* Dropped channels and padding: which of a sample's channels are kept, and its input as a tile
 * of them.
 *
 * Must be defined before: IC, IH, IW (input), PAD; TH, TW (the tile's plane, from PAD above and
 * left of the input's); FIRST (1: the network's first layer, whose input has no dropped
 * channels). */
#define TILE(stride) (TH * TW * (stride) + 8)

/* The channels whose scale is not zero; all of them where there is no mask. */
static int list_kept(int *list, const global float *scales, int channels, int masked)
{
    int kept = 0;
    for (int c = 0; c < channels; ++c) {
        list[kept] = c;
        kept += !masked || scales[c] != 0.0f;
    }
    return kept;
}

/* Of the input's channels; a constant in the first layer. */
static int list_inputs(int *list, const global float *scales, int masked)
{
    const int kept = list_kept(list, scales, IC, masked);
    return FIRST ? IC : kept;
}

/* tile (TH, TW, stride) of the kept channels of plane (IH, IW, IC); zeros around it, and in the
 * channels from `kept` to the stride. */
static void fill_tile(global float *restrict tile, const global float *restrict plane,
                      const int *list, int kept, int stride)
{
    for (int i = TILE(stride) - 8; i < TILE(stride); ++i)
        tile[i] = 0.0f;
    for (int ty = 0; ty < TH; ++ty)
        for (int tx = 0; tx < TW; ++tx) {
            global float *target = tile + (ty * TW + tx) * stride;
            const int iy = ty - PAD, ix = tx - PAD;
            const int inside = iy >= 0 && iy < IH && ix >= 0 && ix < IW;
            const global float *source = plane + (iy * IW + ix) * IC;
            if (!inside)
                for (int k = 0; k < stride; ++k)
                    target[k] = 0.0f;
            else if (kept == IC)
                for (int k = 0; k < IC; ++k)
                    target[k] = source[k];
            else
                for (int k = 0; k < kept; ++k)
                    target[k] = source[list[k]];
            for (int k = kept; inside && k < stride; ++k)
                target[k] = 0.0f;
        }
}
