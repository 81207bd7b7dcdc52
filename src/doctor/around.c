/* What stands around the plan's steps: gather, loss and update; and memory itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/status.h"
#include "doctor/check.h"

static const cnn_tolerance exact = {0.0, 0.0};

/* Random floats in host memory and on the device. Errors: MEMORY, OPENCL. */
static cnn_status upload_random(float **values, const cnn_buffer *buffer, size_t count, double low,
                                double high, cnn_check *check)
{
    cnn_status status = cnn_allocate(values, count, sizeof **values, "random values");
    if (status != CNN_OK)
        return status;
    cnn_fill_uniform(*values, count, low, high, check->draw++);
    return cnn_buffer_write(buffer, 0, *values, count * sizeof **values);
}

static cnn_status compare_buffer(cnn_check *check, const char *tensor, const cnn_buffer *buffer,
                                 const float *expected, size_t count, cnn_tolerance tolerance)
{
    float *actual = NULL;
    cnn_status status = cnn_allocate(&actual, count, sizeof *actual, tensor);
    if (status == CNN_OK)
        status = cnn_buffer_read(actual, buffer, 0, count * sizeof *actual);
    if (status == CNN_OK)
        cnn_row_compare(check, tensor, actual, expected, count, tolerance);
    free(actual);
    return status;
}

static cnn_status close_row(cnn_check *check, const cnn_kernel *kernel)
{
    char detail[sizeof kernel->options + 16];
    snprintf(detail, sizeof detail, "%s%s", *kernel->options ? "built with " : "", kernel->options);
    return cnn_row_close(check, detail);
}

/* Buffers: written, wiped, copied, read, with an odd number of bytes behind. */
cnn_status cnn_check_memory(cnn_check *check)
{
    enum { COUNT = 10007 };
    cnn_buffer buffers[2] = {{0}};
    float *values = NULL;
    cnn_status status = CNN_OK;
    check->part = "memory";
    CNN_TRY(cnn_row_open(check, "", "write, fill, copy, read", "", NULL));
    for (int i = 0; i < 2; i++) {
        CNN_TRY(cnn_buffer_init(&buffers[i], check->device, COUNT * sizeof(float) + 3, "a buffer"));
        CNN_TRY(cnn_buffer_wipe(&buffers[i]));
    }
    cnn_row_start(check);
    CNN_TRY(upload_random(&values, &buffers[0], COUNT, -1.0, 1.0, check));
    cl_int code = clEnqueueCopyBuffer(check->device->queue, buffers[0].mem, buffers[1].mem, 0, 0,
                                      COUNT * sizeof(float), 0, NULL,
                                      cnn_profile_command_event(check->device, "copy"));
    CNN_TRY(cnn_opencl_check(code, "clEnqueueCopyBuffer", check->device));
    CNN_TRY(cnn_row_stop(check));
    CNN_TRY(compare_buffer(check, "the copy", &buffers[1], values, COUNT, exact));
    uint8_t behind[3] = {0};
    CNN_TRY(cnn_buffer_read(behind, &buffers[1], COUNT * sizeof(float), sizeof behind));
    if (behind[0] != UINT8_MAX || behind[1] != UINT8_MAX || behind[2] != UINT8_MAX)
        cnn_row_fail(check, "a copy of %zu bytes wrote more", COUNT * sizeof(float));
    status = cnn_row_close(check, "");
out:
    status = cnn_row_absorb(check, status);
    cnn_buffer_finish(&buffers[0]);
    cnn_buffer_finish(&buffers[1]);
    free(values);
    return status;
}

/* A small data set of bytes; start from {0}. */
typedef struct gather_case {
    size_t total, image;
    uint8_t *images;
    uint16_t *labels;
    uint32_t *order;
    cnn_buffer device_images, device_labels, device_order;
} gather_case;

static void finish_gather(gather_case *at)
{
    free(at->images);
    free(at->labels);
    free(at->order);
    cnn_buffer_finish(&at->device_images);
    cnn_buffer_finish(&at->device_labels);
    cnn_buffer_finish(&at->device_order);
}

