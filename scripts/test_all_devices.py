#!/usr/bin/env python3
"""Runs the tests of the suite `device` on every usable OpenCL device of this machine, each driver
in processes of its own, and Oclgrind's test; prints a matrix of tests and devices.

A CPU runs the kernels for CPUs and those for GPUs. Mesa's llvmpipe runs what it is fit for.
"""
import argparse
import contextlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile

import drivers

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
BEGIN, END = "<!-- test_all_devices.sh begins -->", "<!-- test_all_devices.sh ends -->"
LIMITED = "llvmpipe"  # meson.build says what it can run: "NAME on llvmpipe"
FOR_GPUS = " with kernels for GPUs"
UNDER_OCLGRIND = "kernels under Oclgrind"
SKIPPED = 77
TIME_LIMIT = 1800  # seconds


def parse(arguments):
    parser = argparse.ArgumentParser(prog="test_all_devices.sh", description=__doc__.split("\n\n")[0],
                                     epilog="A cell is the processor time of its test.")
    parser.add_argument("--icd", action="append", default=[], metavar="FILE",
                        help="a driver that is not installed, as an ICD file or a library: Intel's "
                             "libintelocl.so, say; may be given again")
    parser.add_argument("--device", metavar="PART", help="devices with this in name or platform only")
    parser.add_argument("--only", action="append", metavar="TEST", help="this test, may be given again")
    parser.add_argument("--output", metavar="FILE",
                        help="also write the columns into this page: docs/devices.md. Those of other "
                             "devices stay")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="the build folder")
    return parser.parse_args(arguments)


def read_tests(build):
    """name: test, of meson's suites `device` and `oclgrind`; only the programs of one device."""
    done = subprocess.run(["meson", "introspect", build, "--tests"], capture_output=True, text=True, check=True)
    tests = {}
    for test in json.loads(done.stdout):
        suites = {suite.split(":")[-1] for suite in test["suite"]}
        program = os.path.basename(test["cmd"][0]).startswith("test_")
        chooses = "OCL_ICD_VENDORS" in test["env"] or test["cmd"][1:] == ["two"]
        if "oclgrind" in suites or ("device" in suites and program and not chooses):
            tests[test["name"]] = {**test, "workdir": test.get("workdir") or build}  # as meson does
    return tests


def plain_names(tests):
    return [name for name in tests if " " not in name]


def runs_of(device, tests):
    """What is run on a device: (title of the column, {plain name: test}) for each kernel class."""
    title = drivers.title_of(device)
    if LIMITED in device["name"].lower():
        end = " on " + LIMITED
        limited = {name[:-len(end)]: test for name, test in tests.items() if name.endswith(end)}
        return [(title + ["kernels for GPUs"], limited)]
    plain = {name: tests[name] for name in plain_names(tests)}
    if device["type"] != "CPU":
        return [(title + ["kernels for GPUs"], plain)]
    for_gpus = {name[:-len(FOR_GPUS)]: test for name, test in tests.items() if name.endswith(FOR_GPUS)}
    return [(title + ["kernels for CPUs"], plain), (title + ["kernels for GPUs"], for_gpus)]


def run(test, environment):
    """(cell, what it printed where it failed)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(test["cmd"], env={**environment, **test["env"]}, cwd=test.get("workdir"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, code = process.communicate(timeout=TIME_LIMIT)[0], process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, code = process.communicate()[0] + b"\nno end in %d seconds" % TIME_LIMIT, None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = output.decode("utf-8", errors="replace")
    if code == 0:
        return f"ok {seconds:.0f} s", ""
    return ("skipped", "") if code == SKIPPED else (f"FAIL {seconds:.0f} s", f"exit code {code}\n{text[-3000:]}")


def run_column(title, chosen, environment):
    """{test: cell}; tells what happens on stderr."""
    cells = {}
    for name, test in chosen.items():
        cells[name], report = run(test, environment)
        print(f"{', '.join(title)}: {name}: {cells[name]}", file=sys.stderr, flush=True)
        if report:
            print(report, file=sys.stderr, flush=True)
    return cells


def list_devices(options, driver, environment):
    """Those that are wanted and usable. A driver that gives none of which it was asked for has failed."""
    try:
        found = drivers.devices(options.build, environment)
    except drivers.Broken as error:
        options.broken.append(f"{driver}: {error}")
        return []
    if not any(device["usable"] for device in found) and driver in map(os.path.abspath, options.icd):
        options.broken.append(f"{driver}: expected a driver of OpenCL with a usable device, found none: cnn-cl doctor says more")
    wanted_ones = [device for device in found
                   if (options.device or "").lower() in drivers.title_text(device).lower()]
    for device in wanted_ones:
        if not device["usable"]:
            print(f"{drivers.title_text(device)}: not usable: {device['reason']}", file=sys.stderr)
    return [device for device in wanted_ones if device["usable"]]


def measure(options, tests):
    """Yields a column when it is complete: (title, cells)."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        for driver in drivers.find(options.icd):
            environment = drivers.environment(driver, folder)
            for device in list_devices(options, driver, environment):
                environment["CNN_CL_DEVICE"] = f"{device['platform']}:{device['device']}"
                for title, chosen in runs_of(device, tests):
                    chosen = {name: test for name, test in chosen.items() if wanted(options, name)}
                    # The test's own choice of device is one of a machine where all drivers are loaded.
                    chosen = {name: {**test, "env": without_device(test["env"], title)}
                              for name, test in chosen.items()}
                    yield title, run_column(title, chosen, environment)
    if not options.device and shutil.which("oclgrind") and wanted(options, UNDER_OCLGRIND):
        yield run_oclgrind(tests)


