"""A network's text, as cnn_network_to_text() writes it, as a module of PyTorch."""
import ast
import re

import torch
from torch import nn

LINE = re.compile(r"(?:(?P<name>[\w.-]+) = )?(?P<kind>\w+)\((?P<arguments>.*)\)(?: <- (?P<source>[\w.-]+))?$")
PAIRS = ("kernel_size", "stride", "dilation", "output_size")


class Scale(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class Padded(nn.Module):
    """A layer behind zeros that are not the same on both sides."""

    def __init__(self, layer, padding):
        super().__init__()
        self.layer, self.padding = layer, padding

    def forward(self, x):
        top, left, bottom, right = self.padding
        return self.layer(nn.functional.pad(x, (left, right, top, bottom)))


# What each kind is called in PyTorch, and the order of its arguments here. Those that follow from the input are
# made up in `complete()`.
KINDS = {
    "Conv2d": (nn.Conv2d, ["out_channels", "kernel_size", "stride", "padding", "dilation", "groups", "bias"]),
    "Linear": (nn.Linear, ["out_features", "bias"]),
    "BatchNorm2d": (nn.BatchNorm2d, ["eps", "momentum", "affine"]),
    "GroupNorm": (nn.GroupNorm, ["num_groups", "eps", "affine"]),
    "ReLU": (nn.ReLU, []),
    "ReLU6": (nn.ReLU6, []),
    "LeakyReLU": (nn.LeakyReLU, ["negative_slope"]),
    "SiLU": (nn.SiLU, []),
    "GELU": (nn.GELU, ["approximate"]),
    "Hardswish": (nn.Hardswish, []),
    "Sigmoid": (nn.Sigmoid, []),
    "Tanh": (nn.Tanh, []),
    "MaxPool2d": (nn.MaxPool2d, ["kernel_size", "stride", "padding", "dilation", "ceil_mode"]),
    "AvgPool2d": (nn.AvgPool2d, ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]),
    "AdaptiveAvgPool2d": (nn.AdaptiveAvgPool2d, ["output_size"]),
    "Dropout": (nn.Dropout, ["p"]),
    "Dropout2d": (nn.Dropout2d, ["p"]),
    "Flatten": (nn.Flatten, []),
    "Scale": (Scale, ["factor"]),
}
JOINS = {
    "Add": lambda values: values[0] + values[1],
    "Mul": lambda values: values[0] * values[1],
    "Concat": lambda values: torch.cat(values, 1),
}


def split_arguments(text):
    """The text between the parentheses: at the commas that are not within a pair."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def read_value(text):
    words = {"true": True, "false": False, "none": "none", "tanh": "tanh"}
    return words[text] if text in words else ast.literal_eval(text)


def read_options(kind, text):
    options = {}
    for position, part in enumerate(split_arguments(text)):
        name, _, value = part.rpartition("=")
        options[name or KINDS[kind][1][position]] = read_value(value)
    return options


def complete(kind, options, shape):
    """What PyTorch wants to be told of the input, whose shape is (N, C, H, W)."""
    told = {"Conv2d": "in_channels", "Linear": "in_features", "BatchNorm2d": "num_features",
            "GroupNorm": "num_channels"}
    if kind in told:
        options[told[kind]] = shape[1]
    padding = options.get("padding", 0)
    padding = (padding,) * 2 if isinstance(padding, int) else padding
    if len(padding) == 4:
        assert kind == "Conv2d" or not any(padding), "PyTorch pools pad both sides alike"
        options["padding"] = 0
        return Padded(KINDS[kind][0](**options), padding)
    if "padding" in options:
        options["padding"] = padding
    return KINDS[kind][0](**options)


class NetworkModule(nn.Module):
    """`text` of a network. Tensors have cnn-cl's names in tensors()."""

    def __init__(self, text):
        super().__init__()
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.shape = tuple(ast.literal_eval(lines[0].removeprefix("input")))
        self.nodes, self.layers, places = [], nn.ModuleList(), {"input": 0}
        values = [torch.zeros(2, *self.shape)]
        for line in lines[1:]:
            match = LINE.match(line)
            kind, index = match["kind"], len(self.nodes)
            name = match["name"] or f"{kind.lower()}_{index:02d}"
            if kind in JOINS:
                inputs, layer = [places[part] for part in split_arguments(match["arguments"])], nn.Identity()
            else:
                inputs = [places[match["source"]] if match["source"] else index]
                layer = complete(kind, read_options(kind, match["arguments"]), values[inputs[0]].shape)
            self.nodes.append((name, kind, inputs))
            self.layers.append(layer.eval())
            places[name] = index + 1
            with torch.no_grad():
                values.append(self.run(index, values))
        self.train()

    def run(self, index, values):
        """Every value is (N, C, H, W), also what PyTorch has as (N, C): layers of any kind may read it."""
        _, kind, inputs = self.nodes[index]
        given = [values[i] for i in inputs]
        if kind in JOINS:
            return JOINS[kind](given)
        made = self.layers[index](given[0].flatten(1) if kind == "Linear" else given[0])
        return made if made.dim() == 4 else made[..., None, None]

    def forward(self, x):
        values = [x]
        for index in range(len(self.nodes)):
            values.append(self.run(index, values))
        return values[-1].flatten(1)

    def tensors(self):
        """Parameters and statistics by cnn-cl's names, in its order."""
        named = {}
        for (name, _, _), layer in zip(self.nodes, self.layers):
            inner = layer.layer if isinstance(layer, Padded) else layer
            named.update((f"{name}.{suffix}", tensor) for suffix, tensor in inner.state_dict().items())
        return named
