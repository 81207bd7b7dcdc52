/* A plan's pass over one batch, beside the same in plain C. */
#ifndef TESTS_PLAN_CASE_H
#define TESTS_PLAN_CASE_H

#include "net/network.h"
#include "on_device.h"
#include "plan/plan.h"
#include "support.h"

/* A network's values and a batch for it. */
typedef struct plan_case {
    char name[128];
    cnn_model *model; /* released by plan_case_finish() */
    int n;
    float *x;         /* (n, C, H, W) */
    uint16_t *labels; /* (n) */
    cnn_pass pass;
} plan_case;

/* What a pass leaves, in scratch memory. */
typedef struct plan_result {
    float *logits; /* (n, ydim) */
    float loss;
    size_t hits;
    float *gradients;  /* flat; NULL after an evaluation */
    float *statistics; /* flat */
} plan_result;

/* The networks of the tests of plans: see random_config(), with dropout from none to nearly all,
 * and now and then more channels than any block of a kernel has. Tests that take the same networks
 * and batch compile their kernels once. */
enum { PLANS = 20, FEW_PLANS = 10, PLAN_BATCH = 7 };
cnn_config plan_config(int example);
/* The example of a loop over sweep(FEW_PLANS, PLANS) or less: the few are such that there is a step
 * of every rule. */
int plan_example(int i);

/* Random values everywhere: zeros, as in fresh biases, would hide errors. */
plan_case make_plan_case(random_source *random, const cnn_config *config, int n);
/* The same for any network, which is copied. */
plan_case make_network_case(random_source *random, const cnn_network *network, int n);
void plan_case_finish(plan_case *at);

cnn_plan *make_plan(const plan_case *at, int batch, bool training, bool fuse);

/* Uploads the model and the batch into a plan whose other memory is filled with NaN, and runs
 * forward, the loss and, where the pass is a training one, backward. */
plan_result run_plan(cnn_plan *plan, const plan_case *at);
/* The same by plain C; the model's statistics stay as they are. */
plan_result run_reference(const plan_case *at);

typedef struct plan_tolerance {
    double logits, gradients;
    double floor; /* of a single gradient, where the expected ones are rounding noise */
} plan_tolerance;

/* Compares each tensor of its own. */
void check_plan_result(const plan_case *at, const plan_result *actual, const plan_result *expected,
                       plan_tolerance tolerance);

#endif
