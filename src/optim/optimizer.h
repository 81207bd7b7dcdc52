/* What moves the parameters: an optimizer's state on the device, and its step: cl/optimizer.cl. One
 * launch updates all parameters, whatever their shares of the rate and the decay. */
#ifndef OPTIM_OPTIMIZER_H
#define OPTIM_OPTIMIZER_H

#include <cnncl/trainer.h>

#include "net/network.h"
#include "ocl/buffer.h"
#include "ocl/launch.h"

typedef struct cnn_optimizer cnn_optimizer;

enum { CNN_OPTIMIZER_STATES = 2, CNN_OPTIMIZER_SCALARS = 6, CNN_OPTIMIZER_FLAGS = 96 };

/* A kind of update. */
typedef struct cnn_optimizer_class {
    cnn_optimizer_kind kind;
    const char *name;    /* of --optimizer */
    const char *kernel;  /* of cl/optimizer.cl */
    const char *options; /* that it is built with */
    bool decoupled;      /* weights decay by themselves, not through the gradient */
    int state_count;
    struct {
        const char *prefix; /* of its tensors in checkpoints */
        const char *title;  /* in messages */
    } states[CNN_OPTIMIZER_STATES];
    /* Adam's rate at a step (from 1); NULL: lr. */
    double (*rate)(double lr, double momentum, uint64_t step);
    /* Sets what the kernel takes behind the states; returns how many. */
    int (*scalars)(float values[CNN_OPTIMIZER_SCALARS], double momentum, uint64_t step);
} cnn_optimizer_class;

/* The class that the options ask for: how they move the parameters. */
const cnn_optimizer_class *cnn_optimizer_choose(const cnn_train_options *options);

/* What its update is built with. options may be NULL, for Adam. */
void cnn_optimizer_flags(char flags[CNN_OPTIMIZER_FLAGS], const cnn_train_options *options);

/* The parameters' shares of the rate and of the decay, by groups of equal ones. */
typedef struct cnn_groups {
    uint8_t *members; /* (parameter_count): the group of each */
    int count;
    float factors[256][2]; /* of the rate: 0 leaves it as it is; of the decay */
} cnn_groups;

/* Decay for all weights, and for biases and norms too where options say so; frozen layers (per
 * layer; NULL: none) stay as they are. Errors: MEMORY. */
cnn_status cnn_groups_init(cnn_groups *groups, const cnn_network *network, const bool *frozen,
                           const cnn_train_options *options);
/* Gives `count` parameters from `offset` on other factors. Errors: ARGUMENT (more groups than a
 * byte tells apart). */
cnn_status cnn_groups_set(cnn_groups *groups, size_t offset, size_t count, float rate, float decay);
/* Of "PATTERN=F" the factor; the pattern is left in entry. Errors: ARGUMENT. */
cnn_status cnn_scale_split(double *factor, char *entry);
/* What --lr-scale says, "PATTERN=F,PATTERN=F": layers that are not frozen get that factor of the
 * rate; of several patterns that fit one the last counts. Errors: ARGUMENT (a pattern that fits no
 * layer, no number), MEMORY. */
cnn_status cnn_groups_scale(cnn_groups *groups, const cnn_network *network, const bool *frozen,
                            const char *scales);
void cnn_groups_finish(cnn_groups *groups);

struct cnn_optimizer {
    const cnn_optimizer_class *class;
    cnn_device *device;
    size_t count;
    double momentum;     /* Adam's beta1; may be changed between steps */
    double weight_decay; /* of those with a factor of 1 */
    double clip_norm;    /* 0: none */
    cnn_kernel update;
    cnn_buffer states[CNN_OPTIMIZER_STATES]; /* (count), zero at first */
    cnn_buffer groups, factors;              /* cnn_groups; none where all parameters are alike */
    cnn_kernel squares, root;                /* for clipping */
    size_t parts;
    cnn_buffer sums, norm;          /* (parts), (1) */
    double ema;                     /* the decay of the average; 0: none */
    cnn_kernel follow;              /* averages the statistics */
    cnn_buffer average, statistics; /* averages: (count), (statistic_count) */
    size_t statistic_count;
    cnn_kernel add; /* for batches in pieces */
    cnn_buffer sum; /* (count) of their gradients; none unless cnn_optimizer_init_sum() */
};

/* options NULL: Adam. The gradients of frozen layers (per layer; NULL: none) are zero. Start from
 * {0}; finish after a failure, too. Errors: KERNEL, MEMORY, OPENCL. */
cnn_status cnn_optimizer_init(cnn_optimizer *optimizer, cnn_device *device,
                              const cnn_network *network, const bool *frozen,
                              const cnn_train_options *options);
void cnn_optimizer_finish(cnn_optimizer *optimizer);

/* From now on updates are by the sum of what cnn_optimizer_add() was given. */
cnn_status cnn_optimizer_init_sum(cnn_optimizer *optimizer);
/* Enqueues: the sum becomes gradients (count) where they are the first of a batch, else they are
 * added. */
cnn_status cnn_optimizer_add(cnn_optimizer *optimizer, cl_mem gradients, bool first);

/* Enqueues update number `step` (from 1) of parameters (count), unless bad[0] >= 0. gradients are
 * not read where there is a sum. */
cnn_status cnn_optimizer_run(cnn_optimizer *optimizer, cl_mem parameters, cl_mem gradients,
                             cl_mem bad, double lr, uint64_t step);
/* Enqueues the average of the statistics behind update number `step`, where there is one. */
cnn_status cnn_optimizer_average(cnn_optimizer *optimizer, cl_mem statistics, cl_mem bad,
                                 uint64_t step);

#endif
