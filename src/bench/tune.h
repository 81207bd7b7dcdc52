/* What the files of tuning share. */
#ifndef BENCH_TUNE_H
#define BENCH_TUNE_H

#include <cnncl/tuning.h>

#include "tensor/tuning_file.h"

struct cnn_tuning {
    cnn_device_info device;
    cnn_gemm_record record;
    size_t known_trials; /* from earlier runs */
    bool saved;
    char *path;
    char fingerprint[CNN_GEMM_FINGERPRINT_SIZE];
};

/* Seconds of all products; `seconds` (count). */
double cnn_tune_total(const double *seconds, size_t count);
/* Multiply-adds of all products, counted twice. */
double cnn_tune_flops(const cnn_gemm_record *record);

/* While searching. */
typedef struct cnn_tuner {
    cnn_tuning *tuning;
    cnn_gemm_record *record; /* of the tuning */
    cnn_device *device;
    cnn_tune_callback callback;
    void *user;
    bool stopped;       /* the callback wants it */
    cnn_buffer a, b, c; /* as large as the largest product needs */
} cnn_tuner;

/* Allocates the buffers. Errors: MEMORY, OPENCL. */
cnn_status cnn_tuner_init(cnn_tuner *at);
void cnn_tuner_finish(cnn_tuner *at);

/* Times what is built in, where the record does not have it: CLBlast's own values cannot be had
 * back after another set. Errors: MEMORY, OPENCL. */
cnn_status cnn_tuner_measure_default(cnn_tuner *at);

/* Has one kernel do all products with these values: checks them, times them, writes the record with
 * the best so far, and tells the callback. Errors: MEMORY. */
cnn_status cnn_tuner_try(cnn_tuner *at, cnn_gemm_part part, const size_t *values);

/* Times a trial again: machines change their pace. Errors: MEMORY, OPENCL. */
cnn_status cnn_tuner_repeat(cnn_tuner *at, cnn_gemm_trial *trial);

/* Of all products; infinite where the trial failed. */
double cnn_tuner_seconds(const cnn_tuner *at, const cnn_gemm_trial *trial);
/* NULL where none of this kernel's was right. */
const cnn_gemm_trial *cnn_tuner_best(const cnn_tuner *at, cnn_gemm_part part);

/* The search, from where the record is. `known`: values that a record for other products had; NULL
 * for none. Errors: MEMORY, OPENCL. */
cnn_status cnn_tune_search(cnn_tuning *tuning, cnn_device *device, const cnn_gemm_tuning *known,
                           cnn_tune_callback callback, void *user);

#endif
