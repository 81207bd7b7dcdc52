"""train --init: what it takes from a file, what starts afresh, and what is said of it."""
import json
import os
import struct
import unittest

from checkpoints import add_zeros
from support import NETWORK, CommandTest, make_data, read_safetensors

QUICK = ["--epochs", "1", "--batch", "64"]


def read_values(path):
    """The bytes of each tensor of a saved model."""
    header, _ = read_safetensors(path)
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    return {name: data[start + begin:start + end]
            for name, entry in header.items() for begin, end in [entry["data_offsets"]]}


class Init(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.three = make_data(cls.folder + "/three", classes=3)

    def setUp(self):
        self.first = self.folder + "/first/cnn.safetensors"
        if not self.exists("first"):
            self.train("first")

    def start(self, out, *more, code=0, network=None):
        """A model that starts from the first one, of three classes, and what was said."""
        network = network or [*NETWORK[:NETWORK.index("--ydim")], "--ydim", "3", "--dropout", "0.1"]
        return self.run_command("train", "--data", self.three, "--out", out, *network, *QUICK, *more, code=code)

    def test_takes_what_fits(self):
        result = self.start("zero", "--init", self.first, "--epochs", "0")
        lines = [line for line in result.stderr.splitlines() if "start afresh" in line]
        self.assertEqual(lines, [
            f"{self.first}: 6 of the network's 8 tensors are taken; 2 start afresh: net.linear_11.weight (3, 16), "
            "net.linear_11.bias (3,); 2 of the file's are left out: net.linear_11.bias (4,), "
            "net.linear_11.weight (4, 16)"])
        theirs, ours = read_values(self.first), read_values(self.folder + "/zero/cnn.safetensors")
        for name, values in ours.items():
            self.assertEqual(values == theirs[name], "linear_11" not in name, name)
        with open(self.folder + "/zero/cnn.run.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["init"], self.first)
        self.assertEqual(read_safetensors(self.folder + "/zero/cnn.safetensors")[1]["cnn-cl.init"], self.first)

    def test_takes_the_same_from_onnx(self):
        """By the names that the file's initialisers have."""
        onnx = self.folder + "/first.onnx"
        self.run_command("export", "--model", self.first, onnx)
        self.start("from-first", "--init", self.first, "--epochs", "0")
        result = self.start("from-onnx", "--init", onnx, "--epochs", "0")
        self.assertIn(f"{onnx}: 6 of the network's 8 tensors are taken; 2 start afresh: net.linear_11.weight (3, 16), ",
                      result.stderr)
        expected, found = (read_values(f"{self.folder}/{out}/cnn.safetensors") for out in ("from-first", "from-onnx"))
        self.assertEqual(found, expected)
        with open(onnx, "r+b") as file:
            file.truncate(2000)
        self.assertRegex(self.start("cut", "--init", onnx, code=1).stderr, r"\Acnn-cl: .*first\.onnx: .*\n\Z")

    def test_the_recipes_want_their_file(self):
        finetune = ["train", "--data", self.three, "--out", "none", "--recipe", "finetune"]
        for recipe in (finetune, finetune[:-1] + ["finetune_all"]):
            self.assert_refused(recipe, 1, r"\Acnn-cl: lite0\.safetensors: cannot be opened")
        # Of a model, neither its network nor its start is the recipe's; what it freezes is.
        self.assert_refused([*finetune, "--model", self.first], 2, "--freeze: expected a pattern of names")
        self.assertFalse(self.exists("none"))

    def test_goes_on_bit_for_bit(self):
        self.start("whole", "--init", self.first, "--epochs", "2")
        self.start("halves", "--init", self.first)
        os.rename(self.first, self.first + ".away")  # all is in the checkpoint
        try:
            self.run_command("train", "--resume", "--out", "halves", "--epochs", "2")
        finally:
            os.rename(self.first + ".away", self.first)
        for name in ("cnn.safetensors", "cnn.best.safetensors"):
            self.assertEqual(self.read("whole/" + name), self.read("halves/" + name))

    def test_in_pieces_and_unfused(self):
        for more in (["--micro-batch", "16"], ["--no-fuse"]):
            self.assertIn("6 of the network's 8", self.start("pieces", "--init", self.first, *more).stderr)

    def test_frozen_layers_stay(self):
        freeze = ["--init", self.first, "--freeze", "conv*,net.linear_09"]
        said = self.start("frozen", *freeze, "--epochs", "2").stderr
        self.assertIn("3 of 4 layers with parameters are frozen; what the network gives up to maxpool2d_02 is "
                      "computed once for each image: 64 values\n", said)
        theirs, ours = read_values(self.first), read_values(self.folder + "/frozen/cnn.safetensors")
        for name, values in ours.items():
            self.assertEqual(values == theirs[name], "linear_11" not in name, name)
        self.start("again", *freeze)
        self.run_command("train", "--resume", "--out", "again", "--epochs", "2")
        self.assertEqual(self.read("frozen/cnn.safetensors"), self.read("again/cnn.safetensors"))
        self.assert_refused(["train", "--resume", "--out", "again", "--freeze", "conv*"], 1,
                            r'--freeze: expected "conv\*,net\.linear_09" as in .*, found "conv\*": leave it out')
        for option, value, pattern in (
                ("freeze", "nothing", "--freeze: expected a pattern of names of layers with parameters .*found 'nothing'"),
                ("lr-scale", "none=2", "--lr-scale: expected a pattern of names of layers .*found 'none'"),
                ("lr-scale", "conv*", r"--lr-scale: expected PATTERN=F, found 'conv\*'"),
                ("lr-scale", "conv*=0", "--lr-scale: expected PATTERN=F, F a finite number above 0, found '0'")):
            self.assert_refused(["train", "-q", "--data", self.three, "--out", "no", *NETWORK, "--" + option, value],
                                2, pattern)

    def test_the_optimizer_knows_nothing_of_frozen_layers(self):
        """Their moments stay zero: they are not in a checkpoint, and are read where an earlier version wrote them."""
        freeze = ["--init", self.first, "--freeze", "conv*,net.linear_09"]
        self.start("long", *freeze, "--epochs", "2")
        for optimizer, states in (("adam", ["adam.m.", "adam.v."]), ("sgd", [])):
            self.start("short", *freeze, "--optimizer", optimizer)
            path = self.folder + "/short/cnn.ckpt.safetensors"
            header, _ = read_safetensors(path)
            found = sorted(name for name in header if name.startswith(("adam.", "sgd.")))
            self.assertEqual(found, sorted(f"{state}net.linear_11.{part}" for state in states
                                           for part in ("bias", "weight")))
            if not states:
                continue
            frozen = {state + name: header[name]["shape"] for state in states for name in header
                      if name.startswith("net.") and "linear_11" not in name}
            add_zeros(path, frozen)
            self.run_command("train", "--resume", "--out", "short", "--epochs", "2")
            self.assertEqual(self.read("short/cnn.safetensors"), self.read("long/cnn.safetensors"))
            add_zeros(path, {"another": [2]})
            self.assert_refused(["train", "--resume-from", path, "--out", "new", "--epochs", "3"], 1,
                                r"cnn\.ckpt\.safetensors: expected \d+ tensors, found \d+")

    def test_what_it_refuses(self):
        other = self.folder + "/other"
        header = json.dumps({"a.weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
        with open(other, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header + bytes(8))
        train = ["train", "--data", self.three, "--out", "none", *NETWORK, *QUICK]
        for arguments, code, pattern in (
                (["--init", "absent"], 1, "absent: cannot be opened"),
                (["--init", other], 1, r"other: expected tensors with names and shapes of the network cnn "
                 r"\(net\.conv2d_00\.weight \(4, 1, 3, 3\), .*\), found none among its 1 \(a\.weight \(2,\)\)$"),
                (["--init="], 2, "--init: expected a path"),
                (["--init", self.first, "--resume"], 2, "--init and --resume exclude each other"),
                (["--init", self.first, "--resume-from", "x"], 2, "--init and --resume exclude each other")):
            self.assert_refused([*train, "-q", *arguments], code, pattern)
        self.assert_refused(["train", "--model", self.first, "--init", self.first], 2,
                            "--init and --model exclude each other")
        self.assertFalse(self.exists("none"))

    def test_preparation_comes_along(self):
        self.run_command("import", self.first, "normal.safetensors", "--mean", "0.5", "--std", "0.25")
        result = self.start("normal", "--init", "normal.safetensors")
        self.assertIn("pixels are normalised as there, (pixel - mean) / deviation: 0.5:0.25", result.stderr)
        _, metadata = read_safetensors(self.folder + "/normal/cnn.safetensors")
        self.assertEqual(metadata["cnn-cl.normalize"], "0.5:0.25")


if __name__ == "__main__":
    unittest.main()
