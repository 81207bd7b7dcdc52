"""The doctor: what the loader sees, right and wrong devices."""
import json
import os
import re
import resource
import shutil
import unittest

from faults import FAULTS
from support import CommandTest, environment, kernels_with

CRASHES_AT_LOAD = os.environ["CNN_TEST_CRASHES_AT_LOAD"]
CRASHES_WHEN_ASKED = os.environ["CNN_TEST_CRASHES_WHEN_ASKED"]
ENDS_THE_PROCESS = os.environ["CNN_TEST_ENDS_THE_PROCESS"]
FAULT_LAYER = os.environ["CNN_TEST_FAULT_LAYER"]
HAS_NO_DEVICE = os.environ["CNN_TEST_HAS_NO_DEVICE"]
SMALL = ["--xdim", "2,9,8", "--cdims", "5", "--hdims", "6", "--ydim", "3", "--batch", "20"]
# Its products at this batch, 200 GB, fit no device.
HUGE = ["--xdim", "1,224,224", "--cdims", "none", "--hdims", "none", "--ydim", "2", "--batch", "1000000"]
NORM = ["--xdim", "2,7,6", "--cdims", "3", "--hdims", "none", "--ydim", "3", "--batch", "20",
        "--batchnorm"]


class Right(CommandTest):
    def test_text(self):
        text = self.run_command("doctor", *SMALL).stdout
        self.assertTrue(text.startswith("What the OpenCL loader sees:\n"))
        self.assertRegex(text, r"(?m)^  good +.*\.icd \(.*\) loads: ")
        self.assertRegex(text, r"(?m)^.* computes right: \d+ checks in .* largest error \d\.\de-\d+\.$")
        self.assertNotIn("FAIL", text)
        for row in ("memory +", "fused +gather", "fused +loss", "fused +update",
                    "fused +forward +conv", "fused +backward +conv", "fused +evaluate +conv",
                    "plain +backward +relu relu_01", "product +20 x 6 x 80, right transposed linear_05",
                    "product +6 x 80 x 20, left transposed", "product +20 x 80 x 6 ",
                    "trace +20 steps, fused", "trace +20 steps, plain",
                    "trace +20 steps, batches in pieces", "trace +20 steps, plain, batches in pieces"):
            self.assertRegex(text, rf"(?m)^  pass  {row}")

    def test_other_networks_and_kernels(self):
        for kernels, network in (
                ("cpu", NORM), ("gpu", NORM),
                ("cpu", ["--xdim", "1,2,2", "--cdims", "none", "--hdims", "4", "--ydim", "2"]),
                ("cpu", ["--xdim", "1,8,9", "--cdims", "3", "--ksize", "4", "--dropout", "0"]),
                # One value of 768 products that cancel: its roundings are not as small as it.
                ("cpu", ["--xdim", "3,16,16", "--cdims", "none", "--hdims", "1", "--ydim", "2", "--batch", "1"])):
            with self.subTest(network, kernels=kernels):
                self.run_command("doctor", *network, env=environment(CNN_CL_KERNEL_CLASS=kernels))

    def test_of_a_list_each_is_checked(self):
        few = ["doctor", "--xdim", "1,2,2", "--cdims", "none", "--hdims", "none", "--ydim", "2", "--json"]
        for arguments, env in (([*few, "--device", "0,0"], None), (few, environment(CNN_CL_DEVICE="0,0"))):
            self.assertEqual(len(json.loads(self.run_command(*arguments, env=env).stdout)["devices"]), 2)
        done = self.run_command(*few, "--device", "0,9", code=3)
        self.assertIn('device "9": no such index', done.stderr)
        self.assertEqual(json.loads(done.stdout)["devices"], [])

    def test_json(self):
        result = self.run_command("doctor", *SMALL, "--json", "--device", "0")
        found = json.loads(result.stdout)
        self.assertEqual(set(found), {"version", "findings", "devices"})
        for finding in found["findings"]:
            self.assertEqual(set(finding), {"level", "topic", "text", "remedy"})
        (device,) = found["devices"]
        self.assertEqual(set(device), {"device", "platform", "driver", "id", "passed", "checks",
                                       "failures", "unchecked", "error", "seconds", "report", "rows"})
        self.assertTrue(device["passed"])
        self.assertIsNone(device["report"])
        self.assertEqual(device["checks"], len(device["rows"]))
        for row in device["rows"]:
            self.assertEqual(set(row), {"part", "phase", "name", "layers", "kernels", "checked", "passed",
                                        "error", "milliseconds", "wrong"})
            self.assertTrue(row["checked"] and row["passed"] and row["wrong"] == "")
            self.assertLess(row["error"], 1e-3)
        kernels = " ".join(row["kernels"] for row in device["rows"])
        for kernel in ("adam_update", "activation_backward", "CLBlastSgemm", "dropout_scales"):
            self.assertIn(kernel, kernels)

    def test_exact_json(self):
        refused = self.run_command("doctor", "--exact", "--json", "--device", "99", code=3)
        self.assertEqual(json.loads(refused.stdout), [])
        if not os.environ.get("CNN_TEST_SWEEP"):
            self.skipTest("the trainings are in scripts/slow_tests.sh exact")
        device, = json.loads(self.run_command("doctor", "--exact", "--json",
                                                    env=environment(POCL_EXTRA_BUILD_FLAGS=None)).stdout)
        self.assertEqual((device["matched"], device["error"]), (True, None))
        self.assertEqual([row["name"] for row in device["trainings"]],
                         ["small", "notebook", "notebook with batch norm", "resnet20"])
        for row in device["trainings"]:
            self.assertEqual((row["matched"], row["differs"], row["hash"]), (True, None, row["expected"]))

    def test_all_and_one_exclude_each_other(self):
        self.assert_refused(["doctor", "--all", "--device", "0"], 2, "exclude each other")

    def test_all(self):
        text = self.run_command("doctor", "--all", "--xdim", "1,2,2", "--cdims", "none", "--hdims",
                                "none", "--batch", "2").stdout
        listing = json.loads(self.run_command("--list-devices", "--json").stdout)["devices"]
        self.assertEqual(text.count("computes right"), sum(one["usable"] for one in listing))


