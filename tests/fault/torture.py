"""Fails the OpenCL calls of real runs one after the other, through the fault layer.

torture.py COMMAND LAYER [--every N] [--jobs N] [--case NAME]...
    Fails every N-th call (default: each) of `train`, `eval` and `predict` on tiny data once, and every
    5 N-th from then on, with each kind's usual code, and some with other codes; then lowers what the
    device has, shows devices twice, delays, and makes readings of the check before training wrong. Each
    run must end with a line that says what failed and a code that is not 0, or with the result of a run
    without faults; never by a signal, never late, with no OpenCL object alive and no file that is not
    whole.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ.setdefault("CNN_TEST_COMMAND", "cnn-cl")
from support import environment, make_data  # noqa: E402

NETWORK = "--cdims 4,6 --hdims 16 --ydim 4".split()
TRAIN = [*NETWORK, "--epochs", "1", "--batch", "64"]
LESSER = ["work_group=64", "local=16384", "memory=134217728", "allocation=10",
          "work_group=64,local=16384,memory=134217728,allocation=10"]  # enough for any of the commands
TOO_LITTLE = ["memory=65536", "allocation=1000000000"]
# A device that takes a millisecond a call: the report of a fast one times steps by the dozen, the same calls again.
SLOW = {"CNN_FAULT_DELAY": "1000"}
# And one whose steps it does not time at all: the calls that there are however busy the machine is.
SLOWEST = {"CNN_FAULT_DELAY": "6000"}
SECONDS = 120
MISSED = 0.05  # of the faults may come too late: how often a device is asked whether it is done varies
# What drivers say besides the usual: a lost queue or context, a buffer or a group that is too large, no compiler,
# an invalid size, a failed wait; NVIDIA's for a read out of bounds.
CODES = {"allocate": [-5, -6, -61], "create": [-5, -34, -46], "build": [-3, -6], "set": [-50], "write": [-36],
         "enqueue": [-36, -54, -9999], "read": [-36, -9999], "finish": [-14, -36, -9999]}
UNREAD = 0.05  # of the readings are wrong where nothing depends on it: in the gradient of a dropped channel
ROUNDING = 0.02  # of a printed number: a lesser device adds in another order
NUMBER = re.compile(r"\d+\.\d+")


class Case:
    """A command line, what it leaves in its folder, and what it prints without a fault."""

    def __init__(self, torture, name, arguments, thin=1, cold=False, **changes):
        """thin: of its calls every thin-th only; cold: the device is checked in each run, as in the first."""
        self.name, self.arguments, self.thin, self.cold, self.changes = name, arguments, thin, cold, changes
        torture.run(self, {})  # what a first run does besides
        self.expected = torture.run(self, {})
        if self.expected.code != 0:
            sys.exit(f"{name} fails without a fault: {self.expected.errors}")
        self.calls = self.expected.log["calls"] if torture.every == 1 else torture.run(self, SLOWEST).log["calls"]


Run = collections.namedtuple("Run", "code output errors log files")


def read_files(folder):
    """{name: content} of a folder; the report's times differ from run to run."""
    found = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def is_close(output, expected):
    """Are they the same but for rounding?"""
    numbers = zip(map(float, NUMBER.findall(output)), map(float, NUMBER.findall(expected)))
    return NUMBER.sub("", output) == NUMBER.sub("", expected) and all(abs(a - b) <= ROUNDING for a, b in numbers)


def is_whole_model(content):
    """A safetensors file whose header spans exactly what follows."""
    if len(content) < 8:
        return False
    length = struct.unpack("<Q", content[:8])[0]
    try:
        header = json.loads(content[8:8 + length])
    except ValueError:
        return False
    header.pop("__metadata__", None)
    return 8 + length + max(tensor["data_offsets"][1] for tensor in header.values()) == len(content)


