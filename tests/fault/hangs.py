"""The driver of the first of two devices of a process hangs: another thread says so, and ends the program.

hangs.py COMMAND LAYER
    In a training the line names the rank and the command that goes on, which it does; so do an evaluation and a
    bench end.
"""
import os
import shlex
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ.setdefault("CNN_TEST_COMMAND", "cnn-cl")
from support import environment, make_data  # noqa: E402

COMMAND, LAYER = sys.argv[1], os.path.abspath(sys.argv[2])
NETWORK = "--cdims 4,6 --hdims 16 --ydim 4".split()
TRAIN = ["train", *NETWORK, *"--epochs 2 --batch 64 --checkpoint-steps 1 --slices 2".split()]
LATE = r"^cnn-cl: rank 0 on \S+ \(.+\) did not answer within 1 s: it hangs, or needs a larger --rank-timeout"


class Hangs(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="cnn-cl hangs ")
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.data = make_data(os.path.join(self.folder, "data"))

    def run_command(self, *arguments, **changes):
        return subprocess.run([COMMAND, "-q", *arguments], env=environment(OPENCL_LAYERS=LAYER, **changes),
                              capture_output=True, text=True, timeout=120, check=False)

    def model(self, name):
        return os.path.join(self.folder, name, "cnn.safetensors")

    def train(self, name, *more, **changes):
        return self.run_command(*TRAIN, "--data", self.data, "--out", os.path.join(self.folder, name), *more, **changes)

    def test_a_training(self):
        whole = self.train("whole")
        self.assertEqual((whole.returncode, whole.stderr), (0, ""))
        both = ["--device", "0,0", "--rank-timeout", "1"]
        self.assertEqual(self.train("both", *both).returncode, 0)  # the device passes its check
        hangs = self.train("hangs", *both, CNN_FAULT_HANG="400")
        self.assertEqual(hangs.returncode, 1, hangs.stderr)
        self.assertEqual(len(hangs.stderr.splitlines()), 1, hangs.stderr)
        self.assertRegex(hangs.stderr, LATE + r"; .*; to go on: cnn-cl train --resume --out")
        again = self.run_command(*shlex.split(hangs.stderr.split("; to go on: cnn-cl ")[1]), CNN_FAULT_HANG="0")
        self.assertEqual((again.returncode, again.stderr), (0, ""))
        with open(self.model("hangs"), "rb") as one, open(self.model("whole"), "rb") as other:
            self.assertEqual(one.read(), other.read())

        evaluate = ["eval", "--model", self.model("whole"), "--data", self.data, "--batch", "8", *both]
        self.assertEqual(self.run_command(*evaluate).returncode, 0)
        hangs = self.run_command(*evaluate, CNN_FAULT_HANG="40")
        self.assertEqual((hangs.returncode, hangs.stdout), (1, ""), hangs.stderr)
        self.assertEqual(len(hangs.stderr.splitlines()), 1, hangs.stderr)
        self.assertRegex(hangs.stderr, LATE)

    def test_a_bench(self):
        bench = ["bench", *NETWORK, "--batch", "64", "--steps", "30", "--device", "0,0", "--rank-timeout", "1"]
        self.assertEqual(self.run_command(*bench).returncode, 0)
        hangs = self.run_command(*bench, CNN_FAULT_HANG="400")
        self.assertEqual((hangs.returncode, hangs.stdout), (1, ""), hangs.stderr)
        self.assertEqual(len(hangs.stderr.splitlines()), 1, hangs.stderr)
        self.assertRegex(hangs.stderr, LATE)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
