/* A convolution and the batch norm behind it as one convolution, for evaluation:
 *   scale = weight / sqrt(variance + eps),  w' = w scale,  b' = bias + (b - mean) scale
 * of each output channel, from running mean and variance (2, channels). */
#include "loop.cl"

/* folded (channels, row) at folded_offset, then (channels) biases, from w (channels, row), whose b, weight and bias
 * (channels) lie at their offsets in parameters; 0 or 1 in the place of those with a negative
 * offset. */
kernel void conv_norm_fold(global float *folded, int folded_offset,
                           const global float *parameters, int w_offset, int b_offset, int weight_offset, int bias_offset,
                           const global float *statistics, int offset, float epsilon, int channels,
                           int row)
{
    FOR_EACH (o, channels) {
        const global float *from = parameters + w_offset + o * row;
        global float *to = folded + folded_offset + o * row;
        const float mean = statistics[offset + o];
        const float variance = statistics[offset + channels + o];
        const float weight = weight_offset < 0 ? 1.0f : parameters[weight_offset + o];
        const float bias = bias_offset < 0 ? 0.0f : parameters[bias_offset + o];
        const float own = b_offset < 0 ? 0.0f : parameters[b_offset + o];
        const float scale = weight / sqrt(variance + epsilon);
        for (int i = 0; i < row; ++i)
            to[i] = from[i] * scale;
        folded[folded_offset + (size_t)channels * row + o] = fma(own - mean, scale, bias);
    }
}
