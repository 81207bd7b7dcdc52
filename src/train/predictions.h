/* What the model takes each sample of a pass for: the logits of each batch are read while the
 * device works on the next. */
#ifndef TRAIN_PREDICTIONS_H
#define TRAIN_PREDICTIONS_H

#include <cnncl/confusion.h>

#include "plan/plan.h"

enum { CNN_PREDICTIONS_SLOTS = 2 };

typedef struct cnn_predictions {
    const cnn_plan *plan;
    cnn_prediction *values; /* (count) of the split; the caller's */
    struct cnn_predictions_slot {
        float *logits; /* (batch, classes) */
        cl_event read; /* NULL: nothing is on its way */
        size_t first;  /* sample */
        int n;
    } slots[CNN_PREDICTIONS_SLOTS];
} cnn_predictions;

cnn_status cnn_predictions_init(cnn_predictions *predictions, const cnn_plan *plan,
                                cnn_prediction *values);
void cnn_predictions_finish(cnn_predictions *predictions);

/* A loop's after_step; user is the cnn_predictions. */
cnn_status cnn_predictions_take(size_t index, int n, void *user);
/* Waits for what is on its way. */
cnn_status cnn_predictions_drain(cnn_predictions *predictions);

#endif
