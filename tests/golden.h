/* Reads golden vectors: the text files that scripts/make_golden.py writes and describes. Everything
 * lies in scratch memory; a malformed file or a missing tensor aborts the test. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <cnncl/model.h>

#include "support.h"

enum { GOLDEN_MAX_CASES = 40, GOLDEN_MAX_TENSORS = 128, GOLDEN_MAX_RANK = 4 };

typedef struct golden_tensor {
    const char *name;
    int rank;
    int shape[GOLDEN_MAX_RANK]; /* 1 beyond the rank */
    size_t count;
    float *values;
} golden_tensor;

typedef struct golden_case {
    const char *name;
    const char *config; /* JSON, of a network of the family; or NULL */
    char *network;      /* the text of another network; or NULL */
    int tensor_count;
    golden_tensor tensors[GOLDEN_MAX_TENSORS];
} golden_case;

typedef struct golden_file {
    int case_count;
    golden_case cases[GOLDEN_MAX_CASES];
} golden_file;

/* A file of tests/golden, or any file where the name is a path with a slash. */
const golden_file *golden_load(const char *file);
/* Runs a check on each case of a file. */
void golden_for_each(const char *file, void (*check)(const golden_case *golden));

const golden_tensor *golden_get(const golden_case *golden, const char *tensor);
const float *golden_values(const golden_case *golden, const char *tensor);
/* The only value of a tensor. */
double golden_number(const golden_case *golden, const char *tensor);
/* The tensor "labels". */
uint16_t *golden_labels(const golden_case *golden);
/* The tensor's axes 1 to 3, as a sample's shape. */
cnn_shape golden_shape(const golden_case *golden, const char *tensor);

/* The case's network with the values "before.NAME". To be destroyed by the
 * caller. */
cnn_model *golden_model(const golden_case *golden);

/* check_close() against a tensor of the case. */
void check_golden(const golden_case *golden, const char *tensor, const float *actual,
                  double tolerance, double floor);
/* Likewise each trainable tensor of a flat buffer, laid out as the model's parameters, against
 * "PREFIX.NAME": gradients against "grad". */
void check_golden_parameters(const golden_case *golden, const char *prefix, const cnn_model *model,
                             const float *flat, double tolerance, double floor);

#endif
