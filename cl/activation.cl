/* Activations, and a product with a constant: y = f(x) value by value; dx = dy f'(x).
 * Layout: any. Must be given: COUNT, values per sample; FUNCTION, one of the names below. With a
 * default: PARAMETER 0, a slope or a factor.
 * What is read in backward, x or y, is called `kept`: the host knows which (BY_OUTPUT below). */
#if !defined(COUNT) || !defined(FUNCTION)
#error "COUNT and FUNCTION must be given"
#endif
#ifndef PARAMETER
#define PARAMETER 0.0f
#endif

#include "loop.cl"

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

static float sigmoid(float x)
{
    return 1.0f / (1.0f + exp(-x));
}

/* Comparisons are written so that NaN stays NaN. */
static float value(float x)
{
#if FUNCTION == RELU
    return x <= 0.0f ? 0.0f : x;
#elif FUNCTION == RELU6
    return x <= 0.0f ? 0.0f : x >= 6.0f ? 6.0f : x;
#elif FUNCTION == LEAKYRELU
    return x > 0.0f ? x : x * PARAMETER;
#elif FUNCTION == SILU
    return x * sigmoid(x);
#elif FUNCTION == GELU
    return 0.5f * x * (1.0f + erf(x * SQRT_HALF));
#elif FUNCTION == GELU_TANH
    return 0.5f * x * (1.0f + tanh(SQRT_2_PI * (x + CUBIC * x * x * x)));
#elif FUNCTION == HARDSWISH
    return x <= -3.0f ? 0.0f : x >= 3.0f ? x : x * (x + 3.0f) * (1.0f / 6.0f);
#elif FUNCTION == SIGMOID
    return sigmoid(x);
#elif FUNCTION == TANH
    return tanh(x);
#elif FUNCTION == SCALE
    return x * PARAMETER;
#endif
}

/* kept: y for ReLU, ReLU6, Sigmoid and Tanh, x for the others; Scale needs neither. */
static float slope(float kept)
{
#if FUNCTION == RELU
    return kept <= 0.0f ? 0.0f : 1.0f;
#elif FUNCTION == RELU6
    return kept <= 0.0f || kept >= 6.0f ? 0.0f : 1.0f;
#elif FUNCTION == LEAKYRELU
    return kept > 0.0f ? 1.0f : PARAMETER;
#elif FUNCTION == SILU
    const float s = sigmoid(kept);
    return s * (1.0f + kept * (1.0f - s));
#elif FUNCTION == GELU
    return 0.5f * (1.0f + erf(kept * SQRT_HALF)) + kept * DENSITY * exp(-0.5f * kept * kept);
#elif FUNCTION == GELU_TANH
    const float t = tanh(SQRT_2_PI * (kept + CUBIC * kept * kept * kept));
    const float inner = SQRT_2_PI * (1.0f + 3.0f * CUBIC * kept * kept);
    return 0.5f * (1.0f + t) + 0.5f * kept * (1.0f - t * t) * inner;
#elif FUNCTION == HARDSWISH
    return kept <= -3.0f ? 0.0f : kept >= 3.0f ? 1.0f : kept * (1.0f / 3.0f) + 0.5f;
#elif FUNCTION == SIGMOID
    return kept * (1.0f - kept);
#elif FUNCTION == TANH
    return 1.0f - kept * kept;
#elif FUNCTION == SCALE
    (void)kept;
    return PARAMETER;
#endif
}

/* y, x (n, COUNT); may be the same where backward does not read x. */
kernel void activation_forward(global float *y, const global float *x, int n)
{
    FOR_EACH (i, (size_t)n * COUNT)
        y[i] = value(x[i]);
}

/* dx, dy, kept (n, COUNT); dx and dy may be the same. Where the slope is zero nothing passes,
 * infinities neither. */
kernel void activation_backward(global float *dx, const global float *dy, const global float *kept,
                                int n)
{
    FOR_EACH (i, (size_t)n * COUNT) {
        const float by = slope(kept[i]);
        dx[i] = by == 0.0f ? 0.0f : dy[i] * by;
    }
}
