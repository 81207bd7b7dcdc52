/* One training step of a device beside plain C's from the same state: the loss, the gradients of
 * all parameters, the running statistics, and the update that the device's gradients lead to. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/trace_case.h"

/* Rounding goes through the whole network. */
static const cnn_tolerance loss_tolerance = {1e-4, 1e-6}, gradient_tolerance = {1e-3, 1e-7},
                           statistic_tolerance = {1e-4, 1e-7}, update_tolerance = {1e-5, 1e-12};

cnn_status cnn_trace_open(cnn_trace_case *at)
{
    const cnn_network *network = at->model->network;
    size_t count = network->parameter_count, n = (size_t)at->n;
    float **const flat[] = {&at->values.gradients, &at->values.moved, &at->values.spread,
                            &at->values.m,         &at->values.v,     &at->values.found};
    float **const statistics[] = {&at->statistics, &at->moved_statistics, &at->statistic_spread};
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < sizeof flat / sizeof flat[0]; i++)
        CNN_TRY(cnn_allocate(flat[i], count, sizeof(float), "a step's values"));
    for (size_t i = 0; i < sizeof statistics / sizeof statistics[0]; i++)
        CNN_TRY(cnn_allocate(statistics[i], network->statistic_count, sizeof(float), "statistics"));
    CNN_TRY(cnn_allocate(&at->x, n * at->image, sizeof(float), "a batch"));
    CNN_TRY(cnn_allocate(&at->moved_x, n * at->image, sizeof(float), "a batch"));
    CNN_TRY(cnn_allocate(&at->logits, n * (size_t)network->classes, sizeof(float), "logits"));
out:
    return status;
}

void cnn_trace_close(cnn_trace_case *at)
{
    const cnn_trace_values *values = &at->values;
    float *const all[] = {
        values->gradients, values->moved, values->spread,       values->m,
        values->v,         values->found, at->statistics,       at->x,
        at->moved_x,       at->logits,    at->moved_statistics, at->statistic_spread};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

cnn_status cnn_trace_before(cnn_trace_case *at)
{
    const cnn_plan *plan = at->plan;
    size_t bytes = at->model->network->parameter_count * sizeof(float);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_download(at->model->parameters, at->model->statistics, plan));
    CNN_TRY(cnn_buffer_read(at->values.m, &plan->optimizer.states[0], 0, bytes));
    status = cnn_buffer_read(at->values.v, &plan->optimizer.states[1], 0, bytes);
out:
    return status;
}

/* Plain C's step; statistics: what the model's become, which stay. */
static cnn_status run_plain(double *loss, float *gradients, float *statistics, cnn_trace_case *at,
                            const float *x, size_t step, const cnn_ref_hook *hook)
{
    cnn_model *model = at->model;
    size_t bytes = model->network->statistic_count * sizeof(float);
    const uint16_t *labels = at->labels + step % CNN_TRACE_BATCHES * (size_t)at->n;
    const cnn_ref_pass pass = {true, cnn_trace_seed, step, hook};
    float *before = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&before, model->network->statistic_count, sizeof *before, "statistics"));
    memcpy(before, model->statistics, bytes);
    memset(gradients, 0, model->network->parameter_count * sizeof *gradients);
    CNN_TRY(cnn_ref_network(at->logits, loss, gradients, model, x, labels, at->n, pass));
    memcpy(statistics, model->statistics, bytes);
    memcpy(model->statistics, before, bytes);
out:
    free(before);
    return status;
}

/* How far rounding carries this step's results. */
static cnn_status shake(cnn_trace_case *at, size_t step)
{
    const cnn_network *network = at->model->network;
    cnn_shake turn = {0};
    const cnn_layer **layers = NULL;
    double multiplications = 0.0, loss;
    cnn_status status = CNN_OK;
    if (at->shaken)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&layers, (size_t)network->layer_count, sizeof *layers, "the layers"));
    for (int l = 0; l < network->layer_count; l++)
        layers[l] = &network->layers[l];
    at->shaken = true;
    at->loss_spread = 0.0;
    memset(at->values.spread, 0, network->parameter_count * sizeof(float));
    memset(at->statistic_spread, 0, network->statistic_count * sizeof(float));
    for (int l = 0; l < network->layer_count; l++)
        multiplications += at->n * cnn_layer_multiplications(&network->layers[l]);
    for (int i = 0; i < cnn_shake_turns(multiplications); i++) {
        CNN_TRY(cnn_shake_begin(&turn, at->model, layers, network->layer_count, at->n, i));
        cnn_shake_values(at->moved_x, &turn, at->x, (size_t)at->n * at->image);
        CNN_TRY(run_plain(&loss, at->values.moved, at->moved_statistics, at, at->moved_x, step,
                          &turn.hook));
        at->loss_spread = fmax(at->loss_spread, fabs(loss - at->loss));
        cnn_shake_widen(at->values.spread, at->values.moved, at->values.gradients,
                        network->parameter_count);
        cnn_shake_widen(at->statistic_spread, at->moved_statistics, at->statistics,
                        network->statistic_count);
        cnn_shake_end(&turn);
    }
