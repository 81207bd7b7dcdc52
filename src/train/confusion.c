#include <cnncl/confusion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* Are both classes of these? */
static bool is_counted(int label, const cnn_prediction *prediction, int classes)
{
    return label < classes && prediction->label >= 0 && prediction->label < classes;
}

void cnn_confusion_count(size_t *counts, int classes, const cnn_prediction *predictions,
                         const uint16_t *labels, size_t count)
{
    if (!counts || classes < 1)
        return;
    memset(counts, 0, (size_t)classes * (size_t)classes * sizeof *counts);
    for (size_t i = 0; predictions && labels && i < count; i++)
        if (is_counted(labels[i], &predictions[i], classes))
            counts[(size_t)labels[i] * (size_t)classes + (size_t)predictions[i].label]++;
}

static double divide(size_t a, size_t b)
{
    return b > 0 ? (double)a / (double)b : (double)NAN;
}

static void rate(cnn_class_score *score)
{
    score->precision = divide(score->hits, score->predicted);
    score->recall = divide(score->hits, score->support);
    score->f1 = divide(2 * score->hits, score->support + score->predicted);
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
    rate(&score);
    return score;
}

void cnn_confusion_scores(cnn_class_score *scores, int classes, const cnn_prediction *predictions,
                          const uint16_t *labels, size_t count)
{
    if (!scores || classes < 1)
        return;
    memset(scores, 0, (size_t)classes * sizeof *scores);
    for (size_t i = 0; predictions && labels && i < count; i++) {
        if (!is_counted(labels[i], &predictions[i], classes))
            continue;
        scores[labels[i]].support++;
        scores[predictions[i].label].predicted++;
        scores[labels[i]].hits += predictions[i].label == labels[i];
    }
    for (int c = 0; c < classes; c++)
        rate(&scores[c]);
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

static int compare_places(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

/* Places in the matrix, in its order; equal ones are counted. */
static size_t count_places(cnn_confusion_pair *pairs, size_t most, uint32_t *places, size_t count)
{
    size_t found = 0;
    qsort(places, count, sizeof *places, compare_places);
    for (size_t first = 0, next; first < count; first = next) {
        next = first + 1;
        while (next < count && places[next] == places[first])
            next++;
        const cnn_confusion_pair pair = {(int)(places[first] >> 16), (int)(places[first] & 0xffff),
                                         next - first};
        found = insert(pairs, found, most, pair);
    }
    return found;
}

cnn_status cnn_confusion_mistakes(cnn_confusion_pair *pairs, size_t *found, size_t most,
                                  int classes, const cnn_prediction *predictions,
                                  const uint16_t *labels, size_t count)
{
    CNN_NEED(pairs, found, predictions, labels);
    uint32_t *places = NULL;
    size_t wrong = 0;
    *found = 0;
    cnn_status status = cnn_allocate(&places, count, sizeof *places, "the mistakes");
    if (status != CNN_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        if (is_counted(labels[i], &predictions[i], classes) && predictions[i].label != labels[i])
            places[wrong++] = (uint32_t)labels[i] << 16 | (uint32_t)predictions[i].label;
    if (wrong > 0)
        *found = count_places(pairs, most, places, wrong);
    free(places);
    return CNN_OK;
}
