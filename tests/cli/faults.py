"""Kernels that compute wrong: what the doctor must find."""

# A kernel's fault (file, text, what takes its place), the part, phase and name of a row that fails
# for it, and what that says.
FAULTS = {
    "a wrong value": ("dropout.cl", "= x[pixel + c] * scales[",
                      "= 1.001f * x[pixel + c] * scales[",
                      "plain +forward +dropout", "the output: relative error"),
    "an output left out": ("conv.cl", "if (row < TAPS * ICG)\n            gradients",
                           "if (row == 0)\n            continue;\n        if (row < TAPS * ICG)\n            gradients",
                           "plain +backward +conv ", "the gradient of conv2d_00.weight: .* inf "),
    "a write behind the end": ("optimizer.cl", "FOR_EACH (i, count)", "FOR_EACH (i, count + 1)",
                               "fused +update", "bytes behind its end"),
    "a write before the begin": ("optimizer.cl", "m[i] = first;", "m[i] = first; if (i == 0) m[-1] = 1.0f;",
                                 "fused +update", "first moments .* 4 bytes before its begin"),
    "the other one of a tie": ("pool.cl", "a > b ||", "a >= b ||", "plain +backward +maxpool",
                               "the gradient of the input"),
    "a gradient in another's place": ("linear.cl", "gradients[offset + o]", "gradients[offset + o - 1]",
                                      "plain +backward +linear", "the gradient of linear_0"),
    "a fused step": ("conv_block_backward.cl", "amount, vload8", "amount * 1.01f, vload8",
                     "fused +backward +conv", "the gradient of"),
    "a wrong label": ("gather.cl", "batch_labels[sample] = labels[index]",
                      "batch_labels[sample] = labels[first]", "fused +gather", r"label \d+ of the batch"),
    "a wrong mixture": ("augment.cl", "part * values[c] +", "part * 1.001f * values[c] +", "fused +augment",
                        "the batch: relative error"),
    "a wrong mixture of losses": ("softmax.cl", "(1.0f - part) * sharp", "(1.001f - part) * sharp",
                                  "fused +loss +smoothed", "relative error"),
    "a wrong loss": ("softmax.cl", "exponential(z[j] - most));", "exponential(z[j] - most) + 1e-3f);", "fused +loss",
                     "relative error"),
    "a NaN that is not marked": ("softmax.cl", "!isfinite(loss)", "loss - loss > 0.0f",
                                 r"fused +loss +NaN among the logits",
                                 "the loss -?nan is not marked as not finite"),
    "a NaN that is lost": ("softmax.cl", "return logarithm(sum) + most - z[label]",
                           "return fmax(logarithm(sum) + most - z[label], 0.0f)", "fused +loss +NaN among the logits",
                           "the NaN is lost: the loss is "),
    "a NaN that is lost on its way": ("activation.cl", "x <= 0.0f ? (values)0.0f : x;", "fmax(x, (values)0.0f);",
                                      "plain +evaluate +NaN in the images", "the NaN is lost: the loss is "),
    "NaN": ("optimizer.cl", "square_root(second)", "square_root(-second)", "trace +20 steps, fused",
            "the loss of step 1 is not finite"),
    "a piece left out": ("optimizer.cl", "sum[i] + gradients[i]", "gradients[i]",
                         "trace +20 steps, batches in pieces", "the losses of the steps"),
}


MOST_WEIGHTS = 1 << 20  # of a convolution that is a fused step


def _always(_network):
    return True


def _convolves(network):
    return bool(network.cdims)


def _drops(network):
    return bool(network.cdims) and network.dropout > 0


def _has_fused_sums(network):
    """A convolution's sums over what a pool has passed on: not those of a narrow first layer."""
    wide = network.ksize**2 * network.xdim[0] > 12 or len(network.cdims) > 1
    return bool(network.cdims) and not network.batchnorm and wide and network.widest() <= MOST_WEIGHTS


# In which networks of random_networks.py a fault acts, with kernels for CPUs; the others: in all.
ACTS = {
    "a wrong value": _drops,
    "an output left out": _convolves,
    "the other one of a tie": _convolves,
    "a fused step": _has_fused_sums,
    "a NaN that is lost on its way": lambda network: bool(network.cdims or network.hdims),
    "a piece left out": lambda network: network.has_pieces(),
}

# Those that the check before training does not meet in a plain plan of whole batches: of zones before memory, of
# fused steps, of batches in pieces.
ELSEWHERE = {"a write before the begin", "a fused step", "a piece left out"}


def acts(name, network):
    return ACTS.get(name, _always)(network)
