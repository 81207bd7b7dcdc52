/* Values joined: Add, Mul, Concat; and Scale, a product with a constant. */
#include "layers/layer.h"

enum { MOST_INPUTS = 1024 };

static const cnn_argument scale_arguments[] = {
    {"factor",
     CNN_ARGUMENT_NUMBER,
     offsetof(cnn_layer_options, scale.factor),
     true,
     0,
     -1e30,
     1e30,
     {{0}}},
};

static cnn_status fail_shapes(const cnn_layer *layer, int input, const char *expected)
{
    char first[CNN_INPUT_TEXT_SIZE], second[CNN_INPUT_TEXT_SIZE];
    return cnn_layer_fail(layer, "expected %s, found %s and %s", expected,
                          cnn_layer_describe_input(first, layer, 0),
                          cnn_layer_describe_input(second, layer, input));
}

static cnn_status set_add_output(cnn_layer *layer)
{
    if (!cnn_shape_equal(cnn_layer_input(layer, 0), cnn_layer_input(layer, 1)))
        return fail_shapes(layer, 1, "inputs of one shape");
    return cnn_layer_keep_shape(layer);
}

/* One factor may be a number per channel. */
static cnn_status set_mul_output(cnn_layer *layer)
{
    cnn_shape a = cnn_layer_input(layer, 0), b = cnn_layer_input(layer, 1);
    bool narrow_a = a.h == 1 && a.w == 1, narrow_b = b.h == 1 && b.w == 1;
    if (a.c != b.c || !(cnn_shape_equal(a, b) || narrow_a || narrow_b))
        return fail_shapes(layer, 1, "inputs of one shape, or one of them (channels, 1, 1)");
    layer->out = narrow_a ? b : a;
    return CNN_OK;
}

static cnn_status set_concat_output(cnn_layer *layer)
{
    int64_t channels = 0;
    for (int i = 0; i < layer->input_count; i++) {
        cnn_shape shape = cnn_layer_input(layer, i);
        if (shape.h != layer->in.h || shape.w != layer->in.w)
            return fail_shapes(layer, i, "inputs of one height and width");
        channels += shape.c;
    }
    if (channels > INT32_MAX)
        return cnn_layer_fail(layer, "its channels exceed 2^31 - 1");
    layer->out = (cnn_shape){(int)channels, layer->in.h, layer->in.w};
    return CNN_OK;
}

static double one_flop(const cnn_layer *layer)
{
    return cnn_layer_flops_each(layer, 1.0);
}

static double no_flops(const cnn_layer *layer)
{
    (void)layer;
    return 0.0;
}

const cnn_layer_class cnn_add_layer = {
    .name = "Add",
    .torch_name = "add",
    .least_inputs = 2,
    .most_inputs = 2,
    .set_output = set_add_output,
    .forward_flops = one_flop,
};

const cnn_layer_class cnn_concat_layer = {
    .name = "Concat",
    .torch_name = "concat",
    .least_inputs = 2,
    .most_inputs = MOST_INPUTS,
    .set_output = set_concat_output,
    .forward_flops = no_flops,
};

const cnn_layer_class cnn_mul_layer = {
    .name = "Mul",
    .torch_name = "mul",
    .least_inputs = 2,
    .most_inputs = 2,
    .set_output = set_mul_output,
    .forward_flops = one_flop,
};

const cnn_layer_class cnn_scale_layer = {
    .name = "Scale",
    .torch_name = "scale",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = scale_arguments,
    .argument_count = 1,
    .set_output = cnn_layer_keep_shape,
    .forward_flops = one_flop,
};
