/* 2x2 max pool, stride 2, and where each maximum came from. */
#include <math.h>

#include "ref/index.h"
#include "ref/ref.h"

/* The offset in x of position `which` of an output's window. */
static size_t source(const cnn_layer *layer, int n, int c, int h, int w, int which)
{
    return cnn_ref_index(layer->in, n, c, CNN_POOL_SIZE * h + which / CNN_POOL_SIZE,
                         CNN_POOL_SIZE * w + which % CNN_POOL_SIZE);
}

void cnn_ref_maxpool_forward(float *y, uint8_t *which, const float *x, const cnn_layer *layer,
                             int n)
{
    for (int sample = 0; sample < n; sample++)
        for (int c = 0; c < layer->out.c; c++)
            for (int h = 0; h < layer->out.h; h++)
                for (int w = 0; w < layer->out.w; w++) {
                    int best = 0;
                    float most = x[source(layer, sample, c, h, w, 0)];
                    for (int i = 1; i < CNN_POOL_SIZE * CNN_POOL_SIZE; i++) {
                        float value = x[source(layer, sample, c, h, w, i)];
                        if (value > most || isnan(value)) {
                            most = value;
                            best = i;
                        }
                    }
                    size_t at = cnn_ref_index(layer->out, sample, c, h, w);
                    y[at] = most;
                    which[at] = (uint8_t)best;
                }
}

void cnn_ref_maxpool_backward(float *dx, const float *dy, const uint8_t *which,
                              const cnn_layer *layer, int n)
{
    /* Windows do not overlap; an odd last row or column is in none. */
    size_t count = cnn_shape_count(layer->in) * (size_t)n;
    for (size_t i = 0; i < count; i++)
        dx[i] = 0.0f;
    for (int sample = 0; sample < n; sample++)
        for (int c = 0; c < layer->out.c; c++)
            for (int h = 0; h < layer->out.h; h++)
                for (int w = 0; w < layer->out.w; w++) {
                    size_t at = cnn_ref_index(layer->out, sample, c, h, w);
                    dx[source(layer, sample, c, h, w, which[at])] = dy[at];
                }
}
