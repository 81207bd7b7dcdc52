"""scripts/test_all_devices.py with a machine, a build and tests that are made up."""
import json
import os
import re
import sys
import unittest

from tools import SCRIPTS, ScriptCase

sys.path.insert(0, SCRIPTS)
import drivers
import test_all_devices as subject

CPU = {"platform": 0, "device": 0, "type": "CPU", "name": "EPYC", "platform_name": "PoCL", "driver": "3.1",
       "opencl": "3.0", "usable": True, "reason": ""}
GPU = {**CPU, "device": 1, "type": "discrete GPU", "name": "Card | 1", "platform_name": "Vendor"}
PIPE = {**CPU, "name": "llvmpipe (LLVM 15)", "platform_name": "rusticl"}
OLD = {**CPU, "device": 1, "name": "Old", "usable": False, "reason": "OpenCL 1.1, but 1.2 is needed"}


class Machine(ScriptCase):
    """Two drivers, a.icd and b.icd, and the tests that a folder of shell scripts has."""

    def setUp(self):
        super().setUp()
        self.tests = []
        self.link_commands("cat", "grep", "sh")
        for name in ("a", "b"):
            self.write(f"vendors/{name}.icd", f"lib{name}.so\n")
        self.devices(a=[CPU], b=[])

    def devices(self, **of_driver):
        """cnn-cl lists those of the only driver that is loaded."""
        for name in ("a", "b"):
            listing = json.dumps({"devices": of_driver.get(name, [])})
            self.write(f"lib{name}.so.json", listing)
        self.write("build/src/cli/cnn-cl", "#!/bin/sh\ncd " + f"'{self.scratch}'\n"
                   'cat "$(cat "$OCL_ICD_VENDORS"/*.icd).json"\n', executable=True)

    def add_test(self, name, body, suite="device", **environment):
        program = self.write(f"build/tests/test_{len(self.tests)}", "#!/bin/sh\n" + body + "\n", executable=True)
        self.tests.append({"name": name, "cmd": [program], "env": environment, "suite": [f"cnn-cl:{suite}"]})

    def run_all(self, *arguments):
        self.command("meson", f"cat '{self.write('tests.json', json.dumps(self.tests))}'")
        return self.run_script(sys.executable, os.path.join(SCRIPTS, "test_all_devices.py"),
                               "--build", self.path("build"), *arguments, PATH=self.bin,
                               OCL_ICD_VENDORS=self.path("vendors"), CNN_CL_DEVICE="99",
                               CNN_CL_KERNEL_CLASS="gpu", RUSTICL_ENABLE=None)

    def rows(self, result):
        """{test: cells}"""
        lines = result.stdout.split("\n\n", 1)[1].splitlines()[1:]
        cells = [re.split(" {2,}", line) for line in lines]
        return {first: rest for first, *rest in cells}


