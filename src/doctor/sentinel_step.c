/* A step of the plan as a sentinel sees it: what it reads, what it makes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/sentinel_case.h"
#include "ref/window.h"

void cnn_sentinel_forget_step(cnn_sentinel_step *at)
{
    cnn_ref_points_destroy(at->points);
    for (int i = 0; at->x && i < at->step->input_count; i++)
        free(at->x[i]);
    free(at->x);
    free(at->dy);
    free(at->numbers);
    free(at->found);
    free(at->before);
    *at = (cnn_sentinel_step){0};
}

/* A packed sample's kept channels go to their places; dropped ones become zero. values: (H, W, C);
 * room: as many. */
static void unpack(float *values, float *room, const cnn_layer *dropout, cnn_shape shape, int number,
                   const cnn_pass *pass)
{
    size_t pixels = (size_t)shape.h * (size_t)shape.w, channels = (size_t)shape.c, kept = 0;
    memcpy(room, values, pixels * channels * sizeof *values);
    memset(values, 0, pixels * channels * sizeof *values);
    for (int c = 0; c < shape.c; c++)
        kept += cnn_ref_is_kept(dropout, number, c, 0, 0, pass->seed, pass->step);
    size_t rank = 0;
    for (int c = 0; c < shape.c; c++) {
        if (!cnn_ref_is_kept(dropout, number, c, 0, 0, pass->seed, pass->step))
            continue;
        for (size_t pixel = 0; pixel < pixels; pixel++)
            values[pixel * channels + (size_t)c] = room[pixel * kept + rank];
        rank++;
    }
}

/* An activation or a gradient of the samples that are looked at, (count, H, W, C); slots: which of
 * those that are read, NULL for all. dropout: by which they are packed; NULL: they are not. Freed by the
 * caller. */
static cnn_status fetch(float **values, const cnn_sentinel *sentinel, cl_mem mem, cnn_shape shape,
                        const int *slots, int count, const cnn_layer *dropout)
{
    const cnn_sentinel_step *at = &sentinel->at;
    size_t each = cnn_shape_count(shape);
    float *room = NULL;
    bool all = !slots && count == at->pass.n;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(values, (size_t)count * each, sizeof **values, "a step's values"));
    CNN_TRY(cnn_allocate(&room, each, sizeof *room, "a sample's values"));
    if (all)
        CNN_TRY(cnn_sentinel_read(*values, sentinel, mem, 0, (size_t)count * each));
    for (int i = 0; i < count; i++) {
        int number = at->numbers[slots ? slots[i] : i];
        float *mine = *values + (size_t)i * each;
        size_t place = (size_t)(number - at->pass.before);
        if (!all)
            CNN_TRY(cnn_sentinel_read(mine, sentinel, mem, place * each, each));
        if (dropout)
            unpack(mine, room, dropout, shape, number, &at->pass);
    }
out:
    free(room);
    return status;
}

/* All samples of the pass, or those that values are drawn of alone. */
static cnn_status choose_samples(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    int n = at->pass.n, most = n < CNN_SENTINEL_SAMPLES ? n : CNN_SENTINEL_SAMPLES;
    /* a batch norm that leaves no sums needs all for a gradient, too */
    bool sums = at->norm >= 0 && !at->step->op->layers[at->norm]->options.norm.affine;
    bool all = at->trained >= 0 || at->statistics || sums || n == most;
    at->n = all ? n : most;
    at->chosen_count = most;
    cnn_status status = cnn_allocate(&at->numbers, (size_t)at->n, sizeof(int), "samples");
    for (int i = 0; status == CNN_OK && i < at->n; i++)
        at->numbers[i] =
            at->pass.before + (all ? i : (int)cnn_sentinel_draw(sentinel, (size_t)n));
    for (int i = 0; i < most; i++)
        at->chosen[i] = all ? (int)cnn_sentinel_draw(sentinel, (size_t)n) : i;
    return status;
}

static const cnn_layer *input_dropout(const cnn_sentinel *sentinel, int input)
{
    const cnn_step *step = sentinel->at.step;
    if (input > 0 || step->input_masks < 0)
        return NULL;
    return &sentinel->plan->network->layers[step->inputs[0] - 1];
}

