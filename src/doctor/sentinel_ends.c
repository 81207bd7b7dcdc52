/* The loss's gradient and the update as a sentinel sees them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/sentinel_case.h"

/* What a loss is made of; start from {0}. */
typedef struct loss_case {
    int classes, n;
    float *logits, *gradient, *weights; /* (n, classes), likewise, (classes) or NULL */
    float *own, *other;                 /* (classes): of a sample */
    uint16_t *labels;                   /* (batch, twice where samples are mixed) */
} loss_case;

static void finish_loss(loss_case *at)
{
    float *const all[] = {at->logits, at->gradient, at->weights, at->own, at->other};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
    free(at->labels);
}

static cnn_status read_loss(loss_case *at, const cnn_sentinel *sentinel, const cnn_pass *pass)
{
    const cnn_plan *plan = sentinel->plan;
    size_t count = (size_t)at->n * (size_t)at->classes, classes = (size_t)at->classes;
    size_t labels = (size_t)plan->options.batch * (pass->mixed ? 2 : 1);
    float **const rows[] = {&at->own, &at->other};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at->logits, count, sizeof(float), "logits"));
    CNN_TRY(cnn_allocate(&at->gradient, count, sizeof(float), "logits"));
    CNN_TRY(cnn_allocate(&at->labels, labels, sizeof *at->labels, "labels"));
    for (int i = 0; i < 2; i++)
        CNN_TRY(cnn_allocate(rows[i], classes, sizeof(float), "logits"));
    CNN_TRY(cnn_sentinel_read(at->logits, sentinel, cnn_plan_logits(plan)->mem, 0, count));
    CNN_TRY(cnn_sentinel_read(at->gradient, sentinel, cnn_plan_logits_gradient(plan), 0, count));
    CNN_TRY(cnn_buffer_read(at->labels, &plan->labels, 0, labels * sizeof *at->labels));
    if (!plan->softmax.weights.mem)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&at->weights, classes, sizeof(float), "the classes' weights"));
    status = cnn_sentinel_read(at->weights, sentinel, plan->softmax.weights.mem, 0, classes);
out:
    return status;
}

/* A sample's share of the gradient by one label. */
static void expect(float *gradient, const loss_case *at, const cnn_sentinel *sentinel, int sample,
                   uint16_t label, const cnn_pass *pass)
{
    const float *logits = at->logits + (size_t)sample * (size_t)at->classes;
    double alone = at->weights ? (double)at->weights[label] : 1.0;
    double whole = at->weights ? pass->weight : (double)cnn_pass_whole(pass);
    (void)cnn_ref_shaped_cross_entropy(gradient, logits, &label, 1, at->classes,
                                       sentinel->plan->softmax.smoothing, at->weights);
    for (int c = 0; c < at->classes; c++)
        gradient[c] = (float)(gradient[c] * alone / whole);
}

/* What a sample's probabilities are multiplied by: the larger weight of its labels, and the mean of all by so much
 * as is smoothed. */
static double largest_weight(const loss_case *at, const cnn_sentinel *sentinel, int sample, size_t mixed,
                             const cnn_pass *pass)
{
    double smoothing = sentinel->plan->softmax.smoothing, sum = 0.0;
    if (!at->weights)
        return 1.0;
    double own = at->weights[at->labels[sample]];
    if (pass->mixed)
        own = fmax(own, at->weights[at->labels[mixed]]);
    for (int c = 0; c < at->classes; c++)
        sum += at->weights[c];
    return (1.0 - smoothing) * own + smoothing * sum / at->classes;
}

/* A value of a sample's gradient. */
static cnn_sentinel_value find_value(const loss_case *at, const cnn_sentinel *sentinel, int sample,
                                     int c, const cnn_pass *pass)
{
    static const double few = 1e-6; /* of exp(), and what a sum loses of each term's: all that are small
                                       beside one that came before */
    static const double lost = 6e-8;
    size_t mixed = (size_t)sentinel->plan->options.batch + (size_t)sample;
    double whole = at->weights ? pass->weight : (double)cnn_pass_whole(pass);
    cnn_sentinel_value value = {.found = at->gradient[(size_t)sample * (size_t)at->classes + (size_t)c],
                                .expected.error = (few + lost * at->classes) *
                                                  largest_weight(at, sentinel, sample, mixed, pass) / whole};
    expect(at->own, at, sentinel, sample, at->labels[sample], pass);
    value.expected.value = at->own[c];
    if (pass->mixed) {
        expect(at->other, at, sentinel, sample, at->labels[mixed], pass);
        value.expected.value = pass->part * at->own[c] + (1.0 - pass->part) * at->other[c];
    }
    snprintf(value.place, sizeof value.place, "sample %d, class %d", pass->before + sample, c);
    return value;
}

