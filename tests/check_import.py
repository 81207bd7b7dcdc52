"""A state_dict that PyTorch saved, imported: the network is found, and evaluates as PyTorch's does:
check_import.py CNN_CL MODEL_LOGITS NETWORK_TENSORS NETS"""
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

from check_presets import LeNet5, randomize, run
from check_saved_model import Network
from network_module import NetworkModule
from safetensors_file import read_safetensors, write_safetensors

TOLERANCE = 1e-5
NET_TOLERANCE = 1e-4  # many more layers
NETWORK = {"xdim": [1, 28, 28], "ksize": 3, "cdims": [32, 64], "hdims": [32], "ydim": 10,
           "batchnorm": False, "dropout": 0.5}
# What differs from the default network, and the options without which it cannot be told.
CASES = [
    ({}, []),
    ({"batchnorm": True}, []),
    ({"xdim": [3, 32, 32], "cdims": [6, 5, 4], "hdims": [20, 12], "batchnorm": True},
     ["--mean", "0.4914,0.4822,0.4465", "--std", "0.247,0.2435,0.2616"]),
    ({"ksize": 4, "cdims": [4, 3]}, []),
    ({"ksize": 1, "cdims": [3]}, []),
    ({"xdim": [1, 12, 20], "ksize": 5, "cdims": [3, 4]}, ["--xdim", "1,12,20"]),
    ({"xdim": [2, 9, 14], "ksize": 2, "cdims": [3, 4]}, ["--xdim", "2,9,14"]),
    ({"xdim": [1, 30, 30], "cdims": [5, 4]}, ["--xdim", "1,30,30"]),
    ({"cdims": [], "hdims": [24]}, ["--mean", "0.1307", "--std", "0.3081"]),
    ({"xdim": [3, 10, 10], "cdims": [], "hdims": []}, []),
    ({"xdim": [2, 3, 7], "cdims": [], "hdims": [5]}, ["--xdim", "2,3,7"]),
    ({"hdims": [], "cdims": [4], "dropout": 0.25, "ydim": 3}, ["--dropout", "0.25"]),
]


def as_options(config):
    lists = {key: ",".join(map(str, config[key])) or "none" for key in ("xdim", "cdims", "hdims")}
    norm = " --batchnorm" if config["batchnorm"] else ""
    # without a convolution no tensor tells the ksize, and it does not matter
    return ("--name cnn --xdim {xdim} --ksize {k} --cdims {cdims} --hdims {hdims} --ydim {y}{norm} "
            "--dropout {p:g}\n").format(**lists, k=config["ksize"], y=config["ydim"], norm=norm,
                                        p=config["dropout"])


def make(config):
    """A network with values of all kinds, as after some training."""
    network = Network(**config)
    network.train()(torch.rand(7, *config["xdim"]))
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.endswith("bias"):
                values.normal_(0, 0.3)
    return network.eval()


