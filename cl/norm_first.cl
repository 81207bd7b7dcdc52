/* The convolution block of cl/conv_block.cl with batch norm behind the convolution, where it is the
 * network's first and its input is narrow. It never stores the convolution's output z, nor the
 * gradient of it, which both are dense.
 *
 * Forward: one pass takes the moments of z (norm_block_convolve, STORED 0), one computes the kept
 * channels again (conv_block_forward, NORM 1). Backward: with h = (z - mean) * inverse and g the
 * pooled gradient at its position, zero elsewhere, the gradient of z is, see
 * cl/norm_block_backward.cl,
 *   dz = weight * inverse * (g - (sum of g) / count - h * (sum of g h) / count)
 * and that of the weights the sum of dz[o] x[t] over samples and positions, where x[t] is the input
 * under tap t. As z is the sum of w[t] x[t] and the bias, this is
 *   weight * inverse * (sum of g x[t] - (sum of g) mean(x[t])
 *                       - inverse (sum of g h) / count * sum over u of w[u] S[u][t])
 * with S[u][t] the sum of (x[u] - mean(x[u])) (x[t] - mean(x[t])): the first part has but the
 * events of cl/conv_block_backward.cl, and S is the same for all output channels
 * (cl/norm_squares.cl).
 *
 * The options are in cl/conv_block_shape.cl. */
#include "conv_block_backward.cl"

/* Of the batch norm, dweight and dbias (OC) at their offsets; and in the first work-item's place
 * the sums of all SQUARES. */
kernel void norm_first_reduce(global float *gradients, int norm_w_offset, int norm_b_offset,
                              global float *scratch, int items)
{
    global float *partials = scratch + ROWS + ROWS;
    FOR_EACH (i, 2 * OC + SQUARES) {
        const float sum = add_up(partials + i, items);
        if (i < OC)
            gradients[norm_b_offset + i] = sum;
        else if (i < 2 * OC)
            gradients[norm_w_offset + i - OC] = sum;
        else
            partials[i] = sum;
    }
}

/* The product of two taps' inputs, summed over all samples and positions. */
static float square(const global float *squares, int a, int b)
{
    const int upper = min(a, b), lower = max(a, b);
    return squares[(upper / RUN_IN * K + lower / RUN_IN) * ((RUN_IN + 1) * EIGHTS(RUN_IN)) +
                   upper % RUN_IN * EIGHTS(RUN_IN) + lower % RUN_IN];
}

/* The sum of a tap's inputs. */
static float plain_sum(const global float *squares, int tap)
{
    return squares[(tap / RUN_IN * (K + 1) * (RUN_IN + 1) + RUN_IN) * EIGHTS(RUN_IN) +
                   tap % RUN_IN];
}

/* Where w (IC, K, K) has tap (ky, kx, c). */
static int weight_at(int tap)
{
    return tap % IC * TAPS + tap / IC;
}

/* dw, which has the events' part, becomes the whole; db is zero. */
kernel void norm_first_finish(global float *gradients, int w_offset, int b_offset,
                              int norm_w_offset, int norm_b_offset, const global float *parameters,
                              const global float *saved, const global float *scratch, int n)
{
    const global float *squares = scratch + ROWS + ROWS + 2 * OC;
    const float each = 1.0f / ((float)n * (OH * OW));
    FOR_EACH (i, OC * TAPS * IC) {
        const int o = i / (TAPS * IC), tap = i % (TAPS * IC);
        const global float *w = parameters + w_offset + o * (TAPS * IC);
        const float inverse = saved[OC + o], factor = parameters[norm_w_offset + o] * inverse;
        const float mean = plain_sum(squares, tap) * each;
        float deviations = 0.0f; /* of z times those of the tap's input */
        for (int t = 0; t < TAPS * IC; ++t)
            deviations += w[weight_at(t)] *
                          (square(squares, t, tap) - plain_sum(squares, t) * mean);
        global float *target = gradients + w_offset + o * (TAPS * IC) + weight_at(tap);
        *target = factor * (*target - gradients[norm_b_offset + o] * mean -
                            inverse * gradients[norm_w_offset + o] * each * deviations);
    }
    FOR_EACH (o, OC)
        gradients[b_offset + o] = 0.0f;
}
