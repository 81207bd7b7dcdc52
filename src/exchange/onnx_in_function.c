/* Functions of one value: those of operators, and those of the kinds of layers. A formula is known
 * by its values at some points, however it is put together. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "exchange/onnx_in.h"

const double cnn_onnx_points[ONNX_POINTS] = {
    -20.0, -12.0, -8.0, -6.5,  -6.0, -5.5, -4.5, -4.0, -3.5, -3.0, -2.5, -2.0, -1.5,
    -1.0,  -0.75, -0.5, -0.25, -0.1, 0.0,  0.1,  0.25, 0.5,  0.75, 1.0,  1.5,  2.0,
    2.5,   3.0,   3.5,  4.0,   4.5,  5.5,  6.0,  6.5,  8.0,  12.0, 20.0};

static double relu(double x, const double *p)
{
    (void)p;
    return x > 0.0 ? x : 0.0;
}

/* Its fixed value is often infinite. */
static double clip(double x, const double *p)
{
    return x < p[0] ? p[0] : x > p[1] ? p[1] : x;
}

static double leaky(double x, const double *p)
{
    return x < 0.0 ? p[0] * x : x;
}

static double sigmoid(double x, const double *p)
{
    (void)p;
    return 1.0 / (1.0 + exp(-x));
}

static double hard_sigmoid(double x, const double *p)
{
    double y = p[0] * x + p[1];
    return y < 0.0 ? 0.0 : y > 1.0 ? 1.0 : y;
}

static double hard_swish(double x, const double *p)
{
    (void)p;
    return x * hard_sigmoid(x, (const double[]){1.0 / 6.0, 0.5});
}

static double gelu(double x, const double *p)
{
    double inner = 0.7978845608028654 * (x + 0.044715 * x * x * x);
    return 0.5 * x * (1.0 + (p[0] != 0.0 ? tanh(inner) : erf(x * 0.7071067811865476)));
}

static double silu(double x, const double *p)
{
    return x * sigmoid(x, p);
}

static double scale(double x, const double *p)
{
    return p[0] * x;
}

#define PLAIN(name, formula)                                                                       \
    static double name(double x, const double *p)                                                  \
    {                                                                                              \
        (void)p;                                                                                   \
        return formula;                                                                            \
    }
PLAIN(tangent, tanh(x))
PLAIN(error, erf(x))
PLAIN(exponential, exp(x))
PLAIN(logarithm, log(x))
PLAIN(root, sqrt(x))
PLAIN(magnitude, fabs(x))
PLAIN(negative, -x)
PLAIN(reciprocal, 1.0 / x)
PLAIN(softplus, log1p(exp(x)))

/* operator, its function, attributes with their defaults */
static const struct {
    const char *op;
    onnx_function function;
    struct {
        const char *name;
        double fallback;
    } attributes[2];
} rows[] = {
    {"Relu", relu, {{0}}},
    {"Sigmoid", sigmoid, {{0}}},
    {"Tanh", tangent, {{0}}},
    {"Erf", error, {{0}}},
    {"Exp", exponential, {{0}}},
    {"Log", logarithm, {{0}}},
    {"Sqrt", root, {{0}}},
    {"Abs", magnitude, {{0}}},
    {"Neg", negative, {{0}}},
    {"Reciprocal", reciprocal, {{0}}},
    {"Softplus", softplus, {{0}}},
    {"HardSwish", hard_swish, {{0}}},
    {"LeakyRelu", leaky, {{"alpha", 0.01}}},
    {"HardSigmoid", hard_sigmoid, {{"alpha", 0.2}, {"beta", 0.5}}},
    {"Clip", clip, {{"min", -INFINITY}, {"max", INFINITY}}},
    {"PRelu", leaky, {{0}}},
    {"Gelu", gelu, {{0}}},
};

/* The number of each place of a constant, where it is the same one. */
static bool take_number(double *number, onnx_reader *reader, const onnx_node *node, int input)
{
    onnx_value *value = cnn_onnx_input(reader, node, input);
    const float *values = NULL;
    if (!value)
        return true; /* left out: as it was */
    if (!value->constant || value->constant->count == 0 ||
        cnn_onnx_floats(&values, reader, value->constant) != CNN_OK)
        return false;
    for (size_t i = 1; i < value->constant->count; i++)
        if (values[i] != values[0])
            return false;
    *number = cnn_onnx_widen(values[0]);
    return true;
}

onnx_function cnn_onnx_find_function(double parameters[2], const char **problem,
                                     onnx_reader *reader, const onnx_node *node)
{
    *problem = "no kind of layer computes this operator";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].op, node->op) != 0)
            continue;
        for (int at = 0; at < 2; at++)
            parameters[at] = rows[i].attributes[at].name
                                 ? cnn_onnx_float(node, rows[i].attributes[at].name,
                                                  rows[i].attributes[at].fallback)
                                 : 0.0;
        if (rows[i].function == gelu)
            parameters[0] = cnn_bytes_are(cnn_onnx_text(node, "approximate"), "tanh");
        bool has_numbers = rows[i].function == clip || strcmp(node->op, "PRelu") == 0;
        for (int at = 0; has_numbers && at < 2; at++)
            if (!take_number(&parameters[at], reader, node, at + 1)) {
                *problem = "expected one number, the same for all channels";
                return NULL;
            }
        return rows[i].function;
    }
    return NULL;
}

/* Kinds without numbers of their own, then those with one, which a point tells. */
static const struct {
    cnn_layer_kind kind;
    onnx_function function;
    double parameters[2];
} kinds[] = {
    {CNN_LAYER_KIND_COUNT, scale, {1.0}},   {CNN_LAYER_RELU, relu, {0}},
    {CNN_LAYER_RELU6, clip, {0.0, 6.0}},    {CNN_LAYER_SILU, silu, {0}},
    {CNN_LAYER_GELU, gelu, {0.0}},          {CNN_LAYER_GELU, gelu, {1.0}},
    {CNN_LAYER_HARDSWISH, hard_swish, {0}}, {CNN_LAYER_SIGMOID, sigmoid, {0}},
    {CNN_LAYER_TANH, tangent, {0}},         {CNN_LAYER_SCALE, scale, {NAN}},
    {CNN_LAYER_LEAKYRELU, leaky, {NAN}},
};

/* Constants are floats, and formulas are put together of several. */
static bool is_close(double a, double b)
{
    return fabs(a - b) <= 2e-6 * (1.0 + fabs(b));
}

bool cnn_onnx_match(cnn_layer_kind *kind, cnn_layer_options *options, const double *curve)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        double p[2] = {kinds[i].parameters[0], kinds[i].parameters[1]};
        bool same = true;
        if (isnan(p[0])) /* of x = -1 */
            p[0] = cnn_onnx_widen((float)-curve[13]);
        for (int at = 0; at < ONNX_POINTS && same; at++)
            same = is_close(curve[at], kinds[i].function(cnn_onnx_points[at], p));
        if (!same)
            continue;
        *kind = kinds[i].kind;
        if (*kind == CNN_LAYER_KIND_COUNT)
            return true;
        cnn_layer_default_options(options, *kind);
        if (*kind == CNN_LAYER_GELU)
            options->gelu.tanh = p[0] != 0.0;
        else if (*kind == CNN_LAYER_SCALE)
            options->scale.factor = p[0];
        else if (*kind == CNN_LAYER_LEAKYRELU)
            options->activation.slope = p[0];
        return true;
    }
    return false;
}
