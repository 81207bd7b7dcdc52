/* The updates of torch.optim, in the order of PyTorch: Adam's epsilon is added to the corrected
 * root, not to the raw one; SGD's momentum has no dampening. */
#include <math.h>

#include "ref/ref.h"

static const double beta2 = 0.999, epsilon = 1e-8;

static void update_adam(float *values, float *m, float *v, const float *gradients, size_t count,
                        const cnn_ref_rule *rule, uint64_t step)
{
    double beta1 = rule->momentum, decay = rule->weight_decay;
    double correction1 = 1.0 - pow(beta1, (double)step);
    double correction2 = 1.0 - pow(beta2, (double)step);
    bool decoupled = rule->optimizer == CNN_OPTIMIZER_ADAMW;
    for (size_t i = 0; i < count; i++) {
        double g = gradients[i] + (decoupled ? 0.0 : decay * values[i]);
        double value = values[i] * (decoupled ? 1.0 - rule->lr * decay : 1.0);
        m[i] = (float)(beta1 * m[i] + (1.0 - beta1) * g);
        v[i] = (float)(beta2 * v[i] + (1.0 - beta2) * g * g);
        double denominator = sqrt(v[i]) / sqrt(correction2) + epsilon;
        values[i] = (float)(value - rule->lr / correction1 * m[i] / denominator);
    }
}

static void update_sgd(float *values, float *buffer, const float *gradients, size_t count,
                       const cnn_ref_rule *rule)
{
    double momentum = rule->momentum;
    for (size_t i = 0; i < count; i++) {
        double g = gradients[i] + rule->weight_decay * values[i], moved = g;
        if (buffer) {
            buffer[i] = (float)(momentum * buffer[i] + g);
            moved = rule->nesterov ? g + momentum * buffer[i] : buffer[i];
        }
        values[i] = (float)(values[i] - rule->lr * moved);
    }
}

void cnn_ref_update(float *values, float *first, float *second, const float *gradients,
                    size_t count, const cnn_ref_rule *rule, uint64_t step)
{
    if (rule->optimizer == CNN_OPTIMIZER_SGD)
        update_sgd(values, first, gradients, count, rule);
    else
        update_adam(values, first, second, gradients, count, rule, step);
}

void cnn_ref_adam(float *values, float *m, float *v, const float *gradients, size_t count,
                  double lr, uint64_t step)
{
    const cnn_ref_rule rule = {.optimizer = CNN_OPTIMIZER_ADAM, .lr = lr, .momentum = 0.9};
    update_adam(values, m, v, gradients, count, &rule, step);
}

double cnn_ref_norm(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return sqrt(sum);
}

void cnn_ref_clip(float *gradients, size_t count, double norm, double most)
{
    double factor = fmin(1.0, most / (norm + 1e-6));
    for (size_t i = 0; i < count; i++)
        gradients[i] = (float)(gradients[i] * factor);
}
