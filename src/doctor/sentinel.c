#include "doctor/sentinel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/plain.h"
#include "base/status.h"
#include "doctor/sentinel_case.h"

/* In each message of one, which other ranks are told. */
static const char verdict[] = " computes wrong in training step ";

size_t cnn_sentinel_draw(cnn_sentinel *sentinel, size_t count)
{
    uint32_t words[CNN_PHILOX_LANES];
    cnn_philox_block(words, sentinel->options->seed, CNN_STREAM_SENTINEL, sentinel->rank,
                     sentinel->training_step, (uint32_t)sentinel->drawn++);
    return (size_t)((((uint64_t)words[0] << 32) | words[1]) % count);
}

bool cnn_sentinel_takes(cnn_sentinel *sentinel, double cost)
{
    enum { PARTS = 1 << 24 };
    double drawn = (double)cnn_sentinel_draw(sentinel, PARTS) / PARTS;
    return drawn * cost < sentinel->budget;
}

cnn_status cnn_sentinel_read(float *values, const cnn_sentinel *sentinel, cl_mem mem, size_t first,
                             size_t count)
{
    const cnn_buffer buffer = {.device = sentinel->plan->device, .mem = mem};
    if (count == 0)
        return CNN_OK;
    return cnn_buffer_read(values, &buffer, first * sizeof *values, count * sizeof *values);
}

/* The row, and the message. */
static cnn_status tell(cnn_sentinel *sentinel, const char *phase, const cnn_sentinel_step *step,
                       const char *tensor, const cnn_sentinel_value *value, double limit)
{
    cnn_check *check = &sentinel->check;
    const cnn_device_info *info = &sentinel->result.info;
    char name[CNN_DOCTOR_NAME] = "", layers[CNN_DOCTOR_NAME] = "", where[64] = "", wrong[CNN_DOCTOR_WRONG];
    cnn_text command = {0};
    cnn_status status = CNN_OK;
    if (step) {
        cnn_step_names(name, layers, step->step);
        snprintf(where, sizeof where, ", step %d of %d of the plan", step->number + 1,
                 sentinel->plan->step_count);
    }
    cnn_format(wrong, sizeof wrong, "%s, %s: found %.9g, expected %.9g, at most %.3g away", tensor,
               value->place, (double)value->found, value->expected.value, limit);
    CNN_TRY(cnn_row_open(check, phase, name, layers, step ? step->step->op : NULL));
    check->row->error = fabs((double)value->found - value->expected.value) /
                        (fabs(value->expected.value) + limit);
    cnn_row_fail(check, "training step %" PRIu64 "%s: %s", sentinel->training_step, where, wrong);
    CNN_TRY(cnn_row_close(check, ""));
    cnn_doctor_append_command(&command, &sentinel->result);
    status = command.failed
                 ? cnn_fail_memory(command.length, "a message")
                 : cnn_fail(CNN_ERROR_ARITHMETIC,
                            "%s (%d:%d, driver %s)%s%" PRIu64 "%s: %s%s%s: %s; '%s' checks all of it",
                            info->name, info->platform, info->device, info->driver, verdict,
                            sentinel->training_step, where, phase, *layers ? " of " : "", layers,
                            wrong, command.data);
out:
    cnn_text_finish(&command);
    return status;
}

/* The size of a tensor's values, as far as they are known: where terms of all of them meet, as in
 * Winograd's transforms, their rounding is in each. */
static double find_size(const cnn_sentinel_value *values, int count)
{
    double squares = 0.0;
    for (int i = 0; i < count; i++)
        squares += values[i].expected.value * values[i].expected.value;
    return count > 0 ? sqrt(squares / count) : 0.0;
}

cnn_status cnn_sentinel_judge(cnn_sentinel *sentinel, const char *phase, const cnn_sentinel_step *step,
                              const char *tensor, const cnn_sentinel_value *values, int count,
                              double share)
{
    static const double largest = 0x1p126, smallest = 0x1p-120; /* what floats may lose */
    double floor = share * find_size(values, count) + smallest;
    for (int i = 0; i < count; i++) {
        cnn_ref_real expected = values[i].expected;
        double limit = expected.error + floor;
        /* Beyond floats' range nothing is promised, and the loss tells. */
        if (!(fabs(expected.value) + limit < largest))
            continue;
        if (!(fabs((double)values[i].found - expected.value) <= limit))
            return tell(sentinel, phase, step, tensor, &values[i], limit);
    }
    return CNN_OK;
}

static double count_multiplications(const cnn_network *network)
{
    double count = 0.0;
    for (int l = 0; l < network->layer_count; l++)
        count += cnn_layer_multiplications(&network->layers[l]);
    return count;
}

/* A share of a step's multiplications, forward and backward: plain C has one at once, where a device
 * has many. */
static double find_budget(const cnn_plan *plan)
{
    static const double least = 2e6, share = 1.0 / 1024.0;
    int whole = plan->options.whole > 0 ? plan->options.whole : plan->options.batch;
    return fmax(least, 3.0 * share * whole * count_multiplications(plan->network));
}

