/* Dropout2d: a mask over (sample, channel); Dropout: one over (sample, row, column, channel), the
 * order in which values lie on the device. Drawn anew whenever it is wanted. */
#include "base/philox.h"
#include "ref/index.h"
#include "ref/ref.h"
#include "ref/window.h"

/* The place of a value among the draws. */
static uint64_t draw_of(const cnn_layer *layer, int sample, int c, int h, int w)
{
    cnn_shape in = layer->in;
    if (layer->kind == CNN_LAYER_DROPOUT2D)
        return (uint64_t)sample * (uint64_t)in.c + (uint64_t)c;
    uint64_t pixel = ((uint64_t)sample * (uint64_t)in.h + (uint64_t)h) * (uint64_t)in.w;
    return (pixel + (uint64_t)w) * (uint64_t)in.c + (uint64_t)c;
}

bool cnn_ref_is_kept(const cnn_layer *layer, int sample, int c, int h, int w, uint64_t seed,
                     uint64_t step)
{
    return cnn_philox_value(seed, CNN_STREAM_DROPOUT, (unsigned)layer->index, step,
                            draw_of(layer, sample, c, h, w)) >=
           cnn_dropout_threshold(layer->options.dropout.p);
}

void cnn_ref_dropout(float *y, const float *x, const cnn_layer *layer, int n, uint64_t seed,
                     uint64_t step)
{
    float scale = (float)(1.0 / (1.0 - layer->options.dropout.p));
    for (int sample = 0; sample < n; sample++)
        for (int c = 0; c < layer->in.c; c++)
            for (int h = 0; h < layer->in.h; h++)
                for (int w = 0; w < layer->in.w; w++) {
                    size_t i = cnn_ref_index(layer->in, sample, c, h, w);
                    bool kept = cnn_ref_is_kept(layer, sample, c, h, w, seed, step);
                    y[i] = kept ? x[i] * scale : 0.0f;
                }
}
