"""params and forward: what a network holds, and what it makes of two images."""
import re
import struct
import unittest

from support import NETWORK, CommandTest, read_safetensors

DEFAULT = [
    ("net.conv2d_00.weight", "(32, 1, 3, 3)"), ("net.conv2d_00.bias", "(32,)"),
    ("net.conv2d_04.weight", "(64, 32, 3, 3)"), ("net.conv2d_04.bias", "(64,)"),
    ("net.linear_09.weight", "(32, 3136)"), ("net.linear_09.bias", "(32,)"),
    ("net.linear_11.weight", "(10, 32)"), ("net.linear_11.bias", "(10,)"),
]
ENTRY = r"\[(\d+)\] name:\[(\S+)\] shape:\[(\(.*\))\]\.\n    val:\[(.*)\]\n"
VALUE = r"[ -]\d+\.\d{3}"


class Params(CommandTest):
    def entries(self, *arguments):
        text = self.run_command("params", *arguments).stdout
        total = re.search(r"Total number of parameters:\[([\d,]+)\]\.\n\Z", text)[1]
        entries = re.findall(ENTRY, text)
        self.assertEqual(len(text.splitlines()), 2 * len(entries) + 1)
        self.assertEqual([int(entry[0]) for entry in entries], list(range(len(entries))))
        return entries, total

    def test_default_network(self):
        entries, total = self.entries()
        self.assertEqual(total, "119,530")
        self.assertEqual([entry[1:3] for entry in entries], DEFAULT)
        for entry in entries:
            self.assertRegex(entry[3], f"\\A{VALUE}( {VALUE}){{4}}\\Z")
        self.assertEqual(entries[1][3], " 0.000  0.000  0.000  0.000  0.000")

    def test_batchnorm_lists_what_trains(self):
        entries, total = self.entries("--batchnorm")
        self.assertEqual(total, "119,722")
        names = [entry[1] for entry in entries]
        self.assertEqual(names[2:4], ["net.batchnorm2d_01.weight", "net.batchnorm2d_01.bias"])
        self.assertFalse([name for name in names if "running" in name or "tracked" in name])

    def test_small_networks(self):
        entries, total = self.entries("--cdims", "none", "--hdims", "none", "--ydim", "1")
        self.assertEqual(total, "785")
        self.assertEqual(entries[1][1:], ("net.linear_01.bias", "(1,)", " 0.000"))
        self.assertEqual(self.entries("--cdims", "none", "--hdims", "1024,1024")[1], "1,863,690")

    def test_saved_model(self):
        self.train("run")
        path = self.folder + "/run/cnn.safetensors"
        entries, _ = self.entries("--model", path)
        tensors, _ = read_safetensors(path)
        data = self.read("run/cnn.safetensors")
        start = 8 + struct.unpack("<Q", data[:8])[0]
        for _, name, shape, values in entries:
            tensor = tensors[name]
            self.assertEqual(shape.strip("(),").split(", "), list(map(str, tensor["shape"])))
            begin = start + tensor["data_offsets"][0]
            count = min(5, (tensor["data_offsets"][1] - tensor["data_offsets"][0]) // 4)
            wanted = struct.unpack_from(f"<{count}f", data, begin)
            self.assertEqual(values, " ".join(f"{value: .3f}" for value in wanted))

    def test_plan(self):
        text = self.run_command("params", "--plan", "--batch", "16", *NETWORK, "--xdim",
                                "1,8,8").stdout
        for layer in ("conv2d_00", "conv2d_04", "linear_09", "linear_11"):
            self.assertIn(layer, text)
        self.assertNotIn("Total number of parameters", text)
        plain = self.run_command("params", "--plan", "--no-fuse").stdout
        self.assertIn("dropout2d_03", plain)

    def test_plan_or_text(self):
        self.assertEqual(self.run_command("params", "--plan", "--print", code=2).stderr,
                         "cnn-cl: --plan and --print exclude each other: leave one out\n")


class Forward(CommandTest):
    def test_default_network(self):
        text = self.run_command("forward").stdout
        value = r"\d\.\d{3}"
        row = f"\\[{value} {value} {value} \\.\\.\\. {value} {value} {value}\\]"
        plane = f"\\[{row}\n   {row}\n   {row}\n   \\.\\.\\.\n   {row}\n   {row}\n   {row}\\]"
        self.assertRegex(text, f"\\Ax \\(2, 1, 28, 28\\):\n\\[\\[{plane}\\]\n\n\n \\[{plane}\\]\\]\n"
                         r"y \(2, 10\):\n\[\[[^.\]]+(\.\d{3} +-?\d+){9}\.\d{3}\]\n \[.*\]\]\n\Z")

    def test_small_arrays_are_whole(self):
        text = self.run_command("forward", "--xdim", "2,3,9", "--cdims", "none", "--ydim",
                                "3").stdout
        self.assertIn("x (2, 2, 3, 9):\n[[[[", text)
        self.assertIn("y (2, 3):\n[[", text)
        self.assertNotIn("...", text)
        self.assertEqual(len(re.findall(r"\d\.\d{3}", text)), 2 * 2 * 3 * 9 + 2 * 3)

    def test_up_to_1000_values_are_whole(self):
        text = self.run_command("forward", "--ydim", "256", "--cdims", "none").stdout
        logits = text[text.index("y (2, 256):"):]
        self.assertEqual(len(re.findall(r"\d\.\d{3}", logits)), 512)
        self.assertNotIn("...", logits)

    def test_seeds(self):
        network = ["--xdim", "1,6,6", "--cdims", "2"]
        first = self.run_command("forward", *network).stdout
        self.assertEqual(self.run_command("forward", *network, "--no-fuse").stdout, first)
        self.assertNotEqual(self.run_command("forward", *network, "--seed", "1").stdout, first)

    def test_saved_model(self):
        self.train("run", "--batchnorm")
        text = self.run_command("forward", "--model", "run/cnn.safetensors").stdout
        self.assertIn("x (2, 1, 8, 8):", text)
        self.assertIn("y (2, 4):", text)


if __name__ == "__main__":
    unittest.main()
