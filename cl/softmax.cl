/* Softmax cross-entropy of a batch, its gradient, and the count of right answers:
 *   loss = mean over samples of log(sum over j of exp(z[j] - m)) + m - z[label], m the largest logit
 *   dz[j] = (softmax(z)[j] - (j == label)) / n
 * Layout: (N, CLASSES). Must be given: CLASSES. */
#ifndef CLASSES
#error "CLASSES must be given"
#endif

#include "loop.cl"

/* losses, hits (n): of each sample; dz (n, CLASSES). logits (n, CLASSES), labels (n) below CLASSES. */
kernel void softmax_cross_entropy(global float *losses, global uint *hits, global float *dz,
                                  const global float *logits, const global uchar *labels, int n)
{
    FOR_EACH (sample, n) {
        const global float *z = logits + sample * CLASSES;
        const int label = labels[sample];
        float most = z[0];
        int best = 0;
        for (int j = 1; j < CLASSES; ++j)
            if (z[j] > most || z[j] != z[j]) {
                most = z[j];
                best = j;
            }
        float sum = 0.0f;
        for (int j = 0; j < CLASSES; ++j)
            sum += exp(z[j] - most);
        losses[sample] = log(sum) + most - z[label];
        hits[sample] = best == label;
        for (int j = 0; j < CLASSES; ++j)
            dz[sample * CLASSES + j] = (exp(z[j] - most) / sum - (j == label ? 1.0f : 0.0f)) / n;
    }
}

/* The batch's mean loss and hits into slot `slot` of the tally; the first slot whose loss is not
 * finite is kept in bad[0] (-1: none). One work-item, so that the order of the sum is fixed. */
kernel void softmax_tally(global float *loss_tally, global uint *hit_tally, global int *bad,
                          const global float *losses, const global uint *hits, int slot, int n)
{
    if (get_global_id(0) != 0)
        return;
    float loss = 0.0f;
    uint hit = 0;
    for (int sample = 0; sample < n; ++sample) {
        loss += losses[sample];
        hit += hits[sample];
    }
    loss /= n;
    loss_tally[slot] = loss;
    hit_tally[slot] = hit;
    if (!isfinite(loss) && bad[0] < 0)
        bad[0] = slot;
}
