/* Single values of convolutions and linear layers. */
#include <stdlib.h>

#include "ref/points_run.h"
#include "ref/window.h"

/* One output channel's weights, (kernel rows, columns, channels of a group): as an input's pixels lie. */
static const float *pack_weights(cnn_ref_points *points, int l, int o)
{
    const cnn_layer *layer = points->chain->layers[l];
    const cnn_conv_options *conv = &layer->options.conv;
    size_t channels = (size_t)(layer->in.c / conv->groups);
    size_t taps = (size_t)conv->kernel[0] * (size_t)conv->kernel[1];
    const float *w = points->chain->parameters + layer->params[0].offset + (size_t)o * channels * taps;
    float *packed = points->weights[l];
    if (points->packed[l] == o)
        return packed;
    for (size_t c = 0; c < channels; c++)
        for (size_t tap = 0; tap < taps; tap++)
            packed[tap * channels + c] = w[c * taps + tap];
    points->packed[l] = o;
    return packed;
}

/* The products of a pixel's channels, exact ones: four sums at once. */
static void add_pixel(cnn_ref_total *total, const float *x, const float *w, int count)
{
    double sums[4] = {0.0}, squares[4] = {0.0};
    int i = 0;
    for (; i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++) {
            double term = (double)x[i + k] * w[i + k];
            sums[k] += term;
            squares[k] += term * term;
        }
    for (; i < count; i++) {
        double term = (double)x[i] * w[i];
        sums[0] += term;
        squares[0] += term * term;
    }
    total->value += (sums[0] + sums[1]) + (sums[2] + sums[3]);
    total->squares += (squares[0] + squares[1]) + (squares[2] + squares[3]);
    total->count += count;
}

/* The products of a tap of an output. first: the input's channel that the group begins with. */
static void add_tap(cnn_ref_total *total, cnn_ref_points *points, int l, const float *w,
                    cnn_ref_spot at, int first)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_shape in = layer->in;
    int channels = in.c / layer->options.conv.groups;
    const float *x = cnn_ref_point_outside(points, l, 0);
    if (x) {
        size_t pixel = ((size_t)at.sample * (size_t)in.h + (size_t)at.h) * (size_t)in.w + (size_t)at.w;
        add_pixel(total, x + pixel * (size_t)in.c + (size_t)first, w, channels);
        return;
    }
    for (int c = 0; c < channels; c++) {
        at.c = first + c;
        cnn_ref_total_add(total, cnn_ref_point_read(points, l, 0, at), (double)w[c]);
    }
}

static cnn_ref_real conv_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_window rows = cnn_ref_conv_window(layer, 0), columns = cnn_ref_conv_window(layer, 1);
    const float *w = pack_weights(points, l, at.c);
    int channels = layer->in.c / layer->options.conv.groups;
    int first = cnn_ref_conv_channel(layer, at.c, 0);
    cnn_ref_total total = {.value = cnn_ref_point_parameter(points, l, 1, (size_t)at.c, 0.0)};
    total.squares = total.value * total.value;
    for (int i = 0; i < rows.kernel; i++) {
        int64_t h = cnn_ref_place(rows, at.h, i);
        for (int j = 0; cnn_ref_is_inside(h, layer->in.h) && j < columns.kernel; j++) {
            int64_t v = cnn_ref_place(columns, at.w, j);
            if (cnn_ref_is_inside(v, layer->in.w))
                add_tap(&total, points, l,
                        w + ((size_t)i * (size_t)columns.kernel + (size_t)j) * (size_t)channels,
                        (cnn_ref_spot){at.sample, 0, (int)h, (int)v}, first);
        }
    }
    return cnn_ref_total_real(&total);
}

static cnn_ref_real conv_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_window rows = cnn_ref_conv_window(layer, 0), columns = cnn_ref_conv_window(layer, 1);
    int groups = layer->options.conv.groups, channels = layer->in.c / groups;
    int targets = layer->out.c / groups, first = at.c / channels * targets;
    cnn_ref_total total = {0};
    (void)input;
    for (int o = first; o < first + targets; o++)
        for (int i = 0; i < rows.kernel; i++) {
            int64_t r = cnn_ref_reader(rows, at.h, i, layer->out.h);
            for (int j = 0; r >= 0 && j < columns.kernel; j++) {
                int64_t s = cnn_ref_reader(columns, at.w, j, layer->out.w);
                size_t weight = (((size_t)o * (size_t)channels + (size_t)(at.c % channels)) *
                                     (size_t)rows.kernel + (size_t)i) * (size_t)columns.kernel +
                                (size_t)j;
                if (s >= 0)
                    cnn_ref_total_add(&total,
                                      cnn_ref_point_gradient(points, l,
                                                             (cnn_ref_spot){at.sample, o, (int)r, (int)s}),
                                      cnn_ref_point_parameter(points, l, 0, weight, 0.0));
            }
        }
    return cnn_ref_total_real(&total);
}

