/* BatchNorm2d: y = (x - mean) * inverse_std * weight + bias, per channel over samples and
 * positions.
 * Gradient: with h = (x - mean) * inverse_std, dbias = sum dy, dweight = sum dy h,
 *   dx = weight * inverse_std * (dy - dbias / count - h * dweight / count).
 * Behind it may come a sum with another value z, then ReLU or ReLU6: y = f(norm(x) + z); y tells
 * where f passes a gradient on.
 * What has a number for each channel alone, and the merge of the parts: cl/batchnorm_channels.cl.
 * Layout: (N, H, W, C), plane = H * W. Must be given: C, GROUP. With defaults: AFFINE 1, 0 where weights
 * are 1 and biases 0, and not trained; ADD 0, 1 where there is z; FUNCTION 0, 1 for ReLU, 2 for
 * ReLU6. */
#if !defined(C) || !defined(GROUP)
#error "C and GROUP must be given"
#endif

#ifndef AFFINE
#define AFFINE 1
#endif
#ifndef ADD
#define ADD 0
#endif
#ifndef FUNCTION
#define FUNCTION 0
#endif
#define RELU 1
#define RELU6 2

#include "channels.cl"
#include "exact.cl"
#include "loop.cl"

/* A work-item that sums takes GROUP vectors of channels. */
#if CNN_CPU
#define LANES 16
typedef float16 vector;
#define LOAD(row, c) load_wide((row), (c), C)
#define STORE(value, row, c) store_wide((value), (row), (c), C)
#else
#define LANES 8
typedef float8 vector;
#define LOAD(row, c) load_channels((row), (c), C)
#define STORE(value, row, c) store_channels((value), (row), (c), C)
#endif
#define GROUPS ((C + GROUP * LANES - 1) / (GROUP * LANES))
/* Vector v of the group that begins at channel `at` has channels. */
#define IS_THERE(v) (C % (GROUP * LANES) == 0 || at + (v) * LANES < C)

#define WEIGHT(c) (AFFINE ? LOAD(parameters + w_offset, (c)) : (vector)1.0f)
#define BIAS(c) (AFFINE ? LOAD(parameters + b_offset, (c)) : (vector)0.0f)

/* The pixels whose mean and deviation are found together, while they are in the cache. */
#define STRETCH 64

/* moments (parts, 2, C): the mean of each part, and the sum of squared deviations from it. A
 * work-item takes a group of channels of one part; a part without pixels stays as it is. */
kernel void batchnorm_moments(global float *moments, const global float *x, int plane, int n,
                              int parts)
{
    const size_t item = get_global_id(0), pixels = (size_t)n * plane;
    if (item >= (size_t)parts * GROUPS)
        return;
    const int at = item % GROUPS * (GROUP * LANES), part = item / GROUPS;
    const size_t begin = pixels * part / parts, end = pixels * (part + 1) / parts;
    vector mean[GROUP], squares[GROUP];
    float count = 0.0f;
    for (int v = 0; v < GROUP; ++v)
        mean[v] = squares[v] = (vector)0.0f;
    for (size_t first = begin; first < end; first += STRETCH) {
        const size_t last = min(end, first + STRETCH);
        const float more = last - first, total = count + more;
        const float inverse = quotient(1.0f, more), part_of_all = quotient(more, total);
        vector sum[GROUP], deviations[GROUP];
        for (int v = 0; v < GROUP; ++v)
            sum[v] = deviations[v] = (vector)0.0f;
        for (size_t i = first; i < last; ++i)
            for (int v = 0; v < GROUP; ++v)
                if (IS_THERE(v))
                    sum[v] += LOAD(x + i * C, at + v * LANES);
        for (int v = 0; v < GROUP; ++v)
            sum[v] *= inverse;
        for (size_t i = first; i < last; ++i)
            for (int v = 0; v < GROUP; ++v)
                if (IS_THERE(v)) {
                    const vector deviation = LOAD(x + i * C, at + v * LANES) - sum[v];
                    deviations[v] = fma(deviation, deviation, deviations[v]);
                }
        for (int v = 0; v < GROUP; ++v) {
            const vector delta = sum[v] - mean[v];
            mean[v] += delta * part_of_all;
            squares[v] += deviations[v] + delta * delta * (count * part_of_all);
        }
        count = total;
    }
    for (int v = 0; v < GROUP; ++v)
        if (IS_THERE(v) && begin < end) {
            STORE(mean[v], moments + part * (2 * C), at + v * LANES);
            STORE(squares[v], moments + part * (2 * C) + C, at + v * LANES);
        }
}

