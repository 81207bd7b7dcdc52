"""Trains on a device that has too little memory for the batch, and does what the message says.

memory.py COMMAND LAYER
    The fault layer lowers what the device has. The message names --micro-batch with a number, and with
    it training ends as on a device that has enough; with batch norm, which cannot be trained so, it
    names --batch. So it does where the driver, not the device's own figures, refuses the memory.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ.setdefault("CNN_TEST_COMMAND", "cnn-cl")
from support import environment, make_data  # noqa: E402

NETWORK = "--ksize 1 --cdims 16 --hdims none --ydim 4 --epochs 1 --batch 256".split()
MEMORY = "memory=%d" % (24 << 20)
# More than the pieces take: what the check before training took, a driver gives back when it gets to it.
LESS = "memory=%d" % (8 << 20)
WIDE = (1, 40, 40)
COMMAND, LAYER = sys.argv[1], os.path.abspath(sys.argv[2])


class Memory(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="cnn-cl-memory-")
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.data = make_data(os.path.join(self.folder, "data"), shape=WIDE)

    def train(self, *options, **faults):
        environ = environment(OPENCL_LAYERS=LAYER, CNN_FAULT_LOG=os.path.join(self.folder, "log"), **faults)
        return subprocess.run([COMMAND, "train", *NETWORK, "--data", self.data,
                               "--out", os.path.join(self.folder, "out"), *options],
                              env=environ, capture_output=True, text=True, timeout=300)

    def refused(self, *options, **faults):
        """The last line of a run that has too little memory."""
        result = self.train(*options, **faults)
        self.assertEqual(result.returncode, 1, result.stderr)
        return result.stderr.splitlines()[-1]

    def advice(self, line):
        found = re.search(r"; use --micro-batch (\d+), which gives the same result in less memory", line)
        self.assertIsNotNone(found, line)
        return found[1]

    def test_advice_is_followed(self):
        for kernels, memory, option in (("cpu", MEMORY, "--no-fuse"), ("gpu", LESS, "--stream")):
            with self.subTest(option, kernels=kernels):
                options, changes = [option], {"CNN_CL_KERNEL_CLASS": kernels}
                limited = {"CNN_FAULT_LIMIT": memory, **changes}
                enough = self.train(*options, **changes)
                self.assertEqual(enough.returncode, 0, enough.stderr)
                piece = self.advice(self.refused(*options, **limited))
                followed = self.train(*options, "--micro-batch", piece, **limited)
                self.assertEqual(followed.returncode, 0, followed.stderr)
                self.assertEqual(followed.stdout, enough.stdout)
                self.assertNotIn("not timed", followed.stderr)

    def test_the_driver_refuses(self):
        self.assertEqual(self.train("--epochs", "0").returncode, 0)  # the device is known to be right
        self.advice(self.refused(CNN_FAULT_FAIL="allocate:3"))

    def test_batch_norm(self):
        line = self.refused("--batchnorm", "--no-fuse", CNN_FAULT_LIMIT=MEMORY)
        self.assertRegex(line, "; use a smaller --batch or a smaller network")
        self.assertNotIn("--micro-batch", line)
        result = self.train("--batchnorm", "--no-fuse", "--batch", "16", CNN_FAULT_LIMIT=MEMORY)
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
