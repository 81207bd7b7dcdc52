/* A run of training on the device that may be interrupted, saved and gone on with. */
#ifndef TESTS_RUN_CASE_H
#define TESTS_RUN_CASE_H

#include "scratch.h"
#include "train/trainer.h"
#include "train_case.h"

enum { TRAIN = 47, TEST = 21 };

/* Between run_set_up() and run_tear_down(), a test's fixture: a data set of the run_shape, and a
 * folder. */
extern const int run_shape[3];
extern cnn_dataset *run_dataset;
extern scratch run_scratch;
void run_set_up(void);
void run_tear_down(void);

/* A run, and what was told of it. Start from {0}. */
enum { MOST_EPOCHS = 8 };
typedef struct run {
    cnn_model *model;
    cnn_trainer *trainer;
    cnn_epoch epochs[MOST_EPOCHS];
    int epoch_count;
    int stop_after; /* calls of on_progress; 0: never */
    bool saves;     /* in on_checkpoint, to "checkpoint" */
    int calls, checkpoints;
} run;

/* The variants: 0 with validation, 1 with fewer lines, 2 streamed, 3 in pieces; 4 with Nesterov SGD
 * in pieces, 5 with AdamW, streamed. */
enum { RUN_VARIANTS = 6 };
cnn_train_options run_options(int variant);

/* A fresh model and its trainer. */
void run_begin(run *this, const cnn_config *config, const cnn_train_options *options);
cnn_status run_go(run *this);
/* A new trainer where the checkpoint is; epochs 0: as many as before. */
void run_resume(run *this, int epochs);
void run_end(run *this);

/* All but the seconds. */
void check_same_epoch(const cnn_epoch *a, const cnn_epoch *b);
/* Weights, best model and history, bit for bit. */
void check_same_end(const run *a, const run *b);

#endif
