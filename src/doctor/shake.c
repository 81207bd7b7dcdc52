/* How far rounding carries what plain C gives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/rounding.h"
#include "base/status.h"
#include "doctor/check.h"
#include "tensor/gemm.h"

static const uint64_t seed = 0x5A4E;

double cnn_root_mean_square(const float *values, size_t count)
{
    double sum = 0.0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * values[i];
    return count > 0 ? sqrt(sum / (double)count) : 0.0;
}

static double count_of_channel(const cnn_layer *layer, int n)
{
    return (double)n * (double)cnn_shape_count(layer->out) / layer->out.c;
}

/* Values that are moved, compared or scaled, nothing else, in these kinds. */
bool cnn_layer_rounds(const cnn_layer *layer)
{
    static const bool exact[CNN_LAYER_KIND_COUNT] = {
        [CNN_LAYER_RELU] = true,    [CNN_LAYER_RELU6] = true,     [CNN_LAYER_MAXPOOL] = true,
        [CNN_LAYER_DROPOUT] = true, [CNN_LAYER_DROPOUT2D] = true, [CNN_LAYER_FLATTEN] = true,
        [CNN_LAYER_CONCAT] = true,  [CNN_LAYER_SCALE] = true,     [CNN_LAYER_LEAKYRELU] = true};
    return !exact[layer->kind];
}

static bool has_weights(const cnn_layer *layer)
{
    return layer->kind == CNN_LAYER_CONV || layer->kind == CNN_LAYER_LINEAR;
}

/* A sum in parts, which are merged. */
static double normalised_length(double count)
{
    return 2.0 * sqrt(count);
}

/* Values of which a norm takes mean and variance. */
static double count_of_norm(const cnn_layer *layer, int n)
{
    double plane = (double)layer->in.h * layer->in.w;
    if (layer->kind == CNN_LAYER_GROUPNORM)
        return plane * layer->in.c / layer->options.norm.groups;
    return n * plane;
}

double cnn_layer_sum_length(const cnn_layer *layer, int n)
{
    if (layer->kind == CNN_LAYER_LINEAR)
        return cnn_gemm_sum_length((size_t)layer->in.c);
    if (layer->kind == CNN_LAYER_CONV)
        return (double)layer->params[0].count / layer->out.c;
    if (layer->kind == CNN_LAYER_BATCHNORM || layer->kind == CNN_LAYER_GROUPNORM)
        return normalised_length(count_of_norm(layer, n));
    if (layer->kind == CNN_LAYER_AVGPOOL)
        return (double)layer->options.pool.kernel[0] * layer->options.pool.kernel[1];
    if (layer->kind == CNN_LAYER_ADAPTIVEAVGPOOL)
        return ceil((double)layer->in.h / layer->out.h + 1.0) *
               ceil((double)layer->in.w / layer->out.w + 1.0);
    return 1.0;
}

/* Of the input's gradient. */
static double input_gradient_length(const cnn_layer *layer, int n)
{
    if (layer->kind == CNN_LAYER_MUL) /* a number for each channel has a sum over its plane */
        return (double)layer->out.h * layer->out.w;
    if (!has_weights(layer))
        return cnn_layer_sum_length(layer, n);
    return (double)layer->params[0].count / layer->in.c;
}

double cnn_gradient_sum_length(const cnn_layer *layer, int n)
{
    double length = fmax(cnn_layer_sum_length(layer, n), input_gradient_length(layer, n));
    return layer->param_count > 0 ? fmax(length, count_of_channel(layer, n)) : length;
}

/* Adds noise of up to share * (|value| + size). */
static void add_noise(float *values, size_t count, double share, double size, double sign,
                      uint64_t draw)
{
    uint32_t words[CNN_PHILOX_LANES];
    for (size_t i = 0; i < count; i++) {
        size_t lane = i % CNN_PHILOX_LANES;
        if (lane == 0)
            cnn_philox_block(words, seed, CNN_STREAM_USER, 2, draw,
                             (uint32_t)(i / CNN_PHILOX_LANES));
        double noise = sign * (words[lane] / 0x1p31 - 1.0);
        values[i] = (float)(values[i] + share * noise * (fabs(values[i]) + size));
    }
}

enum { FORWARD, BACKWARD, PARAMETERS, VALUES, LOSS, DRAWS };

static uint64_t draw_of(const cnn_shake *shake, int layer, int what)
{
    return (shake->draw << 32) + (uint64_t)layer * DRAWS + (uint64_t)what;
}

static void move_output(void *user, const cnn_layer *layer, float *y, int n)
{
    const cnn_shake *shake = user;
    size_t count = (size_t)n * cnn_shape_count(layer->out);
    if (cnn_layer_rounds(layer))
        add_noise(y, count, cnn_rounding(cnn_layer_sum_length(layer, n)),
                  cnn_root_mean_square(y, count), shake->sign,
                  draw_of(shake, layer->index, FORWARD));
}

/* A channel's weight / sqrt(variance + epsilon): what its gradients are scaled by. */
static double find_scale(const cnn_shake *shake, const cnn_layer *layer, const float *x, int n,
                         int channel)
{
    size_t plane = (size_t)layer->in.h * (size_t)layer->in.w;
    double sum = 0.0, squares = 0.0, count = (double)n * (double)plane;
    for (int pass = 0; pass < 2; pass++)
        for (int sample = 0; sample < n; sample++) {
            const float *at = x + ((size_t)sample * (size_t)layer->in.c + (size_t)channel) * plane;
            for (size_t i = 0; i < plane; i++) {
                double apart = at[i] - sum / count;
                if (pass == 0)
                    sum += at[i];
                else
                    squares += apart * apart;
            }
        }
    size_t at = layer->params[0].offset + (size_t)channel;
    float weight = layer->options.norm.affine ? shake->model->parameters[at] : 1.0f;
    return fabs(weight) / sqrt(squares / count + layer->options.norm.eps);
}