static cnn_status make_gather(gather_case *at, cnn_check *check, const cnn_plan *plan)
{
    const cnn_network *network = plan->network;
    enum { MORE = 3 };
    cnn_status status = CNN_OK;
    at->total = (size_t)check->n + MORE;
    at->image = cnn_shape_count(cnn_network_input_shape(network));
    size_t bytes = at->total * at->image, order = at->total * sizeof *at->order;
    size_t labels = at->total * sizeof *at->labels;
    CNN_TRY(cnn_allocate(&at->images, bytes, 1, "random images"));
    CNN_TRY(cnn_allocate(&at->labels, at->total, sizeof *at->labels, "random labels"));
    CNN_TRY(cnn_allocate(&at->order, at->total, sizeof *at->order, "an order"));
    cnn_fill_bytes(at->images, bytes, 256, check->draw++);
    cnn_philox_permutation(at->order, (uint32_t)at->total, 1, CNN_STREAM_SHUFFLE, 0, 0);
    for (size_t i = 0; i < at->total; i++) /* in turn: one for another shows */
        at->labels[at->order[i]] = (uint16_t)(i % (size_t)network->classes);
    CNN_TRY(cnn_buffer_init(&at->device_images, check->device, bytes, "the images"));
    CNN_TRY(cnn_buffer_init(&at->device_labels, check->device, labels, "the labels"));
    CNN_TRY(cnn_buffer_init(&at->device_order, check->device, order, "the order"));
    CNN_TRY(cnn_buffer_write(&at->device_images, 0, at->images, bytes));
    CNN_TRY(cnn_buffer_write(&at->device_labels, 0, at->labels, labels));
    status = cnn_buffer_write(&at->device_order, 0, at->order, order);
out:
    return status;
}

/* Compares the batch of places first to first + n - 1. */
static cnn_status compare_gather(gather_case *at, cnn_check *check, const cnn_plan *plan,
                                 size_t first)
{
    size_t n = (size_t)check->n, values = n * at->image;
    float *x = NULL, *turned = NULL;
    uint16_t *labels = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&x, values, sizeof *x, "a batch"));
    CNN_TRY(cnn_allocate(&turned, values, sizeof *turned, "a batch"));
    CNN_TRY(cnn_allocate(&labels, n, sizeof *labels, "a batch's labels"));
    for (size_t i = 0; i < values; i++) {
        size_t index = at->order[first + i / at->image];
        x[i] = (float)at->images[index * at->image + i % at->image] / 255.0f;
    }
    cnn_to_device_layout(turned, x, cnn_network_input_shape(plan->network), check->n);
    CNN_TRY(compare_buffer(check, "the batch", cnn_plan_input(plan), turned, values,
                           cnn_forward_tolerance));
    CNN_TRY(cnn_buffer_read(labels, &plan->labels, 0, n * sizeof *labels));
    for (size_t i = 0; i < n; i++)
        if (labels[i] != at->labels[at->order[first + i]])
            cnn_row_fail(check, "label %zu of the batch: found %d, expected %d", i, labels[i],
                         at->labels[at->order[first + i]]);
out:
    free(x);
    free(turned);
    free(labels);
    return status;
}

static cnn_status check_gather(cnn_check *check, cnn_plan *plan)
{
    gather_case at = {0};
    enum { FIRST = 2 };
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, "gather", "", "", NULL));
    CNN_TRY(make_gather(&at, check, plan));
    const cnn_gather_source source = {at.device_images.mem, at.device_labels.mem,
                                      at.device_order.mem};
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(cnn_buffer_wipe(cnn_plan_input(plan)));
        CNN_TRY(cnn_buffer_wipe(&plan->labels));
        cnn_row_start(check);
        CNN_TRY(cnn_plan_gather(plan, &source, FIRST, check->n));
        CNN_TRY(cnn_row_stop(check));
    }
    CNN_TRY(compare_gather(&at, check, plan, FIRST));
    status = close_row(check, &plan->gather.kernel);
out:
    status = cnn_row_absorb(check, status);
    finish_gather(&at);
    return status;
}

static cnn_status compare_tally(cnn_check *check, const cnn_plan *plan, double loss, size_t hits,
                                size_t slot)
{
    float losses[2], expected = (float)loss;
    uint32_t found[2];
    int bad;
    cnn_status status = cnn_softmax_read(losses, found, &bad, &plan->softmax, 0, slot + 1);
    if (status != CNN_OK)
        return status;
    cnn_row_compare(check, "the loss", &losses[slot], &expected, 1, cnn_forward_tolerance);
    if (found[slot] != hits)
        cnn_row_fail(check, "right answers: found %u, expected %zu", found[slot], hits);
    if (bad != -1)
        cnn_row_fail(check, "the loss %g is marked as not finite", (double)losses[slot]);
    return CNN_OK;
}

