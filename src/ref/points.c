#include "ref/points.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/rounding.h"
#include "base/status.h"
#include "ref/points_run.h"

static const cnn_ref_point_class *const classes[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_CONV] = &cnn_ref_conv_points,
    [CNN_LAYER_LINEAR] = &cnn_ref_linear_points,
    [CNN_LAYER_BATCHNORM] = &cnn_ref_batchnorm_points,
    [CNN_LAYER_GROUPNORM] = &cnn_ref_groupnorm_points,
    [CNN_LAYER_RELU] = &cnn_ref_exact_activation_points,
    [CNN_LAYER_RELU6] = &cnn_ref_exact_activation_points,
    [CNN_LAYER_LEAKYRELU] = &cnn_ref_activation_points,
    [CNN_LAYER_SILU] = &cnn_ref_activation_points,
    [CNN_LAYER_GELU] = &cnn_ref_activation_points,
    [CNN_LAYER_HARDSWISH] = &cnn_ref_activation_points,
    [CNN_LAYER_SIGMOID] = &cnn_ref_activation_points,
    [CNN_LAYER_TANH] = &cnn_ref_activation_points,
    [CNN_LAYER_SCALE] = &cnn_ref_activation_points,
    [CNN_LAYER_MAXPOOL] = &cnn_ref_maxpool_points,
    [CNN_LAYER_AVGPOOL] = &cnn_ref_avgpool_points,
    [CNN_LAYER_ADAPTIVEAVGPOOL] = &cnn_ref_adaptive_points,
    [CNN_LAYER_DROPOUT] = &cnn_ref_dropout_points,
    [CNN_LAYER_DROPOUT2D] = &cnn_ref_dropout_points,
    [CNN_LAYER_FLATTEN] = &cnn_ref_flatten_points,
    [CNN_LAYER_ADD] = &cnn_ref_add_points,
    [CNN_LAYER_CONCAT] = &cnn_ref_concat_points,
    [CNN_LAYER_MUL] = &cnn_ref_mul_points,
};

static const cnn_ref_point_class *class_of(const cnn_ref_points *points, int layer)
{
    return classes[points->chain->layers[layer]->kind];
}

/* What a convolution, a linear layer or a group norm keeps. */
static cnn_status allocate_dear(cnn_ref_points *points, int l)
{
    const cnn_layer *layer = points->chain->layers[l];
    size_t samples = (size_t)points->chain->n;
    if (layer->kind == CNN_LAYER_GROUPNORM)
        return cnn_allocate(&points->groups[l], samples * (size_t)layer->options.norm.groups,
                            sizeof(group_sums), "the groups of samples");
    if (!class_of(points, l)->keeps)
        return CNN_OK;
    cnn_status status = cnn_allocate(&points->planes[l], (size_t)layer->out.c,
                                     sizeof *points->planes[l], "a layer's values");
    if (status == CNN_OK)
        status = cnn_allocate(&points->weights[l], layer->params[0].count / (size_t)layer->out.c,
                              sizeof(float), "a channel's weights");
    points->packed[l] = -1;
    return status;
}

static cnn_status allocate(cnn_ref_points *points)
{
    const cnn_ref_chain *chain = points->chain;
    size_t count = (size_t)chain->count, inputs = 0;
    cnn_status status = CNN_OK;
    for (int l = 0; l < chain->count; l++)
        inputs += (size_t)chain->layers[l]->input_count;
    CNN_TRY(cnn_allocate(&points->outside, inputs, sizeof(int), "a chain's inputs"));
    CNN_TRY(cnn_allocate(&points->first, count, sizeof(int), "a chain's inputs"));
    CNN_TRY(cnn_allocate(&points->planes, count, sizeof *points->planes, "a chain's values"));
    CNN_TRY(cnn_allocate(&points->weights, count, sizeof *points->weights, "a chain's weights"));
    CNN_TRY(cnn_allocate(&points->groups, count, sizeof *points->groups, "a chain's groups"));
    CNN_TRY(cnn_allocate(&points->packed, count, sizeof(int), "a chain's weights"));
    for (int l = 0; l < chain->count; l++)
        CNN_TRY(allocate_dear(points, l));
out:
    return status;
}

cnn_status cnn_ref_points_create(cnn_ref_points **points, const cnn_ref_chain *chain)
{
    cnn_ref_points *made = NULL;
    cnn_status status = cnn_allocate(&made, 1, sizeof *made, "single values");
    int place = 0, outside = 0;
    *points = NULL;
    if (status != CNN_OK)
        return status;
    made->chain = chain;
    made->felt_layer = -1;
    status = allocate(made);
    for (int l = 0; status == CNN_OK && l < chain->count; l++) {
        const cnn_layer *layer = chain->layers[l];
        made->first[l] = place;
        for (int i = 0; i < layer->input_count; i++) {
            bool inside = l > 0 && layer->inputs[i] == chain->layers[l - 1]->index + 1;
            made->outside[place++] = inside ? -1 : outside++;
        }
    }
    if (status == CNN_OK)
        *points = made;
    else
        cnn_ref_points_destroy(made);
    return status;
}

