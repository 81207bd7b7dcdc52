/* A run of layers, or all of them: each layer's output is kept on the way forward, and read on the
 * way back, where each gradient is the sum of what the readers give. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "ref/run.h"

/* The record in the run whose layer makes a value; NULL where it comes from outside. */
static record *find_maker(const cnn_ref_run *run, int count, int value)
{
    for (int l = count - 1; l >= 0; l--)
        if (run->records[l].layer->index + 1 == value)
            return &run->records[l];
    return NULL;
}

static cnn_status init_inputs(cnn_ref_run *run, int at)
{
    record *mine = &run->records[at];
    const cnn_layer *layer = mine->layer;
    size_t count = (size_t)layer->input_count;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&mine->x, count, sizeof *mine->x, layer->name));
    CNN_TRY(cnn_allocate(&mine->makers, count, sizeof *mine->makers, layer->name));
    CNN_TRY(cnn_allocate(&mine->outside, count, sizeof *mine->outside, layer->name));
    CNN_TRY(cnn_allocate(&mine->outside_gradients, count, sizeof(float *), layer->name));
    for (int i = 0; i < layer->input_count; i++) {
        mine->makers[i] = find_maker(run, at, layer->inputs[i]);
        mine->outside[i] = mine->makers[i] ? -1 : run->input_count++;
    }
out:
    return status;
}

static cnn_status init_record(cnn_ref_run *run, int l, const cnn_layer *layer)
{
    cnn_status status = CNN_OK;
    record *at = &run->records[l];
    size_t count = cnn_ref_count(run, layer->out);
    at->layer = layer;
    run->layer_count++;
    at->running = run->model->statistics + layer->statistic_offset;
    for (int i = 0; i < layer->param_count; i++)
        at->params[i] = run->model->parameters + layer->params[i].offset;
    CNN_TRY(init_inputs(run, l));
    CNN_TRY(cnn_allocate(&at->y, count, sizeof(float), layer->name));
    CNN_TRY(
        cnn_allocate(&at->statistics, (size_t)layer->statistic_count, sizeof(float), layer->name));
    if (layer->kind == CNN_LAYER_MAXPOOL)
        CNN_TRY(cnn_allocate(&at->which, count, sizeof *at->which, layer->name));
    if (!run->pass.training)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&at->dy, count, sizeof(float), layer->name));
    for (int i = 0; i < layer->input_count; i++)
        if (at->outside[i] >= 0)
            CNN_TRY(cnn_allocate(&at->outside_gradients[i],
                                 cnn_ref_count(run, cnn_layer_input(layer, i)), sizeof(float),
                                 layer->name));
out:
    return status;
}

cnn_status cnn_ref_run_create(cnn_ref_run **run, cnn_model *model, const cnn_layer *const *layers,
                              int count, int n, cnn_ref_pass pass)
{
    cnn_status status = CNN_OK;
    size_t largest = 0;
    cnn_ref_run *made = NULL;
    *run = NULL;
    CNN_TRY(cnn_allocate(&made, 1, sizeof *made, "a run in plain C"));
    made->model = model;
    made->pass = pass;
    made->n = n;
    CNN_TRY(cnn_allocate(&made->records, (size_t)count, sizeof(record), "the layers"));
    for (int l = 0; l < count; l++) {
        CNN_TRY(init_record(made, l, layers[l]));
        for (int i = 0; i < layers[l]->input_count; i++) {
            size_t values = cnn_shape_count(cnn_layer_input(layers[l], i));
            largest = values > largest ? values : largest;
        }
    }
    if (pass.training)
        CNN_TRY(cnn_allocate(&made->dx, (size_t)n * largest, sizeof(float), "gradients"));
    *run = made;
    return CNN_OK;
out:
    cnn_ref_run_destroy(made);
    return status;
}

static void finish_record(record *at)
{
    for (int i = 0; at->outside_gradients && i < at->layer->input_count; i++)
        free(at->outside_gradients[i]);
    free(at->outside_gradients);
    free(at->outside);
    free(at->makers);
    free(at->x);
    free(at->y);
    free(at->dy);
    free(at->statistics);
    free(at->which);
}

void cnn_ref_run_destroy(cnn_ref_run *run)
{
    if (!run)
        return;
    for (int l = 0; l < run->layer_count; l++)
        finish_record(&run->records[l]);
    free(run->records);
    free(run->dx);
    free(run);
}

/* The layer and its input that are the run's input. */
static const record *find_reader(int *at, const cnn_ref_run *run, int input)
{
    for (int l = 0; l < run->layer_count; l++)
        for (*at = 0; *at < run->records[l].layer->input_count; ++*at)
            if (run->records[l].outside[*at] == input)
                return &run->records[l];
    return NULL;
}

int cnn_ref_run_input_count(const cnn_ref_run *run)
{
    return run->input_count;
}

