/* BatchNorm2d: y = (x - mean) * inverse_std * weight + bias, per channel over samples and
 * positions.
 * Mean and squared deviation of parts of the batch are merged in a fixed order (Chan, Golub,
 * LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
 * Gradient: with h = (x - mean) * inverse_std, dbias = sum dy, dweight = sum dy h,
 *   dx = weight * inverse_std * (dy - dbias / count - h * dweight / count).
 * Layout: (N, H, W, C), PLANE = H * W. Must be given: C, PLANE. With defaults: UNIT 1, the pixels
 * that no border of a part divides: a divisor of PLANE; AFFINE 1, 0 where weights are 1 and biases
 * 0, and not trained. */
#if !defined(C) || !defined(PLANE)
#error "C and PLANE must be given"
#endif

#ifndef UNIT
#define UNIT 1
#endif
#ifndef AFFINE
#define AFFINE 1
#endif
#define WEIGHT(c) (AFFINE ? parameters[w_offset + (c)] : 1.0f)
#define BIAS(c) (AFFINE ? parameters[b_offset + (c)] : 0.0f)

#include "channels.cl"
#include "loop.cl"

#define VECTORS ((C + 7) / 8)

static size_t part_begin(size_t pixels, int part, int parts)
{
    return pixels / UNIT * part / parts * UNIT;
}

/* Pixel i of x (pixels, C) from vector `at` on. */
#define AT(x, i) load_channels((x) + (i) * C, at, C)

/* moments (parts, 2, C): the mean of each part, and the sum of squared deviations from it. A
 * work-item takes eight channels of one part. */
kernel void batchnorm_moments(global float *moments, const global float *x, int n, int parts)
{
    const size_t item = get_global_id(0), pixels = (size_t)n * PLANE;
    if (item >= (size_t)parts * VECTORS)
        return;
    const int at = item % VECTORS * 8, part = item / VECTORS;
    const size_t begin = part_begin(pixels, part, parts), end = part_begin(pixels, part + 1, parts);
    float8 sum = (float8)0.0f, squares = (float8)0.0f;
    for (size_t i = begin; i < end; ++i)
        sum += AT(x, i);
    const float8 mean = sum / (float)max((size_t)1, end - begin);
    for (size_t i = begin; i < end; ++i) {
        const float8 deviation = AT(x, i) - mean;
        squares = fma(deviation, deviation, squares);
    }
    store_channels(mean, moments + part * (2 * C), at, C);
    store_channels(squares, moments + part * (2 * C) + C, at, C);
}

/* saved (2, C): mean and inverse_std of the batch; running (2, C) at its offset: mean and unbiased
 * variance, moved by `momentum` towards the batch's. */
kernel void batchnorm_merge(global float *saved, global float *statistics, int offset,
                            const global float *moments, float epsilon, float momentum, int n,
                            int parts)
{
    const size_t pixels = (size_t)n * PLANE;
    FOR_EACH (c, C) {
        float mean = 0.0f, squares = 0.0f, count = 0.0f;
        for (int part = 0; part < parts; ++part) {
            const float more =
                part_begin(pixels, part + 1, parts) - part_begin(pixels, part, parts);
            if (more == 0.0f)
                continue;
            const float delta = moments[part * (2 * C) + c] - mean, total = count + more;
            squares += moments[part * (2 * C) + C + c] + delta * delta * (count * (more / total));
            mean += delta * (more / total);
            count = total;
        }
        const float unbiased = squares / max(1.0f, count - 1.0f);
        saved[c] = mean;
        saved[C + c] = 1.0f / sqrt(squares / count + epsilon);
        global float *running = statistics + offset;
        running[c] += momentum * (mean - running[c]);
        running[C + c] += momentum * (unbiased - running[C + c]);
    }
}

/* saved (2, C) from running (2, C) at its offset, for evaluation. */
kernel void batchnorm_recall(global float *saved, const global float *statistics, int offset,
                             float epsilon)
{
    FOR_EACH (c, C) {
        saved[c] = statistics[offset + c];
        saved[C + c] = 1.0f / sqrt(statistics[offset + C + c] + epsilon);
    }
}

/* y, x (n, PLANE, C), may be the same; weight and bias (C) at their offsets. */
kernel void batchnorm_apply(global float *y, const global float *x, const global float *saved,
                            const global float *parameters, int w_offset, int b_offset, int n)
{
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < C; ++c)
            y[i * C + c] = (x[i * C + c] - saved[c]) * saved[C + c] * WEIGHT(c) + BIAS(c);
}

/* sums (parts, 2, C): of dy, and of dy * h, over each part. */
kernel void batchnorm_sums(global float *sums, const global float *dy, const global float *x,
                           const global float *saved, int n, int parts)
{
    const size_t item = get_global_id(0), pixels = (size_t)n * PLANE;
    if (item >= (size_t)parts * VECTORS)
        return;
    const int at = item % VECTORS * 8, part = item / VECTORS;
    const size_t begin = part_begin(pixels, part, parts), end = part_begin(pixels, part + 1, parts);
    const float8 mean = load_channels(saved, at, C), inverse = load_channels(saved + C, at, C);
    float8 sum = (float8)0.0f, product = (float8)0.0f;
    for (size_t i = begin; i < end; ++i) {
        const float8 g = AT(dy, i);
        sum += g;
        product = fma(g, (AT(x, i) - mean) * inverse, product);
    }
    store_channels(sum, sums + part * (2 * C), at, C);
    store_channels(product, sums + part * (2 * C) + C, at, C);
}

/* dbias and dweight (C) at their offsets: the sums of all parts, in their order. */
kernel void batchnorm_reduce(global float *gradients, int w_offset, int b_offset,
                             const global float *sums, int parts)
{
    FOR_EACH (c, C) {
        float sum = 0.0f, product = 0.0f;
        for (int part = 0; part < parts; ++part) {
            sum += sums[part * (2 * C) + c];
            product += sums[part * (2 * C) + C + c];
        }
        gradients[b_offset + c] = sum;
        gradients[w_offset + c] = product;
    }
}

/* dx (n, PLANE, C), may be dy; the gradients of weight and bias, which without AFFINE nobody else
 * reads, are complete at their places in `gradients`. */
kernel void batchnorm_input(global float *dx, const global float *dy, const global float *x,
                            const global float *saved, const global float *parameters,
                            int w_offset, const global float *gradients, int dw_offset,
                            int db_offset, int n)
{
    const size_t pixels = (size_t)n * PLANE;
    const float share = 1.0f / pixels;
    FOR_EACH (i, pixels)
        for (int c = 0; c < C; ++c) {
            const float inverse = saved[C + c], h = (x[i * C + c] - saved[c]) * inverse;
            dx[i * C + c] = WEIGHT(c) * inverse *
                            (dy[i * C + c] - share * gradients[db_offset + c] -
                             h * share * gradients[dw_offset + c]);
        }
}

/* The same of a frozen batch norm, whose mean and deviation are given: dx = weight * inverse_std *
 * dy. dx (n, PLANE, C), may be dy. */
kernel void batchnorm_scale(global float *dx, const global float *dy, const global float *saved,
                            const global float *parameters, int w_offset, int n)
{
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < C; ++c)
            dx[i * C + c] = WEIGHT(c) * saved[C + c] * dy[i * C + c];
}
