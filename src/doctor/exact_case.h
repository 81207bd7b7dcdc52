/* Trainings on made-up data, and what their values are after each step on every device. */
#ifndef DOCTOR_EXACT_CASE_H
#define DOCTOR_EXACT_CASE_H

#include <cnncl/trainer.h>

/* Losses, hits and what an update needs of a hundred steps. */
enum { CNN_EXACT_MOST_STEPS = 100 };

typedef struct cnn_exact_case {
    const char *name;
    const char *preset; /* a network file's name; NULL: text */
    const char *text;   /* a network's; NULL: of the family */
    bool batchnorm;     /* of the family */
    int batch, steps;
    bool varied;            /* AdamW with decay, clipping, an average and label smoothing; else Adam */
    const uint64_t *hashes; /* (steps): the first eight bytes of the SHA-256 after each step */
    const char *last;       /* the whole one after the last */
} cnn_exact_case;

/* The parameters and the running statistics as little-endian floats; NaN of whatever bits are not
 * among them. */
enum { CNN_EXACT_CASES = 4 };
extern const cnn_exact_case cnn_exact_cases[CNN_EXACT_CASES];

#endif
