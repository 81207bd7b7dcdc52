/* What a linear layer does beside its matrix products: the bias and its gradient.
 * Layout: (N, OUT). Must be given: OUT, the layer's outputs. */
#ifndef OUT
#error "OUT must be given"
#endif

#include "loop.cl"

/* y (n, OUT) += bias (OUT) at its offset. */
kernel void linear_add_bias(global float *y, const global float *parameters, int offset, int n)
{
    FOR_EACH (i, (size_t)n * OUT)
        y[i] += parameters[offset + i % OUT];
}

/* db (OUT) at its offset: the sum of dy (n, OUT) over the samples, in their order. */
kernel void linear_bias_gradient(global float *gradients, int offset, const global float *dy, int n)
{
    FOR_EACH (o, OUT) {
        float sum = 0.0f;
        for (int sample = 0; sample < n; ++sample)
            sum += dy[sample * (size_t)OUT + o];
        gradients[offset + o] = sum;
    }
}
