/* Single values of the norms. Batch norm's statistics, and the sums that its gradient is made of, are
 * those that the pass had; they are values of their own. */
#include <math.h>

#include "base/rounding.h"
#include "ref/points_run.h"

/* What a channel is normalised by. */
typedef struct channel_norm {
    double mean, inverse_std, weight, bias;
    bool fixed; /* they do not follow from the values */
} channel_norm;

static channel_norm find_norm(const cnn_ref_points *points, int l, int c)
{
    const cnn_ref_chain *chain = points->chain;
    const cnn_layer *layer = chain->layers[l];
    channel_norm norm = {.weight = cnn_ref_point_parameter(points, l, 0, (size_t)c, 1.0),
                         .bias = cnn_ref_point_parameter(points, l, 1, (size_t)c, 0.0),
                         .fixed = chain->frozen && chain->frozen[layer->index]};
    if (norm.fixed) {
        const float *running = chain->running + layer->statistic_offset;
        norm.mean = running[c];
        norm.inverse_std = 1.0 / sqrt((double)running[layer->in.c + c] + layer->options.norm.eps);
    } else {
        norm.mean = chain->mean[c];
        norm.inverse_std = chain->inverse_std[c];
    }
    return norm;
}

static cnn_ref_real normalise(const channel_norm *norm, cnn_ref_real x)
{
    double size = (fabs(x.value) + fabs(norm->mean)) * norm->inverse_std;
    return (cnn_ref_real){(x.value - norm->mean) * norm->inverse_std,
                          x.error * norm->inverse_std + cnn_ref_few_roundings(size)};
}

/* weight * a normalised value + bias. */
static cnn_ref_real stretch(cnn_ref_real x, double weight, double bias)
{
    double size = fabs(weight * x.value) + fabs(bias);
    return (cnn_ref_real){weight * x.value + bias,
                          fabs(weight) * x.error + cnn_ref_few_roundings(size)};
}

static cnn_ref_real batchnorm_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    channel_norm norm = find_norm(points, l, at.c);
    cnn_ref_real x = normalise(&norm, cnn_ref_point_read(points, l, 0, at));
    return stretch(x, norm.weight, norm.bias);
}

/* Over a channel: of the gradients, times the normalised values where that is asked for. */
static cnn_ref_real sum_channel(cnn_ref_points *points, int l, int c, bool along)
{
    cnn_shape in = points->chain->layers[l]->in;
    channel_norm norm = find_norm(points, l, c);
    cnn_ref_total total = {0};
    for (int sample = 0; sample < points->chain->n; sample++)
        for (int h = 0; h < in.h; h++)
            for (int w = 0; w < in.w; w++) {
                cnn_ref_spot at = {sample, c, h, w};
                cnn_ref_real dy = cnn_ref_point_gradient(points, l, at);
                if (!along)
                    cnn_ref_total_add(&total, dy, 1.0);
                else if (dy.value != 0.0 || dy.error != 0.0)
                    cnn_ref_total_add_product(
                        &total, dy, normalise(&norm, cnn_ref_point_read(points, l, 0, at)));
            }
    return cnn_ref_total_real(&total);
}

/* A sum that the pass had, or that is made. */
static cnn_ref_real find_sum(cnn_ref_points *points, int l, int c, bool along)
{
    const cnn_ref_chain *chain = points->chain;
    const cnn_layer *layer = chain->layers[l];
    if (!chain->gradients || layer->param_count < 2)
        return sum_channel(points, l, c, along);
    double sum = chain->gradients[layer->params[along ? 0 : 1].offset + (size_t)c];
    return (cnn_ref_real){sum, cnn_ref_few_roundings(sum)};
}

static cnn_ref_real batchnorm_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    cnn_shape in = points->chain->layers[l]->in;
    channel_norm norm = find_norm(points, l, at.c);
    double scale = norm.weight * norm.inverse_std, size;
    double count = (double)points->chain->whole * in.h * in.w;
    cnn_ref_real dy = cnn_ref_point_gradient(points, l, at);
    (void)input;
    if (norm.fixed)
        return stretch(dy, scale, 0.0);
    cnn_ref_real x = normalise(&norm, cnn_ref_point_read(points, l, 0, at));
    cnn_ref_real sum = find_sum(points, l, at.c, false), along = find_sum(points, l, at.c, true);
    double rest = dy.value - sum.value / count - x.value * along.value / count;
    size = fabs(dy.value) + fabs(sum.value / count) + fabs(x.value * along.value / count);
    double error = dy.error + sum.error / count + fabs(x.value) * along.error / count +
                   x.error * fabs(along.value) / count + cnn_ref_few_roundings(size);
    error *= fabs(scale);
    return (cnn_ref_real){scale * rest, error};
}

static cnn_ref_real batchnorm_parameter(cnn_ref_points *points, int l, int param, size_t index)
{
    return sum_channel(points, l, (int)index, param == 0);
}