def run_import(cnn_cl, source, path, more=()):
    return subprocess.run([cnn_cl, "import", source, path, *more], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def normalised(batch, more):
    """What PyTorch's transforms.Normalize gives."""
    given = dict(zip(more[::2], more[1::2]))
    mean, std = ([float(part) for part in given.get(option, default).split(",")]
                 for option, default in (("--mean", "0"), ("--std", "1")))
    return (batch - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)


def difference_of(model_logits, folder, path, network, config, more):
    images, logits = os.path.join(folder, "images"), os.path.join(folder, "logits")
    batch = torch.rand(5, *config["xdim"])
    batch.numpy().tofile(images)
    subprocess.run([model_logits, path, images, logits, "5"], check=True)
    ours = np.fromfile(logits, "f4").reshape(5, config["ydim"])
    with torch.no_grad():
        theirs = network(normalised(batch, more)).numpy()
    return np.linalg.norm(theirs - ours) / np.linalg.norm(theirs)


def check(cnn_cl, model_logits, folder, changes, more):
    config = {**NETWORK, **changes}
    source, path = os.path.join(folder, "theirs"), os.path.join(folder, "ours.safetensors")
    network = make(config)
    state = network.state_dict()
    write_safetensors(source, {name: values.numpy() for name, values in state.items()})
    result = run_import(cnn_cl, source, path, more)
    assert result.stdout == as_options(config), result.stdout
    assert ("--xdim settles it" in result.stderr) == ("--xdim" not in more), result.stderr
    assert ("--dropout settles it" in result.stderr) == (
        bool(config["cdims"]) and "--dropout" not in more), result.stderr
    assert ("pixels from 0 to 1 are assumed" in result.stderr) == ("--std" not in more), result.stderr
    difference = difference_of(model_logits, folder, path, network, config, more)
    assert difference <= TOLERANCE, difference
    # and back: PyTorch takes it, and what is known of a file of cnn-cl's is taken from it
    tensors, metadata = read_safetensors(path)
    back = {name: torch.from_numpy(values.copy()) for name, values in tensors.items()}
    Network(**config).load_state_dict(back, strict=True)
    assert all(torch.equal(back[name], values) for name, values in state.items())
    again = os.path.join(folder, "again.safetensors")
    result = run_import(cnn_cl, path, again)
    assert result.stdout == as_options(config) and "settles" not in result.stderr, result.stderr
    assert read_safetensors(again)[1] == metadata
    print(f"ok: {as_options(config).strip()}: {difference:.1e}")


def check_types(cnn_cl, folder):
    """float16, bfloat16 and float64 become float32, value by value, subnormal ones too."""
    config = {**NETWORK, "xdim": [1, 4, 4], "cdims": [3], "hdims": [], "batchnorm": True}
    source, path = os.path.join(folder, "theirs"), os.path.join(folder, "ours.safetensors")
    state = make(config).state_dict()
    state["net.conv2d_00.bias"][:] = torch.tensor([-6e-8, 3.1e-5, 65504])
    for name, dtype in (("F16", torch.float16), ("BF16", torch.bfloat16), ("F64", torch.float64)):
        changed = {key: values.to(dtype) if values.is_floating_point() else values
                   for key, values in state.items()}
        arrays = {key: (values.float().numpy().view("u4") >> 16).astype("u2")
                       if values.dtype == torch.bfloat16 else values.numpy()
                  for key, values in changed.items()}
        write_safetensors(source, arrays)
        result = run_import(cnn_cl, source, path)
        assert f"8 tensors of {name} converted to float32\n" in result.stderr, result.stderr
        tensors, _ = read_safetensors(path)
        for key, values in changed.items():
            assert np.array_equal(tensors[key], values.float().numpy()), (name, key)
        print("ok:", name)


def save(path, state):
    """As torch.save() writes it, or safetensors, as the name ends."""
    if path.endswith(".safetensors"):
        write_safetensors(path, {name: values.numpy() for name, values in state.items()})
    else:
        torch.save(state, path)


def check_net(cnn_cl, model_logits, folder, name, module, xdim, classes, ending, prefix="", given=()):
    """A network of another kind, by its names: --net (or none, which finds a preset) and no width."""
    module = module.eval()
    randomize(module)
    source, path = os.path.join(folder, "theirs" + ending), os.path.join(folder, "ours.safetensors")
    tensors = module.tensors() if isinstance(module, NetworkModule) else module.state_dict()
    save(source, {prefix + key: values for key, values in tensors.items()})
    shape = ",".join(map(str, xdim))
    result = run_import(cnn_cl, source, path, [*given, "--xdim", shape])
    assert result.stdout == f"--net {name} --xdim {shape} --ydim {classes}\n", result.stdout
    assert ("names and shapes are those of --net" in result.stderr) == (not given), result.stderr
    difference = 0
    if model_logits:
        difference = difference_of(model_logits, folder, path, module, {"xdim": xdim, "ydim": classes}, [])
        assert difference <= NET_TOLERANCE, difference
    ours = read_safetensors(path)[0]
    assert all(np.array_equal(ours[key], values.numpy()) for key, values in tensors.items())
    again = os.path.join(folder, "again.safetensors")
    assert run_import(cnn_cl, path, again).stdout == result.stdout
    with open(path, "rb") as one, open(again, "rb") as other:
        assert one.read() == other.read(), "a file of cnn-cl's own is imported as it is"
    print(f"ok: {name}{ending} {' '.join(given)}: {difference:.1e}")


def torchvision_models():
    try:
        import torchvision
    except ImportError as missing:
        print(f"resnet18, mobilenet_v2: not compared: {missing}")
        return
    for name in ("resnet18", "mobilenet_v2"):  # random values: nothing is fetched
        yield name, getattr(torchvision.models, name)(num_classes=5), [3, 64, 64], 5


def refused(cnn_cl, code, words, *arguments):
    result = subprocess.run([cnn_cl, "import", *arguments], text=True, capture_output=True)
    assert result.returncode == code, (arguments, result)
    assert all(word in result.stderr for word in words), (words, result.stderr)
    assert not result.stdout and not os.path.exists(arguments[1]), arguments


def check_refusals(cnn_cl, folder, resnet20):
    """What does not fit is listed, and nothing is written."""
    source, out = os.path.join(folder, "theirs.pt"), os.path.join(folder, "none.safetensors")
    state = resnet20.tensors()
    torch.save(state, source)
    net = ["--net", "resnet20"]
    refused(cnn_cl, 1, ["missing", "fit nowhere", "lenet5", "the file has the tensors of --net resnet20"],
            source, out, "--net", "lenet5")
    refused(cnn_cl, 1, ["'fc.weight'", "expected (9, 64), found (10, 64)", "2 tensors have other shapes", "--ydim 9"],
            source, out, *net, "--ydim", "9")
    refused(cnn_cl, 2, ["--net and --dropout exclude"], source, out, *net, "--dropout", "0.1")
    refused(cnn_cl, 2, ["resnet21"], source, out, "--net", "resnet21")
    refused(cnn_cl, 2, ["--dropout", "resnet20"], source, out, "--dropout", "0.1")
    refused(cnn_cl, 2, ["--ydim: expected 10"], source, out, "--ydim", "10000")
    torch.save({key: values for key, values in state.items() if not key.startswith("layer2")}, source)
    refused(cnn_cl, 1, ["'layer2.0.conv1.weight'", "missing", ", ..."], source, out, *net)
    print("ok: refusals")


def check_nets(cnn_cl, model_logits, network_tensors, nets, folder):
    text = run(network_tensors, "--text", os.path.join(nets, "resnet20.net"), 10)
    resnet20 = NetworkModule(text)
    arguments = (cnn_cl, model_logits, folder)
    check_net(*arguments, "resnet20", resnet20, [3, 32, 32], 10, ".pt", given=["--net", "resnet20"])
    for ending, given in ((".safetensors", ["--net", "resnet20"]), (".pt", [])):  # the logits follow
        check_net(cnn_cl, None, folder, "resnet20", resnet20, [3, 32, 32], 10, ending, "model.", given)
    check_net(*arguments, "lenet5", LeNet5(7), [1, 28, 28], 7, ".pt")
    for name, module, xdim, classes in torchvision_models():
        check_net(*arguments, name, module, xdim, classes, ".pt", given=["--net", name])
    check_refusals(cnn_cl, folder, resnet20)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            check(*sys.argv[1:3], scratch, *case)
    with tempfile.TemporaryDirectory() as scratch:
        check_types(sys.argv[1], scratch)
    with tempfile.TemporaryDirectory() as scratch:
        check_nets(*sys.argv[1:5], scratch)