static cnn_status run_loss(cnn_check *check, cnn_plan *plan, float **logits, float **gradient,
                           uint16_t **labels)
{
    enum { SLOT = 1 };
    int n = check->n, classes = plan->network->classes;
    size_t count = (size_t)n * (size_t)classes, hits;
    const cnn_buffer *dz = &plan->buffers[plan->lives[plan->logits_gradient].buffer];
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(gradient, count, sizeof **gradient, "the logits' gradient"));
    CNN_TRY(cnn_allocate(labels, (size_t)n, sizeof **labels, "labels"));
    cnn_fill_labels(*labels, (size_t)n, (uint32_t)classes, check->draw++);
    CNN_TRY(upload_random(logits, cnn_plan_logits(plan), count, -4.0, 4.0, check));
    CNN_TRY(cnn_buffer_write(&plan->labels, 0, *labels, (size_t)n * sizeof **labels));
    CNN_TRY(cnn_softmax_reset(&plan->softmax));
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(cnn_buffer_wipe(dz));
        CNN_TRY(cnn_buffer_wipe(&plan->softmax.sample_losses));
        CNN_TRY(cnn_buffer_wipe(&plan->softmax.sample_hits));
        CNN_TRY(cnn_buffer_wipe(&plan->softmax.losses));
        CNN_TRY(cnn_buffer_wipe(&plan->softmax.hits));
        cnn_row_start(check);
        CNN_TRY(cnn_plan_loss(plan, &(cnn_pass){.n = n, .training = true}, SLOT));
        CNN_TRY(cnn_row_stop(check));
    }
    double loss = cnn_ref_softmax_cross_entropy(*gradient, &hits, *logits, *labels, n, classes);
    CNN_TRY(compare_buffer(check, "the gradient of the logits", dz, *gradient, count,
                           cnn_backward_tolerance));
    status = compare_tally(check, plan, loss, hits, SLOT);
out:
    return status;
}

static cnn_status check_loss(cnn_check *check, cnn_plan *plan)
{
    float *logits = NULL, *gradient = NULL;
    uint16_t *labels = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, "loss", "", "", NULL));
    CNN_TRY(run_loss(check, plan, &logits, &gradient, &labels));
    const cnn_softmax *softmax = &plan->softmax;
    status = close_row(check, softmax->batch.handle ? &softmax->batch : &softmax->loss);
out:
    status = cnn_row_absorb(check, status);
    free(logits);
    free(gradient);
    free(labels);
    return status;
}

/* The loss of logits that hold NaN must have the mark that keeps updates back. */
static cnn_status expect_mark(cnn_check *check, cnn_plan *plan, const cnn_pass *pass)
{
    enum { SLOT = 0 };
    float loss;
    uint32_t hits;
    int mark;
    uint16_t *labels = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&labels, (size_t)pass->n, sizeof *labels, "labels"));
    CNN_TRY(cnn_buffer_write(&plan->labels, 0, labels, (size_t)pass->n * sizeof *labels));
    CNN_TRY(cnn_softmax_reset(&plan->softmax));
    CNN_TRY(cnn_plan_loss(plan, pass, SLOT));
    CNN_TRY(cnn_row_stop(check));
    CNN_TRY(cnn_softmax_read(&loss, &hits, &mark, &plan->softmax, SLOT, 1));
    if (isfinite(loss))
        cnn_row_fail(check, "the NaN is lost: the loss is %g", (double)loss);
    if (mark != SLOT)
        cnn_row_fail(check, "the loss %g is not marked as not finite", (double)loss);
out:
    free(labels);
    return status;
}

/* A driver that reckons with finite numbers alone loses NaN, and training goes on with rubbish. */
static cnn_status check_nan(cnn_check *check, cnn_plan *plan)
{
    const cnn_softmax *softmax = &plan->softmax;
    const cnn_buffer *logits = cnn_plan_logits(plan);
    size_t count = (size_t)check->n * (size_t)plan->network->classes;
    float *values = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, "loss", "NaN among the logits", "", NULL));
    CNN_TRY(upload_random(&values, logits, count, -4.0, 4.0, check));
    values[count - 1] = NAN; /* of the last class; the label is the first */
    CNN_TRY(cnn_buffer_write(logits, 0, values, count * sizeof(float)));
    cnn_row_start(check);
    CNN_TRY(expect_mark(check, plan, &(cnn_pass){.n = check->n, .training = true}));
    status = close_row(check, softmax->batch.handle ? &softmax->batch : &softmax->tally);
out:
    status = cnn_row_absorb(check, status);
    free(values);
    return status;
}

cnn_status cnn_check_nan_way(cnn_check *check, cnn_plan *plan)
{
    const cnn_pass pass = {.n = check->n};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_row_open(check, "evaluate", "NaN in the images", "", NULL));
    CNN_TRY(cnn_plan_upload(plan, check->model));
    CNN_TRY(cnn_buffer_wipe(cnn_plan_input(plan)));
    cnn_row_start(check);
    CNN_TRY(cnn_plan_forward(plan, &pass));
    CNN_TRY(expect_mark(check, plan, &pass));
    status = cnn_row_close(check, "forward and loss of the whole plan");
out:
    return cnn_row_absorb(check, status);
}

cnn_status cnn_check_around(cnn_check *check, cnn_plan *plan)
{
    cnn_status status = CNN_OK;
    CNN_TRY(check_gather(check, plan));
    CNN_TRY(check_loss(check, plan));
    CNN_TRY(check_nan(check, plan));
    status = cnn_check_update(check, plan);
out:
    return status;
}