cnn_shape cnn_ref_run_input_shape(const cnn_ref_run *run, int input)
{
    int at;
    const record *reader = find_reader(&at, run, input);
    return cnn_layer_input(reader->layer, at);
}

const float *cnn_ref_run_input_gradient(const cnn_ref_run *run, int input)
{
    int at;
    const record *reader = find_reader(&at, run, input);
    return reader->outside_gradients[at];
}

void cnn_ref_run_forward(cnn_ref_run *run, const float *const *x)
{
    const cnn_ref_hook *hook = run->pass.hook;
    for (int l = 0; l < run->layer_count; l++) {
        record *at = &run->records[l];
        for (int i = 0; i < at->layer->input_count; i++)
            at->x[i] = at->makers[i] ? at->makers[i]->y : x[at->outside[i]];
        cnn_ref_forward(run, at);
        if (hook && hook->forward)
            hook->forward(hook->user, at->layer, at->y, run->n);
    }
}

const float *cnn_ref_run_output(const cnn_ref_run *run, int layer)
{
    return run->records[layer].y;
}

const float *cnn_ref_run_read(const cnn_ref_run *run, int layer, int input)
{
    return run->records[layer].x[input];
}

static void add(float *sum, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += values[i];
}

/* Goes back through all layers; the last one's dy is there. */
static void run_backward(cnn_ref_run *run, float *gradients)
{
    const cnn_ref_hook *hook = run->pass.hook;
    for (int l = run->layer_count - 1; l >= 0; l--) {
        record *at = &run->records[l];
        for (int i = 0; i < at->layer->param_count; i++)
            at->gradients[i] = gradients + at->layer->params[i].offset;
        for (int i = 0; i < at->layer->input_count; i++) {
            size_t count = cnn_ref_count(run, cnn_layer_input(at->layer, i));
            cnn_ref_backward(run, at, i);
            if (hook && hook->backward)
                hook->backward(hook->user, at->layer, i, run->dx, at->dy, at->x[i], run->n);
            if (at->makers[i])
                add(at->makers[i]->dy, run->dx, count);
            else
                memcpy(at->outside_gradients[i], run->dx, count * sizeof(float));
        }
    }
}

static void clear_gradients(cnn_ref_run *run)
{
    for (int l = 0; l < run->layer_count; l++)
        memset(run->records[l].dy, 0,
               cnn_ref_count(run, run->records[l].layer->out) * sizeof(float));
}

void cnn_ref_run_backward(cnn_ref_run *run, const float *dy, float *gradients)
{
    record *last = &run->records[run->layer_count - 1];
    clear_gradients(run);
    memcpy(last->dy, dy, cnn_ref_count(run, last->layer->out) * sizeof(float));
    run_backward(run, gradients);
}

static cnn_status run_network(cnn_ref_run **run, const cnn_layer ***layers, cnn_model *model,
                              const float *x, int n, cnn_ref_pass pass)
{
    const cnn_network *network = model->network;
    const float **inputs = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(layers, (size_t)network->layer_count, sizeof **layers, "the layers"));
    for (int l = 0; l < network->layer_count; l++)
        (*layers)[l] = &network->layers[l];
    CNN_TRY(cnn_ref_run_create(run, model, *layers, network->layer_count, n, pass));
    CNN_TRY(cnn_allocate(&inputs, (size_t)(*run)->input_count, sizeof *inputs, "the inputs"));
    for (int i = 0; i < (*run)->input_count; i++)
        inputs[i] = x;
    cnn_ref_run_forward(*run, inputs);
out:
    free(inputs);
    return status;
}

cnn_status cnn_ref_network(float *logits, double *loss, float *gradients, cnn_model *model,
                           const float *x, const uint16_t *labels, int n, cnn_ref_pass pass)
{
    cnn_status status = CNN_OK;
    cnn_ref_run *run = NULL;
    const cnn_layer **layers = NULL;
    if (gradients && !pass.training)
        return cnn_fail(CNN_ERROR_ARGUMENT, "gradients are those of training: expected a training "
                                            "pass, found an evaluation pass");
    CNN_TRY(run_network(&run, &layers, model, x, n, pass));
    record *last = &run->records[run->layer_count - 1];
    int classes = last->layer->out.c;
    memcpy(logits, last->y, cnn_ref_count(run, last->layer->out) * sizeof(float));
    if (gradients)
        clear_gradients(run);
    if (loss || gradients) {
        double mean = cnn_ref_softmax_cross_entropy(last->dy, NULL, logits, labels, n, classes);
        if (loss)
            *loss = mean;
        if (pass.hook && pass.hook->loss)
            pass.hook->loss(pass.hook->user, last->dy, n, classes);
    }
    if (gradients)
        run_backward(run, gradients);
out:
    cnn_ref_run_destroy(run);
    free(layers);
    return status;
}
