/* Dropout2d: whole channels of a sample, dropped with probability p; kept ones scaled by 1 / (1
 * - p). A channel is kept when its 32 random bits are not below p * 2^32. Layout: (N, H, W, C).
 * Dropout is the same of single values. plane: values of one channel. */
#include "loop.cl"
#include "philox.cl"

/* scales (n, channels): 0 for dropped channels, `scale` for kept ones. Value sample * channels +
 * channel of the draw (layer, step) decides; the samples are those of a batch from place `first` on. */
kernel void dropout_scales(global float *scales, uint threshold, float scale, uint seed_low,
                           uint seed_high, uint stream_layer, uint step_low, uint step_high,
                           int first, int channels, int n)
{
    const ulong begin = (ulong)first * channels, end = begin + (ulong)n * channels;
    const ulong blocks = begin / 4;
    FOR_EACH (i, (end + 3) / 4 - blocks) {
        const ulong block = blocks + i;
        const uint4 counter = (uint4)((uint)block, stream_layer, step_low, step_high);
        const uint4 words = philox(counter, (uint2)(seed_low, seed_high));
        const uint bits[4] = {words.x, words.y, words.z, words.w};
        for (uint lane = 0; lane < 4; ++lane)
            if (block * 4 + lane >= begin && block * 4 + lane < end)
                scales[block * 4 + lane - begin] = bits[lane] < threshold ? 0.0f : scale;
    }
}

/* y, x (n, plane, channels), may be the same: forward with activations, backward with gradients. */
kernel void dropout_apply(global float *y, const global float *x, const global float *scales,
                          int channels, int plane, int n)
{
    FOR_EACH_IN_ROWS (sample, p, n, plane) {
        const size_t pixel = ((size_t)sample * plane + p) * channels;
        for (int c = 0; c < channels; ++c)
            y[pixel + c] = x[pixel + c] * scales[sample * channels + c];
    }
}

/* What dropout_values is told of its draw. */
typedef struct draw {
    uint threshold;
    float scale;
    uint stream_layer;
    uint2 step, seed;
} draw;

/* The four values that draw number `block` is of, those from `skipped` to end - 1 of them. */
static void drop_block(global float *y, const global float *x, draw d, uint block, int skipped,
                       int end)
{
    uint bits[4];
    vstore4(philox((uint4)(block, d.stream_layer, d.step.x, d.step.y), d.seed), 0, bits);
    for (int lane = skipped; lane < end; ++lane)
        y[lane] = bits[lane] < d.threshold ? 0.0f : x[lane] * d.scale;
}

/* Of eight draws all 32. Word j of draw i is value i * 4 + j. */
static void drop_eight(global float *y, const global float *x, draw d, uint block)
{
    uint8 w[4] = {block + (uint8)(0, 1, 2, 3, 4, 5, 6, 7), (uint8)d.stream_layer, (uint8)d.step.x,
                  (uint8)d.step.y};
    philox_eight(w, d.seed);
#define TWO_DRAWS(a, b) (uint8)(w[0].a, w[1].a, w[2].a, w[3].a, w[0].b, w[1].b, w[2].b, w[3].b)
    const uint8 bits[4] = {TWO_DRAWS(s0, s1), TWO_DRAWS(s2, s3), TWO_DRAWS(s4, s5),
                           TWO_DRAWS(s6, s7)};
#pragma unroll
    for (int v = 0; v < 4; ++v)
        vstore8(select(vload8(v, x) * d.scale, (float8)0.0f, bits[v] < (uint8)d.threshold), v, y);
}

/* Processors have vectors for eight draws at a time. */
#define DRAWS (CNN_CPU ? 8 : 1)

/* Dropout: y, x (n, count), may be the same. Value number i of the batch, as it lies here, is kept
 * or not by draw i; nothing is stored, backward draws again. */
kernel void dropout_values(global float *y, const global float *x, uint threshold, float scale,
                           uint seed_low, uint seed_high, uint stream_layer, uint step_low,
                           uint step_high, int first, uint count, int n)
{
    const draw d = {threshold, scale, stream_layer, (uint2)(step_low, step_high),
                    (uint2)(seed_low, seed_high)};
    const long begin = (long)first * count, values = (long)n * count;
    const long blocks = (begin + values + 3) / 4 - begin / 4;
    FOR_EACH (i, (blocks + DRAWS - 1) / DRAWS) {
        const long block = begin / 4 + i * DRAWS;
        long at = block * 4 - begin; /* negative in the first block, of which a part is before */
        if (DRAWS == 8 && at >= 0 && at + 32 <= values)
            drop_eight(y + at, x + at, d, block);
        else
            for (int b = 0; b < DRAWS && at < values; ++b, at += 4)
                drop_block(y + at, x + at, d, block + b, max(0l, -at), min(4l, values - at));
    }
}