cnn_status cnn_sentinel_look_at_loss(cnn_sentinel *sentinel, const cnn_pass *pass)
{
    loss_case at = {.classes = sentinel->plan->network->classes, .n = pass->n};
    cnn_sentinel_value values[CNN_SENTINEL_VALUES];
    cnn_status status = CNN_OK;
    CNN_TRY(read_loss(&at, sentinel, pass));
    for (int i = 0; i < CNN_SENTINEL_VALUES; i++) {
        int sample = (int)cnn_sentinel_draw(sentinel, (size_t)pass->n);
        int c = (int)cnn_sentinel_draw(sentinel, (size_t)at.classes);
        if (i % 2 == 0) /* of many classes the label's own is seldom drawn */
            c = at.labels[sample];
        values[i] = find_value(&at, sentinel, sample, c, pass);
    }
    status = cnn_sentinel_judge(sentinel, "loss", NULL, "the gradient of the logits", values,
                                CNN_SENTINEL_VALUES, cnn_forward_tolerance.relative);
out:
    finish_loss(&at);
    return status;
}

/* What gradients are multiplied by so that their norm is no larger than is wanted. */
static cnn_status find_clip(double *clip, const cnn_sentinel *sentinel, cl_mem sum)
{
    double most = sentinel->plan->optimizer.clip_norm;
    size_t count = sentinel->plan->network->parameter_count;
    *clip = 1.0;
    if (most == 0.0)
        return CNN_OK;
    cnn_status status = cnn_sentinel_read(sentinel->gradients, sentinel, sum, 0, count);
    if (status == CNN_OK)
        *clip = fmin(1.0, most / (cnn_ref_norm(sentinel->gradients, count) + 1e-6));
    return status;
}

/* The stretch of the parameters, their gradients and the optimizer's state. */
static cnn_status read_update(cnn_sentinel *sentinel, const cnn_plan_update_case *update)
{
    cnn_sentinel_update *at = &sentinel->update;
    const cnn_optimizer *optimizer = &sentinel->plan->optimizer;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_sentinel_read(at->parameters, sentinel, sentinel->plan->parameters.mem, at->first,
                              at->count));
    for (int i = 0; i < optimizer->class->state_count; i++)
        CNN_TRY(cnn_sentinel_read(at->states[i], sentinel, optimizer->states[i].mem, at->first,
                                  at->count));
    if (optimizer->average.mem)
        CNN_TRY(cnn_sentinel_read(at->average, sentinel, optimizer->average.mem, at->first, at->count));
    if (update)
        status = cnn_sentinel_read(at->gradients, sentinel, update->sum, at->first, at->count);
out:
    return status;
}

cnn_status cnn_sentinel_before_update(cnn_sentinel *sentinel, const cnn_plan_update_case *update)
{
    cnn_sentinel_update *at = &sentinel->update;
    size_t all = sentinel->plan->network->parameter_count;
    cl_int bad = -1;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_read(&bad, &sentinel->plan->softmax.bad, 0, sizeof bad));
    if (bad >= 0 || all == 0) /* nothing is updated once a loss was not finite */
        return CNN_OK;
    at->count = all < CNN_SENTINEL_UPDATED ? all : CNN_SENTINEL_UPDATED;
    at->first = cnn_sentinel_draw(sentinel, all - at->count + 1);
    CNN_TRY(find_clip(&at->clip, sentinel, update->sum));
    CNN_TRY(read_update(sentinel, update));
    at->is_there = true;
out:
    return status;
}

/* A parameter before its update, which becomes it after; state as of cnn_ref_update(). */
typedef struct parameter {
    float value, gradient, states[CNN_OPTIMIZER_STATES];
    double slack; /* how far rounding may carry the new value */
} parameter;

