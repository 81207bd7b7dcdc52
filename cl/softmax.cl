/* Softmax cross-entropy of a batch, its gradient, and the count of right answers:
 *   loss = mean over samples of log(sum over j of exp(z[j] - m)) + m - z[label], m the largest
 *     logit
 *   dz[j] = (softmax(z)[j] - (j == label)) / whole
 * A pass may be a piece of a batch: n are its samples, `whole` those of the batch.
 * With SHAPED, PyTorch's CrossEntropyLoss(weight, label_smoothing), e[j] = -log softmax(z)[j], y the
 * label, s the smoothing, w (classes) the weights, or none (NULL) for 1:
 *   loss = sum over samples of ((1 - s) w[y] e[y] + s / classes * sum over j of w[j] e[j]) / whole
 *   dz[j] = ((1 - s) w[y] (softmax(z)[j] - (j == y)) + s / classes * (sum of w * softmax(z)[j] -
 *     w[j])) / whole,  where `whole` is the sum of the batch's w[y]
 * A sample that is mixed has two labels, and `part` times the loss of the first and 1 - part times
 * that of the other.
 * Layout: (N, classes). May be given: SHAPED. */
#include "exact.cl"
#include "loop.cl"

/* One sample's loss, its gradient dz (classes) and whether it is right; z (classes). */
static float sample_loss(global float *dz, uint *hit, const global float *z, int classes, int label,
                         int other, float part, float whole, float smoothing,
                         const global float *weights)
{
    float most = z[0];
    int best = 0;
    for (int j = 1; j < classes; ++j)
        if (z[j] > most || z[j] != z[j]) {
            most = z[j];
            best = j;
        }
    float sum = 0.0f;
    for (int j = 0; j < classes; ++j)
        sum = plus_in_order(sum, exponential(z[j] - most));
    *hit = best == label;
#ifdef SHAPED
    const float sharp = 1.0f - smoothing;
    const float first = part * sharp * (weights ? weights[label] : 1.0f);
    const float second = (1.0f - part) * sharp * (weights ? weights[other] : 1.0f);
    const float share = quotient(smoothing, (float)classes);
    const float shift = logarithm(sum) + most;
    float even = 0.0f, weight = 0.0f;
    for (int j = 0; j < classes; ++j) {
        const float w = weights ? weights[j] : 1.0f;
        even = fma(w, shift - z[j], even);
        weight = plus_in_order(weight, w);
    }
    for (int j = 0; j < classes; ++j) {
        const float p = quotient(exponential(z[j] - most), sum), w = weights ? weights[j] : 1.0f;
        dz[j] = quotient(first * (p - (j == label ? 1.0f : 0.0f)) +
                             second * (p - (j == other ? 1.0f : 0.0f)) + share * (weight * p - w),
                         whole);
    }
    return first * (shift - z[label]) + second * (shift - z[other]) + share * even;
#else
    (void)smoothing, (void)weights, (void)part, (void)other;
    for (int j = 0; j < classes; ++j)
        dz[j] = quotient(quotient(exponential(z[j] - most), sum) - (j == label ? 1.0f : 0.0f), whole);
    return logarithm(sum) + most - z[label];
#endif
}

/* A pass's share of its batch's mean loss, and its hits, into slot `slot` of the tally: to what is
 * there where `added`. The first slot whose loss is not finite is kept in bad[0] (-1: none). */
static void note(global float *loss_tally, global uint *hit_tally, global int *bad, float loss,
                 uint hits, int slot, int added)
{
    if (added) {
        loss += loss_tally[slot];
        hits += hit_tally[slot];
    }
    loss_tally[slot] = loss;
    hit_tally[slot] = hits;
    if (!isfinite(loss) && bad[0] < 0)
        bad[0] = slot;
}

/* losses, hits (n): of each sample; dz (n, classes). logits (n, classes), labels (n) below classes,
 * and from place `others` on (n) those of what the samples are mixed with. */
kernel void softmax_cross_entropy(global float *losses, global uint *hits, global float *dz,
                                  const global float *logits, const global ushort *labels,
                                  int classes, int n, float whole, float smoothing,
                                  const global float *weights, float part, int others)
{
    FOR_EACH (sample, n) {
        uint hit;
        losses[sample] =
            sample_loss(dz + sample * classes, &hit, logits + sample * classes, classes,
                        labels[sample], labels[others + sample], part, whole, smoothing, weights);
        hits[sample] = hit;
    }
}

/* The tally of what softmax_cross_entropy left. One work-item, so that the order of the sum is
 * fixed. */
kernel void softmax_tally(global float *loss_tally, global uint *hit_tally, global int *bad,
                          const global float *losses, const global uint *hits, int slot, int n,
                          float whole, int added)
{
    if (get_global_id(0) != 0)
        return;
    float loss = 0.0f;
    uint hit = 0;
    for (int sample = 0; sample < n; ++sample) {
        loss = plus_in_order(loss, losses[sample]);
        hit += hits[sample];
    }
    note(loss_tally, hit_tally, bad, quotient(loss, whole), hit, slot, added);
}

#define GROUP 256 /* the largest local size of softmax_batch */

/* Both in one launch, by one work-group of a power of two: each work-item adds up its samples, then
 * the work-items' sums are added in pairs. */
kernel void softmax_batch(global float *loss_tally, global uint *hit_tally, global int *bad,
                          global float *dz, const global float *logits, const global ushort *labels,
                          int classes, int slot, int n, float whole, int added, float smoothing,
                          const global float *weights, float part, int others)
{
    local float losses[GROUP];
    local uint hits[GROUP];
    const int item = get_local_id(0), items = get_local_size(0);
    float loss = 0.0f;
    uint count = 0;
    for (size_t sample = item; sample < (size_t)n; sample += items) {
        uint hit;
        loss += sample_loss(dz + sample * classes, &hit, logits + sample * classes, classes,
                            labels[sample], labels[others + sample], part, whole, smoothing,
                            weights);
        count += hit;
    }
    losses[item] = loss;
    hits[item] = count;
    for (int reach = items / 2; reach > 0; reach /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < reach) {
            losses[item] += losses[item + reach];
            hits[item] += hits[item + reach];
        }
    }
    if (item == 0)
        note(loss_tally, hit_tally, bad, quotient(losses[0], whole), hits[0], slot, added);
}
