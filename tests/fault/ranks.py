"""Fails the OpenCL calls of one of two ranks, one after the other, through the fault layer.

ranks.py COMMAND LAYER [EVERY]
    Every EVERY-th call (default: each) of the second rank of a training fails once, and every 5 EVERY-th from then on.
    Each job must end in time, with one line that names the rank and a code that is not 0, or with the model of a job
    without faults; with no file that is not whole. 77: there is no MPI.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ["CNN_TEST_COMMAND"] = sys.argv[1]
import launcher  # noqa: E402
from support import make_data  # noqa: E402
from torture import SECONDS, TRAIN, is_whole, read_files  # noqa: E402


class Job:
    """What a job left: its code, its own lines on stderr, its files, and the log of the layer where it was written."""

    def __init__(self, data, layer, faults):
        with tempfile.TemporaryDirectory() as folder:
            out, log = os.path.join(folder, "out"), os.path.join(folder, "log")
            command = [sys.argv[1], "-q", "train", *TRAIN, "--slices", "4", "--data", data, "--out", out]
            settings = {"OPENCL_LAYERS": layer, "CNN_FAULT_LOG": log, **faults}
            words = [launcher.LAUNCHER, "-n", "1", *command, ":", "-n", "1",
                     *(word for key in settings for word in ("-x", f"{key}={settings[key]}")), *command]
            done = subprocess.run(words, env=launcher.RUN, capture_output=True, text=True, timeout=SECONDS, check=False)
            self.code, self.lines = done.returncode, [line for line in done.stderr.splitlines() if line.startswith("cnn-cl: ")]
            self.files = read_files(out)
            self.log = None
            if os.path.exists(log):
                with open(log, encoding="utf-8") as file:
                    self.log = json.load(file)

    def judge(self, right):
        """What is wrong with it, or None."""
        torn = [name for name, content in self.files.items() if not is_whole(name, content)]
        if torn:
            return f"not whole: {torn}"
        if self.code == 0:
            same = self.files["cnn.safetensors"] == right.files["cnn.safetensors"]
            return None if same else "another model without a word"
        told = self.code in (1, 2, 3) and len(self.lines) == 1 and re.match(r"cnn-cl: rank 1 on \S+?( \(.+\))?: ", self.lines[0])
        return None if told else f"exit code {self.code}, said {self.lines}"


def main():
    if not (launcher.LAUNCHER and launcher.HAS_MPI):
        print("no MPI here")
        return 77
    layer, every = os.path.abspath(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    broken = refused = done = 0
    with tempfile.TemporaryDirectory() as scratch:
        data = make_data(os.path.join(scratch, "data"))
        Job(data, layer, {})  # what a first run does besides
        right = Job(data, layer, {})
        count = right.log["calls"]["any"]
        faults = [f"any:{n}" for n in range(1, count + 1, every)] + [f"any:{n}+" for n in range(1, count + 1, 5 * every)]
        for fault in faults:
            job = Job(data, layer, {"CNN_FAULT_FAIL": fault})
            problem = job.judge(right)
            done += 1
            refused += job.code != 0
            if problem:
                broken += 1
                print(f"{fault}: {problem}", file=sys.stderr, flush=True)
    print(f"the second of two ranks: {count} calls, {done} runs with a fault: {refused} refused, {broken} wrong")
    return 1 if broken or not done else 0


if __name__ == "__main__":
    sys.exit(main())
