"""scripts/count_tests.py on logs as Meson writes them, and scripts/test.sh around it."""
import json
import os
import shutil
import sys
import unittest

from tools import SCRIPTS, ScriptCase

CHECK_GOOD = {"stdout": "Running suite(s): philox\n100%: Checks: 5, Failures: 0, Errors: 0\n"}
CHECK_BAD = {"stdout": "Running suite(s): a\n60%: Checks: 5, Failures: 1, Errors: 1\na.c:1:F:...\n"}
UNITTEST = {"stderr": "..s\n----\nRan 4 tests in 0.010s\n\nOK (skipped=1)\n"}
UNITTEST_BAD = {"stderr": "F.sE\n----\nRan 4 tests in 0.01s\n\nFAILED (failures=1, errors=1, skipped=1)\n"}


class CountCase(ScriptCase):
    def count(self, *entries):
        lines = [json.dumps({"name": "test", "result": result, **output}) for result, output in entries]
        log = self.write("testlog.json", "".join(line + "\n" for line in lines))
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "count_tests.py"), log)
        return result.stdout.rstrip("\n"), result.returncode

    def test_counts_the_tests_of_each_program(self):
        self.assertEqual(self.count(("OK", CHECK_GOOD), ("OK", UNITTEST), ("OK", {"stdout": "hello"})),
                         ("9 passed, 0 failed, 1 skipped", 0))

    def test_counts_failures(self):
        self.assertEqual(self.count(("FAIL", CHECK_BAD), ("FAIL", UNITTEST_BAD), ("OK", CHECK_GOOD)),
                         ("9 passed, 4 failed, 1 skipped", 1))

    def test_a_program_that_breaks_is_a_failure(self):
        for result in ["TIMEOUT", "ERROR", "INTERRUPT", "FAIL", "UNEXPECTEDPASS"]:
            self.assertEqual(self.count((result, {}), ("OK", {})), ("1 passed, 1 failed, 0 skipped", 1))
            self.assertEqual(self.count((result, CHECK_GOOD)), ("5 passed, 1 failed, 0 skipped", 1))

    def test_nothing_run_is_a_failure(self):
        self.assertEqual(self.count(), ("0 passed, 0 failed, 0 skipped", 1))
        self.assertEqual(self.count(("SKIP", {})), ("0 passed, 0 failed, 1 skipped", 1))

    def test_a_log_that_is_missing_is_a_failure(self):
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "count_tests.py"), "nowhere.json")
        self.assertEqual((result.stdout, result.returncode), ("", 1))
        self.assertIn("nowhere.json", result.stderr)


class TestScriptCase(ScriptCase):
    """scripts/test.sh in a copy of the tree, with a stand-in for meson."""

    def run_tests(self, meson, *arguments):
        os.makedirs(self.path("tree", "scripts"))
        os.makedirs(self.path("tree", "build", "meson-logs"))
        self.write("tree/build/meson-logs/testlog.json",
                   json.dumps({"name": "old", "result": "OK"}) + "\n")
        for name in ["test.sh", "count_tests.py"]:
            shutil.copy(os.path.join(SCRIPTS, name), self.path("tree", "scripts"))
        for name in ["setup.sh", "build.sh"]:
            self.write(f"tree/scripts/{name}", "#!/bin/sh\n", executable=True)
        self.command("meson", f'log="{self.path("tree/build/meson-logs/testlog.json")}"\n' + meson)
        return self.run_script(self.path("tree", "scripts", "test.sh"), *arguments, BUILD_DIR=None,
                               PATH=self.bin + os.pathsep + os.environ["PATH"])

    def entry(self, result, **output):
        line = json.dumps({"name": "test", "result": result, **output})
        return f"cat >\"$log\" <<'END'\n{line}\nEND\n"

    def test_ends_with_the_count(self):
        result = self.run_tests(self.entry("OK", **CHECK_GOOD) + 'echo "meson $*"', "--suite", "x")
        lines = result.stdout.splitlines()
        self.assertEqual(lines[-1], "5 passed, 0 failed, 0 skipped")
        self.assertIn(" --no-rebuild --print-errorlogs ", lines[0])
        self.assertIn(f" --num-processes={len(os.sched_getaffinity(0)) + 1} ", lines[0])
        self.assertTrue(lines[0].endswith(" --suite x"), lines[0])
        self.assertEqual(result.returncode, 0)

    def test_fails_as_meson_fails(self):
        result = self.run_tests(self.entry("FAIL", **CHECK_BAD) + "exit 2")
        self.assertEqual(result.stdout, "3 passed, 2 failed, 0 skipped\n")
        self.assertNotEqual(result.returncode, 0)

    def test_fails_when_meson_alone_fails(self):
        self.assertEqual(self.run_tests(self.entry("OK") + "exit 3").returncode, 3)

    def test_does_not_count_an_old_log(self):
        self.assertEqual(self.run_tests("").returncode, 1)


if __name__ == "__main__":
    unittest.main()