class Failing(CommandTest):
    """Two devices, of which the first cannot be opened, or fails later."""

    TINY = ["--xdim", "1,2,2", "--cdims", "none", "--hdims", "none", "--batch", "2"]

    def setUp(self):
        if not os.path.exists(FAULT_LAYER):
            self.skipTest("there is no fault layer in this build")

    def env(self, fault):
        return environment(OPENCL_LAYERS=FAULT_LAYER, CNN_FAULT_TWIN="1", CNN_FAULT_FAIL=fault)

    def test_one_that_cannot_be_opened_does_not_stop_the_rest(self):
        env = self.env("create:1:-2")
        why = r"clCreateContext: CL_DEVICE_NOT_AVAILABLE \(-2\)"
        result = self.run_command("doctor", "--all", *self.TINY, code=1, env=env)
        self.assertRegex(result.stderr, rf"(?m)^cnn-cl: device 0:0: {why}")
        self.assertRegex(result.stdout, r"(?m)^Device 0:0: .*, not checked:\n"
                         rf"  problem  .* \(0:0, .* could not be opened: {why}.*\n +mend: ")
        self.assertRegex(result.stdout, r"(?m)^Device 0:1: .* beside plain C:\n +plan +phase")
        self.assertEqual(result.stdout.count("computes right"), 1)
        result = self.run_command("doctor", "--all", "--json", *self.TINY, code=1, env=env)
        found = json.loads(result.stdout)
        (device,) = found["devices"]
        self.assertEqual((device["id"], device["passed"]), ("0:1", True))
        (finding,) = [one for one in found["findings"] if one["topic"] == "device"]
        self.assertEqual(finding["level"], "problem")
        self.assertRegex(finding["text"], rf"\(0:0, .* could not be opened: {why}")

    def test_one_alone(self):
        result = self.run_command("doctor", *self.TINY, code=1, env=self.env("create:1"))
        self.assertRegex(result.stderr, r"\Acnn-cl: device 0:0: clCreateContext: .*\n\Z")
        self.assertIn("could not be opened: clCreateContext", result.stdout)


