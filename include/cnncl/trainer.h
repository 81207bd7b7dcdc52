/** @file
 * Training: PyTorch's optimizers on softmax cross-entropy over shuffled batches. */
#ifndef CNNCL_TRAINER_H
#define CNNCL_TRAINER_H

#include <cnncl/comm.h>
#include <cnncl/dataset.h>
#include <cnncl/device.h>
#include <cnncl/model.h>
#include <cnncl/predictor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The optimizers, by the formulas of torch.optim. Adam and AdamW have betas 0.9 and 0.999 and epsilon
 * 1e-8; SGD's momentum has no dampening. */
typedef enum cnn_optimizer_kind {
    CNN_OPTIMIZER_ADAM,  /**< weight_decay through the gradient */
    CNN_OPTIMIZER_ADAMW, /**< the weights decay by themselves */
    CNN_OPTIMIZER_SGD    /**< weight_decay through the gradient */
} cnn_optimizer_kind;

/** How the learning rate goes, step by step, by the formulas of torch.optim.lr_scheduler. */
typedef enum cnn_schedule_kind {
    CNN_SCHEDULE_CONSTANT,
    CNN_SCHEDULE_COSINE,  /**< CosineAnnealingLR over the steps behind the warm-up, to 0 */
    CNN_SCHEDULE_STEP,    /**< MultiStepLR */
    CNN_SCHEDULE_ONECYCLE /**< OneCycleLR with PyTorch's defaults: up from lr / 25 to lr in 0.3 of
                             the run (or in the warm-up, where there is one), down to lr / 250000;
                             the momentum (of Adam beta1) goes from 0.95 to 0.85 and back */
} cnn_schedule_kind;

enum { CNN_MAX_MILESTONES = 16 /**< of a schedule */ };

/** A schedule. */
typedef struct cnn_rate_schedule {
    cnn_schedule_kind kind;             /**< constant by default */
    int milestones[CNN_MAX_MILESTONES]; /**< of STEP: epochs, ascending, from 1; the run may end before */
    int milestone_count;                /**< (milestones) that are set */
    double factor;                      /**< of the rate from each on, above 0 */
} cnn_rate_schedule;

/** What is done to the images of training, anew in each step; never in evaluation. Zeros: nothing.
 * Images are cropped, mirrored, turned, shifted, then their colours change; what comes from beside
 * the image is black. Values between pixels are bilinear. */
typedef struct cnn_augmentation {
    bool flip;        /**< every other one, by chance, is mirrored: left is right */
    int shift;        /**< up to so many pixels in each direction */
    double crop_low;  /**< a part of the area, from this, above 0, */
    double crop_high; /**< to this, at most 1, is scaled to the whole, its width to its height as 3:4
                         to 4:3; 0: no crop */
    double rotate;    /**< up to so many degrees to each side, at most 180 */
    double color;     /**< brightness, contrast (about the image's mean) and saturation are multiplied
                         by numbers of 1 - color to 1 + color each; at most 1 */
    int cutout;       /**< the side, in pixels, of a square that the network sees as zeros */
    double mixup;     /**< each image is mixed with another of its batch, their losses likewise, the
                         parts from the beta distribution (mixup, mixup) */
} cnn_augmentation;

