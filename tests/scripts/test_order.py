"""Each script that the documents name works on a fresh machine, and after each other, in any order.

The machine is made up: packages bring their commands when apt-get installs them, and Meson, Ninja and what they
build are stand-ins. Which targets a build folder has, with and without tests, is asked of the real project."""
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from tools import ROOT, ScriptCase

BUILD_DIR = os.environ["CNN_TEST_BUILD_DIR"]
# How each is called; setup.sh and build.sh are what these call first.
CALLS = {
    "train.sh": ["--epochs", "1"],
    "test.sh": [],
    "bench.sh": ["--quick"],
    "lint.sh": [],
    "fuzz.sh": ["1", "idx", "model"],
    "slow_tests.sh": [],
    "test_all_devices.sh": [],
    "fetch_mnist.sh": [],
}
CALLED_FIRST = {"setup.sh", "build.sh"}
# Its files are published ones, of fixed sums: test_fetch_weights.py calls it; it is set up as fetch_mnist.sh is.
CALLED_ELSEWHERE = {"fetch_weights.sh"}
READ_BY_OTHERS = {"fetch.sh"}

ESSENTIAL = ["sh", "env", "mktemp", "rm", "cat", "grep", "dirname", "sed", "find", "sort", "wc", "tail", "mkdir", "rmdir",
             "cut", "tr", "nproc", "xargs", "ln", "ls", "mv", "gzip", "touch", "chmod", "basename", "head"]
COMMANDS = {
    "": {
        "id": "echo 0",
        "dpkg-query": 'for last; do :; done; [ ! -f "$MACHINE/installed/$last" ] || printf "ii "',
        "apt-cache": 'echo "  Candidate: 1.0"',
        "apt-get": """
            for word; do
                case $word in -* | *=* | install | update) continue ;; esac
                : >"$MACHINE/installed/$word"
                for command in "$MACHINE/packages/$word"/*; do
                    [ ! -f "$command" ] || ln -sf "$command" "$MACHINE/bin/"
                done
            done""",
        # What curl below delivers has the sum that fetch_mnist.sh expects of its name.
        "sha256sum": 'name=$(cat); sed -n "s/.* $name) echo \\([0-9a-f]*\\) ;;/\\1  -/p" '
                     '"$MACHINE/tree/scripts/fetch_mnist.sh"',
    },
    "curl": {"curl": 'while [ "$1" != -o ]; do shift; done\n'
                     'name=$(basename "$3" .gz); printf %s "$name" | gzip >"$2"'},
    "pkg-config": {"pkg-config": 'case $2 in check) [ -f "$MACHINE/installed/check" ] ;; esac'},
    "clang": {"clang": ""},
    "clang-tidy": {"clang-tidy": "echo LLVM version 14.0.6"},
    "cppcheck": {"cppcheck": ""},
    "meson": {"meson": """
        verb=$1; shift
        tests=true fuzz= directory= source=
        for word; do
            case $word in
                -Dtests=*) tests=${word#-Dtests=} ;;
                -Dfuzz=true) fuzz=yes ;;
                -C | -* | --*) ;;
                *) [ -n "$directory" ] && source=$word || directory=$word ;;
            esac
        done
        case $verb in
            setup | configure)
                [ "$verb" = setup ] || [ -f "$directory/build.ninja" ] || { echo "no build folder" >&2; exit 1; }
                mkdir -p "$directory/meson-private" "$directory/meson-info" "$directory/meson-logs"
                touch "$directory/meson-private/coredata.dat"
                printf '[{"name": "tests", "value": %s}]' "$tests" >"$directory/meson-info/intro-buildoptions.json"
                echo "$tests" >"$directory/tests.option"
                [ -z "$fuzz" ] || touch "$directory/fuzz.option"
                [ "$tests" = false ] || [ -f "$MACHINE/installed/check" ] || { echo "check not found" >&2; exit 1; }
                touch "$directory/build.ninja" "$directory/compile_commands.json"
                ;;
            test)
                [ -f "$directory/all.built" ] && grep -qx true "$directory/tests.option" ||
                    { echo "the tests are not built" >&2; exit 1; }
                echo "{}" >"$directory/meson-logs/testlog.json"
                ;;
        esac"""},
    "ninja-build": {"ninja": """
        directory=. targets=
        while [ $# -gt 0 ]; do
            case $1 in
                -C) directory=$2; shift ;;
                -*) ;;
                *) targets="$targets $1" ;;
            esac
            shift
        done
        [ -f "$directory/build.ninja" ] || { echo "ninja: error: loading build.ninja" >&2; exit 1; }
        tests=$(cat "$directory/tests.option")
        [ "$tests" = false ] || [ -f "$MACHINE/installed/check" ] || { echo "check not found" >&2; exit 1; }
        if [ -z "$targets" ]; then
            targets=$(cat "$MACHINE/targets.$tests")
            touch "$directory/all.built"
        fi
        for target in $targets; do
            case $target in tests/fuzz/fuzz_*) [ ! -f "$directory/fuzz.option" ] || continue ;; esac
            grep -qxF "$target" "$MACHINE/targets.$tests" ||
                { echo "ninja: error: unknown target '$target'" >&2; exit 1; }
        done
        for target in $targets; do
            [ ! -e "$directory/$target" ] || continue
            mkdir -p "$directory/$(dirname "$target")"
            ln -s "$MACHINE/program" "$directory/$target"
        done"""},
    # Runs nothing but what build.sh asks: what is named has to be there.
    "python3": {"python3": """
        [ "$1" != - ] || exec "$REAL_PYTHON" "$@"
        wanted="$1"
        case $1 in */bench.py) wanted="$wanted $MACHINE/tree/build/tests/bench_step $MACHINE/tree/build/src/cli/cnn-cl" ;; esac
        for word; do
            case $word in "$MACHINE"/tree/*) wanted="$wanted $word" ;; esac
        done
        for path in $wanted; do
            [ -e "$path" ] || { echo "python3: $1 wants $path, which is not there" >&2; exit 1; }
        done"""},
    "build-essential": {"cc": ""},
}


