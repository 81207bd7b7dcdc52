/* Some training steps of a fresh network, the plan as it is, and their losses in plain C. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/status.h"
#include "doctor/check.h"

static const double lr = 1e-3;
static const uint64_t seed = 7;

/* Errors add up, and Adam magnifies those of small gradients. */
static const cnn_tolerance tolerance = {1e-3, 0.0};

enum {
    BATCHES = 3, /* of different samples, taken in turn */
    MOST_SAMPLES = 4
};

typedef struct trace_case {
    cnn_check *check;
    cnn_model *model; /* fresh */
    cnn_plan *plan;
    int n, steps;
    size_t image;
    uint8_t *images;  /* (BATCHES n) */
    uint16_t *labels; /* (BATCHES n) */
    cnn_buffer device_images, device_labels;
} trace_case;

static cnn_status make_data(trace_case *at)
{
    const cnn_network *network = at->model->network;
    size_t samples = BATCHES * (size_t)at->n;
    cnn_status status = CNN_OK;
    at->image = cnn_shape_count(network->layers[0].in);
    CNN_TRY(cnn_allocate(&at->images, samples * at->image, 1, "random images"));
    CNN_TRY(cnn_allocate(&at->labels, samples, sizeof *at->labels, "random labels"));
    /* The same draws for every plan. */
    cnn_fill_bytes(at->images, samples * at->image, 256, UINT64_MAX);
    cnn_fill_labels(at->labels, samples, (uint32_t)network->config.ydim, UINT64_MAX - 1);
out:
    return status;
}

/* One step of plain C on a batch. */
static cnn_status step_reference(double *loss, trace_case *at, float *const moments[2],
                                 float *gradients, float *x, float *logits, size_t step)
{
    size_t count = (size_t)at->n * at->image, first = step % BATCHES * count;
    const cnn_ref_pass pass = {true, seed, step};
    for (size_t i = 0; i < count; i++)
        x[i] = (float)at->images[first + i] / 255.0f;
    cnn_status status = cnn_ref_network(logits, loss, gradients, at->model, x,
                                        at->labels + step % BATCHES * (size_t)at->n, at->n, pass);
    if (status == CNN_OK)
        cnn_ref_adam(at->model->parameters, moments[0], moments[1], gradients,
                     at->model->network->parameter_count, lr, step + 1);
    return status;
}

/* Trains a model of its own. */
static cnn_status run_reference(double *losses, const trace_case *device)
{
    const cnn_network *network = device->model->network;
    trace_case at = *device;
    size_t n = (size_t)at.n, count = network->parameter_count;
    float *moments[2] = {NULL}, *gradients = NULL, *x = NULL, *logits = NULL;
    cnn_status status = cnn_model_create(&at.model, &network->config, seed);
    if (status != CNN_OK)
        return status;
    CNN_TRY(cnn_allocate(&moments[0], count, sizeof(float), "moments"));
    CNN_TRY(cnn_allocate(&moments[1], count, sizeof(float), "moments"));
    CNN_TRY(cnn_allocate(&gradients, count, sizeof(float), "gradients"));
    CNN_TRY(cnn_allocate(&x, n * at.image, sizeof(float), "a batch"));
    CNN_TRY(cnn_allocate(&logits, n * (size_t)network->config.ydim, sizeof(float), "logits"));
    for (size_t i = 0; i < (size_t)at.steps; i++)
        CNN_TRY(step_reference(&losses[i], &at, moments, gradients, x, logits, i));
out:
    free(moments[0]);
    free(moments[1]);
    free(gradients);
    free(x);
    free(logits);
    cnn_model_destroy(at.model);
    return status;
}

/* The plan's memory is NaN but for the values that it begins with. */
static cnn_status prepare(trace_case *at, cnn_plan_kind kind)
{
    const cnn_plan_options options = {.batch = kind.pieces ? at->n - 1 : at->n,
                                      .training = true,
                                      .fuse = kind.fuse,
                                      .slots = (size_t)at->steps,
                                      .whole = kind.pieces ? at->n : 0};
    cnn_device *device = at->check->device;
    size_t samples = BATCHES * (size_t)at->n;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_create(&at->plan, device, at->model->network, options));
    for (int i = 0; i < at->plan->buffer_count; i++)
        CNN_TRY(cnn_buffer_wipe(&at->plan->buffers[i]));
    CNN_TRY(cnn_buffer_wipe(&at->plan->scratch));
    CNN_TRY(cnn_buffer_wipe(&at->plan->gradients));
    CNN_TRY(cnn_plan_upload(at->plan, at->model));
    CNN_TRY(cnn_buffer_init(&at->device_images, device, samples * at->image, "the images"));
    CNN_TRY(
        cnn_buffer_init(&at->device_labels, device, samples * sizeof *at->labels, "the labels"));
    CNN_TRY(cnn_buffer_write(&at->device_images, 0, at->images, samples * at->image));
    status = cnn_buffer_write(&at->device_labels, 0, at->labels, samples * sizeof *at->labels);