/** How to train. */
typedef struct cnn_train_options {
    int epochs;       /**< 0 or more */
    int batch;        /**< 1 or more; a smaller training split makes it smaller */
    int micro_batch;  /**< 0: a batch goes through the device at once. 1 to batch: in pieces of so
                         many samples, whose gradients are added up to one update: the result is
                         the same up to rounding, in less device memory. Below batch, the network
                         must have no batch norm, which takes its statistics of the whole batch */
    int slices;       /**< 1 to batch: a batch is so many slices, slice i from sample i batch / slices
                         to (i + 1) batch / slices, rounded down. Each has its own gradients and its
                         own batch norm statistics; gradients are summed in a fixed binary tree, and
                         so are the running statistics, weighted by samples. 1: the whole batch. 0:
                         as many as ranks. Above 1 it excludes micro_batch */
    double lr;        /**< learning rate, finite and above 0 */
    int print_every;  /**< evaluate every so many epochs, and after the last */
    uint64_t seed;    /**< of the shuffles, the dropout masks and the samples held out */
    bool stream;      /**< keep the data set on the host and stream batches, even where it fits */
    bool fuse;        /**< use the fused steps of the plan; true by default */
    double val_split; /**< the part of the training split, below 1, that is held out to validate:
                         chosen by the seed, never trained on; 0 for none */
    int early_stop;   /**< stop after so many evaluations without a better one; 0: never. Wants
                         val_split */
    int checkpoint_every; /**< call on_checkpoint before training, every so many epochs and after
                             the last; 0: never */
    int checkpoint_steps; /**< and every so many training steps; 0: never */
    char freeze[CNN_MAX_PATTERNS]; /**< layers that stay as they are: shell patterns of their names,
                                      as of fnmatch() without flags, with commas between them. A
                                      frozen batch norm works with its running statistics in
                                      training, too. "": none. What the network begins with and is
                                      frozen is computed once for each sample */
    char lr_scale[CNN_MAX_PATTERNS]; /**< factors of the learning rate for layers, PATTERN=F with
                                        commas between them; of several that fit one the last
                                        counts. "": none */
    char whiten[CNN_MAX_PATTERNS]; /**< the name of a convolution that reads the images: its filters begin
                                      as the directions in which patches of the training images vary
                                      most, scaled so that all vary alike, each with its negative; its
                                      output channels are even and at most twice a patch's values. Its
                                      bias begins as it would. "": none */
    bool recompute; /**< in every step instead: the same values, in less memory */
    cnn_optimizer_kind optimizer; /**< Adam by default */
    double momentum;              /**< of SGD, in [0, 1) */
    bool nesterov;                /**< SGD with Nesterov's momentum; wants momentum */
    double weight_decay;          /**< 0 or more; biases, and what norms scale and shift by, are
                                     left out */
    bool decay_all;               /**< they are not; wants weight_decay */
    double clip_norm; /**< a larger Euclidean norm of all gradients is scaled down to this; 0: none */
    cnn_rate_schedule schedule; /**< how the learning rate goes */
    double warmup; /**< epochs, at most all: in its W steps the rate of step t, from 0, is
                      lr * (t + 1) / W; of ONECYCLE the time that the rate rises */
    bool fixed_momentum; /**< ONECYCLE leaves the momentum as it is */
    double label_smoothing; /**< of the training loss, in [0, 1) */
    bool balanced_classes;  /**< in the training loss a class of n_c of the n samples trained on, of c
                               classes that there are, weighs n / (c n_c) */
    double ema; /**< the decay, below 1, of the exponential moving average of the weights and the
                   running statistics: it is what is evaluated and what the model holds; 0: none */
    cnn_augmentation augment; /**< of the images trained on */
    int sentinel; /**< every so many training steps some values of a step, drawn by the seed, are
                     computed again on the host from what the device had: what is wrong ends the run
                     with ARITHMETIC, before it is saved, and cnn_trainer_report() has a report.
                     It changes no value. 0: never */
    int views; /**< 0: they are changed anew in each step. Else so many times alone, by the seed, the
                  view and the place in the training split: epoch e has view e mod views of each image.
                  Wants augment, without mixup, and layers that are frozen from the input on: what
                  these give is computed once for each image and view */
    bool exact; /**< the same bits on every device and host: cnn_device_use_exact(); steps are not
                   fused then */
} cnn_train_options;

/** The defaults: 10, 256, 0, 1e-3, 1, 0, false, true, 0, 0, 1, 0, "", "", "", false, Adam, a constant
 * rate, and 0 or false. */
CNN_API void cnn_train_options_init(cnn_train_options *options);

/** Sets one of the options that are real numbers or words from text: key is "lr", "val-split",
 * "optimizer", "momentum", "weight-decay", "clip-norm", "schedule",
 * "warmup", "label-smoothing", "class-weights", "ema" or "augment". A number that is not zero but would be in
 * float32, in which devices compute, or would not be finite there, is refused. Errors: ARGUMENT,
 * naming the option, what was expected and what was found; the options are then
 * unchanged. */
CNN_API cnn_status cnn_train_options_set(cnn_train_options *options, const char *key,
                                         const char *value);

/** Are these options good, each for itself and together? A trainer checks the same. Errors: ARGUMENT
 * (which option, what was expected and found). */
CNN_API cnn_status cnn_train_options_check(const cnn_train_options *options);

/** Options from JSON text, an object as the member "options" of a run's description has it
 * (cnn_trainer_write_run()). source: what messages call the text. Errors: DATA (it is none, or one
 * of its values is wrong), MEMORY. */