class Wrong(CommandTest):
    def env(self, *fault):
        return environment(CNN_CL_KERNEL_DIR=kernels_with(self.folder + "/kernels", *fault))

    def test_every_fault_is_found_where_it_is(self):
        for name, (file, old, new, row, why) in FAULTS.items():
            with self.subTest(name):
                text = self.run_command("doctor", *SMALL, code=1, env=self.env(file, old, new)).stdout
                self.assertRegex(text, rf"(?m)^  FAIL  {row}.*\n +.*{why}")
                self.assertRegex(text, r"COMPUTES WRONG: \d+ of \d+ checks failed")

    def test_the_report_has_all_that_a_maintainer_asks(self):
        env = self.env("pool.cl", "a > b ||", "a >= b ||")
        text = self.run_command("doctor", *SMALL, code=1, env=env).stdout
        report = text.split("----\n")[1]
        for part in (r"cnn-cl \d+\.\d+\.\d+, kernels for CPUs", "device 0:0: ", "driver ", "OpenCL ",
                     "again by: cnn-cl doctor --device 0:0 --xdim 2,9,8 --ksize 3 --cdims 5 --hdims 6",
                     "plain backward maxpool maxpool2d_02", "kernel maxpool_backward -DKH=2 -DKW=2",
                     r"input \(\d+, 5, 9, 8\), output \(\d+, 5, 4, 4\)"):
            self.assertRegex(report, part)
        device = json.loads(self.run_command("doctor", *SMALL, "--json", code=1,
                                             env=env).stdout)["devices"][0]
        self.assertEqual(device["report"], report.split("---- end")[0])
        self.assertFalse(device["passed"])
        self.assertEqual(device["failures"], sum(not row["passed"] for row in device["rows"]))
    def test_a_kernel_that_does_not_build_is_a_failed_check(self):
        text = self.run_command("doctor", *SMALL, code=1,
                                env=self.env("activation.cl", "kernel void", "kernel viod")).stdout
        self.assertRegex(text, r"FAIL  plain .*\n +activation.cl does not build")
        self.assertRegex(text, "pass  fused +forward")


class Unchecked(CommandTest):
    """What the surroundings keep from being built is neither right nor wrong."""

    TINY = ["--xdim", "1,2,2", "--cdims", "none", "--hdims", "none", "--batch", "2"]

    def assert_unchecked(self, text):
        self.assertRegex(text, r"was not checked in full: \d+ of \d+ checks could not be made as their lines say; "
                               r"the others passed, largest error \d\.\de[+-]\d+\.\n\Z")
        self.assertNotRegex(text, "  FAIL  |WRONG|computes right|bug report")

    def test_a_cache_of_pocls_that_cannot_be_written(self):
        cache, user = self.folder + "/unwritable", {}
        os.mkdir(cache, 0o555)
        os.chmod(self.folder, 0o755)
        if os.getuid() == 0:
            nobody = 65534
            user = {"user": nobody, "group": nobody, "extra_groups": []}
        env = environment(POCL_CACHE_DIR=cache, CNN_CL_CACHE_DIR="/proc/none")
        try:
            text = self.run_command("doctor", *self.TINY, code=1, env=env, **user).stdout
        except PermissionError:
            self.skipTest("another user may not run this build")
        why = rf"; pocl's cache folder {cache} cannot be written: set POCL_CACHE_DIR to one that can be written"
        self.assertRegex(text, rf"note +pocl's cache {cache} cannot be written: pocl builds no program then")
        self.assertRegex(text, rf"none  fused +plan .*\n +dense_block.cl does not build on [^;]*{why}")
        self.assertRegex(text, rf"none  product .*\n +CLBlastSgemm: CL_BUILD_PROGRAM_FAILURE [^;]*{why}")
        self.assert_unchecked(text)

    def test_a_cache_of_pocls_that_is_full(self):
        def no_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

        cache = self.folder + "/full"
        os.mkdir(cache)
        env = environment(POCL_CACHE_DIR=cache, CNN_CL_CACHE_DIR="/proc/none")
        text = self.run_command("doctor", *self.TINY, code=1, env=env, preexec_fn=no_room).stdout
        self.assertRegex(text, rf"none  fused +plan .*\n +dense_block.cl [^;]*; pocl's cache folder {cache} is full: set")
        self.assert_unchecked(text)


