/* How a network runs on a device: the steps and the memory they share. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include <cnncl/plan.h>

#include "base/text.h"
#include "net/network.h"
#include "ocl/buffer.h"
#include "ops/augment.h"
#include "ops/gather.h"
#include "ops/op.h"
#include "ops/softmax.h"
#include "optim/optimizer.h"
#include "plan/schedule.h"
#include "plan/slices.h"

typedef struct cnn_plan_options {
    int batch;     /* the most samples of a pass */
    bool training; /* backward and update, too */
    bool fuse;     /* apply the rules of rules.c */
    size_t slots;  /* batches between two reads of the tally */
    const bool *frozen; /* per layer: its parameters and statistics stay; NULL: none. Must outlive
                           the plan */
    cnn_part part;      /* the layers that it runs; those of CNN_PART_FROZEN in evaluation alone */
    int whole; /* samples of a training step's batch, which passes of `batch` may be pieces of; 0: a
                  pass is a whole batch */
    int slices; /* of a training step's batch, each a pass (plan/slices.h); 0: batches are in none */
    const cnn_train_options *trained; /* how parameters are updated, and images changed; NULL: by
                                         Adam, not at all. Must outlive the plan */
} cnn_plan_options;

typedef struct cnn_plan cnn_plan;

/* When a plan's watch is called: before what is there is changed, and when what changes it was
 * enqueued. */
typedef enum cnn_watched {
    CNN_BEFORE_FORWARD,
    CNN_AFTER_FORWARD,
    CNN_BEFORE_LOSS,
    CNN_AFTER_LOSS,
    CNN_BEFORE_BACKWARD, /* the gradient of the step's output is there */
    CNN_AFTER_BACKWARD,  /* the step's own gradients are; none was joined with others' yet */
    CNN_BEFORE_UPDATE,   /* as the optimizer makes it of the sum of the gradients */
    CNN_AFTER_UPDATE
} cnn_watched;

/* An update of the parameters. */
typedef struct cnn_plan_update_case {
    double lr;
    uint64_t step; /* from 1 */
    cl_mem sum;    /* of the gradients */
} cnn_plan_update_case;

/* Looks on while passes are enqueued, and may wait for the device; a failure ends the pass. step: of
 * the plan, -1 for the loss and the update; pass: NULL for an update, update: else NULL. */
typedef struct cnn_watch {
    cnn_status (*look)(void *user, cnn_watched moment, int step, const cnn_pass *pass,
                       const cnn_plan_update_case *update); /* NULL: nobody does */
    void *user;
} cnn_watch;

enum { CNN_ADVICE_SIZE = 128 };

/* into = a + b, all lives; into -1: no join. */
typedef struct cnn_join {
    int into, a, b;
} cnn_join;

/* A chain of layers and the operation that does it. Numbers are lives unless they are said to be
 * values of the network; -1 where there is none. */
typedef struct cnn_step {
    const char *rule; /* the fusion's name; NULL for a plain step */
    cnn_op *op;
    int input_count;
    const int *inputs; /* values that it reads; the schedule's */
    int output;        /* the value that it makes */
    int *input_lives, output_life;
    int *input_gradients, output_gradient; /* of each input: what this step contributes */
    cnn_join *joins;                       /* of each input's gradient, behind backward */
    int copied_gradient; /* output_gradient is a copy of this one, made before backward */
    int saved, masks;
    int input_masks; /* of the step that made the input; -1 where it drops nothing */
    bool input_packed, output_packed; /* as in cnn_op_memory */
    cl_mem *mems;                     /* of its inputs, then of their gradients */
    cnn_op_memory memory;             /* bound */
} cnn_step;

/* A tensor that lives from one moment to another; those that never live together may share a
 * buffer. */
typedef struct cnn_life {
    size_t bytes;
    int born, dies; /* moments, both included */
    int buffer;
} cnn_life;

struct cnn_plan {
    cnn_device *device;
    const cnn_network *network;
    cnn_plan_options options;
    cnn_schedule schedule;
    int step_count;
    cnn_step *steps;
    int *numbers;        /* the memory of the steps' arrays */
    cnn_join *joins;     /* likewise */
    cl_mem *mems;        /* likewise */
    int logits_gradient; /* index of a life */
    int life_count, buffer_count;
    cnn_life *lives;
    cnn_buffer *buffers;
    size_t peak; /* bytes of the lives that live at once where most do */
    cnn_buffer scratch;
    cnn_buffer *prepared; /* (step_count) what steps make of parameters that stay; else empty */
    cnn_kernel add;                               /* cl/join.cl: where gradients are joined */
    cnn_buffer parameters, gradients, statistics; /* flat, as in the model */
    cnn_buffer labels;                            /* (batch) 16 bits; mixed, (2, batch) */
    cnn_gather gather;
    cnn_augment augment; /* takes the gather's place in training; nothing without a kernel */
    cnn_softmax softmax;
    cnn_optimizer optimizer;
    cnn_slices slices;
    bool shows_average;
    char advice[CNN_ADVICE_SIZE]; /* the device's while the plan is there; may be empty */
    cnn_watch watch;              /* may be set and taken away between passes */
};

