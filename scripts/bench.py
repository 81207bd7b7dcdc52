#!/usr/bin/env python3
"""Measures cnn-cl and PyTorch in turn, A B A B, on the same work and number of threads.

scripts/bench.sh builds what is measured and calls this. Each program runs in a process of its own,
pinned to as many CPUs as it has threads, and tells the median of its repeats; of the rounds, the
best counts, for both sides alike.
"""
import argparse
import datetime
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
BEGIN, END = "<!-- bench.sh begins -->", "<!-- bench.sh ends -->"
MNIST_FILE = "train-images-idx3-ubyte"
SIDES = ["cnn-cl", "nchw", "channels_last"]
ONNX = "onnxruntime"  # asked for by name: evaluation alone
TITLES = {"nchw": "notebook's loop", "channels_last": "PyTorch at its best", ONNX: "ONNX Runtime"}
NEWER = "newer "  # before the sides of a second PyTorch

LARGE = {"xdim": "3,32,32", "cdims": "32,64,128", "hdims": "128"}
# name: title, options of the network. "job" is the command itself.
ROWS = {
    "job": ("the whole main job", {}),
    "default": ("the default network", {}),
    "dropout0": ("`--dropout 0`", {"dropout": "0"}),
    "batchnorm": ("`--batchnorm`", {"batchnorm": "true"}),
    "large": ("`--xdim 3,32,32 --cdims 32,64,128 --hdims 128`", LARGE),
    "large-batchnorm": ("the same with `--batchnorm`", {**LARGE, "batchnorm": "true"}),
    "ksize5": ("`--ksize 5`", {"ksize": "5"}),
    "cifar94": ("`--net cifar94`, batch 256", {"net": "cifar94", "batch": 256, "steps": 3, "eval-images": 512}),
    "resnet20": ("`--net resnet20`, batch 128",
                 {"net": "resnet20", "batch": 128, "steps": 3, "eval-images": 512}),
    "resnet18": ("`--net resnet18`, batch 16",
                 {"net": "resnet18", "batch": 16, "steps": 2, "eval-images": 48}),
    "mobilenet_v2": ("`--net mobilenet_v2`, batch 16",
                     {"net": "mobilenet_v2", "batch": 16, "steps": 2, "eval-images": 48}),
    "lenet5": ("`--net lenet5`", {"net": "lenet5"}),
    "mnist_example": ("`--net mnist_example`", {"net": "mnist_example"}),
    "mlp": ("`--cdims none --hdims 256,128`", {"cdims": "none", "hdims": "256,128"}),
}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=list(ROWS), metavar="ROW",
                        help="this row, may be given again: " + ", ".join(ROWS))
    parser.add_argument("--sides", default=",".join(SIDES), help="default: %(default)s; also onnxruntime")
    parser.add_argument("--rounds", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))),
                        help="of both sides; default: %(default)s")
    parser.add_argument("--steps", type=int, default=20, help="in one measurement; default: 20")
    parser.add_argument("--repeats", type=int, default=3, help="of a measurement; default: 3")
    parser.add_argument("--epochs", type=int, default=10, help="of the main job; default: 10")
    parser.add_argument("--job-rounds", type=int, default=1, help="of the main job; default: 1")
    parser.add_argument("--quick", action="store_true",
                        help="one round of a few steps and one epoch: rough figures")
    parser.add_argument("--data", default=os.path.join(ROOT, "data", "mnist"),
                        help="MNIST for the rows of its shape; random images where it is not there")
    parser.add_argument("--device", help="cnn-cl's OpenCL device")
    parser.add_argument("--python", help="a Python with another PyTorch")
    parser.add_argument("--newer-python", help="a Python with a second PyTorch, measured beside the first")
    parser.add_argument("--no-scaling", action="store_true", help="leave the table of 2, 4 and 8 times the work out")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="the build folder")
    parser.add_argument("--output", help="default: docs/benchmarks.md, or none with --quick, --only, --sides")
    options = parser.parse_args(arguments)
    options.sides = options.sides.split(",")
    for side in options.sides:
        if side not in [*SIDES, ONNX]:
            parser.error(f"--sides: expected some of {', '.join([*SIDES, ONNX])}, found '{side}'")
    for name in ["rounds", "job_rounds", "threads", "steps", "repeats", "epochs"]:
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: expected 1 or more, found {getattr(options, name)}")
    whole = not options.quick and not options.only and options.sides == SIDES
    if options.output is None and whole:
        options.output = os.path.join(ROOT, "docs", "benchmarks.md")
    if options.newer_python:
        options.sides += [NEWER + side for side in options.sides if side in SIDES[1:]]
    options.scaling = whole and not options.no_scaling
    if options.quick:
        options.rounds, options.steps, options.repeats, options.epochs = 1, 5, 1, 1
    return options


