"""Exported networks in the eyes of ONNX: the checker accepts them, and onnxruntime computes what the
device does: check_onnx.py CNN_CL SAVE_MODEL MODEL_LOGITS
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


def write_model(save_model, path, options, draw):
    """A saved model whose biases and statistics are not those of a fresh one, either."""
    subprocess.run([save_model, path, *options], check=True)
    tensors, metadata = read_safetensors(path)
    for name, values in tensors.items():
        if name.endswith(("bias", "running_mean")):
            tensors[name] = draw.normal(0, 0.3, values.shape).astype("f4")
        elif name.endswith("running_var"):
            tensors[name] = draw.uniform(0.3, 3, values.shape).astype("f4")
    channels = json.loads(metadata["cnn-cl.config"])["xdim"][0]
    if channels == 3 or not options:
        metadata["cnn-cl.normalize"] = ":".join(",".join([number] * channels) for number in ("0.25", "0.5"))
    write_safetensors(path, tensors, metadata)
    return tensors, metadata


def check_file(model, tensors, metadata):
    config = json.loads(metadata["cnn-cl.config"])
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.producer_name) == (8, "cnn-cl")
    assert model.producer_version == metadata["cnn-cl.version"]
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said == {key: metadata[key] for key in ("cnn-cl.version", "cnn-cl.config")}
    assert model.graph.name == config["name"]
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


def check_values(model_logits, folder, path, exported, config, draw):
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("image", "tensor(float)",
                                                     ["batch", *config["xdim"]])
    assert (given.name, given.shape) == ("logits", ["batch", config["ydim"]])
    images, logits = os.path.join(folder, "images"), os.path.join(folder, "logits")
    batch = draw.uniform(0, 1, (5, *config["xdim"])).astype("f4")
    batch.tofile(images)
    subprocess.run([model_logits, path, images, logits, str(len(batch))], check=True)
    ours = np.fromfile(logits, "f4").reshape(len(batch), config["ydim"])
    for part in (slice(0, 5), slice(2, 3)):  # the batch is free
        theirs = session.run(None, {"image": batch[part]})[0]
        difference = np.linalg.norm(theirs - ours[part]) / np.linalg.norm(theirs)
        assert theirs.shape == ours[part].shape and difference <= TOLERANCE, difference
    return difference


def main(cnn_cl, save_model, model_logits):
    draw = np.random.default_rng(1)
    for options in CASES:
        with tempfile.TemporaryDirectory() as folder:
            path, exported = os.path.join(folder, "model"), os.path.join(folder, "model.onnx")
            tensors, metadata = write_model(save_model, path, options, draw)
            subprocess.run([cnn_cl, "export", "-q", "--model", path, exported], check=True)
            config = check_file(onnx.load(exported), tensors, metadata)
            difference = check_values(model_logits, folder, path, exported, config, draw)
        print(f"ok: {' '.join(options) or 'default'}: {difference:.1e}")


if __name__ == "__main__":
    main(*sys.argv[1:4])