/* Can training batches be made in pieces of micro_batch samples (0: they are not)? Sets `piece`,
 * the most samples of a pass. network may be NULL, for any; frozen as in the options. Errors:
 * ARGUMENT. */
cnn_status cnn_plan_divide(int *piece, const cnn_network *network, const bool *frozen, int batch,
                           int micro_batch);

/* Builds every kernel, allocates and touches all memory. The device and the network must outlive
 * it. Errors: ARGUMENT, KERNEL, MEMORY, OPENCL. */
cnn_status cnn_plan_create(cnn_plan **plan, cnn_device *device, const cnn_network *network,
                           cnn_plan_options options);
void cnn_plan_destroy(cnn_plan *plan);

/* What a step is called: its rule, or the kind of its layer. */
const char *cnn_step_name(const cnn_step *step);

/* Appends the table of cnn_plan_to_text(), without the total. */
void cnn_plan_append_steps(cnn_text *text, const cnn_plan *plan);
/* The same of the steps behind cnn_frozen_cut() alone, as a plan of CNN_PART_REST has them. */
void cnn_plan_append_rest(cnn_text *text, const cnn_plan *plan);

/* Makes room for `slots` batches between two reads of the tally. On failure the plan is as before.
 */
cnn_status cnn_plan_reserve(cnn_plan *plan, size_t slots);

/* Copies a model's values to the device, or those of the device to flat buffers laid out as the
 * model's. Both wait. num_batches_tracked is the caller's. */
cnn_status cnn_plan_upload(cnn_plan *plan, const cnn_model *model);
/* The same without the average of the values, where there is one. */
cnn_status cnn_plan_upload_values(cnn_plan *plan, const cnn_model *model);
cnn_status cnn_plan_download(float *parameters, float *statistics, const cnn_plan *plan);

/* Each of these enqueues and does not wait. */

/* The plan's input and labels from places first to first + n - 1 of a source: of images, or of rows
 * of values, as the last step of CNN_PART_FROZEN leaves them, for CNN_PART_REST. */
cnn_status cnn_plan_gather(cnn_plan *plan, const cnn_gather_source *source, uint32_t first, int n);
/* The same of images in a training pass, changed: cnn_augment_run(). */
cnn_status cnn_plan_augment(cnn_plan *plan, const cnn_gather_source *source, uint32_t first,
                            uint32_t last, const cnn_pass *pass);
cnn_status cnn_plan_forward(cnn_plan *plan, const cnn_pass *pass);
/* Loss, its gradient and hits of the pass, into its batch's slot of the tally. */
cnn_status cnn_plan_loss(cnn_plan *plan, const cnn_pass *pass, size_t slot);
/* The gradients; of the pieces of a batch up to this one where batches are made in pieces. */
cnn_status cnn_plan_backward(cnn_plan *plan, const cnn_pass *pass);
/* Update number `step`, from 1. Of a batch in slices: by the sum of their gradients, when it is
 * there. */
cnn_status cnn_plan_update(cnn_plan *plan, double lr, uint64_t step);

/* Runs passes on the average of the parameters and the statistics, or on themselves again; nothing
 * where there is none. */
void cnn_plan_show_average(cnn_plan *plan, bool average);

/* One step of the passes above; nothing where no gradient reaches it. */
cnn_status cnn_plan_forward_step(cnn_plan *plan, int step, const cnn_pass *pass);
cnn_status cnn_plan_backward_step(cnn_plan *plan, int step, const cnn_pass *pass);

/* The buffers of the input (N, H, W, C) and of what the last step gives: the logits (N, ydim), or
 * the value behind CNN_PART_FROZEN (N, H, W, C). */
const cnn_buffer *cnn_plan_input(const cnn_plan *plan);
const cnn_buffer *cnn_plan_logits(const cnn_plan *plan);
/* What the loss leaves of them (N, ydim). */
cl_mem cnn_plan_logits_gradient(const cnn_plan *plan);
/* Floats of a sample's input, and of its result. */
size_t cnn_plan_input_size(const cnn_plan *plan);
size_t cnn_plan_result_size(const cnn_plan *plan);

#endif
