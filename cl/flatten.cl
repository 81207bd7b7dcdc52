/* Flatten: (N, H, W, C) on the device to PyTorch's order (N, C * H * W), and back.
 * Must be given: C; PLANE, values of one channel. */
#if !defined(C) || !defined(PLANE)
#error "C and PLANE must be given"
#endif

#include "loop.cl"

/* y (n, C, PLANE), x (n, PLANE, C) */
kernel void flatten_forward(global float *restrict y, const global float *restrict x, int n)
{
    FOR_EACH (row, (size_t)n * C) {
        const global float *source = x + row / C * (PLANE * C) + row % C;
        for (int p = 0; p < PLANE; ++p)
            y[row * PLANE + p] = source[p * C];
    }
}

/* dx (n, PLANE, C), dy (n, C, PLANE) */
kernel void flatten_backward(global float *restrict dx, const global float *restrict dy, int n)
{
    FOR_EACH (pixel, (size_t)n * PLANE) {
        const global float *source = dy + pixel / PLANE * (PLANE * C) + pixel % PLANE;
        for (int c = 0; c < C; ++c)
            dx[pixel * C + c] = source[c * PLANE];
    }
}