static void update_one(parameter *at, const cnn_sentinel *sentinel, size_t index,
                       const cnn_plan_update_case *update)
{
    static const double few = 2.5e-7, share = 1e-5;
    const cnn_optimizer *optimizer = &sentinel->plan->optimizer;
    const float *factors = sentinel->groups.factors[sentinel->groups.members[index]];
    const cnn_ref_rule rule = {.optimizer = optimizer->class->kind,
                               .lr = update->lr * factors[0],
                               .momentum = optimizer->momentum,
                               .weight_decay = optimizer->weight_decay * factors[1],
                               .nesterov = sentinel->options->nesterov};
    bool sgd = rule.optimizer == CNN_OPTIMIZER_SGD;
    double before = at->value, size = 1.0; /* Adam's steps are of the rate's size */
    if (sgd)
        size = fabs((double)at->gradient) + fabs(rule.weight_decay * before) +
               fabs(rule.momentum * at->states[0]);
    cnn_ref_update(&at->value, optimizer->class->state_count > 0 ? &at->states[0] : NULL,
                   &at->states[1], &at->gradient, 1, &rule, update->step);
    at->slack = few * fabs(before) + share * (fabs(at->value - before) + rule.lr * size);
}

/* A value of the update: the parameter, a state, or the average. */
static cnn_sentinel_value make_value(const cnn_sentinel *sentinel, size_t index, double found,
                                     double expected, double slack)
{
    cnn_sentinel_value value = {.found = (float)found, .expected = {expected, slack}};
    snprintf(value.place, sizeof value.place, "number %zu of %zu", index,
             sentinel->plan->network->parameter_count);
    return value;
}

enum { PARAMETER, AVERAGE, STATE, TENSORS = STATE + CNN_OPTIMIZER_STATES };

/* One parameter's values of each tensor. before, after: of the stretch. */
static void compare_one(cnn_sentinel_value values[TENSORS], const cnn_sentinel *sentinel, size_t i,
                        const cnn_sentinel_update *before, const cnn_plan_update_case *update)
{
    static const double few = 1e-6;
    const cnn_sentinel_update *after = &sentinel->update;
    const cnn_optimizer *optimizer = &sentinel->plan->optimizer;
    size_t index = after->first + i;
    parameter at = {.value = before->parameters[i],
                    .gradient = (float)(before->clip * before->gradients[i])};
    for (int s = 0; s < CNN_OPTIMIZER_STATES; s++)
        at.states[s] = before->states[s][i];
    update_one(&at, sentinel, index, update);
    values[PARAMETER] =
        make_value(sentinel, index, after->parameters[i], at.value, at.slack);
    double keep = update->step <= 1 ? 1.0 : 1.0 - optimizer->ema, old = before->average[i];
    double new = after->parameters[i];
    values[AVERAGE] = make_value(sentinel, index, after->average[i], old + keep * (new - old),
                                 few * (fabs(old) + fabs(new)));
    for (int s = 0; s < CNN_OPTIMIZER_STATES; s++) {
        double g = fabs((double)at.gradient) + fabs(optimizer->weight_decay * before->parameters[i]);
        double size = fabs((double)before->states[s][i]) + (s == 0 ? g : g * g);
        values[STATE + s] = make_value(sentinel, index, after->states[s][i], at.states[s],
                                       (optimizer->clip_norm > 0.0 ? 1e-5 : few) * size);
    }
}

static cnn_status compare_update(cnn_sentinel *sentinel, const cnn_sentinel_update *before,
                                 const cnn_plan_update_case *update)
{
    const cnn_optimizer *optimizer = &sentinel->plan->optimizer;
    cnn_sentinel_value values[TENSORS];
    const char *names[TENSORS] = {[PARAMETER] = "the parameters",
                                  [AVERAGE] = optimizer->average.mem ? "the average" : NULL};
    cnn_status status = CNN_OK;
    for (int s = 0; s < optimizer->class->state_count; s++)
        names[STATE + s] = optimizer->class->states[s].title;
    for (size_t i = 0; i < before->count; i++) {
        compare_one(values, sentinel, i, before, update);
        for (int t = 0; t < TENSORS; t++)
            if (names[t])
                CNN_TRY(cnn_sentinel_judge(sentinel, "update", NULL, names[t], &values[t], 1, 0.0));
    }
out:
    return status;
}

cnn_status cnn_sentinel_after_update(cnn_sentinel *sentinel, const cnn_plan_update_case *update)
{
    cnn_status status = CNN_OK;
    if (!sentinel->update.is_there)
        return CNN_OK;
    cnn_sentinel_update before = sentinel->update;
    CNN_TRY(read_update(sentinel, NULL));
    status = compare_update(sentinel, &before, update);
out:
    return status;
}
