#!/usr/bin/env python3
"""Measures what a second rank gains: two ranks beside one, two programs at once, and one of two threads, in turn.

scripts/bench.sh ranks builds cnn-cl and calls this. Each is `cnn-cl bench`, the trainer's own steps on random images; a
rank has one thread, and so has a program but the last. Of the rounds the best counts, for all alike. The machine
is to be idle.
"""
import argparse
import datetime
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile

import bench

BEGIN, END = "<!-- bench.sh ranks begins -->", "<!-- bench.sh ranks ends -->"
# Open MPI binds a rank, its threads and those that wait in it, to one core, and wants to be asked by root.
LAUNCHED = {"OMPI_MCA_hwloc_base_binding_policy": "none", "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
# name: options of the network, images a rank, steps of a measurement
NETWORKS = {"the notebook's": ([], 256, 60), "ResNet-20": (["--net", "resnet20"], 128, 6)}
LEAST_GAIN, LEAST_SHARE, MOST_SLOWER, MOST_EXPOSED = 1.9, 0.95, 1.03, 0.05


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh ranks", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--steps", type=int, help="in one measurement; default: 60, and 6 of ResNet-20")
    parser.add_argument("--device", help="cnn-cl's OpenCL device")
    parser.add_argument("--build", default=os.path.join(bench.ROOT, "build"), help="the build folder")
    parser.add_argument("--output", help="a page in which the table takes the place of the last one, docs/scaling.md, say")
    options = parser.parse_args(arguments)
    for name in ("rounds", "steps"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            parser.error(f"--{name}: expected 1 or more, found {getattr(options, name)}")
    options.launcher = shutil.which("mpirun")
    if not options.launcher:
        sys.exit("bench_ranks.py: expected mpirun, found none: run scripts/setup.sh --mpi")
    return options


def run(commands, threads):
    """What each of the commands, which run at once, says as JSON."""
    environment = {**os.environ, **LAUNCHED, "POCL_MAX_PTHREAD_COUNT": str(threads)}
    with tempfile.TemporaryFile("w+") as errors:
        programs = [subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                                     env=environment) for command in commands]
        outputs = [program.communicate()[0] for program in programs]
        if any(program.returncode for program in programs):
            errors.seek(0)
            sys.exit(f"bench_ranks.py: {shlex.join(commands[0])}: it failed: {errors.read()[-2000:]}")
    return [json.loads(output) for output in outputs]


def measure(network, options):
    """{what: {"speed": images/s, and of two ranks "exposed": of a step}}, of the best round each."""
    words, images, steps = NETWORKS[network]
    device = ["--device", options.device] if options.device else []

    def command(batch, *more):
        return [os.path.join(options.build, "src", "cli", "cnn-cl"), *device, "bench", "--json", *words, "--batch", str(batch),
                "--steps", str(options.steps or steps), *more]

    alone, ranks = command(images, "--slices", "1"), [options.launcher, "-n", "2", *command(2 * images)]
    ways = {"one": ([alone], 1), "ranks": ([ranks], 1), "two": ([alone, alone], 1),
            "threads": ([command(2 * images, "--slices", "1")], 2)}
    best = {}
    for number in range(options.rounds):
        for way, (commands, threads) in ways.items():
            said = run(commands, threads)
            result = {"speed": sum(one["images_per_second"] for one in said), "exposed": said[0]["exposed_share"]}
            print(f"{network}, round {number + 1} of {options.rounds}, {way}: {result['speed']:.0f} images/s", file=sys.stderr)
            best[way] = max(best.get(way, result), result, key=lambda one: one["speed"])
    return best


def judge(best):
    """What is asked of two ranks, what was found, and whether that is enough."""
    speed = {way: result["speed"] for way, result in best.items()}
    gain, share, slower = (speed["ranks"] / speed["one"], speed["ranks"] / speed["two"], speed["threads"] / speed["ranks"])
    exposed = best["ranks"]["exposed"]
    return [(f"{LEAST_GAIN}x of one rank, or {LEAST_SHARE:.0%} of two programs", f"{gain:.2f}x, {share:.1%}",
             gain >= LEAST_GAIN or share >= LEAST_SHARE),
            (f"at most {MOST_SLOWER - 1:.0%} slower than one program of two threads", f"{slower - 1:+.1%}",
             slower <= MOST_SLOWER),
            (f"exposed communication below {MOST_EXPOSED:.0%} of a step", f"{exposed:.1%}", exposed < MOST_EXPOSED)]


def describe_run(name, arguments):
    """When, where and by which command."""
    cpu = bench.read_field("/proc/cpuinfo", r"^model name\s*: (.*)$") or platform.machine()
    words = shlex.join(["scripts/bench.sh", name, *(bench.tell_path(word) for word in arguments)])
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {cpu}, {os.cpu_count()} CPUs, `{words}`"


def main(arguments):
    options = parse(arguments)
    results = {network: measure(network, options) for network in NETWORKS}
    lines = [f"{describe_run('ranks', arguments)}: images/s of the best of {options.rounds} rounds, in turn.", "",
             "| network, images a rank | one rank | 2 ranks | two programs at once | one program, two threads |",
             "| --- | ---: | ---: | ---: | ---: |"]
    for network, best in results.items():
        cells = " | ".join(f"{best[way]['speed']:.0f}" for way in ("one", "ranks", "two", "threads"))
        lines.append(f"| {network}, {NETWORKS[network][1]} | {cells} |")
    lines += ["", "| network | asked of 2 ranks | found | |", "| --- | --- | ---: | --- |"]
    verdicts = [(network, *verdict) for network, best in results.items() for verdict in judge(best)]
    lines += [f"| {network} | {asked} | {found} | {'yes' if good else 'no'} |" for network, asked, found, good in verdicts]
    text = "\n".join(lines)
    print(text)
    if options.output:
        bench.write_page(options.output, text, BEGIN, END)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