void cnn_ref_point_statistics(cnn_ref_real *mean, cnn_ref_real *variance, cnn_ref_points *points,
                              int layer, int c)
{
    cnn_shape in = points->chain->layers[layer]->in;
    double count = (double)points->chain->n * in.h * in.w, squares = 0.0, slack = 0.0;
    cnn_ref_total total = {0};
    for (int pass = 0; pass < 2; pass++)
        for (int sample = 0; sample < points->chain->n; sample++)
            for (int h = 0; h < in.h; h++)
                for (int w = 0; w < in.w; w++) {
                    cnn_ref_real x =
                        cnn_ref_point_read(points, layer, 0, (cnn_ref_spot){sample, c, h, w});
                    double apart = x.value - total.value / count;
                    if (pass == 0) {
                        cnn_ref_total_add(&total, x, 1.0);
                    } else {
                        squares += apart * apart;
                        slack += 2.0 * fabs(apart) * x.error;
                    }
                }
    cnn_ref_real sum = cnn_ref_total_real(&total);
    *mean = (cnn_ref_real){sum.value / count, sum.error / count};
    double size = squares / count, shift = fabs(mean->value) * sqrt(size);
    *variance = (cnn_ref_real){size, slack / count + cnn_rounding(count) * (size + shift) +
                                         mean->error * mean->error};
}

static int channels_of_group(const cnn_layer *layer)
{
    return layer->in.c / layer->options.norm.groups;
}

/* Runs over the group of a value; what: 0 the sum of the values, 1 of their squares about the mean, 2
 * the sums of gradients. */
static void sum_group(group_sums *group, cnn_ref_points *points, int l, cnn_ref_spot of, int what)
{
    const cnn_layer *layer = points->chain->layers[l];
    int channels = channels_of_group(layer), first = of.c / channels * channels;
    double sum = 0.0;
    for (int c = first; c < first + channels; c++)
        for (int h = 0; h < layer->in.h; h++)
            for (int w = 0; w < layer->in.w; w++) {
                cnn_ref_spot at = {of.sample, c, h, w};
                double x = cnn_ref_point_read(points, l, 0, at).value;
                if (what < 2) {
                    sum += what == 0 ? x : (x - group->mean) * (x - group->mean);
                    continue;
                }
                double dy = cnn_ref_point_gradient(points, l, at).value *
                            cnn_ref_point_parameter(points, l, 0, (size_t)c, 1.0);
                group->dy += dy;
                group->along += dy * (x - group->mean) * group->inverse_std;
            }
    double count = (double)channels * layer->in.h * layer->in.w;
    if (what == 0)
        group->mean = sum / count;
    if (what == 1)
        group->inverse_std = 1.0 / sqrt(sum / count + layer->options.norm.eps);
}

/* The statistics of the group of a value, and, where they are asked for, the sums of its gradients. */
static const group_sums *find_group(cnn_ref_points *points, int l, cnn_ref_spot at, bool gradients)
{
    const cnn_layer *layer = points->chain->layers[l];
    int number = at.sample * layer->options.norm.groups + at.c / channels_of_group(layer);
    group_sums *group = &points->groups[l][number];
    if (!group->is_there) {
        sum_group(group, points, l, at, 0);
        sum_group(group, points, l, at, 1);
        group->is_there = true;
    }
    if (gradients && !group->has_gradients) {
        sum_group(group, points, l, at, 2);
        group->has_gradients = true;
    }
    return group;
}

static double group_count(const cnn_layer *layer)
{
    return (double)channels_of_group(layer) * layer->in.h * layer->in.w;
}

/* As a channel's; with the rounding of the group's sums. */
static cnn_ref_real normalise_in_group(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const group_sums *group = find_group(points, l, at, false);
    const channel_norm norm = {.mean = group->mean, .inverse_std = group->inverse_std};
    cnn_ref_real x = normalise(&norm, cnn_ref_point_read(points, l, 0, at));
    double count = group_count(points->chain->layers[l]);
    x.error += cnn_rounding(count) * (1.0 + fabs(x.value) + fabs(norm.mean) * norm.inverse_std);
    return x;
}

static cnn_ref_real groupnorm_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    return stretch(normalise_in_group(points, l, at),
                   cnn_ref_point_parameter(points, l, 0, (size_t)at.c, 1.0),
                   cnn_ref_point_parameter(points, l, 1, (size_t)at.c, 0.0));
}

static cnn_ref_real groupnorm_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    double count = group_count(layer);
    cnn_ref_real dy = cnn_ref_point_gradient(points, l, at);
    double scaled = dy.value * cnn_ref_point_parameter(points, l, 0, (size_t)at.c, 1.0);
    (void)input;
    const group_sums *group = find_group(points, l, at, true);
    cnn_ref_real x = normalise_in_group(points, l, at);
    double rest = scaled - group->dy / count - x.value * group->along / count;
    double size = fabs(scaled) + fabs(group->dy / count) + fabs(x.value * group->along / count);
    double error = cnn_rounding(16.0 + count) * size + fabs(group->along / count) * x.error;
    return (cnn_ref_real){group->inverse_std * rest, group->inverse_std * error};
}

static cnn_ref_real groupnorm_parameter(cnn_ref_points *points, int l, int param, size_t index)
{
    cnn_shape in = points->chain->layers[l]->in;
    cnn_ref_total total = {0};
    for (int sample = 0; sample < points->chain->n; sample++)
        for (int h = 0; h < in.h; h++)
            for (int w = 0; w < in.w; w++) {
                cnn_ref_spot at = {sample, (int)index, h, w};
                cnn_ref_real dy = cnn_ref_point_gradient(points, l, at);
                if (param == 1)
                    cnn_ref_total_add(&total, dy, 1.0);
                else
                    cnn_ref_total_add_product(&total, dy, normalise_in_group(points, l, at));
            }
    return cnn_ref_total_real(&total);
}

const cnn_ref_point_class cnn_ref_batchnorm_points = {batchnorm_value, batchnorm_gradient,
                                                      batchnorm_parameter, false};
const cnn_ref_point_class cnn_ref_groupnorm_points = {groupnorm_value, groupnorm_gradient,
                                                      groupnorm_parameter, false};
