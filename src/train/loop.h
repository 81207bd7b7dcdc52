/* A pass over samples: what training and evaluation have in common. */
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include <cnncl/predictor.h>
#include <cnncl/trainer.h>

#include "doctor/sentinel.h"
#include "train/feed.h"
#include "train/timeline.h"

/* Does the data set fit the network? Errors: DATA, with both sizes. */
cnn_status cnn_check_dataset(const cnn_network *network, const cnn_dataset *dataset);

/* Called while the device works; false stops the pass. */
typedef bool (*cnn_tick)(const cnn_progress *progress, void *user);

/* What the steps of a pass have given so far; zeros at its beginning. */
typedef struct cnn_loop_sums {
    size_t steps;       /* that are in the sums */
    double batch_loss;  /* sum of the batches' losses over the number of batches of the pass */
    double sample_loss; /* sum of the samples' losses over their number */
    size_t hits;
    double seconds;
} cnn_loop_sums;

/* Called when step number `index`, of n samples, was enqueued; may enqueue more. */
typedef cnn_status (*cnn_after_step)(size_t index, int n, void *user);

typedef struct cnn_ranks cnn_ranks; /* train/ranks.h */

typedef struct cnn_loop {
    cnn_ranks *ranks; /* that share the pass; NULL: it is this one's alone */
    cnn_plan *plan;
    cnn_feed *feed;
    cnn_sentinel *sentinel; /* of training; NULL: none */
    cnn_timeline *timeline; /* of a bench; NULL: none */
    bool training;
    int epoch;                        /* for messages; -1 where there is none */
    const char *phase;                /* of cnn_progress */
    const cnn_train_options *options; /* of training */
    size_t epoch_steps;               /* of training */
    uint64_t seed;
    uint64_t step;                  /* training steps done before; counted up */
    cnn_loop_sums sums;             /* a pass goes on after sums.steps of its steps */
    double read_at;                 /* when the sums were read last, of cnn_seconds(); 0: never */
    cnn_tick tick;                  /* may be NULL */
    uint64_t save_every;            /* training steps; 0: never */
    cnn_status (*save)(void *user); /* called after such a step, when all are complete */
    void *user;
    cnn_after_step after_step; /* may be NULL */
    void *after_user;
} cnn_loop;

/* One pass, or the rest of it. Waits for the device at its end. Errors: ARITHMETIC (the message
 * names the step; no update was made from it on), STOPPED (the sums have all steps made), OPENCL,
 * those of save(). */
cnn_status cnn_loop_run(cnn_loop *loop);

#endif
