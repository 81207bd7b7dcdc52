/* A predictor, and what its parts share. */
#ifndef TRAIN_PREDICTOR_H
#define TRAIN_PREDICTOR_H

#include <cnncl/predictor.h>

#include "train/loop.h"

struct cnn_predictor {
    cnn_device *device;
    const cnn_model *model;
    int batch;
    cnn_plan *plan;
    float *pixels;    /* (batch, H, W, C) */
    cnn_ranks *ranks; /* that share evaluations; NULL: none do */
    cnn_tta tta;
    float *mirrored; /* (batch, classes): logits of the mirrors; NULL without CNN_TTA_FLIP */
    float *own;      /* (batch, classes): of the images; likewise */
};

/* The classes' logits (n, classes) become the logarithms of the mean of their probabilities and
 * those of the mirrors' logits: softmax gives that mean, and the largest stays the most probable.
 */
void cnn_tta_mean(float *logits, const float *mirrored, size_t n, size_t classes);

/* cnn_predictor_evaluate_samples() with CNN_TTA_FLIP; predictions may be NULL. */
cnn_status cnn_tta_evaluate(cnn_evaluation *evaluation, cnn_prediction *predictions,
                            cnn_predictor *predictor, const cnn_dataset *dataset, cnn_split split);

#endif
