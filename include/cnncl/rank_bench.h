/** @file
 * What a training step over several ranks takes, and how much of it they have for each other: the trainer's
 * own steps, timed where it waits. */
#ifndef CNNCL_RANK_BENCH_H
#define CNNCL_RANK_BENCH_H

#include <cnncl/comm.h>
#include <cnncl/device.h>
#include <cnncl/model.h>
#include <cnncl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was measured. */
typedef struct cnn_rank_bench cnn_rank_bench;

/** Trains on random images and labels of the model's shape, on the ranks that cnn_trainer_create_shared()
 * would have; the model itself is not changed. steps: training steps to measure; 0: as many as take about a second.
 * All ranks call it; *bench is rank 0's, to be destroyed, and NULL elsewhere. Of callbacks, which may be NULL,
 * on_stuck alone is called. Errors: ARGUMENT (options that want other steps: val_split, freeze), those of
 * cnn_trainer_create_shared() and cnn_trainer_run(). */
CNN_API cnn_status cnn_rank_bench_run(cnn_rank_bench **bench, cnn_comm *comm, cnn_device *const *devices,
                                      int device_count, cnn_model *model, const cnn_train_options *options, int steps,
                                      const cnn_train_callbacks *callbacks);
/** Frees it. NULL is no error. */
CNN_API void cnn_rank_bench_destroy(cnn_rank_bench *bench);

/** A rank. Communication is its sums of gradients with the others and what they tell each other of losses, with the
 * waits for slower ranks; exposed is what of it went on while its device had nothing to do. */
typedef struct cnn_rank_bench_row {
    const char *rank; /**< "rank 1 on HOST (DEVICE)"; owned by the bench */
    int slices;       /**< that it computes of a batch, at the end */
    double communication_milliseconds; /**< of a step: a mean */
    double exposed_milliseconds;       /**< of a step: a mean */
} cnn_rank_bench_row;

/** The whole of what was measured: means over the steps. */
typedef struct cnn_rank_bench_summary {
    int ranks;           /**< that worked together */
    int batch;           /**< images of a step, on all ranks together */
    int slices;          /**< of a batch */
    int steps;           /**< that were measured */
    size_t bytes;        /**< of a sum: gradients and running statistics */
    double milliseconds; /**< of a step, on the host's clock */
    double communication_milliseconds; /**< of a step, in each on the rank that had least: who comes last waits for
                                          none */
    double exposed_milliseconds;       /**< likewise */
} cnn_rank_bench_summary;

/** The summary of a bench. */
CNN_API cnn_rank_bench_summary cnn_rank_bench_get_summary(const cnn_rank_bench *bench);
/** A rank below the summary's ranks. */
CNN_API cnn_rank_bench_row cnn_rank_bench_get_row(const cnn_rank_bench *bench, int rank);

/** A table for people (ends with a newline), or a JSON document: an object with the fields of
 * cnn_rank_bench_summary under their names, "images_per_second", "exposed_share" (of the step; 1 is all) and
 * "rows", an array of objects with the fields of cnn_rank_bench_row. To be freed with cnn_string_free().
 * Errors: MEMORY. */
CNN_API cnn_status cnn_rank_bench_to_text(char **text, const cnn_rank_bench *bench);
/** As cnn_rank_bench_to_text() says. */
CNN_API cnn_status cnn_rank_bench_to_json(char **json, const cnn_rank_bench *bench);

/** Writes what was measured as Chrome trace events, atomically: each rank is a process with the rank's name, whose
 * threads are its steps, its waits for the device, and its communication, with the bytes of a sum and the microseconds
 * of it that were exposed in the arguments. Hosts' clocks are set alike where the ranks begin together. Errors: FILE, MEMORY. */
CNN_API cnn_status cnn_rank_bench_write_trace(const cnn_rank_bench *bench, const char *path);

#ifdef __cplusplus
}
#endif

#endif
