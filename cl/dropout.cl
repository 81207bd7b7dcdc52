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

/* Dropout: y, x (n, count), may be the same. Value number i of the batch, as it lies here, is kept
 * or not by draw i; nothing is stored, backward draws again. */
kernel void dropout_values(global float *y, const global float *x, uint threshold, float scale,
                           uint seed_low, uint seed_high, uint stream_layer, uint step_low,
                           uint step_high, int first, uint count, int n)
{
    const ulong begin = (ulong)first * count, end = begin + (ulong)n * count;
    const ulong blocks = begin / 4;
    FOR_EACH (i, (end + 3) / 4 - blocks) {
        const ulong block = blocks + i;
        const uint4 counter = (uint4)((uint)block, stream_layer, step_low, step_high);
        const uint4 words = philox(counter, (uint2)(seed_low, seed_high));
        const uint bits[4] = {words.x, words.y, words.z, words.w};
        for (uint lane = 0; lane < 4; ++lane) {
            const ulong at = block * 4 + lane - begin;
            if (block * 4 + lane >= begin && block * 4 + lane < end)
                y[at] = bits[lane] < threshold ? 0.0f : x[at] * scale;
        }
    }
}
