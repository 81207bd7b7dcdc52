/* Single values of pools. */
#include <math.h>

#include "ref/points_run.h"
#include "ref/window.h"

/* A window's values, one after the other: false behind the last. at: of the output, on return of a
 * value of the input; tap: from 0. */
static bool find_tap(cnn_ref_spot *at, const cnn_layer *layer, cnn_ref_spot output, int tap)
{
    cnn_ref_window rows = cnn_ref_pool_window(layer, 0), columns = cnn_ref_pool_window(layer, 1);
    int64_t h = cnn_ref_place(rows, output.h, tap / columns.kernel);
    int64_t w = cnn_ref_place(columns, output.w, tap % columns.kernel);
    *at = (cnn_ref_spot){output.sample, output.c, (int)h, (int)w};
    return cnn_ref_is_inside(h, layer->in.h) && cnn_ref_is_inside(w, layer->in.w);
}

/* The output that reads a value through a tap. */
static bool find_reader(cnn_ref_spot *output, const cnn_layer *layer, cnn_ref_spot at, int tap)
{
    cnn_ref_window rows = cnn_ref_pool_window(layer, 0), columns = cnn_ref_pool_window(layer, 1);
    int64_t h = cnn_ref_reader(rows, at.h, tap / columns.kernel, layer->out.h);
    int64_t w = cnn_ref_reader(columns, at.w, tap % columns.kernel, layer->out.w);
    *output = (cnn_ref_spot){at.sample, at.c, (int)h, (int)w};
    return h >= 0 && w >= 0;
}

static int count_taps(const cnn_layer *layer)
{
    return layer->options.pool.kernel[0] * layer->options.pool.kernel[1];
}

/* The largest value of a window, the first of equals; which: its tap. A NaN stays. */
static cnn_ref_real find_most(int *which, cnn_ref_points *points, int l, cnn_ref_spot output)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_real most = {-INFINITY, 0.0};
    cnn_ref_spot at;
    double error = 0.0;
    *which = -1;
    for (int tap = 0; tap < count_taps(layer); tap++) {
        if (!find_tap(&at, layer, output, tap))
            continue;
        cnn_ref_real x = cnn_ref_point_read(points, l, 0, at);
        error = fmax(error, x.error);
        if (*which < 0 || x.value > most.value || isnan(x.value)) {
            most = x;
            *which = tap;
        }
    }
    most.error = error;
    return most;
}

static cnn_ref_real maxpool_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    int which;
    return find_most(&which, points, l, at);
}

/* May rounding have decided otherwise whether a value is its window's largest? */
static bool is_doubtful(cnn_ref_points *points, int l, cnn_ref_spot output, int mine)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_spot at;
    (void)find_tap(&at, layer, output, mine);
    cnn_ref_real x = cnn_ref_point_read(points, l, 0, at);
    bool near = false;
    for (int tap = 0; tap < count_taps(layer); tap++) {
        if (tap == mine || !find_tap(&at, layer, output, tap))
            continue;
        cnn_ref_real other = cnn_ref_point_read(points, l, 0, at);
        double slack = x.error + other.error, apart = other.value - x.value;
        if (apart > slack)
            return false; /* another is larger for sure */
        near = near || (slack > 0.0 && fabs(apart) <= slack);
    }
    return near;
}

static cnn_ref_real maxpool_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_total total = {0};
    cnn_ref_spot output;
    int which;
    (void)input;
    for (int tap = 0; tap < count_taps(layer); tap++) {
        if (!find_reader(&output, layer, at, tap))
            continue;
        cnn_ref_real dy = cnn_ref_point_gradient(points, l, output);
        if (dy.value == 0.0 && dy.error == 0.0)
            continue;
        (void)find_most(&which, points, l, output);
        if (is_doubtful(points, l, output, tap))
            dy.error += fabs(dy.value);
        else if (which != tap)
            continue;
        if (which != tap)
            dy.value = 0.0;
        cnn_ref_total_add(&total, dy, 1.0);
    }
    return cnn_ref_total_real(&total);
}

static cnn_ref_real avgpool_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    double share = 1.0 / cnn_ref_avgpool_divisor(layer, at.h, at.w);
    cnn_ref_total total = {0};
    cnn_ref_spot from;
    for (int tap = 0; tap < count_taps(layer); tap++)
        if (find_tap(&from, layer, at, tap))
            cnn_ref_total_add(&total, cnn_ref_point_read(points, l, 0, from), share);
    return cnn_ref_total_real(&total);
}

static cnn_ref_real avgpool_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    cnn_ref_total total = {0};
    cnn_ref_spot output;
    (void)input;
    for (int tap = 0; tap < count_taps(layer); tap++)
        if (find_reader(&output, layer, at, tap))
            cnn_ref_total_add(&total, cnn_ref_point_gradient(points, l, output),
                              1.0 / cnn_ref_avgpool_divisor(layer, output.h, output.w));
    return cnn_ref_total_real(&total);
}

/* The rows (axis 0) or columns that an output averages. */
static void find_range(int *begin, int *end, const cnn_layer *layer, int axis, int at)
{
    if (axis == 0)
        cnn_ref_adaptive_range(begin, end, at, layer->out.h, layer->in.h);
    else
        cnn_ref_adaptive_range(begin, end, at, layer->out.w, layer->in.w);
}

static cnn_ref_real adaptive_value(cnn_ref_points *points, int l, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    int top, bottom, left, right;
    cnn_ref_total total = {0};
    find_range(&top, &bottom, layer, 0, at.h);
    find_range(&left, &right, layer, 1, at.w);
    double share = 1.0 / ((double)(bottom - top) * (right - left));
    for (int h = top; h < bottom; h++)
        for (int w = left; w < right; w++)
            cnn_ref_total_add(
                &total, cnn_ref_point_read(points, l, 0, (cnn_ref_spot){at.sample, at.c, h, w}), share);
    return cnn_ref_total_real(&total);
}

static cnn_ref_real adaptive_gradient(cnn_ref_points *points, int l, int input, cnn_ref_spot at)
{
    const cnn_layer *layer = points->chain->layers[l];
    int top, bottom, left, right;
    cnn_ref_total total = {0};
    (void)input;
    for (int h = 0; h < layer->out.h; h++) {
        find_range(&top, &bottom, layer, 0, h);
        for (int w = 0; at.h >= top && at.h < bottom && w < layer->out.w; w++) {
            find_range(&left, &right, layer, 1, w);
            if (at.w >= left && at.w < right)
                cnn_ref_total_add(
                    &total, cnn_ref_point_gradient(points, l, (cnn_ref_spot){at.sample, at.c, h, w}),
                    1.0 / ((double)(bottom - top) * (right - left)));
        }
    }
    return cnn_ref_total_real(&total);
}

const cnn_ref_point_class cnn_ref_maxpool_points = {maxpool_value, maxpool_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_avgpool_points = {avgpool_value, avgpool_gradient, NULL, false};
const cnn_ref_point_class cnn_ref_adaptive_points = {adaptive_value, adaptive_gradient, NULL, false};
