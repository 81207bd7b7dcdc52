/* What an evaluation says beyond its one line: what was taken for what, class by class. */
#ifndef CLI_EVALUATION_H
#define CLI_EVALUATION_H

#include <cnncl/confusion.h>
#include <cnncl/dataset.h>

typedef struct cli_evaluation {
    const cnn_dataset *dataset; /* of the classes' names */
    const size_t *counts;       /* (classes, classes) */
    int classes;
} cli_evaluation;

/* The matrix (of many classes only its largest mistakes), then a row per class. */
void cli_evaluation_print(const cli_evaluation *evaluation);

/* Members of a JSON object: confusion, classes, precision, recall; no comma around them. */
void cli_evaluation_print_json(const cli_evaluation *evaluation);

#endif
