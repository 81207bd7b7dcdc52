/* How a device is checked. Whatever is wrong with it goes into rows; a status is about the host, or
 * about a device that cannot go on. */
#ifndef DOCTOR_CHECK_H
#define DOCTOR_CHECK_H

#include "doctor/doctor.h"
#include "ref/ref.h"

/* A device at work. */
typedef struct cnn_check {
    cnn_device *device;
    cnn_model *model; /* random values everywhere */
    cnn_guards guards;
    cnn_profile profile; /* closed in a fast check */
    cnn_doctor_device *result;
    const cnn_doctor_options *options; /* NULL in a fast check */
    const cnn_train_options *trained;  /* whose update is checked; NULL: Adam's */
    const char *part;
    int n;         /* samples of a step */
    int batch;     /* of a matrix product */
    uint64_t draw; /* of the random values: one more for each tensor */
    /* The row that is being made. */
    cnn_doctor_entry *row;
    const cnn_op *op; /* whose kernels run; may be NULL */
    double start;
} cnn_check;

/* Which plan of a network. */
typedef struct cnn_plan_kind {
    bool fuse;
    bool pieces; /* --micro-batch; only a network without batch norm has it */
    bool augmented; /* --augment; all that it can do is checked */
    bool shaped;    /* smoothed labels, weights of classes or two labels; likewise */
    const cnn_train_options *trained; /* whose update it has; NULL: Adam's */
} cnn_plan_kind;

enum { CNN_PLAN_KINDS = 4 };
extern const cnn_plan_kind cnn_plan_kinds[CNN_PLAN_KINDS]; /* all there are, neither augmented
                                                              nor shaped */

typedef struct cnn_tolerance {
    double relative; /* norm-wise */
    double floor;    /* a root mean square of the difference that is always good */
} cnn_tolerance;

/* What float sums in another order leave of a step; of the gradients of one. Long sums leave more:
 * cnn_long_tolerance(). */
extern const cnn_tolerance cnn_forward_tolerance, cnn_backward_tolerance;
/* The same for sums of so many additions one after the other. */
cnn_tolerance cnn_long_tolerance(cnn_tolerance tolerance, double length);
/* Is the difference within the tolerance? */
bool cnn_is_close(const float *actual, const float *expected, size_t count,
                  cnn_tolerance tolerance);
/* Of a layer's pass forward, of one sample. */
double cnn_layer_multiplications(const cnn_layer *layer);
/* Of the sums of a layer's pass forward; of its gradients, over n samples. */
/* Does it compute new values, with rounding? */
bool cnn_layer_rounds(const cnn_layer *layer);
double cnn_layer_sum_length(const cnn_layer *layer, int n);
double cnn_gradient_sum_length(const cnn_layer *layer, int n);

/* row.c: a row is opened, filled by comparisons and closed. Errors: MEMORY. */
cnn_status cnn_row_open(cnn_check *check, const char *phase, const char *name, const char *layers,
                        const cnn_op *op);
/* Waits for what was enqueued since the row was opened or cnn_row_start() called last, and takes
 * its time. Errors: OPENCL. */
void cnn_row_start(cnn_check *check);
cnn_status cnn_row_stop(cnn_check *check);
/* How often a row's work is done: drivers compile at the first launch, which is no time to tell. */
int cnn_row_turns(const cnn_check *check);
/* Compares a tensor (count); all of it has to be there. */
void cnn_row_compare(cnn_check *check, const char *tensor, const float *actual,
                     const float *expected, size_t count, cnn_tolerance tolerance);
/* The values must be as cnn_buffer_wipe() left them: nothing of this row's may be there. */
void cnn_row_untouched(cnn_check *check, const char *tensor, const float *values, size_t count);
/* The row fails; of several messages as many are kept as there is room for. */
void cnn_row_fail(cnn_check *check, const char *format, ...) CNN_PRINTF(2, 3);
/* Why a step is not in a fast check. */
extern const char *const cnn_row_too_large;
/* The row is neither a pass nor a failure: for this reason the check is not made. */
void cnn_row_leave_out(cnn_check *check, const char *reason);
/* Looks at the zones and tells the row; a fail adds `detail`. Errors: OPENCL, MEMORY. */
cnn_status cnn_row_close(cnn_check *check, const char *detail);
/* Makes a row, the open one or one of its own, of a status whose message is the thread's, and
 * returns CNN_OK: where memory or pocl's cache is the cause, a check that could not be made; what
 * else a device does not do is a failed row, but in a fast check, which ends with it. Errors: MEMORY (not even for
 * a row). */
cnn_status cnn_row_absorb(cnn_check *check, cnn_status status);

