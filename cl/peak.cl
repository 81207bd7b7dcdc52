/* What a device can do at most: the yardsticks of the bench.
 *
 * peak_fma: x = fma(x, a, b), WIDTH values wide, in CHAINS independent chains: enough of them to
 * hide the latency of one. peak_copy: target = source, vector by vector.
 *
 * Must be given: WIDTH (2, 4, 8 or 16), CHAINS (1 or more). */
#if !defined(WIDTH) || !defined(CHAINS)
#error "WIDTH and CHAINS must be given"
#endif

#include "loop.cl"

#define JOIN(a, b) a##b
#define VECTOR(width) JOIN(float, width)
typedef VECTOR(WIDTH) vector;

#define UNROLL 4

/* sums (items): read by nobody, but the compiler does not know. */
kernel void peak_fma(global vector *sums, float a, float b, int rounds, int items)
{
    vector x[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; ++i)
        x[i] = (vector)(float)i;
    for (int round = 0; round < rounds; ++round)
#pragma unroll
        for (int j = 0; j < UNROLL; ++j)
#pragma unroll
            for (int i = 0; i < CHAINS; ++i)
                x[i] = fma(x[i], (vector)a, (vector)b);
    vector sum = x[0];
#pragma unroll
    for (int i = 1; i < CHAINS; ++i)
        sum += x[i];
    if (get_global_id(0) < (size_t)items)
        sums[get_global_id(0)] = sum;
}

/* target (count) = source (count). */
kernel void peak_copy(global vector *restrict target, const global vector *restrict source,
                      uint count)
{
    FOR_EACH (i, count)
        target[i] = source[i];
}
