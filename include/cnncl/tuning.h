/** @file
 * Tuning: the parameters of CLBlast's matrix products that are fastest on a device for a network.
 * They are kept in a file in the folder of caches ($CNN_CL_CACHE_DIR, else $XDG_CACHE_HOME/cnn-cl,
 * else ~/.cache/cnn-cl), one for each device, driver and version of CLBlast, and serve every later
 * process that opens the device. cnn_device_tuning() tells which are in use. */
#ifndef CNNCL_TUNING_H
#define CNNCL_TUNING_H

#include <cnncl/device.h>
#include <cnncl/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What to tune for. */
typedef struct cnn_tune_options {
    int batch; /**< 1 or more */
    bool fuse; /**< of the plan with fused steps, which has fewer products for CLBlast */
} cnn_tune_options;

/** The defaults: 256, true. */
CNN_API void cnn_tune_options_init(cnn_tune_options *options);

/** A set of parameters that has just been tried. */
typedef struct cnn_tune_trial {
    int number;             /**< from 1, those of earlier runs counted */
    const char *kernel;     /**< CLBlast's name for it */
    const char *parameters; /**< "KWG=32 KWI=2 ..." */
    double gflops;          /**< over all products; 0 where it does not run, or computes wrong */
    double best_gflops;     /**< of the best so far, with both kernels */
} cnn_tune_trial;

/** Called after each trial; false ends the search, and what was found is kept. */
typedef bool (*cnn_tune_callback)(const cnn_tune_trial *trial, void *user);

/** What a search found. */
typedef struct cnn_tuning cnn_tuning;

/** Searches for the products of a training step of the network, each set compared with plain C
 * before it is timed (on a CPU: in processor time over its cores, so that others' work does not
 * count); a search that was ended goes on where it was. What it finds is for processes that open
 * the device later: this one should do nothing else with it. A folder that cannot be written is no
 * error: see cnn_tuning_summary. callback may be NULL. Errors: ARGUMENT, MEMORY, OPENCL. */
CNN_API cnn_status cnn_tune_run(cnn_tuning **tuning, cnn_device *device, const cnn_network *network,
                                const cnn_tune_options *options, cnn_tune_callback callback,
                                void *user);
/** Frees it. NULL is no error. */
CNN_API void cnn_tuning_destroy(cnn_tuning *tuning);

/** One product: C (m, n) = op(A) (m, k) * op(B) (k, n). */
typedef struct cnn_tuning_row {
    bool transpose_a;     /**< op(A) is A transposed */
    bool transpose_b;     /**< op(B) is B transposed */
    size_t m;             /**< rows of C */
    size_t n;             /**< columns of C */
    size_t k;             /**< what is summed over */
    double flops;         /**< a multiply-add counts as 2 */
    double before_gflops; /**< with what is built in */
    double after_gflops;  /**< with the best that was found */
} cnn_tuning_row;

/** The number of products: none where the plan has no product for CLBlast. */
CNN_API size_t cnn_tuning_row_count(const cnn_tuning *tuning);
/** The product of an index below the count. */
CNN_API cnn_tuning_row cnn_tuning_get_row(const cnn_tuning *tuning, size_t index);

/** How the search went. Strings are owned by the tuning. */
typedef struct cnn_tuning_summary {
    int trials;              /**< in all */
    int new_trials;          /**< in this run */
    bool complete;           /**< false: the search was ended early, and can go on */
    bool saved;              /**< false: there is no file, as its folder cannot be written */
    const char *path;        /**< of the file; empty where no folder is known */
    const char *fingerprint; /**< as cnn_device_tuning() has it in later processes */
    double before_gflops;    /**< over all products, with what is built in */
    double after_gflops;     /**< over all products, with the best that was found */
} cnn_tuning_summary;

/** The summary of a search. */
CNN_API cnn_tuning_summary cnn_tuning_get_summary(const cnn_tuning *tuning);

/** A table for people (ends with a newline), or a JSON document: an object with "device",
 * "platform", "driver", the fields of cnn_tuning_summary under their names, "parameters", an object
 * with one for each kernel of CLBlast that is not left to its own database, and "rows", an array of
 * objects with the fields of cnn_tuning_row. To be freed with cnn_string_free(). */
CNN_API cnn_status cnn_tuning_to_text(char **text, const cnn_tuning *tuning);
/** As cnn_tuning_to_text() says. */
CNN_API cnn_status cnn_tuning_to_json(char **json, const cnn_tuning *tuning);

#ifdef __cplusplus
}
#endif

#endif
