/* Convolution, read off its definition:
 * y[n,o,r,s] = b[o] + sum over c,i,j of w[o,c,i,j] * x[n, c, r + i - padding, s + j - padding],
 * x being zero outside its plane: those terms are left out. Backward, the same sum is read from
 * dx's and dw's side. */
#include "ref/index.h"
#include "ref/ref.h"

/* Indices from begin to end - 1. */
typedef struct range {
    int begin, end;
} range;

/* The i of 0 to count - 1 for which first + i is inside 0 to size - 1. */
static range inside(int first, int count, int size)
{
    int begin = first < 0 ? -first : 0, end = size - first;
    return (range){begin, end < count ? end : count};
}

/* The same for first - i. */
static range inside_backward(int first, int count, int size)
{
    int begin = first >= size ? first - size + 1 : 0, end = first + 1;
    return (range){begin, end < count ? end : count};
}

/* The shape of one output channel's weights. */
static cnn_shape weight_shape(const cnn_layer *layer)
{
    return (cnn_shape){layer->in.c, layer->ksize, layer->ksize};
}

static double output_at(const float *x, const float *w, const cnn_layer *layer, int n, int o, int r,
                        int s)
{
    int h = r - cnn_conv_padding(layer), v = s - cnn_conv_padding(layer);
    range rows = inside(h, layer->ksize, layer->in.h);
    range columns = inside(v, layer->ksize, layer->in.w);
    double sum = 0.0;
    for (int c = 0; c < layer->in.c; c++)
        for (int i = rows.begin; i < rows.end; i++)
            for (int j = columns.begin; j < columns.end; j++)
                sum += (double)w[cnn_ref_index(weight_shape(layer), o, c, i, j)] *
                       x[cnn_ref_index(layer->in, n, c, h + i, v + j)];
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
                        (float)(b[o] + output_at(x, w, layer, sample, o, r, s));
}

/* x[n,c,h,w] reaches the output at r = h - i + padding, s = w - j + padding. */
static double dx_at(const float *dy, const float *w, const cnn_layer *layer, int n, int c, int h,
                    int v)
{
    int r = h + cnn_conv_padding(layer), s = v + cnn_conv_padding(layer);
    range rows = inside_backward(r, layer->ksize, layer->out.h);
    range columns = inside_backward(s, layer->ksize, layer->out.w);
    double sum = 0.0;
    for (int o = 0; o < layer->out.c; o++)
        for (int i = rows.begin; i < rows.end; i++)
            for (int j = columns.begin; j < columns.end; j++)
                sum += (double)w[cnn_ref_index(weight_shape(layer), o, c, i, j)] *
                       dy[cnn_ref_index(layer->out, n, o, r - i, s - j)];
    return sum;
}

static double dw_at(const float *dy, const float *x, const cnn_layer *layer, int n, int o, int c,
                    int i, int j)
{
    int h = i - cnn_conv_padding(layer), v = j - cnn_conv_padding(layer);
    range rows = inside(h, layer->out.h, layer->in.h);
    range columns = inside(v, layer->out.w, layer->in.w);
    double sum = 0.0;
    for (int sample = 0; sample < n; sample++)
        for (int r = rows.begin; r < rows.end; r++)
            for (int s = columns.begin; s < columns.end; s++)
                sum += (double)dy[cnn_ref_index(layer->out, sample, o, r, s)] *
                       x[cnn_ref_index(layer->in, sample, c, h + r, v + s)];
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
    if (dx)
        fill_dx(dx, dy, w, layer, n);
    for (int o = 0; o < layer->out.c; o++) {
        for (int c = 0; c < layer->in.c; c++)
            for (int i = 0; i < layer->ksize; i++)
                for (int j = 0; j < layer->ksize; j++)
                    dw[cnn_ref_index(weight_shape(layer), o, c, i, j)] =
                        (float)dw_at(dy, x, layer, n, o, c, i, j);
        db[o] = (float)db_at(dy, layer, n, o);
    }
}
