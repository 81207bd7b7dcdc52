/* An update by the optimizer that training would take, beside plain C's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"
#include "doctor/check.h"

enum { STEP = 3, GRADIENTS = 0, PARAMETERS, AVERAGE, STATISTICS, STATISTICS_AVERAGE, STATES };
enum { MOST_TENSORS = STATES + CNN_OPTIMIZER_STATES };

static const double rate = 0.05;

/* One of the device's, and what plain C makes of the same values. */
typedef struct update_tensor {
    const char *name;
    const cnn_buffer *buffer; /* no memory: the optimizer does without */
    size_t count;
    double low, high; /* such as an optimizer finds in the midst of training */
    float *before, *values;
} update_tensor;

typedef struct update_case {
    cnn_check *check;
    cnn_plan *plan;
    cnn_train_options options;
    cnn_groups groups;
    update_tensor tensors[MOST_TENSORS];
} update_case;

static void name_tensors(update_case *at)
{
    cnn_optimizer *optimizer = &at->plan->optimizer;
    size_t count = optimizer->count, statistics = optimizer->statistic_count;
    const update_tensor all[] = {
        [GRADIENTS] = {"the gradients, which are read only", &at->plan->gradients, count, -1.0, 1.0,
                       NULL, NULL},
        [PARAMETERS] = {"the parameters", &at->plan->parameters, count, -0.5, 0.5, NULL, NULL},
        [AVERAGE] = {"the average", &optimizer->average, count, -0.5, 0.5, NULL, NULL},
        [STATISTICS] = {"the statistics, which are read only", &at->plan->statistics, statistics,
                        0.1, 1.0, NULL, NULL},
        [STATISTICS_AVERAGE] = {"the average of the statistics", &optimizer->statistics, statistics,
                                0.1, 1.0, NULL, NULL},
    };
    memcpy(at->tensors, all, sizeof all);
    for (int i = 0; i < optimizer->class->state_count; i++) {
        /* the second is a mean of squares */
        at->tensors[STATES + i] = (update_tensor){
            optimizer->class->states[i].title, &optimizer->states[i],   count,
            i == 0 ? -0.1 : 0.001,             i == 0 ? 0.1 : 0.01, NULL, NULL};
    }
}

static bool is_there(const update_tensor *tensor)
{
    return tensor->count > 0 && tensor->buffer && tensor->buffer->mem;
}

static cnn_status draw_tensors(update_case *at)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < MOST_TENSORS; i++) {
        update_tensor *tensor = &at->tensors[i];
        if (!is_there(tensor))
            continue;
        CNN_TRY(cnn_allocate(&tensor->before, tensor->count, sizeof(float), tensor->name));
        CNN_TRY(cnn_allocate(&tensor->values, tensor->count, sizeof(float), tensor->name));
        cnn_fill_uniform(tensor->before, tensor->count, tensor->low, tensor->high,
                         at->check->draw++);
        memcpy(tensor->values, tensor->before, tensor->count * sizeof(float));
    }
out:
    return status;
}

static cnn_status run_device(update_case *at)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_softmax_reset(&at->plan->softmax));
    for (int turn = cnn_row_turns(at->check); turn > 0; turn--) {
        for (int i = 0; i < MOST_TENSORS; i++)
            if (at->tensors[i].before)
                CNN_TRY(cnn_buffer_write(at->tensors[i].buffer, 0, at->tensors[i].before,
                                         at->tensors[i].count * sizeof(float)));
        cnn_row_start(at->check);
        CNN_TRY(cnn_plan_update(at->plan, rate, STEP));
        CNN_TRY(cnn_row_stop(at->check));
    }
out:
    return status;
}

static float *part_of(const update_case *at, int tensor, const cnn_param *param)
{
    float *values = at->tensors[tensor].values;
    return values ? values + param->offset : NULL;
}

/* Its parameters have the same share of the rate and of the decay. */
static void update_param(update_case *at, const float *gradients, const cnn_param *param)
{
    const cnn_optimizer *optimizer = &at->plan->optimizer;
    const float *factors = at->groups.factors[at->groups.members[param->offset]];
    const cnn_ref_rule rule = {.optimizer = optimizer->class->kind,
                               .lr = rate * factors[0],
                               .momentum = optimizer->momentum,
                               .weight_decay = optimizer->weight_decay * factors[1],
                               .nesterov = at->options.nesterov};
    cnn_ref_update(part_of(at, PARAMETERS, param), part_of(at, STATES, param),
                   part_of(at, STATES + 1, param), gradients + param->offset, param->count, &rule,
                   STEP);
}

