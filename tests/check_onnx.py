"""Exported networks in the eyes of ONNX: the checker accepts them, and onnxruntime computes what the
layers in plain C do: check_onnx.py CNN_CL SAVE_MODEL PLAIN_NETWORK NETS [GRAPHS [PRESETS]]
The family's, random ones (some, or GRAPHS) and some of data/nets (those named, with commas between).
Runs itself in the Python that CNN_CL_TEST_PYTHON names, else in this one."""
import json
import os
import subprocess
import sys
import tempfile

OTHER = os.environ.pop("CNN_CL_TEST_PYTHON", None)
if OTHER:
    os.execvp(OTHER, [OTHER, *sys.argv])

try:
    import numpy as np
    import onnx
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {sys.executable} has no {missing.name}: CNN_CL_TEST_PYTHON=PYTHON names one that "
          "has numpy, onnx and onnxruntime")
    sys.exit(77)

from safetensors_file import read_safetensors, write_safetensors

TOLERANCE = 1e-5
DEEP_TOLERANCE = 1e-4  # many more layers
BATCH = 5
GRAPHS = 24
PRESETS = "lenet5,resnet20"
KEPT = ["cnn-cl." + key for key in ("version", "config", "data", "classes", "preparation", "pictures")]
OPERATORS = {"Conv", "BatchNormalization", "Relu", "MaxPool", "Flatten", "Gemm"}
CASES = [
    [],
    ["batchnorm=true"],
    *[["xdim=1,13,11", "cdims=5,7", "hdims=9", f"ksize={ksize}", f"batchnorm={norm}"]
      for ksize in range(1, 6) for norm in ("true", "false")],
    ["xdim=3,9,14", "cdims=5,3", "hdims=7,6", "ksize=4", "ydim=3", "batchnorm=true", "name=colours"],
    ["xdim=2,8,8", "cdims=4", "ksize=11"],
    ["cdims=none", "hdims=16"],
    ["cdims=3", "hdims=none"],
    ["xdim=1,4,3", "cdims=none", "hdims=none", "ydim=1"],
]


def randomize(path, draw):
    """Values as after some training: biases and statistics are not those of a fresh model."""
    tensors, metadata = read_safetensors(path)
    for name, values in tensors.items():
        if name.endswith(("bias", "running_mean")):
            tensors[name] = draw.normal(0, 0.3, values.shape).astype("f4")
        elif name.endswith("running_var"):
            tensors[name] = draw.uniform(0.3, 3, values.shape).astype("f4")
        elif values.ndim == 1:
            tensors[name] = draw.normal(1, 0.1, values.shape).astype("f4")
    return tensors, metadata


def write_model(save_model, path, options, draw):
    subprocess.run([save_model, path, *options], check=True)
    tensors, metadata = randomize(path, draw)
    channels = json.loads(metadata["cnn-cl.config"])["xdim"][0]
    if channels == 3 or not options:
        metadata["cnn-cl.normalize"] = ":".join(",".join([number] * channels) for number in ("0.25", "0.5"))
    write_safetensors(path, tensors, metadata)
    return tensors, metadata


def check_frame(model, metadata):
    """What every exported file has around its nodes."""
    config = json.loads(metadata["cnn-cl.config"])
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.producer_name) == (8, "cnn-cl")
    assert model.producer_version == metadata["cnn-cl.version"]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said == {key: metadata[key] for key in KEPT if key in metadata}
    assert model.graph.name == config["name"]
    return config


def check_file(model, tensors, metadata):
    config = check_frame(model, metadata)
    found = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    normal = {name: found.pop(name) for name in ("normalize.mean", "normalize.std") if name in found}
    shape = (config["xdim"][0], 1, 1)
    if "cnn-cl.normalize" in metadata:
        assert np.array_equal(normal["normalize.mean"], np.full(shape, 0.25, "f4"))
        assert np.array_equal(normal["normalize.std"], np.full(shape, 0.5, "f4"))
    wanted = {name: values for name, values in tensors.items() if values.dtype == np.float32}
    assert list(found) == list(wanted)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    kinds = [node.op_type for node in model.graph.node]
    if normal:
        assert kinds[:2] == ["Sub", "Div"], kinds
        kinds = kinds[2:]
    assert set(kinds) <= OPERATORS
    assert kinds.count("Conv") == kinds.count("MaxPool") == len(config["cdims"])
    assert kinds.count("BatchNormalization") == len(config["cdims"]) * config["batchnorm"]
    assert kinds.count("Gemm") == len(config["hdims"]) + 1
    return config