out:
    free(layers);
    cnn_shake_end(&turn);
    return status;
}

static cnn_status compare_loss(cnn_trace_case *at, size_t step)
{
    char tensor[CNN_DOCTOR_NAME];
    float found, expected = (float)at->loss;
    uint32_t hits;
    int bad;
    cnn_tolerance tolerance = loss_tolerance;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_softmax_read(&found, &hits, &bad, &at->plan->softmax, step, 1));
    if (!cnn_is_close(&found, &expected, 1, tolerance)) {
        CNN_TRY(shake(at, step));
        tolerance.floor = fmax(tolerance.floor, at->loss_spread);
    }
    snprintf(tensor, sizeof tensor, "the losses of the steps go astray: that of step %zu", step);
    cnn_row_compare(at->check, tensor, &found, &expected, 1, tolerance);
out:
    return status;
}

static cnn_status compare_param(cnn_trace_case *at, size_t step, const cnn_layer *layer,
                                const cnn_param *param)
{
    char tensor[CNN_DOCTOR_NAME];
    const cnn_trace_values *values = &at->values;
    const float *found = values->found + param->offset;
    const float *expected = values->gradients + param->offset;
    cnn_tolerance tolerance = cnn_long_tolerance(gradient_tolerance, 0.0);
    cnn_status status = CNN_OK;
    if (!cnn_is_close(found, expected, param->count, tolerance)) {
        CNN_TRY(shake(at, step));
        tolerance.floor = fmax(tolerance.floor,
                               cnn_root_mean_square(values->spread + param->offset, param->count));
    }
    snprintf(tensor, sizeof tensor,
             "the losses of the steps go astray: step %zu, gradient of %s.%s", step, layer->name,
             param->suffix);
    cnn_row_compare(at->check, tensor, found, expected, param->count, tolerance);
out:
    return status;
}

static cnn_status compare_gradients(cnn_trace_case *at, size_t step)
{
    const cnn_network *network = at->model->network;
    const cnn_plan *plan = at->plan;
    const cnn_buffer *made = plan->optimizer.sum.mem ? &plan->optimizer.sum : &plan->gradients;
    cnn_status status =
        cnn_buffer_read(at->values.found, made, 0, network->parameter_count * sizeof(float));
    for (int l = 0; l < network->layer_count; l++)
        for (int i = 0; status == CNN_OK && i < network->layers[l].param_count; i++)
            status = compare_param(at, step, &network->layers[l], &network->layers[l].params[i]);
    return status;
}

/* What the device's own gradients lead to. */
static cnn_status compare_update(cnn_trace_case *at, size_t step)
{
    const cnn_plan *plan = at->plan;
    float *found = at->values.found;
    const struct {
        const char *name;
        const cnn_buffer *buffer;
        const float *expected;
    } all[] = {{"first moments", &plan->optimizer.states[0], at->values.m},
               {"second moments", &plan->optimizer.states[1], at->values.v},
               {"parameters", &plan->parameters, at->model->parameters}};
    size_t count = at->model->network->parameter_count;
    cnn_status status = CNN_OK;
    cnn_ref_adam(at->model->parameters, at->values.m, at->values.v, found, count, cnn_trace_lr,
                 step + 1);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char tensor[CNN_DOCTOR_NAME];
        CNN_TRY(cnn_buffer_read(found, all[i].buffer, 0, count * sizeof(float)));
        snprintf(tensor, sizeof tensor, "the %s after step %zu", all[i].name, step);
        cnn_row_compare(at->check, tensor, found, all[i].expected, count, update_tolerance);
    }
out:
    return status;
}

static cnn_status compare_statistics(cnn_trace_case *at, size_t step)
{
    size_t count = at->model->network->statistic_count;
    cnn_tolerance tolerance = statistic_tolerance;
    float *found = at->moved_statistics;
    cnn_status status = cnn_buffer_read(found, &at->plan->statistics, 0, count * sizeof(float));
    if (status != CNN_OK || cnn_is_close(found, at->statistics, count, tolerance))
        return status;
    CNN_TRY(shake(at, step)); /* which takes what is found for room */
    CNN_TRY(cnn_buffer_read(found, &at->plan->statistics, 0, count * sizeof(float)));
    tolerance.floor = fmax(tolerance.floor, cnn_root_mean_square(at->statistic_spread, count));
    cnn_row_compare(at->check, "the running statistics", found, at->statistics, count, tolerance);
out:
    return status;
}

cnn_status cnn_trace_after(cnn_trace_case *at, size_t step)
{
    size_t count = (size_t)at->n * at->image, first = step % CNN_TRACE_BATCHES * count;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < count; i++)
        at->x[i] = (float)at->images[first + i] / 255.0f;
    at->shaken = false;
    CNN_TRY(run_plain(&at->loss, at->values.gradients, at->statistics, at, at->x, step, NULL));
    CNN_TRY(compare_loss(at, step));
    CNN_TRY(compare_statistics(at, step));
    CNN_TRY(compare_gradients(at, step));
    status = compare_update(at, step); /* the last: it moves the model */
out:
    return status;
}
