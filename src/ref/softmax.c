/* Softmax cross-entropy: -log(exp(z[label]) / sum of exp(z)), mean over the samples. The largest
 * logit is subtracted first, so that nothing overflows; NaN reaches the sum, and so the loss. */
#include <math.h>

#include "ref/ref.h"

static int argmax(const float *logits, int classes)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (logits[k] > logits[best])
            best = k;
    return best;
}

double cnn_ref_softmax_cross_entropy(float *dlogits, size_t *hits, const float *logits,
                                     const uint16_t *labels, int n, int classes)
{
    double loss = 0.0;
    size_t right = 0;
    for (int sample = 0; sample < n; sample++) {
        size_t row = (size_t)sample * (size_t)classes;
        const float *z = logits + row;
        int label = labels[sample], best = argmax(z, classes);
        double most = z[best], sum = 0.0;
        for (int k = 0; k < classes; k++)
            sum += exp(z[k] - most);
        loss += log(sum) - (z[label] - most);
        right += best == label;
        for (int k = 0; dlogits && k < classes; k++)
            dlogits[row + (size_t)k] = (float)((exp(z[k] - most) / sum - (k == label)) / n);
    }
    if (hits)
        *hits = right;
    return loss / n;
}

/* The mean, weighted by the labels' weights, of (1 - s) e[label] + s mean of w e / w[label], where e
 * is -log softmax. */
double cnn_ref_shaped_cross_entropy(float *dlogits, const float *logits, const uint16_t *labels,
                                    int n, int classes, double smoothing, const float *weights)
{
    double loss = 0.0, whole = 0.0;
    for (int sample = 0; sample < n; sample++)
        whole += weights ? (double)weights[labels[sample]] : 1.0;
    for (int sample = 0; sample < n; sample++) {
        size_t row = (size_t)sample * (size_t)classes;
        const float *z = logits + row;
        double most = z[argmax(z, classes)], sum = 0.0, all = 0.0;
        for (int k = 0; k < classes; k++)
            sum += exp(z[k] - most);
        for (int k = 0; k < classes; k++) {
            double w = (weights ? (double)weights[k] : 1.0) *
                       (smoothing / classes + (k == labels[sample] ? 1.0 - smoothing : 0.0));
            loss += w * (log(sum) + most - z[k]) / whole;
            all += w;
        }
        for (int k = 0; k < classes; k++) {
            double w = (weights ? (double)weights[k] : 1.0) *
                       (smoothing / classes + (k == labels[sample] ? 1.0 - smoothing : 0.0));
            dlogits[row + (size_t)k] = (float)((all * exp(z[k] - most) / sum - w) / whole);
        }
    }
    return loss;
}
