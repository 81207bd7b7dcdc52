#!/usr/bin/env python3
"""Runs a program that runs every kernel under Oclgrind, once with the kernels for CPUs and once with
those for GPUs; looks for races, accesses out of bounds, memory that was never written and wrong
calls. Fails on any report, and where a kernel was not run: check_with_oclgrind.py KERNELS PROGRAM"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CHECKS = ["--data-races", "--uninitialized", "--check-api", "--inst-counts"]
# Its interpreter does not know what optimised code is made of: "Unsupported instruction: freeze".
CHECKS += ["--build-options", "-cl-opt-disable"]

# Wrong calls are told on stderr. Asking a device whether it tells its PCI address is no wrong call.
API_ERROR = re.compile(r"Oclgrind - OpenCL runtime error detected\n(?:\t.*\n)*")
ASKING = "Function: clGetDeviceInfo\n\tError:    CL_INVALID_VALUE\n\tFor argument 'param_name'"

KERNEL = re.compile(r"^kernel void (\w+)\(", re.MULTILINE)
RUN = re.compile(r"^Instructions executed for kernel '(\w+)'", re.MULTILINE)
CHECK = re.compile(r"^\d+%: Checks: .*$", re.MULTILINE)


def run(program, kernel_class):
    """The kernels that ran; None where there was a report."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "oclgrind.log")
        done = subprocess.run(
            ["oclgrind", *CHECKS, "--log", log, program],
            env=dict(os.environ, CNN_CL_KERNEL_CLASS=kernel_class),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Its exit code is the program's: the reports are in the log.
        report = ""
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as file:
                report = file.read().strip()
    wrong_calls = [error for error in API_ERROR.findall(done.stderr) if ASKING not in error]
    summary = CHECK.findall(done.stdout)
    print(f"{kernel_class}:", *summary)
    if done.returncode == 0 and summary and not report and not wrong_calls:
        return set(RUN.findall(done.stdout))
    print(done.stdout[-2000:], done.stderr[-2000:], report[:20000], *wrong_calls, sep="\n")
    return None


def main():
    kernels, program = sys.argv[1:3]
    if shutil.which("oclgrind") is None:
        print("skipped: no Oclgrind")
        return 77
    ran = [run(program, kernel_class) for kernel_class in ("cpu", "gpu")]
    if None in ran:
        return 1
    wanted = {
        name for file in pathlib.Path(kernels).glob("*.cl") for name in KERNEL.findall(file.read_text())
    }
    missing = wanted - set.union(*ran)
    print(f"{len(wanted)} kernels, not run: {', '.join(sorted(missing)) or 'none'}")
    return 1 if missing or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
