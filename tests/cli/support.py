"""Runs the real command on tiny data sets that are made here."""
import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

CNN_CL = os.environ["CNN_TEST_COMMAND"]
SHAPE = (1, 8, 8)
CLASSES = 4
TRAIN_COUNT, TEST_COUNT = 200, 60
# A network that fits the data, small enough to train in a second.
NETWORK = ["--cdims", "4,8", "--hdims", "16", "--ydim", str(CLASSES), "--dropout", "0.1"]
TRAINING = NETWORK + ["--epochs", "2", "--batch", "32", "--lr", "1e-2"]


def make_split(count, seed, shape=SHAPE, classes=CLASSES):
    """Images whose class is the quarter that is bright, and their labels."""
    draw = random.Random(seed)
    channels, height, width = shape
    images, labels = bytearray(), bytearray()
    for _ in range(count):
        label = draw.randrange(classes)
        labels.append(label)
        for _ in range(channels):
            for y in range(height):
                for x in range(width):
                    bright = (y * 2 // height) * 2 + x * 2 // width == label % 4
                    images.append((160 if bright else 0) + draw.randrange(80))
    return bytes(images), bytes(labels)


def write_idx(path, sizes, values, compress=False):
    header = struct.pack(">BBBB", 0, 0, 8, len(sizes)) + struct.pack(">%dI" % len(sizes), *sizes)
    opener = gzip.open if compress else open
    with opener(path + (".gz" if compress else ""), "wb") as file:
        file.write(header + values)


def kernels_with(folder, name, old, new):
    """A copy of the kernels in which a text is another."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.environ["CNN_CL_KERNEL_DIR"], folder)
    path = os.path.join(folder, name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert old in text, (name, old)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))
    return folder


def make_data(folder, shape=SHAPE, classes=CLASSES, names=None):
    os.makedirs(folder)
    for prefix, count, seed in (("train", TRAIN_COUNT, 1), ("t10k", TEST_COUNT, 2)):
        images, labels = make_split(count, seed, shape, classes)
        sizes = (count, *shape) if shape[0] > 1 else (count, *shape[1:])
        kind = "idx%d" % len(sizes)
        write_idx(f"{folder}/{prefix}-images-{kind}-ubyte", sizes, images, compress=count < 100)
        write_idx(f"{folder}/{prefix}-labels-idx1-ubyte", (count,), labels)
    if names:
        with open(f"{folder}/labels.txt", "w", encoding="utf-8") as file:
            file.write("".join(name + "\n" for name in names))
    return folder


def environment(**changes):
    """This one without what a user may have set; None removes a variable."""
    result = dict(os.environ)
    changes = {"CNN_CL_DEVICE": None, "CNN_CL_DATA": None, **changes}
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def read_safetensors(path):
    """The header of a saved model: tensors by name, and the metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    return header, header.pop("__metadata__")


def read_png_size(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and data[-8:-4] == b"IEND"
    return struct.unpack(">II", data[16:24])


class CommandTest(unittest.TestCase):
    """Each class has a folder of its own, which is the working directory of what it runs."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="cnn-cl-test-")
        cls.data = make_data(cls.folder + "/data")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def run_command(self, *arguments, code=0, env=None, **options):
        """Runs it; the exit code must be `code`."""
        result = subprocess.run([CNN_CL, *arguments], cwd=self.folder, env=env or environment(),
                                capture_output=True, text=True, timeout=300, **options)
        self.assertEqual(result.returncode, code, f"{arguments}: {result.stderr}")
        return result

    def assert_refused(self, arguments, code, pattern, **options):
        """One line on stderr that fits the pattern, nothing on stdout."""
        result = self.run_command(*arguments, code=code, **options)
        self.assertEqual(result.stdout, "")
        lines = result.stderr.splitlines()
        self.assertRegex(lines[-1], "^cnn-cl: ")
        self.assertRegex(lines[-1], pattern)
        self.assertEqual(sum(line.startswith("cnn-cl: ") for line in lines), 1, result.stderr)
        return result

    def exists(self, path):
        return os.path.lexists(os.path.join(self.folder, path))

    def read(self, path):
        with open(os.path.join(self.folder, path), "rb") as file:
            return file.read()

    def train(self, out, *more, **options):
        return self.run_command("train", "--data", self.data, "--out", out, *TRAINING, *more,
                                **options)