static void follow(update_tensor *average, const update_tensor *values, double decay)
{
    for (size_t i = 0; average->values && i < average->count; i++)
        average->values[i] +=
            (float)((1.0 - decay) * ((double)values->values[i] - average->values[i]));
}

static cnn_status run_plain(update_case *at)
{
    const cnn_network *network = at->plan->network;
    const update_tensor *given = &at->tensors[GRADIENTS];
    float *gradients = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&gradients, given->count, sizeof *gradients, "the gradients"));
    memcpy(gradients, given->before, given->count * sizeof *gradients);
    if (at->options.clip_norm > 0.0)
        cnn_ref_clip(gradients, given->count, cnn_ref_norm(gradients, given->count),
                     at->options.clip_norm);
    for (int l = 0; l < network->layer_count; l++)
        for (int i = 0; i < network->layers[l].param_count; i++)
            update_param(at, gradients, &network->layers[l].params[i]);
    follow(&at->tensors[AVERAGE], &at->tensors[PARAMETERS], at->options.ema);
    follow(&at->tensors[STATISTICS_AVERAGE], &at->tensors[STATISTICS], at->options.ema);
out:
    free(gradients);
    return status;
}

static cnn_status compare(update_case *at)
{
    static const cnn_tolerance exact = {0.0, 0.0};
    cnn_status status = CNN_OK;
    for (int i = 0; i < MOST_TENSORS; i++) {
        update_tensor *tensor = &at->tensors[i];
        if (!tensor->before)
            continue;
        /* in the place of what was there before */
        CNN_TRY(cnn_buffer_read(tensor->before, tensor->buffer, 0, tensor->count * sizeof(float)));
        cnn_row_compare(at->check, tensor->name, tensor->before, tensor->values, tensor->count,
                        i == GRADIENTS || i == STATISTICS ? exact : cnn_forward_tolerance);
    }
out:
    return status;
}

static void finish(update_case *at)
{
    cnn_groups_finish(&at->groups);
    for (int i = 0; i < MOST_TENSORS; i++) {
        free(at->tensors[i].before);
        free(at->tensors[i].values);
    }
}

cnn_status cnn_check_update(cnn_check *check, cnn_plan *plan)
{
    update_case at = {.check = check, .plan = plan};
    char detail[sizeof plan->optimizer.update.options + 16];
    const char *flags = plan->optimizer.update.options;
    cnn_status status = CNN_OK;
    if (plan->options.trained)
        at.options = *plan->options.trained;
    CNN_TRY(cnn_row_open(check, "update", "", "", NULL));
    CNN_TRY(cnn_groups_init(&at.groups, plan->network, NULL, &at.options));
    CNN_TRY(cnn_groups_scale(&at.groups, plan->network, NULL, at.options.lr_scale));
    name_tensors(&at);
    CNN_TRY(draw_tensors(&at));
    CNN_TRY(run_device(&at));
    CNN_TRY(run_plain(&at));
    CNN_TRY(compare(&at));
    snprintf(detail, sizeof detail, "%s%s", *flags ? "built with " : "", flags);
    status = cnn_row_close(check, detail);
out:
    status = cnn_row_absorb(check, status);
    finish(&at);
    return status;
}

cnn_status cnn_update_arguments(char **text, const cnn_train_options *options)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"momentum", options->momentum},
                   {"weight-decay", options->weight_decay},
                   {"ema", options->ema},
                   {"clip-norm", options->clip_norm}};
    cnn_text words = {0};
    if (options->optimizer != CNN_OPTIMIZER_ADAM)
        cnn_text_append(&words, " --optimizer %s", cnn_optimizer_choose(options)->name);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char number[40];
        cnn_format(number, sizeof number, "%.9g", numbers[i].value);
        if (numbers[i].value != 0.0)
            cnn_text_append(&words, " --%s %s", numbers[i].name, number);
    }
    cnn_text_append(&words, "%s%s", options->nesterov ? " --nesterov" : "",
                    options->decay_all ? " --decay-all" : "");
    return cnn_text_take(text, &words);
}