CNN_API cnn_status cnn_train_options_read(cnn_train_options *options, const char *json,
                                          const char *source);

/** Have both the same value of an option, by its name in the command ("lr", "early-stop")? True of what is no
 * option of training. */
CNN_API bool cnn_train_options_agree(const cnn_train_options *one, const cnn_train_options *other,
                                     const char *option);

/** The learning rate of training step `step`, from 0, by the schedule, where an epoch has
 * `epoch_steps` steps. */
CNN_API double cnn_train_options_rate(const cnn_train_options *options, size_t epoch_steps,
                                      uint64_t step);

/** The path of a recipe, NAME.recipe among those that come with the library ("mnist99"), to be freed
 * with cnn_string_free(): options of `cnn-cl train`, one a line. Errors: ARGUMENT (there is none of
 * this name; the message lists those that there are), MEMORY. */
CNN_API cnn_status cnn_recipe_preset(char **path, const char *name);

/** What an epoch gave. Numbers that there are none of are NaN. */
typedef struct cnn_epoch {
    int index;                /**< -1 for the evaluation before training */
    uint64_t step;            /**< training steps done at its end, those of all epochs */
    double loss;              /**< mean of the batches' losses; NaN for index -1 */
    bool evaluated;           /**< the accuracies are set */
    double train_accuracy;    /**< 0 to 1, in evaluation mode */
    double val_accuracy;      /**< NaN without val_split */
    double test_accuracy;     /**< NaN where there is no test split */
    double seconds;           /**< of training, evaluation not counted; NaN for index -1 */
    double images_per_second; /**< of training; NaN for index -1 */
    double learning_rate;     /**< of its last step */
    const char *device;       /**< that it ended on; owned by the trainer */
    bool best;                /**< it is the best so far: see cnn_trainer_best() */
} cnn_epoch;

/** How far a phase of an epoch is. */
typedef struct cnn_progress {
    int epoch;         /**< from 0; -1 before training */
    const char *phase; /**< "train", "eval train", "eval val", "eval test"; "frozen": what is frozen
                            is computed */
    size_t step;       /**< batches of this phase that are complete */
    size_t steps;      /**< batches of this phase in all */
    size_t images;     /**< images of those steps */
    double seconds;    /**< since the phase began, interruptions not counted */
    double loss; /**< mean of the batches' losses as far as they are known; NaN for none yet */
} cnn_progress;

/** Called from cnn_trainer_run() in its thread; a callback that returns false stops the run, which
 * then returns CNN_ERROR_STOPPED with the model as the last complete step left it. Any may be
 * NULL. */
typedef struct cnn_train_callbacks {
    bool (*on_epoch)(const cnn_epoch *epoch, void *user);          /**< the model is up to date */
    bool (*on_progress)(const cnn_progress *progress, void *user); /**< after steps are complete */
    bool (*on_checkpoint)(void *user); /**< when the options say so: call cnn_trainer_save() */
    void *user;                        /**< handed to each */
    /** Of several devices of a process the first hangs in its driver, so that cnn_trainer_run() does not return, and
     * has not for as long as a rank is waited for: cnn_error_message() says which. Called from another thread, once;
     * it may end the process. NULL: a warning of the log. */
    void (*on_stuck)(cnn_status status, void *user);
} cnn_train_callbacks;

/** A run of training. */
typedef struct cnn_trainer cnn_trainer;

/** Plans, allocates and touches all device memory, builds every kernel. The device, the model and
 * the data set must outlive the trainer. Errors: ARGUMENT, DATA (shape or labels that do not fit
 * the network), MEMORY, OPENCL, KERNEL. */
CNN_API cnn_status cnn_trainer_create(cnn_trainer **trainer, cnn_device *device, cnn_model *model,
                                      const cnn_dataset *dataset, const cnn_train_options *options);
/** The same over several ranks: comm's (NULL: there is one), each on its first device; or of one rank over
 * `device_count` devices, each of which has a thread while the trainer runs. With the same slices
 * option every number of ranks of one kind of device gives the same values, bit for bit. Every rank
 * makes the same calls for its trainer; rank 0 alone has callbacks and may save, and what it decides
 * goes for all. The devices, comm, the model and the data set must outlive the trainer. Errors: ARGUMENT
 * (something is not the same on every rank, or several devices are given to one of several ranks),
 * RANK, and those of cnn_trainer_create(). */
