#!/usr/bin/env python3
"""Golden vectors: what PyTorch computes, written as small text files that the C tests read.

Without options it writes every file of tests/golden/. With --out it writes one network of any
configuration: with --params from the values of a saved model, else from random ones.

The format is lines of text; '#' starts a comment:
    case NAME                    starts a case
    config JSON                  the network's options, as a saved model holds them
    network TEXT                 a line of the text of a network that is not of the family
    tensor NAME RANK DIM...      a tensor of the case; its values follow, row-major, in %.9g
                                 (exact for float32), eight to a line; "nan" and "inf" occur

PyTorch computes in double from inputs that are float32, so that the error seen is the error of what
is tested; --dtype float32 gives PyTorch as it is used.
"""
import argparse
import copy
import json
import os
import struct
import sys

try:
    import numpy as np
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError as error:
    sys.exit(f"make_golden.py: expected PyTorch and NumPy, found none ({error}): scripts/setup.sh --tests installs them")

GOLDEN_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden")
VALUES_PER_LINE = 8


class Golden:
    def __init__(self, title):
        self.lines = [f"# {title}. Written by scripts/make_golden.py; the format is described there."]

    def case(self, name):
        self.lines.append(f"case {name}")

    def config(self, options):
        self.lines.append("config " + json.dumps(options))

    def network(self, text):
        self.lines += ["network " + line for line in text.splitlines()]

    def tensor(self, name, values):
        array = torch.as_tensor(values).detach().to(torch.float32).numpy()
        self.lines.append(" ".join(["tensor", name, str(array.ndim)] + [str(d) for d in array.shape]))
        flat = ["%.9g" % value for value in array.ravel()]
        for start in range(0, len(flat), VALUES_PER_LINE):
            self.lines.append(" ".join(flat[start:start + VALUES_PER_LINE]))

    def tensors(self, **named):
        for name, values in named.items():
            self.tensor(name, values)

    def write(self, path):
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(self.lines) + "\n")


def float32_normal(*shape, deviation=1.0):
    """Values that float32 holds exactly, in double."""
    return (torch.randn(*shape) * deviation).double()


def as_float32(number):
    """The float32 next to a number: what the file can hold."""
    return float(np.float32(number))


def gradients(y, dy, *inputs):
    """The gradients of sum(y * dy) by the inputs, as PyTorch's autograd finds them."""
    return torch.autograd.grad(y, inputs, grad_outputs=dy)


