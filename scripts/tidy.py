#!/usr/bin/env python3
"""clang-tidy on each .c file below src/, a process for each processor: tidy.py BUILD_DIR [deep]

Its analyzer ends a function after 15,000 states; "deep": after 225,000, as it does by itself, which takes five times as
long. What passed is remembered in BUILD_DIR/lint-passed, and is left out as long as all stays that clang-tidy sees: the
file, what it includes (as Ninja found), how it is compiled, .clang-tidy, and clang-tidy itself. Prints what it
finds, and fails where that is anything."""
import collections
import concurrent.futures
import glob
import hashlib
import json
import os
import subprocess
import sys

SHALLOWER = ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=15000")


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


class Tidy:
    def __init__(self, build, deep=False):
        self.build = build
        self.folder = os.path.join(build, "lint-passed-deep" if deep else "lint-passed")
        self.options = [] if deep else [f"--extra-arg={word}" for word in SHALLOWER]
        self.digests = {}
        self.common = output_of("clang-tidy", "--version") + self.digest(".clang-tidy") + " ".join(self.options)
        self.commands = collections.defaultdict(list)
        with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
            for entry in json.load(file):
                self.commands[os.path.realpath(os.path.join(entry["directory"], entry["file"]))].append(entry)
        self.includes = self.read_includes()

    def read_includes(self):
        """{object: files that it was made from}. Lines: `OBJECT: #deps N, ... (VALID)`, and a file in each below."""
        includes, files = {}, []
        for line in output_of("ninja", "-C", self.build, "-t", "deps").splitlines():
            if ": #deps " in line:
                files = includes[line.split(": #deps ")[0]] = []
            elif line.startswith("    "):
                files.append(os.path.join(self.build, line.strip()))
        return includes

    def digest(self, path):
        if path not in self.digests:
            with open(path, "rb") as file:
                self.digests[path] = hashlib.sha256(file.read()).hexdigest()
        return self.digests[path]

    def key(self, path):
        """What a pass is remembered by; None where it is not known what the file includes."""
        seen = [self.common, path]
        for entry in self.commands[os.path.realpath(path)]:
            files = self.includes.get(entry.get("output"))
            if not files or not all(map(os.path.exists, files)):
                return None
            seen += [entry["command"], *(self.digest(file) for file in [path, *files])]
        return hashlib.sha256("\n".join(seen).encode()).hexdigest() if len(seen) > 2 else None

    def check(self, path):
        """Does it pass?"""
        key = self.key(path)
        memo = key and os.path.join(self.folder, key)
        if memo and os.path.exists(memo):
            return key, True
        # What clang-tidy says of headers that it passes over, on stderr, is of no use to anyone.
        done = subprocess.run(["clang-tidy", "-p", self.build, "--quiet", *self.options, path],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if memo and done.returncode == 0:
            with open(memo, "w", encoding="utf-8"):
                pass
        return key, done.returncode == 0

    def check_all(self, paths):
        """The longest first, so that the processors end together."""
        os.makedirs(self.folder, exist_ok=True)
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            results = list(pool.map(self.check, sorted(paths, key=os.path.getsize, reverse=True)))
        for old in set(os.listdir(self.folder)) - {key for key, _ in results}:
            os.unlink(os.path.join(self.folder, old))
        return all(passed for _, passed in results)


if __name__ == "__main__":
    sys.exit(not Tidy(sys.argv[1], sys.argv[2:] == ["deep"]).check_all(glob.glob("src/**/*.c", recursive=True)))