def find_python(named):
    """A Python that has PyTorch: the one that was named, the first in PATH, the system's own."""
    candidates = [named] if named else ["python3", "/usr/bin/python3"]
    for python in candidates:
        try:
            if subprocess.run([python, "-c", "import torch, numpy"], capture_output=True).returncode == 0:
                return python
        except OSError:
            continue
    sys.exit(f"bench.py: expected PyTorch and NumPy in {' or '.join(candidates)}, found none; "
             "install python3-torch, or name another with --python")


def has_mnist(directory):
    return any(os.path.isfile(os.path.join(directory, MNIST_FILE + end)) for end in ["", ".gz"])


def run(command, options):
    """(standard output, seconds, peak memory in MB) of a command on the chosen CPUs, or None."""
    cpus = sorted(os.sched_getaffinity(0))[: options.threads]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"]:
        environment[name] = str(options.threads)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                   env=environment,
                                   preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode == 0:
            return output.read(), seconds, usage.ru_maxrss / 1024
        print(f"bench.py: {shlex.join(command)}: exit status {process.returncode}", file=sys.stderr)
        print(errors.read()[-2000:], file=sys.stderr)
        return None


def pairs(values):
    return [word for key, value in values.items() for word in (f"--{key}", str(value))]


def torch_command(side, options, pythons):
    """PyTorch's program for a side: "nchw" of the first Python, "newer nchw" of the second."""
    newer = side.startswith(NEWER)
    return [pythons[newer], os.path.join(ROOT, "scripts", "bench_torch.py"),
            *pairs({"layout": side.removeprefix(NEWER), "threads": options.threads})]


def write_network(folder, network, options):
    """The files of a network for the other sides: {"net": its text, "model": as ONNX}; none for a side that
    makes its network of options."""
    program = os.path.join(options.build, "tests", "bench_step")
    named = {key: network[key] for key in network if key not in ("batch", "steps", "eval-images")}
    files = {"net": ("text", os.path.join(folder, "net.net")), "model": ("onnx", os.path.join(folder, "net.onnx"))}
    for option, path in files.values():
        run([program, *pairs({**named, option: path})], options)
    return {key: path for key, (_, path) in files.items()}


def other_command(side, values, files, options, pythons):
    """The command of a side that is not ours."""
    values = dict(values)
    if side == ONNX:
        given = {key: values[key] for key in ("batch", "repeats", "eval-images") if key in values}
        return [pythons[1] or pythons[0], os.path.join(ROOT, "scripts", "bench_onnx.py"),
                *pairs({"model": files["model"], "threads": options.threads, **given})]
    if "net" in values:
        values["net"] = files["net"]
    return torch_command(side, options, pythons) + pairs(values)


def measure_job(side, options, pythons):
    """The main job on one side: seconds and MB of its whole process."""
    if side == "cnn-cl":
        with tempfile.TemporaryDirectory() as out:
            device = ["--device", options.device] if options.device else []
            done = run([os.path.join(options.build, "src", "cli", "cnn-cl"), *device, "train",
                        *pairs({"epochs": options.epochs, "data": options.data, "out": out})], options)
    else:
        done = run(torch_command(side, options, pythons)
                   + pairs({"epochs": options.epochs, "data": options.data}), options)
    if done is None:
        return None
    facts = {} if side == "cnn-cl" else json.loads(done[0].splitlines()[-1])
    return {**facts, "seconds": done[1], "peak_rss_mb": done[2]}


