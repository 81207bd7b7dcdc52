#include <cnncl/confusion.h>

#include <math.h>
#include <string.h>

void cnn_confusion_count(size_t *counts, int classes, const cnn_prediction *predictions,
                         const uint16_t *labels, size_t count)
{
    if (!counts || classes < 1)
        return;
    memset(counts, 0, (size_t)classes * (size_t)classes * sizeof *counts);
    for (size_t i = 0; predictions && labels && i < count; i++)
        if (labels[i] < classes && predictions[i].label >= 0 && predictions[i].label < classes)
            counts[(size_t)labels[i] * (size_t)classes + (size_t)predictions[i].label]++;
}

static double divide(size_t a, size_t b)
{
    return b > 0 ? (double)a / (double)b : (double)NAN;
}

cnn_class_score cnn_confusion_score(const size_t *counts, int classes, int label)
{
    if (!counts || label < 0 || label >= classes)
        return (cnn_class_score){.precision = NAN, .recall = NAN, .f1 = NAN};
    size_t side = (size_t)classes, at = (size_t)label;
    cnn_class_score score = {.hits = counts[at * side + at]};
    for (size_t i = 0; i < side; i++) {
        score.support += counts[at * side + i];
        score.predicted += counts[i * side + at];
    }
    score.precision = divide(score.hits, score.predicted);
    score.recall = divide(score.hits, score.support);
    score.f1 = divide(2 * score.hits, score.support + score.predicted);
    return score;
}

/* Into its place among those found so far; the last falls out where there is no room. */
static size_t insert(cnn_confusion_pair *pairs, size_t found, size_t most, cnn_confusion_pair pair)
{
    size_t at = found;
    while (at > 0 && pairs[at - 1].count < pair.count)
        at--;
    if (at == most)
        return found;
    if (found < most)
        found++;
    memmove(pairs + at + 1, pairs + at, (found - at - 1) * sizeof *pairs);
    pairs[at] = pair;
    return found;
}

size_t cnn_confusion_largest(cnn_confusion_pair *pairs, size_t most, const size_t *counts,
                             int classes)
{
    if (!pairs || !counts)
        return 0;
    size_t found = 0;
    for (int label = 0; label < classes; label++)
        for (int predicted = 0; predicted < classes; predicted++) {
            size_t count = counts[label * classes + predicted];
            if (count > 0 && label != predicted)
                found = insert(pairs, found, most, (cnn_confusion_pair){label, predicted, count});
        }
    return found;
}
