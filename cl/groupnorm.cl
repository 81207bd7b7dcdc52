/* GroupNorm: y = (x - mean) * inverse_std * weight + bias, mean and variance of a group of channels
 * of one sample. Gradient: with h = (x - mean) * inverse_std and g = dy * weight,
 *   dx = inverse_std * (g - sum g / count - h * sum (g h) / count), count = PLANE * C / GROUPS.
 * Layout: (N, H, W, C), PLANE = H * W. Must be given: C, PLANE, GROUPS. With a default: AFFINE 1, 0
 * where weights are 1 and biases 0, and not trained. */
#if !defined(C) || !defined(PLANE) || !defined(GROUPS)
#error "C, PLANE and GROUPS must be given"
#endif
#ifndef AFFINE
#define AFFINE 1
#endif

#include "exact.cl"
#include "loop.cl"

#define CHANNELS (C / GROUPS)
#define COUNT ((float)PLANE * CHANNELS)
#define WEIGHT(c) (AFFINE ? parameters[w_offset + (c)] : 1.0f)
#define BIAS(c) (AFFINE ? parameters[b_offset + (c)] : 0.0f)

/* The pixels whose sums are added up one after the other. */
#define STRETCH 64

/* total + part; *lost is what rounding has added too much, taken from the next part (W. Kahan, "Further
 * remarks on reducing truncation errors", Comm. ACM 8, 1965). A total that is not finite stays so. */
static float add_part(float total, float part, float *lost)
{
    const float rest = part - *lost, sum = total + rest, error = (sum - total) - rest;
    *lost = error - error == 0.0f ? error : 0.0f;
    return sum;
}

/* saved (n, GROUPS, 2): mean and inverse_std; x (n, PLANE, C). Sums of rows are added up in stretches,
 * and what those lose is made up for, so that a long one loses little. */
kernel void groupnorm_moments(global float *saved, const global float *x, float epsilon, int n)
{
    FOR_EACH (i, (size_t)n * GROUPS) {
        const global float *group = x + i / GROUPS * ((size_t)PLANE * C) + i % GROUPS * CHANNELS;
        float sum = 0.0f, squares = 0.0f, lost = 0.0f;
        for (int first = 0; first < PLANE; first += STRETCH) {
            float part = 0.0f;
            for (int pixel = first; pixel < min(PLANE, first + STRETCH); ++pixel) {
                float row = 0.0f;
                for (int c = 0; c < CHANNELS; ++c)
                    row = plus_in_order(row, group[(size_t)pixel * C + c]);
                part = plus_in_order(part, row);
            }
            sum = add_part(sum, part, &lost);
        }
        const float mean = quotient(sum, COUNT);
        lost = 0.0f;
        for (int first = 0; first < PLANE; first += STRETCH) {
            float part = 0.0f;
            for (int pixel = first; pixel < min(PLANE, first + STRETCH); ++pixel) {
                float row = 0.0f;
                for (int c = 0; c < CHANNELS; ++c) {
                    const float deviation = group[(size_t)pixel * C + c] - mean;
                    row = fma(deviation, deviation, row);
                }
                part = plus_in_order(part, row);
            }
            squares = add_part(squares, part, &lost);
        }
        saved[2 * i] = mean;
        saved[2 * i + 1] = quotient(1.0f, square_root(quotient(squares, COUNT) + epsilon));
    }
}

/* y, x (n, PLANE, C); weight and bias (C) at their offsets. */
kernel void groupnorm_apply(global float *y, const global float *x, const global float *saved,
                            const global float *parameters, int w_offset, int b_offset, int n)
{
    FOR_EACH (i, (size_t)n * PLANE) {
        const global float *moments = saved + i / PLANE * (2 * GROUPS);
        for (int c = 0; c < C; ++c) {
            const global float *of = moments + 2 * (c / CHANNELS);
            y[i * C + c] = (x[i * C + c] - of[0]) * of[1] * WEIGHT(c) + BIAS(c);
        }
    }
}

/* channel_sums (n, 2, C): of dy and of dy h over a sample's plane. */
kernel void groupnorm_sums(global float *channel_sums, const global float *dy,
                           const global float *x, const global float *saved, int n)
{
    FOR_EACH (i, (size_t)n * C) {
        const size_t sample = i / C;
        const int c = i % C;
        const global float *of = saved + (sample * GROUPS + c / CHANNELS) * 2;
        float sum = 0.0f, product = 0.0f, lost_sum = 0.0f, lost_product = 0.0f;
        for (int first = 0; first < PLANE; first += STRETCH) {
            float part = 0.0f, product_part = 0.0f;
            for (int pixel = first; pixel < min(PLANE, first + STRETCH); ++pixel) {
                const size_t at = (sample * PLANE + pixel) * C + c;
                part = plus_in_order(part, dy[at]);
                product_part = fma(dy[at], (x[at] - of[0]) * of[1], product_part);
            }
            sum = add_part(sum, part, &lost_sum);
            product = add_part(product, product_part, &lost_product);
        }
        channel_sums[sample * (2 * C) + c] = sum;
        channel_sums[sample * (2 * C) + C + c] = product;
    }
}

/* dbias and dweight (C) at their offsets: the samples' sums in their order. */
kernel void groupnorm_reduce(global float *gradients, int w_offset, int b_offset,
                             const global float *channel_sums, int n)
{
    FOR_EACH (c, C) {
        float sum = 0.0f, product = 0.0f;
        for (int sample = 0; sample < n; ++sample) {
            sum = plus_in_order(sum, channel_sums[sample * (size_t)(2 * C) + c]);
            product =
                plus_in_order(product, channel_sums[sample * (size_t)(2 * C) + C + c]);
        }
        gradients[b_offset + c] = sum;
        gradients[w_offset + c] = product;
    }
}

/* The sums (n, GROUPS, 2) of g and of g h over each group, behind the moments in saved. */
kernel void groupnorm_groups(global float *saved, const global float *channel_sums,
                             const global float *parameters, int w_offset, int n)
{
    global float *group_sums = saved + (size_t)n * GROUPS * 2;
    FOR_EACH (i, (size_t)n * GROUPS) {
        const global float *sums = channel_sums + i / GROUPS * (2 * C);
        float sum = 0.0f, product = 0.0f;
        for (int j = 0; j < CHANNELS; ++j) {
            const int c = i % GROUPS * CHANNELS + j;
            sum = fma(sums[c], WEIGHT(c), sum);
            product = fma(sums[C + c], WEIGHT(c), product);
        }
        group_sums[2 * i] = sum;
        group_sums[2 * i + 1] = product;
    }
}

/* dx (n, PLANE, C), may be dy. */
kernel void groupnorm_input(global float *dx, const global float *dy, const global float *x,
                            const global float *saved, const global float *parameters, int w_offset,
                            int n)
{
    const global float *group_sums = saved + (size_t)n * GROUPS * 2;
    FOR_EACH (i, (size_t)n * PLANE)
        for (int c = 0; c < C; ++c) {
            const size_t group = (i / PLANE * GROUPS + c / CHANNELS) * 2;
            const float inverse = saved[group + 1], h = (x[i * C + c] - saved[group]) * inverse;
            dx[i * C + c] = inverse * (dy[i * C + c] * WEIGHT(c) - quotient(group_sums[group], COUNT) -
                                       quotient(h * group_sums[group + 1], COUNT));
        }
}
