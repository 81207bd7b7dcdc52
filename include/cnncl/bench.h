/** @file
 * Where the time goes: each step of a network's plan measured on a device, beside the most that the
 * device was measured to do in the same run. */
#ifndef CNNCL_BENCH_H
#define CNNCL_BENCH_H

#include <cnncl/device.h>
#include <cnncl/model.h>
#include <cnncl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What to measure. */
typedef struct cnn_bench_options {
    int batch;     /**< 1 or more */
    int steps;     /**< batches to measure; 0: as many as take about a second in all */
    bool training; /**< a training step; else forward and loss in evaluation mode */
    bool fuse;     /**< use the fused steps of the plan */
    uint64_t seed; /**< of the images, labels and dropout masks */
    bool peaks;    /**< measure the device's peaks, too, about half a second; else they are 0 */
    cnn_augmentation augment; /**< what is done to the images of training: part of "gather" */
} cnn_bench_options;

/** The defaults: 256, 0, true, true, 0, true, none. */
CNN_API void cnn_bench_options_init(cnn_bench_options *options);

/** What was measured. */
typedef struct cnn_bench cnn_bench;

/** Runs the model on a batch of random images and labels of its shape; the model itself is not
 * changed. The bench is the caller's, to be destroyed. Errors: ARGUMENT, MEMORY, OPENCL, KERNEL. */
CNN_API cnn_status cnn_bench_run(cnn_bench **bench, cnn_device *device, const cnn_model *model,
                                 const cnn_bench_options *options);
/** Frees it. NULL is no error. */
CNN_API void cnn_bench_destroy(cnn_bench *bench);

/** One step of the plan in one direction, or what stands around them. Strings are owned by the
 * bench. */
typedef struct cnn_bench_row {
    const char *phase;   /**< "gather", "forward", "loss", "backward" or "update" */
    const char *name;    /**< the fusion or operation; empty where the phase says all */
    const char *layers;  /**< "conv2d_00..dropout2d_03"; empty where there are none */
    int launches;        /**< kernels and copies; a product of CLBlast counts as one */
    double milliseconds; /**< median over the batches, from the end of the row before (the device's
                            clock): what lies between two launches counts */
    double share;        /**< of all rows' milliseconds, 0 to 1 */
    double flops; /**< of the whole batch, dense: a multiply-add counts as 2, backward as forward
                     once for the parameters and once for a gradient of the input */
    double computed_flops; /**< less what is known to be skipped: dropped channels, in expectation,
                              and positions that max pooling passes no gradient to; and what is
                              computed a second time instead of being stored. Windows that ReLU
                              stopped are not known beforehand, and count */
    double bytes;          /**< of activations, gradients, parameters and what backward needs of
                              forward, each read or written once */
} cnn_bench_row;

/** The number of rows, in the order in which they run. A row that launches nothing is all zero. */
CNN_API size_t cnn_bench_row_count(const cnn_bench *bench);
/** The row of an index below the count. */
CNN_API cnn_bench_row cnn_bench_get_row(const cnn_bench *bench, size_t index);

/** The whole of what was measured. */
typedef struct cnn_bench_summary {
    int batch;     /**< images of a batch */
    int steps;     /**< batches that were measured */
    bool training; /**< of a training step; else forward and loss */
    bool
        device_clock; /**< false: the driver's does not run, and the host waits after each launch */
    double milliseconds;       /**< of a batch: the rows' sum */
    double plain_milliseconds; /**< of a batch on the host's clock, nothing being recorded */
    double peak_flops;         /**< per second, measured: chains of fused multiply-adds */
    double peak_bytes; /**< per second, measured: a large copy, read and written bytes. What stays
                          in a cache can be faster */
} cnn_bench_summary;

/** The summary of a bench. */
CNN_API cnn_bench_summary cnn_bench_get_summary(const cnn_bench *bench);

/** A table for people (ends with a newline), or a JSON document: an object with "device",
 * "platform", "driver", the fields of cnn_bench_summary under their names, and "rows", an array of
 * objects with the fields of cnn_bench_row and also "gflops", "computed_gflops", "gigabytes" (each
 * per second), "of_peak_flops" (computed) and "of_peak_bytes" (1 is the peak). To be freed with
 * cnn_string_free(). Errors: MEMORY. */
CNN_API cnn_status cnn_bench_to_text(char **text, const cnn_bench *bench);
/** As cnn_bench_to_text() says. */
CNN_API cnn_status cnn_bench_to_json(char **json, const cnn_bench *bench);

/** Writes what was measured as Chrome trace events, atomically: for chrome://tracing or Perfetto.
 * One thread has the rows, the other the kernels and CLBlast's products, with the times at which
 * they were queued and submitted (microseconds, like "ts") in their arguments. Errors: FILE,
 * MEMORY. */
CNN_API cnn_status cnn_bench_write_trace(const cnn_bench *bench, const char *path);

#ifdef __cplusplus
}
#endif

#endif
