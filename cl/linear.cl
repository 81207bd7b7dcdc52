/* What a linear layer does beside its matrix products: the bias and its gradient.
 * Layout: (N, outputs). */
#include "loop.cl"

/* y (n, outputs) += bias (outputs) at its offset. */
kernel void linear_add_bias(global float *y, const global float *parameters, int offset, int outputs,
                            int n)
{
    FOR_EACH_IN_ROWS (sample, o, n, outputs)
        y[sample * (size_t)outputs + o] += parameters[offset + o];
}

/* db (outputs) at its offset: the sum of dy (n, outputs) over the samples, in their order. */
kernel void linear_bias_gradient(global float *gradients, int offset, const global float *dy,
                                 int outputs, int n)
{
    FOR_EACH (o, outputs) {
        float sum = 0.0f;
        for (int sample = 0; sample < n; ++sample)
            sum += dy[sample * (size_t)outputs + o];
        gradients[offset + o] = sum;
    }
}