def check_values(plain_network, folder, path, exported, config, draw, tolerance):
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("image", "tensor(float)",
                                                     ["batch", *config["xdim"]])
    assert (given.name, given.shape) == ("logits", ["batch", config["ydim"]])
    images, logits = os.path.join(folder, "images"), os.path.join(folder, "logits")
    batch = draw.uniform(0, 1, (BATCH, *config["xdim"])).astype("f4")
    batch.tofile(images)
    subprocess.run([plain_network, "logits", path, images, logits, str(BATCH)], check=True)
    ours = np.fromfile(logits, "f4").reshape(BATCH, config["ydim"])
    for part in (slice(0, BATCH), slice(2, 3)):  # the batch is free
        theirs = session.run(None, {"image": batch[part]})[0]
        difference = np.linalg.norm(theirs - ours[part]) / np.linalg.norm(theirs)
        assert theirs.shape == ours[part].shape and difference <= tolerance, difference
    return difference


def check_return(cnn_cl, plain_network, folder, exported, tolerance):
    """Imported again, the file gives the logits that it gave."""
    back, images = os.path.join(folder, "back.safetensors"), os.path.join(folder, "images")
    subprocess.run([cnn_cl, "import", "-q", exported, back], check=True, stdout=subprocess.DEVNULL)
    ours, again = (os.path.join(folder, name) for name in ("logits", "logits.again"))
    subprocess.run([plain_network, "logits", back, images, again, str(BATCH)], check=True)
    ours, again = np.fromfile(ours, "f4"), np.fromfile(again, "f4")
    difference = np.linalg.norm(again - ours) / np.linalg.norm(ours)
    assert again.shape == ours.shape and difference <= tolerance, difference


def check_family(cnn_cl, save_model, plain_network, options, draw):
    with tempfile.TemporaryDirectory() as folder:
        path, exported = os.path.join(folder, "model"), os.path.join(folder, "model.onnx")
        tensors, metadata = write_model(save_model, path, options, draw)
        subprocess.run([cnn_cl, "export", "-q", "--model", path, exported], check=True)
        config = check_file(onnx.load(exported), tensors, metadata)
        difference = check_values(plain_network, folder, path, exported, config, draw, TOLERANCE)
        check_return(cnn_cl, plain_network, folder, exported, TOLERANCE)
    print(f"ok: {' '.join(options) or 'default'}: {difference:.1e}")


def check_graph(cnn_cl, save_model, plain_network, label, text, draw):
    """The network of a network file's text."""
    with tempfile.TemporaryDirectory() as folder:
        net, path, exported = (os.path.join(folder, name) for name in ("a.net", "model", "model.onnx"))
        with open(net, "w") as file:
            file.write(text)
        subprocess.run([save_model, "--net", net, path], check=True)
        tensors, metadata = randomize(path, draw)
        metadata["cnn-cl.classes"] = '["a","b"]'
        write_safetensors(path, tensors, metadata)
        subprocess.run([cnn_cl, "export", "-q", "--model", path, exported], check=True)
        model = onnx.load(exported)
        config = check_frame(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        difference = check_values(plain_network, folder, path, exported, config, draw, DEEP_TOLERANCE)
        check_return(cnn_cl, plain_network, folder, exported, DEEP_TOLERANCE)
    print(f"ok: {label}: {difference:.1e}")


def main(cnn_cl, save_model, plain_network, nets, graphs=GRAPHS, presets=PRESETS):
    draw = np.random.default_rng(1)
    programs = cnn_cl, save_model, plain_network
    for options in CASES:
        check_family(*programs, options, draw)
    for seed in range(1, int(graphs) + 1):
        text = subprocess.run([plain_network, "random", str(seed)], check=True, text=True, stdout=subprocess.PIPE)
        check_graph(*programs, f"graph {seed}", text.stdout, draw)
    for name in presets.split(","):
        with open(os.path.join(nets, name + ".net")) as file:
            check_graph(*programs, name, file.read(), draw)


if __name__ == "__main__":
    main(*sys.argv[1:])
