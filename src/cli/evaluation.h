/* What an evaluation says beyond its one line: what was taken for what, class by class. */
#ifndef CLI_EVALUATION_H
#define CLI_EVALUATION_H

#include <stdbool.h>

#include <cnncl/confusion.h>
#include <cnncl/dataset.h>

enum {
    CLI_MOST_PAIRS = 20,     /* largest mistakes that are told */
    CLI_MOST_CONFUSED = 2000 /* classes of a matrix: it then takes 32 MB */
};

typedef struct cli_evaluation {
    const cnn_dataset *dataset; /* of the classes' names */
    int classes;
    bool named;                 /* classes have names, not their numbers alone */
    int label_width;            /* characters of the longest label that is printed */
    size_t *counts;             /* (classes, classes); NULL beyond CLI_MOST_CONFUSED */
    cnn_class_score *scores;    /* (classes) */
    cnn_confusion_pair pairs[CLI_MOST_PAIRS];
    size_t pair_count;
} cli_evaluation;

/* Of what each sample of a split was taken for. Start from {0}. Returns an exit code. */
int cli_evaluation_init(cli_evaluation *evaluation, const cnn_dataset *dataset, cnn_split split,
                        int classes, const cnn_prediction *predictions);
void cli_evaluation_finish(cli_evaluation *evaluation);

/* The matrix (of many classes only its largest mistakes), then a row per class. */
void cli_evaluation_print(const cli_evaluation *evaluation);

/* Members of a JSON object: confusion, classes, precision, recall; no comma around them. */
void cli_evaluation_print_json(const cli_evaluation *evaluation);

#endif