static cnn_status read_inputs(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_step *step = at->step;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at->x, (size_t)step->input_count, sizeof *at->x, "a step's inputs"));
    for (int i = 0; i < step->input_count; i++)
        CNN_TRY(fetch(&at->x[i], sentinel, step->mems[i],
                      cnn_network_value_shape(sentinel->plan->network, step->inputs[i]), NULL, at->n,
                      step->input_packed ? input_dropout(sentinel, i) : NULL));
out:
    return status;
}

/* A flat buffer's part of the step's layers. */
static cnn_status read_parameters(float *values, const cnn_sentinel *sentinel, cl_mem mem)
{
    const cnn_op *op = sentinel->at.step->op;
    cnn_status status = CNN_OK;
    for (int l = 0; l < op->layer_count; l++)
        for (int i = 0; i < op->layers[l]->param_count; i++) {
            const cnn_param *param = &op->layers[l]->params[i];
            CNN_TRY(cnn_sentinel_read(values + param->offset, sentinel, mem, param->offset,
                                      param->count));
        }
out:
    return status;
}

static cnn_status read_running(const cnn_sentinel *sentinel)
{
    const cnn_op *op = sentinel->at.step->op;
    cnn_status status = CNN_OK;
    for (int l = 0; l < op->layer_count; l++) {
        size_t offset = op->layers[l]->statistic_offset;
        if (op->layers[l]->statistic_count > 0)
            CNN_TRY(cnn_sentinel_read(sentinel->running + offset, sentinel,
                                      sentinel->plan->statistics.mem, offset,
                                      2 * (size_t)op->layers[l]->in.c));
    }
out:
    return status;
}

static cnn_status create_points(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_op *op = at->step->op;
    at->chain = (cnn_ref_chain){.layers = op->layers,
                                .count = op->layer_count,
                                .frozen = sentinel->plan->options.frozen,
                                .parameters = sentinel->parameters,
                                .running = sentinel->running,
                                .n = at->n,
                                .samples = at->numbers,
                                .whole = at->pass.n,
                                .seed = at->pass.seed,
                                .step = at->pass.step,
                                .x = (const float *const *)at->x};
    return cnn_ref_points_create(&at->points, &at->chain);
}

cnn_status cnn_sentinel_before_forward(cnn_sentinel *sentinel, int step, const cnn_pass *pass)
{
    cnn_sentinel_step *at = &sentinel->at;
    cnn_status status = CNN_OK;
    cnn_sentinel_forget_step(at);
    at->step = &sentinel->plan->steps[step];
    at->number = step;
    at->pass = *pass;
    cnn_sentinel_choose(sentinel);
    CNN_TRY(choose_samples(sentinel));
    CNN_TRY(read_inputs(sentinel));
    CNN_TRY(read_parameters(sentinel->parameters, sentinel, sentinel->plan->parameters.mem));
    CNN_TRY(read_running(sentinel));
    if (at->norm >= 0) {
        const cnn_layer *norm = at->step->op->layers[at->norm];
        size_t pair = 2 * (size_t)norm->in.c;
        CNN_TRY(cnn_allocate(&at->found, pair, sizeof(float), "statistics"));
        CNN_TRY(cnn_allocate(&at->before, pair, sizeof(float), "statistics"));
        memcpy(at->before, sentinel->running + norm->statistic_offset, pair * sizeof(float));
    }
    status = create_points(sentinel);
out:
    return status;
}

static cnn_sentinel_value value_of(float found, cnn_ref_real expected, const char *what, int channel)
{
    cnn_sentinel_value value = {.found = found, .expected = expected};
    snprintf(value.place, sizeof value.place, "%schannel %d", what, channel);
    return value;
}

