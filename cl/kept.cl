/* Dropped channels and padding: which of a sample's channels are kept, where they lie, and its
 * input as a tile of them.
 *
 * A sample's pixels have all channels, or, packed, its kept ones alone, one behind the other; its
 * place in the batch is the same. Where all are kept there is no difference.
 *
 * Must be defined before: IC, IH, IW (input), PAD; TH, TW (the tile's plane, from PAD above and
 * left of the input's); FIRST (1: the network's first layer, whose input has no dropped
 * channels). */
#define TILE(stride) (TH * TW * (stride) + 8)
#define EIGHTS(channels) (((channels) + 7) / 8 * 8)

/* How a tensor's channels are masked (src/ops/masks.h). */
#define MASKED 1
#define PACKED 2

/* A sample's kept channels: `count` of them, in pixels of `pitch` values. Those of packed pixels
 * (count == pitch) are simply in their order, else channel k is at list[k]. */
typedef struct selection {
    int count, pitch;
    const int *list;
} selection;

/* Room for a list, which goes on to whole vectors with the first channel. */
#define LIST(channels) (EIGHTS(channels) + 8)

/* The channels whose scale is not zero; all of them where there is no mask. */
static selection select_kept(int *list, const global float *scales, int channels, int masked)
{
    int kept = 0;
    for (int c = 0; c < channels; ++c) {
        list[kept] = c;
        kept += !masked || scales[c] != 0.0f;
    }
    for (int i = 0; i < 8; ++i)
        list[kept + i] = 0;
    return (selection){kept, masked == PACKED ? kept : channels, list};
}

/* Of the input's channels; a constant in the first layer. */
static selection select_inputs(int *list, const global float *scales, int masked)
{
    selection kept = select_kept(list, scales, IC, masked);
    if (FIRST)
        kept.count = kept.pitch = IC;
    return kept;
}

/* Pixel `at` of a plane whose sample has `size` values: eight of them from kept channel k on. What
 * is behind the last kept channel may be anything that is there. */
static float8 load_kept(const global float *plane, int at, selection kept, int k, int size)
{
    const int pixel = at * kept.pitch, packed = kept.count == kept.pitch;
    if (packed && pixel + k + 8 <= size)
        return vload8(0, plane + pixel + k);
    float values[8];
    for (int i = 0; i < 8; ++i)
        values[i] = plane[packed ? min(pixel + k + i, size - 1) : pixel + kept.list[k + i]];
    return vload8(0, values);
}

/* Likewise; of packed pixels this may also write the head of those that follow. */
static void store_kept(float8 value, global float *plane, int at, selection kept, int k, int size)
{
    const int pixel = at * kept.pitch, packed = kept.count == kept.pitch;
    if (packed && pixel + k + 8 <= size) {
        vstore8(value, 0, plane + pixel + k);
        return;
    }
    float values[8];
    vstore8(value, 0, values);
    for (int i = 0; i < min(8, kept.count - k); ++i)
        plane[pixel + (packed ? k + i : kept.list[k + i])] = values[i];
}

/* Adds eight kept channels' values to those of all channels. */
static void add_listed(global float *all, float8 value, selection kept, int k)
{
    float values[8];
    vstore8(value, 0, values);
    for (int j = 0; j < min(8, kept.count - k); ++j)
        all[kept.list[k + j]] += values[j];
}

static void clear(global float *values, int count)
{
    for (int i = 0; i < count; ++i)
        values[i] = 0.0f;
}

/* tile (TH, TW, stride) of the kept channels of plane (IH, IW, pitch), zeros around it. What is
 * behind the kept channels, up to the stride, may be anything. */
static void fill_tile(global float *restrict tile, const global float *restrict plane,
                      selection kept, int stride)
{
    const int copied = min(IW, TW - PAD);
    clear(tile + TILE(stride) - 8, 8);
    for (int ty = 0; ty < TH; ++ty, tile += TW * stride) {
        const int iy = ty - PAD;
        if (iy < 0 || iy >= IH) {
            clear(tile, TW * stride);
            continue;
        }
        clear(tile, PAD * stride);
        clear(tile + (PAD + copied) * stride, (TW - PAD - copied) * stride);
        global float *target = tile + PAD * stride;
        if (kept.count == kept.pitch && stride == kept.pitch)
            for (int i = 0; i < copied * stride; ++i)
                target[i] = plane[iy * IW * stride + i];
        else if (kept.count == kept.pitch)
            for (int ix = 0; ix < copied; ++ix)
                for (int k = 0; k < kept.count; k += 8)
                    vstore8(load_kept(plane, iy * IW + ix, kept, k, IH * IW * IC), 0,
                            target + ix * stride + k);
        else
            for (int ix = 0; ix < copied; ++ix)
                for (int k = 0; k < kept.count; ++k)
                    target[ix * stride + k] = plane[(iy * IW + ix) * kept.pitch + kept.list[k]];
    }
}