def without_device(environment, title):
    """A test's environment on a device: the class of its kernels is the column's."""
    kernel_class = "cpu" if title[-1] == "kernels for CPUs" else "gpu"
    kept = {key: value for key, value in environment.items() if key not in ("CNN_CL_DEVICE", "RUSTICL_ENABLE")}
    return {**kept, "CNN_CL_KERNEL_CLASS": kernel_class}


def wanted(options, name):
    return not options.only or name in options.only


def run_oclgrind(tests):
    version = subprocess.run(["oclgrind", "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+(\.\d+)+", version)
    title = ["Oclgrind", f"driver {number.group() if number else 'unknown'}", "all kernels, tiny shapes"]
    chosen = {UNDER_OCLGRIND: tests[UNDER_OCLGRIND]} if UNDER_OCLGRIND in tests else {}
    return title, run_column(title, chosen, dict(os.environ))


def grid_text(rows, columns):
    """For the terminal: numbered columns, and what the numbers are."""
    width = max(len(row) for row in rows)
    cells = [max([len(f"[{i + 1}]")] + [len(cell) for cell in column.values()])
             for i, (_, column) in enumerate(columns)]
    lines = [f"[{i + 1}] {', '.join(title)}" for i, (title, _) in enumerate(columns)] + [""]
    heads = [f"[{i + 1}]".ljust(size) for i, size in enumerate(cells)]
    lines.append("  ".join(["".ljust(width)] + heads).rstrip())
    for row in rows:
        values = [column.get(row, "-").ljust(size) for (_, column), size in zip(columns, cells)]
        lines.append("  ".join([row.ljust(width)] + values).rstrip())
    return "\n".join(lines)


def split_row(line):
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read_table(text):
    """The columns of a page's table, as table_text() made it."""
    lines = [split_row(line) for line in text.splitlines() if line.startswith("|")]
    if len(lines) < 3:
        return []
    head, body = lines[0][1:], lines[2:]
    return [(title.split("<br>"), {row[0]: row[i + 1] for row in body if row[i + 1] != "-"})
            for i, title in enumerate(head)]


def table_text(rows, columns):
    lines = [["test"] + ["<br>".join(title) for title, _ in columns], ["---"] * (len(columns) + 1)]
    lines += [[row] + [cells.get(row, "-") for _, cells in columns] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def merge(columns, title, cells):
    """Cells take the place of those of the same title and test."""
    known = next((column for column in columns if column[0] == title), None)
    if known:
        known[1].update(cells)
    else:
        columns.append((title, cells))


def read_page(path):
    """(what stands before the table, its columns, what stands behind it)"""
    try:
        with open(path, encoding="utf-8") as file:
            page = file.read()
    except OSError as error:
        sys.exit(f"test_all_devices.sh: --output: {error}")
    if BEGIN not in page or END not in page:
        sys.exit(f"test_all_devices.sh: {path}: expected the lines {BEGIN} and {END}, found none: add them")
    start, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return page[:start], read_table(page[start:end]), page[end:]


def write_page(path, names, title, cells):
    """Puts a column into the table between the marks; the rest of the page is people's. Rows are in
    the order of the names."""
    before, columns, after = read_page(path)
    merge(columns, title, cells)
    rows = [name for name in names if any(name in known for _, known in columns)]
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{before}\n{table_text(rows, columns)}\n{after}")
    os.replace(path + ".new", path)


def main(arguments):
    options = parse(arguments)
    options.broken = []
    tests = read_tests(options.build)
    names = plain_names(tests) + [UNDER_OCLGRIND]
    rows = [name for name in names if wanted(options, name)]
    if not rows:
        sys.exit(f"test_all_devices.sh: --only: expected some of {', '.join(names)}, "
                 f"found {', '.join(options.only)}")
    if options.output:
        read_page(options.output)  # fails now rather than after the tests
    columns = []
    for title, cells in measure(options, tests):
        if cells:
            columns.append((title, cells))
        if cells and options.output:
            write_page(options.output, names, title, cells)
    for line in options.broken:
        print(f"test_all_devices.sh: {line}", file=sys.stderr)
    if not columns:
        sys.exit("test_all_devices.sh: no usable OpenCL device was found: cnn-cl --list-devices says why")
    print(grid_text(rows, columns))
    failed = any(cell.startswith("FAIL") for _, cells in columns for cell in cells.values())
    return 1 if failed or options.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
