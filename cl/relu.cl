/* ReLU: y = x < 0 ? 0 : x, so that NaN stays; dx = y <= 0 ? 0 : dy.
 * Layout: any. Must be given: COUNT, values per sample. */
#ifndef COUNT
#error "COUNT must be given"
#endif

#include "loop.cl"

/* y, x (n, COUNT); may be the same. */
kernel void relu_forward(global float *y, const global float *x, int n)
{
    FOR_EACH (i, (size_t)n * COUNT)
        y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

/* dx, dy, y (n, COUNT); dx and dy may be the same. */
kernel void relu_backward(global float *dx, const global float *dy, const global float *y, int n)
{
    FOR_EACH (i, (size_t)n * COUNT)
        dx[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}
