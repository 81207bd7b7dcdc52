/* What a convolution does with its sums before it stores them, in evaluation: the sum with another
 * value z, then ReLU or ReLU6. `channels.cl` is included before.
 * With defaults: ADD 0, 1 where there is z; FUNCTION 0, 1 for ReLU, 2 for ReLU6. */
#ifndef ADD
#define ADD 0
#endif
#ifndef FUNCTION
#define FUNCTION 0
#endif

/* Channels c to c + 7 of a pixel with z (channels). Comparisons are written so that NaN stays NaN.
 */
static float8 finish_channels(float8 value, const global float *z, int c, int channels)
{
    if (ADD)
        value += load_channels(z, c, channels);
    if (FUNCTION != 0)
        value = value <= 0.0f ? (float8)0.0f : value;
    if (FUNCTION == 2)
        value = value >= 6.0f ? (float8)6.0f : value;
    return value;
}

static float16 finish_wide(float16 value, const global float *z, int c, int channels)
{
    if (ADD)
        value += load_wide(z, c, channels);
    if (FUNCTION != 0)
        value = value <= 0.0f ? (float16)0.0f : value;
    if (FUNCTION == 2)
        value = value >= 6.0f ? (float16)6.0f : value;
    return value;
}
