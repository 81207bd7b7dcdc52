/* The loss of training with smoothed labels, weights of classes and two labels of each sample, all at
 * once. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/check.h"
#include "ops/softmax.h"

static const double smoothing = 0.1, part = 0.3;

/* Logits and labels of a pass, and what becomes of them; start from {0}. */
typedef struct shaped_case {
    size_t n, classes, count; /* count: of logits */
    cnn_softmax softmax;
    cnn_pass pass;
    uint16_t *labels; /* (2, n): each one's own, and that of the one before it */
    float *logits, *weights, *own, *other, *found;
    cnn_buffer device_logits, device_labels, gradient;
} shaped_case;

static void finish(shaped_case *at)
{
    cnn_buffer *const buffers[] = {&at->device_logits, &at->device_labels, &at->gradient};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        cnn_buffer_finish(buffers[i]);
    cnn_softmax_finish(&at->softmax);
    free(at->labels);
    free(at->logits);
    free(at->weights);
    free(at->own);
    free(at->other);
    free(at->found);
}

static cnn_status allocate(shaped_case *at)
{
    float **const values[] = {&at->logits, &at->own, &at->other, &at->found};
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        CNN_TRY(cnn_allocate(values[i], at->count, sizeof(float), "logits"));
    CNN_TRY(cnn_allocate(&at->weights, at->classes, sizeof(float), "the classes' weights"));
    CNN_TRY(cnn_allocate(&at->labels, 2 * at->n, sizeof *at->labels, "labels"));
out:
    return status;
}

static cnn_status fill(shaped_case *at, cnn_check *check)
{
    size_t bytes = at->count * sizeof(float), labels = 2 * at->n * sizeof *at->labels;
    cnn_status status = CNN_OK;
    cnn_fill_uniform(at->logits, at->count, -4.0, 4.0, check->draw++);
    cnn_fill_uniform(at->weights, at->classes, 0.5, 2.0, check->draw++);
    cnn_fill_labels(at->labels, at->n, (uint32_t)at->classes, check->draw++);
    for (size_t i = 0; i < at->n; i++) {
        at->labels[at->n + i] = at->labels[i > 0 ? i - 1 : at->n - 1];
        at->pass.weight += (double)at->weights[at->labels[i]];
    }
    CNN_TRY(cnn_softmax_init(&at->softmax, check->device, (int)at->classes, (int)at->n, 1));
    CNN_TRY(cnn_softmax_shape(&at->softmax, smoothing, at->weights));
    CNN_TRY(cnn_buffer_init(&at->device_logits, check->device, bytes, "logits"));
    CNN_TRY(cnn_buffer_init(&at->gradient, check->device, bytes, "the logits' gradient"));
    CNN_TRY(cnn_buffer_init(&at->device_labels, check->device, labels, "labels"));
    CNN_TRY(cnn_buffer_write(&at->device_logits, 0, at->logits, bytes));
    status = cnn_buffer_write(&at->device_labels, 0, at->labels, labels);
out:
    return status;
}

/* own becomes the gradient. Returns the loss. */
static double expect(shaped_case *at)
{
    int n = (int)at->n, classes = (int)at->classes;
    double first = cnn_ref_shaped_cross_entropy(at->own, at->logits, at->labels, n, classes,
                                                smoothing, at->weights);
    double second = cnn_ref_shaped_cross_entropy(at->other, at->logits, at->labels + n, n, classes,
                                                 smoothing, at->weights);
    for (size_t i = 0; i < at->count; i++)
        at->own[i] = (float)(part * (double)at->own[i] + (1.0 - part) * (double)at->other[i]);
    return part * first + (1.0 - part) * second;
}

static cnn_status run(shaped_case *at, cnn_check *check)
{
    float loss, expected;
    uint32_t hits;
    int bad;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_softmax_reset(&at->softmax));
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(cnn_buffer_wipe(&at->gradient));
        cnn_row_start(check);
        CNN_TRY(cnn_softmax_run(&at->softmax, at->gradient.mem, at->device_logits.mem,
                                at->device_labels.mem, 0, &at->pass));
        CNN_TRY(cnn_row_stop(check));
    }
    CNN_TRY(cnn_buffer_read(at->found, &at->gradient, 0, at->count * sizeof(float)));
    CNN_TRY(cnn_softmax_read(&loss, &hits, &bad, &at->softmax, 0, 1));
    expected = (float)expect(at);
    cnn_row_compare(check, "the gradient of the logits", at->found, at->own, at->count,
                    cnn_backward_tolerance);
    cnn_row_compare(check, "the loss", &loss, &expected, 1, cnn_forward_tolerance);
out:
    return status;
}

cnn_status cnn_check_shaped_loss(cnn_check *check)
{
    shaped_case at = {.n = (size_t)check->n, .classes = (size_t)check->model->network->classes};
    cnn_status status = CNN_OK;
    at.count = at.n * at.classes;
    at.pass = (cnn_pass){.n = check->n, .training = true, .mixed = true, .part = part};
    CNN_TRY(cnn_row_open(check, "loss", "smoothed, weighed, of two labels", "", NULL));
    CNN_TRY(allocate(&at));
    CNN_TRY(fill(&at, check));
    CNN_TRY(run(&at, check));
    status = cnn_row_close(check, "");
out:
    status = cnn_row_absorb(check, status);
    finish(&at);
    return status;
}