def make_conv(path):
    golden = Golden("Convolution: y, dx, dw, db")
    for ksize in (1, 2, 3, 5):
        for channels, height, width in ((1, 5, 7), (3, 6, 3)):
            x = float32_normal(3, channels, height, width).requires_grad_()
            w = float32_normal(2, channels, ksize, ksize).requires_grad_()
            b = float32_normal(2).requires_grad_()
            y = F.conv2d(x, w, b, padding=ksize // 2)
            dy = float32_normal(*y.shape)
            dx, dw, db = gradients(y, dy, x, w, b)
            golden.case(f"conv_k{ksize}_c{channels}_{height}x{width}")
            golden.tensors(x=x, w=w, b=b, y=y, dy=dy, dx=dx, dw=dw, db=db)
    golden.write(path)


def make_batchnorm(path):
    golden = Golden("Batch norm in training (y, dx, dweight, dbias, running) and evaluation (eval_y)")
    # A mean far from zero shows a variance taken as E[x^2] - E[x]^2.
    for name, shape, mean in (("plain", (3, 2, 5, 4), 0.0), ("far_mean", (4, 3, 3, 7), 1000.0),
                              ("one_pixel", (5, 2, 1, 1), 0.5)):
        channels = shape[1]
        x = (torch.randn(*shape) + mean).double().requires_grad_()
        weight = float32_normal(channels).requires_grad_()
        bias = float32_normal(channels).requires_grad_()
        before = torch.cat([torch.randn(channels), torch.rand(channels) + 0.5]).double()
        running_mean, running_var = before[:channels].clone(), before[channels:].clone()
        eval_y = F.batch_norm(x, running_mean, running_var, weight, bias, training=False)
        y = F.batch_norm(x, running_mean, running_var, weight, bias, training=True, momentum=0.1,
                         eps=1e-5)
        dy = float32_normal(*shape)
        dx, dweight, dbias = gradients(y, dy, x, weight, bias)
        golden.case(f"batchnorm_{name}")
        golden.tensors(x=x, weight=weight, bias=bias, running_before=before, eval_y=eval_y, y=y,
                       running_after=torch.cat([running_mean, running_var]), dy=dy, dx=dx,
                       dweight=dweight, dbias=dbias)
    golden.write(path)


def make_relu(path):
    golden = Golden("ReLU: y, dx")
    x = float32_normal(3, 2, 3, 5)
    x.view(-1)[:6] = torch.tensor([0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-30])
    x.requires_grad_()
    y = F.relu(x)
    dy = float32_normal(*y.shape)
    (dx,) = gradients(y, dy, x)
    golden.case("relu")
    golden.tensors(x=x, y=y, dy=dy, dx=dx)
    golden.write(path)


def window_positions(indices, width):
    """PyTorch's flat indices into a plane, as 0 to 3 within the 2x2 window."""
    return (indices // width % 2) * 2 + indices % width % 2


def make_maxpool(path):
    golden = Golden("2x2 max pool: y, which (position in the window), dx")
    nan, low = float("nan"), -float("inf")
    special = torch.tensor([[nan, 1, 2, nan, nan, nan, low, low],
                            [0, 2, nan, 3, nan, nan, low, low]]).double()
    for name, x in (("odd_planes", float32_normal(3, 2, 5, 7)),
                    ("ties", torch.randint(0, 2, (2, 3, 6, 4)).double()),
                    ("smallest", float32_normal(2, 1, 2, 3)),
                    ("nan", special.view(1, 1, 2, 8))):
        x.requires_grad_()
        y, indices = F.max_pool2d(x, 2, 2, return_indices=True)
        dy = float32_normal(*y.shape)
        (dx,) = gradients(y, dy, x)
        golden.case(f"maxpool_{name}")
        golden.tensors(x=x, y=y, which=window_positions(indices, x.shape[3]), dy=dy, dx=dx)
    golden.write(path)


def philox(counter, key):
    """Philox4x32-10 after Salmon et al., SC'11, written a second time on purpose."""
    for _ in range(10):
        first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [(second >> 32) ^ counter[1] ^ key[0], second & 0xFFFFFFFF,
                   (first >> 32) ^ counter[3] ^ key[1], first & 0xFFFFFFFF]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def dropout_mask(samples, channels, p, seed, layer, step):
    """1 where a channel is kept: the mask that design and code agree on."""
    dropout_stream = 2
    key, words = [seed & 0xFFFFFFFF, seed >> 32], []
    for block in range((samples * channels + 3) // 4):
        words += philox([block, dropout_stream << 16 | layer, step & 0xFFFFFFFF, step >> 32], key)
    kept = [float(word >= int(p * 2**32)) for word in words[:samples * channels]]
    return torch.tensor(kept).double().view(samples, channels, 1, 1)


def make_dropout(path):
    golden = Golden("Dropout2d: y and dx under the mask of (seed, layer, step)")
    for name, p, seed, layer, step in (("half", 0.5, 7, 3, 1), ("rare", 0.1, 2**40 + 5, 9, 2**33 + 1),
                                       ("often", 0.9, 1, 4, 12), ("never", 0.0, 2, 4, 1)):
        p = as_float32(p)
        x = float32_normal(5, 3, 3, 2).requires_grad_()
        y = x * dropout_mask(5, 3, p, seed, layer, step) / (1.0 - p)
        dy = float32_normal(*y.shape)
        (dx,) = gradients(y, dy, x)
        golden.case(f"dropout_{name}")
        # Whole numbers beyond 2^24 do not fit a float: two words each.
        golden.tensors(p=p, layer=layer, seed_words=[seed >> 32, seed & 0xFFFFFFFF],
                       step_words=[step >> 32, step & 0xFFFFFFFF], x=x, y=y, dy=dy, dx=dx)
    golden.write(path)


def make_linear(path):
    golden = Golden("Linear: y, dx, dw, db")
    for samples, inputs, outputs in ((3, 7, 5), (1, 1, 1), (5, 33, 4)):
        x = float32_normal(samples, inputs).requires_grad_()
        w = float32_normal(outputs, inputs).requires_grad_()
        b = float32_normal(outputs).requires_grad_()
        y = F.linear(x, w, b)
        dy = float32_normal(*y.shape)
        dx, dw, db = gradients(y, dy, x, w, b)
        golden.case(f"linear_{samples}x{inputs}x{outputs}")
        golden.tensors(x=x, w=w, b=b, y=y, dy=dy, dx=dx, dw=dw, db=db)
    golden.write(path)


def make_softmax(path):
    golden = Golden("Softmax cross-entropy: loss, dlogits, hits; with weights of classes and smoothed labels")
    generator = torch.Generator().manual_seed(1)
    for name, samples, classes, deviation in (("plain", 4, 10, 1.0), ("one_class", 3, 1, 1.0),
                                              ("large_logits", 5, 3, 300.0)):
        logits = float32_normal(samples, classes, deviation=deviation).requires_grad_()
        labels = torch.randint(0, classes, (samples,))
        loss = F.cross_entropy(logits, labels)
        (dlogits,) = torch.autograd.grad(loss, [logits])
        weights = (torch.rand(classes, generator=generator) + 0.25).double()
        smoothing = as_float32(0.1)
        shaped = F.cross_entropy(logits, labels, weight=weights, label_smoothing=smoothing)
        (dshaped,) = torch.autograd.grad(shaped, [logits])
        golden.case(f"softmax_{name}")
        golden.tensors(weights=weights, smoothing=smoothing, shaped_loss=shaped, shaped_dlogits=dshaped)
        golden.tensors(logits=logits, labels=labels, loss=loss, dlogits=dlogits,
                       hits=(logits.argmax(1) == labels).sum())
    golden.write(path)


def make_adam(path):
    golden = Golden("Adam: values, m and v after each of five steps")
    lr, steps = as_float32(1e-2), 5
    values = float32_normal(12).requires_grad_()
    given = float32_normal(steps, 12)
    given[:, 0] = 0.0      # never a gradient
    given[:, 1] *= 1e-8    # as small as epsilon
    given[:, 2] *= 1e4
    given[1:, 3] = 0.0     # only a first one
    given = given.float().double()
    golden.case("adam")
    golden.tensors(lr=lr, values=values, gradients=given)
    optimizer = torch.optim.Adam([values], lr=lr)
    history = []
    for step in range(steps):
        values.grad = given[step].clone()
        optimizer.step()
        state = optimizer.state[values]
        history.append(torch.stack([values.detach(), state["exp_avg"], state["exp_avg_sq"]]))
    after = torch.stack(history, dim=1)
    golden.tensors(values_after=after[0], m_after=after[1], v_after=after[2])
    golden.write(path)


class Layer(nn.Module):
    """What the optimizers move: a weight and a bias."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(float32_normal(3, 4))
        self.bias = nn.Parameter(float32_normal(3))


def make_optimizer(options, layer):
    """The optimizer of torch.optim that these options of training stand for."""
    decay = options.get("weight-decay", 0.0)
    groups = [{"params": [layer.weight], "weight_decay": decay},
              {"params": [layer.bias], "weight_decay": decay if options.get("decay-all") else 0.0}]
    name, lr = options["optimizer"], options["lr"]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=options.get("momentum", 0.0),
                               nesterov=options.get("nesterov", False))
    return {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](groups, lr=lr)


def make_schedule(options, optimizer, epochs, epoch_steps):
    """The scheduler of torch.optim.lr_scheduler that they stand for; its steps are those of training."""
    schedulers = torch.optim.lr_scheduler
    steps, warmup = epochs * epoch_steps, int(epoch_steps * options.get("warmup", 0.0) + 0.5)
    kind, _, rest = options.get("schedule", "constant").partition("=")
    if kind == "onecycle":
        return schedulers.OneCycleLR(optimizer, options["lr"], total_steps=steps,
                                     pct_start=warmup / steps if warmup else 0.3,
                                     cycle_momentum=not options.get("fixed-momentum"))
    if kind == "step":
        milestones, _, factor = rest.partition(":")
        behind = schedulers.MultiStepLR(optimizer, [int(epoch) * epoch_steps for epoch in milestones.split(",")],
                                        float(factor))
    elif kind == "cosine":
        behind = schedulers.CosineAnnealingLR(optimizer, steps - warmup)
    else:
        behind = schedulers.LambdaLR(optimizer, lambda step: 1.0)
    if not warmup:
        return behind
    rising = schedulers.LambdaLR(optimizer, lambda step: (step + 1) / warmup)
    return schedulers.SequentialLR(optimizer, [rising, behind], [warmup])


def momentum_of(group):
    return group["momentum"] if "momentum" in group else group["betas"][0]


def flat_of(layer):
    return torch.cat([layer.weight.detach().flatten(), layer.bias.detach()])


OPTIMIZERS = {
    "sgd": {"optimizer": "sgd", "lr": 0.1},
    "sgd_momentum": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9},
    "sgd_nesterov": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.75, "nesterov": True,
                     "weight-decay": 0.125},
    "sgd_clipped": {"optimizer": "sgd", "lr": 0.1, "weight-decay": 0.125, "decay-all": True,
                    "clip-norm": 3.5},
    "adam_decayed": {"optimizer": "adam", "lr": 0.01, "weight-decay": 0.25},
    "adam_clipped": {"optimizer": "adam", "lr": 0.01, "clip-norm": 1.0},
    "adamw": {"optimizer": "adamw", "lr": 0.01, "weight-decay": 0.5},
    "adamw_all": {"optimizer": "adamw", "lr": 0.02, "weight-decay": 0.25, "decay-all": True,
                  "clip-norm": 4.0},
    "sgd_ema": {"optimizer": "sgd", "lr": 0.1, "ema": 0.75},
    "cosine": {"optimizer": "sgd", "lr": 0.1, "momentum": 0.5, "schedule": "cosine", "warmup": 1.25},
    "warmup": {"optimizer": "adam", "lr": 0.01, "warmup": 3.0},
    "steps": {"optimizer": "adam", "lr": 0.01, "schedule": "step=2,3:0.25"},
    "onecycle": {"optimizer": "sgd", "lr": 0.5, "momentum": 0.9, "nesterov": True, "schedule": "onecycle"},
    "onecycle_adamw": {"optimizer": "adamw", "lr": 0.1, "ema": 0.9, "weight-decay": 0.25, "schedule": "onecycle",
                       "warmup": 2.0},
    "onecycle_fixed": {"optimizer": "sgd", "lr": 0.5, "momentum": 0.9, "schedule": "onecycle",
                       "fixed-momentum": True},
}


def make_optimizers(path):
    """Of each case the options, and the values of a layer after each step of 5 epochs: weight, then bias."""
    golden = Golden("Optimizers and schedules: the values after each of 20 steps")
    epochs, epoch_steps = 5, 4
    steps = epochs * epoch_steps
    for case, options in OPTIMIZERS.items():
        layer = Layer()
        given = float32_normal(steps, 15)
        golden.case(case)
        golden.config({key: repr(value) if isinstance(value, float) else value
                       for key, value in options.items()})
        golden.tensors(values=flat_of(layer), gradients=given)
        optimizer = make_optimizer(options, layer)
        schedule = make_schedule(options, optimizer, epochs, epoch_steps)
        after, rates, averages = [], [], []
        decay = options.get("ema", 0.0)
        average = torch.optim.swa_utils.AveragedModel(
            layer, avg_fn=lambda mean, value, count: decay * mean + (1.0 - decay) * value)
        for step in range(steps):
            layer.weight.grad = given[step][:12].reshape(3, 4).clone()
            layer.bias.grad = given[step][12:].clone()
            if "clip-norm" in options:
                nn.utils.clip_grad_norm_(layer.parameters(), options["clip-norm"])
            group = optimizer.param_groups[0]
            rates.append([group["lr"], momentum_of(group)])
            optimizer.step()
            schedule.step() if step + 1 < steps else None
            after.append(flat_of(layer))
            average.update_parameters(layer)
            averages.append(flat_of(average.module))
        if decay:
            golden.tensors(average_after=torch.stack(averages))
        golden.tensors(epoch_steps=torch.tensor(epoch_steps), rates=torch.tensor(rates, dtype=torch.float64),
                       values_after=torch.stack(after))
    golden.write(path)


class Network(nn.Module):
    """The family of networks, with the layers' names and shapes of the real planes."""

    def __init__(self, options):
        super().__init__()
        channels, height, width = options["xdim"]
        layers = []
        for cdim in options["cdims"]:
            layers.append(nn.Conv2d(channels, cdim, options["ksize"], padding=options["ksize"] // 2))
            if options["batchnorm"]:
                layers.append(nn.BatchNorm2d(cdim))
            layers += [nn.ReLU(), nn.MaxPool2d(2, 2), nn.Dropout2d(options["dropout"])]
            growth = 1 - options["ksize"] % 2
            channels, height, width = cdim, (height + growth) // 2, (width + growth) // 2
        layers.append(nn.Flatten())
        inputs = channels * height * width
        for hdim in options["hdims"]:
            layers += [nn.Linear(inputs, hdim), nn.ReLU()]
            inputs = hdim
        layers.append(nn.Linear(inputs, options["ydim"]))
        self.net = nn.Sequential()
        for index, layer in enumerate(layers):
            self.net.add_module("%s_%02d" % (type(layer).__name__.lower(), index), layer)

    def forward(self, x):
        return self.net(x)


def randomise(model):
    """Random values everywhere, biases and running statistics included: zeros would hide errors."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)
                module.bias.normal_(0.0, 0.1)
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.normal_(1.0, 0.2)
                module.bias.normal_(0.0, 0.2)
                module.running_mean.normal_(0.0, 0.5)
                module.running_var.uniform_(0.5, 2.0)


def read_safetensors(path):
    """Tensors by name: eight bytes of header length, a JSON header, the values."""
    types = {"F32": np.float32, "I64": np.int64}
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        content = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, info in header.items():
        start, end = info["data_offsets"]
        array = np.frombuffer(content[start:end], dtype=types[info["dtype"]]).reshape(info["shape"])
        tensors[name] = torch.from_numpy(array.copy())
    return tensors


def add_step(golden, model, x, labels, get_tensors):
    """Logits in both modes; loss, gradients and statistics of a step. get_tensors: parameters and the rest, named."""
    golden.tensor("eval_logits", model.eval()(x))
    logits = model.train()(x)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    golden.tensors(logits=logits, loss=loss)
    parameters, buffers = get_tensors()
    for name, values in parameters:
        # A zero that double rounds to 1e-16, another one each time, is written as zero.
        golden.tensor("grad." + name, values.grad * (values.grad.abs() > 1e-14))
    for name, values in buffers:
        golden.tensor("after." + name, values)


def add_network(golden, case, options, batch, steps, lr, dtype, params=None):
    """Logits, loss and gradients of one step, and the loss trace of `steps` Adam steps on a batch."""
    lr = as_float32(lr)
    model = Network(options)
    if params:
        model.load_state_dict(read_safetensors(params), strict=True)
    else:
        randomise(model)
    x = torch.rand(batch, *options["xdim"])
    labels = torch.randint(0, options["ydim"], (batch,))
    golden.case(case)
    golden.config(options)
    golden.tensors(x=x, labels=labels, lr=lr)
    for name, values in model.state_dict().items():
        golden.tensor("before." + name, values)

    model.to(dtype)
    x = x.to(dtype)
    one_step = copy.deepcopy(model)
    add_step(golden, one_step, x, labels, lambda: (one_step.named_parameters(), one_step.named_buffers()))

    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    model.train()
    for _ in range(steps):
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss)
    golden.tensor("losses", torch.stack(losses))
    # Weights alone: a bias before batch norm has a gradient of zero, and Adam makes steps of noise.
    squares = sum((values.detach() ** 2).sum() for name, values in model.named_parameters()
                  if name.endswith(".weight"))
    golden.tensor("final_weight_norm", torch.sqrt(squares))


def network_options(xdim, ksize, cdims, hdims, ydim, batchnorm=False):
    return {"name": "cnn", "xdim": xdim, "ksize": ksize, "cdims": cdims, "hdims": hdims, "ydim": ydim,
            "batchnorm": batchnorm, "dropout": 0.0}


def make_networks(path):
    golden = Golden("Whole networks")
    for case, options, batch in (
            ("two_blocks", network_options([1, 8, 8], 3, [4, 6], [5], 4), 6),
            ("batchnorm", network_options([1, 8, 8], 3, [4, 6], [5], 4, True), 6),
            ("even_kernel", network_options([3, 9, 7], 2, [5], [], 3), 5),
            ("batchnorm_wide_kernel", network_options([2, 5, 11], 5, [3], [6, 4], 5, True), 7),
            ("mlp", network_options([1, 5, 6], 3, [], [8], 4), 6),
            ("softmax_regression", network_options([2, 3, 2], 3, [], [], 2), 4)):
        add_network(golden, case, options, batch, 20, 1e-3, torch.float64)
    golden.write(path)


# Each kind in its turns, behind a convolution, whose gradients are told by the kind's: what stands between `a` and
# the flat end. Without a name of their own, kinds with one input read the one before.
KINDS = {
    "conv2d_not_square": "Conv2d(4, (3, 2), stride=(1, 2), padding=(1, 0), dilation=(2, 1), bias=false)",
    "conv2d_groups": "Conv2d(6, 2, stride=2, padding=1, groups=3)",
    "conv2d_depthwise": "Conv2d(3, 3, padding=(1, 1), groups=3, bias=false)",
    "linear_without_bias": "Flatten()\nLinear(5, bias=false)",
    "batchnorm2d": "BatchNorm2d(eps=0.001, momentum=0.25)",
    "batchnorm2d_plain": "BatchNorm2d(affine=false)",
    "batchnorm2d_behind_a_sum": "b = Conv2d(3, 3, padding=1)\nAdd(a, b)\nBatchNorm2d()",
    "batchnorm2d_of_numbers": "Tanh()\nAdaptiveAvgPool2d(1)\nBatchNorm2d()",
    "groupnorm": "GroupNorm(3)", "groupnorm_of_all": "GroupNorm(1, eps=0.01, affine=false)",
    "relu": "ReLU()", "relu6": "Scale(6.0)\nReLU6()", "leakyrelu": "LeakyReLU(0.2)", "silu": "SiLU()", "gelu": "GELU()",
    "gelu_tanh": "GELU(tanh)", "hardswish": "Scale(4.0)\nHardswish()", "sigmoid": "Sigmoid()", "tanh": "Tanh()",
    "scale": "Scale(-0.75)",
    "maxpool2d": "MaxPool2d((3, 2), stride=(2, 1), padding=1)",
    "maxpool2d_ceil": "MaxPool2d(2, dilation=(1, 2), ceil_mode=true)",
    "avgpool2d": "AvgPool2d(3, stride=2, padding=1, ceil_mode=true)",
    "avgpool2d_without_padding": "AvgPool2d((2, 3), stride=1, padding=(1, 0), count_include_pad=false)",
    "adaptiveavgpool2d": "AdaptiveAvgPool2d((2, 3))",
    "dropout": "Dropout(0)", "dropout2d": "Dropout2d(0)",
    "add_twice": "b = Tanh()\nd = Add(a, b)\nc = Scale(2.0) <- a\nAdd(d, c)",
    "concat": "b = Tanh()\nc = AvgPool2d(3, stride=1, padding=1) <- a\nConcat(b, a, c)",
    "mul": "b = Tanh()\nMul(a, b)",
    "mul_by_channel": "b = AdaptiveAvgPool2d(1)\nc = Sigmoid()\nMul(a, c)",
}


def make_kinds(path):
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
    from check_presets import randomize
    from network_module import NetworkModule
    golden = Golden("Every kind of layer, with options, in a small network: a step, as in network.txt")
    for case, lines in KINDS.items():
        text = f"input(2, 4, 5)\na = Conv2d(3, 1)\n{lines}\nFlatten()\nLinear(2)\n"
        model = NetworkModule(text)
        randomize(model)
        x, labels = float32_normal(3, *model.shape), torch.randint(0, 2, (3,))
        golden.case(case)
        golden.network(text)
        golden.tensors(x=x, labels=labels)
        for name, values in model.tensors().items():
            golden.tensor("before." + name, values)

        def get_tensors():
            places = {parameter.data_ptr(): parameter for parameter in model.parameters()}
            tensors = model.tensors()
            trained = {name: places[t.data_ptr()] for name, t in tensors.items() if t.data_ptr() in places}
            return trained.items(), [(name, t) for name, t in tensors.items() if name not in trained]

        add_step(golden, model.double(), x, labels, get_tensors)
    golden.write(path)


GOLDENS = {"conv": make_conv, "batchnorm": make_batchnorm, "relu": make_relu,
           "maxpool": make_maxpool, "dropout": make_dropout, "linear": make_linear,
           "softmax": make_softmax, "adam": make_adam,
           "optimizers": make_optimizers, "network": make_networks, "kinds": make_kinds}


def parse_arguments():
    def integers(text):
        return [] if text == "none" else [int(item) for item in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", help="the file where one network goes")
    parser.add_argument("--only", choices=GOLDENS, help="write this file of tests/golden there instead")
    parser.add_argument("--params", help="the safetensors file to start from")
    parser.add_argument("--xdim", type=integers, default=[1, 28, 28])
    parser.add_argument("--ksize", type=int, default=3)
    parser.add_argument("--cdims", type=integers, default=[32, 64])
    parser.add_argument("--hdims", type=integers, default=[32])
    parser.add_argument("--ydim", type=int, default=10)
    parser.add_argument("--batchnorm", action="store_true")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    if arguments.out and arguments.only:
        GOLDENS[arguments.only](arguments.out)
        return
    if arguments.out:
        options = network_options(arguments.xdim, arguments.ksize, arguments.cdims,
                                  arguments.hdims, arguments.ydim, arguments.batchnorm)
        golden = Golden("One network")
        add_network(golden, "network", options, arguments.batch, arguments.steps, arguments.lr,
                    getattr(torch, arguments.dtype), arguments.params)
        golden.write(arguments.out)
        return
    for name, make in GOLDENS.items():
        torch.manual_seed(arguments.seed)
        make(os.path.join(GOLDEN_DIR, name + ".txt"))


if __name__ == "__main__":
    main()
