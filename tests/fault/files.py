"""Kills real runs at each system call on their files, fails each of the calls, and fills the disk.

files.py COMMAND SHIM [--every N] [--jobs N] [--case NAME] [--verbose]
    For each command that writes or reads files, on tiny data, in a folder that has the files of an
    earlier run: every N-th (default: each) fault of the list, through the shim: SIGKILL before and
    after each call and amid each write; each call failing; each write short. Then files that may not
    grow, a folder that is full, and one that is read-only. Afterwards each file is the old one or the
    new one, whole. A run that failed says so in one line, with a code that is not 0, and leaves
    nothing beside; the run after one that was killed is as any other.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "cli"))
os.environ.setdefault("CNN_TEST_COMMAND", "cnn-cl")
from support import environment, make_data  # noqa: E402
from torture import is_whole, read_files  # noqa: E402

TRAIN = "--cdims 4,6 --hdims 16 --ydim 4 --epochs 1 --batch 64".split()
# What a failing call returns; calls of other kinds (unlink) are only counted.
ERRORS = {"open": ["EIO", "ENOSPC"], "read": ["EIO"], "write": ["ENOSPC", "EIO", "ENOSPC+", "short"],
          "fsync": ["EIO", "ENOSPC"], "close": ["EIO", "ENOSPC"], "rename": ["EIO", "ENOSPC"],
          "link": ["EIO"], "mkdir": ["ENOSPC", "EIO"]}
# What a killed run may leave: never a name of its own.
LEFT_OVER = re.compile(r"\.tmp$|\.cnn-cl\.")
SECONDS = 120
PAGE = 4096
FEWEST = {True: 5, False: 25}  # faults of a case, on a device and without
LARGE_MODEL = "train, a large model"
LARGE = 2 << 20  # bytes of a file that are more than a driver writes

Run = collections.namedtuple("Run", "code output errors files log")


# Files that a run of training writes several times, or that grow: each stage is a whole file. Those
# that are not the new run's are removed at its beginning, and with its first model what tells of an earlier one.
STAGES = re.compile(r"\.(ckpt|ckpt\.prev|best)\.safetensors$|\.metrics\.csv$")
REMOVED = re.compile(r"\.(ckpt\.prev|best)\.safetensors$")
OF_MODEL = re.compile(r"^(report\.html|curves\.svg|\w+\.png)$")


def alike(name, content, other):
    """Are they the same but for times and what follows from them?"""
    if name.endswith(".json"):
        return json.loads(content).keys() == json.loads(other).keys()
    skipped = 8 if name.endswith(".safetensors") else 0  # the length of the text that follows
    def beginning(text):  # numbers differ in length, too
        return re.sub(rb"[\d.]+(e[-+]?\d+)?", b"", text[skipped:4000])[:300]
    return is_whole(name, content) and beginning(content) == beginning(other)


class Case:
    """A command line, the files of an earlier run in OUT, and those that it leaves there."""

    def __init__(self, fire, name, arguments, old=None, reads=None, device=True):
        self.name, self.arguments, self.reads, self.device = name, arguments, reads, device
        self.old = old or {}
        self.expected = fire.run(self)
        again = fire.run(self)
        if self.expected.code != 0 or self.expected.log is None:
            sys.exit(f"{name} fails without a fault: {self.expected.errors}")
        self.calls = self.expected.log["calls"]
        self.prints = self.expected.output if again.output == self.expected.output else None
        self.varying = {name for name, content in self.expected.files.items() if again.files[name] != content}
        for file in self.varying:
            if not alike(file, again.files[file], self.expected.files[file]):
                sys.exit(f"{self.name}: two runs leave {file}s that are not alike")

    def faults(self):
        kills = [f"any:{n}:{when}" for n in range(1, self.calls["any"] + 1) for when in ("before", "after")]
        kills += [f"write:{n}:torn" for n in range(1, self.calls["write"] + 1)]
        return kills + [f"{kind}:{n}:{error}" for kind, errors in ERRORS.items()
                        for n in range(1, self.calls[kind] + 1) for error in errors]

    def is_new(self, name, content):
        new = self.expected.files.get(name)
        if content == new or (STAGES.search(name) and is_whole(name, content)):
            return True
        return name in self.varying and is_whole(name, content) and alike(name, content, new)

    def torn(self, files):
        """Names of files that are neither the old one nor the new one, and of those that are lost."""
        wrong = [name for name, content in files.items() if not LEFT_OVER.search(name)
                 and content != self.old.get(name) and not self.is_new(name, content)]
        return wrong + [f"{name} (lost)" for name in self.old if name not in files and not self.may_go(name, files)]

    def may_go(self, name, files):
        removed = REMOVED.search(name) or (OF_MODEL.search(name) and self.has_new_model(files))
        return self.arguments[0] == "train" and removed

    def has_new_model(self, files):
        return any(files.get(name) != content for name, content in self.old.items()
                   if name.endswith("cnn.safetensors"))

    def is_done(self, files):
        return all(name in files and self.is_new(name, files[name]) for name in self.expected.files)

    def says_all(self, output):
        """Is it what the command prints? What is measured differs from run to run."""
        return len(output) > 0 if self.prints is None else output == self.prints


class Fire:
    def __init__(self, command, shim, jobs):
        self.command, self.shim, self.jobs = command, shim, jobs
        self.scratch = tempfile.mkdtemp(prefix="cnn-cl-fire-")
        self.given = os.path.join(self.scratch, "given")
        make_data(os.path.join(self.given, "data"))
        self.count = collections.Counter()
        self.broken = []
        self.verbose = False

    def finish(self):
        shutil.rmtree(self.scratch)

    def words(self, case, out):
        words = [self.command, *case.arguments]
        return [word.replace("OUT", out).replace("GIVEN", self.given) for word in words]

    def run_in(self, case, folder, fault=None, before=()):
        """Runs it once, under the shim or behind other words; OUT is a folder below the given one."""
        out, log = os.path.join(folder, "out"), os.path.join(folder, "log")
        changes = {}
        if not before:
            below = case.reads.replace("GIVEN", self.given) if case.reads else out
            changes = {"LD_PRELOAD": self.shim, "CNN_FILE_BELOW": below, "CNN_FILE_LOG": log, "CNN_FILE_FAULT": fault}
        done = subprocess.run([*before, *self.words(case, out)], env=environment(**changes),
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        facts = None
        if os.path.exists(log):
            with open(log, encoding="utf-8") as file:
                facts = json.load(file)
            os.unlink(log)
        return Run(done.returncode, done.stdout, done.stderr, read_files(out), facts)

    def prepare(self, case):
        """A folder with the files of the earlier run in its "out"."""
        folder = tempfile.mkdtemp(dir=self.scratch)
        if case.old:
            os.mkdir(os.path.join(folder, "out"))
        for name, content in case.old.items():
            with open(os.path.join(folder, "out", name), "wb") as file:
                file.write(content)
        return folder

    def run(self, case, **more):
        folder = self.prepare(case)
        try:
            return self.run_in(case, folder, **more)
        finally:
            shutil.rmtree(folder)

    def say(self, case, what, problem, run):
        self.broken.append(f"{case.name} with {what}: {problem}; stderr: {run.errors[-300:]!r}")

    def judge_failure(self, case, run):
        """What is wrong with a run that was to go on after a fault, or None."""
        left = [name for name in run.files if LEFT_OVER.search(name)]
        torn = case.torn(run.files)
        if torn or left:
            return f"not whole: {torn}, left behind: {left}"
        if run.code == 0:
            if case.is_done(run.files) and case.says_all(run.output):
                return None
            return "not done, without a word"
        lines = [line for line in run.errors.splitlines() if line.startswith("cnn-cl: ")
                 and not line.startswith("cnn-cl: warning: ")]
        told = run.code == 1 and len(lines) == 1 and lines[0] == run.errors.splitlines()[-1]
        if not told:
            return f"exit code {run.code}, said {lines}"
        named = case.reads.replace("GIVEN", self.given) if case.reads else "/out"
        return None if named in lines[0] else f"names no file: {lines}"

    def judge_kill(self, case, run, next_run):
        if run.code != -9:
            return f"expected it to be killed, found exit code {run.code}"
        torn = case.torn(run.files)
        if torn:
            return f"not whole: {torn}"
        if next_run.code != 0 or not case.is_done(next_run.files):
            return f"the next run: exit code {next_run.code}, {next_run.errors[-200:]}"
        more = [name for name in next_run.files if name not in run.files and LEFT_OVER.search(name)]
        return f"the next run leaves {more}" if more else None

    def check(self, case, fault):
        folder = self.prepare(case)
        try:
            run = self.run_in(case, folder, fault=fault)
            killed = fault.split(":")[2] in ("before", "after", "torn")
            if killed:
                problem = self.judge_kill(case, run, self.run_in(case, folder))
            elif run.log is None or (run.log["failures"] == 0 and not fault.endswith("short")):
                problem = "the fault was not made"
            else:
                problem = self.judge_failure(case, run)
            self.count[case.name, "killed" if killed else "failed" if run.code else "right"] += 1
            if problem:
                self.say(case, fault, problem, run)
            elif self.verbose:
                print(f"{case.name} with {fault}: {run.code} {run.errors.splitlines()[-1:]}")
        except subprocess.TimeoutExpired:
            self.broken.append(f"{case.name} with {fault}: hangs")
        finally:
            shutil.rmtree(folder)

    def check_all(self, case, every):
        faults = case.faults()
        faults = faults[::min(every, max(1, len(faults) // FEWEST[case.device]))]
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(lambda fault: self.check(case, fault), faults))

    def judge_full(self, case, what, run):
        self.count[case.name, "failed" if run.code else "right"] += 1
        problem = self.judge_failure(case, run)
        if problem:
            self.say(case, what, problem, run)

    def limit_files(self, case):
        """RLIMIT_FSIZE: the kernel sends SIGXFSZ, too. A driver that compiles writes files of its own,
        which are smaller than LARGE."""
        sizes = sorted(len(content) for content in case.expected.files.values())
        limits = {LARGE} if case.device else {0, 1, sizes[0] // 2, sizes[-1] - 1}
        for limit in sorted(limit for limit in limits if limit < sizes[-1]):
            run = self.run(case, before=["prlimit", f"--fsize={limit}:{limit}"])
            self.judge_full(case, f"files of at most {limit} bytes", run)
            if run.code != 1:
                self.say(case, f"files of at most {limit} bytes", "it did not fail", run)

    def run_mounted(self, case, pages, read_only):
        """OUT is a tmpfs with so many pages beside its files, in a mount namespace of its own."""
        script = ('mount -t tmpfs -o size="$1" fire "$2" && cp -R "$3/." "$2" && { [ "$4" = no ] || '
                  'mount -o remount,ro "$2"; } || exit 99; shift; out=$1; kept=$2; shift 3; "$@"; code=$?; '
                  'rm -rf "$kept"; cp -R "$out" "$kept"; exit $code')
        folder = self.prepare(case)
        out, kept = os.path.join(folder, "out"), os.path.join(folder, "kept")
        os.makedirs(out, exist_ok=True)
        os.rename(out, kept)
        os.mkdir(out)
        taken = sum(len(content) // PAGE + 1 for content in case.old.values())
        try:
            words = [str((taken + pages) * PAGE), out, kept, "yes" if read_only else "no"]
            run = self.run_in(case, folder, before=[*self.unshare, "sh", "-c", script, "sh", *words])
            return run._replace(files=read_files(kept))
        finally:
            shutil.rmtree(folder)

    def find_unshare(self):
        """How to mount here, or None."""
        for words in (["unshare", "-m"], ["unshare", "-Urm"]):
            probe = [*words, "mount", "-t", "tmpfs", "-o", "size=4096", "fire", self.given]
            try:
                if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                    return words
            except FileNotFoundError:
                return None
        return None

    def fill_folder(self, case):
        for pages in (0, 2):
            self.judge_full(case, f"{pages} free pages", self.run_mounted(case, pages, False))
        run = self.run_mounted(case, 1000, True)
        self.judge_full(case, "a read-only folder", run)
        if run.code != 1 or run.files != case.old:
            self.say(case, "a read-only folder", "it did not fail, or changed a file", run)

    def limit_output(self, case):
        """Standard output on a full disk, and in a file that may not grow."""
        words, path = self.words(case, self.scratch), os.path.join(self.scratch, "output")
        self.check_output(case, "/dev/full", words, "/dev/full", "No space left")
        with open(path, "wb") as file:
            file.truncate(LARGE)
        limited = ["prlimit", f"--fsize={LARGE}:{LARGE}", *words]
        self.check_output(case, "a long output", limited, path, "File too large")
        os.unlink(path)

    def check_output(self, case, what, words, path, reason):
        with open(path, "ab") as file:
            done = subprocess.run(words, env=environment(), stdout=file, stderr=subprocess.PIPE, text=True,
                                  timeout=SECONDS, check=False)
        self.count[case.name, "failed"] += 1
        last = done.stderr.splitlines()[-1] if done.stderr else ""
        if done.returncode != 1 or not re.match(f"cnn-cl: standard output cannot be written: {reason}", last):
            self.broken.append(f"{case.name} with {what}: exit code {done.returncode}, said {last!r}")

    def must(self, *arguments):
        """A run without faults that makes what others are given."""
        words = [word.replace("GIVEN", self.given) for word in arguments]
        subprocess.run([self.command, "-q", *words], env=environment(), check=True, capture_output=True)


def make_cases(fire, beginning):
    data, model = ["--data", "GIVEN/data"], ["--model", "GIVEN/2/cnn.safetensors"]
    for seed in ("1", "2"):
        fire.must("train", *TRAIN, *data, "--out", "GIVEN/" + seed, "--seed", seed)
        for form in ("onnx", "npz"):
            fire.must("export", "--model", f"GIVEN/{seed}/cnn.safetensors", f"GIVEN/{seed}/model." + form)
    files, later = read_files(fire.given + "/1"), read_files(fire.given + "/2")
    run = {name: content for name, content in files.items() if not name.startswith("model.")}
    train = ["train", *TRAIN, *data, "--out", "OUT", "--seed", "2"]
    bench = ["bench", *model, "--batch", "16", "--steps", "1", "--eval", "--trace", "OUT/trace.json"]
    imported = ["import", "GIVEN/2/cnn.safetensors", "OUT/model.safetensors"]
    rows = {
        "train": {"arguments": train, "old": run},
        "train, a new folder": {"arguments": train},
        "train, going on": {"arguments": ["train", "--resume", "--epochs", "2", "--out", "OUT"], "old": run},
        LARGE_MODEL: {"arguments": [*train, "--hdims", "40000"]},
        "train, its data": {"arguments": train, "reads": "GIVEN/data"},
        "eval": {"arguments": ["eval", "--json", *model, *data], "reads": "GIVEN"},
        "predict": {"arguments": ["predict", *model, *data, "--grid", "OUT/grid.png"],
                    "old": {"grid.png": files["predictions.png"]}},
        "report": {"arguments": ["report", "OUT", *data],
                   "old": {**run, "cnn.safetensors": later["cnn.safetensors"]}},
        "bench": {"arguments": bench, "old": {"trace.json": b'{"displayTimeUnit":"ms","traceEvents":[]}\n'}},
        "import": {"arguments": imported, "old": {"model.safetensors": files["cnn.safetensors"]}, "device": False},
        "import, its file": {"arguments": imported, "reads": "GIVEN/2", "device": False,
                             "old": {"model.safetensors": files["cnn.safetensors"]}},
    }
    for form in ("onnx", "npz"):
        rows["export " + form] = {"arguments": ["export", *model, "OUT/model." + form], "device": False,
                                  "old": {"model." + form: files["model." + form]}}
    for name, row in rows.items():
        if name.startswith(beginning):
            yield Case(fire, name, **row)


def check_case(fire, case, every):
    if case.name != LARGE_MODEL:
        fire.check_all(case, every)
    if not case.reads:
        fire.limit_files(case)
    if fire.unshare and case.old and not case.reads:
        fire.fill_folder(case)
    if case.name == "eval":
        fire.limit_output(case)
    ends = [fire.count[case.name, end] for end in ("killed", "failed", "right")]
    print(f"{case.name}: {sum(ends)} faults (the shim knows {len(case.faults())}): {ends[0]} killed, {ends[1]} failed, "
          f"{ends[2]} with the right result", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("shim")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--case", help="only the cases whose names begin with this")
    parser.add_argument("--verbose", action="store_true", help="a line for each fault")
    options = parser.parse_args()
    fire = Fire(options.command, os.path.abspath(options.shim), options.jobs)
    fire.verbose = options.verbose
    fire.unshare = fire.find_unshare()
    if not fire.unshare:
        print("full and read-only folders are skipped: no tmpfs can be mounted here")
    try:
        for case in make_cases(fire, options.case or ""):
            check_case(fire, case, options.every)
    finally:
        fire.finish()
    for line in fire.broken:
        print(line, file=sys.stderr)
    return 1 if fire.broken or not fire.count else 0


if __name__ == "__main__":
    sys.exit(main())
