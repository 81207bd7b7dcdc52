/* Pictures on their way through the network, and what is printed of each. */
#ifndef CLI_PICTURE_RUN_H
#define CLI_PICTURE_RUN_H

#include "cli/conversion.h"
#include "cli/session.h"

enum { NOT_IDX = -1, ERROR_SIZE = 512 };

/* An image and what became of it. */
typedef struct entry {
    const char *path;
    long long index;                /* within an IDX file, or NOT_IDX */
    size_t slot;                    /* in the batch, where nothing failed */
    char error[ERROR_SIZE];         /* empty where nothing failed */
    char warning[CLI_WARNING_SIZE]; /* empty where there is none */
} entry;

/* Of a rank. Its files come in units of so many, whoever takes them, and no batch is of several units: so
 * what a batch is does not depend on the number of ranks. */
typedef struct pictures {
    const cli_options *options;
    cli_session session; /* the job's, with this rank's device */
    cli_conversion conversion;
    /* [0] for batches of a unit of pictures, [1] for those of files of many: made for the first. */
    cnn_predictor *predictors[2];
    size_t unit;       /* files */
    size_t unit_begun; /* images of the unit in batches that ran */
    int classes;
    float *inputs, *outputs; /* (batch, C, H, W); (batch, classes) */
    entry *entries;          /* those since the last batch ran: (batch) */
    int *order;              /* (classes) */
    size_t entry_count, slot_count;
    bool comma;  /* in front of the next entry of JSON */
    bool failed; /* an image could not be read */
} pictures;

/* A line, or an entry of JSON; nothing of one that failed but there. probabilities (classes). */
void cli_picture_print(pictures *run, const entry *at, const float *probabilities);

#endif