/* Adds the same to all. */
static void shift(float *values, size_t count, double by)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(values[i] + by);
}

/* Batch norm takes from a gradient what it has in common with others: little may be left, with the
 * rounding of all; and what is taken away, which is rounded too, is the same for a channel. */
static void move_normalised(const cnn_shake *shake, const cnn_layer *layer, float *dx,
                            const float *dy, const float *x, int n)
{
    size_t plane = (size_t)layer->in.h * (size_t)layer->in.w, channels = (size_t)layer->in.c;
    double share = cnn_rounding(cnn_layer_sum_length(layer, n));
    uint64_t draw = draw_of(shake, layer->index, BACKWARD);
    for (int c = 0; c < layer->in.c; c++) {
        uint32_t word = cnn_philox_value(seed, CNN_STREAM_USER, 3, draw, (uint64_t)c);
        double scale = find_scale(shake, layer, x, n, c);
        double common = shake->sign * (word & 1 ? share : -share);
        for (int sample = 0; sample < n; sample++) {
            size_t at = ((size_t)sample * channels + (size_t)c) * plane;
            double size = scale * cnn_root_mean_square(dy + at, plane);
            add_noise(dx + at, plane, share, size, shake->sign, draw + (at << 8));
            shift(dx + at, plane, common * size);
        }
    }
}

static void move_gradient(void *user, const cnn_layer *layer, int input, float *dx, const float *dy,
                          const float *x, int n)
{
    const cnn_shake *shake = user;
    size_t count = (size_t)n * cnn_shape_count(cnn_layer_input(layer, input));
    if (!cnn_layer_rounds(layer))
        return;
    if (layer->kind == CNN_LAYER_BATCHNORM)
        move_normalised(shake, layer, dx, dy, x, n);
    else
        add_noise(dx, count, cnn_rounding(input_gradient_length(layer, n)),
                  cnn_root_mean_square(dx, count), shake->sign,
                  draw_of(shake, layer->index, BACKWARD) + ((uint64_t)input << 56));
}

/* The loss's gradient is a probability less 1 or 0, over n: where a sample is known well what is
 * left is the rounding of an exponential, a sum and a quotient, each of a number near 1. */
static void move_loss(void *user, float *dy, int n, int classes)
{
    const cnn_shake *shake = user;
    const double steps = 3.0;
    add_noise(dy, (size_t)n * (size_t)classes, cnn_rounding(steps), 1.0 / n, shake->sign,
              draw_of(shake, 0, LOSS));
}

int cnn_shake_turns(double multiplications)
{
    static const double most = 3e8;
    return multiplications < most ? 8 : 2;
}

static cnn_status put_aside(float **copy, const float *values, size_t count)
{
    cnn_status status = cnn_allocate(copy, count, sizeof **copy, "values");
    if (status == CNN_OK && count > 0)
        memcpy(*copy, values, count * sizeof **copy);
    return status;
}

cnn_status cnn_shake_begin(cnn_shake *shake, cnn_model *model, const cnn_layer *const *layers,
                           int count, int n, int turn)
{
    const cnn_network *network = model->network;
    *shake = (cnn_shake){.model = model,
                         .longest = 1.0,
                         .sign = turn % 2 ? -1.0 : 1.0,
                         .draw = (uint64_t)turn / 2,
                         .hook = {move_output, move_gradient, move_loss, shake}};
    cnn_status status = CNN_OK;
    CNN_TRY(put_aside(&shake->parameters, model->parameters, network->parameter_count));
    CNN_TRY(put_aside(&shake->statistics, model->statistics, network->statistic_count));
    for (int i = 0; i < count; i++)
        shake->longest = fmax(shake->longest, cnn_layer_sum_length(layers[i], n));
    for (int i = 0; i < count; i++)
        for (int p = 0; p < layers[i]->param_count; p++)
            add_noise(model->parameters + layers[i]->params[p].offset, layers[i]->params[p].count,
                      cnn_rounding(1.0), 0.0, shake->sign,
                      draw_of(shake, layers[i]->index, PARAMETERS) + ((uint64_t)p << 60));
out:
    return status;
}

void cnn_shake_end(cnn_shake *shake)
{
    if (!shake->model)
        return;
    const cnn_network *network = shake->model->network;
    if (shake->parameters)
        memcpy(shake->model->parameters, shake->parameters,
               network->parameter_count * sizeof(float));
    if (shake->statistics && network->statistic_count > 0)
        memcpy(shake->model->statistics, shake->statistics,
               network->statistic_count * sizeof(float));
    free(shake->parameters);
    free(shake->statistics);
    *shake = (cnn_shake){0};
}

void cnn_shake_values(float *moved, const cnn_shake *shake, const float *values, size_t count)
{
    memcpy(moved, values, count * sizeof *moved);
    add_noise(moved, count, cnn_rounding(shake->longest), 0.0, shake->sign,
              draw_of(shake, 0, VALUES) + count);
}

void cnn_shake_widen(float *spread, const float *moved, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        spread[i] = fmaxf(spread[i], fabsf(moved[i] - values[i]));
}
