"""Runs that a failing device ends say how they go on, and do.

goes_on.py COMMAND LAYER
    The fault layer fails a reading, later and later in the first epoch of a run that saves a
    checkpoint at each step: before the first there is nothing to go on from; behind it the last line
    names the command, which ends in the model of a run without a fault.
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

TRAIN = "train --cdims 4,6 --hdims 16 --ydim 4 --epochs 1 --batch 64 --checkpoint-steps 1".split()
NOTHING, GOES_ON = "; no model was saved", "; to go on: "
MOST_READINGS = 60
COMMAND, LAYER = sys.argv[1], os.path.abspath(sys.argv[2])


class GoesOn(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="cnn-cl goes on ")
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.data = make_data(os.path.join(self.folder, "data"))

    def run_command(self, *arguments, **changes):
        return subprocess.run([COMMAND, *arguments], env=environment(OPENCL_LAYERS=LAYER, **changes),
                              capture_output=True, text=True, timeout=300, check=False)

    def train(self, name, **changes):
        """Its last line, and its folder."""
        out = os.path.join(self.folder, name)
        result = self.run_command(*TRAIN, "--data", self.data, "--out", out, **changes)
        return result, (result.stderr.splitlines() or [""])[-1], out

    def model(self, out):
        with open(os.path.join(out, "cnn.safetensors"), "rb") as file:
            return file.read()

    def test_in_the_first_epoch(self):
        whole = self.train("whole")
        self.assertEqual(whole[0].returncode, 0, whole[0].stderr)
        lines = []
        for reading in range(1, MOST_READINGS):
            result, line, out = self.train(f"read {reading}", CNN_FAULT_FAIL=f"read:{reading}")
            self.assertEqual(result.returncode, 1, result.stderr)
            lines.append(line)
            if NOTHING + GOES_ON in line:
                break
        self.assertTrue(lines[0].endswith(NOTHING), lines)
        self.assertIn(NOTHING + GOES_ON, lines[-1])
        words = shlex.split(lines[-1].split(GOES_ON)[1])
        self.assertEqual(words[:3], ["cnn-cl", "train", "--resume"])
        # Failing again, before another checkpoint and behind one, it loses nothing.
        ends = ("; the checkpoint is as it was", NOTHING + GOES_ON)
        missing = set(ends)
        for reading in range(1, MOST_READINGS):
            line = self.run_command(*words[1:], CNN_FAULT_FAIL=f"read:{reading}").stderr.splitlines()[-1]
            missing -= {end for end in ends if end in line}
            if not missing:
                break
        self.assertFalse(missing)
        again = self.run_command(*words[1:])
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.model(out), self.model(whole[2]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
