/* A pass over a split: what training and evaluation have in common. */
#ifndef TRAIN_LOOP_H
#define TRAIN_LOOP_H

#include <cnncl/predictor.h>
#include <cnncl/trainer.h>

#include "train/feed.h"

/* Does the data set fit the network? Errors: DATA, with both sizes. */
cnn_status cnn_check_dataset(const cnn_network *network, const cnn_dataset *dataset);

/* Called while the device works; false stops the pass. */
typedef bool (*cnn_tick)(size_t step, size_t steps, size_t images, double seconds, void *user);

/* Called when step number `index`, of n samples, was enqueued; may enqueue more. */
typedef cnn_status (*cnn_after_step)(size_t index, int n, void *user);

typedef struct cnn_loop {
    cnn_plan *plan;
    cnn_feed *feed;
    bool training;
    int epoch; /* for messages; -1 where there is none */
    double lr;
    uint64_t seed;
    uint64_t step; /* training steps done before; counted up */
    cnn_tick tick; /* may be NULL */
    void *user;
    cnn_after_step after_step; /* may be NULL */
    void *after_user;
} cnn_loop;

typedef struct cnn_loop_result {
    double batch_loss;  /* plain mean over the batches */
    double sample_loss; /* mean over the samples */
    size_t hits, count;
    double seconds;
} cnn_loop_result;

/* One pass. Waits for the device at its end. Errors: ARITHMETIC (the message names the step; no
 * update was made from it on), STOPPED, OPENCL. */
cnn_status cnn_loop_run(cnn_loop_result *result, cnn_loop *loop);

#endif
