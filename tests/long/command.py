"""A long training by the command: command.py COMMAND EPOCHS

Its memory, open files and threads after a twentieth of the epochs are those near the end, and the run's
files have every epoch. Prints a line of figures.
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
SLACK = {"resident KiB": 1024, "files": 0, "threads": 0}


def usage(process):
    with open(f"/proc/{process}/status", encoding="utf-8") as file:
        fields = dict(re.findall(r"(\w+):\s+(\d+)", file.read()))
    return {"resident KiB": int(fields["VmRSS"]), "files": len(os.listdir(f"/proc/{process}/fd")),
            "threads": int(fields["Threads"])}


def train(epochs, folder):
    """{epoch: usage} of some epochs, taken when their lines are read."""
    noted = {}
    arguments = [CNN_CL, "-q", "train", *NETWORK, "--epochs", str(epochs), "--data", make_data(folder + "/data"),
                 "--out", folder + "/out"]
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


def main():
    epochs = int(sys.argv[2])
    with tempfile.TemporaryDirectory(prefix="cnn-cl-long-") as folder:
        noted = train(epochs, folder)
        check_files(epochs, folder + "/out")
    first, last = noted[epochs // 20], noted[epochs - epochs // 20]
    grown = [name for name in first if last[name] > first[name] + SLACK[name]]
    figures = ", ".join(f"{name} {first[name]} -> {last[name]}" for name in first)
    print(f"cnn-cl train, {epochs} epochs, from {epochs // 20} on: {figures}")
    if grown:
        print(f"command.py: this grew: {', '.join(grown)}: {noted}", file=sys.stderr)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
