/** @file
 * What a classifier takes for what: the confusion matrix, and what follows from it. */
#ifndef CNNCL_CONFUSION_H
#define CNNCL_CONFUSION_H

#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a model takes an image for. */
typedef struct cnn_prediction {
    int label;         /**< the class of the largest logit, the first of equals */
    float probability; /**< of that class, by softmax: 0 to 1 */
} cnn_prediction;

/** counts (classes, classes), rows true and columns predicted, of count predictions and the images'
 * labels; both are below classes. */
CNN_API void cnn_confusion_count(size_t *counts, int classes, const cnn_prediction *predictions,
                                 const uint16_t *labels, size_t count);

/** How well one class is told from the others. */
typedef struct cnn_class_score {
    size_t support;   /**< images of the class */
    size_t predicted; /**< images taken for it */
    size_t hits;      /**< both */
    double precision; /**< hits / predicted, 0 to 1; NaN where none was taken for it */
    double recall;    /**< hits / support; NaN where there are none */
    double f1;        /**< 2 * hits / (support + predicted); NaN where both are 0 */
} cnn_class_score;

/** The score of a class, whose label is below classes. */
CNN_API cnn_class_score cnn_confusion_score(const size_t *counts, int classes, int label);

/** The scores (classes) of all classes from the predictions themselves: for more classes than a matrix
 * has room for. */
CNN_API void cnn_confusion_scores(cnn_class_score *scores, int classes,
                                  const cnn_prediction *predictions, const uint16_t *labels,
                                  size_t count);

/** A mistake, and how often it is made. */
typedef struct cnn_confusion_pair {
    int label;     /**< the true class */
    int predicted; /**< another, which it is taken for */
    size_t count;  /**< above 0 */
} cnn_confusion_pair;

/** At most `most` of the matrix' mistakes, the most frequent first, equal ones in its order.
 * Returns how many. */
CNN_API size_t cnn_confusion_largest(cnn_confusion_pair *pairs, size_t most, const size_t *counts,
                                     int classes);

/** The same from the predictions themselves; *found is how many. Its memory grows with their count
 * alone. Errors: MEMORY. */
CNN_API cnn_status cnn_confusion_mistakes(cnn_confusion_pair *pairs, size_t *found, size_t most,
                                          int classes, const cnn_prediction *predictions,
                                          const uint16_t *labels, size_t count);

#ifdef __cplusplus
}
#endif

#endif
