/* Adam (D. P. Kingma and J. Ba, 2015), in the order of PyTorch: epsilon is added to the corrected
 * root, not to the raw one. */
#include <math.h>

#include "ref/ref.h"

static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

void cnn_ref_adam(float *values, float *m, float *v, const float *gradients, size_t count,
                  double lr, uint64_t step)
{
    double correction1 = 1.0 - pow(beta1, (double)step);
    double correction2 = 1.0 - pow(beta2, (double)step);
    for (size_t i = 0; i < count; i++) {
        double g = gradients[i];
        m[i] = (float)(beta1 * m[i] + (1.0 - beta1) * g);
        v[i] = (float)(beta2 * v[i] + (1.0 - beta2) * g * g);
        double denominator = sqrt(v[i]) / sqrt(correction2) + epsilon;
        values[i] = (float)(values[i] - lr / correction1 * m[i] / denominator);
    }
}
