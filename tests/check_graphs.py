"""Random networks, and those of data/nets, on the device against PyTorch: logits in training and in evaluation mode,
loss, all gradients, running statistics, and a preset's losses over steps of Adam; fused and plain plans, the kernels
of either class: check_graphs.py GRAPH_STEP NETS [GRAPHS]
Without GRAPHS, 4 random networks, each with one class, and resnet20; with it as many, and every
preset. What disagrees is named with its seed and tensor."""
import os
import re
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from check_presets import randomize
from network_module import NetworkModule

FEW, GRAPH_BATCH, PRESET_BATCH, STEPS = 4, 5, 4, 5
LOGITS, GRADIENTS, LOSSES = 1e-4, 1e-3, 1e-3
# What a value may be off where the expected ones are rounding noise, as of the bias before a batch norm: beside the
# largest gradient of the network, and 1 where that is smaller.
FLOOR = 1e-6
# file, classes, input
SMALL = [("resnet20", 10, "3,32,32")]
PRESETS = SMALL + [(name, 10, "3,64,64") for name in ("mobilenet_v2", "efficientnet_lite0", "resnet18")]


def run(program, *words, **environment):
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")
    return done.stdout


def is_statistic(name):
    return name.endswith(("running_mean", "running_var"))


def split(module):
    """Names of parameters and of statistics, in the model's order."""
    names = [name for name in module.tensors() if not name.endswith("num_batches_tracked")]
    return [name for name in names if not is_statistic(name)], [name for name in names if is_statistic(name)]


def flat(tensors):
    return np.concatenate([np.zeros(0, np.float32)] + [tensor.detach().numpy().ravel() for tensor in tensors])


def parameters_by_name(module):
    """tensors() are copies without gradients: the parameters that share their memory."""
    places = {parameter.data_ptr(): parameter for parameter in module.parameters()}
    tensors = module.tensors()
    return {name: places[tensors[name].data_ptr()] for name in split(module)[0]}


def expect(module, x, labels, steps):
    """What PyTorch makes of it, by the names of graph_step's files; gradients and statistics by tensor."""
    saved = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    parameters, cross_entropy = parameters_by_name(module), torch.nn.functional.cross_entropy
    with torch.no_grad():
        expected = {"eval_logits": module.eval()(x).numpy()}
    logits = module.train()(x)
    loss = cross_entropy(logits, labels)
    loss.backward()
    expected["logits"], expected["loss"] = logits.detach().numpy(), np.array([loss.item()])
    expected["gradients"] = {
        name: np.zeros(tuple(p.shape), np.float32) if p.grad is None else p.grad.numpy().copy()
        for name, p in parameters.items()}
    tensors = module.tensors()
    expected["new_statistics"] = {name: tensors[name].numpy().copy() for name in split(module)[1]}
    if steps:
        module.load_state_dict(saved)
        adam, losses = torch.optim.Adam(module.parameters(), lr=1e-3), []
        for _ in range(steps):
            adam.zero_grad()
            loss = cross_entropy(module(x), labels)
            loss.backward()
            adam.step()
            losses.append(loss.item())
        expected["losses"] = np.array(losses)
    return expected


def pieces(expected, found):
    """(tensor's name, expected, found) of a file; one where it is not divided into tensors."""
    if not isinstance(expected, dict):
        yield "", np.ravel(expected), found
        return
    begin = 0
    for name, values in expected.items():
        yield name, np.ravel(values), found[begin : begin + values.size]
        begin += values.size
    assert begin == found.size


def compare(label, expected, folder, faults):
    worst = 0.0
    largest = max([1.0] + [float(np.abs(v).max()) for v in expected["gradients"].values() if v.size])
    for kind, values in expected.items():
        tolerance = {"gradients": GRADIENTS, "losses": LOSSES}.get(kind, LOGITS)
        found = np.fromfile(os.path.join(folder, label[1] + "." + kind), np.float32)
        for name, a, b in pieces(values, found):
            assert a.size == b.size, f"{kind} {name}: {b.size} values, expected {a.size}"
            off, size = np.linalg.norm(a - b), np.linalg.norm(a)
            floor = FLOOR * largest * a.size**0.5 if kind == "gradients" else 1e-7 * a.size**0.5
            if not off <= max(tolerance * size, floor):
                faults.append(f"{' '.join(label)}: {kind} {name}: off by {off:.2e} of {size:.2e}")
            if size > floor:
                worst = max(worst, off / size / tolerance)
    return worst


def check(program, name, text, batch, steps, faults, classes_of_kernels=("cpu", "gpu")):
    """Random values, one batch."""
    text = re.sub(r"(Dropout(?:2d)?)\([^)]*\)", r"\1(0)", text)
    module = NetworkModule(text)
    randomize(module)
    parameters, statistics = split(module)
    tensors, worst = module.tensors(), 0.0
    x = torch.rand(batch, *module.shape)
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        classes = module.eval()(x).shape[1]
        labels = torch.randint(classes, (batch,))
        for file, values in (("parameters", flat(tensors[n] for n in parameters)), ("x", x.numpy()),
                             ("statistics", flat(tensors[n] for n in statistics)),
                             ("labels", labels.numpy().astype(np.uint16))):
            values.tofile(os.path.join(folder, file))
        with open(os.path.join(folder, "network.net"), "w", encoding="ascii") as file:
            file.write(text)
        with torch.enable_grad():
            expected = expect(module, x, labels, steps)
        for kernels in classes_of_kernels:
            run(program, "run", folder + "/", batch, steps, CNN_CL_KERNEL_CLASS=kernels)
            for plan in ("fused", "plain"):
                worst = max(worst, compare((name, plan, kernels), expected, folder, faults))
    print(f"{name}: at most {worst:.2f} of the tolerance", flush=True)


def main():
    program, nets = sys.argv[1:3]
    graphs = int(sys.argv[3]) if len(sys.argv) > 3 else FEW
    torch.set_num_threads(1)
    faults = []
    for name, classes, shape in PRESETS if len(sys.argv) > 3 else SMALL:
        torch.manual_seed(0)
        text = run(program, "text", os.path.join(nets, name + ".net"), classes, shape)
        check(program, name, text, PRESET_BATCH, STEPS if name == "resnet20" else 0, faults)
    for seed in range(graphs):
        torch.manual_seed(seed)
        check(program, f"graph {seed}", run(program, "random", seed), GRAPH_BATCH, 0, faults,
              ("cpu", "gpu") if len(sys.argv) > 3 else (("cpu", "gpu")[seed % 2],))
    print("\n".join(faults) if faults else "all agree")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