/* The channel's statistics, as they are kept for backward, and how they move the running ones. */
static cnn_status compare_statistics(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_layer *layer = at->step->op->layers[at->norm];
    const float *after = sentinel->running + layer->statistic_offset;
    int c = at->channel, channels = layer->in.c;
    double momentum = layer->options.norm.momentum, rest = 1.0 - momentum;
    double count = (double)at->pass.n * layer->in.h * layer->in.w;
    double unbiased = count > 1.0 ? count / (count - 1.0) : 1.0;
    cnn_ref_real mean, variance;
    cnn_ref_point_statistics(&mean, &variance, at->points, at->norm, c);
    double whole = variance.value + layer->options.norm.eps;
    cnn_ref_real inverse = {1.0 / sqrt(whole), (variance.error / whole + 1e-6) / sqrt(whole)};
    cnn_ref_real moved_mean = {rest * at->before[c] + momentum * mean.value,
                               momentum * mean.error + 1e-6 * (fabs((double)at->before[c]) + fabs(mean.value))};
    double old = at->before[channels + c], new = unbiased * variance.value;
    cnn_ref_real moved_variance = {rest * old + momentum * new,
                                   momentum * unbiased * variance.error + 1e-6 * (fabs(old) + new)};
    const cnn_sentinel_value values[] = {
        value_of(at->found[c], mean, "mean of ", c),
        value_of(at->found[channels + c], inverse, "inverse deviation of ", c),
        value_of(after[c], moved_mean, "running mean of ", c),
        value_of(after[channels + c], moved_variance, "running variance of ", c)};
    cnn_status status = CNN_OK;
    if (whole - layer->options.norm.eps < variance.error) /* one over next to nothing */
        return CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < sizeof values / sizeof values[0]; i++)
        status = cnn_sentinel_judge(sentinel, "forward", at, "the statistics", &values[i], 1, 0.0);
    return status;
}

/* A place of a tensor, drawn; slot: of the samples that are chosen. */
static cnn_ref_spot draw_spot(cnn_sentinel *sentinel, cnn_shape shape, int slot)
{
    cnn_ref_spot spot = {.sample = sentinel->at.chosen[slot]};
    spot.c = (int)cnn_sentinel_draw(sentinel, (size_t)shape.c);
    spot.h = (int)cnn_sentinel_draw(sentinel, (size_t)shape.h);
    spot.w = (int)cnn_sentinel_draw(sentinel, (size_t)shape.w);
    return spot;
}

static void describe_spot(cnn_sentinel_value *value, const cnn_sentinel *sentinel, cnn_ref_spot spot)
{
    snprintf(value->place, sizeof value->place, "sample %d, channel %d, row %d, column %d",
             sentinel->at.numbers[spot.sample], spot.c, spot.h, spot.w);
}

/* Among the values of the chosen samples. */
static size_t index_of(cnn_shape shape, int slot, cnn_ref_spot spot)
{
    size_t pixel = ((size_t)slot * (size_t)shape.h + (size_t)spot.h) * (size_t)shape.w;
    return (pixel + (size_t)spot.w) * (size_t)shape.c + (size_t)spot.c;
}

static cnn_status compare_output(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_layer *last = cnn_op_last_layer(at->step->op);
    cnn_sentinel_value values[CNN_SENTINEL_VALUES];
    float *found = NULL;
    int count = cnn_sentinel_count_outputs(sentinel);
    cnn_status status = CNN_OK;
    CNN_TRY(fetch(&found, sentinel, at->step->memory.output, last->out, at->chosen, at->chosen_count,
                  at->step->output_packed ? last : NULL));
    for (int i = 0; i < count; i++) {
        int slot = i % at->chosen_count;
        cnn_ref_spot spot = draw_spot(sentinel, last->out, slot);
        describe_spot(&values[i], sentinel, spot);
        values[i].found = found[index_of(last->out, slot, spot)];
        values[i].expected = cnn_ref_point_value(at->points, at->chain.count - 1, spot);
    }
    status = cnn_sentinel_judge(sentinel, "forward", at, "the output", values, count,
                                cnn_forward_tolerance.relative);
out:
    free(found);
    return status;
}

static cnn_status check_memory(const cnn_sentinel_step *at)
{
    return cnn_ref_points_failed(at->points) ? cnn_fail(CNN_ERROR_MEMORY, "out of memory for the values "
                                                                          "of a step in plain C")
                                             : CNN_OK;
}

cnn_status cnn_sentinel_after_forward(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    cnn_status status = CNN_OK;
    if (at->norm >= 0) {
        int channels = at->step->op->layers[at->norm]->in.c;
        CNN_TRY(cnn_sentinel_read(at->found, sentinel, at->step->memory.saved, 0,
                                  2 * (size_t)channels));
        CNN_TRY(read_running(sentinel));
        at->chain.mean = at->found;
        at->chain.inverse_std = at->found + channels;
    }
    if (at->statistics)
        CNN_TRY(compare_statistics(sentinel));
    CNN_TRY(compare_output(sentinel));
    status = check_memory(at);
out:
    return status;
}

