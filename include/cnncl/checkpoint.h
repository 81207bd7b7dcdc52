/** @file
 * Checkpoints: a run that was interrupted anywhere goes on from one as if it had not been. On the
 * same device, driver and plan it ends with the same values bit for bit.
 *
 * To save: call cnn_trainer_save() from on_checkpoint, and after a run that was stopped. To go on:
 *   cnn_checkpoint_load(&checkpoint, path);
 *   cnn_checkpoint_model(&model, checkpoint);
 *   cnn_trainer_create(&trainer, device, model, dataset, cnn_checkpoint_options(checkpoint));
 *   cnn_trainer_resume(trainer, checkpoint);
 *   cnn_trainer_run(trainer, &callbacks);
 *
 * The file is safetensors: the model's tensors under their names, the optimizer's state (Adam's
 * moments as "adam.m.NAME" and "adam.v.NAME", SGD's momentum as "sgd.momentum.NAME"), the averages
 * of the model's tensors as "ema.NAME" where the run has them, the best model's tensors as
 * "best.NAME"; everything else is JSON in its metadata, "cnn-cl.config" and "cnn-cl.checkpoint". "cnn-cl.sha256" is the SHA-256 of the file's
 * bytes with zeros for its own digits. */
#ifndef CNNCL_CHECKPOINT_H
#define CNNCL_CHECKPOINT_H

#include <cnncl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Saves where the trainer is: from on_checkpoint, or while it is not running; on_progress and
 * on_epoch are no places for it (ARGUMENT). Atomic: path holds the old file
 * or the new one, whole. With `previous` (may be NULL) the file that was at path is kept under that
 * name. Updates the model's values, too. Errors: FILE, MEMORY, OPENCL, ARITHMETIC (values that are
 * not finite; nothing is saved). */
CNN_API cnn_status cnn_trainer_save(cnn_trainer *trainer, const char *path, const char *previous);

/** A checkpoint that was read. */
typedef struct cnn_checkpoint cnn_checkpoint;

/** Reads a whole checkpoint and checks it: one that is cut or changed anywhere is refused. Errors:
 * FILE, DATA, MEMORY. */
CNN_API cnn_status cnn_checkpoint_load(cnn_checkpoint **checkpoint, const char *path);
/** Frees it. NULL is no error. */
CNN_API void cnn_checkpoint_destroy(cnn_checkpoint *checkpoint);

/** The network that the run was started with; owned by the checkpoint. */
CNN_API const cnn_network *cnn_checkpoint_network(const cnn_checkpoint *checkpoint);
/** The options that the run was started with; owned by the checkpoint. */
CNN_API const cnn_train_options *cnn_checkpoint_options(const cnn_checkpoint *checkpoint);
/** How its data was loaded: sets the size, the fit, the kind of labels, whether broken pictures are
 * passed over, and the classes by their names, which the checkpoint owns. */
CNN_API void cnn_checkpoint_data_options(cnn_data_options *options,
                                         const cnn_checkpoint *checkpoint);
/** cnn_dataset_source() of its data set. */
CNN_API const char *cnn_checkpoint_data(const cnn_checkpoint *checkpoint);
/** A new model with the checkpoint's values. Errors: MEMORY. */
CNN_API cnn_status cnn_checkpoint_model(cnn_model **model, const cnn_checkpoint *checkpoint);

/** Could a run of this network, these options and this data set go on from the checkpoint? epochs
 * may be more than before; stream, checkpoint_every and checkpoint_steps may be anything, and so
 * may micro_batch, which makes another plan (see cnn_trainer_resume()); all else must be the same.
 * Errors: DATA (which option it is, both values; or that the data differ). */
CNN_API cnn_status cnn_checkpoint_check(const cnn_checkpoint *checkpoint,
                                        const cnn_network *network,
                                        const cnn_train_options *options,
                                        const cnn_dataset *dataset);

/** Puts a new trainer, and its model, where the checkpoint was. Warns in the log where the device,
 * the driver or the plan is another: last bits may then differ. Errors: those of
 * cnn_checkpoint_check(), MEMORY, OPENCL. */
CNN_API cnn_status cnn_trainer_resume(cnn_trainer *trainer, const cnn_checkpoint *checkpoint);

#ifdef __cplusplus
}
#endif

#endif
