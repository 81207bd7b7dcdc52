/* What tuning a device has found, kept in the folder of caches: one JSON file for each device,
 * driver, kernel class and version of CLBlast. */
#ifndef TENSOR_TUNING_FILE_H
#define TENSOR_TUNING_FILE_H

#include "base/json.h"
#include "tensor/gemm.h"
#include "tensor/tuning.h"

/* One set of parameters that was tried. */
typedef struct cnn_gemm_trial {
    cnn_gemm_part part; /* which of the two kernels did all products */
    size_t values[CNN_GEMM_MOST_PARAMETERS];
    bool failed;     /* it does not build, or computes wrong */
    double *seconds; /* (shape_count) of each product; all 0 where it failed */
} cnn_gemm_trial;

typedef struct cnn_gemm_record {
    cnn_gemm_tuning tuning; /* the best so far; every product of it was checked */
    bool complete;          /* the search has come to its end */
    size_t shape_count;
    cnn_gemm_shape *shapes; /* (shape_count) what the search is for */
    double *before, *after; /* (shape_count) seconds: without this tuning, and with it */
    size_t trial_count, trial_capacity;
    cnn_gemm_trial *trials; /* in the order in which they were made */
} cnn_gemm_record;

/* Start from {0}. Errors: MEMORY. */
cnn_status cnn_gemm_record_set_shapes(cnn_gemm_record *record, const cnn_gemm_shape *shapes,
                                      size_t count);
/* The new trial is all zero but for its seconds' memory. Errors: MEMORY. */
cnn_status cnn_gemm_record_add(cnn_gemm_trial **trial, cnn_gemm_record *record);
void cnn_gemm_record_finish(cnn_gemm_record *record);

/* Where this device's record is or would be; NULL where there is no folder of caches. To be freed
 * with free(). Errors: MEMORY. */
cnn_status cnn_gemm_record_path(char **path, const cnn_device *device);

/* Reads the device's record; *found is false where there is none. One that is damaged, of another
 * version or of another device is passed over with a warning in the log. Start from {0}. Errors:
 * MEMORY. */
cnn_status cnn_gemm_record_read(cnn_gemm_record *record, bool *found, const cnn_device *device);

/* *saved is false where it cannot be written, which the log says, and which is no error. Errors:
 * MEMORY. */
cnn_status cnn_gemm_record_write(bool *saved, const cnn_gemm_record *record,
                                 const cnn_device *device);

/* An object with one for each part that is given, its values by their names; NULL where memory is
 * out. */
json_t *cnn_gemm_tuning_to_json(const cnn_gemm_tuning *tuning);

#endif