def is_whole(name, content):
    if name.endswith(".safetensors"):
        return is_whole_model(content)
    if name.endswith(".png"):
        return content.endswith(b"IEND\xaeB`\x82")
    if name.endswith(".json"):
        return json.loads(content) is not None
    if name.endswith((".html", ".svg")):
        return content.rstrip().endswith((b"</html>", b"</svg>"))
    return name.endswith(".csv") and content.endswith(b"\n")


class Torture:
    def __init__(self, command, layer, every, jobs):
        self.command, self.layer, self.every, self.jobs = command, layer, every, jobs
        self.scratch = tempfile.mkdtemp(prefix="cnn-cl-torture-")
        self.data = make_data(os.path.join(self.scratch, "data"))
        self.count = collections.Counter()
        self.broken = []

    def finish(self):
        shutil.rmtree(self.scratch)

    def run(self, case, faults):
        """Runs it in a folder of its own."""
        folder = tempfile.mkdtemp(dir=self.scratch)
        log = os.path.join(folder, "log")
        out = os.path.join(folder, "out")
        arguments = [word.replace("OUT", out) for word in case.arguments]
        changes = {"OPENCL_LAYERS": self.layer, "CNN_FAULT_LOG": log, **SLOW, **case.changes, **faults}
        if case.cold:
            changes["CNN_CL_CACHE_DIR"] = os.path.join(folder, "cache")
        try:
            done = subprocess.run([self.command, *arguments], env=environment(**changes), capture_output=True,
                                  text=True, timeout=SECONDS)
            with open(log, encoding="utf-8") as file:
                facts = json.load(file)
            return Run(done.returncode, done.stdout, done.stderr, facts, read_files(out))
        except subprocess.TimeoutExpired:
            return Run("hangs", "", "", None, {})
        except FileNotFoundError:
            return Run(done.returncode, done.stdout, done.stderr, None, {})
        finally:
            shutil.rmtree(folder)

    def judge(self, case, run, exact=True):
        """What is wrong with a run, or None."""
        if run.code == "hangs" or run.code < 0:
            return f"ended by {run.code}"
        if run.log is None:
            return "the layer's log was not written"
        if any(run.log["alive"].values()):
            return f"alive at exit: {run.log['alive']}"
        torn = [name for name, content in run.files.items() if not is_whole(name, content)]
        if torn:
            return f"not whole: {torn}"
        if run.code != 0:
            lines = run.errors.splitlines()
            told = run.code in (1, 3) and lines and re.match("cnn-cl: (?!warning: )", lines[-1])
            if told and "keeps the model of epoch" in lines[-1]:
                told = "; to go on: cnn-cl train --resume" in lines[-1]
            return None if told else f"exit code {run.code}, said {lines[-1:]}"
        same = run.output == case.expected.output if exact else is_close(run.output, case.expected.output)
        if not same:
            return f"another result without a word: {run.output!r}"
        model = [name for name in case.expected.files if name == "cnn.safetensors"]
        if exact and any(run.files.get(name) != case.expected.files[name] for name in model):
            return "another model without a word"
        return None

    def check(self, case, faults, exact=True):
        run = self.run(case, faults)
        problem = self.judge(case, run, exact)
        missed = {"CNN_FAULT_FAIL", "CNN_FAULT_PERTURB"} & faults.keys() and run.log and run.log["failures"] == 0
        self.count[case.name, "missed" if missed else "right" if run.code == 0 else "refused"] += 1
        if run.code != 0 and faults.get("CNN_FAULT_LIMIT") in LESSER:
            problem = "refused where there is enough"
        if problem:
            words = " ".join(f"{key}={value}" for key, value in faults.items())
            self.broken.append(problem)
            print(f"{case.name} with {words}: {problem}; stderr: {run.errors[-300:]!r}", file=sys.stderr)

    def check_all(self, case, list_of_faults, exact=True):
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(lambda faults: self.check(case, faults, exact), list_of_faults))

    def fail_calls(self, case):
        """Where not every call is failed, each kind has some: there are kinds with few calls."""
        count, every = case.calls["any"], self.every * case.thin
        faults = [f"any:{n}" for n in range(1, count + 1, every)]
        faults += [f"any:{n}+" for n in range(1, count + 1, 5 * every)]
        for kind, count in case.calls.items():
            if every > 1 and kind != "any":
                chosen = {"1": 1, str(count): count, f"{count // 2}+": count // 2}
                faults += [f"{kind}:{which}" for which, number in chosen.items() if number > 0]
        self.check_all(case, [{"CNN_FAULT_FAIL": fault} for fault in faults])

    def change_device(self, case):
        self.check_all(case, [{"CNN_FAULT_LIMIT": limit} for limit in LESSER + TOO_LITTLE], exact=False)
        self.check_all(case, [{"CNN_FAULT_TWIN": "1"}, {"CNN_FAULT_DELAY": "200"}])

    def fail_with_other_codes(self, case):
        middles = {kind: (count + 1) // 2 for kind, count in case.calls.items() if count > 0}
        self.check_all(case, [{"CNN_FAULT_FAIL": f"{kind}:{middles[kind]}:{code}{end}"}
                              for kind, codes in CODES.items() if kind in middles
                              for code in codes for end in ["", "+"]])

    def read_wrong(self, cold, warm):
        """The readings that a first run makes more than another are those of the check, which finds what is wrong."""
        readings = cold.expected.log["readings"] - warm.expected.log["readings"]
        chosen = range(1, readings + 1, 1 if self.every == 1 else 25)
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            runs = list(pool.map(lambda n: self.run(cold, {"CNN_FAULT_PERTURB": str(n)}), chosen))
        found = sum(run.code == 1 and "computes wrong: " in run.errors and run.log["failures"] == 1 for run in runs)
        print(f"the check before training: {len(runs)} runs with a wrong reading, {found} found")
        if found < (1 - UNREAD) * len(runs):
            self.broken.append("wrong readings are not found")

    def tell(self, case):
        right, refused, missed = (self.count[case.name, what] for what in ("right", "refused", "missed"))
        print(f"{case.name}: {case.calls['any']} calls, {right + refused} runs with a fault: {refused} refused, "
              f"{right} with the right result; {missed} that ended before the call", flush=True)
        if missed > MISSED * (right + refused):
            self.broken.append("too many faults were not made")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("layer")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--case", action="append", help="only this command, or these")
    parser.add_argument("--jobs", type=int, default=4 * len(os.sched_getaffinity(0)),
                        help="default: four a processor, as they mostly wait for the slow device")
    options = parser.parse_args()
    torture = Torture(options.command, os.path.abspath(options.layer), options.every, options.jobs)
    try:
        model = os.path.join(torture.scratch, "cnn.safetensors")
        subprocess.run([options.command, "-q", "train", *TRAIN, "--data", torture.data, "--out", torture.scratch],
                       env=environment(), check=True, capture_output=True)
        data = ["--data", torture.data]
        train = ["train", *TRAIN, *data, "--out", "OUT"]
        nothing = [*train, "--epochs", "0"]
        commands = {
            "first train": (nothing, {"cold": True}),
            "train": (train, {}),
            "train plain": ([*train, "--no-fuse", "--stream", "--batchnorm"], {}),
            "train with kernels for GPUs": (train, {"thin": 10, "CNN_CL_KERNEL_CLASS": "gpu"}),
            "eval": (["eval", "--model", model, *data], {}),
            "predict": (["predict", "--model", model, *data], {}),
        }
        for name, (arguments, changes) in commands.items():
            if options.case and name not in options.case:
                continue
            case = Case(torture, name, arguments, **changes)
            torture.fail_calls(case)
            torture.change_device(case)
            if options.every == 1 or name == "train":
                torture.fail_with_other_codes(case)
            if case.cold:
                torture.read_wrong(case, Case(torture, "train, no epoch", nothing))
            torture.tell(case)
    finally:
        torture.finish()
    return 1 if torture.broken or not torture.count else 0


if __name__ == "__main__":
    sys.exit(main())
