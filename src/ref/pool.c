/* Max pool and where each maximum came from, average pool, adaptive average pool. */
#include <math.h>
#include <string.h>

#include "ref/index.h"
#include "ref/ref.h"
#include "ref/window.h"

/* The offset in x of tap `which`, row-major in the window; false where it is in the padding. */
static bool source(size_t *offset, const cnn_layer *layer, int n, int c, int h, int w, int which)
{
    const cnn_pool_options *pool = &layer->options.pool;
    int64_t r = cnn_ref_place(cnn_ref_pool_window(layer, 0), h, which / pool->kernel[1]);
    int64_t s = cnn_ref_place(cnn_ref_pool_window(layer, 1), w, which % pool->kernel[1]);
    if (r < 0 || r >= layer->in.h || s < 0 || s >= layer->in.w)
        return false;
    *offset = cnn_ref_index(layer->in, n, c, (int)r, (int)s);
    return true;
}

static int count_taps(const cnn_layer *layer)
{
    return layer->options.pool.kernel[0] * layer->options.pool.kernel[1];
}

static void find_maximum(float *y, int32_t *which, const float *x, const cnn_layer *layer, int n,
                         int c, int h, int w)
{
    size_t at = cnn_ref_index(layer->out, n, c, h, w), offset;
    int best = -1;
    float most = 0.0f;
    for (int i = 0; i < count_taps(layer); i++) {
        if (!source(&offset, layer, n, c, h, w, i))
            continue;
        if (best < 0 || x[offset] > most || isnan(x[offset])) {
            most = x[offset];
            best = i;
        }
    }
    y[at] = most;
    which[at] = best;
}

#define FOR_EACH_OUTPUT(layer, n)                                                                  \
    for (int sample = 0; sample < (n); sample++)                                                   \
        for (int c = 0; c < (layer)->out.c; c++)                                                   \
            for (int h = 0; h < (layer)->out.h; h++)                                               \
                for (int w = 0; w < (layer)->out.w; w++)

void cnn_ref_maxpool_forward(float *y, int32_t *which, const float *x, const cnn_layer *layer,
                             int n)
{
    FOR_EACH_OUTPUT(layer, n)
    find_maximum(y, which, x, layer, sample, c, h, w);
}

void cnn_ref_maxpool_backward(float *dx, const float *dy, const int32_t *which,
                              const cnn_layer *layer, int n)
{
    memset(dx, 0, cnn_shape_count(layer->in) * (size_t)n * sizeof *dx);
    FOR_EACH_OUTPUT(layer, n)
    {
        size_t at = cnn_ref_index(layer->out, sample, c, h, w), offset;
        if (source(&offset, layer, sample, c, h, w, which[at]))
            dx[offset] += dy[at];
    }
}

/* What an average divides by: torch.nn.AvgPool2d counts the padding's places, but not those that
 * only ceil_mode adds behind it; without count_include_pad the values alone. */
double cnn_ref_avgpool_divisor(const cnn_layer *layer, int h, int w)
{
    const cnn_pool_options *pool = &layer->options.pool;
    int size[2] = {layer->in.h, layer->in.w}, at[2] = {h, w};
    double count = 1.0;
    for (int axis = 0; axis < 2; axis++) {
        int64_t begin = cnn_ref_place(cnn_ref_pool_window(layer, axis), at[axis], 0);
        int64_t end = begin + pool->kernel[axis];
        int64_t most = size[axis] + (pool->count_include_pad ? pool->padding[axis + 2] : 0);
        if (end > most)
            end = most;
        if (!pool->count_include_pad && begin < 0)
            begin = 0;
        count *= (double)(end - begin);
    }
    return count;
}

void cnn_ref_avgpool_forward(float *y, const float *x, const cnn_layer *layer, int n)
{
    FOR_EACH_OUTPUT(layer, n)
    {
        double sum = 0.0;
        size_t offset;
        for (int i = 0; i < count_taps(layer); i++)
            if (source(&offset, layer, sample, c, h, w, i))
                sum += x[offset];
        y[cnn_ref_index(layer->out, sample, c, h, w)] =
            (float)(sum / cnn_ref_avgpool_divisor(layer, h, w));
    }
}

void cnn_ref_avgpool_backward(float *dx, const float *dy, const cnn_layer *layer, int n)
{
    memset(dx, 0, cnn_shape_count(layer->in) * (size_t)n * sizeof *dx);
    FOR_EACH_OUTPUT(layer, n)
    {
        double share = dy[cnn_ref_index(layer->out, sample, c, h, w)] /
                       cnn_ref_avgpool_divisor(layer, h, w);
        size_t offset;
        for (int i = 0; i < count_taps(layer); i++)
            if (source(&offset, layer, sample, c, h, w, i))
                dx[offset] = (float)(dx[offset] + share);
    }
}

void cnn_ref_adaptive_range(int *begin, int *end, int at, int count, int size)
{
    *begin = (int)((int64_t)at * size / count);
    *end = (int)((((int64_t)at + 1) * size + count - 1) / count);
}

void cnn_ref_adaptiveavgpool_forward(float *y, const float *x, const cnn_layer *layer, int n)
{
    FOR_EACH_OUTPUT(layer, n)
    {
        int top, bottom, left, right;
        double sum = 0.0;
        cnn_ref_adaptive_range(&top, &bottom, h, layer->out.h, layer->in.h);
        cnn_ref_adaptive_range(&left, &right, w, layer->out.w, layer->in.w);
        for (int r = top; r < bottom; r++)
            for (int s = left; s < right; s++)
                sum += x[cnn_ref_index(layer->in, sample, c, r, s)];
        y[cnn_ref_index(layer->out, sample, c, h, w)] =
            (float)(sum / ((double)(bottom - top) * (right - left)));
    }
}

void cnn_ref_adaptiveavgpool_backward(float *dx, const float *dy, const cnn_layer *layer, int n)
{
    memset(dx, 0, cnn_shape_count(layer->in) * (size_t)n * sizeof *dx);
    FOR_EACH_OUTPUT(layer, n)
    {
        int top, bottom, left, right;
        cnn_ref_adaptive_range(&top, &bottom, h, layer->out.h, layer->in.h);
        cnn_ref_adaptive_range(&left, &right, w, layer->out.w, layer->in.w);
        double share = dy[cnn_ref_index(layer->out, sample, c, h, w)] /
                       ((double)(bottom - top) * (right - left));
        for (int r = top; r < bottom; r++)
            for (int s = left; s < right; s++) {
                float *at = &dx[cnn_ref_index(layer->in, sample, c, r, s)];
                *at = (float)(*at + share);
            }
    }
}
