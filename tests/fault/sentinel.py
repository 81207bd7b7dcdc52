"""Kernels that begin to compute wrong in the middle of a run: `train --sentinel` finds them.

sentinel.py COMMAND LAYER
    The fault layer makes what a kernel leaves a hundredth too large from a launch on: outputs, statistics,
    gradients of inputs and of weights, of the loss, updates, of a fused plan and of a plain one. The check
    before training has passed. The run must end with one line that names the step, the layers and the value,
    behind the doctor's report; what was saved before stays. Without a fault the run is as without a sentinel.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ.setdefault("CNN_TEST_COMMAND", sys.argv[1])
from support import environment, make_data  # noqa: E402

NETWORK = "--cdims 4,6 --hdims 16 --ydim 4 --batch 32 --epochs 12 --print-every 12".split()
FUSED, PLAIN = [], ["--no-fuse", "--batchnorm"]
# (options, kernel:argument:launch, phase, what is wrong)
FAULTS = [
    (FUSED, "conv_block_forward:0:9", "forward", "the output"),
    (FUSED, "dense_input:0:9", "backward", "the gradient of the input"),
    (FUSED, "conv_block_reduce:0:9", "backward", r"the gradient of conv2d_0\d\.(weight|bias)"),
    (FUSED, "softmax_cross_entropy:2:24", "loss", "the gradient of the logits"),
    (FUSED, "adam_update:0:9", "update", "the parameters"),
    (FUSED, "adam_update:12:9", "update", "Adam's first moments"),
    (PLAIN, "batchnorm_merge:0:9", "forward", "the statistics"),
    (PLAIN, "maxpool_forward:0:60", "forward", "the output"),
    (PLAIN, "batchnorm_input:0:9", "backward", "the gradient of the input"),
    (PLAIN, "conv_reduce:0:9", "backward", r"the gradient of conv2d_0\d\.(weight|bias)"),
]
COMMAND, LAYER = sys.argv[1], os.path.abspath(sys.argv[2])


class Sentinel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="cnn-cl-sentinel-")
        cls.folder = cls.scratch.name
        cls.data = make_data(os.path.join(cls.folder, "data"))
        cls.clean = {}
        for name, options in ("fused", FUSED), ("plain", PLAIN):  # the device passes its check
            cls.clean[name] = cls.train(name, options)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def train(cls, name, options, **changes):
        """The run, and its folder."""
        out = os.path.join(cls.folder, name)
        changes.setdefault("CNN_CL_CACHE_DIR", os.path.join(cls.folder, "cache"))
        arguments = ["train", *NETWORK, *options, "--data", cls.data, "--out", out]
        return subprocess.run([COMMAND, *arguments], env=environment(OPENCL_LAYERS=LAYER, **changes),
                              capture_output=True, text=True, timeout=300, check=False), out

    def model(self, out):
        with open(os.path.join(out, "cnn.safetensors"), "rb") as file:
            return file.read()

    def test_a_right_device_passes(self):
        for name, options in ("fused", FUSED), ("plain", PLAIN):
            result, out = self.train(name + " watched", [*options, "--sentinel", "1"])
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.model(out), self.model(self.clean[name][1]))

    def test_faults_are_found(self):
        for number, (options, fault, phase, wrong) in enumerate(FAULTS):
            with self.subTest(fault=fault, plain=bool(options)):
                result, out = self.train(f"fault {number}", [*options, "--sentinel", "1"], CNN_FAULT_WRONG=fault)
                self.assertEqual(result.returncode, 1, result.stderr)
                line = result.stderr.splitlines()[-1]
                self.assertRegex(line, rf"computes wrong in training step \d+(, step \d+ of \d+ of the plan)?: {phase}"
                                       rf".*: {wrong}, .*: found \S+, expected \S+, at most \S+ away; 'cnn-cl doctor "
                                       r"--device .*' checks all of it; (no model was saved|\S.* keeps the model of epoch \d+)"
                                       r"; to go on: cnn-cl train --resume .*\Z")
                step = int(re.search(r"in training step (\d+)", line).group(1))
                self.assertGreaterEqual(step, 1)  # it began well
                self.assertRegex(result.stderr, rf"(?m)^1 of 1 checks failed:\n  sentinel {phase}")
                self.assertTrue(os.path.exists(os.path.join(out, "cnn.ckpt.safetensors")))

    def test_not_without_a_sentinel(self):
        result, _ = self.train("blind", FUSED, CNN_FAULT_WRONG=FAULTS[0][1])
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
