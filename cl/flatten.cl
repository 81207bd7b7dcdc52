/* Flatten: (N, H, W, C) on the device to PyTorch's order (N, C * H * W), and back. plane: values of
 * one channel. */
#include "loop.cl"

/* y (n, channels, plane), x (n, plane, channels) */
kernel void flatten_forward(global float *restrict y, const global float *restrict x, int channels,
                            int plane, int n)
{
    FOR_EACH (row, (size_t)n * channels) {
        const global float *source = x + row / channels * plane * channels + row % channels;
        for (int p = 0; p < plane; ++p)
            y[row * plane + p] = source[p * channels];
    }
}

/* dx (n, plane, channels), dy (n, channels, plane) */
kernel void flatten_backward(global float *restrict dx, const global float *restrict dy,
                             int channels, int plane, int n)
{
    FOR_EACH_IN_ROWS (sample, p, n, plane) {
        const size_t first = (size_t)sample * plane * channels;
        for (int c = 0; c < channels; ++c)
            dx[first + p * channels + c] = dy[first + c * plane + p];
    }
}
