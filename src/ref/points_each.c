/* Single values of what changes values one by one, and of what moves and joins them. */
#include <math.h>

#include "ref/points_run.h"
#include "ref/window.h"

/* How far a function of a value is from its neighbours' within the error. */
static double spread(double (*function)(const cnn_layer *, double), const cnn_layer *layer,
                     cnn_ref_real x)
{
    double value = function(layer, x.value);
    if (x.error == 0.0)
        return 0.0;
    return fmax(fabs(function(layer, x.value - x.error) - value),
                fabs(function(layer, x.value + x.error) - value));
}

/* Those that only choose among their value and a bound. */
static cnn_ref_real exact_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_real x = cnn_ref_point_read(points, l, 0, at);
    return (cnn_ref_real){cnn_ref_activation_value(layer, x.value),
                          spread(cnn_ref_activation_value, layer, x)};
}

/* What is left where x and a curve of it nearly cancel has the rounding of x. */
static cnn_ref_real curved_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    cnn_ref_real y = exact_value(points, l, at), x = cnn_ref_point_read(points, l, 0, at);
    y.error += cnn_ref_few_roundings(fmax(fmin(fabs(x.value), 16.0), fabs(y.value)));
    return y;
}

/* rounded: the slope is computed with rounding. */
static cnn_ref_real gradient_of(cnn_ref_points *points, int l, cnn_ref_spot at, bool rounded)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_real dy = cnn_ref_point_gradient(points, l, at);
    if (dy.value == 0.0 && dy.error == 0.0)
        return dy;
    cnn_ref_real x = cnn_ref_point_read(points, l, 0, at);
    double slope = cnn_ref_activation_slope(layer, x.value);
    double slack = spread(cnn_ref_activation_slope, layer, x);
    if (rounded)
        slack += cnn_ref_few_roundings(1.0 + fabs(slope));
    return (cnn_ref_real){dy.value * slope,
                          dy.error * (fabs(slope) + slack) + fabs(dy.value) * slack};
}

static cnn_ref_real exact_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    (void)input;
    return gradient_of(points, l, at, false);
}

static cnn_ref_real curved_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    (void)input;
    return gradient_of(points, l, at, true);
}

/* Zero, or scaled. */
static cnn_ref_real drop(const cnn_ref_points *points, int l, cnn_ref_real x)
{
    double scale = (float)(1.0 / (1.0 - points->chain->layers[l]->options.dropout.p));
    return (cnn_ref_real){scale * x.value, scale * x.error + cnn_ref_few_roundings(scale * x.value)};
}

static bool is_kept(const cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_ref_chain *chain = points->chain;
    const cnn_layer *layer = chain->layers[l];
    return cnn_ref_is_kept(layer, chain->samples[at.sample], at.c, at.h, at.w, chain->seed,
                           chain->step);
}

static cnn_ref_real dropout_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    if (!is_kept(points, l, at))
        return (cnn_ref_real){0.0, 0.0};
    return drop(points, l, cnn_ref_point_read(points, l, 0, at));
}

static cnn_ref_real dropout_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    (void)input;
    if (!is_kept(points, l, at))
        return (cnn_ref_real){0.0, 0.0};
    return drop(points, l, cnn_ref_point_gradient(points, l, at));
}

/* Flat values are in the order of channels, rows, columns. */
static cnn_ref_real flatten_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    cnn_shape in = points->chain->layers[l]->in;
    int plane = in.h * in.w;
    cnn_ref_spot from = {at.sample, at.c / plane, at.c % plane / in.w, at.c % in.w};
    return cnn_ref_point_read(points, l, 0, from);
}

static cnn_ref_real flatten_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    cnn_shape in = points->chain->layers[l]->in;
    (void)input;
    return cnn_ref_point_gradient(
        points, l, (cnn_ref_spot){at.sample, (at.c * in.h + at.h) * in.w + at.w, 0, 0});
}

static cnn_ref_real add_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    cnn_ref_real a = cnn_ref_point_read(points, l, 0, at), b = cnn_ref_point_read(points, l, 1, at);
    double size = fabs(a.value) + fabs(b.value);
    return (cnn_ref_real){a.value + b.value, a.error + b.error + cnn_ref_few_roundings(size)};
}

static cnn_ref_real add_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    (void)input;
    return cnn_ref_point_gradient(points, l, at);
}

static cnn_ref_real concat_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    int input = 0;
    for (; at.c >= cnn_layer_input(layer, input).c; input++)
        at.c -= cnn_layer_input(layer, input).c;
    return cnn_ref_point_read(points, l, input, at);
}

static cnn_ref_real concat_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    for (int before = 0; before < input; before++)
        at.c += cnn_layer_input(layer, before).c;
    return cnn_ref_point_gradient(points, l, at);
}

/* A factor of an output's value: of its own, or of its channel. */
static cnn_ref_real read_factor(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    if (!cnn_shape_equal(cnn_layer_input(layer, input), layer->out))
        at.h = at.w = 0;
    return cnn_ref_point_read(points, l, input, at);
}

static cnn_ref_real mul_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    cnn_ref_total total = {0};
    cnn_ref_total_add_product(&total, read_factor(points, l, 0, at), read_factor(points, l, 1, at));
    return cnn_ref_total_real(&total);
}

/* A channel's factor has the sum over the plane. */
static cnn_ref_real mul_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    bool narrow = !cnn_shape_equal(cnn_layer_input(layer, input), layer->out);
    int plane = narrow ? layer->out.h * layer->out.w : 1;
    cnn_ref_total total = {0};
    for (int i = 0; i < plane; i++) {
        cnn_ref_spot spot = at;
        if (narrow) {
            spot.h = i / layer->out.w;
            spot.w = i % layer->out.w;
        }
        cnn_ref_total_add_product(&total, cnn_ref_point_gradient(points, l, spot),
                                  read_factor(points, l, 1 - input, spot));
    }
    return cnn_ref_total_real(&total);
}

const cnn_ref_point_class cnn_ref_activation_points = {curved_value, curved_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_exact_activation_points = {exact_value, exact_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_dropout_points = {dropout_value, dropout_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_flatten_points = {flatten_value, flatten_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_add_points = {add_value, add_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_concat_points = {concat_value, concat_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_mul_points = {mul_value, mul_gradient, NULL, false};
