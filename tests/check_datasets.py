"""npz files of NumPy's as data sets, and pictures of 16 bits: check_datasets.py DUMP_DATASET"""
import os
import struct
import sys
import tempfile
import zlib

try:
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from datasets import dump  # pylint: disable=wrong-import-position

draw = np.random.default_rng(1)


def check(folder, expected, said="", save=np.savez, **arrays):
    """expected: images and labels of the splits as they must come out."""
    path = os.path.join(folder, "data.npz")
    save(path, **arrays)
    splits, _, words = dump(path)
    assert splits, words
    assert said in words, words
    for (labels, images), (wanted, classes) in zip(splits, expected):
        assert np.array_equal(images, wanted), (images.shape, wanted.shape)
        assert np.array_equal(labels, classes)


def refused(folder, part, **arrays):
    path = os.path.join(folder, "data.npz")
    np.savez(path, **arrays)
    splits, _, words = dump(path)
    assert splits is None and words.count("\n") == 1 and part in words, words


def good(folder):
    grey = draw.integers(0, 256, (6, 5, 4), np.uint8)
    color = draw.integers(0, 256, (6, 5, 4, 3), np.uint8)
    y = np.arange(6)
    one, three = grey[:, None], color.transpose(0, 3, 1, 2)
    pair = [(one, y), (one[:2], y[:2])]
    check(folder, pair, x_train=grey, y_train=y, x_test=grey[:2], y_test=y[:2])
    check(folder, pair + [(one[:3], y[:3])], save=np.savez_compressed, train_images=grey[..., None],
          train_labels=y[:, None], test_images=grey[:2, ..., None], test_labels=y[:2, None],
          val_images=grey[:3, ..., None], val_labels=y[:3, None])
    check(folder, [(three, y), (three, y)], X_train=color, Y_train=y.astype("u1"),
          X_test=np.ascontiguousarray(three), Y_test=y.astype(">i2"))
    check(folder, [(three, y), (three, y)], x_train=np.asfortranarray(color), y_train=y.astype("f4"),
          x_test=np.asfortranarray(three), y_test=y)
    for kind in ("<i2", ">i4", "<u8", ">f4", "<f8"):
        check(folder, pair, x_train=grey.astype(kind), y_train=y, x_test=grey[:2].astype(kind),
              y_test=y[:2])
    shares = (grey / 255).astype("f4")
    shares[:2] = 0  # a dark split is scaled as that to train on
    dark = one.copy()
    dark[:2] = 0
    check(folder, [(dark, y), (dark[:2], y[:2])], "pixels from 0 to 1 are taken as 0 to 255",
          x_train=shares, y_train=y, x_test=shares[:2], y_test=y[:2])
    bits = grey > 99
    check(folder, [(one * 0 + 255 * (one > 99), y), (one[:0], y[:0])][:1] * 2, x_train=bits,
          y_train=y, x_test=bits, y_test=y)
    flat = grey[:, :4].reshape(6, 16)
    check(folder, [(one[:, :, :4], y)] * 2, x_train=flat, y_train=y, x_test=flat, y_test=y)


def bad(folder):
    grey, y = np.zeros((4, 3, 3), np.uint8), np.arange(4)
    test = {"x_test": grey, "y_test": y}
    refused(folder, "found a.npy, b.npy", a=grey, b=y)
    refused(folder, "expected the arrays", x_train=grey, **test)
    refused(folder, "expected 4 labels, one for each image, found 3", x_train=grey, y_train=y[:3], **test)
    refused(folder, "found values from 0 to 2.5", x_train=grey + 2.5 * np.eye(3), y_train=y, **test)
    refused(folder, "found values from -1 to -1", x_train=grey.astype("i2") - 1, y_train=y, **test)
    refused(folder, "found values from 256 to 256", x_train=grey.astype("i2") + 256, y_train=y, **test)
    refused(folder, "NaN", x_train=grey * np.nan, y_train=y, **test)
    refused(folder, "with several columns", x_train=grey, y_train=np.zeros((4, 3), int), **test)
    refused(folder, "pickled objects", x_train=np.array([None, 1]), y_train=y, **test)
    refused(folder, "the type '<f2'", x_train=grey.astype("f2"), y_train=y, **test)
    refused(folder, "the type '<U1'", x_train=grey, y_train=np.array(list("abcd")), **test)
    refused(folder, "found (4, 5, 5, 2)", x_train=np.zeros((4, 5, 5, 2)), y_train=y, **test)
    refused(folder, "found (4, 7)", x_train=np.zeros((4, 7)), y_train=y, **test)
    refused(folder, "label 0: expected a whole number", x_train=grey, y_train=y + 0.5, **test)
    refused(folder, "label 0: expected a whole number of 0 to 65534, found -1", x_train=grey,
            y_train=y - 1, **test)
    refused(folder, "expected images of 1 x 3 x 3", x_train=grey, y_train=y,
            x_test=np.zeros((4, 2, 2), np.uint8), y_test=y)
    path = os.path.join(folder, "data.npz")
    np.savez(path, x_train=grey, y_train=y, **test)
    with open(path, "rb") as file:
        whole = file.read()
    for end in range(0, len(whole), 7):  # truncated anywhere
        with open(path, "wb") as file:
            file.write(whole[:end])
        splits, _, words = dump(path)
        assert splits is None and words.count("\n") == 1, (end, words)


def write_wide(path, value):
    """A grey PNG of 16 bits, of one value and a 0."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    row = b"\0" + struct.pack(">HH", value, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 0, 0, 0, 0)) +
                   chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))


def wide(folder):
    """How many bits the samples have is one number for all pictures of a set."""
    for bits, values in ((8, (3, 200, 90, 255)), (10, (150, 900, 3, 0)), (12, (150, 900, 4090, 1020)),
                         (16, (150, 900, 4090, 60000))):
        place = os.path.join(folder, str(bits))
        for i, value in enumerate(values):
            write_wide(f"{place}/train/{'ab'[i % 2]}/{i}.png", value)
        write_wide(f"{place}/val/a/dark.png", 60)
        splits, _, words = dump(place)
        assert splits, words
        found = [int(image[0, 0, 0]) for _, images in splits for image in images]
        wanted = [int(value * 255 / (2**bits - 1) + 0.5) for value in (values[0], values[2], values[1], values[3], 60)]
        assert found == wanted, (bits, found, wanted, words)
        assert words.count("of 16 bits is above") == (bits < 16), words


with tempfile.TemporaryDirectory() as place:
    wide(place)
    good(place)
    bad(place)
