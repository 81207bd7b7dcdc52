/* The activations: one value at a time. */
#include "layers/layer.h"

static const cnn_argument leaky_arguments[] = {
    {"negative_slope",
     CNN_ARGUMENT_NUMBER,
     offsetof(cnn_layer_options, activation.slope),
     false,
     0.01,
     -1e30,
     1e30,
     {{0}}},
    CNN_INPLACE,
};

static const cnn_argument plain_arguments[] = {CNN_INPLACE};

static const cnn_argument gelu_arguments[] = {
    {"approximate",
     CNN_ARGUMENT_CHOICE,
     offsetof(cnn_layer_options, gelu.tanh),
     false,
     0,
     0,
     1,
     {{"none", 0}, {"tanh", 1}}},
};

static double one_flop(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 1.0);
}

static double few_flops(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 4.0);
}

/* An exponential or a tangent. */
static double many_flops(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 16.0);
}

const cnn_layer_class cnn_relu_layer = {
    .name = "ReLU",
    .torch_name = "relu",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = plain_arguments,
    .argument_count = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = one_flop,
};

const cnn_layer_class cnn_relu6_layer = {
    .name = "ReLU6",
    .torch_name = "relu6",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = plain_arguments,
    .argument_count = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = one_flop,
};

const cnn_layer_class cnn_silu_layer = {
    .name = "SiLU",
    .torch_name = "silu",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = plain_arguments,
    .argument_count = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = many_flops,
};

const cnn_layer_class cnn_hardswish_layer = {
    .name = "Hardswish",
    .torch_name = "hardswish",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = plain_arguments,
    .argument_count = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = few_flops,
};

const cnn_layer_class cnn_sigmoid_layer = {
    .name = "Sigmoid",
    .torch_name = "sigmoid",
    .least_inputs = 1,
    .most_inputs = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = many_flops,
};

const cnn_layer_class cnn_tanh_layer = {
    .name = "Tanh",
    .torch_name = "tanh",
    .least_inputs = 1,
    .most_inputs = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = many_flops,
};

const cnn_layer_class cnn_leakyrelu_layer = {
    .name = "LeakyReLU",
    .torch_name = "leakyrelu",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = leaky_arguments,
    .argument_count = sizeof leaky_arguments / sizeof leaky_arguments[0],
    .set_output = cnn_layer_keep_shape,
    .forward_flops = one_flop,
};

const cnn_layer_class cnn_gelu_layer = {
    .name = "GELU",
    .torch_name = "gelu",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = gelu_arguments,
    .argument_count = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = many_flops,
};
