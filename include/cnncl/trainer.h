/** @file
 * Training: Adam on softmax cross-entropy over shuffled batches. */
#ifndef CNNCL_TRAINER_H
#define CNNCL_TRAINER_H

#include <cnncl/dataset.h>
#include <cnncl/device.h>
#include <cnncl/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How to train. */
typedef struct cnn_train_options {
    int epochs;      /**< 0 or more */
    int batch;       /**< 1 or more; a smaller training split makes it smaller */
    double lr;       /**< learning rate, finite and above 0 */
    int print_every; /**< evaluate every so many epochs, and after the last */
    uint64_t seed;   /**< of the shuffles and dropout masks */
    bool stream;     /**< keep the data set on the host and stream batches, even where it fits */
    bool fuse;       /**< use the fused steps of the plan; true by default */
} cnn_train_options;

/** The defaults: 10, 256, 1e-3, 1, 0, false, true. */
CNN_API void cnn_train_options_init(cnn_train_options *options);

/** One epoch that ended. */
typedef struct cnn_epoch {
    int index;             /**< -1 for the evaluation before training */
    double loss;           /**< mean of the batches' losses; NaN for index -1 */
    bool evaluated;        /**< the accuracies are set */
    double train_accuracy; /**< 0 to 1, in evaluation mode */
    double test_accuracy;  /**< NaN where there is no test split */
    double seconds;        /**< of training, evaluation not counted */
} cnn_epoch;

/** How far a phase of an epoch is. */
typedef struct cnn_progress {
    int epoch;         /**< -1 for the evaluation before training */
    const char *phase; /**< "train", "eval train", "eval test" */
    size_t step;       /**< batches of this phase that are complete */
    size_t steps;      /**< and in all */
    size_t images;     /**< images of those steps */
    double seconds;    /**< since the phase began */
} cnn_progress;

/** Called from cnn_trainer_run() in its thread; a callback that returns false stops the run, which
 * then returns CNN_ERROR_STOPPED with the model as the last complete step left it. Any may be
 * NULL. */
typedef struct cnn_train_callbacks {
    bool (*on_epoch)(const cnn_epoch *epoch, void *user);          /**< the model is up to date */
    bool (*on_progress)(const cnn_progress *progress, void *user); /**< after steps are complete */
    void *user;                                                    /**< handed to the callbacks */
} cnn_train_callbacks;

/** A run of training. */
typedef struct cnn_trainer cnn_trainer;

/** Plans, allocates and touches all device memory, builds every kernel. The device, the model and
 * the data set must outlive the trainer. Errors: ARGUMENT, DATA (shape or labels that do not fit
 * the network), MEMORY, OPENCL, KERNEL. */
CNN_API cnn_status cnn_trainer_create(cnn_trainer **trainer, cnn_device *device, cnn_model *model,
                                      const cnn_dataset *dataset, const cnn_train_options *options);
/** Frees it. NULL is no error. */
CNN_API void cnn_trainer_destroy(cnn_trainer *trainer);
/** Bytes of device memory it takes. */
CNN_API uint64_t cnn_trainer_device_bytes(const cnn_trainer *trainer);
/** True where batches are streamed from the host. */
CNN_API bool cnn_trainer_is_streaming(const cnn_trainer *trainer);

/** Evaluates (epoch -1), trains, evaluates after epochs as print_every says. The model's values are
 * updated before each on_epoch and at the end. When a loss is not finite the model keeps the
 * values of the last epoch that was finite, and the message names the step. Errors: ARITHMETIC,
 * STOPPED, OPENCL, MEMORY. */
CNN_API cnn_status cnn_trainer_run(cnn_trainer *trainer, const cnn_train_callbacks *callbacks);

#ifdef __cplusplus
}
#endif

#endif
