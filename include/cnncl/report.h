/** @file
 * One page about a run, for a browser: how training went, what the model gets wrong, where its time
 * goes. */
#ifndef CNNCL_REPORT_H
#define CNNCL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <cnncl/bench.h>
#include <cnncl/confusion.h>
#include <cnncl/dataset.h>
#include <cnncl/predictor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a run left in its folder: NAME.metrics.csv and NAME.run.json. */
typedef struct cnn_run cnn_run;

/** Reads both; either may be absent. With name NULL it is that of the one run in the folder.
 * Errors: FILE (no such folder, no run in it, several), DATA (a
 * file whose content is wrong: the message has its line and field), MEMORY. */
CNN_API cnn_status cnn_run_open(cnn_run **run, const char *folder, const char *name);
/** Frees it. NULL is no error. */
CNN_API void cnn_run_destroy(cnn_run *run);

/** Its name. Owned by the run, as the strings below are. */
CNN_API const char *cnn_run_name(const cnn_run *run);
/** FOLDER/NAME.safetensors, whether there is one or not. */
CNN_API const char *cnn_run_model_path(const cnn_run *run);
/** The folder of the data set that it was trained on; NULL where that is not known. */
CNN_API const char *cnn_run_data(const cnn_run *run);
/** Its option --batch; 0 where it is not known. */
CNN_API int cnn_run_batch(const cnn_run *run);
/** Its option --micro-batch; 0 where it has none, or is not known. */
CNN_API int cnn_run_micro_batch(const cnn_run *run);
/** Its option --val-split; 0 where it has none, or is not known. */
CNN_API double cnn_run_val_split(const cnn_run *run);
/** How its data was loaded: sets the kind of labels, and whether broken pictures are passed over;
 * leaves both where it is not known. */
CNN_API void cnn_run_data_options(cnn_data_options *options, const cnn_run *run);
/** Its option --seed; false where it is not known. */
CNN_API bool cnn_run_seed(uint64_t *seed, const cnn_run *run);
/** Was its plan fused? false (and *fuse as it was) where it is not known. */
CNN_API bool cnn_run_fuse(bool *fuse, const cnn_run *run);
/** Seconds of a training step, from the last epoch's images per second; 0 where they are not known.
 */
CNN_API double cnn_run_step_seconds(const cnn_run *run);

/** What is known now. NULL stands for what is not: the page leaves out what needs it, and says so.
 */
typedef struct cnn_report_content {
    const cnn_model *model;            /**< what the run made */
    const cnn_device_info *device;     /**< what evaluated and measured */
    const cnn_dataset *dataset;        /**< fits the model */
    const cnn_evaluation *evaluation;  /**< of the test split; NULL where it is empty */
    const cnn_prediction *predictions; /**< with it: (N) of the test split's N images */
    const cnn_bench *bench;            /**< of a training step of the model */
    uint64_t seed;                     /**< chooses the images that are shown */
    /** Lines for the reader: what is missing, and why. Ended by NULL; may be NULL. */
    const char *const *notes;
} cnn_report_content;

/** Writes report.html into the run's folder, and beside it what of curves.svg, confusion.png and
 * filters.png can be drawn; each atomically, the page last. It needs no network and no other file.
 * Errors: FILE, ARGUMENT (a picture beyond what can be drawn), MEMORY. */
CNN_API cnn_status cnn_report_write(const cnn_run *run, const cnn_report_content *content);

#ifdef __cplusplus
}
#endif

#endif
