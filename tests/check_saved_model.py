"""A saved model in the eyes of others: NumPy alone reads the file, PyTorch's strict
load_state_dict() takes it into the notebook's class, and cnn-cl loads what PyTorch's side wrote."""

import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from safetensors_file import read_safetensors, write_safetensors


class Network(nn.Module):
    """The notebook's network, with planes as they really are."""

    def __init__(self, xdim, ksize, cdims, hdims, ydim, batchnorm, dropout):
        super().__init__()
        channels, height, width = xdim
        layers = []
        for cdim in cdims:
            layers.append(nn.Conv2d(channels, cdim, ksize, padding=ksize // 2))
            layers += [nn.BatchNorm2d(cdim)] if batchnorm else []
            layers += [nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(dropout)]
            growth = 1 - ksize % 2
            channels, height, width = cdim, (height + growth) // 2, (width + growth) // 2
        layers.append(nn.Flatten())
        features = channels * height * width
        for hdim in hdims:
            layers += [nn.Linear(features, hdim), nn.ReLU()]
            features = hdim
        layers.append(nn.Linear(features, ydim))
        self.net = nn.Sequential()
        for index, layer in enumerate(layers):
            self.net.add_module(f"{type(layer).__name__.lower()}_{index:02d}", layer)

    def forward(self, x):
        return self.net(x)


def check(save_model, folder, options):
    path = os.path.join(folder, "model.safetensors")
    subprocess.run([save_model, path, *options], check=True)
    tensors, metadata = read_safetensors(path)
    assert metadata["format"] == "pt" and metadata["cnn-cl.version"]
    config = json.loads(metadata["cnn-cl.config"])
    del config["name"]
    network = Network(**config)
    state = {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}
    network.load_state_dict(state, strict=True)
    assert list(tensors) == list(network.state_dict()), "not PyTorch's order"
    for name, value in network.state_dict().items():
        assert value.dtype == state[name].dtype and torch.equal(value, state[name]), name
    logits = network.eval()(torch.rand(2, *config["xdim"]))
    assert logits.shape == (2, config["ydim"]) and torch.isfinite(logits).all()

    network.train()(torch.rand(5, *config["xdim"]))  # moves batch norm's statistics
    changed = {name: value.numpy() for name, value in network.state_dict().items()}
    other, copy = os.path.join(folder, "other"), os.path.join(folder, "copy")
    write_safetensors(other, changed, metadata)
    subprocess.run([save_model, "--copy", other, copy], check=True)
    again, copied_metadata = read_safetensors(copy)
    assert copied_metadata == metadata
    for name, value in changed.items():
        assert np.array_equal(again[name], value), name


CASES = [
    [],
    ["batchnorm=true"],
    ["batchnorm=true", "xdim=3,9,13", "cdims=5,3", "hdims=7,6", "ksize=4", "ydim=3", "dropout=0"],
    ["cdims=none", "hdims=256"],
    ["xdim=2,5,4", "cdims=3", "hdims=none", "ksize=1", "dropout=0.1"],
]

if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            check(sys.argv[1], scratch, case)
            print("ok:", " ".join(case) or "default")
