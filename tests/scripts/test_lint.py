"""tidy.py on a small tree with a stand-in for clang-tidy: what it looks at again, and what it does not."""
import json
import os
import unittest

from tools import SCRIPTS, ScriptCase

TIDY = """
case $1 in --version) echo "$VERSION"; exit ;; esac
for path; do :; done
echo "$path" >>"$LOG"
case $* in *max-nodes=*) ;; *) echo deep >>"$LOG" ;; esac
! grep "bad" "$path"
"""


class Lint(ScriptCase):
    def setUp(self):
        super().setUp()
        self.link_commands("python3", "cat", "grep", "sh")
        self.command("clang-tidy", TIDY)
        self.command("ninja", 'cat "$2/deps"')
        self.write(".clang-tidy", "Checks: all\n")
        self.write("src/a.h", "int a;\n")
        self.write("src/one.c", '#include "a.h"\nint one, more;\n')
        self.write("src/room/two.c", "int two;\n")
        self.write_build("-O2", {"one.o": ["one.c", "a.h"], "two.o": ["room/two.c"]})

    def write_build(self, options, objects):
        entries = [{"directory": self.path("build"), "file": "../src/" + files[0], "output": name,
                    "command": f"cc {options} -c ../src/{files[0]}"} for name, files in objects.items()]
        self.write("build/compile_commands.json", json.dumps(entries))
        self.write("build/deps", "".join(
            f"{name}: #deps {len(files)}, deps mtime 1 (VALID)\n" + "".join(f"    ../src/{file}\n" for file in files)
            + "\n" for name, files in objects.items()))

    def looked_at(self, *options, code=0, version="14.0.6"):
        """The files that clang-tidy is given, and "deep" for each where it is not limited."""
        log = self.path("log")
        done = self.run_script("python3", os.path.join(SCRIPTS, "tidy.py"), "build", *options, PATH=self.bin, LOG=log,
                               VERSION=version)
        self.assertEqual(done.returncode, code, done.stderr)
        files = sorted(self.read("log").split()) if os.path.exists(log) else []
        if files:
            os.unlink(log)
        return files

    def test_what_passed_is_looked_at_again_when_it_changes(self):
        both = ["src/one.c", "src/room/two.c"]
        self.assertEqual(self.looked_at(), both)
        self.assertEqual(self.looked_at(), [])
        self.write("src/a.h", "int b;\n")
        self.assertEqual(self.looked_at(), both[:1])
        self.write("src/room/two.c", "int two; // NOLINT\n")
        self.assertEqual(self.looked_at(), both[1:])
        self.write(".clang-tidy", "Checks: some\n")
        self.assertEqual(self.looked_at(), both)
        self.assertEqual(self.looked_at(version="14.0.7"), both)
        self.write_build("-O3", {"one.o": ["one.c", "a.h"], "two.o": ["room/two.c"]})
        self.assertEqual(self.looked_at(version="14.0.7"), both)
        self.assertEqual(self.looked_at(version="14.0.7"), [])

    def test_a_finding_stays_one(self):
        self.write("src/one.c", "bad\n")
        self.assertEqual(self.looked_at(code=1), ["src/one.c", "src/room/two.c"])
        self.assertEqual(self.looked_at(code=1), ["src/one.c"])

    def test_deep_is_another_pass(self):
        both = ["src/one.c", "src/room/two.c"]
        for _ in range(2):
            self.assertEqual(self.looked_at(), both)
            self.assertEqual(self.looked_at("deep"), ["deep", "deep", *both])
            self.assertEqual(self.looked_at(), [])
            self.assertEqual(self.looked_at("deep"), [])
            self.write(".clang-tidy", "Checks: some\n")

    def test_what_is_not_known_is_looked_at(self):
        self.write_build("-O2", {"one.o": ["one.c", "gone.h"]})
        for _ in range(2):
            self.assertEqual(self.looked_at(), ["src/one.c", "src/room/two.c"])


if __name__ == "__main__":
    unittest.main()
