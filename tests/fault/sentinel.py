"""Kernels that begin to compute wrong in the middle of a run: `train --sentinel` finds them.

sentinel.py COMMAND LAYER
    The fault layer makes what a kernel leaves a hundredth too large from a launch on: outputs, statistics,
    gradients of inputs and of weights, of the loss, updates, of a fused plan and of a plain one. The check
    before training has passed. The run must end with one line that names the step, the layers and the value,
    behind the doctor's report; what was saved before stays, and a right device goes on from there. Without a fault
    the run is as without a sentinel. Of two processes the one that computes wrong is named.
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ.setdefault("CNN_TEST_COMMAND", sys.argv[1])
import launcher  # noqa: E402
from support import environment, make_data, make_split, write_idx  # noqa: E402

NETWORK = "--cdims 4,6 --hdims 16 --ydim 4 --batch 32 --epochs 12 --print-every 12".split()
FUSED, PLAIN = [], ["--no-fuse", "--batchnorm"]
SMOOTH = ["--class-weights", "balanced", "--label-smoothing", "0.1", "--ydim", "1000"]
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
        arguments = ["train", *NETWORK, "--data", cls.data, *options, "--out", out]
        return subprocess.run([COMMAND, *arguments], env=environment(OPENCL_LAYERS=LAYER, **changes),
                              capture_output=True, text=True, timeout=300, check=False), out

    @classmethod
    def make_rare(cls):
        """Data of which one class has fifty samples and the others one or none, so that these weigh fifty times as much."""
        folder = os.path.join(cls.folder, "rare")
        os.makedirs(folder)
        for prefix, count in ("train", 64), ("t10k", 20):
            images, _ = make_split(count, count)
            write_idx(f"{folder}/{prefix}-images-idx3-ubyte", (count, 8, 8), images)
            write_idx(f"{folder}/{prefix}-labels-idx1-ubyte", (count,), bytes(max(0, i - 49) for i in range(count)))
        return folder

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

    def test_many_classes_of_unlike_weights(self):
        options = [*SMOOTH, "--data", self.make_rare()]
        clean, out = self.train("rare", options)
        self.assertEqual(clean.returncode, 0, clean.stderr)
        watched, other = self.train("rare watched", [*options, "--sentinel", "1"])
        self.assertEqual(watched.returncode, 0, watched.stderr)
        self.assertEqual(self.model(out), self.model(other))
        wrong, _ = self.train("rare wrong", [*options, "--sentinel", "1"], CNN_FAULT_WRONG="softmax_cross_entropy:2:9")
        self.assertEqual(wrong.returncode, 1, wrong.stderr)
        self.assertRegex(wrong.stderr.splitlines()[-1], "computes wrong in training step .*: loss: the gradient of the logits, ")

    def test_a_run_goes_on_with_it(self):
        wrong = {"CNN_FAULT_WRONG": "dense_input:0:9"}
        result, _ = self.train("resumed", ["--checkpoint-steps", "1", "--sentinel", "1"], **wrong)
        self.assertEqual(result.returncode, 1, result.stderr)
        again, _ = self.train("resumed", ["--resume"], **wrong)  # with the checkpoint's option
        self.assertEqual(again.returncode, 1, again.stderr)
        steps = [int(re.search(r"in training step (\d+)", one.stderr.splitlines()[-1]).group(1)) for one in (result, again)]
        self.assertGreater(steps[1], steps[0])  # it made some right ones
        end, _ = self.train("resumed", ["--resume"])
        self.assertEqual(end.returncode, 0, end.stderr)

    def launch(self, name, *more, wrong=None):
        """Two processes, the second of which may compute wrong: the code, the command's own lines, and all of stderr."""
        command = [COMMAND, "train", *NETWORK, "--data", self.data, "--sentinel", "1", "--checkpoint-steps", "1", *more,
                   "--out", os.path.join(self.folder, name)]
        second = ["-x", f"CNN_FAULT_WRONG={wrong}"] if wrong else []
        settings = {"OPENCL_LAYERS": LAYER, "CNN_CL_CACHE_DIR": os.path.join(self.folder, "cache")}
        done = subprocess.run([launcher.LAUNCHER, "-n", "1", *command, ":", "-n", "1", *second, *command],
                              env={**launcher.RUN, **settings}, capture_output=True, text=True, timeout=300, check=False)
        return done.returncode, [line for line in done.stderr.splitlines() if line.startswith("cnn-cl: ")], done.stderr

    @unittest.skipUnless(launcher.LAUNCHER and launcher.HAS_MPI, "no MPI here")
    def test_of_two_processes_the_wrong_one_is_named(self):
        code, lines, errors = self.launch("two")  # the device passes its check
        self.assertEqual((code, lines), (0, []), errors)
        code, lines, errors = self.launch("two wrong", wrong="dense_input:0:9")
        self.assertEqual((code, len(lines)), (1, 1), errors)
        self.assertRegex(lines[0], r"^cnn-cl: rank 1 on \S+ \(.+\): .*computes wrong in training step \d+.*: backward.*"
                                   r": the gradient of the input, .*; to go on: cnn-cl train --resume")
        self.assertRegex(errors, r"(?m)^1 of 1 checks failed:\n  sentinel backward")
        code, lines, errors = self.launch("two wrong", "--resume")
        self.assertEqual((code, lines), (0, []), errors)

    def test_not_without_a_sentinel(self):
        result, _ = self.train("blind", FUSED, CNN_FAULT_WRONG=FAULTS[0][1])
        self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
