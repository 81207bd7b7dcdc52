#!/usr/bin/env python3
"""The same seed on two OpenCL platforms, each in a process of its own: the same initial weights,
shuffled batches and dropout masks, bit for bit, and the losses of the first 100 training steps
within a tolerance. Skipped where the machine has one: check_two_platforms.py BUILD PROGRAM
CNN_TEST_DRIVERS: more drivers than are installed, ICD files or libraries, a colon between two."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))
import drivers  # noqa: E402

SKIPPED = 77
LOSSES = 200  # of two trainings
# A loss may be off by this, relative to itself or 1: rounding, which a training makes larger.
TOLERANCE = 1e-4


def draws_of(program, variables):
    """{what: value}: a checksum, or a loss as a number."""
    done = subprocess.run([program], env=variables, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout[-2000:]}\n{program}: exit code {done.returncode}")
    lines = [line.split() for line in done.stdout.splitlines()]
    return {line[0]: line[1] for line in lines if len(line) == 2}


def one_device_of_each(build, folder):
    """[(title, environment)] of the platforms."""
    found = {}
    more = [path for path in os.environ.get("CNN_TEST_DRIVERS", "").split(":") if path]
    for driver in drivers.find(more):
        variables = drivers.environment(driver, folder)
        for device in drivers.devices(build, variables):
            if device["usable"] and device["platform_name"] not in found:
                chosen = {**variables, "CNN_CL_DEVICE": f"{device['platform']}:{device['device']}"}
                found[device["platform_name"]] = (drivers.title_text(device), chosen)
    return list(found.values())


def compare(first, second):
    """The differences in words, and the largest of a loss."""
    wrong, largest = [], 0.0
    losses = 0
    for what in sorted(first.keys() | second.keys()):
        a, b = first.get(what), second.get(what)
        if what.startswith("loss-") and a and b:
            losses += 1
            error = abs(float(a) - float(b)) / max(1.0, abs(float(a)))
            largest = max(largest, error)
            # Not a number is wrong, too.
            if not error <= TOLERANCE:
                wrong.append(f"{what}: {a} and {b}")
        elif a != b:
            wrong.append(f"{what}: {a} and {b}")
    if losses != LOSSES:
        wrong.append(f"expected {LOSSES} losses, found {losses}")
    return wrong, largest


def main():
    build, program = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        platforms = one_device_of_each(build, folder)
        if len(platforms) < 2:
            print("skipped: one OpenCL platform is here:", *(title for title, _ in platforms))
            return SKIPPED
        draws = [draws_of(program, variables) for _, variables in platforms]
    failed = False
    for (title, _), drawn in zip(platforms[1:], draws[1:]):
        wrong, largest = compare(draws[0], drawn)
        failed = failed or bool(wrong)
        same = sum(draws[0][what] == drawn.get(what) for what in draws[0] if not what.startswith("loss-"))
        print(f"{platforms[0][0]} and {title}: {same} checksums are the same, losses differ by {largest:.1e} at most")
        print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
