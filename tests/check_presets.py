"""The networks of data/nets against those that they stand for: the names and shapes of all tensors, and what they
compute: check_presets.py NETWORK_TENSORS NETS
Runs itself in the Python that CNN_CL_TEST_PYTHON names, else in this one. What is not installed is not compared."""
import os
import subprocess
import sys

OTHER = os.environ.pop("CNN_CL_TEST_PYTHON", None)
if OTHER:
    os.execvp(OTHER, [OTHER, *sys.argv])

try:
    import torch
    from torch import nn
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from network_module import NetworkModule

TOLERANCE = 1e-5


def residual_block(channels, inputs, stride):
    from torchvision.models.resnet import BasicBlock
    downsample = None
    if stride != 1:
        downsample = nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))
    return BasicBlock(inputs, channels, stride, downsample)


class ResNet20(nn.Module):
    """He et al. 2016, section 4.2, of torchvision's blocks."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        inputs = 16
        for stage, channels in enumerate((16, 32, 64)):
            blocks = []
            for block in range(3):
                blocks.append(residual_block(channels, inputs, 2 if stage > 0 and block == 0 else 1))
                inputs = channels
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


class MnistExample(nn.Module):
    """examples/mnist of PyTorch, without the logarithm of softmax."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, classes)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.conv2(torch.relu(self.conv1(x)))), 2)
        x = self.dropout1(x)
        return self.fc2(self.dropout2(torch.relu(self.fc1(torch.flatten(x, 1)))))


class LeNet5(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, classes)

    def forward(self, x):
        for conv in (self.conv1, self.conv2):
            x = torch.max_pool2d(torch.relu(conv(x)), 2)
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        return self.fc3(torch.relu(self.fc2(x)))


def torchvision_model(name):
    def make(classes):
        import torchvision
        return getattr(torchvision.models, name)(num_classes=classes)
    return make


def efficientnet_lite0(classes):
    from efficientnet_lite_pytorch import EfficientNet
    return EfficientNet.from_name("efficientnet-lite0", num_classes=classes)


PRESETS = {
    "lenet5": (LeNet5, 10),
    "mnist_example": (MnistExample, 10),
    "resnet20": (ResNet20, 10),
    "resnet18": (torchvision_model("resnet18"), 1000),
    "mobilenet_v2": (torchvision_model("mobilenet_v2"), 1000),
    "efficientnet_lite0": (efficientnet_lite0, 1000),
}


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def randomize(module):
    """Values as after training: none is 0 or 1, and activations keep their size."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif tensor.dim() == 1:
                tensor.normal_(1.0 if name.endswith("weight") else 0.0, 0.1)
            elif tensor.dim() > 1:
                tensor.normal_(0.0, (2.0 / tensor[0].numel()) ** 0.5)


def settings(module):
    """What neither shapes nor logits tell."""
    found = [(layer.eps, round(layer.momentum, 9)) for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    return found, [layer.p for layer in module.modules() if isinstance(layer, (nn.Dropout, nn.Dropout2d)) if layer.p]


def compare(name, program, path, make, classes):
    theirs = make(classes).eval()
    expected = {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    found = {}
    for line in run(program, path, classes).splitlines():
        key, _, shape = line.partition(" ")
        found[key] = tuple(int(size) for size in shape.split(",") if size)
    assert found == expected, f"{name}: {set(found.items()) ^ set(expected.items())}"
    randomize(theirs)
    ours = NetworkModule(run(program, "--text", path, classes)).eval()
    assert settings(ours) == settings(theirs), f"{name}: {settings(ours)}, expected {settings(theirs)}"
    values = theirs.state_dict()
    with torch.no_grad():
        for key, tensor in ours.tensors().items():
            tensor.copy_(values[key])
        x = torch.rand(2, *ours.shape)
        a, b = ours(x), theirs(x)
    error = ((a - b).norm() / b.norm()).item()
    assert error <= TOLERANCE, f"{name}: logits differ by {error:g}"
    print(f"{name}: {len(found)} tensors, logits within {error:.1e}")


def main():
    program, nets = sys.argv[1:]
    torch.manual_seed(0)
    torch.set_num_threads(1)
    names = {os.path.splitext(entry)[0] for entry in os.listdir(nets) if entry.endswith(".net")}
    for name in sorted(names):
        path = os.path.join(nets, name + ".net")
        if name not in PRESETS:
            run(program, path, 10)
            continue
        make, classes = PRESETS[name]
        try:
            compare(name, program, path, make, classes)
        except ImportError as missing:
            print(f"{name}: not compared: {missing}")
    missing = set(PRESETS) - names
    assert not missing, f"expected the networks {sorted(missing)} in {nets}"


if __name__ == "__main__":
    main()