CNN_API cnn_status cnn_trainer_create_shared(cnn_trainer **trainer, cnn_comm *comm,
                                             cnn_device *const *devices, int device_count,
                                             cnn_model *model, const cnn_dataset *dataset,
                                             const cnn_train_options *options);
/** Frees it; in one of its callbacks, as soon as the run is over, which then is stopped and returns
 * CNN_ERROR_STOPPED. NULL is no error. */
CNN_API void cnn_trainer_destroy(cnn_trainer *trainer);
/** A bug report about a device that the sentinel found to compute wrong, as cnn_doctor_report() has it,
 * to be freed with cnn_string_free(); *text is NULL where it found nothing. Errors: MEMORY. */
CNN_API cnn_status cnn_trainer_report(char **text, const cnn_trainer *trainer);
/** Did the last run end as a sentinel, of this rank or of another, found a device to compute wrong? On a right one it
 * goes on from its checkpoint. */
CNN_API bool cnn_trainer_blames_device(const cnn_trainer *trainer);
/** Bytes of device memory it takes. */
CNN_API uint64_t cnn_trainer_device_bytes(const cnn_trainer *trainer);
/** True where batches are streamed from the host. */
CNN_API bool cnn_trainer_is_streaming(const cnn_trainer *trainer);

/** Where a run is. */
typedef struct cnn_position {
    int epoch;     /**< the one that is next or was begun; -1: not yet evaluated before training */
    size_t step;   /**< training steps done in it */
    size_t steps;  /**< training steps of an epoch */
    bool complete; /**< nothing is left to do */
    bool stopped_early; /**< because of early_stop */
} cnn_position;
/** Where the run is now. */
CNN_API cnn_position cnn_trainer_position(const cnn_trainer *trainer);

/** The best of the epochs evaluated so far: by accuracy, a lower loss breaks ties, and of equals
 * the first is kept. Owned by the trainer, and changed by it as it runs. */
typedef struct cnn_best {
    const cnn_model *model; /**< NULL: none yet */
    int epoch;              /**< after which it was evaluated */
    double accuracy;        /**< 0 to 1, on that split */
    const char *split; /**< that decides: "validation" where some samples are held out, else "test",
                     "training" where there is no test split */
} cnn_best;
/** The best so far. */
CNN_API cnn_best cnn_trainer_best(const cnn_trainer *trainer);

/** Evaluates (epoch -1), trains, evaluates after epochs as print_every says; or goes on from where
 * it is, which is nothing to do where it is complete. The model's values are updated before each
 * on_epoch and at the end. When a loss is not finite the model keeps the
 * values that it was updated with last, and the message names the step. Errors: ARGUMENT (called
 * from one of its own callbacks), ARITHMETIC, STOPPED, OPENCL, MEMORY, RANK. */
CNN_API cnn_status cnn_trainer_run(cnn_trainer *trainer, const cnn_train_callbacks *callbacks);

/** How well the model that the trainer has does on a split, and what each sample is taken for:
 * predictions (N) of the split's N samples, in their order. What is frozen and kept is not computed
 * again. Errors: ARGUMENT (it is running), DATA (the split is empty), ARITHMETIC, MEMORY, OPENCL. */
CNN_API cnn_status cnn_trainer_evaluate_samples(cnn_evaluation *evaluation,
                                                cnn_prediction *predictions, cnn_trainer *trainer,
                                                cnn_split split);
/** Are the images that it trains on changed? */
CNN_API bool cnn_trainer_augments(const cnn_trainer *trainer);
/** What an image of training shows. */
typedef struct cnn_shown {
    uint16_t label; /**< its own */
    uint16_t other; /**< of what it is mixed with */
    double part;    /**< how much of it is its own; 1 without mixup */
} cnn_shown;
/** The first *count images of the run, as they are changed and before they are normalised: images
 * (*count, C, H, W) and shown (*count), which the caller has; *count is lowered to as many as are
 * trained on. Errors: ARGUMENT (it is running, or changes none), MEMORY, OPENCL. */
CNN_API cnn_status cnn_trainer_augmented(uint8_t *images, cnn_shown *shown, size_t *count,
                                         cnn_trainer *trainer);
/** Is the result of frozen layers kept, so that training runs the rest of the network alone? */
CNN_API bool cnn_trainer_keeps(const cnn_trainer *trainer);

#ifdef __cplusplus
}
#endif

#endif
