/* Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015), as PyTorch
 * computes it: m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
 * p -= rate * m / (sqrt(v) * root + eps)
 * with rate = lr / (1 - b1^t) and root = 1 / sqrt(1 - b2^t), computed on the host in double. */

#include "loop.cl"

/* sum (count) of the gradients (count) of a batch's pieces: those of the first replace what is
 * there, the others are added. */
kernel void adam_sum(global float *restrict sum, const global float *restrict gradients, int added,
                     uint count)
{
    FOR_EACH (i, count)
        sum[i] = added ? sum[i] + gradients[i] : gradients[i];
}

/* All (count). rest1 and rest2 are 1 - b1 and 1 - b2: taken from a float's b2 it would be 1e-5 off.
 * Nothing is updated once a loss was not finite (bad[0] >= 0). */
kernel void adam_update(global float *restrict parameters, global float *restrict m,
                        global float *restrict v, const global float *restrict gradients,
                        const global int *restrict bad, float beta1, float beta2, float rest1,
                        float rest2, float epsilon, float rate, float root, uint count)
{
    if (bad[0] >= 0)
        return;
    FOR_EACH (i, count) {
        const float g = gradients[i];
        const float first = beta1 * m[i] + rest1 * g;
        const float second = beta2 * v[i] + rest2 * g * g;
        m[i] = first;
        v[i] = second;
        parameters[i] -= rate * first / (sqrt(second) * root + epsilon);
    }
}
