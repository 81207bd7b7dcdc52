/* The activations and their slopes, in double. Comparisons are written so that NaN is kept: it must
 * not vanish before the loss. */
#include <math.h>

#include "ref/ref.h"

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double relu(double x, const cnn_layer_options *options)
{
    (void)options;
    return x <= 0.0 ? 0.0 : x;
}

static double relu_slope(double x, const cnn_layer_options *options)
{
    (void)options;
    return x <= 0.0 ? 0.0 : 1.0;
}

static double relu6(double x, const cnn_layer_options *options)
{
    (void)options;
    return x <= 0.0 ? 0.0 : x >= 6.0 ? 6.0 : x;
}

/* PyTorch passes nothing at the ends. */
static double relu6_slope(double x, const cnn_layer_options *options)
{
    (void)options;
    return x <= 0.0 || x >= 6.0 ? 0.0 : 1.0;
}

static double leakyrelu(double x, const cnn_layer_options *options)
{
    return x > 0.0 ? x : x * (float)options->activation.slope;
}

static double leakyrelu_slope(double x, const cnn_layer_options *options)
{
    return x > 0.0 ? 1.0 : (float)options->activation.slope;
}

static double silu(double x, const cnn_layer_options *options)
{
    (void)options;
    return x * sigmoid(x);
}

static double silu_slope(double x, const cnn_layer_options *options)
{
    (void)options;
    double s = sigmoid(x);
    return s * (1.0 + x * (1.0 - s));
}

static const double sqrt_half = 0.70710678118654752440;     /* 1 / sqrt(2) */
static const double sqrt_2_pi = 0.79788456080286535588;     /* sqrt(2 / pi) */
static const double density_scale = 0.39894228040143267794; /* 1 / sqrt(2 pi) */
static const double cubic = 0.044715;

/* x times the normal distribution's probability below x (D. Hendrycks and K. Gimpel, "Gaussian
 * error linear units", 2016), or its approximation by tanh there. */
static double gelu(double x, const cnn_layer_options *options)
{
    if (options->gelu.tanh)
        return 0.5 * x * (1.0 + tanh(sqrt_2_pi * (x + cubic * x * x * x)));
    return 0.5 * x * (1.0 + erf(x * sqrt_half));
}

static double gelu_slope(double x, const cnn_layer_options *options)
{
    if (options->gelu.tanh) {
        double t = tanh(sqrt_2_pi * (x + cubic * x * x * x));
        double inner = sqrt_2_pi * (1.0 + 3.0 * cubic * x * x);
        return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner;
    }
    return 0.5 * (1.0 + erf(x * sqrt_half)) + x * density_scale * exp(-0.5 * x * x);
}

/* x relu6(x + 3) / 6 (A. Howard et al., "Searching for MobileNetV3", 2019). */
static double hardswish(double x, const cnn_layer_options *options)
{
    return x * relu6(x + 3.0, options) / 6.0;
}

static double hardswish_slope(double x, const cnn_layer_options *options)
{
    (void)options;
    return x <= -3.0 ? 0.0 : x >= 3.0 ? 1.0 : x / 3.0 + 0.5;
}

static double logistic(double x, const cnn_layer_options *options)
{
    (void)options;
    return sigmoid(x);
}

static double logistic_slope(double x, const cnn_layer_options *options)
{
    (void)options;
    return sigmoid(x) * (1.0 - sigmoid(x));
}

static double hyperbolic(double x, const cnn_layer_options *options)
{
    (void)options;
    return tanh(x);
}

static double hyperbolic_slope(double x, const cnn_layer_options *options)
{
    (void)options;
    return 1.0 - tanh(x) * tanh(x);
}

static double scaled(double x, const cnn_layer_options *options)
{
    return x * (float)options->scale.factor;
}

static double scaled_slope(double x, const cnn_layer_options *options)
{
    (void)x;
    return (float)options->scale.factor;
}

static const struct function {
    double (*value)(double x, const cnn_layer_options *options);
    double (*slope)(double x, const cnn_layer_options *options);
} functions[CNN_LAYER_KIND_COUNT] = {
    [CNN_LAYER_RELU] = {relu, relu_slope},
    [CNN_LAYER_RELU6] = {relu6, relu6_slope},
    [CNN_LAYER_LEAKYRELU] = {leakyrelu, leakyrelu_slope},
    [CNN_LAYER_SILU] = {silu, silu_slope},
    [CNN_LAYER_GELU] = {gelu, gelu_slope},
    [CNN_LAYER_HARDSWISH] = {hardswish, hardswish_slope},
    [CNN_LAYER_SIGMOID] = {logistic, logistic_slope},
    [CNN_LAYER_TANH] = {hyperbolic, hyperbolic_slope},
    [CNN_LAYER_SCALE] = {scaled, scaled_slope},
};

double cnn_ref_activation_value(const cnn_layer *layer, double x)
{
    return functions[layer->kind].value(x, &layer->options);
}

double cnn_ref_activation_slope(const cnn_layer *layer, double x)
{
    return functions[layer->kind].slope(x, &layer->options);
}

void cnn_ref_activation_forward(float *y, const float *x, const cnn_layer *layer, int n)
{
    const struct function *function = &functions[layer->kind];
    size_t count = (size_t)n * cnn_shape_count(layer->in);
    for (size_t i = 0; i < count; i++)
        y[i] = (float)function->value(x[i], &layer->options);
}

void cnn_ref_activation_backward(float *dx, const float *dy, const float *x, const cnn_layer *layer,
                                 int n)
{
    const struct function *function = &functions[layer->kind];
    size_t count = (size_t)n * cnn_shape_count(layer->in);
    for (size_t i = 0; i < count; i++) {
        double slope = function->slope(x[i], &layer->options);
        dx[i] = slope == 0.0 ? 0.0f : (float)(dy[i] * slope);
    }
}