void cnn_ref_points_destroy(cnn_ref_points *points)
{
    if (!points)
        return;
    for (int l = 0; l < points->chain->count; l++) {
        known **planes = points->planes ? points->planes[l] : NULL;
        for (int c = 0; planes && c < points->chain->layers[l]->out.c; c++)
            free(planes[c]);
        free(planes);
        if (points->weights)
            free(points->weights[l]);
        if (points->groups)
            free(points->groups[l]);
    }
    free(points->felt);
    free(points->planes);
    free(points->weights);
    free(points->packed);
    free(points->groups);
    free(points->outside);
    free(points->first);
    free(points);
}

bool cnn_ref_points_failed(const cnn_ref_points *points)
{
    return points->failed;
}

double cnn_ref_few_roundings(double size)
{
    return cnn_rounding(16.0) * fabs(size);
}

void cnn_ref_total_add(cnn_ref_total *total, cnn_ref_real a, double factor)
{
    double term = factor * a.value;
    total->value += term;
    total->squares += term * term;
    total->error += fabs(factor) * a.error;
    total->count += 1.0;
}

void cnn_ref_total_add_product(cnn_ref_total *total, cnn_ref_real a, cnn_ref_real b)
{
    double term = a.value * b.value;
    total->value += term;
    total->squares += term * term;
    total->error += fabs(a.value) * b.error + (fabs(b.value) + b.error) * a.error;
    total->count += 1.0;
}

/* What is summed up on the way is seldom larger than some times the terms' root of squares, or than
 * the sum. */
cnn_ref_real cnn_ref_total_real(const cnn_ref_total *total)
{
    double size = fmax(fabs(total->value), 4.0 * sqrt(total->squares));
    return (cnn_ref_real){total->value, total->error + cnn_rounding(total->count + 1.0) * size};
}

static size_t index_of(cnn_shape shape, cnn_ref_spot at)
{
    size_t pixel = ((size_t)at.sample * (size_t)shape.h + (size_t)at.h) * (size_t)shape.w;
    return (pixel + (size_t)at.w) * (size_t)shape.c + (size_t)at.c;
}

static int outside_of(const cnn_ref_points *points, int layer, int input)
{
    return points->outside[points->first[layer] + input];
}

const float *cnn_ref_point_outside(const cnn_ref_points *points, int layer, int input)
{
    int outside = outside_of(points, layer, input);
    return outside < 0 ? NULL : points->chain->x[outside];
}

cnn_ref_real cnn_ref_point_read(cnn_ref_points *points, int layer, int input, cnn_ref_spot at)
{
    const float *x = cnn_ref_point_outside(points, layer, input);
    if (!x)
        return cnn_ref_point_value(points, layer - 1, at);
    cnn_shape shape = cnn_layer_input(points->chain->layers[layer], input);
    return (cnn_ref_real){(double)x[index_of(shape, at)], 0.0};
}

double cnn_ref_point_parameter(const cnn_ref_points *points, int layer, int param, size_t index,
                               double otherwise)
{
    const cnn_layer *at = points->chain->layers[layer];
    return param < at->param_count
               ? (double)points->chain->parameters[at->params[param].offset + index]
               : otherwise;
}

/* The place of a value that is kept; NULL where there is no memory. */
static known *find_known(cnn_ref_points *points, int layer, cnn_ref_spot at)
{
    cnn_shape out = points->chain->layers[layer]->out;
    size_t plane = (size_t)out.h * (size_t)out.w;
    known **values = &points->planes[layer][at.c];
    if (!*values)
        *values = calloc((size_t)points->chain->n * plane, sizeof **values);
    if (!*values) {
        points->failed = true;
        return NULL;
    }
    return *values + (size_t)at.sample * plane + (size_t)at.h * (size_t)out.w + (size_t)at.w;
}

cnn_ref_real cnn_ref_point_value(cnn_ref_points *points, int layer, cnn_ref_spot at)
{
    const cnn_ref_point_class *class = class_of(points, layer);
    if (!class->keeps)
        return class->value(points, layer, at);
    known *value = find_known(points, layer, at);
    if (!value)
        return (cnn_ref_real){NAN, 0.0};
    if (!value->is_there)
        *value = (known){true, class->value(points, layer, at)};
    return value->real;
}

cnn_ref_real cnn_ref_point_gradient(cnn_ref_points *points, int layer, cnn_ref_spot at)
{
    const cnn_ref_chain *chain = points->chain;
    int reader = layer + 1, input = 0;
    if (reader == chain->count)
        return (cnn_ref_real){(double)chain->dy[index_of(chain->layers[layer]->out, at)], 0.0};
    while (outside_of(points, reader, input) >= 0)
        input++;
    return class_of(points, reader)->gradient(points, reader, input, at);
}

cnn_ref_real cnn_ref_point_input_gradient(cnn_ref_points *points, int input, cnn_ref_spot at)
{
    for (int l = 0; l < points->chain->count; l++)
        for (int i = 0; i < points->chain->layers[l]->input_count; i++)
            if (outside_of(points, l, i) == input)
                return class_of(points, l)->gradient(points, l, i, at);
    return (cnn_ref_real){NAN, 0.0};
}

cnn_ref_real cnn_ref_point_parameter_gradient(cnn_ref_points *points, int layer, int param,
                                              size_t index)
{
    return class_of(points, layer)->parameter(points, layer, param, index);
}
