/* A run of layers, or all of them: each layer's output is kept on the way forward, and read on the
 * way back. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "ref/ref.h"

/* What one layer keeps. */
typedef struct record {
    const cnn_layer *layer;
    const float *x;                      /* (N, in): the output of the layer before */
    float *y;                            /* (N, out) */
    float *statistics;                   /* batch norm: mean (C), then inverse_std (C) */
    uint8_t *which;                      /* max pool: (N, out) */
    float *params[CNN_LAYER_MAX_PARAMS]; /* in the model */
    float *running;                      /* in the model */
    float *gradients[CNN_LAYER_MAX_PARAMS];
} record;

struct cnn_ref_run {
    cnn_model *model;
    cnn_ref_pass pass;
    int n, layer_count;
    record *records;
    float *dy, *dx; /* (N, the largest layer), swapped after each layer of the way back */
};

static size_t count_of(const cnn_ref_run *run, cnn_shape shape)
{
    return (size_t)run->n * cnn_shape_count(shape);
}

static void conv_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_conv_forward(at->y, at->x, at->params[0], at->params[1], at->layer, run->n);
}

static void conv_backward(cnn_ref_run *run, const record *at)
{
    cnn_ref_conv_backward(run->dx, at->gradients[0], at->gradients[1], run->dy, at->x,
                          at->params[0], at->layer, run->n);
}

static void batchnorm_forward(cnn_ref_run *run, record *at)
{
    const cnn_layer *layer = at->layer;
    if (run->pass.training) {
        cnn_ref_batchnorm_train(at->y, at->statistics, at->statistics + layer->in.c, at->running,
                                at->x, at->params[0], at->params[1], layer, run->n);
        run->model->batches[layer->index]++;
    } else {
        cnn_ref_batchnorm_eval(at->y, at->x, at->params[0], at->params[1], at->running, layer,
                               run->n);
    }
}

static void batchnorm_backward(cnn_ref_run *run, const record *at)
{
    const cnn_layer *layer = at->layer;
    cnn_ref_batchnorm_backward(run->dx, at->gradients[0], at->gradients[1], run->dy, at->x,
                               at->params[0], at->statistics, at->statistics + layer->in.c, layer,
                               run->n);
}

static void relu_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_relu_forward(at->y, at->x, count_of(run, at->layer->out));
}

static void relu_backward(cnn_ref_run *run, const record *at)
{
    cnn_ref_relu_backward(run->dx, run->dy, at->y, count_of(run, at->layer->out));
}

static void maxpool_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_maxpool_forward(at->y, at->which, at->x, at->layer, run->n);
}

static void maxpool_backward(cnn_ref_run *run, const record *at)
{
    cnn_ref_maxpool_backward(run->dx, run->dy, at->which, at->layer, run->n);
}

static void flatten_forward(cnn_ref_run *run, record *at)
{
    memcpy(at->y, at->x, count_of(run, at->layer->out) * sizeof(float));
}

static void flatten_backward(cnn_ref_run *run, const record *at)
{
    memcpy(run->dx, run->dy, count_of(run, at->layer->out) * sizeof(float));
}

static void dropout_forward(cnn_ref_run *run, record *at)
{
    if (run->pass.training)
        cnn_ref_dropout(at->y, at->x, at->layer, run->n, run->pass.seed, run->pass.step);
    else
        flatten_forward(run, at); /* the identity */
}

static void dropout_backward(cnn_ref_run *run, const record *at)
{
    cnn_ref_dropout(run->dx, run->dy, at->layer, run->n, run->pass.seed, run->pass.step);
}

static void linear_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_linear_forward(at->y, at->x, at->params[0], at->params[1], at->layer, run->n);
}

static void linear_backward(cnn_ref_run *run, const record *at)
{
    cnn_ref_linear_backward(run->dx, at->gradients[0], at->gradients[1], run->dy, at->x,
                            at->params[0], at->layer, run->n);
}

static const struct layer_operations {
    void (*forward)(cnn_ref_run *run, record *at);
    void (*backward)(cnn_ref_run *run, const record *at); /* run->dy to run->dx */
} operations[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = {conv_forward, conv_backward},
    [CNN_LAYER_BATCHNORM] = {batchnorm_forward, batchnorm_backward},
    [CNN_LAYER_RELU] = {relu_forward, relu_backward},
    [CNN_LAYER_MAXPOOL] = {maxpool_forward, maxpool_backward},
    [CNN_LAYER_DROPOUT] = {dropout_forward, dropout_backward},
    [CNN_LAYER_FLATTEN] = {flatten_forward, flatten_backward},
    [CNN_LAYER_LINEAR] = {linear_forward, linear_backward},
};

