#!/usr/bin/env python3
"""Compiles every program that the library builds for some networks as OpenCL C 1.2 with clang, for
no device: without any extension, a double among them, and without a warning. A kernel file that
none of the networks wants is a failure, too. What cl/builtins.cl declares makes the same code as
clang's own header. The 32-bit target and that comparison take one program of each kernel file, class, exactness
and function; with CNN_TEST_SWEEP=all, every one: check_kernels_with_clang.py KERNELS PROGRAM"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# What takes an address for 32 bits is told apart from what takes it for 64.
TARGETS = ["spir64-unknown-unknown", "spir-unknown-unknown"]
WARNINGS = ["-Werror", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wdouble-promotion", "-Wundef"]
# A program has the functions of all its includes, and calls those it wants.
WARNINGS += ["-Wno-unused-function"]

# What pocl hands to clang, with the header and without it.
WITH_HEADER = ["-include", "opencl-c.h"]
WITHOUT = ["-include", "opencl-c-base.h", "-D_OPENCL_H_", "-DOWN_BUILTINS"]

KERNEL = re.compile(r"^kernel void \w+\(", re.MULTILINE)


def compile_with_clang(path, options, target):
    """The diagnostics: empty where there are none."""
    command = ["clang", "-x", "cl", "-fsyntax-only", "-target", target, "-Xclang", "-cl-ext=-all"]
    done = subprocess.run([*command, *WARNINGS, *options, path], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def code_of(path, options, built_ins):
    """LLVM's code before any optimisation, or what clang said."""
    command = ["clang", "-x", "cl", "-cl-std=CL1.2", "-w", "-target", "spir64-unknown-unknown", "-cl-no-stdinc",
               *built_ins, "-S", "-emit-llvm", "-Xclang", "-disable-llvm-passes", "-o", "-", *options, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else done.stderr


def has_same_code(path, options):
    own, header = (code_of(path, options, built_ins) for built_ins in (WITHOUT, WITH_HEADER))
    return "define " in own and own == header


def main():
    kernels, program = sys.argv[1:3]
    if shutil.which("clang") is None:
        print("skipped: no clang")
        return 77
    sweep = os.environ.get("CNN_TEST_SWEEP") == "all"
    with tempfile.TemporaryDirectory() as folder:
        listed = subprocess.run([program, folder], stdout=subprocess.PIPE, text=True, check=True)
        programs = {}
        for line in listed.stdout.splitlines():
            name, file, *options = line.split()
            options = [word for word in options if word not in WITHOUT]
            programs[file, *options] = pathlib.Path(folder, name)
        failed, compared = 0, set()
        for (file, *options), path in programs.items():
            variant = file, *(word for word in options if re.match("-D(CNN_CPU|EXACT|FUNCTION|KIND)", word))
            is_first = sweep or variant not in compared
            compared.add(variant)
            for target in TARGETS[:len(TARGETS) if is_first else 1]:
                report = compile_with_clang(path, options, target)
                failed += bool(report)
                if report:
                    print(f"{file}, {' '.join(options)}, {target}:\n{report}")
            if is_first and not has_same_code(path, options):
                failed += 1
                print(f"{file}, {' '.join(options)}: another code with what cl/builtins.cl declares")
    wanted = {file.name for file in pathlib.Path(kernels).glob("*.cl") if KERNEL.search(file.read_text())}
    missing = wanted - {file for file, *_ in programs}
    print(f"{len(programs)} programs of {len(wanted)} kernel files, {failed} diagnosed; "
          f"not built: {', '.join(sorted(missing)) or 'none'}")
    return 1 if failed or missing or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