/* values.c: random values, and the two layouts. */
void cnn_fill_uniform(float *values, size_t count, double low, double high, uint64_t draw);
void cnn_fill_bytes(uint8_t *values, size_t count, uint32_t bound, uint64_t draw);
void cnn_fill_labels(uint16_t *values, size_t count, uint32_t bound, uint64_t draw);
/* (n, C, H, W) to (n, H, W, C), and back. */
void cnn_to_device_layout(float *target, const float *source, cnn_shape shape, int n);
void cnn_to_host_layout(float *target, const float *source, cnn_shape shape, int n);
/* Gives a model's biases, scales and statistics random values, too: zeros and ones hide errors. */
void cnn_randomise(cnn_model *model, uint64_t draw);

/* shake.c: how far rounding carries. A run of plain C is made again with values that are moved as
 * far as rounding may, some times; what comes out moves, too, and the more where the result depends
 * on the last bits: where a maximum or a ReLU flips, where terms cancel, where batch norm divides
 * by next to nothing. What a right device gives is no further away than that. */
typedef struct cnn_shake {
    cnn_model *model;
    double longest; /* sum of the layers */
    double sign;    /* 1 or -1: noise, and the same the other way */
    uint64_t draw;
    float *parameters, *statistics; /* the model's, put aside; NULL: the model is as it was */
    cnn_ref_hook hook;              /* to be run with */
} cnn_shake;

/* Turns, two for each noise: more where they cost little. multiplications: of a turn. */
int cnn_shake_turns(double multiplications);
/* Moves the model's parameters; the run is that of these layers, on n samples. The model is as
 * before after cnn_shake_end(), which takes {0}, too. Errors: MEMORY. */
cnn_status cnn_shake_begin(cnn_shake *shake, cnn_model *model, const cnn_layer *const *layers,
                           int count, int n, int turn);
void cnn_shake_end(cnn_shake *shake);
/* A run's input or its output's gradient (count), moved. */
void cnn_shake_values(float *moved, const cnn_shake *shake, const float *values, size_t count);
/* spread (count): the larger one of itself and |moved - values|. */
void cnn_shake_widen(float *spread, const float *moved, const float *values, size_t count);
double cnn_root_mean_square(const float *values, size_t count);

/* Each file one kind of checks. */
cnn_status cnn_check_memory(cnn_check *check);
/* On n samples, at most the plan's batch. */
cnn_status cnn_check_step(cnn_check *check, const cnn_plan *plan, int index, int n);
/* Of a step, for its rows: what it is called, and the layers that it covers. */
void cnn_step_names(char name[CNN_DOCTOR_NAME], char layers[CNN_DOCTOR_NAME], const cnn_step *step);
cnn_status cnn_check_around(cnn_check *check, cnn_plan *plan);
/* update.c: by the plan's optimizer. */
cnn_status cnn_check_update(cnn_check *check, cnn_plan *plan);
/* The options of a command line that ask for it: " --optimizer sgd"; to be freed. Errors: MEMORY. */
cnn_status cnn_update_arguments(char **text, const cnn_train_options *options);
/* Images that are changed on their way in. */
cnn_status cnn_check_augment(cnn_check *check);
/* shaped.c: the loss with all that may shape it. */
cnn_status cnn_check_shaped_loss(cnn_check *check);
/* NaN on its way through the whole plan: each step passes it on. */
cnn_status cnn_check_nan_way(cnn_check *check, cnn_plan *plan);
/* Those that CLBlast does in this plan; NULL: those of all linear layers. */
cnn_status cnn_check_products(cnn_check *check, const cnn_plan *plan);
/* Does CLBlast any in this network's plan? */
bool cnn_has_products(const cnn_device *device, const cnn_network *network, bool fuse);
enum { CNN_TRACE_STEPS = 20 };
/* The steps, at least 2 and at most CNN_TRACE_STEPS. */
cnn_status cnn_check_trace(cnn_check *check, cnn_plan_kind kind, int steps);

/* check.c: the whole, and the fast one: the plan's steps once forward and backward, its matrix
 * products at the size of a pass of `batch` samples, and two batches in pieces where the plan takes
 * them so. What is too large for a fast check is a row that is not checked. Errors: MEMORY; the
 * fast one: KERNEL, OPENCL. */
cnn_status cnn_check_thoroughly(cnn_doctor_device *result, cnn_device *device,
                                const cnn_network *network, const cnn_doctor_options *options);
cnn_status cnn_check_fast(cnn_doctor_device *result, cnn_device *device, const cnn_network *network,
                          cnn_plan_kind kind, int batch);

/* What is known of an earlier check. */
typedef struct cnn_memo {
    bool passed;
    char *left_out; /* what was too large for it, in one line; NULL for nothing. To be freed */
} cnn_memo;

/* memo.c: what passed before, with matrix products of this batch and the tuning in use where the
 * plan has any. Neither an absent nor an unwritable cache folder is an error. Errors: KERNEL (the
 * folder of kernels), OPENCL, MEMORY. */
cnn_status cnn_memo_find(cnn_memo *memo, cnn_device *device, const cnn_network *network,
                         cnn_plan_kind kind, int batch);
cnn_status cnn_memo_write(const cnn_memo *memo, cnn_device *device, const cnn_network *network,
                          cnn_plan_kind kind, int batch);

#endif