out:
    return status;
}

static cnn_status run_piece(trace_case *at, const cnn_pass *pass)
{
    const cnn_gather_source source = {at->device_images.mem, at->device_labels.mem, NULL};
    size_t first = pass->step % BATCHES * (size_t)at->n + (size_t)pass->before;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_gather(at->plan, &source, (uint32_t)first, pass->n));
    CNN_TRY(cnn_plan_forward(at->plan, pass));
    CNN_TRY(cnn_plan_loss(at->plan, pass, (size_t)pass->step));
    status = cnn_plan_backward(at->plan, pass);
out:
    return status;
}

static cnn_status step_device(trace_case *at, size_t step)
{
    cnn_pass pass = {.training = true, .seed = seed, .step = step};
    int piece = at->plan->options.batch;
    cnn_status status = CNN_OK;
    do {
        pass.before += pass.n;
        int left = at->n - pass.before;
        pass.n = left < piece ? left : piece;
        pass.after = left - pass.n;
        CNN_TRY(run_piece(at, &pass));
    } while (pass.after > 0);
    CNN_TRY(cnn_plan_update(at->plan, lr, step + 1));
    status = cnn_device_finish(at->check->device);
out:
    return status;
}

static cnn_status compare(trace_case *at, const double *losses)
{
    float found[CNN_TRACE_STEPS], expected[CNN_TRACE_STEPS];
    uint32_t hits[CNN_TRACE_STEPS];
    int bad;
    cnn_status status =
        cnn_softmax_read(found, hits, &bad, &at->plan->softmax, 0, (size_t)at->steps);
    if (status != CNN_OK)
        return status;
    for (int i = 0; i < at->steps; i++)
        expected[i] = (float)losses[i];
    if (bad >= 0)
        cnn_row_fail(at->check, "the loss of step %d is not finite", bad);
    cnn_row_compare(at->check, "the losses of the steps", found, expected, (size_t)at->steps,
                    tolerance);
    return CNN_OK;
}

cnn_status cnn_check_trace(cnn_check *check, double *losses, cnn_plan_kind kind, int steps)
{
    static const char *const names[2][2] = {{"plain", "plain, batches in pieces"},
                                            {"fused", "batches in pieces"}};
    trace_case at = {.check = check, .steps = steps};
    char name[CNN_DOCTOR_NAME];
    cnn_status status = CNN_OK;
    at.n = check->n < MOST_SAMPLES ? check->n : MOST_SAMPLES;
    if (kind.pieces && check->model->network->statistic_count > 0)
        return CNN_OK; /* batch norm wants whole batches */
    check->part = "trace";
    snprintf(name, sizeof name, "%d steps, %s", steps, names[kind.fuse][kind.pieces]);
    CNN_TRY(cnn_row_open(check, "", name, "", NULL));
    CNN_TRY(cnn_model_create(&at.model, &check->model->network->config, seed));
    CNN_TRY(make_data(&at));
    if (isnan(losses[0]))
        CNN_TRY(run_reference(losses, &at));
    CNN_TRY(prepare(&at, kind));
    CNN_TRY(cnn_softmax_reset(&at.plan->softmax));
    cnn_row_start(check);
    for (size_t i = 0; i < (size_t)steps; i++)
        CNN_TRY(step_device(&at, i));
    CNN_TRY(cnn_row_stop(check));
    CNN_TRY(compare(&at, losses));
    status = cnn_row_close(check, "gather, forward, loss, backward and update of the whole plan");
out:
    status = cnn_row_absorb(check, status);
    cnn_plan_destroy(at.plan);
    cnn_buffer_finish(&at.device_images);
    cnn_buffer_finish(&at.device_labels);
    cnn_model_destroy(at.model);
    free(at.images);
    free(at.labels);
    return status;
}
