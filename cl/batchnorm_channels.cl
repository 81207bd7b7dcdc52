/* What BatchNorm2d does with numbers for each channel: statistics of parts of the batch become its
 * statistics, sums of parts become gradients. The formulas are those of cl/batchnorm.cl.
 * Mean and squared deviation of parts of the batch are merged in a fixed order (Chan, Golub,
 * LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
 * A part is a stretch of the batch's pixels (n * plane), whose borders divide no `unit` of them, a
 * divisor of plane. */
#include "exact.cl"
#include "loop.cl"

static size_t part_begin(size_t pixels, int unit, int part, int parts)
{
    return pixels / unit * part / parts * unit;
}

/* saved (2, channels): mean and inverse_std of the batch; running (2, channels) at its offset: mean
 * and unbiased variance, moved by `momentum` towards the batch's. */
kernel void batchnorm_merge(global float *saved, global float *statistics, int offset,
                            const global float *moments, float epsilon, float momentum,
                            int channels, int plane, int unit, int n, int parts)
{
    const size_t pixels = (size_t)n * plane;
    FOR_EACH (c, channels) {
        float mean = 0.0f, squares = 0.0f, count = 0.0f;
        for (int part = 0; part < parts; ++part) {
            const float more =
                part_begin(pixels, unit, part + 1, parts) - part_begin(pixels, unit, part, parts);
            if (more == 0.0f)
                continue;
            const float delta = moments[part * (2 * channels) + c] - mean, total = count + more;
            const float share = quotient(more, total);
            squares += moments[part * (2 * channels) + channels + c] +
                       delta * delta * (count * share);
            mean += delta * share;
            count = total;
        }
        const float unbiased = quotient(squares, max(1.0f, count - 1.0f));
        saved[c] = mean;
        saved[channels + c] = quotient(1.0f, square_root(quotient(squares, count) + epsilon));
        global float *running = statistics + offset;
        running[c] += momentum * (mean - running[c]);
        running[channels + c] += momentum * (unbiased - running[channels + c]);
    }
}

/* saved (2, channels) from running (2, channels) at its offset, for evaluation. */
kernel void batchnorm_recall(global float *saved, const global float *statistics, int offset,
                             float epsilon, int channels)
{
    FOR_EACH (c, channels) {
        saved[c] = statistics[offset + c];
        saved[channels + c] =
            quotient(1.0f, square_root(statistics[offset + channels + c] + epsilon));
    }
}

/* dbias and dweight (channels) at their offsets: the sums of all parts, in their order. */
kernel void batchnorm_reduce(global float *gradients, int w_offset, int b_offset,
                             const global float *sums, int channels, int parts)
{
    FOR_EACH (c, channels) {
        float sum = 0.0f, product = 0.0f;
        for (int part = 0; part < parts; ++part) {
            sum = plus_in_order(sum, sums[part * (2 * channels) + c]);
            product = plus_in_order(product, sums[part * (2 * channels) + channels + c]);
        }
        gradients[b_offset + c] = sum;
        gradients[w_offset + c] = product;
    }
}
