/* A sentinel from the inside. */
#ifndef DOCTOR_SENTINEL_CASE_H
#define DOCTOR_SENTINEL_CASE_H

#include "doctor/check.h"
#include "doctor/sentinel.h"
#include "ref/points.h"

enum {
    CNN_SENTINEL_SAMPLES = 2, /* that values are drawn of */
    CNN_SENTINEL_VALUES = 16, /* of a tensor, at most */
    CNN_SENTINEL_UPDATED = 64 /* parameters whose update is looked at */
};

/* A step of the plan that is looked at, from its forward pass to its backward one. Start from {0}. */
typedef struct cnn_sentinel_step {
    const cnn_step *step;
    int number; /* in the plan */
    cnn_pass pass;
    int dear, norm; /* among its layers: the convolution or linear layer, the batch norm that is
                       trained; -1: none */
    int trained;    /* whose parameters' gradients are looked at; -1: nobody's */
    int channel;    /* of the output of that layer, or of the batch norm */
    bool statistics; /* of that channel are looked at */
    int n;         /* samples that are read */
    int *numbers;  /* (n) in the batch */
    int chosen[CNN_SENTINEL_SAMPLES], chosen_count; /* of those that are read */
    float **x;     /* of each input: (n, H, W, C) */
    float *dy;     /* (n, H, W, C) */
    float *found;  /* mean and inverse deviation, as the device has them: (2, C) */
    float *before; /* the running ones before: (2, C) */
    cnn_ref_chain chain;
    cnn_ref_points *points;
} cnn_sentinel_step;

/* What an update starts from: a stretch of the parameters. */
typedef struct cnn_sentinel_update {
    bool is_there;
    size_t first, count;
    double clip; /* what gradients are multiplied by */
    float parameters[CNN_SENTINEL_UPDATED], gradients[CNN_SENTINEL_UPDATED];
    float states[CNN_OPTIMIZER_STATES][CNN_SENTINEL_UPDATED], average[CNN_SENTINEL_UPDATED];
} cnn_sentinel_update;

struct cnn_sentinel {
    cnn_plan *plan;
    const cnn_train_options *options;
    unsigned rank;
    cnn_groups groups; /* whose share of the rate and the decay a parameter has */
    cnn_doctor_device result;
    cnn_check check; /* makes its rows */
    double budget;   /* multiplications of a check */
    float *parameters, *gradients, *running; /* flat: what was read of the step's layers */
    /* The training step under way. */
    uint64_t training_step, drawn;
    int pass, wanted; /* passes that began, and the one that is looked at; from 0 */
    int plan_step;    /* that is looked at */
    cnn_sentinel_step at;
    cnn_sentinel_update update;
};

/* A drawn number below `count`; true as often as a share says. */
size_t cnn_sentinel_draw(cnn_sentinel *sentinel, size_t count);
bool cnn_sentinel_takes(cnn_sentinel *sentinel, double cost);

cnn_status cnn_sentinel_read(float *values, const cnn_sentinel *sentinel, cl_mem mem, size_t first,
                             size_t count);

/* A value that was computed again. */
typedef struct cnn_sentinel_value {
    char place[112]; /* "sample 3, channel 1, row 2, column 5" */
    float found;
    cnn_ref_real expected;
} cnn_sentinel_value;

/* Compares values of a tensor; the first that is wrong is a row, and the end. phase: a literal; step:
 * NULL for what belongs to none. Errors: ARITHMETIC. */
cnn_status cnn_sentinel_judge(cnn_sentinel *sentinel, const char *phase, const cnn_sentinel_step *step,
                              const char *tensor, const cnn_sentinel_value *values, int count,
                              double share);

/* sentinel_step.c: what a plan's watch tells of the step that is looked at. */
cnn_status cnn_sentinel_before_forward(cnn_sentinel *sentinel, int step, const cnn_pass *pass);
cnn_status cnn_sentinel_after_forward(cnn_sentinel *sentinel);
cnn_status cnn_sentinel_before_backward(cnn_sentinel *sentinel);
cnn_status cnn_sentinel_after_backward(cnn_sentinel *sentinel);
void cnn_sentinel_forget_step(cnn_sentinel_step *at);
/* sentinel_choice.c: which of the step's values are dear, and which are looked at. */
void cnn_sentinel_choose(cnn_sentinel *sentinel);
/* How many values of the output, of an input's gradient. */
int cnn_sentinel_count_outputs(const cnn_sentinel *sentinel);
int cnn_sentinel_count_gradients(cnn_sentinel *sentinel);
/* sentinel_ends.c: the loss's gradient, and an update. */
cnn_status cnn_sentinel_look_at_loss(cnn_sentinel *sentinel, const cnn_pass *pass);
cnn_status cnn_sentinel_before_update(cnn_sentinel *sentinel, const cnn_plan_update_case *update);
cnn_status cnn_sentinel_after_update(cnn_sentinel *sentinel, const cnn_plan_update_case *update);

#endif
