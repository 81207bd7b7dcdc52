"""The build as its users install it: in a folder of its own, which is then moved elsewhere."""
import glob
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

from support import environment, make_data, NETWORK
from tools import ROOT

BUILD = os.environ["CNN_TEST_BUILD_DIR"]
PREFIX = os.environ["CNN_TEST_PREFIX"]
LIBRARIES = os.environ["CNN_TEST_LIBDIR"]
C = shlex.split(os.environ["CNN_TEST_CC"])
CXX = os.environ.get("CXX", "c++")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
API = re.compile(r"(?m)^CNN_API\b[^;(]*?\b(\w+)\(")
WHERE_IT_IS = {"CNN_CL_KERNEL_DIR": None, "LD_LIBRARY_PATH": None, "PKG_CONFIG_PATH": None}


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp(prefix="cnn-cl test ")  # with blanks, as users have them
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        staging = os.path.join(cls.scratch, "staging")
        subprocess.run([os.environ["CNN_TEST_MESON"], "install", "-C", BUILD, "--no-rebuild",
                        "--quiet", "--destdir", staging], check=True, stdout=subprocess.DEVNULL)
        cls.prefix = os.path.join(cls.scratch, "moved")
        shutil.move(staging + PREFIX, cls.prefix)
        cls.libraries = os.path.join(cls.prefix, LIBRARIES)
        cls.headers = sorted(os.listdir(os.path.join(cls.prefix, "include", "cnncl")))

    def run_in(self, folder, *arguments, **changes):
        """The output of a command that must succeed, run in a new folder of this name."""
        os.makedirs(os.path.join(self.scratch, folder), exist_ok=True)
        result = subprocess.run(arguments, cwd=os.path.join(self.scratch, folder),
                                env=environment(**{**WHERE_IT_IS, **changes}),
                                capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, f"{arguments}: {result.stderr}")
        return result.stdout

    def run_command(self, *arguments):
        return self.run_in("work", os.path.join(self.prefix, "bin", "cnn-cl"), *arguments)

    def flags(self, *arguments):
        return shlex.split(self.run_in("work", "pkg-config", *arguments, "cnncl",
                           PKG_CONFIG_PATH=os.path.join(self.libraries, "pkgconfig")))


class Command(Install):
    def test_says_its_version_and_devices(self):
        self.assertRegex(self.run_command("--version"), r"\Acnn-cl \d+\.\d+\.\d+\n\Z")
        self.assertRegex(self.run_command("--list-devices"), r"(?m)^\* 0 ")

    def test_trains_with_its_own_kernels(self):
        data = make_data(os.path.join(self.scratch, "data"))
        arguments = ["train", "--data", data, *NETWORK, "--epochs", "1"]
        self.assertRegex(self.run_command(*arguments), r"(?m)^epoch:\[0\] loss:.*\nDone\n\Z")
        run = os.path.join(self.scratch, "work", "runs", "cnn")
        self.assertLessEqual({"cnn.safetensors", "predictions.png", "report.html"},
                             set(os.listdir(run)))

        kernels = os.path.join(self.prefix, "share", "cnn-cl", "cl")
        self.assertEqual(sorted(os.listdir(kernels)),
                         sorted(map(os.path.basename, glob.glob(os.path.join(ROOT, "cl", "*.cl")))))
        os.rename(kernels, kernels + "-away")
        self.addCleanup(os.rename, kernels + "-away", kernels)
        with self.assertRaisesRegex(AssertionError, "no such kernel file"):
            self.run_command(*arguments)


class Library(Install):
    def test_a_program_is_built_and_runs_on_it(self):
        source = os.path.join(ROOT, "tests", "install", "embed.c")
        self.run_in("program", *C, "-std=c11", *STRICT, source, "-o", "embed",
                    *self.flags("--cflags", "--libs"), "-Wl,-rpath," + self.libraries)
        program = os.path.join(self.scratch, "program", "embed")
        right, count = re.fullmatch(r"(\d+) of (\d+) new images right\n",
                                    self.run_in("program", program)).groups()
        self.assertGreaterEqual(int(right), 0.9 * int(count))

        failed = subprocess.run([program], env=environment(**WHERE_IT_IS, CNN_CL_DEVICE="none such"),
                                capture_output=True, text=True)
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stderr, r'\Aembed: CNN_CL_DEVICE="none such": .*\n\Z')

    def test_every_header_is_whole(self):
        source = os.path.join(ROOT, "include", "cnncl")
        self.assertEqual(self.headers, sorted(n for n in os.listdir(source) if n.endswith(".h")))
        self.check_headers(C + ["-std=c11"], "c")

    def test_every_header_is_whole_in_cxx(self):
        if shutil.which(CXX) is None:
            self.skipTest("no C++ compiler is there")
        self.check_headers([CXX, "-std=c++17"], "cpp")

    def check_headers(self, compiler, ending):
        flags = self.flags("--cflags")
        for header in self.headers:
            with self.subTest(header=header):
                source = os.path.join(self.scratch, f"{header}.{ending}")
                with open(source, "w", encoding="utf-8") as file:
                    file.write(f"#include <cnncl/{header}>\n" * 2 + "extern int not_empty;\n")
                self.run_in("work", *compiler, *STRICT, *flags, "-fsyntax-only", source)

    def test_shows_what_the_headers_declare_and_no_more(self):
        declared = set()
        for header in self.headers:
            path = os.path.join(self.prefix, "include", "cnncl", header)
            with open(path, encoding="utf-8") as file:
                declared |= set(API.findall(file.read()))
        self.assertGreater(len(declared), 40)
        library = os.path.join(self.libraries, "libcnncl.so")
        lines = self.run_in("work", "nm", "-D", "--defined-only", library).splitlines()
        self.assertEqual({line.split()[2] for line in lines}, declared)


if __name__ == "__main__":
    unittest.main()
