/* A trainer and what its parts share. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include <cnncl/checkpoint.h>

#include "base/hash.h"
#include "base/json.h"
#include "train/loop.h"

/* The best model so far, and how it was judged. */
typedef struct cnn_judgement {
    cnn_model *model; /* its values; the network's own until there is one */
    int epoch;        /* -1: none yet */
    double accuracy, loss;
    int since; /* evaluations after it */
} cnn_judgement;

/* What a trainer is doing: in a callback it may not be run again; it may be saved where no pass is
 * under way. */
typedef enum cnn_moment { CNN_IDLE, CNN_RUNNING, CNN_IN_CALLBACK, CNN_AT_CHECKPOINT } cnn_moment;

typedef struct cnn_worker cnn_worker; /* shared.c */

struct cnn_trainer {
    cnn_comm *comm; /* NULL: there is one rank */
    bool owns_comm;
    cnn_ranks *ranks;    /* NULL: there is one */
    cnn_worker *workers; /* (worker_count) the other devices of this process */
    int worker_count;
    cnn_moment moment;
    bool blames_device; /* of the run that ended last */
    bool unwanted;      /* it was destroyed in a callback, and goes when the run is over */
    cnn_device *device;
    cnn_model *model;
    const cnn_dataset *dataset;
    cnn_train_options options;
    bool *frozen; /* (layer_count): it stays as it is; NULL: none does */
    bool keeps;   /* what is frozen at the beginning is computed once for each sample: the feeds
                     have its rows, the plan is of the rest */
    bool kept;    /* the rows are there */
    cnn_plan *plan;
    cnn_sentinel *sentinel; /* NULL: none */
    cnn_feed train, test, val;
    cnn_feed
        *views; /* (cnn_trainer_view_count()) of rows, the training split's; NULL: none are kept */
    size_t train_count, val_count;  /* trained on; validated by, of whichever split */
    size_t held_count;              /* of the training split, held out to validate */
    uint32_t *members;              /* (train_count + held_count): first those trained on */
    uint32_t *order;                /* (train_count): an epoch's */
    float *weights;                 /* (classes) of the loss; NULL: none */
    cnn_model *raw;                 /* room for what is averaged; NULL: the model is not */
    float *parameters, *statistics; /* on their way to the model: as in the model */
    cnn_loop loop;                  /* the pass of training that is next or under way */
    uint64_t model_step;            /* training steps that the model knows of */
    uint64_t device_bytes;
    bool streaming;
    cnn_epoch *history; /* (history_count) */
    size_t history_count, history_room;
    json_t *resumed; /* owns the strings of the history before a resume; NULL */
    cnn_judgement best;
    char data_hash[CNN_HASH_SIZE];        /* "" until it is wanted */
    const cnn_train_callbacks *callbacks; /* while running */
};

/* cnn_trainer_create(), of one of the ranks of comm (NULL: alone). */
cnn_status cnn_trainer_create_rank(cnn_trainer **trainer, cnn_comm *comm, cnn_device *device,
                                   cnn_model *model, const cnn_dataset *dataset,
                                   const cnn_train_options *options);
/* Do all ranks go on from the same place? Errors: ARGUMENT, RANK. */
cnn_status cnn_trainer_compare_position(const cnn_trainer *trainer);
/* What a rank does. */
typedef cnn_status (*cnn_rank_work)(cnn_trainer *trainer);
/* The other devices of this process: each does this in a thread of its own, and is waited for. */
cnn_status cnn_trainer_start_workers(cnn_trainer *trainer, cnn_rank_work each);
void cnn_trainer_join_workers(cnn_trainer *trainer);
cnn_status cnn_trainer_resume_workers(cnn_trainer *trainer, const cnn_checkpoint *checkpoint);
void cnn_trainer_finish_workers(cnn_trainer *trainer);

/* fitness.c: is there a tensor whose name a checkpoint needs, or a batch norm of a single value?
 * Errors: ARGUMENT. */
cnn_status cnn_trainer_check_fitness(const cnn_trainer *trainer);
/* Which layers are frozen, and whether what they give is kept. Errors: ARGUMENT (a pattern that
 * fits no layer; nothing is left to train), MEMORY. */
cnn_status cnn_trainer_freeze(cnn_trainer *trainer);
/* A plan of the layers that are computed once, for n samples in a pass. */
cnn_status cnn_trainer_plan_frozen(cnn_plan **plan, const cnn_trainer *trainer, int n);
/* The views of each image that training meets: an epoch has one. */
static inline int cnn_trainer_view_count(const cnn_trainer *trainer)
{
    const cnn_train_options *options = &trainer->options;
    return options->views < options->epochs ? options->views : options->epochs;
}
/* Sets the filters of the layer that --whiten names in the model; nothing where it names none.
 * Errors: ARGUMENT (there is none such, or its shape does not allow it), FILE, DATA, MEMORY. */
cnn_status cnn_trainer_whiten(cnn_trainer *trainer);
/* Computes the rows that the feeds are to have, if they are not there. tick may stop it. Errors:
 * STOPPED, OPENCL, MEMORY. */
cnn_status cnn_trainer_keep(cnn_trainer *trainer, cnn_tick tick);
/* Trains on the first so many batches of an epoch, on every rank: a pass without what stands around
 * it. callbacks may be NULL. Errors: those of cnn_loop_run(). */
cnn_status cnn_trainer_train_batches(cnn_trainer *trainer, size_t batches,
                                     const cnn_train_callbacks *callbacks);
/* The order of an epoch, into trainer->order. */
void cnn_trainer_shuffle(cnn_trainer *trainer, int epoch);
/* Adds an epoch that is over to the history. Errors: MEMORY. */
cnn_status cnn_trainer_remember(cnn_trainer *trainer, const cnn_epoch *epoch);
/* The model as the device has it, averaged where that is asked for. Errors: ARITHMETIC (a value
 * that is not finite; the model is then as it was), OPENCL. */
cnn_status cnn_trainer_update_model(cnn_trainer *trainer);
/* Copies values; both are of the same network. */
void cnn_trainer_copy_model(cnn_model *target, const cnn_model *source);
/* The accuracy that decides which model is best: "validation", "test" or "training". */
const char *cnn_trainer_judge(const cnn_trainer *trainer);

#endif