static bool add_felt(cnn_ref_points *points, cnn_ref_spot at, cnn_ref_real real)
{
    enum { FIRST_ROOM = 1024 };
    if (points->felt_count == points->felt_room) {
        size_t room = points->felt_room ? 2 * points->felt_room : FIRST_ROOM;
        felt *larger = realloc(points->felt, room * sizeof *larger);
        if (!larger)
            return false;
        points->felt = larger;
        points->felt_room = room;
    }
    points->felt[points->felt_count++] = (felt){at.sample, at.h, at.w, real};
    return true;
}

/* The gradients of a channel that are not zero, of all samples: few are, behind a pool. */
static void find_felt(cnn_ref_points *points, int l, int c)
{
    cnn_shape out = points->chain->layers[l]->out;
    if (points->felt_layer == l && points->felt_channel == c)
        return;
    points->felt_layer = l;
    points->felt_channel = c;
    points->felt_count = 0;
    for (int sample = 0; sample < points->chain->n; sample++)
        for (int h = 0; h < out.h; h++)
            for (int w = 0; w < out.w; w++) {
                cnn_ref_spot at = {sample, c, h, w};
                cnn_ref_real dy = cnn_ref_point_gradient(points, l, at);
                if (dy.value == 0.0 && dy.error == 0.0)
                    continue;
                if (!add_felt(points, at, dy)) {
                    points->failed = true;
                    return;
                }
            }
}

/* The sum of a channel's gradients. */
static cnn_ref_real bias_gradient(cnn_ref_points *points, int l, int c)
{
    cnn_ref_total total = {0};
    find_felt(points, l, c);
    for (size_t i = 0; i < points->felt_count; i++)
        cnn_ref_total_add(&total, points->felt[i].real, 1.0);
    return cnn_ref_total_real(&total);
}

/* weight: o, c, and the tap (i, j). */
static cnn_ref_real weight_gradient(cnn_ref_points *points, int l, const int weight[4])
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_window rows = cnn_ref_conv_window(layer, 0), columns = cnn_ref_conv_window(layer, 1);
    int channel = cnn_ref_conv_channel(layer, weight[0], weight[1]);
    cnn_ref_total total = {0};
    find_felt(points, l, weight[0]);
    for (size_t i = 0; i < points->felt_count; i++) {
        const felt *dy = &points->felt[i];
        int64_t h = cnn_ref_place(rows, dy->h, weight[2]);
        int64_t w = cnn_ref_place(columns, dy->w, weight[3]);
        if (cnn_ref_is_inside(h, layer->in.h) && cnn_ref_is_inside(w, layer->in.w))
            cnn_ref_total_add_product(
                &total, dy->real,
                cnn_ref_point_read(points, l, 0,
                                   (cnn_ref_spot){dy->sample, channel, (int)h, (int)w}));
    }
    return cnn_ref_total_real(&total);
}

static cnn_ref_real conv_parameter(cnn_ref_points *points, int l, int param, size_t index)
{
    const int *shape = points->chain->layers[l]->params[0].shape;
    int at[4];
    if (param == 1)
        return bias_gradient(points, l, (int)index);
    for (int i = 3; i >= 0; i--) {
        at[i] = (int)(index % (size_t)shape[i]);
        index /= (size_t)shape[i];
    }
    return weight_gradient(points, l, at);
}

static cnn_ref_real linear_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    const float *w = points->chain->parameters + layer->params[0].offset +
                     (size_t)at.c * (size_t)layer->in.c;
    cnn_ref_total total = {.value = cnn_ref_point_parameter(points, l, 1, (size_t)at.c, 0.0)};
    total.squares = total.value * total.value;
    for (int i = 0; i < layer->in.c; i++)
        cnn_ref_total_add(&total,
                          cnn_ref_point_read(points, l, 0, (cnn_ref_spot){at.sample, i, 0, 0}),
                          (double)w[i]);
    return cnn_ref_total_real(&total);
}

static cnn_ref_real linear_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_total total = {0};
    (void)input;
    for (int o = 0; o < layer->out.c; o++) {
        size_t weight = (size_t)o * (size_t)layer->in.c + (size_t)at.c;
        cnn_ref_total_add(&total,
                          cnn_ref_point_gradient(points, l, (cnn_ref_spot){at.sample, o, 0, 0}),
                          cnn_ref_point_parameter(points, l, 0, weight, 0.0));
    }
    return cnn_ref_total_real(&total);
}

static cnn_ref_real linear_parameter(cnn_ref_points *points, int l, int param, size_t index)
{
    int in = points->chain->layers[l]->in.c;
    cnn_ref_total total = {0};
    if (param == 1)
        return bias_gradient(points, l, (int)index);
    int o = (int)(index / (size_t)in), feature = (int)(index % (size_t)in);
    find_felt(points, l, o);
    for (size_t i = 0; i < points->felt_count; i++)
        cnn_ref_total_add_product(
            &total, points->felt[i].real,
            cnn_ref_point_read(points, l, 0, (cnn_ref_spot){points->felt[i].sample, feature, 0, 0}));
    return cnn_ref_total_real(&total);
}

const cnn_ref_point_class cnn_ref_conv_points = {conv_value, conv_gradient, conv_parameter, true};
const cnn_ref_point_class cnn_ref_linear_points = {linear_value, linear_gradient, linear_parameter,
                                                   true};