class Memory(CommandTest):
    """What memory does not suffice for is neither right nor wrong."""

    def setUp(self):
        self.cache = self.folder + "/cache"
        shutil.rmtree(self.cache, ignore_errors=True)
        # Optimised: these are long sums.
        self.env = environment(CNN_CL_CACHE_DIR=self.cache, POCL_EXTRA_BUILD_FLAGS=None)

    def test_it_is_not_checked(self):
        text = self.run_command("doctor", *HUGE, code=1, env=self.env).stdout
        self.assertEqual(len(re.findall(r"(?m)^  none  product .* linear_01 +not checked\n +.*memory", text)), 3, text)
        self.assertRegex(text, r"was not checked in full: 3 of \d+ checks could not be made for lack of memory; "
                               r"the others passed, largest error \d\.\de-\d+\.\n\Z")
        self.assertNotRegex(text, "FAIL|WRONG|computes right|bug report")
        self.assertFalse(os.path.exists(self.cache), "a pass is remembered")

    def test_json(self):
        (device,) = json.loads(self.run_command("doctor", *HUGE, "--json", code=1, env=self.env).stdout)["devices"]
        self.assertEqual((device["passed"], device["failures"], device["unchecked"], device["report"]),
                         (False, 0, 3, None))
        rows = [row for row in device["rows"] if not row["checked"]]
        self.assertEqual([row["part"] for row in rows], ["product"] * 3)
        for row in rows:
            self.assertFalse(row["passed"])
            self.assertIsNone(row["error"])
            self.assertIn("memory", row["wrong"])

    def test_an_earlier_pass_stays_and_a_failure_counts(self):
        self.run_command("doctor", *HUGE[:-2], "--batch", "4", env=self.env)
        before = sorted(os.listdir(self.cache))
        self.run_command("doctor", *HUGE, code=1, env=self.env)
        self.assertEqual(sorted(os.listdir(self.cache)), before)
        broken = kernels_with(self.folder + "/kernels", *FAULTS["a wrong loss"][:3])
        text = self.run_command("doctor", *HUGE, code=1, env=dict(self.env, CNN_CL_KERNEL_DIR=broken)).stdout
        self.assertRegex(text, r"COMPUTES WRONG: \d+ of \d+ .*\n3 checks could not be made for lack of memory\.\n"
                               r"(?s:.*)\n\d+ of \d+ checks failed, 3 could not be made:\n")


