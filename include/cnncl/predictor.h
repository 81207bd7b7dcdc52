/** @file
 * A trained model at work: logits of images, and loss and accuracy on a data set. */
#ifndef CNNCL_PREDICTOR_H
#define CNNCL_PREDICTOR_H

#include <cnncl/comm.h>
#include <cnncl/confusion.h>
#include <cnncl/dataset.h>
#include <cnncl/device.h>
#include <cnncl/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A model on a device, ready to run. */
typedef struct cnn_predictor cnn_predictor;

/** A predictor. batch: how many images go through the network together, 1 or more. fuse: use fused
 * steps. The device and the model must outlive it; the model's values are copied to the device
 * here. Errors: ARGUMENT, MEMORY, OPENCL, KERNEL. */
CNN_API cnn_status cnn_predictor_create(cnn_predictor **predictor, cnn_device *device,
                                        const cnn_model *model, int batch, bool fuse);
/** Frees it. NULL is no error. */
CNN_API void cnn_predictor_destroy(cnn_predictor *predictor);

/** What is predicted an image by: test-time augmentation. */
typedef enum cnn_tta {
    CNN_TTA_NONE, /**< the image */
    CNN_TTA_FLIP  /**< the image and its mirror, left for right: the mean of their probabilities */
} cnn_tta;
/** From now on predictions and evaluations go by this; CNN_TTA_NONE in the beginning. What
 * cnn_predictor_run() writes for CNN_TTA_FLIP are the logarithms of the mean probabilities: softmax
 * gives these. Errors: ARGUMENT, MEMORY. */
CNN_API cnn_status cnn_predictor_set_tta(cnn_predictor *predictor, cnn_tta tta);

/** Writes the logits (N, ydim) of images (N, C, H, W) whose pixels are in 0..1. count, which is N,
 * may be any number. Errors: MEMORY, OPENCL. */
CNN_API cnn_status cnn_predictor_run(float *logits, cnn_predictor *predictor, const float *images,
                                     size_t count);

/** How well a model does on a split. */
typedef struct cnn_evaluation {
    double loss;     /**< mean over the samples */
    double accuracy; /**< 0 to 1 */
    size_t hits;     /**< samples whose largest logit is that of their label */
    size_t count;    /**< samples */
} cnn_evaluation;

/** Loss and accuracy of a split. Errors: DATA (the split is empty, or does not fit the network),
 * ARITHMETIC (a loss that is not finite), MEMORY, OPENCL. */
CNN_API cnn_status cnn_predictor_evaluate(cnn_evaluation *evaluation, cnn_predictor *predictor,
                                          const cnn_dataset *dataset, cnn_split split);

/** From now on cnn_predictor_evaluate() and cnn_predictor_evaluate_samples() of this data set share the
 * work with the predictors of the other ranks, which make the same calls: all have the evaluation, rank
 * 0 alone has the predictions. comm must outlive the predictor. Errors: ARGUMENT (the ranks differ in
 * version, network, data or weights), RANK, MEMORY. */
CNN_API cnn_status cnn_predictor_share(cnn_predictor *predictor, cnn_comm *comm,
                                       const cnn_dataset *dataset);
/** For ranks that share other work with a model: tells all who is who, and refuses a rank with another
 * version, network or weights. All ranks call it. Errors, on all: ARGUMENT, RANK. */
CNN_API cnn_status cnn_model_compare(const cnn_model *model, cnn_comm *comm,
                                     const cnn_device *device);

/** The same, and what each sample is taken for: predictions (N) of the split's N samples, in their
 * order. After a failure their values are undefined. */
CNN_API cnn_status cnn_predictor_evaluate_samples(cnn_evaluation *evaluation,
                                                  cnn_prediction *predictions,
                                                  cnn_predictor *predictor,
                                                  const cnn_dataset *dataset, cnn_split split);

#ifdef __cplusplus
}
#endif

#endif
