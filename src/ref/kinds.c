/* Each kind of layer in a run. */
#include <string.h>

#include "ref/run.h"

static void conv_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_conv_forward(at->y, at->x[0], at->params[0], at->params[1], at->layer, run->n);
}

static void conv_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_conv_backward(run->dx, at->gradients[0], at->gradients[1], at->dy, at->x[0],
                          at->params[0], at->layer, run->n);
}

static void batchnorm_forward(cnn_ref_run *run, record *at)
{
    const cnn_layer *layer = at->layer;
    if (run->pass.training) {
        cnn_ref_batchnorm_train(at->y, at->statistics, at->statistics + layer->in.c, at->running,
                                at->x[0], at->params[0], at->params[1], layer, run->n);
        run->model->batches[layer->index]++;
    } else {
        cnn_ref_batchnorm_eval(at->y, at->x[0], at->params[0], at->params[1], at->running, layer,
                               run->n);
    }
}

static void batchnorm_backward(cnn_ref_run *run, const record *at, int input)
{
    const cnn_layer *layer = at->layer;
    (void)input;
    cnn_ref_batchnorm_backward(run->dx, at->gradients[0], at->gradients[1], at->dy, at->x[0],
                               at->params[0], at->statistics, at->statistics + layer->in.c, layer,
                               run->n);
}

static void groupnorm_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_groupnorm_forward(at->y, at->x[0], at->params[0], at->params[1], at->layer, run->n);
}

static void groupnorm_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_groupnorm_backward(run->dx, at->gradients[0], at->gradients[1], at->dy, at->x[0],
                               at->params[0], at->layer, run->n);
}

static void activation_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_activation_forward(at->y, at->x[0], at->layer, run->n);
}

static void activation_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_activation_backward(run->dx, at->dy, at->x[0], at->layer, run->n);
}

static void maxpool_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_maxpool_forward(at->y, at->which, at->x[0], at->layer, run->n);
}

static void maxpool_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_maxpool_backward(run->dx, at->dy, at->which, at->layer, run->n);
}

static void avgpool_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_avgpool_forward(at->y, at->x[0], at->layer, run->n);
}

static void avgpool_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_avgpool_backward(run->dx, at->dy, at->layer, run->n);
}

static void adaptiveavgpool_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_adaptiveavgpool_forward(at->y, at->x[0], at->layer, run->n);
}

static void adaptiveavgpool_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_adaptiveavgpool_backward(run->dx, at->dy, at->layer, run->n);
}

static void copy_forward(cnn_ref_run *run, record *at)
{
    memcpy(at->y, at->x[0], cnn_ref_count(run, at->layer->out) * sizeof(float));
}

static void copy_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    memcpy(run->dx, at->dy, cnn_ref_count(run, at->layer->out) * sizeof(float));
}

static void dropout_forward(cnn_ref_run *run, record *at)
{
    if (run->pass.training)
        cnn_ref_dropout(at->y, at->x[0], at->layer, run->n, run->pass.seed, run->pass.step);
    else
        copy_forward(run, at); /* the identity */
}

static void dropout_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_dropout(run->dx, at->dy, at->layer, run->n, run->pass.seed, run->pass.step);
}

static void linear_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_linear_forward(at->y, at->x[0], at->params[0], at->params[1], at->layer, run->n);
}

static void linear_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_linear_backward(run->dx, at->gradients[0], at->gradients[1], at->dy, at->x[0],
                            at->params[0], at->layer, run->n);
}

static void add_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_add_forward(at->y, at->x, at->layer, run->n);
}

static void add_backward(cnn_ref_run *run, const record *at, int input)
{
    (void)input;
    cnn_ref_add_backward(run->dx, at->dy, at->layer, run->n);
}

static void mul_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_mul_forward(at->y, at->x, at->layer, run->n);
}

static void mul_backward(cnn_ref_run *run, const record *at, int input)
{
    cnn_ref_mul_backward(run->dx, at->dy, at->x, at->layer, run->n, input);
}

static void concat_forward(cnn_ref_run *run, record *at)
{
    cnn_ref_concat_forward(at->y, at->x, at->layer, run->n);
}

static void concat_backward(cnn_ref_run *run, const record *at, int input)
{
    cnn_ref_concat_backward(run->dx, at->dy, at->layer, run->n, input);
}

static const struct layer_operations {
    void (*forward)(cnn_ref_run *run, record *at);
    void (*backward)(cnn_ref_run *run, const record *at, int input);
} operations[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = {conv_forward, conv_backward},
    [CNN_LAYER_LINEAR] = {linear_forward, linear_backward},
    [CNN_LAYER_BATCHNORM] = {batchnorm_forward, batchnorm_backward},
    [CNN_LAYER_GROUPNORM] = {groupnorm_forward, groupnorm_backward},
    [CNN_LAYER_RELU] = {activation_forward, activation_backward},
    [CNN_LAYER_RELU6] = {activation_forward, activation_backward},
    [CNN_LAYER_LEAKYRELU] = {activation_forward, activation_backward},
    [CNN_LAYER_SILU] = {activation_forward, activation_backward},
    [CNN_LAYER_GELU] = {activation_forward, activation_backward},
    [CNN_LAYER_HARDSWISH] = {activation_forward, activation_backward},
    [CNN_LAYER_SIGMOID] = {activation_forward, activation_backward},
    [CNN_LAYER_TANH] = {activation_forward, activation_backward},
    [CNN_LAYER_SCALE] = {activation_forward, activation_backward},
    [CNN_LAYER_MAXPOOL] = {maxpool_forward, maxpool_backward},
    [CNN_LAYER_AVGPOOL] = {avgpool_forward, avgpool_backward},
    [CNN_LAYER_ADAPTIVEAVGPOOL] = {adaptiveavgpool_forward, adaptiveavgpool_backward},
    [CNN_LAYER_DROPOUT] = {dropout_forward, dropout_backward},
    [CNN_LAYER_DROPOUT2D] = {dropout_forward, dropout_backward},
    [CNN_LAYER_FLATTEN] = {copy_forward, copy_backward},
    [CNN_LAYER_ADD] = {add_forward, add_backward},
    [CNN_LAYER_CONCAT] = {concat_forward, concat_backward},
    [CNN_LAYER_MUL] = {mul_forward, mul_backward},
};

void cnn_ref_forward(cnn_ref_run *run, record *at)
{
    operations[at->layer->kind].forward(run, at);
}

void cnn_ref_backward(cnn_ref_run *run, const record *at, int input)
{
    operations[at->layer->kind].backward(run, at, input);
}
