/* Group norm: y = weight * (x - mean) / sqrt(variance + epsilon) + bias, mean and variance (biased)
 * of a sample's group of channels (Y. Wu and K. He, "Group normalization", 2018). */
#include <math.h>

#include "ref/ref.h"

/* A group of a sample lies in one stretch. */
typedef struct stretch {
    size_t begin, count, plane;
    int first; /* channel */
    double mean, inverse_std;
} stretch;

static stretch find_stretch(const float *x, const cnn_layer *layer, int n, int group)
{
    int channels = layer->in.c / layer->options.norm.groups;
    stretch at = {.plane = (size_t)layer->in.h * (size_t)layer->in.w, .first = group * channels};
    double sum = 0.0, squares = 0.0;
    at.count = at.plane * (size_t)channels;
    at.begin = (size_t)n * cnn_shape_count(layer->in) + (size_t)group * at.count;
    for (size_t i = 0; i < at.count; i++)
        sum += x[at.begin + i];
    at.mean = sum / (double)at.count;
    for (size_t i = 0; i < at.count; i++)
        squares += (x[at.begin + i] - at.mean) * (x[at.begin + i] - at.mean);
    at.inverse_std = 1.0 / sqrt(squares / (double)at.count + layer->options.norm.eps);
    return at;
}

void cnn_ref_groupnorm_forward(float *y, const float *x, const float *weight, const float *bias,
                               const cnn_layer *layer, int n)
{
    for (int sample = 0; sample < n; sample++)
        for (int group = 0; group < layer->options.norm.groups; group++) {
            stretch at = find_stretch(x, layer, sample, group);
            for (size_t i = 0; i < at.count; i++) {
                size_t c = (size_t)at.first + i / at.plane;
                double normalised = (x[at.begin + i] - at.mean) * at.inverse_std;
                y[at.begin + i] =
                    (float)(normalised * (weight ? weight[c] : 1.0) + (bias ? bias[c] : 0.0));
            }
        }
}

static void fill_dx(float *dx, const float *dy, const float *x, const float *weight,
                    const stretch *at)
{
    double sum = 0.0, along = 0.0, count = (double)at->count;
    for (size_t i = 0; i < at->count; i++) {
        double scaled =
            dy[at->begin + i] * (weight ? weight[(size_t)at->first + i / at->plane] : 1.0);
        sum += scaled;
        along += scaled * (x[at->begin + i] - at->mean) * at->inverse_std;
    }
    for (size_t i = 0; i < at->count; i++) {
        double scaled =
            dy[at->begin + i] * (weight ? weight[(size_t)at->first + i / at->plane] : 1.0);
        double normalised = (x[at->begin + i] - at->mean) * at->inverse_std;
        dx[at->begin + i] =
            (float)(at->inverse_std * (scaled - sum / count - normalised * along / count));
    }
}

/* Samples one after the other: sums of floats in double are kept in double until the end. */
void cnn_ref_groupnorm_backward(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const float *weight, const cnn_layer *layer, int n)
{
    size_t plane = (size_t)layer->in.h * (size_t)layer->in.w;
    int channels = layer->in.c / layer->options.norm.groups;
    for (int c = 0; c < layer->in.c; c++) {
        double scale = 0.0, shift = 0.0;
        for (int sample = 0; sample < n; sample++) {
            stretch at = find_stretch(x, layer, sample, c / channels);
            size_t begin = at.begin + (size_t)(c - at.first) * plane;
            for (size_t i = begin; i < begin + plane; i++) {
                scale += dy[i] * (x[i] - at.mean) * at.inverse_std;
                shift += dy[i];
            }
        }
        if (dweight)
            dweight[c] = (float)scale;
        if (dbias)
            dbias[c] = (float)shift;
    }
    for (int sample = 0; dx && sample < n; sample++)
        for (int group = 0; group < layer->options.norm.groups; group++) {
            stretch at = find_stretch(x, layer, sample, group);
            fill_dx(dx, dy, x, weight, &at);
        }
}
