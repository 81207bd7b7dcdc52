/* Batch norm: y = weight * (x - mean) / sqrt(variance + epsilon) + bias, per channel (S. Ioffe and
 * C. Szegedy, "Batch normalization", 2015). */
#include <math.h>

#include "ref/index.h"
#include "ref/ref.h"

/* A channel's values: those of every sample's plane. */
static double count_of(const cnn_layer *layer, int n)
{
    return (double)n * layer->in.h * layer->in.w;
}

static double mean_of(const float *x, const cnn_layer *layer, int n, int c)
{
    double sum = 0.0;
    for (int sample = 0; sample < n; sample++)
        for (int h = 0; h < layer->in.h; h++)
            for (int w = 0; w < layer->in.w; w++)
                sum += x[cnn_ref_index(layer->in, sample, c, h, w)];
    return sum / count_of(layer, n);
}

/* Biased: divided by the count. */
static double variance_of(const float *x, double mean, const cnn_layer *layer, int n, int c)
{
    double sum = 0.0;
    for (int sample = 0; sample < n; sample++)
        for (int h = 0; h < layer->in.h; h++)
            for (int w = 0; w < layer->in.w; w++) {
                double distance = x[cnn_ref_index(layer->in, sample, c, h, w)] - mean;
                sum += distance * distance;
            }
    return sum / count_of(layer, n);
}

static void normalise(float *y, const float *x, double mean, double inverse_std, double weight,
                      double bias, const cnn_layer *layer, int n, int c)
{
    for (int sample = 0; sample < n; sample++)
        for (int h = 0; h < layer->in.h; h++)
            for (int w = 0; w < layer->in.w; w++) {
                size_t i = cnn_ref_index(layer->in, sample, c, h, w);
                y[i] = (float)((x[i] - mean) * inverse_std * weight + bias);
            }
}

static void move(float *running, double value, const cnn_layer *layer)
{
    *running = (float)(*running + layer->options.norm.momentum * (value - *running));
}

void cnn_ref_batchnorm_train(float *y, float *mean, float *inverse_std, float *running,
                             const float *x, const float *weight, const float *bias,
                             const cnn_layer *layer, int n)
{
    int channels = layer->in.c;
    double count = count_of(layer, n);
    /* PyTorch refuses to train on a single value per channel; its variance is 0 here. */
    double unbiased = count > 1.0 ? count / (count - 1.0) : 1.0;
    for (int c = 0; c < channels; c++) {
        double channel_mean = mean_of(x, layer, n, c);
        double variance = variance_of(x, channel_mean, layer, n, c);
        double channel_inverse = 1.0 / sqrt(variance + layer->options.norm.eps);
        normalise(y, x, channel_mean, channel_inverse, weight ? weight[c] : 1.0,
                  bias ? bias[c] : 0.0, layer, n, c);
        mean[c] = (float)channel_mean;
        inverse_std[c] = (float)channel_inverse;
        move(&running[c], channel_mean, layer);
        move(&running[channels + c], variance * unbiased, layer);
    }
}

void cnn_ref_batchnorm_eval(float *y, const float *x, const float *weight, const float *bias,
                            const float *running, const cnn_layer *layer, int n)
{
    int channels = layer->in.c;
    for (int c = 0; c < channels; c++) {
        double inverse_std = 1.0 / sqrt(running[channels + c] + layer->options.norm.eps);
        normalise(y, x, running[c], inverse_std, weight ? weight[c] : 1.0, bias ? bias[c] : 0.0,
                  layer, n, c);
    }
}

/* The sums over a channel that its gradients are made of. */
typedef struct channel_sums {
    double dy;            /* of dy */
    double dy_normalised; /* of dy * (x - mean) * inverse_std */
} channel_sums;

static channel_sums sum_channel(const float *dy, const float *x, double mean, double inverse_std,
                                const cnn_layer *layer, int n, int c)
{
    channel_sums sums = {0.0, 0.0};
    for (int sample = 0; sample < n; sample++)
        for (int h = 0; h < layer->in.h; h++)
            for (int w = 0; w < layer->in.w; w++) {
                size_t i = cnn_ref_index(layer->in, sample, c, h, w);
                sums.dy += dy[i];
                sums.dy_normalised += dy[i] * (x[i] - mean) * inverse_std;
            }
    return sums;
}

/* Mean and variance depend on x too: what dy has in common with a shift and a stretch of the
 * channel is taken out. */
static void fill_dx(float *dx, const float *dy, const float *x, double mean, double inverse_std,
                    double weight, channel_sums sums, const cnn_layer *layer, int n, int c)
{
    double count = count_of(layer, n);
    for (int sample = 0; sample < n; sample++)
        for (int h = 0; h < layer->in.h; h++)
            for (int w = 0; w < layer->in.w; w++) {
                size_t i = cnn_ref_index(layer->in, sample, c, h, w);
                double normalised = (x[i] - mean) * inverse_std;
                dx[i] =
                    (float)(weight * inverse_std *
                            (dy[i] - sums.dy / count - normalised * sums.dy_normalised / count));
            }
}

void cnn_ref_batchnorm_backward(float *dx, float *dweight, float *dbias, const float *dy,
                                const float *x, const float *weight, const float *mean,
                                const float *inverse_std, const cnn_layer *layer, int n)
{
    for (int c = 0; c < layer->in.c; c++) {
        channel_sums sums = sum_channel(dy, x, mean[c], inverse_std[c], layer, n, c);
        if (dx)
            fill_dx(dx, dy, x, mean[c], inverse_std[c], weight ? weight[c] : 1.0, sums, layer, n,
                    c);
        if (dweight)
            dweight[c] = (float)sums.dy_normalised;
        if (dbias)
            dbias[c] = (float)sums.dy;
    }
}
