/* What the files of the bench of ranks share. */
#ifndef TRAIN_RANK_BENCH_H
#define TRAIN_RANK_BENCH_H

#include <cnncl/rank_bench.h>

#include "comm/comm.h"
#include "train/timeline.h"

struct cnn_rank_bench {
    cnn_rank_bench_summary summary;
    cnn_place *places;        /* (ranks) */
    cnn_rank_bench_row *rows; /* (ranks) */
    cnn_timeline *timelines;  /* (ranks) */
};

#endif
