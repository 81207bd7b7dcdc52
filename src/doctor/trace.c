/* Some training steps of a fresh network, the plan as it is. Plain C follows some of them, each
 * from the device's own state before it: right devices differ in last bits, and each ReLU and
 * maximum that flips for them magnifies that, so that traces part which are both right. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/trace_case.h"

enum { MOST_SAMPLES = 4 };

static cnn_status make_data(cnn_trace_case *at)
{
    const cnn_network *network = at->model->network;
    size_t samples = CNN_TRACE_BATCHES * (size_t)at->n;
    cnn_status status = CNN_OK;
    at->image = cnn_shape_count(cnn_network_input_shape(network));
    CNN_TRY(cnn_allocate(&at->images, samples * at->image, 1, "random images"));
    CNN_TRY(cnn_allocate(&at->labels, samples, sizeof *at->labels, "random labels"));
    /* The same draws for every plan. */
    cnn_fill_bytes(at->images, samples * at->image, 256, UINT64_MAX);
    cnn_fill_labels(at->labels, samples, (uint32_t)network->classes, UINT64_MAX - 1);
out:
    return status;
}

/* The plan's memory is NaN but for the values that it begins with. */
static cnn_status prepare(cnn_trace_case *at, cnn_plan_kind kind)
{
    const cnn_plan_options options = {.batch = kind.pieces ? at->n - 1 : at->n,
                                      .training = true,
                                      .fuse = kind.fuse,
                                      .slots = (size_t)at->steps,
                                      .whole = kind.pieces ? at->n : 0};
    cnn_device *device = at->check->device;
    size_t samples = CNN_TRACE_BATCHES * (size_t)at->n;
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

static cnn_status run_piece(cnn_trace_case *at, const cnn_pass *pass)
{
    const cnn_gather_source source = {at->device_images.mem, at->device_labels.mem, NULL};
    size_t first = pass->step % CNN_TRACE_BATCHES * (size_t)at->n + (size_t)pass->before;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_gather(at->plan, &source, (uint32_t)first, pass->n));
    CNN_TRY(cnn_plan_forward(at->plan, pass));
    CNN_TRY(cnn_plan_loss(at->plan, pass, (size_t)pass->step));
    status = cnn_plan_backward(at->plan, pass);
out:
    return status;
}

static cnn_status step_device(cnn_trace_case *at, size_t step)
{
    cnn_pass pass = {.training = true, .seed = cnn_trace_seed, .step = step};
    int piece = at->plan->options.batch;
    cnn_status status = CNN_OK;
    do {
        pass.before += pass.n;
        int left = at->n - pass.before;
        pass.n = left < piece ? left : piece;
        pass.after = left - pass.n;
        CNN_TRY(run_piece(at, &pass));
    } while (pass.after > 0);
    CNN_TRY(cnn_plan_update(at->plan, cnn_trace_lr, step + 1));
    status = cnn_device_finish(at->check->device);
out:
    return status;
}

static cnn_status find_mark(cnn_trace_case *at)
{
    float losses[CNN_TRACE_STEPS];
    uint32_t hits[CNN_TRACE_STEPS];
    int bad;
    cnn_status status =
        cnn_softmax_read(losses, hits, &bad, &at->plan->softmax, 0, (size_t)at->steps);
    if (status == CNN_OK && bad >= 0)
        cnn_row_fail(at->check, "the loss of step %d is not finite", bad);
    return status;
}

/* How many steps plain C follows: what it does in some tenths of a second, but two at least. */
static size_t count_followed(const cnn_trace_case *at)
{
    static const double most = 2.5e8, of_training = 3.0;
    const cnn_network *network = at->model->network;
    double multiplications = 1.0;
    for (int l = 0; l < network->layer_count; l++)
        multiplications += cnn_layer_multiplications(&network->layers[l]);
    double count = most / (of_training * at->n * multiplications);
    return count < 2.0 ? 2 : count > at->steps ? (size_t)at->steps : (size_t)count;
}

/* All steps, and plain C beside some that are evenly spread, the first and the last among them. */
static cnn_status run_steps(cnn_trace_case *at)
{
    size_t steps = (size_t)at->steps, followed = count_followed(at), done = 0;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < steps; i++) {
        bool follows = i == done * (steps - 1) / (followed - 1) && at->check->row->passed;
        if (follows)
            CNN_TRY(cnn_trace_before(at));
        CNN_TRY(step_device(at, i));
        if (follows)
            CNN_TRY(cnn_trace_after(at, i));
        done += follows;
    }
out:
    return status;
}

cnn_status cnn_check_trace(cnn_check *check, cnn_plan_kind kind, int steps)
{
    static const char *const names[2][2] = {{"plain", "plain, batches in pieces"},
                                            {"fused", "batches in pieces"}};
    cnn_trace_case at = {.check = check, .steps = steps};
    char name[CNN_DOCTOR_NAME];
    cnn_status status = CNN_OK;
    at.n = check->n < MOST_SAMPLES ? check->n : MOST_SAMPLES;
    if (kind.pieces && check->model->network->statistic_count > 0)
        return CNN_OK; /* batch norm wants whole batches */
    check->part = "trace";
    snprintf(name, sizeof name, "%d steps, %s", steps, names[kind.fuse][kind.pieces]);
    CNN_TRY(cnn_row_open(check, "", name, "", NULL));
    CNN_TRY(cnn_model_create_network(&at.model, check->model->network, cnn_trace_seed));
    CNN_TRY(make_data(&at));
    CNN_TRY(cnn_trace_open(&at));
    CNN_TRY(prepare(&at, kind));
    CNN_TRY(cnn_softmax_reset(&at.plan->softmax));
    cnn_row_start(check);
    CNN_TRY(run_steps(&at));
    CNN_TRY(cnn_row_stop(check));
    CNN_TRY(find_mark(&at));
    status = cnn_row_close(check, "gather, forward, loss, backward and update of the whole plan");
out:
    status = cnn_row_absorb(check, status);
    cnn_plan_destroy(at.plan);
    cnn_buffer_finish(&at.device_images);
    cnn_buffer_finish(&at.device_labels);
    cnn_trace_close(&at);
    cnn_model_destroy(at.model);
    free(at.images);
    free(at.labels);
    return status;
}
