/* Activations, and a product with a constant: y = f(x) value by value; dx = dy f'(x).
 * Layout: any. Must be given: FUNCTION, one of the names below. parameter: a slope or a factor.
 * What is read in backward, x or y, is called `kept`: the host knows which (BY_OUTPUT below). */
#ifndef FUNCTION
#error "FUNCTION must be given"
#endif

#include "loop.cl"
#include "values.cl"
#if CNN_CPU
#define REAL values
#define WHOLE int16
#define AS_REAL as_float16
#define AS_WHOLE as_int16
#define TO_REAL convert_float16
#define TO_WHOLE convert_int16
#endif
#include "exact.cl"

#define RELU 1
#define RELU6 2
#define LEAKYRELU 3
#define SILU 4
#define GELU 5
#define GELU_TANH 6
#define HARDSWISH 7
#define SIGMOID 8
#define TANH 9
#define SCALE 10

#define SQRT_HALF 0.70710678118654752440f     /* 1 / sqrt(2) */
#define SQRT_2_PI 0.79788456080286535588f     /* sqrt(2 / pi) */
#define DENSITY 0.39894228040143267794f       /* 1 / sqrt(2 pi) */
#define CUBIC 0.044715f
#define SIXTH 0.16666666666666666667f
#define THIRD 0.33333333333333333333f

static values sigmoid(values x)
{
    return quotient((values)1.0f, 1.0f + exponential(-x));
}

/* Comparisons are written so that NaN stays NaN. */
static values value(values x, float parameter)
{
    (void)parameter;
#if FUNCTION == RELU
    return x <= 0.0f ? (values)0.0f : x;
#elif FUNCTION == RELU6
    return x <= 0.0f ? (values)0.0f : x >= 6.0f ? (values)6.0f : x;
#elif FUNCTION == LEAKYRELU
    return x > 0.0f ? x : x * parameter;
#elif FUNCTION == SILU
    return x * sigmoid(x);
#elif FUNCTION == GELU
    return 0.5f * x * (1.0f + error_function(x * SQRT_HALF));
#elif FUNCTION == GELU_TANH
    return 0.5f * x * (1.0f + hyperbolic_tangent(SQRT_2_PI * (x + CUBIC * x * x * x)));
#elif FUNCTION == HARDSWISH
    return x <= -3.0f ? (values)0.0f : x >= 3.0f ? x : x * (x + 3.0f) * SIXTH;
#elif FUNCTION == SIGMOID
    return sigmoid(x);
#elif FUNCTION == TANH
    return hyperbolic_tangent(x);
#elif FUNCTION == SCALE
    return x * parameter;
#endif
}

/* kept: y for ReLU, ReLU6, Sigmoid and Tanh, x for the others; Scale needs neither. */
static values slope(values kept, float parameter)
{
    (void)parameter;
#if FUNCTION == RELU
    return kept <= 0.0f ? (values)0.0f : (values)1.0f;
#elif FUNCTION == RELU6
    return kept <= 0.0f || kept >= 6.0f ? (values)0.0f : (values)1.0f;
#elif FUNCTION == LEAKYRELU
    return kept > 0.0f ? (values)1.0f : (values)parameter;
#elif FUNCTION == SILU
    const values s = sigmoid(kept);
    return s * (1.0f + kept * (1.0f - s));
#elif FUNCTION == GELU
    return 0.5f * (1.0f + error_function(kept * SQRT_HALF)) + kept * DENSITY * exponential(-0.5f * kept * kept);
#elif FUNCTION == GELU_TANH
    const values t = hyperbolic_tangent(SQRT_2_PI * (kept + CUBIC * kept * kept * kept));
    const values inner = SQRT_2_PI * (1.0f + 3.0f * CUBIC * kept * kept);
    return 0.5f * (1.0f + t) + 0.5f * kept * (1.0f - t * t) * inner;
#elif FUNCTION == HARDSWISH
    return kept <= -3.0f ? (values)0.0f : kept >= 3.0f ? (values)1.0f : kept * THIRD + 0.5f;
#elif FUNCTION == SIGMOID
    return kept * (1.0f - kept);
#elif FUNCTION == TANH
    return 1.0f - kept * kept;
#elif FUNCTION == SCALE
    (void)kept;
    return (values)parameter;
#endif
}

/* y, x (n, size); may be the same where backward does not read x. */
kernel void activation_forward(global float *y, const global float *x, float parameter, uint size,
                               int n)
{
    const size_t count = (size_t)n * size;
    FOR_EACH (i, VECTORS_OF(count))
        store_values(value(load_values(x, i, count), parameter), y, i, count);
}

/* dx, dy, kept (n, size); dx and dy may be the same. Where the slope is zero nothing passes,
 * infinities neither. */
kernel void activation_backward(global float *dx, const global float *dy, const global float *kept,
                                float parameter, uint size, int n)
{
    const size_t count = (size_t)n * size;
    FOR_EACH (i, VECTORS_OF(count)) {
        const values by = slope(load_values(kept, i, count), parameter);
        const values passed = load_values(dy, i, count) * by;
        store_values(by == 0.0f ? (values)0.0f : passed, dx, i, count);
    }
}
