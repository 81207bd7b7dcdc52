/** @file
 * What a run leaves in text: its metrics, one line per epoch, and what kind of run it is.
 *
 * The metrics as CSV (RFC 4180, but with line feeds) have the header
 *   epoch,step,loss,train_accuracy,val_accuracy,test_accuracy,seconds,images_per_second,
 *   learning_rate,device
 * in one line, and an empty field for a number that there is none of; as JSON there is an object
 * with these keys in each line, and null for such a number. The first is epoch -1, before training.
 */
#ifndef CNNCL_METRICS_H
#define CNNCL_METRICS_H

#include <cnncl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The files of metrics of a run, open to append to. */
typedef struct cnn_metrics cnn_metrics;

/** Writes the epochs that the trainer has behind it, atomically, to csv_path, and as JSON to
 * json_path (which may be NULL; one that is no regular file, a pipe say, is written to as it is).
 * Errors: FILE, MEMORY. */
CNN_API cnn_status cnn_metrics_create(cnn_metrics **metrics, const cnn_trainer *trainer,
                                      const char *csv_path, const char *json_path);
/** Appends an epoch to both. Errors: FILE, MEMORY. */
CNN_API cnn_status cnn_metrics_append(cnn_metrics *metrics, const cnn_epoch *epoch);
/** Closes the files, and frees it. NULL is no error. */
CNN_API void cnn_metrics_destroy(cnn_metrics *metrics);

/** Writes, atomically, a JSON object about the run: name, version, device, platform, driver, data
 * (its source), train_images, val_images, test_images, network (the options of cnncl/network.h),
 * options (those of cnn_train_options). Errors: FILE, MEMORY. */
CNN_API cnn_status cnn_trainer_write_run(const cnn_trainer *trainer, const char *path);

#ifdef __cplusplus
}
#endif

#endif
