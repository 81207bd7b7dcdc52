"""Folders of pictures in the eyes of Pillow, and of torchvision where it is there:
check_pictures.py DUMP_DATASET"""
import os
import random
import sys
import tempfile

DUMP = sys.argv[1]
PYTHON = os.environ.get("CNN_TEST_PYTHON")
if PYTHON and os.path.realpath(PYTHON) != os.path.realpath(sys.executable) and len(sys.argv) == 2:
    os.execv(PYTHON, [PYTHON, __file__, DUMP, "--here"])
try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

sys.argv[1:] = [DUMP]
from datasets import dump  # noqa: E402  pylint: disable=wrong-import-position

SIZES = [(40, 40), (333, 250), (61, 500), (700, 512), (1024, 90), (1, 1)]
ORIENTATION = 0x0112


def crop(image, height, width):
    """What torchvision's Resize(size / 0.875) and CenterCrop(size) give."""
    least = int(height / 0.875), int(width / 0.875)
    if least[0] / image.height >= least[1] / image.width:
        size = int(least[0] * image.width / image.height), least[0]
    else:
        size = least[1], int(least[1] * image.height / image.width)
    image = image.resize(size, Image.BILINEAR)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    return image.crop((left, top, left + width, top + height))


FITS = {
    "crop": crop,
    "pad": lambda image, height, width: ImageOps.pad(image, (width, height), Image.BILINEAR, color=0),
    "stretch": lambda image, height, width: image.resize((width, height), Image.BILINEAR),
}


def make(folder):
    """Smooth pictures, as photos are, of several kinds; their paths in ImageFolder's order."""
    draw = random.Random(3)
    paths = []
    for name in ("a", "b b", "ä"):
        os.makedirs(os.path.join(folder, "train", name))
        for i, (width, height) in enumerate(SIZES):
            small = Image.frombytes("RGB", (6, 5), bytes(draw.randrange(256) for _ in range(90)))
            image = small.resize((width, height), Image.BICUBIC)
            path = os.path.join(folder, "train", name, f"{i}." + ("png" if i == 1 else "JPG"))
            exif = image.getexif()
            exif[ORIENTATION] = draw.randrange(1, 9)
            if i == 1:
                image.convert("P").save(path)
            else:
                image.convert("L" if i == 4 else "RGB").save(path, format="JPEG", exif=exif, quality=95)
            paths.append(path)
    return paths


def check(folder, paths, fit, height, width):
    splits, names, words = dump(folder, f"{height},{width}", fit)
    assert splits, words
    assert names == ["a", "b b", "ä"], names
    order = []  # what was held out stands apart
    for split in (0, 2):
        order += [(int(label), pixels) for label, pixels in zip(*splits[split])]
    wanted = []
    for i, path in enumerate(paths):
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        if image.size != (width, height):
            image = FITS[fit](image, height, width)
        wanted.append((i // len(SIZES), np.asarray(image).transpose(2, 0, 1).astype(int)))
    assert len(order) == len(wanted)
    for (label, pixels), size in zip(wanted, 3 * SIZES):  # the nearest of its class
        worst = min(abs(found.astype(int) - pixels).mean() for other, found in order if other == label)
        assert worst <= 2, (fit, height, width, label, worst, size)


def check_order(folder):
    """Without a share held out the order is ImageFolder's own."""
    try:
        from torchvision.datasets import ImageFolder  # pylint: disable=import-outside-toplevel
    except ImportError:
        return
    os.rename(os.path.join(folder, "train"), os.path.join(folder, "all"))
    os.makedirs(os.path.join(folder, "val"))
    for name in ("train", "val/x"):
        os.symlink(os.path.join(folder, "all", "a") if name == "val/x" else os.path.join(folder, "all"),
                   os.path.join(folder, name))
    os.rename(os.path.join(folder, "val/x"), os.path.join(folder, "val/a"))
    splits, names, words = dump(folder, "8,8", "stretch")
    assert splits, words
    theirs = ImageFolder(os.path.join(folder, "train"))
    assert theirs.classes == names
    assert [label for _, label in theirs.samples] == list(splits[0][0])
    for (path, _), pixels in zip(theirs.samples, splits[0][1]):
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB").resize((8, 8), Image.BILINEAR)
        assert abs(np.asarray(image).transpose(2, 0, 1).astype(int) - pixels).mean() <= 2, path


with tempfile.TemporaryDirectory() as place:
    made = make(place)
    for kind in FITS:
        for sides in ((32, 32), (224, 224), (17, 50)):
            check(place, made, kind, *sides)
    check_order(place)
