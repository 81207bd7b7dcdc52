/* Values joined: sum, product, concatenation. */
#include <string.h>

#include "ref/ref.h"

void cnn_ref_add_forward(float *y, const float *const *x, const cnn_layer *layer, int n)
{
    size_t count = (size_t)n * cnn_shape_count(layer->out);
    for (size_t i = 0; i < count; i++)
        y[i] = x[0][i] + x[1][i];
}

void cnn_ref_add_backward(float *dx, const float *dy, const cnn_layer *layer, int n)
{
    memcpy(dx, dy, (size_t)n * cnn_shape_count(layer->out) * sizeof *dx);
}

/* Where a factor has the value of output i: a number for each channel, or one for each value. */
static size_t factor_index(const cnn_layer *layer, int input, size_t i)
{
    size_t plane = (size_t)layer->out.h * (size_t)layer->out.w;
    cnn_shape shape = cnn_layer_input(layer, input);
    return cnn_shape_equal(shape, layer->out) ? i : i / plane;
}

void cnn_ref_mul_forward(float *y, const float *const *x, const cnn_layer *layer, int n)
{
    size_t count = (size_t)n * cnn_shape_count(layer->out);
    for (size_t i = 0; i < count; i++)
        y[i] = x[0][factor_index(layer, 0, i)] * x[1][factor_index(layer, 1, i)];
}

/* A number for each channel has the sum over its plane. */
void cnn_ref_mul_backward(float *dx, const float *dy, const float *const *x, const cnn_layer *layer,
                          int n, int input)
{
    size_t count = (size_t)n * cnn_shape_count(layer->out);
    size_t plane = (size_t)layer->out.h * (size_t)layer->out.w;
    bool narrow = !cnn_shape_equal(cnn_layer_input(layer, input), layer->out);
    const float *other = x[1 - input];
    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        double product = (double)dy[i] * other[factor_index(layer, 1 - input, i)];
        sum = narrow && i % plane != 0 ? sum + product : product;
        dx[factor_index(layer, input, i)] = (float)sum;
    }
}

/* The first channel of an input in the output. */
static int first_channel(const cnn_layer *layer, int input)
{
    int first = 0;
    for (int i = 0; i < input; i++)
        first += cnn_layer_input(layer, i).c;
    return first;
}

/* Where a sample's channels of an input stand in the output, and how many values they are. */
static size_t place_channels(size_t *count, const cnn_layer *layer, int sample, int input)
{
    size_t plane = (size_t)layer->out.h * (size_t)layer->out.w;
    size_t first = (size_t)first_channel(layer, input);
    *count = (size_t)cnn_layer_input(layer, input).c * plane;
    return ((size_t)sample * (size_t)layer->out.c + first) * plane;
}

void cnn_ref_concat_forward(float *y, const float *const *x, const cnn_layer *layer, int n)
{
    for (int input = 0; input < layer->input_count; input++)
        for (int sample = 0; sample < n; sample++) {
            size_t count, at = place_channels(&count, layer, sample, input);
            memcpy(y + at, x[input] + (size_t)sample * count, count * sizeof *y);
        }
}

void cnn_ref_concat_backward(float *dx, const float *dy, const cnn_layer *layer, int n, int input)
{
    for (int sample = 0; sample < n; sample++) {
        size_t count, at = place_channels(&count, layer, sample, input);
        memcpy(dx + (size_t)sample * count, dy + at, count * sizeof *dx);
    }
}
