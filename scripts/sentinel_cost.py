#!/usr/bin/env python3
"""What `train --sentinel` costs, as processor time: sentinel_cost.py DATA [COMMAND]

Trains the notebook's network on a part of DATA with a look at every step and without, and for more epochs
and fewer, and prints the time of a step, of a look, and what looks at every 50th step are of the whole.
"""
import resource
import subprocess
import sys
import tempfile

COMMON = ["--val-split", "0.6", "--print-every", "50"]  # evaluations are the same in all runs
EPOCHS, MORE = 1, 4


def processor_seconds(command, data, options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([command, "train", "--data", data, "--out", folder, *COMMON, *options], check=True,
                       capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def count_steps(command, data):
    """Of an epoch, as the metrics have it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([command, "train", "--data", data, "--out", folder, *COMMON, "--epochs", "1"], check=True,
                       capture_output=True)
        with open(folder + "/cnn.metrics.csv", encoding="utf-8") as file:
            header, *rows = [line.strip().split(",") for line in file]
    return int(rows[-1][header.index("step")])


def main():
    data, command = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "cnn-cl"
    steps = count_steps(command, data)
    for options in [], ["--batchnorm"]:
        def least(*more):
            return min(processor_seconds(command, data, [*options, *more]) for _ in range(2))
        few = least("--epochs", str(EPOCHS))
        step = (least("--epochs", str(MORE)) - few) / ((MORE - EPOCHS) * steps)
        look = (least("--epochs", str(EPOCHS), "--sentinel", "1") - few) / steps
        print(f"{' '.join(options) or 'the notebook'}: a step {1e3 * step:.1f} ms, a look {1e3 * look:.1f} ms, "
              f"{100 * look / (50 * step):.2f}% at 50")


if __name__ == "__main__":
    main()