static cnn_status allocate(cnn_sentinel *sentinel)
{
    const cnn_network *network = sentinel->plan->network;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&sentinel->parameters, network->parameter_count, sizeof(float),
                         "a copy of the parameters"));
    CNN_TRY(cnn_allocate(&sentinel->gradients, network->parameter_count, sizeof(float),
                         "a copy of the gradients"));
    CNN_TRY(cnn_allocate(&sentinel->running, network->statistic_count, sizeof(float),
                         "a copy of the running statistics"));
    CNN_TRY(cnn_groups_init(&sentinel->groups, network, sentinel->plan->options.frozen,
                            sentinel->options));
    CNN_TRY(cnn_groups_scale(&sentinel->groups, network, sentinel->plan->options.frozen,
                             sentinel->options->lr_scale));
    CNN_TRY(cnn_network_arguments(&sentinel->result.network, network));
    status = cnn_update_arguments(&sentinel->result.update, sentinel->options);
out:
    return status;
}

cnn_status cnn_sentinel_create(cnn_sentinel **sentinel, cnn_plan *plan, int rank)
{
    const cnn_train_options *options = plan->options.trained;
    cnn_sentinel *made = NULL;
    cnn_status status = CNN_OK;
    *sentinel = NULL;
    if (!options || options->sentinel == 0)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&made, 1, sizeof *made, "a sentinel"));
    made->plan = plan;
    made->options = options;
    made->rank = (unsigned)rank;
    made->budget = find_budget(plan);
    made->result.info = plan->device->info;
    made->result.kernel_class = plan->device->kernel_class;
    made->result.batch = options->batch;
    made->check = (cnn_check){.device = plan->device, .result = &made->result, .part = "sentinel"};
    CNN_TRY(allocate(made));
    *sentinel = made;
    return CNN_OK;
out:
    cnn_sentinel_destroy(made);
    return status;
}

void cnn_sentinel_destroy(cnn_sentinel *sentinel)
{
    if (!sentinel)
        return;
    cnn_sentinel_forget_step(&sentinel->at);
    cnn_groups_finish(&sentinel->groups);
    cnn_doctor_device_finish(&sentinel->result);
    free(sentinel->parameters);
    free(sentinel->gradients);
    free(sentinel->running);
    free(sentinel);
}

/* Of the pass that is looked at. */
static cnn_status look_at_pass(cnn_sentinel *sentinel, cnn_watched moment, int step,
                               const cnn_pass *pass)
{
    if (moment == CNN_AFTER_LOSS)
        return cnn_sentinel_look_at_loss(sentinel, pass);
    if (step != sentinel->plan_step)
        return CNN_OK;
    switch (moment) {
    case CNN_BEFORE_FORWARD:
        return cnn_sentinel_before_forward(sentinel, step, pass);
    case CNN_AFTER_FORWARD:
        return cnn_sentinel_after_forward(sentinel);
    case CNN_BEFORE_BACKWARD:
        return cnn_sentinel_before_backward(sentinel);
    case CNN_AFTER_BACKWARD:
        return cnn_sentinel_after_backward(sentinel);
    default:
        return CNN_OK;
    }
}

static cnn_status look(void *user, cnn_watched moment, int step, const cnn_pass *pass,
                       const cnn_plan_update_case *update)
{
    cnn_sentinel *sentinel = user;
    if (moment == CNN_BEFORE_UPDATE)
        return cnn_sentinel_before_update(sentinel, update);
    if (moment == CNN_AFTER_UPDATE)
        return cnn_sentinel_after_update(sentinel, update);
    if (moment == CNN_BEFORE_FORWARD && step == 0)
        sentinel->pass++;
    return sentinel->pass == sentinel->wanted ? look_at_pass(sentinel, moment, step, pass) : CNN_OK;
}

void cnn_sentinel_begin(cnn_sentinel *sentinel, uint64_t step, int passes)
{
    if (!sentinel || (step + 1) % (uint64_t)sentinel->options->sentinel != 0)
        return;
    sentinel->training_step = step;
    sentinel->drawn = 0;
    sentinel->pass = -1;
    sentinel->wanted = passes > 0 ? (int)cnn_sentinel_draw(sentinel, (size_t)passes) : -1;
    sentinel->plan_step = (int)cnn_sentinel_draw(sentinel, (size_t)sentinel->plan->step_count);
    sentinel->update.is_there = false;
    sentinel->plan->watch = (cnn_watch){look, sentinel};
}

void cnn_sentinel_end(cnn_sentinel *sentinel)
{
    if (!sentinel)
        return;
    sentinel->plan->watch = (cnn_watch){0};
    cnn_sentinel_forget_step(&sentinel->at);
}

bool cnn_sentinel_is_verdict(const char *message)
{
    return strstr(message, verdict) != NULL;
}

cnn_status cnn_sentinel_report(char **text, const cnn_sentinel *sentinel)
{
    *text = NULL;
    if (!sentinel || sentinel->result.failures == 0)
        return CNN_OK;
    cnn_doctor_device result = sentinel->result;
    const cnn_doctor doctor = {.device_count = 1, .devices = &result};
    return cnn_doctor_report(text, &doctor, 0);
}
