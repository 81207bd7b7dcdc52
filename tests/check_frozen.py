"""train --init, --freeze and --lr-scale against PyTorch: whole batches, some steps of Adam, frozen batch norms in evaluation mode:
check_frozen.py CNN_CL"""
import fnmatch
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from network_module import NetworkModule
from safetensors_file import read_safetensors, write_safetensors

NETWORK = """input(3, 7, 6)
stem = Conv2d(4, 3, padding=1, bias=false)
bn = BatchNorm2d()
ReLU()
one = Conv2d(5, 3, stride=2, padding=1, bias=false)
bn1 = BatchNorm2d()
ReLU()
two = Conv2d(5, 3, padding=1, bias=false)
bn2 = BatchNorm2d(affine=false)
Flatten()
fc = Linear(3)
"""
# at the beginning; in the middle, whose gradient goes on; all batch norms, and so in pieces
CASES = [("stem,bn", []), ("one,bn?", ["--lr-scale", "st*=0.25,bn=3,two=2"]), ("bn*,two", ["--micro-batch", "7"])]
SAMPLES, STEPS, RATE, TOLERANCE = 24, 4, 0.01, 1e-3


def fits(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def expect(tensors, images, labels, patterns, scales):
    """The tensors after some steps."""
    module = NetworkModule(NETWORK)
    ours = module.tensors()
    with torch.no_grad():
        for name, tensor in ours.items():
            tensor.copy_(torch.from_numpy(tensors[name].copy()))
    for (name, _, _), layer in zip(module.nodes, module.layers):
        if fits(name, patterns.split(",")):
            layer.eval().requires_grad_(False)
    groups = [{"params": [p for p in layer.parameters() if p.requires_grad],
               "lr": RATE * ([factor for pattern, factor in scales if fits(name, [pattern])] + [1])[0]}
              for (name, _, _), layer in zip(module.nodes, module.layers)]
    adam = torch.optim.Adam([group for group in groups if group["params"]], lr=RATE)
    for _ in range(STEPS):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(module(images), labels).backward()
        adam.step()
    return {name: tensor.detach().numpy() for name, tensor in ours.items()}


def train(command, folder, out, *options):
    subprocess.run(
        [command, "train", "-q", "--data", "data.npz", "--net", "./a.net", "--out", out, "--batch", str(SAMPLES),
         "--lr", str(RATE), *options], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return read_safetensors(f"{folder}/{out}/a.safetensors")[0]


def compare(command, folder, freeze, more):
    draw = np.random.default_rng(3)
    images = draw.integers(0, 256, (SAMPLES, 7, 6, 3), dtype=np.uint8)
    labels = draw.integers(0, 3, SAMPLES).astype(np.uint8)
    np.savez(folder + "/data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with open(folder + "/a.net", "w", encoding="utf-8") as file:
        file.write(NETWORK)
    tensors = train(command, folder, "zero", "--epochs", "0")
    tensors = {name: np.abs(draw.normal(size=t.shape).astype("f4")) if "running_var" in name
               else (t + 0.3 * draw.normal(size=t.shape)).astype("f4") if t.dtype == np.float32 else t
               for name, t in tensors.items()}
    write_safetensors(folder + "/start", tensors)
    found = train(command, folder, "run", "--epochs", str(STEPS), "--init", "start", "--freeze", freeze, *more)
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).astype("f4") / 255)
    scales = [entry.split("=") for entry in more[1].split(",") if "=" in entry] if more else []
    expected = expect(tensors, x, torch.from_numpy(labels.astype("i8")), freeze,
                      [(pattern, float(factor)) for pattern, factor in scales])
    for name, tensor in expected.items():
        moved = np.linalg.norm(tensor - tensors[name])
        off = np.linalg.norm(found[name] - tensor)
        assert off <= TOLERANCE * moved + (1e-6 if moved else 0), f"{freeze}: {name} is off by {off}, moved by {moved}"


def main():
    command = os.path.abspath(sys.argv[1])
    for freeze, more in CASES:
        with tempfile.TemporaryDirectory() as folder:
            compare(command, folder, freeze, more)
    print(f"{len(CASES)} trainings agree")


if __name__ == "__main__":
    main()