/* y, x, z (n, plane, C), may be the same; weight and bias (C) at their offsets. */
kernel void batchnorm_apply(global float *y, const global float *x, const global float *z,
                            const global float *saved, const global float *parameters,
                            int w_offset, int b_offset, int plane, int n)
{
    FOR_EACH (i, (size_t)n * plane)
        for (int c = 0; c < C; c += LANES) {
            const vector factor = LOAD(saved + C, c) * WEIGHT(c);
            vector value = fma(LOAD(x + i * C, c) - LOAD(saved, c), factor, BIAS(c));
            if (ADD)
                value += LOAD(z + i * C, c);
            if (FUNCTION != 0)
                value = value <= 0.0f ? (vector)0.0f : value;
            if (FUNCTION == RELU6)
                value = value >= 6.0f ? (vector)6.0f : value;
            STORE(value, y + i * C, c);
        }
}

/* What of the gradient dy passes the function that gave y, from channel c of a pixel on. */
static vector passed_gradient(const global float *dy, const global float *y, int c)
{
    const vector g = LOAD(dy, c);
    if (FUNCTION == 0)
        return g;
    const vector value = LOAD(y, c);
    if (FUNCTION == RELU)
        return value <= 0.0f ? (vector)0.0f : g;
    return value <= 0.0f || value >= 6.0f ? (vector)0.0f : g;
}

/* sums (parts, 2, C): of what passes of dy, and of the same times h, over each part. dz (n, plane,
 * C), may be dy: what passes, where writes_dz says so. */
kernel void batchnorm_sums(global float *sums, const global float *dy, const global float *x,
                           const global float *y, global float *dz, int writes_dz,
                           const global float *saved, int plane, int n, int parts)
{
    const size_t item = get_global_id(0), pixels = (size_t)n * plane;
    if (item >= (size_t)parts * GROUPS)
        return;
    const int at = item % GROUPS * (GROUP * LANES), part = item / GROUPS;
    const size_t begin = pixels * part / parts, end = pixels * (part + 1) / parts;
    vector mean[GROUP], inverse[GROUP], sum[GROUP], product[GROUP];
    for (int v = 0; v < GROUP; ++v) {
        mean[v] = inverse[v] = sum[v] = product[v] = (vector)0.0f;
        if (IS_THERE(v)) {
            mean[v] = LOAD(saved, at + v * LANES);
            inverse[v] = LOAD(saved + C, at + v * LANES);
        }
    }
    for (size_t i = begin; i < end; ++i)
        for (int v = 0; v < GROUP; ++v)
            if (IS_THERE(v)) {
                const int c = at + v * LANES;
                const vector g = passed_gradient(dy + i * C, y + i * C, c);
                if (ADD && writes_dz)
                    STORE(g, dz + i * C, c);
                sum[v] += g;
                product[v] = fma(g, (LOAD(x + i * C, c) - mean[v]) * inverse[v], product[v]);
            }
    for (int v = 0; v < GROUP; ++v)
        if (IS_THERE(v)) {
            STORE(sum[v], sums + part * (2 * C), at + v * LANES);
            STORE(product[v], sums + part * (2 * C) + C, at + v * LANES);
        }
}

/* dx (n, plane, C), may be dy; the gradients of weight and bias, which without AFFINE nobody else
 * reads, are complete at their places in `gradients`. */
kernel void batchnorm_input(global float *dx, const global float *dy, const global float *x,
                            const global float *y, const global float *saved,
                            const global float *parameters, int w_offset,
                            const global float *gradients, int dw_offset, int db_offset,
                            int plane, int n)
{
    const size_t pixels = (size_t)n * plane;
    const float share = quotient(1.0f, (float)pixels);
    FOR_EACH (i, pixels)
        for (int c = 0; c < C; c += LANES) {
            const vector inverse = LOAD(saved + C, c);
            const vector h = (LOAD(x + i * C, c) - LOAD(saved, c)) * inverse;
            const vector even = share * LOAD(gradients + db_offset, c);
            const vector along = h * (share * LOAD(gradients + dw_offset, c));
            const vector g = passed_gradient(dy + i * C, y + i * C, c);
            STORE(WEIGHT(c) * inverse * (g - even - along), dx + i * C, c);
        }
}

/* The same of a frozen batch norm, whose mean and deviation are given: dx = weight * inverse_std *
 * dy. dx (n, plane, C), may be dy. */
kernel void batchnorm_scale(global float *dx, const global float *dy, const global float *saved,
                            const global float *parameters, int w_offset, int plane, int n)
{
    FOR_EACH (i, (size_t)n * plane)
        for (int c = 0; c < C; c += LANES)
            STORE(WEIGHT(c) * LOAD(saved + C, c) * LOAD(dy + i * C, c), dx + i * C, c);
}
