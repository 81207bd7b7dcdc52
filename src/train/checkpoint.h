/* A checkpoint that was read. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include <cnncl/checkpoint.h>

#include "base/hash.h"
#include "base/json.h"
#include "model/archive.h"
#include "train/loop.h"

struct cnn_checkpoint {
    cnn_archive *archive;
    json_t *json;
    cnn_network *network;
    cnn_train_options options;
    int epoch;          /* the one that is next or was begun */
    uint64_t step;      /* training steps done */
    cnn_loop_sums sums; /* of the epoch so far */
    int best_epoch;     /* -1: none */
    double best_accuracy, best_loss;
    int best_since;
    const char *source, *data_hash;
    const char **classes; /* (class_count) the names of the data's; NULL: none */
    int class_count;
};

/* cnn_checkpoint_check() with the data set's hash. */
cnn_status cnn_checkpoint_match(const cnn_checkpoint *checkpoint, const cnn_network *network,
                                const cnn_train_options *options, const cnn_dataset *dataset,
                                const char *data_hash);

#endif
