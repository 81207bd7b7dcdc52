"""Small networks as both of PyTorch's exporters of ONNX write them."""
import logging
import os
import warnings

import onnxscript  # of the newer exporter
import torch
import torch.nn.functional as F
from torch import nn


class Excite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, 4), nn.Linear(4, channels)

    def forward(self, x):
        y = torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean([2, 3])))))
        return x * y.view(x.size(0), x.size(1), 1, 1)


class Residual(nn.Module):
    """Batch norm, sums, depthwise convolutions, squeeze and excite."""
    shape = (3, 20, 18)

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.Hardswish(),
                                   Excite(8), nn.Conv2d(8, 8, 1), nn.ReLU6())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 5))

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = F.relu(x + self.block(x))
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


class Mixed(nn.Module):
    """Group norm, activations of parts, branches, padding of its own, a scale of each channel."""
    shape = (3, 13, 12)

    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.Conv2d(3, 4, 5, padding=2)
        self.c = nn.Conv2d(12, 6, (3, 2), stride=(2, 1), dilation=(1, 2))
        self.gamma, self.fc1, self.fc2 = nn.Parameter(torch.ones(6, 1, 1)), nn.Linear(6 * 3 * 5, 9), nn.Linear(9, 4)
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))

    def forward(self, x):
        x = (x - self.mean) / 0.25
        x = torch.cat([F.gelu(self.norm(self.a(x))), F.gelu(self.b(x), approximate="tanh")], 1)
        x = F.silu(self.c(F.pad(x, (0, 1, 1, 0)))) * self.gamma
        x = F.avg_pool2d(x, 2, 2, count_include_pad=False)
        x = F.leaky_relu(self.fc1(x.view(x.size(0), -1)), 0.1)
        return F.log_softmax(self.fc2(x), 1)


def fill(network):
    for name, values in network.state_dict().items():
        if name.endswith("running_var"):
            values.uniform_(0.5, 1.5)
        elif name == "mean" or not values.dtype.is_floating_point:
            continue
        elif values.dim() in (2, 4):
            values.normal_(0, (2 / values[0].numel()) ** 0.5)
        else:
            values.normal_(1.0 if name.endswith(("weight", "gamma")) else 0.0, 0.2)
    return network.eval()


def settings(everything):
    """What the exporters are told; opsets, with an open batch and a fixed one, folded and as it is."""
    open_batch = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
    as_it_is = {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    for opset in (9, 11, 13, 17, 20) if everything else (9, 17):
        yield f"opset {opset}", {"dynamo": False, "opset_version": opset, **open_batch}
    yield "as it is", {"dynamo": False, "opset_version": 13, **as_it_is}
    if everything:
        yield "inputs", {"dynamo": False, "opset_version": 17, "keep_initializers_as_inputs": True, **as_it_is}
        for opset in (18, 20, 21):
            yield f"dynamo {opset}", {"dynamo": True, "opset_version": opset}
    yield "dynamo", {"dynamo": True, "dynamic_shapes": ({0: torch.export.Dim("n")},)}


def export_all(folder, everything):
    """(label, path) of each file."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.manual_seed(1)
    for make in (Residual, Mixed):
        network = fill(make())
        for label, told in settings(everything):
            if make is Residual and label == "dynamo" and not everything:
                continue  # some seconds
            path = os.path.join(folder, f"{make.__name__}.{label.replace(' ', '')}.onnx")
            with open(os.devnull, "w") as nowhere:
                kept = os.dup(1)
                os.dup2(nowhere.fileno(), 1)
                try:
                    torch.onnx.export(network, (torch.rand(2, *make.shape),), path, verbose=False, **told)
                finally:
                    os.dup2(kept, 1)
                    os.close(kept)
            yield f"{make.__name__}, {label}", path
