/* Dropout2d: a mask over (sample, channel), drawn anew whenever it is wanted. */
#include "base/philox.h"
#include "ref/index.h"
#include "ref/ref.h"

void cnn_ref_dropout(float *y, const float *x, const cnn_layer *layer, int n, uint64_t seed,
                     uint64_t step)
{
    uint32_t threshold = cnn_dropout_threshold(layer->dropout);
    float scale = (float)(1.0 / (1.0 - layer->dropout));
    for (int sample = 0; sample < n; sample++)
        for (int c = 0; c < layer->in.c; c++) {
            uint64_t value = (uint64_t)sample * (uint64_t)layer->in.c + (uint64_t)c;
            bool kept = cnn_philox_value(seed, CNN_STREAM_DROPOUT, (unsigned)layer->index, step,
                                         value) >= threshold;
            for (int h = 0; h < layer->in.h; h++)
                for (int w = 0; w < layer->in.w; w++) {
                    size_t i = cnn_ref_index(layer->in, sample, c, h, w);
                    y[i] = kept ? x[i] * scale : 0.0f;
                }
        }
}
