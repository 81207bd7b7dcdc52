/* Conv2d: any kernel, stride, padding, dilation and groups, with or without bias. */
#include "base/status.h"
#include "layers/layer.h"

enum { MAX_CHANNELS = 1 << 20, MAX_EXTENT = 65535 };

#define AT(field) offsetof(cnn_layer_options, conv.field)

/* torch.nn.Conv2d, without what follows from the input. */
static const cnn_argument arguments[] = {
    {"out_channels", CNN_ARGUMENT_INT, AT(channels), true, 0, 1, MAX_CHANNELS, {{0}}},
    {"kernel_size", CNN_ARGUMENT_PAIR, AT(kernel), true, 0, 1, MAX_EXTENT, {{0}}},
    {"stride", CNN_ARGUMENT_PAIR, AT(stride), false, 1, 1, MAX_EXTENT, {{0}}},
    {"padding",
     CNN_ARGUMENT_PADDING,
     AT(padding),
     false,
     0,
     0,
     MAX_EXTENT,
     {{"same", CNN_PADDING_SAME}, {"valid", 0}}},
    {"dilation", CNN_ARGUMENT_PAIR, AT(dilation), false, 1, 1, MAX_EXTENT, {{0}}},
    {"groups",
     CNN_ARGUMENT_INT,
     AT(groups),
     false,
     1,
     1,
     MAX_CHANNELS,
     {{"channels", CNN_GROUPS_CHANNELS}}},
    {"bias", CNN_ARGUMENT_BOOL, AT(bias), false, 1, 0, 1, {{0}}},
    CNN_PADDING_MODE,
};

/* PyTorch's padding="same": the odd zero goes behind, and strides are refused. */
static cnn_status settle_padding(cnn_layer *layer)
{
    cnn_conv_options *conv = &layer->options.conv;
    if (conv->padding[0] != CNN_PADDING_SAME)
        return CNN_OK;
    if (conv->stride[0] != 1 || conv->stride[1] != 1)
        return cnn_layer_fail(layer,
                              "padding=same: expected stride 1, found (%d, %d): give the padding "
                              "as numbers",
                              conv->stride[0], conv->stride[1]);
    for (int axis = 0; axis < 2; axis++) {
        int64_t zeros = (int64_t)conv->dilation[axis] * (conv->kernel[axis] - 1);
        if (zeros > INT32_MAX)
            return cnn_layer_fail(layer, "padding=same: the dilated kernel exceeds 2^31 - 1");
        conv->padding[axis] = (int)(zeros / 2);
        conv->padding[axis + 2] = (int)(zeros - zeros / 2);
    }
    return CNN_OK;
}

static cnn_status settle_groups(cnn_layer *layer)
{
    cnn_conv_options *conv = &layer->options.conv;
    if (conv->groups == CNN_GROUPS_CHANNELS)
        conv->groups = layer->in.c;
    if (layer->in.c % conv->groups == 0 && conv->channels % conv->groups == 0)
        return CNN_OK;
    return cnn_layer_fail(layer,
                          "groups: expected a divisor of the input's %d channels and of the "
                          "output's %d, found %d",
                          layer->in.c, conv->channels, conv->groups);
}

static cnn_status set_output(cnn_layer *layer)
{
    cnn_status status = CNN_OK;
    CNN_TRY(settle_padding(layer));
    CNN_TRY(settle_groups(layer));
    const cnn_conv_options *conv = &layer->options.conv;
    layer->out.c = conv->channels;
    layer->out.h = cnn_window_count(layer->in.h, conv->kernel[0], conv->stride[0], conv->padding[0],
                                    conv->padding[2], conv->dilation[0], false);
    layer->out.w = cnn_window_count(layer->in.w, conv->kernel[1], conv->stride[1], conv->padding[1],
                                    conv->padding[3], conv->dilation[1], false);
    if (layer->out.h < 1 || layer->out.w < 1)
        status = cnn_layer_fail(
            layer, "an input of %d x %d x %d leaves no output for a kernel of %d x %d", layer->in.c,
            layer->in.h, layer->in.w, conv->kernel[0], conv->kernel[1]);
out:
    return status;
}

static void set_params(cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    int in = layer->in.c / conv->groups, out = layer->out.c;
    int kh = conv->kernel[0], kw = conv->kernel[1];
    double fan_in = (double)in * kh * kw;
    layer->param_count = conv->bias ? 2 : 1;
    layer->params[0] = (cnn_param){.suffix = "weight",
                                   .rank = 4,
                                   .shape = {out, in, kh, kw},
                                   .fan_in = fan_in < INT32_MAX ? (int)fan_in : INT32_MAX};
    layer->params[1] = (cnn_param){.suffix = "bias", .rank = 1, .shape = {out}};
}

static double forward_flops(const cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    double taps = (double)conv->kernel[0] * conv->kernel[1] * layer->in.c / conv->groups;
    return cnn_layer_flops_each(layer, 2.0 * taps);
}

bool cnn_conv_is_square(const cnn_layer *layer)
{
    const cnn_conv_options *conv = &layer->options.conv;
    bool even = conv->padding[0] < conv->kernel[0];
    for (int i = 1; i < 4; i++)
        even = even && conv->padding[i] == conv->padding[0];
    return even && conv->bias && conv->groups == 1 && conv->kernel[0] == conv->kernel[1] &&
           conv->stride[0] == 1 && conv->stride[1] == 1 && conv->dilation[0] == 1 &&
           conv->dilation[1] == 1;
}

bool cnn_conv_is_plain(const cnn_layer *layer)
{
    return cnn_conv_is_square(layer) && cnn_conv_padding(layer) == cnn_conv_ksize(layer) / 2;
}

const cnn_layer_class cnn_conv_layer = {
    .name = "Conv2d",
    .torch_name = "conv2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .arguments = arguments,
    .argument_count = sizeof arguments / sizeof arguments[0],
    .set_output = set_output,
    .set_params = set_params,
    .forward_flops = forward_flops,
};
