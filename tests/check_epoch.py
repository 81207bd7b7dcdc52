"""Epochs on a folder of pictures against PyTorch: the same folder (ImageFolder, where torchvision is
there), the same initial weights, the same order; losses within 1e-3: check_epoch.py CNN_CL EPOCH_ORDER"""
import csv
import os
import random
import subprocess
import sys
import tempfile

OTHER = os.environ.pop("CNN_CL_TEST_PYTHON", None)
if OTHER:
    os.execv(OTHER, [OTHER, __file__, *sys.argv[1:]])
try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
try:
    from torchvision import datasets, transforms
except ImportError:
    datasets = None

COMMAND, ORDER = sys.argv[1:]
SIDE, CLASSES, EACH, BATCH, EPOCHS, SEED, RATE = 16, ["ant", "bee", "cow"], 24, 16, 3, 7, 2e-3
FAMILY = ["--cdims", "4", "--hdims", "8", "--dropout", "0"]


def make(folder, width, height):
    """Colors that differ by class, with noise: PPM, which needs no library."""
    draw = random.Random(2)
    for part, count in (("train", EACH), ("val", 4)):
        for label, name in enumerate(CLASSES):
            os.makedirs(f"{folder}/{part}/{name}")
            for i in range(count):
                pixels = bytes(min(255, (90 if c == label else 40) + draw.randrange(120))
                               for _ in range(width * height) for c in range(3))
                with open(f"{folder}/{part}/{name}/{i}.ppm", "wb") as file:
                    file.write(b"P6 %d %d 255\n" % (width, height) + pixels)


def read(path):
    with open(path, "rb") as file:
        pixels = file.read()[len(b"P6 %d %d 255\n" % (SIDE, SIDE)):]
    return np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE, 3).transpose(2, 0, 1) / np.float32(255)


def load(folder):
    """Images and labels in the order of the folder's names."""
    if datasets:
        resize = transforms.Compose([transforms.Resize((SIDE, SIDE)), transforms.ToTensor()])
        samples = list(datasets.ImageFolder(folder, resize))
        return torch.stack([image for image, _ in samples]), torch.tensor([label for _, label in samples])
    images, labels = [], []
    for label, name in enumerate(CLASSES):
        for file in sorted(os.listdir(f"{folder}/{name}")):
            images.append(torch.from_numpy(read(f"{folder}/{name}/{file}")))
            labels.append(label)
    return torch.stack(images), torch.tensor(labels)


def build(path):
    values = [torch.from_numpy(values) for values in np.load(path).values()]
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(4 * SIDE * SIDE // 4, 8), torch.nn.ReLU(), torch.nn.Linear(8, len(CLASSES)))
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), values):
            parameter.copy_(value)
    return net


def train(net, images, labels):
    """The mean of each epoch's losses."""
    optimizer, losses = torch.optim.Adam(net.parameters(), RATE), []
    for epoch in range(EPOCHS):
        words = subprocess.run([ORDER, str(len(labels)), str(SEED), str(epoch)], check=True,
                               capture_output=True).stdout.split()
        order = torch.tensor([int(word) for word in words])
        each = []
        for part in order.split(BATCH):
            loss = torch.nn.functional.cross_entropy(net(images[part]), labels[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            each.append(loss.item())
        losses.append(sum(each) / len(each))
    return losses


def main(folder):
    width, height = (40, 28) if datasets else (SIDE, SIDE)
    make(f"{folder}/photos", width, height)
    common = ["--seed", str(SEED), "-q"]
    subprocess.run([COMMAND, *common, "export", "--xdim", f"3,{SIDE},{SIDE}", *FAMILY, "--ydim",
                    str(len(CLASSES)), f"{folder}/first.npz"], check=True)
    subprocess.run([COMMAND, *common, "train", "--data", f"{folder}/photos", "--size", f"{SIDE},{SIDE}",
                    "--fit", "stretch", *FAMILY, "--epochs", str(EPOCHS), "--batch", str(BATCH), "--lr",
                    str(RATE), "--out", f"{folder}/run"], check=True, stdout=subprocess.DEVNULL)
    with open(f"{folder}/run/cnn.metrics.csv", encoding="utf-8", newline="") as file:
        ours = [float(row["loss"]) for row in csv.DictReader(file) if row["loss"]]
    theirs = train(build(f"{folder}/first.npz"), *load(f"{folder}/photos/train"))
    print("torchvision's ImageFolder" if datasets else "files", ours, theirs)
    assert len(ours) == EPOCHS and theirs[-1] < theirs[0]
    assert max(abs(a - b) / b for a, b in zip(ours, theirs)) < 1e-3


with tempfile.TemporaryDirectory() as place:
    main(place)
