"""Folders of pictures in the eyes of Pillow, and of torchvision where it is there:
check_pictures.py DUMP_DATASET"""
import os
import random
import shutil
import sys
import tempfile

DUMP = sys.argv[1]
PYTHON = os.environ.pop("CNN_CL_TEST_PYTHON", None)
if PYTHON:
    os.execv(PYTHON, [PYTHON, __file__, DUMP])
try:
    import numpy as np
    from PIL import Image, ImageOps
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

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


def drawn(mode, seed=5):
    """A smooth picture of a mode, with soft transparency where it has some."""
    draw = random.Random(seed)
    count = len(Image.new("RGBA", (1, 1)).getbands())
    small = Image.frombytes("RGBA", (5, 4), bytes(draw.randrange(256) for _ in range(20 * count)))
    image = small.resize((37, 29), Image.BICUBIC)
    if mode in ("P", "1"):
        return image.convert("RGB").convert(mode)
    if mode == "I;16":
        grey = np.asarray(image.convert("L")).astype(np.uint16) * 257 + draw.randrange(1)
        return Image.fromarray(grey)
    return image.convert(mode)


def see(image, orientation=1):
    """What is seen of it: turned, on white."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray(np.round(np.asarray(image) / 257).astype(np.uint8))
    if image.mode == "P" and "transparency" not in image.info:
        image = image.convert("RGB")
    if orientation == 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in ("P", "LA", "RGBA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1).astype(int)


def exif_of(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def palette_with_hole():
    image = drawn("RGB").quantize(16)
    image.info["transparency"] = image.getpixel((3, 3))
    return image


# A name, a picture, how it is saved, and how far its pixels may be from Pillow's on average.
KINDS = [
    ("bmp", "1", {}, 0), ("bmp", "L", {}, 0), ("bmp", "P", {}, 0), ("bmp", "RGB", {}, 0),
    ("gif", "L", {}, 0), ("gif", "P", {}, 0), ("gif", "P", {"interlace": 0}, 0),
    ("gif", palette_with_hole, {"transparency": None}, 0),
    ("tiff", "1", {"compression": "group4"}, 0), ("tiff", "1", {}, 0), ("tiff", "P", {}, 0),
    ("tiff", "L", {"compression": "tiff_lzw"}, 0), ("tiff", "LA", {}, 1),
    ("tiff", "RGB", {"compression": "tiff_adobe_deflate"}, 0), ("tiff", "RGBA", {}, 1),
    ("tiff", "RGB", {"compression": "packbits"}, 0), ("tiff", "RGB", {"compression": "jpeg"}, 2),
    ("tiff", "CMYK", {}, 1), ("tiff", "YCbCr", {"compression": "jpeg"}, 2), ("tiff", "I;16", {}, 0),
    ("tiff", "I;16", {"compression": "tiff_lzw"}, 0),
    ("webp", "RGB", {"lossless": True}, 0), ("webp", "RGBA", {"lossless": True, "exact": True}, 1),
    ("webp", "RGB", {"quality": 80}, 1), ("webp", "RGBA", {"quality": 80}, 1),
    ("jpeg", "CMYK", {"quality": 95}, 1), ("jpeg", "L", {"progressive": True}, 1),
    ("png", "I;16", {}, 0), ("png", "P", {}, 0), ("png", "RGBA", {}, 1), ("png", "1", {}, 0),
]
KINDS += [(name, "RGB", dict(options, exif=exif_of(turn)), 1) for turn in range(2, 9)
          for name, options in (("webp", {"lossless": True}), ("tiff", {}), ("png", {}))]
KINDS += [(name, "P", {"save_all": True, "duration": 50, **more}, 0)
          for name, more in (("gif", {}), ("webp", {"lossless": True}), ("tiff", {}))]


def write(path, name, mode, options):
    """What Pillow sees of a file that it wrote; None where it cannot write such."""
    image = mode() if callable(mode) else drawn(mode)
    if "transparency" in options:
        options = {"transparency": image.info["transparency"]}
    if "save_all" in options:
        options = dict(options, append_images=[drawn(mode, 6), drawn(mode, 7)])
    try:
        image.save(path, format=name, **options)
    except (OSError, KeyError, ValueError):
        os.remove(path)
        return None
    stored = Image.open(path)
    stored.seek(0)
    return see(stored)


def check_formats(folder):
    """Each format and kind as Pillow sees it; what this Pillow cannot write is left out."""
    wanted = {}
    for i, kind in enumerate(KINDS):
        path = os.path.join(folder, f"{i:02}.jpg")  # the content says what it is
        pixels = write(path, *kind[:3])
        if pixels is None:
            continue
        wanted.setdefault(pixels.shape, []).append((kind, pixels))
        sides = os.path.join(folder, "x".join(map(str, pixels.shape)))
        for part in ("train/a", "train/b", "val/a"):
            os.makedirs(os.path.join(sides, part), exist_ok=True)
            shutil.copy(path, os.path.join(sides, part))
    assert sum(map(len, wanted.values())) > 10
    for shape, pictures in wanted.items():
        splits, _, words = dump(os.path.join(folder, "x".join(map(str, shape))))
        assert splits, words
        for (kind, pixels), found in zip(pictures, splits[0][1]):
            difference = abs(found.astype(int) - pixels).mean()
            assert found.shape == pixels.shape and difference <= kind[3], (kind, difference)


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
    os.mkdir(os.path.join(place, "formats"))
    check_formats(os.path.join(place, "formats"))
    check_order(place)
