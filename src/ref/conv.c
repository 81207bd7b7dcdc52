/* Convolution, read off its definition (torch.nn.Conv2d):
 * y[n,o,r,s] = b[o] + sum over c,i,j of w[o,c,i,j] * x[n, g C + c, r S + i D - P, s S + j D - P],
 * C the channels of a group, g that of o, S stride, D dilation, P padding; x is zero outside its
 * plane: those terms are left out. Backward, the same sum is read from dx's and dw's side. */
#include "ref/index.h"
#include "ref/ref.h"
#include "ref/window.h"

/* The shape of one output channel's weights. */
static cnn_shape weight_shape(const cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    return (cnn_shape){layer->in.c / conv->groups, conv->kernel[0], conv->kernel[1]};
}

/* The sum over a tap's row and column; w is that of (o, c). */
static double sum_taps(const float *x, const float *w, const cnn_layer *layer, int n, int channel,
                       int r, int s)
{
    const cnn_conv_options *conv = &layer->options.conv;
    double sum = 0.0;
    for (int i = 0; i < conv->kernel[0]; i++) {
        int64_t h = cnn_ref_place(cnn_ref_conv_window(layer, 0), r, i);
        for (int j = 0; cnn_ref_is_inside(h, layer->in.h) && j < conv->kernel[1]; j++) {
            int64_t v = cnn_ref_place(cnn_ref_conv_window(layer, 1), s, j);
            if (cnn_ref_is_inside(v, layer->in.w))
                sum += (double)w[i * conv->kernel[1] + j] *
                       x[cnn_ref_index(layer->in, n, channel, (int)h, (int)v)];
        }
    }
    return sum;
}

static double output_at(const float *x, const float *w, const cnn_layer *layer, int n, int o, int r,
                        int s)
{
    cnn_shape weights = weight_shape(layer);
    double sum = 0.0;
    for (int c = 0; c < weights.c; c++)
        sum += sum_taps(x, w + cnn_ref_index(weights, o, c, 0, 0), layer, n,
                        cnn_ref_conv_channel(layer, o, c), r, s);
    return sum;
}

void cnn_ref_conv_forward(float *y, const float *x, const float *w, const float *b,
                          const cnn_layer *layer, int n)
{
    cnn_shape out = layer->out;
    for (int sample = 0; sample < n; sample++)
        for (int o = 0; o < out.c; o++)
            for (int r = 0; r < out.h; r++)
                for (int s = 0; s < out.w; s++)
                    y[cnn_ref_index(out, sample, o, r, s)] =
                        (float)((b ? b[o] : 0.0) + output_at(x, w, layer, sample, o, r, s));
}

/* dy (n, o)'s share of the gradient of x[n, ., h, v]. */
static double sum_readers(const float *dy, const float *w, const cnn_layer *layer, int n, int o,
                          int h, int v)
{
    const cnn_conv_options *conv = &layer->options.conv;
    double sum = 0.0;
    for (int i = 0; i < conv->kernel[0]; i++) {
        int64_t r = cnn_ref_reader(cnn_ref_conv_window(layer, 0), h, i, layer->out.h);
        for (int j = 0; r >= 0 && j < conv->kernel[1]; j++) {
            int64_t s = cnn_ref_reader(cnn_ref_conv_window(layer, 1), v, j, layer->out.w);
            if (s >= 0)
                sum += (double)w[i * conv->kernel[1] + j] *
                       dy[cnn_ref_index(layer->out, n, o, (int)r, (int)s)];
        }
    }
    return sum;
}

static double dx_at(const float *dy, const float *w, const cnn_layer *layer, int n, int channel,
                    int h, int v)
{
    cnn_shape weights = weight_shape(layer);
    int targets = layer->out.c / layer->options.conv.groups; /* of the channel's group */
    int first = channel / weights.c * targets;
    double sum = 0.0;
    for (int o = first; o < first + targets; o++)
        sum += sum_readers(dy, w + cnn_ref_index(weights, o, channel % weights.c, 0, 0), layer, n,
                           o, h, v);
    return sum;
}

static double dw_at(const float *dy, const float *x, const cnn_layer *layer, int n, int o, int c,
                    int i, int j)
{
    int channel = cnn_ref_conv_channel(layer, o, c);
    double sum = 0.0;
    for (int sample = 0; sample < n; sample++)
        for (int r = 0; r < layer->out.h; r++) {
            int64_t h = cnn_ref_place(cnn_ref_conv_window(layer, 0), r, i);
            for (int s = 0; cnn_ref_is_inside(h, layer->in.h) && s < layer->out.w; s++) {
                int64_t v = cnn_ref_place(cnn_ref_conv_window(layer, 1), s, j);
                if (cnn_ref_is_inside(v, layer->in.w))
                    sum += (double)dy[cnn_ref_index(layer->out, sample, o, r, s)] *
                           x[cnn_ref_index(layer->in, sample, channel, (int)h, (int)v)];
            }
        }
    return sum;
}

static double db_at(const float *dy, const cnn_layer *layer, int n, int o)
{
    double sum = 0.0;
    for (int sample = 0; sample < n; sample++)
        for (int r = 0; r < layer->out.h; r++)
            for (int s = 0; s < layer->out.w; s++)
                sum += dy[cnn_ref_index(layer->out, sample, o, r, s)];
    return sum;
}

static void fill_dx(float *dx, const float *dy, const float *w, const cnn_layer *layer, int n)
{
    cnn_shape in = layer->in;
    for (int sample = 0; sample < n; sample++)
        for (int c = 0; c < in.c; c++)
            for (int h = 0; h < in.h; h++)
                for (int v = 0; v < in.w; v++)
                    dx[cnn_ref_index(in, sample, c, h, v)] =
                        (float)dx_at(dy, w, layer, sample, c, h, v);
}

void cnn_ref_conv_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                           const float *w, const cnn_layer *layer, int n)
{
    cnn_shape weights = weight_shape(layer);
    if (dx)
        fill_dx(dx, dy, w, layer, n);
    for (int o = 0; o < layer->out.c; o++) {
        for (int c = 0; c < weights.c; c++)
            for (int i = 0; i < weights.h; i++)
                for (int j = 0; j < weights.w; j++)
                    dw[cnn_ref_index(weights, o, c, i, j)] =
                        (float)dw_at(dy, x, layer, n, o, c, i, j);
        if (db)
            db[o] = (float)db_at(dy, layer, n, o);
    }
}