def measure_steps(side, network, options, pythons):
    """Training steps and evaluation of one network on one side: what its program printed."""
    values = {"steps": options.steps, "repeats": options.repeats,
              "eval-images": 1280 if options.quick else 10000, **network}
    if "xdim" not in network and "net" not in network and has_mnist(options.data):
        values["data"] = options.data
    if side == "cnn-cl":
        if options.device:
            values["device"] = options.device
        done = run([os.path.join(options.build, "tests", "bench_step"), *pairs(values)], options)
    else:
        with tempfile.TemporaryDirectory() as folder:
            files = write_network(folder, network, options) if "net" in network or side == ONNX else {}
            done = run(other_command(side, values, files, options, pythons), options)
    return json.loads(done[0].splitlines()[-1]) if done else None


def rounds_of(row, options):
    return options.job_rounds if row == "job" else options.rounds


def measure(options, pythons):
    """{row: {side: [the result of each round]}}"""
    results = {}
    for row in options.only or ROWS:
        if row == "job" and not has_mnist(options.data):
            print("bench.py: the main job is left out: no MNIST; see scripts/fetch_mnist.sh", file=sys.stderr)
            continue
        results[row] = {side: [] for side in options.sides}
        rounds = rounds_of(row, options)
        for round_number in range(rounds):
            for side in options.sides:
                if side == ONNX and row == "job":
                    continue
                print(f"{row}, round {round_number + 1} of {rounds}: {side}", file=sys.stderr)
                if row == "job":
                    result = measure_job(side, options, pythons)
                else:
                    result = measure_steps(side, ROWS[row][1], options, pythons)
                if result:
                    print("  " + ", ".join(f"{key} {value:.4g}" for key, value in result.items()
                                           if isinstance(value, (int, float))), file=sys.stderr)
                    results[row][side].append(result)
    return results


def best(results, key):
    """The best round, or None."""
    return min((result[key] for result in results if key in result), default=None)


def table_row(title, sides, key, digits):
    """One line: the values of all sides, then the ratios of the others to ours."""
    values = {side: best(results, key) for side, results in sides.items()}
    ours = values.pop("cnn-cl", None)
    cells = ["-" if value is None else f"{value:.{digits}f}" for value in [ours, *values.values()]]
    cells += [f"{value / ours:.2f}x" if ours and value is not None else "-" for value in values.values()]
    return f"| {title} | " + " | ".join(cells) + " |"


def side_titles(results, options):
    """What the columns of the other sides are called: with the version where there are two."""
    titles = {}
    for side in options.sides:
        if side != "cnn-cl":
            facts = [fact for sides in results.values() for fact in sides[side]]
            version = f", {facts[0]['torch']}" if facts and options.newer_python else ""
            titles[side] = TITLES[side.removeprefix(NEWER)] + version
    return titles


def make_table(results, options):
    others = side_titles(results, options).values()
    columns = ["batch 256", "cnn-cl", *others, *(f"ratio to {title}" for title in others)]
    lines = ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]
    for row, sides in results.items():
        title = ROWS[row][0]
        if row == "job":
            lines.append(table_row(f"{title}, {options.epochs} epochs, seconds", sides, "seconds", 1))
        else:
            lines.append(table_row(f"training step, {title}, ms", sides, "train_ms_per_step", 2))
            lines.append(table_row(f"evaluation of a batch, {title}, ms", sides, "eval_ms_per_batch", 2))
        lines.append(table_row(f"peak memory, {title}, MB", sides, "peak_rss_mb", 0))
    return "\n".join(lines)


def dense_work(factor):
    """Multiplications of an image in two convolutions of 16 channels times the factor, and after them."""
    channels = 16 * factor
    return 784 * 9 * channels + 196 * 9 * channels * channels + 49 * channels * 32


# What grows: title, options of tests/bench_step, and the work beside that at 1x.
SCALING = {
    "channels": ("channels (`--cdims 16,16 --dropout 0` at 1x)",
                 lambda factor: {"cdims": f"{16 * factor},{16 * factor}", "dropout": "0"},
                 lambda factor: dense_work(factor) / dense_work(1)),
    "images": ("a pass over images (2,560 at 1x)",
               lambda factor: {"steps": 10 * factor, "eval-images": 2560 * factor}, lambda factor: factor),
    "batch": ("batch (64 at 1x)", lambda factor: {"batch": 64 * factor}, lambda factor: factor),
}
FACTORS = [1, 2, 4, 8]
KEYS = {"train_ms_per_step": "training", "eval_ms_per_batch": "evaluation"}


