/* One update of all parameters, by the formulas of torch.optim. Of a parameter p, its gradient g:
 *   clipping, as torch.nn.utils.clip_grad_norm_:  g *= min(1, most / (norm of all + 1e-6))
 *   decay, in Adam and SGD:  g += decay * p;  DECOUPLED, in AdamW:  p -= decay * p (decay holds lr)
 *   Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015):
 *     m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p -= rate * m / (sqrt(v) * root + eps)
 *     with rate = lr / (1 - b1^t) and root = 1 / sqrt(1 - b2^t), computed on the host in double
 *   SGD:  p -= rate * g;  with MOMENTUM:  b = momentum b + g;  p -= rate * b, NESTEROV:
 *     p -= rate * (g + momentum b)
 *
 * Options, each none or 1: GROUPED: groups (count) names the row of factors of each parameter, (its
 * share of the rate, of the decay); where the first is 0 it stays as it is. Without, there is no
 * decay. CLIPPED: norm[0] is the norm of the gradients. AVERAGED: average (count)
 * follows the parameters by the part `keep`, as torch.optim.swa_utils' EMA: a += keep (p - a). */

#include "exact.cl"
#include "loop.cl"

/* sum (count) of the gradients (count) of a batch's pieces: those of the first replace what is
 * there, the others are added. */
kernel void gradient_sum(global float *restrict sum, const global float *restrict gradients,
                         int added, uint count)
{
    FOR_EACH (i, count)
        sum[i] = added ? sum[i] + gradients[i] : gradients[i];
}

/* What every update is given: all (count) but bad, factors and norm. Nothing is updated once a loss
 * was not finite (bad[0] >= 0). */
#define GIVEN                                                                                      \
    global float *restrict parameters, const global float *restrict gradients,                     \
        const global int *restrict bad, const global uchar *restrict groups,                       \
        const global float2 *restrict factors, const global float *restrict norm, float most,      \
        float rate, float decay, global float *restrict average, float keep, uint count

#ifdef GROUPED
#define FACTOR(i) const float2 factor = factors[groups[i]]
#define IS_FROZEN (factor.x == 0.0f)
#define RATE (rate * factor.x)
#ifdef DECOUPLED
#define DECAYED(g, p) ((void)decay, (g))
#define SHRINK(p) p -= decay * factor.x * factor.y * p
#else
#define DECAYED(g, p) ((g) + decay * factor.y * (p))
#define SHRINK(p)
#endif
#else
#define FACTOR(i) (void)groups, (void)factors
#define IS_FROZEN 0
#define RATE rate
#define DECAYED(g, p) ((void)decay, (g))
#define SHRINK(p)
#endif

#ifdef CLIPPED
#define CLIP const float clip = min(1.0f, quotient(most, norm[0] + 1e-6f))
#define GRADIENT(i) (clip * gradients[i])
#else
#define CLIP (void)norm, (void)most
#define GRADIENT(i) gradients[i]
#endif

#ifdef AVERAGED
#define AVERAGE(i) average[i] += keep * (parameters[i] - average[i])
#else
#define AVERAGE(i) (void)average, (void)keep
#endif

/* rest1 and rest2 are 1 - b1 and 1 - b2: taken from a float's b2 it would be 1e-5 off. */
kernel void adam_update(GIVEN, global float *restrict m, global float *restrict v, float beta1,
                        float beta2, float rest1, float rest2, float epsilon, float root)
{
    if (bad[0] >= 0)
        return;
    CLIP;
    FOR_EACH (i, count) {
        FACTOR(i);
        if (IS_FROZEN)
            continue;
        const float g = DECAYED(GRADIENT(i), parameters[i]);
        const float first = beta1 * m[i] + rest1 * g;
        const float second = beta2 * v[i] + rest2 * g * g;
        m[i] = first;
        v[i] = second;
        SHRINK(parameters[i]);
        parameters[i] -= quotient(RATE * first, square_root(second) * root + epsilon);
        AVERAGE(i);
    }
}

#ifdef MOMENTUM
/* b (count): the momentum, zero at first. */
kernel void momentum_update(GIVEN, global float *restrict b, float momentum)
{
    if (bad[0] >= 0)
        return;
    CLIP;
    FOR_EACH (i, count) {
        FACTOR(i);
        if (IS_FROZEN)
            continue;
        const float g = DECAYED(GRADIENT(i), parameters[i]);
        const float moved = momentum * b[i] + g;
        b[i] = moved;
#ifdef NESTEROV
        parameters[i] -= RATE * (g + momentum * moved);
#else
        parameters[i] -= RATE * moved;
#endif
        AVERAGE(i);
    }
}
#endif

kernel void sgd_update(GIVEN)
{
    if (bad[0] >= 0)
        return;
    CLIP;
    FOR_EACH (i, count) {
        FACTOR(i);
        if (IS_FROZEN)
            continue;
        parameters[i] -= RATE * DECAYED(GRADIENT(i), parameters[i]);
        AVERAGE(i);
    }
}

/* The same average of values (count) that no update moves: running statistics. */
kernel void average_values(global float *restrict average, const global float *restrict values,
                           const global int *restrict bad, float keep, uint count)
{
    if (bad[0] >= 0)
        return;
    FOR_EACH (i, count)
        average[i] += keep * (values[i] - average[i]);
}

/* What a work-item adds up lies together on a CPU, and wherever the sum's bits are to be the same. */
#ifdef EXACT
#define IN_STRETCHES 1
#else
#define IN_STRETCHES CNN_CPU
#endif

/* sums (items): of the squares of the gradients (count), those of frozen ones left out. Which
 * work-item adds up which, in which order, is up to count and items alone. */
kernel void gradient_squares(global float *restrict sums, const global float *restrict gradients,
                             const global uchar *restrict groups,
                             const global float2 *restrict factors, uint count, uint items)
{
    enum { BLOCK = 64 }; /* added up for itself: long sums of floats are wrong */
    const uint item = get_global_id(0), stretch = (count + items - 1) / items;
    float total = 0.0f, block = 0.0f;
    if (item >= items)
        return;
    for (uint k = 0; k < stretch; ++k) {
        const uint i = IN_STRETCHES ? item * stretch + k : k * items + item;
        if (i >= count)
            break;
        FACTOR(i);
        block = IS_FROZEN ? block : fma(gradients[i], gradients[i], block);
        if (k % BLOCK == BLOCK - 1) {
            total = plus_in_order(total, block);
            block = 0.0f;
        }
    }
    sums[item] = total + block;
}

#define GROUP 256 /* the largest local size of gradient_norm */

/* norm[0]: the root of the sum of sums (items). One work-group of a power of two. */
kernel void gradient_norm(global float *restrict norm, const global float *restrict sums,
                          uint items)
{
    local float parts[GROUP];
    const uint item = get_local_id(0), width = get_local_size(0);
    float sum = 0.0f;
    for (uint i = item; i < items; i += width)
        sum = plus_in_order(sum, sums[i]);
    parts[item] = sum;
    for (uint reach = width / 2; reach > 0; reach /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < reach)
            parts[item] += parts[item + reach];
    }
    if (item == 0)
        norm[0] = square_root(parts[0]);
}
