/* What of a step is looked at: what values cost in plain C decides. */
#include <math.h>

#include "doctor/sentinel_case.h"

static const cnn_layer *layer_of(const cnn_sentinel_step *at, int layer)
{
    return at->step->op->layers[layer];
}

static bool is_frozen(const cnn_sentinel *sentinel, const cnn_layer *layer)
{
    const bool *frozen = sentinel->plan->options.frozen;
    return frozen && frozen[layer->index];
}

static double plane_of(cnn_shape shape)
{
    return (double)shape.h * shape.w;
}

/* Multiplications of one output of the convolution or linear layer. */
static double cost_of_sum(const cnn_sentinel_step *at)
{
    if (at->dear < 0)
        return 1.0;
    const cnn_layer *layer = layer_of(at, at->dear);
    return (double)layer->params[0].count / layer->out.c;
}

/* Does something behind the sum need it to make a gradient? */
static bool is_looked_at_again(const cnn_sentinel_step *at)
{
    return at->dear < 0 || at->dear + 1 < at->step->op->layer_count;
}

/* Values of the chain that one of the output, or of a gradient, needs. */
static double count_needed(const cnn_sentinel_step *at)
{
    double count = 1.0;
    for (int l = 0; l < at->step->op->layer_count; l++) {
        const cnn_layer *layer = layer_of(at, l);
        const cnn_pool_options *pool = &layer->options.pool;
        if (layer->kind == CNN_LAYER_MAXPOOL || layer->kind == CNN_LAYER_AVGPOOL)
            count *= (double)pool->kernel[0] * pool->kernel[1];
        else if (layer->kind == CNN_LAYER_ADAPTIVEAVGPOOL || layer->kind == CNN_LAYER_MUL)
            count *= fmax(plane_of(layer->in), plane_of(layer->out));
        else if (layer->kind == CNN_LAYER_GROUPNORM)
            count *= (double)cnn_shape_count(layer->in) / layer->options.norm.groups;
    }
    return count;
}

static int count_for(const cnn_sentinel *sentinel, double cost)
{
    return (int)fmax(1.0, fmin(CNN_SENTINEL_VALUES, floor(0.5 * sentinel->budget / cost)));
}

int cnn_sentinel_count_outputs(const cnn_sentinel *sentinel)
{
    const cnn_sentinel_step *at = &sentinel->at;
    return count_for(sentinel, cost_of_sum(at) * count_needed(at));
}

/* All channels of all samples are brought to the host; a value takes a fraction of a multiplication. */
static double cost_of_reading(const cnn_sentinel_step *at)
{
    static const double each = 0.25;
    const cnn_op *op = at->step->op;
    return each * at->pass.n *
           (double)(cnn_shape_count(op->layers[0]->in) + cnn_shape_count(cnn_op_last_layer(op)->out));
}

/* Of a channel over all samples of the pass: to find a value's way costs some multiplications, too. */
static double cost_of_channel(const cnn_sentinel_step *at, const cnn_layer *layer)
{
    enum { WAY = 16 };
    double values = at->pass.n * plane_of(layer->out), way = WAY * count_needed(at);
    return values * (way + (is_looked_at_again(at) ? cost_of_sum(at) : 1.0));
}

/* A batch norm without parameters leaves none of its sums: each channel's is made anew. */
static double cost_of_gradient(const cnn_sentinel_step *at)
{
    double readers = 1.0, cost = count_needed(at) * (is_looked_at_again(at) ? cost_of_sum(at) : 1.0);
    if (at->norm >= 0 && !layer_of(at, at->norm)->options.norm.affine)
        cost += cost_of_channel(at, layer_of(at, at->norm));
    if (at->dear >= 0)
        readers = (double)layer_of(at, at->dear)->params[0].count / layer_of(at, at->dear)->in.c;
    return readers * cost;
}

/* 0 where it is not their turn. */
int cnn_sentinel_count_gradients(cnn_sentinel *sentinel)
{
    double cost = cost_of_gradient(&sentinel->at);
    return cnn_sentinel_takes(sentinel, cost) ? count_for(sentinel, cost) : 0;
}

/* One of the layers whose parameters are trained. */
static int draw_trained(cnn_sentinel *sentinel)
{
    const cnn_sentinel_step *at = &sentinel->at;
    int count = 0, found = -1;
    for (int l = 0; l < at->step->op->layer_count; l++)
        if (layer_of(at, l)->param_count > 0 && !is_frozen(sentinel, layer_of(at, l)) &&
            cnn_sentinel_draw(sentinel, (size_t)++count) == 0)
            found = l;
    return found;
}

void cnn_sentinel_choose(cnn_sentinel *sentinel)
{
    cnn_sentinel_step *at = &sentinel->at;
    at->dear = at->norm = -1;
    for (int l = 0; l < at->step->op->layer_count; l++) {
        const cnn_layer *layer = layer_of(at, l);
        if (layer->kind == CNN_LAYER_CONV || layer->kind == CNN_LAYER_LINEAR)
            at->dear = l;
        if (layer->kind == CNN_LAYER_BATCHNORM && !is_frozen(sentinel, layer))
            at->norm = l;
    }
    at->trained = at->step->output_gradient >= 0 ? draw_trained(sentinel) : -1;
    int shown = at->trained >= 0 ? at->trained : at->norm;
    if (shown < 0)
        return;
    /* of both, where a batch norm is behind a convolution: they have as many */
    at->channel = (int)cnn_sentinel_draw(sentinel, (size_t)layer_of(at, shown)->out.c);
    double cost = cost_of_channel(at, layer_of(at, shown)) + cost_of_reading(at);
    if (!cnn_sentinel_takes(sentinel, cost))
        at->trained = -1;
    at->statistics = at->norm >= 0 && (at->trained >= 0 || cnn_sentinel_takes(sentinel, cost));
}