def measure_scaling(options):
    """{what: {key: [milliseconds at each factor]}} of cnn-cl alone, on random images."""
    results = {}
    for what, (_, values_at, _) in SCALING.items():
        for factor in FACTORS:
            print(f"scaling, {what}: {factor}x", file=sys.stderr)
            values = {"xdim": "1,28,28", "eval-images": 2560, **values_at(factor)}
            result = measure_steps("cnn-cl", values, options, None)
            batches = values["steps"] if what == "images" else 1
            for key in KEYS:
                times = results.setdefault(what, {}).setdefault(key, [])
                times.append(result[key] * batches if result else None)
    return results


def scaling_table(results):
    lines = ["| milliseconds | " + " | ".join(f"{factor}x" for factor in FACTORS)
             + " | time, 8x / 1x | work, 8x / 1x |", "| --- |" + " ---: |" * (len(FACTORS) + 2)]
    for what, times in results.items():
        title, _, work = SCALING[what]
        for key, name in KEYS.items():
            values = times[key]
            cells = ["-" if value is None else f"{value:.2f}" for value in values]
            cells.append(f"{values[-1] / values[0]:.1f}" if None not in values else "-")
            cells.append(f"{work(FACTORS[-1]):.1f}")
            lines.append(f"| {name}, {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def read_field(path, pattern):
    try:
        with open(path, encoding="utf-8") as file:
            match = re.search(pattern, file.read(), re.MULTILINE)
            return match.group(1) if match else None
    except OSError:
        return None


def tell_path(word):
    """A path of this machine is nobody else's: a Python is named by its last part."""
    word = word.replace(os.path.expanduser("~"), "~").replace(ROOT + os.sep, "")
    return os.path.basename(word) if word.startswith(os.sep) else word


def describe(results, options, arguments):
    """Machine, versions, command and date, as a list."""
    cpu = read_field("/proc/cpuinfo", r"^model name\s*: (.*)$") or platform.machine()
    system = read_field("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)') or platform.system()
    facts = [result for sides in results.values() for side in sides.values() for result in side]
    ours = next((fact for fact in facts if "driver" in fact), None)
    torch = list(dict.fromkeys(fact["torch"] for fact in facts if "torch" in fact))
    words = [tell_path(word) for word in arguments]
    images = "MNIST" if has_mnist(options.data) else "random images"
    lines = [
        f"- date: {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}",
        f"- machine: {cpu}, {options.threads} of {os.cpu_count()} CPUs; {system}",
        f"- cnn-cl: {ours['platform']}, {ours['device']}, driver {ours['driver']}" if ours else None,
        f"- PyTorch {' and '.join(torch)}, {options.threads} threads" if torch else None,
        f"- command: `{shlex.join(['scripts/bench.sh'] + words)}`",
        f"- {images} (random images for `--xdim 3,32,32`); median of {options.repeats} times {options.steps} steps "
        f"after a warm-up, best of {options.rounds} rounds ({options.job_rounds} of the main job)",
    ]
    return "\n".join(line for line in lines if line)


def write_page(path, text, mark=BEGIN, end_mark=END):
    """Replaces what stands between the marks; the rest of the page is people's."""
    block = f"{mark}\n{text}\n{end_mark}"
    try:
        with open(path, encoding="utf-8") as file:
            page = file.read()
    except FileNotFoundError:
        page = f"# Benchmarks\n\n{mark}\n{end_mark}\n"
    if mark not in page or end_mark not in page:
        page = page.rstrip("\n") + f"\n\n{mark}\n{end_mark}\n"
    start, end = page.index(mark), page.index(end_mark) + len(end_mark)
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(page[:start] + block + page[end:])
    os.replace(path + ".new", path)


def main(arguments):
    options = parse(arguments)
    pythons = [None, None]
    if options.sides != ["cnn-cl"]:
        pythons = [find_python(options.python),
                   find_python(options.newer_python) if options.newer_python else None]
    results = measure(options, pythons)
    text = describe(results, options, arguments) + "\n\n" + make_table(results, options)
    if options.scaling:
        text += "\n\nThe same work, 2, 4 and 8 times as much of it (cnn-cl alone):\n\n"
        text += scaling_table(measure_scaling(options))
    print(text)
    if options.output:
        write_page(options.output, text)
    done = [len(rounds) == rounds_of(row, options)
            for row, sides in results.items() for rounds in sides.values()]
    return 0 if done and all(done) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