def targets_of(build):
    """What ninja can be asked for: files relative to the build folder, and aliases."""
    done = subprocess.run(["meson", "introspect", build, "--targets"], capture_output=True, text=True, check=True)
    names = set()
    for target in json.loads(done.stdout):
        names |= {os.path.relpath(name, os.path.realpath(build)) for name in map(os.path.realpath, target["filename"])}
        names.add(target["name"])
    return names


class Order(ScriptCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with tempfile.TemporaryDirectory() as without:
            subprocess.run(["meson", "setup", "-Dtests=false", without, ROOT], check=True, capture_output=True, timeout=120)
            cls.targets = {"true": targets_of(BUILD_DIR), "false": targets_of(without)}

    def setUp(self):
        super().setUp()
        # No blanks here: what is built is named in lists of words.
        self.machine = os.path.join(os.path.realpath(self.scratch).replace(" ", "-"), "machine")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.machine))
        self.make_tree()
        for package, commands in COMMANDS.items():
            for name, body in commands.items():
                self.put(os.path.join("packages", package, name) if package else os.path.join("bin", name), body)
        for name in ESSENTIAL:
            os.symlink(shutil.which(name), os.path.join(self.machine, "bin", name))
        self.put("program", "")
        os.mkdir(os.path.join(self.machine, "installed"))
        for tests, names in self.targets.items():
            with open(os.path.join(self.machine, "targets." + tests), "w", encoding="utf-8") as file:
                file.writelines(name + "\n" for name in sorted(names))

    def put(self, relative, body):
        path = os.path.join(self.machine, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{body}\n")
        os.chmod(path, 0o755)

    def make_tree(self):
        tree = os.path.join(self.machine, "tree")
        shutil.copytree(os.path.join(ROOT, "scripts"), os.path.join(tree, "scripts"))
        os.makedirs(os.path.join(tree, "data"))
        for name in ("tests", "cl", "docs", "data/nets", "data/recipes"):
            os.symlink(os.path.join(ROOT, name), os.path.join(tree, name))
        os.makedirs(os.path.join(tree, "src"))
        self.put("tree/src/one.c", "")

    def run_one(self, script):
        path = os.path.join(self.machine, "tree", "scripts", script)
        result = self.run_script(path, *CALLS[script], cwd=self.machine, PATH=os.path.join(self.machine, "bin"),
                                 MACHINE=self.machine, REAL_PYTHON=shutil.which("python3"), CI=None, BUILD_DIR=None,
                                 CNN_CL_DATA=None, CNN_CL_DEVICE=None, CNN_CL_MNIST_MIRRORS=None, PYTHONPATH=None)
        return result.returncode, result.stdout + result.stderr

    def state(self):
        """What the next script finds: packages, and what the build folders know."""
        found = set(os.listdir(os.path.join(self.machine, "installed")))
        for build in glob.glob(os.path.join(self.machine, "tree", "build*", "**", "*.option"), recursive=True):
            with open(build, encoding="utf-8") as file:
                found.add(os.path.relpath(build, self.machine) + file.read())
        return frozenset(found)

    def restore(self, snapshot):
        shutil.rmtree(self.machine)
        shutil.copytree(snapshot, self.machine, symlinks=True)

    def test_any_order(self):
        """From each state of the machine that one script leads to, every script; and in the end all again."""
        snapshots = {self.state(): (self.path("fresh"), [])}
        shutil.copytree(self.machine, self.path("fresh"), symlinks=True)
        for start, before in list(snapshots.values()):
            self.each_from(start, before, snapshots)
        for start, before in list(snapshots.values())[1:]:
            self.each_from(start, before, None)
        print(f"{len(snapshots)} states of the machine after one script at most, {len(CALLS)} scripts in each")
        self.assertGreater(len(snapshots), 3)
        for script in CALLS:
            self.run_and_check([script, "after all"], script)

    def run_and_check(self, way, script):
        code, output = self.run_one(script)
        with self.subTest(way=" ".join(way)):
            self.assertEqual(code, 0, output)

    def each_from(self, start, before, snapshots):
        """Keeps the machine in each new state that is reached, where snapshots are asked for."""
        for script in CALLS:
            self.restore(start)
            self.run_and_check([*before, script], script)
            if snapshots is not None and self.state() not in snapshots:
                snapshots[self.state()] = (self.path(f"after {script}"), [script])
                shutil.copytree(self.machine, self.path(f"after {script}"), symlinks=True)

    def test_a_configuration_that_was_interrupted(self):
        for script in ("test.sh", "fuzz.sh"):
            self.run_and_check([script], script)
        for folder in ("tree/build", "tree/build/fuzz"):
            os.remove(os.path.join(self.machine, folder, "build.ninja"))
        for script in ("train.sh", "fuzz.sh"):
            self.run_and_check([script], script)

    def test_every_script_that_is_named_is_walked(self):
        named = set()
        for page in ("README.md", "src/README.md", "data/README.md", *glob.glob("docs/*.md", root_dir=ROOT)):
            with open(os.path.join(ROOT, page), encoding="utf-8") as file:
                named |= set(re.findall(r"\bscripts/(\w+\.sh)\b", file.read()))
        self.assertEqual(named - CALLED_FIRST - CALLED_ELSEWHERE - set(CALLS), set())
        there = {os.path.basename(path) for path in glob.glob(os.path.join(ROOT, "scripts", "*.sh"))}
        self.assertEqual(there, CALLED_FIRST | CALLED_ELSEWHERE | READ_BY_OTHERS | set(CALLS))


if __name__ == "__main__":
    unittest.main()