class Matrix(Machine):
    def test_a_cpu_runs_both_classes(self):
        self.add_test("ops", 'test "$CNN_CL_DEVICE $CNN_CL_KERNEL_CLASS" = "0:0 cpu"')
        self.add_test("plan", "exit 77")
        self.add_test("ops with kernels for GPUs", 'test "$CNN_CL_KERNEL_CLASS" = gpu', CNN_CL_KERNEL_CLASS="gpu")
        result = self.run_all()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("[1] EPYC, PoCL, driver 3.1, OpenCL 3.0, kernels for CPUs\n[2] ", result.stdout)
        self.assertEqual(self.rows(result), {"ops": ["ok 0 s", "ok 0 s"], "plan": ["skipped", "-"],
                                             "kernels under Oclgrind": ["-", "-"]})

    def test_one_driver_at_a_time_and_a_failure_is_told(self):
        self.devices(a=[CPU], b=[OLD, GPU])
        self.add_test("ops", "echo broken kernel; ! grep -q libb.so \"$OCL_ICD_VENDORS\"/*.icd")
        result = self.run_all()
        self.assertEqual(result.returncode, 1)
        self.assertEqual(self.rows(result)["ops"], ["ok 0 s", "FAIL 0 s"])
        self.assertIn("[2] Card / 1, Vendor, driver 3.1, OpenCL 3.0, kernels for GPUs", result.stdout)
        self.assertIn("exit code 1\nbroken kernel", result.stderr)
        self.assertIn("Old, PoCL, driver 3.1, OpenCL 3.0: not usable: OpenCL 1.1", result.stderr)

    def test_llvmpipe_runs_what_it_is_fit_for(self):
        self.devices(b=[PIPE])
        self.add_test("ops", "exit 1")
        self.add_test("plan", "exit 1")
        self.add_test("ops on llvmpipe", 'test "$CK_RUN_CASE $RUSTICL_ENABLE" = "few llvmpipe"', CK_RUN_CASE="few",
                  CNN_CL_DEVICE="llvmpipe")
        result = self.run_all()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.rows(result)["ops"], ["ok 0 s"])
        self.assertEqual(self.rows(result)["plan"], ["-"])

    def test_a_choice(self):
        self.devices(a=[CPU], b=[GPU])
        self.add_test("ops", "exit 0")
        self.add_test("plan", "exit 1")
        result = self.run_all("--only", "ops", "--device", "vendor")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.rows(result), {"ops": ["ok 0 s"]})
        self.assertIn("expected some of ops, plan, kernels under Oclgrind, found cat", self.run_all("--only", "cat").stderr)

    def test_a_driver_that_is_not_installed(self):
        self.write("libc.so.json", json.dumps({"devices": [GPU]}))
        self.write("more.icd", "libc.so\n")
        self.add_test("ops", "exit 0")
        result = self.run_all("--icd", self.path("more.icd"), "--device", "card")
        self.assertEqual(self.rows(result)["ops"], ["ok 0 s"])

    def test_a_driver_that_breaks_is_a_failure(self):
        self.add_test("ops", "exit 0")
        with open(self.path("build/src/cli/cnn-cl"), encoding="utf-8") as file:
            command = file.read()
        self.write("build/src/cli/cnn-cl", command.replace("\ncd ", "\ngrep -q liba \"$OCL_ICD_VENDORS\"/*.icd || "
                                                           "kill -9 $$\ncd "), executable=True)
        result = self.run_all()
        self.assertEqual(result.returncode, 1)
        self.assertEqual(self.rows(result)["ops"], ["ok 0 s"])
        self.assertRegex(result.stderr, "b.icd: listing its devices ended with -9")

    def test_a_driver_that_is_asked_for_and_is_none(self):
        self.write("libc.so.json", json.dumps({"devices": []}))
        self.write("none.icd", "libc.so\n")
        self.add_test("ops", "exit 0")
        result = self.run_all("--icd", self.path("none.icd"))
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "none.icd: expected a driver of OpenCL with a usable device, found none")

    def test_no_device_and_no_end_are_failures(self):
        self.devices()
        self.add_test("ops", "exit 0")
        result = self.run_all()
        self.assertEqual(result.returncode, 1)
        self.assertIn("no usable OpenCL device was found", result.stderr)
        self.addCleanup(setattr, subject, "TIME_LIMIT", subject.TIME_LIMIT)
        subject.TIME_LIMIT = 1
        cell, report = subject.run({"cmd": ["sleep", "60"], "env": {}}, dict(os.environ))
        self.assertEqual(cell, "FAIL 0 s")
        self.assertIn("no end in 1 seconds", report)


class Page(Machine):
    def test_columns_of_other_devices_stay(self):
        self.add_test("ops", "exit 0")
        page = self.write("devices.md", f"# Devices\n\n{subject.BEGIN}\n{subject.END}\n\nMore.\n")
        self.assertEqual(self.run_all("--output", page).returncode, 0)
        self.devices(b=[GPU])
        self.assertEqual(self.run_all("--output", page).returncode, 0)
        self.devices(a=[CPU])
        self.add_test("plan", "exit 77")
        self.assertEqual(self.run_all("--output", page).returncode, 0)
        text = self.read("devices.md")
        self.assertTrue(text.startswith("# Devices\n") and text.endswith("\n\nMore.\n"))
        columns = subject.read_table(text)
        self.assertEqual(re.findall(r"^\| (\w+) \|", text, re.MULTILINE), ["test", "ops", "plan"])
        self.assertEqual([title[0] for title, _ in columns], ["EPYC", "Card / 1"])
        self.assertEqual([cells for _, cells in columns], [{"ops": "ok 0 s", "plan": "skipped"}, {"ops": "ok 0 s"}])

    def test_a_page_without_marks_stays_as_it_is(self):
        self.add_test("ops", "exit 0")
        page = self.write("devices.md", "# Devices\n")
        result = self.run_all("--output", page)
        self.assertEqual((result.returncode, self.read("devices.md")), (1, "# Devices\n"))
        self.assertIn(subject.BEGIN, result.stderr)
        result = self.run_all("--output", self.path("none.md"))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertRegex(result.stderr, r"\A[^\n]+none\.md'\n\Z")


class Drivers(ScriptCase):
    def find(self, value, *more):
        before = os.environ.get("OCL_ICD_VENDORS")
        os.environ["OCL_ICD_VENDORS"] = value
        try:
            return drivers.find(more)
        finally:
            os.environ.pop("OCL_ICD_VENDORS")
            if before is not None:
                os.environ["OCL_ICD_VENDORS"] = before

    def test_what_the_loader_would_load(self):
        b, a = self.write("b.icd", "libb.so\n"), self.write("a.icd", "liba.so\n")
        self.assertEqual(self.find(self.scratch), [a, b])
        self.assertEqual(self.find(a), [a])
        self.assertEqual(self.find("/lib/libdriver.so", b), ["/lib/libdriver.so", b])
        os.mkdir(self.path("empty"))
        self.assertEqual(self.find(self.path("empty")), [None])


if __name__ == "__main__":
    unittest.main()