static cnn_status init_record(cnn_ref_run *run, record *at, const cnn_layer *layer)
{
    cnn_status status = CNN_OK;
    size_t count = count_of(run, layer->out);
    at->layer = layer;
    at->running = run->model->statistics + layer->statistic_offset;
    for (int i = 0; i < layer->param_count; i++)
        at->params[i] = run->model->parameters + layer->params[i].offset;
    CNN_TRY(cnn_allocate(&at->y, count, sizeof(float), layer->name));
    CNN_TRY(
        cnn_allocate(&at->statistics, (size_t)layer->statistic_count, sizeof(float), layer->name));
    if (layer->kind == CNN_LAYER_MAXPOOL)
        CNN_TRY(cnn_allocate(&at->which, count, sizeof(uint8_t), layer->name));
out:
    return status;
}

cnn_status cnn_ref_run_create(cnn_ref_run **run, cnn_model *model, int first, int count, int n,
                              cnn_ref_pass pass)
{
    cnn_status status = CNN_OK;
    const cnn_layer *layers = &model->network->layers[first];
    size_t largest = cnn_shape_count(layers[0].in);
    cnn_ref_run *made = NULL;
    *run = NULL;
    CNN_TRY(cnn_allocate(&made, 1, sizeof *made, "a run in plain C"));
    made->model = model;
    made->pass = pass;
    made->n = n;
    CNN_TRY(cnn_allocate(&made->records, (size_t)count, sizeof(record), "the layers"));
    made->layer_count = count;
    for (int l = 0; l < count; l++) {
        size_t values = cnn_shape_count(layers[l].out);
        largest = values > largest ? values : largest;
        CNN_TRY(init_record(made, &made->records[l], &layers[l]));
    }
    if (pass.training) {
        CNN_TRY(cnn_allocate(&made->dy, (size_t)n * largest, sizeof(float), "gradients"));
        CNN_TRY(cnn_allocate(&made->dx, (size_t)n * largest, sizeof(float), "gradients"));
    }
    *run = made;
    return CNN_OK;
out:
    cnn_ref_run_destroy(made);
    return status;
}

void cnn_ref_run_destroy(cnn_ref_run *run)
{
    if (!run)
        return;
    for (int l = 0; l < run->layer_count; l++) {
        free(run->records[l].y);
        free(run->records[l].statistics);
        free(run->records[l].which);
    }
    free(run->records);
    free(run->dy);
    free(run->dx);
    free(run);
}

void cnn_ref_run_forward(cnn_ref_run *run, const float *x)
{
    const cnn_ref_hook *hook = run->pass.hook;
    for (int l = 0; l < run->layer_count; l++) {
        record *at = &run->records[l];
        at->x = l > 0 ? run->records[l - 1].y : x;
        operations[at->layer->kind].forward(run, at);
        if (hook && hook->forward)
            hook->forward(hook->user, at->layer, at->y, run->n);
    }
}

const float *cnn_ref_run_output(const cnn_ref_run *run, int layer)
{
    return run->records[layer].y;
}

static void swap_gradients(cnn_ref_run *run)
{
    float *swapped = run->dy;
    run->dy = run->dx;
    run->dx = swapped;
}

/* Goes back through all layers, beginning with run->dy; leaves the input's gradient there. */
static void run_backward(cnn_ref_run *run, float *gradients)
{
    const cnn_ref_hook *hook = run->pass.hook;
    for (int l = run->layer_count - 1; l >= 0; l--) {
        record *at = &run->records[l];
        for (int i = 0; i < at->layer->param_count; i++)
            at->gradients[i] = gradients + at->layer->params[i].offset;
        operations[at->layer->kind].backward(run, at);
        if (hook && hook->backward)
            hook->backward(hook->user, at->layer, run->dx, run->dy, at->x, run->n);
        swap_gradients(run);
    }
}

const float *cnn_ref_run_backward(cnn_ref_run *run, const float *dy, float *gradients)
{
    const record *last = &run->records[run->layer_count - 1];
    memcpy(run->dy, dy, count_of(run, last->layer->out) * sizeof(float));
    run_backward(run, gradients);
    return run->dy;
}

cnn_status cnn_ref_network(float *logits, double *loss, float *gradients, cnn_model *model,
                           const float *x, const uint16_t *labels, int n, cnn_ref_pass pass)
{
    cnn_status status = CNN_OK;
    cnn_ref_run *run = NULL;
    if (gradients && !pass.training)
        return cnn_fail(CNN_ERROR_ARGUMENT, "gradients are those of training: expected a training "
                                            "pass, found an evaluation pass");
    CNN_TRY(cnn_ref_run_create(&run, model, 0, model->network->layer_count, n, pass));
    cnn_ref_run_forward(run, x);
    const record *last = &run->records[run->layer_count - 1];
    int classes = last->layer->out.c;
    memcpy(logits, last->y, count_of(run, last->layer->out) * sizeof(float));
    if (loss || gradients) {
        double mean = cnn_ref_softmax_cross_entropy(run->dy, NULL, logits, labels, n, classes);
        if (loss)
            *loss = mean;
    }
    if (gradients)
        run_backward(run, gradients);
out:
    cnn_ref_run_destroy(run);
    return status;
}