cnn_status cnn_sentinel_before_backward(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_layer *last = cnn_op_last_layer(at->step->op);
    cnn_status status = fetch(&at->dy, sentinel, at->step->memory.output_gradient, last->out, NULL,
                              at->n, at->step->output_packed ? last : NULL);
    at->chain.dy = at->dy;
    return status;
}

/* Values of the channel; of a weight, of different ones. */
static cnn_status compare_parameter(cnn_sentinel *sentinel, int param)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_layer *layer = at->step->op->layers[at->trained];
    const cnn_param *tensor = &layer->params[param];
    size_t each = tensor->count / (size_t)tensor->shape[0], first = (size_t)at->channel * each;
    cnn_sentinel_value values[CNN_SENTINEL_VALUES];
    char name[CNN_DOCTOR_NAME];
    int count = each < CNN_SENTINEL_VALUES ? (int)each : CNN_SENTINEL_VALUES;
    for (int i = 0; i < count; i++) {
        size_t index = first + cnn_sentinel_draw(sentinel, each);
        snprintf(values[i].place, sizeof values[i].place, "number %zu of %zu", index, tensor->count);
        values[i].found = sentinel->gradients[tensor->offset + index];
        values[i].expected =
            cnn_ref_point_parameter_gradient(at->points, at->trained, param, index);
    }
    snprintf(name, sizeof name, "the gradient of %s.%s", layer->name, tensor->suffix);
    return cnn_sentinel_judge(sentinel, "backward", at, name, values, count,
                              cnn_forward_tolerance.relative);
}

/* What becomes of the gradient of a dropped channel is the dropout's before. */
static bool is_dropped(const cnn_sentinel *sentinel, int input, cnn_ref_spot spot)
{
    const cnn_sentinel_step *at = &sentinel->at;
    const cnn_layer *dropout = input_dropout(sentinel, input);
    return dropout && !cnn_ref_is_kept(dropout, at->numbers[spot.sample], spot.c, 0, 0, at->pass.seed,
                                       at->pass.step);
}

static cnn_status compare_input_gradient(cnn_sentinel *sentinel, int input)
{
    cnn_sentinel_step *at = &sentinel->at;
    const cnn_step *step = at->step;
    cnn_shape shape = cnn_network_value_shape(sentinel->plan->network, step->inputs[input]);
    cnn_sentinel_value values[CNN_SENTINEL_VALUES];
    float *found = NULL;
    int wanted = cnn_sentinel_count_gradients(sentinel), count = 0;
    cnn_status status = CNN_OK;
    if (wanted == 0)
        return CNN_OK;
    CNN_TRY(fetch(&found, sentinel, step->mems[step->input_count + input], shape, at->chosen,
                  at->chosen_count, step->input_packed ? input_dropout(sentinel, input) : NULL));
    for (int i = 0; i < wanted; i++) {
        int slot = i % at->chosen_count;
        cnn_ref_spot spot = draw_spot(sentinel, shape, slot);
        if (is_dropped(sentinel, input, spot))
            continue;
        describe_spot(&values[count], sentinel, spot);
        values[count].found = found[index_of(shape, slot, spot)];
        values[count++].expected = cnn_ref_point_input_gradient(at->points, input, spot);
    }
    status = cnn_sentinel_judge(sentinel, "backward", at, "the gradient of the input", values, count,
                                cnn_forward_tolerance.relative);
out:
    free(found);
    return status;
}

cnn_status cnn_sentinel_after_backward(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    cnn_status status = CNN_OK;
    CNN_TRY(read_parameters(sentinel->gradients, sentinel, sentinel->plan->gradients.mem));
    at->chain.gradients = sentinel->gradients;
    for (int i = 0; i < at->step->input_count; i++)
        if (at->step->input_gradients[i] >= 0)
            CNN_TRY(compare_input_gradient(sentinel, i));
    for (int i = 0; at->trained >= 0 && i < at->step->op->layers[at->trained]->param_count; i++)
        CNN_TRY(compare_parameter(sentinel, i));
    status = check_memory(at);
out:
    cnn_sentinel_forget_step(at);
    return status;
}