class Loader(CommandTest):
    """What stands in the way of a device."""

    def setUp(self):
        self.vendors = self.folder + "/vendors"
        shutil.rmtree(self.vendors, ignore_errors=True)
        os.makedirs(self.vendors)
        self.env = environment(OCL_ICD_VENDORS=self.vendors, POCL_CACHE_DIR=None,
                               CNN_CL_DEVICE=None)

    def icd(self, name, text):
        with open(f"{self.vendors}/{name}.icd", "w", encoding="utf-8") as file:
            file.write(text)

    def findings(self, code=3, **changes):
        env = {name: value for name, value in {**self.env, **changes}.items() if value is not None}
        result = self.run_command("doctor", *SMALL, "--json", code=code, env=env)
        if code == 3:
            self.assertRegex(result.stderr, r"(?m)^cnn-cl: ")
        return json.loads(result.stdout)["findings"]

    def assert_found(self, findings, level, topic, text, remedy):
        for one in findings:
            if (one["level"], one["topic"]) == (level, topic) and re.search(text, one["text"]):
                self.assertRegex(one["remedy"], remedy)
                return
        self.fail(f"no {level} about {topic} like {text} in {findings}")

    def test_no_driver(self):
        found = self.findings()
        self.assert_found(found, "problem", "loader", "has no .icd file", "unset OCL_ICD_VENDORS")
        self.assert_found(found, "note", "variable", "OCL_ICD_VENDORS=", "unset OCL_ICD_VENDORS")
        text = self.run_command("doctor", code=3, env=self.env)
        self.assertIn("mend: unset OCL_ICD_VENDORS\n", text.stdout)
        self.assertRegex(text.stderr, "; OCL_ICD_VENDORS says where drivers are looked for: unset OCL_ICD_VENDORS; ")
        self.assertNotIn("install pocl", text.stderr)

    def test_a_folder_that_is_not_there(self):
        self.env["OCL_ICD_VENDORS"] = self.vendors + "/absent/"
        self.assert_found(self.findings(), "problem", "driver", "does not load|no OpenCL", ".")

    def test_memory_that_is_limited(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (200 << 20, resource.RLIM_INFINITY))

        if not os.path.exists("/etc/OpenCL/vendors/pocl.icd"):
            self.skipTest("no pocl")
        env = environment(OCL_ICD_VENDORS="pocl.icd")
        text = self.run_command("doctor", code=3, env=env, preexec_fn=limit)
        self.assertRegex(text.stderr, r"pocl.icd \(\S+ is not loaded: it, or a library that it needs, does not fit into "
                                      r"memory, which is limited to 200 MiB\).*: ulimit -v unlimited;")
        self.assertRegex(text.stdout, r"pocl.icd .* does not load: .*\n +mend: ulimit -v unlimited")

    def test_a_library_that_is_not_there(self):
        self.icd("old", "libpocl-of-old.so.9\n")
        self.assert_found(self.findings(), "problem", "driver",
                          r"old.icd \(libpocl-of-old.so.9\) does not load: .*No such file",
                          "apt install --reinstall pocl-opencl-icd; or, if it was removed: rm .*old.icd")

    def test_files_that_name_no_driver(self):
        self.icd("empty", "")
        self.icd("other", "libm.so.6\n")
        found = self.findings()
        self.assert_found(found, "problem", "driver", "empty.icd is empty", "reinstall")
        self.assert_found(found, "problem", "driver", "libm.so.6.* is no OpenCL driver", "name an")

    def test_drivers_that_crash(self):
        for library, how, when in (
                (CRASHES_AT_LOAD, r"crashes \(signal 11\)", "when it is loaded"),
                (CRASHES_WHEN_ASKED, r"crashes \(signal 11\)", "when it is asked for its devices"),
                (ENDS_THE_PROCESS, r"ends the process \(exit code 0\)", "when it is asked for its devices")):
            self.icd("bad", library + "\n")
            found = self.findings()
            self.assert_found(found, "problem", "driver", f"{how} {when}",
                              "install this driver again; or leave it out")
            self.assert_found(found, "problem", "loader", f"asking all drivers .* {how}",
                              "OCL_ICD_VENDORS=FILE.icd")

    def test_drivers_without_a_device(self):
        rusticl = "libRusticlOpenCL.so.1"
        remedies = {"libigdrcl.so": "usermod -aG render USER.*renderD.*intel-opencl-icd",
                    "libamdocl64.so": "usermod -aG render,video USER.*/dev/kfd.*mesa-opencl-icd",
                    "libintelocl.so": "apt install pocl-opencl-icd.*SSE 4.2",
                    "libnvidia-opencl.so.1": "modprobe nvidia as root.*--gpus all",
                    "libMesaOpenCL.so.1": "export RUSTICL_ENABLE=radeonsi, or iris",
                    "libpocl.so.2": "export POCL_CACHE_DIR=",
                    "libother.so": "none where its hardware is not here"}
        for library in (*remedies, rusticl):
            os.symlink(HAS_NO_DEVICE, f"{self.vendors}/{library}")
            self.icd(library, f"{self.vendors}/{library}\n")
        for enabled, remedy in (None, "export RUSTICL_ENABLE=radeonsi"), ("iris", "usermod -aG render USER"):
            found = self.findings(RUSTICL_ENABLE=enabled)
            for library, mend in {**remedies, rusticl: remedy}.items():
                self.assert_found(found, "note", "driver",
                                  rf"{library}\) loads, but has no usable device", mend)

    def test_a_good_driver_beside_a_missing_one(self):
        if not os.path.exists("/etc/OpenCL/vendors/pocl.icd"):
            self.skipTest("no pocl")
        shutil.copy("/etc/OpenCL/vendors/pocl.icd", self.vendors)
        self.icd("gone", "/nowhere/libnvidia-opencl.so.1\n")
        found = self.findings(code=0, POCL_CACHE_DIR=os.environ["POCL_CACHE_DIR"])
        self.assert_found(found, "good", "driver", "pocl.icd .* loads: ", "^$")
        self.assert_found(found, "problem", "driver", "gone.icd", "nvidia-opencl-icd; or, if")

    def test_caches(self):
        found = self.findings(POCL_CACHE_DIR="/proc/none", CNN_CL_CACHE_DIR="/proc/none")
        self.assert_found(found, "note", "cache", "pocl's cache /proc/none cannot be written",
                          "export POCL_CACHE_DIR=")
        self.assert_found(found, "note", "cache", "cnn-cl's cache /proc/none cannot be written",
                          "export CNN_CL_CACHE_DIR=")

    def test_libraries_from_elsewhere(self):
        name = "LD_LIBRARY_PATH"
        self.assert_found(self.findings(**{name: self.vendors}), "note", "variable",
                          rf"{name}={self.vendors}: .*another loader or driver", f"unset {name}")
        self.assertNotIn(name, str(self.findings(**{name: None})))

    def test_variables_that_this_loader_does_not_read(self):
        found = self.findings(OCL_ICD_FILENAMES="libx.so", OPENCL_VENDOR_PATH=self.vendors)
        unread = [one for one in found if "this loader does not read it" in one["text"]]
        self.assertEqual(len(unread), 1)


if __name__ == "__main__":
    unittest.main()
