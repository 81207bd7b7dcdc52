/* Values joined: a sum, a product, a concatenation of channels; and what goes back to each.
 * Layout: (N, H, W, C); a factor of a product may be (N, C), a number for each channel. Products and
 * concatenations must be given: C, channels of the output; PLANE = H * W. Products: A_PLANE, B_PLANE,
 * PLANE or 1: the plane of each factor. */
#include "loop.cl"
#include "values.cl"

/* y, a, b (count); y may be a or b. */
kernel void join_sum(global float *y, const global float *a, const global float *b, uint count)
{
    FOR_EACH (i, VECTORS_OF((size_t)count))
        store_values(load_values(a, i, count) + load_values(b, i, count), y, i, count);
}

#if defined(C) && defined(PLANE)

#ifdef A_PLANE
/* Where pixel i of the output has its factor. */
#define FACTOR(i, plane) ((plane) == 1 ? (i) / PLANE * C : (i) * C)

/* y (n, PLANE, C) = a b. */
kernel void join_product(global float *y, const global float *a, const global float *b, int n)
{
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < C; ++c)
            y[i * C + c] = a[FACTOR(i, A_PLANE) + c] * b[FACTOR(i, B_PLANE) + c];
}

/* da (n, A_PLANE, C) = dy b: the sum over the plane where a is a number for each channel. dy
 * (n, PLANE, C), b (n, B_PLANE, C). */
kernel void join_product_gradient(global float *da, const global float *dy, const global float *b,
                                  int n)
{
#if A_PLANE == PLANE
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < C; ++c)
            da[i * C + c] = dy[i * C + c] * b[FACTOR(i, B_PLANE) + c];
#else
    FOR_EACH (sample, (size_t)n)
        for (int c = 0; c < C; ++c) {
            float sum = 0.0f;
            for (int pixel = 0; pixel < PLANE; ++pixel) {
                const size_t i = sample * PLANE + pixel;
                sum = fma(dy[i * C + c], b[FACTOR(i, B_PLANE) + c], sum);
            }
            da[sample * C + c] = sum;
        }
#endif
}
#else

/* Channels first to first + count - 1 of whole (n, PLANE, C) from part (n, PLANE, count). */
kernel void join_put(global float *whole, const global float *part, int first, int count, int n)
{
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < count; ++c)
            whole[i * C + first + c] = part[i * count + c];
}

/* The way back. */
kernel void join_take(global float *part, const global float *whole, int first, int count, int n)
{
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < count; ++c)
            part[i * count + c] = whole[i * C + first + c];
}
#endif

#endif
