/* Parameters of CLBlast's matrix product: what they are, which ones can be, and those that suit a
 * class of devices. */
#ifndef TENSOR_TUNING_H
#define TENSOR_TUNING_H

#include <stdbool.h>
#include <stddef.h>

#include "ocl/device.h"

/* The kernels of CLBlast that have parameters of their own here: its product of large matrices, the
 * one that copies nothing for small ones, and the size that divides the two. */
typedef enum cnn_gemm_part {
    CNN_GEMM_INDIRECT,
    CNN_GEMM_DIRECT,
    CNN_GEMM_SWITCH,
    CNN_GEMM_PARTS
} cnn_gemm_part;

enum { CNN_GEMM_MOST_PARAMETERS = 16 };

typedef struct cnn_gemm_part_kind {
    const char *kernel; /* as CLBlast calls it */
    int count;
    const char *names[CNN_GEMM_MOST_PARAMETERS];
} cnn_gemm_part_kind;

extern const cnn_gemm_part_kind cnn_gemm_parts[CNN_GEMM_PARTS];

/* CLBlast's own database serves a part that is not given. */
typedef struct cnn_gemm_tuning {
    bool given[CNN_GEMM_PARTS];
    size_t values[CNN_GEMM_PARTS][CNN_GEMM_MOST_PARAMETERS]; /* in the order of the names */
} cnn_gemm_tuning;

/* The device's work-groups are smaller than those of CLBlast's database. */
bool cnn_gemm_wants_small_groups(const cnn_device *device);

/* Built in: one work-item per tile on CPUs, where CLBlast's database is shaped for GPUs; the plain
 * one where work-groups are small; the database elsewhere. */
cnn_gemm_tuning cnn_gemm_default_tuning(const cnn_device *device);
/* Every part given: modest sizes that any device of the class can run. */
cnn_gemm_tuning cnn_gemm_plain_tuning(const cnn_device *device);

/* Do the given values divide each other as CLBlast's kernels need it, and fit the device's
 * work-groups and local memory? */
bool cnn_gemm_tuning_is_legal(const cnn_gemm_tuning *tuning, const cnn_device *device);
bool cnn_gemm_tunings_are_equal(const cnn_gemm_tuning *a, const cnn_gemm_tuning *b);

/* Sets one part's values, in the order of its names. */
void cnn_gemm_tuning_give(cnn_gemm_tuning *tuning, cnn_gemm_part part, const size_t *values);

/* The place of a parameter's name in its part. */
int cnn_gemm_parameter(cnn_gemm_part part, const char *name);

enum { CNN_GEMM_TUNING_TEXT = 512 };
/* "KWG=32 KWI=2 ..." of one part; "CLBlast's own" where it is not given. Returns buffer. */
const char *cnn_gemm_tuning_text(char buffer[CNN_GEMM_TUNING_TEXT], const cnn_gemm_tuning *tuning,
                                 cnn_gemm_part part);

enum { CNN_GEMM_FINGERPRINT_SIZE = 20 };
/* Sixteen hexadecimal digits that follow from the values. Returns buffer. */
const char *cnn_gemm_tuning_fingerprint(char buffer[CNN_GEMM_FINGERPRINT_SIZE],
                                        const cnn_gemm_tuning *tuning);

#endif
