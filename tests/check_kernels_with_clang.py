#!/usr/bin/env python3
"""Compiles every program that the library builds for some networks as OpenCL C 1.2 with clang, for
no device: without any extension, a double among them, and without a warning. A kernel file that
none of the networks wants is a failure, too: check_kernels_with_clang.py KERNELS PROGRAM"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# What takes an address for 32 bits is told apart from what takes it for 64.
TARGETS = ["spir-unknown-unknown", "spir64-unknown-unknown"]
WARNINGS = ["-Werror", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wdouble-promotion", "-Wundef"]
# A program has the functions of all its includes, and calls those it wants.
WARNINGS += ["-Wno-unused-function"]

KERNEL = re.compile(r"^kernel void \w+\(", re.MULTILINE)


def compile_with_clang(path, options, target):
    """The diagnostics: empty where there are none."""
    command = ["clang", "-x", "cl", "-fsyntax-only", "-target", target, "-Xclang", "-cl-ext=-all"]
    done = subprocess.run([*command, *WARNINGS, *options, path], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def main():
    kernels, program = sys.argv[1:3]
    if shutil.which("clang") is None:
        print("skipped: no clang")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        listed = subprocess.run([program, folder], stdout=subprocess.PIPE, text=True, check=True)
        programs = {}
        for line in listed.stdout.splitlines():
            name, file, *options = line.split()
            programs[file, *options] = pathlib.Path(folder, name)
        failed = 0
        for (file, *options), path in programs.items():
            for target in TARGETS:
                report = compile_with_clang(path, options, target)
                failed += bool(report)
                if report:
                    print(f"{file}, {' '.join(options)}, {target}:\n{report}")
    wanted = {file.name for file in pathlib.Path(kernels).glob("*.cl") if KERNEL.search(file.read_text())}
    missing = wanted - {file for file, *_ in programs}
    print(f"{len(programs)} programs of {len(wanted)} kernel files, {failed} diagnosed; "
          f"not built: {', '.join(sorted(missing)) or 'none'}")
    return 1 if failed or missing or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
