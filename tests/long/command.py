"""A long training by the command: command.py COMMAND EPOCHS

Its memory, open files and threads after a twentieth of the epochs are those near the end, and the run's
files have every epoch. A checkpoint carries the metrics of all epochs before it, and a run that saves
some may take that much more. Prints a line of figures for each run.
"""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ["CNN_TEST_COMMAND"] = sys.argv[1]
from support import CNN_CL, environment, make_data  # noqa: E402

NETWORK = "--cdims 4 --hdims 8 --ydim 4 --batch 64".split()
RUNS = {"": 1.5, " --checkpoint-every 0": 0.0}  # options, and the KiB that an epoch may add
SLACK = {"resident KiB": 1024, "files": 2, "threads": 0}  # a file may be under way when they are counted


def usage(process):
    with open(f"/proc/{process}/status", encoding="utf-8") as file:
        fields = dict(re.findall(r"(\w+):\s+(\d+)", file.read()))
    return {"resident KiB": int(fields["VmRSS"]), "files": len(os.listdir(f"/proc/{process}/fd")),
            "threads": int(fields["Threads"])}


def train(epochs, folder, options):
    """{epoch: usage} of some epochs, taken when their lines are read."""
    noted = {}
    arguments = [CNN_CL, "-q", "train", *NETWORK, "--epochs", str(epochs), "--data", make_data(folder + "/data"),
                 "--out", folder + "/out", *options.split()]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment(), text=True) as process:
        for line in process.stdout:
            match = re.match(r"epoch:\[(\d+)\]", line)
            if match and int(match[1]) % (epochs // 20) == 0:
                noted[int(match[1])] = usage(process.pid)
    assert process.returncode == 0, process.returncode
    return noted


def check_files(epochs, folder):
    with open(folder + "/cnn.metrics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == list(range(-1, epochs)), "cnn.metrics.csv has not every epoch"
    assert all(float(row["loss"]) >= 0 for row in rows[1:]), "cnn.metrics.csv lacks a loss"
    with open(folder + "/cnn.run.json", encoding="utf-8") as file:
        json.load(file)


def check(epochs, options):
    """Trains, prints the figures; the names of what has grown."""
    with tempfile.TemporaryDirectory(prefix="cnn-cl-long-") as folder:
        noted = train(epochs, folder, options)
        check_files(epochs, folder + "/out")
    begin, end = epochs // 20, epochs - epochs // 20
    figures = ", ".join(f"{name} {noted[begin][name]} -> {noted[end][name]}" for name in SLACK)
    print(f"cnn-cl train{options}, {epochs} epochs, from {begin} to {end}: {figures}", flush=True)
    allowed = dict(SLACK)
    allowed["resident KiB"] += RUNS[options] * (end - begin)
    return [name for name in allowed if noted[end][name] > noted[begin][name] + allowed[name]]


def main():
    grown = {options: check(int(sys.argv[2]), options) for options in RUNS}
    for options, names in grown.items():
        if names:
            print(f"command.py: cnn-cl train{options}: this grew: {', '.join(names)}", file=sys.stderr)
    return 1 if any(grown.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
