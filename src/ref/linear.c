/* Linear: y = x W^T + b. */
#include "ref/ref.h"

void cnn_ref_linear_forward(float *y, const float *x, const float *w, const float *b,
                            const cnn_layer *layer, int n)
{
    size_t in = (size_t)layer->in.c, out = (size_t)layer->out.c;
    for (size_t sample = 0; sample < (size_t)n; sample++)
        for (size_t o = 0; o < out; o++) {
            double sum = b ? b[o] : 0.0;
            for (size_t i = 0; i < in; i++)
                sum += (double)x[sample * in + i] * w[o * in + i];
            y[sample * out + o] = (float)sum;
        }
}

/* dx = dy W */
static void fill_dx(float *dx, const float *dy, const float *w, const cnn_layer *layer, int n)
{
    size_t in = (size_t)layer->in.c, out = (size_t)layer->out.c;
    for (size_t sample = 0; sample < (size_t)n; sample++)
        for (size_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (size_t o = 0; o < out; o++)
                sum += (double)dy[sample * out + o] * w[o * in + i];
            dx[sample * in + i] = (float)sum;
        }
}

/* dw = dy^T x; db = the sum of dy over samples */
void cnn_ref_linear_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                             const float *w, const cnn_layer *layer, int n)
{
    size_t in = (size_t)layer->in.c, out = (size_t)layer->out.c;
    if (dx)
        fill_dx(dx, dy, w, layer, n);
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            double sum = 0.0;
            for (size_t sample = 0; sample < (size_t)n; sample++)
                sum += (double)dy[sample * out + o] * x[sample * in + i];
            dw[o * in + i] = (float)sum;
        }
        double sum = 0.0;
        for (size_t sample = 0; sample < (size_t)n; sample++)
            sum += dy[sample * out + o];
        if (db)
            db[o] = (float)sum;
    }
}
