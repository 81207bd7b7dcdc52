"""The build as its users install it: in a folder of its own, which is then moved elsewhere."""
import glob
import json
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
# What a library keeps its hands off: its host's streams, its end, its signals, its settings.
HANDS_OFF = set("""printf vprintf dprintf vdprintf puts putchar perror stdout stderr stdin
    exit _exit _Exit quick_exit abort raise kill atexit err errx verr verrx warn warnx vwarn vwarnx
    syslog vsyslog signal sigaction sigprocmask pthread_sigmask setlocale setenv putenv unsetenv
    clearenv chdir fchdir umask srand srandom system popen fork __assert_fail""".split())
# The doctor loads drivers, which may crash, in a child process: what it does there is the child's.
# A rank that failed ends with all others; kill(process, 0) asks whether one lives; MPI takes settings from the
# environment alone, when it begins.
OF_RANKS = {"_exit", "kill", "setenv"}
IN_A_CHILD = {"fork", "kill", "setenv", "_exit"}
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
        self.assertRegex(self.run_command("--version"), r"\Acnn-cl \d+\.\d+\.\d+\nMPI: [^\n]+\n\Z")
        self.assertRegex(self.run_command("--list-devices"), r"(?m)^\* 0 ")

    def test_has_its_page_of_the_manual(self):
        page = os.path.join(self.prefix, "share", "man", "man1", "cnn-cl.1")
        with open(page, encoding="utf-8") as file:
            self.assertIn("\n.Dt CNN-CL 1\n", file.read())

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
        with self.assertRaisesRegex(AssertionError, r"no kernel files \(\*\.cl\) there; CNN_CL_KERNEL_DIR"):
            self.run_command(*arguments)


class Library(Install):
    def test_every_header_is_whole(self):
        source = os.path.join(ROOT, "include", "cnncl")
        self.assertEqual(self.headers, sorted(n for n in os.listdir(source) if n.endswith(".h")))
        self.check_headers(C + ["-std=c11"], "c")

    def test_every_header_is_whole_in_cxx(self):
        if shutil.which(CXX) is None:
            self.skipTest("no C++ compiler is there")
        self.check_headers([CXX, "-std=c++17"], "cpp")

    def test_every_function_is_called_from_cxx_by_its_own_name(self):
        if shutil.which(CXX) is None:
            self.skipTest("no C++ compiler is there")
        source = os.path.join(self.scratch, "every.cpp")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <cnncl/cnncl.h>\n"
                       "using function = void (*)();\n"
                       "extern const function every[];\n"
                       "const function every[] = {\n")
            file.writelines(f"    reinterpret_cast<function>({name}),\n" for name in self.declared())
            file.write("};\nint main() { return every[0] == nullptr; }\n")
        self.run_in("work", CXX, "-std=c++17", *STRICT, source, "-o", "every",
                    *self.flags("--cflags", "--libs"), "-Wl,-rpath," + self.libraries)
        self.run_in("work", os.path.join(self.scratch, "work", "every"))

    def test_pkg_config_asks_for_nothing_else(self):
        # The headers need no other library, and the shared library names its own: with no other
        # package's .pc file in sight, the flags are there, and they are these.
        only = {"PKG_CONFIG_PATH": None,
                "PKG_CONFIG_LIBDIR": os.path.join(self.libraries, "pkgconfig")}

        def ask(*arguments):
            return shlex.split(self.run_in("work", "pkg-config", *arguments, "cnncl", **only))

        def paths(flags, option):
            return [os.path.realpath(flag[2:]) for flag in flags if flag.startswith(option)]

        include = os.path.realpath(os.path.join(self.prefix, "include"))
        self.assertEqual(ask("--print-requires", "--print-requires-private"), [])
        self.assertEqual(paths(ask("--cflags"), "-I"), [include])
        self.assertEqual(len(ask("--cflags")), 1)
        self.assertEqual(paths(ask("--libs"), "-L"), [os.path.realpath(self.libraries)])
        self.assertEqual(ask("--libs")[1:], ["-lcnncl"])
        self.assertEqual(self.run_command("--version").split()[1:2], ask("--modversion"))

    def check_headers(self, compiler, ending):
        flags = self.flags("--cflags")
        for header in self.headers:
            with self.subTest(header=header):
                source = os.path.join(self.scratch, f"{header}.{ending}")
                with open(source, "w", encoding="utf-8") as file:
                    file.write(f"#include <cnncl/{header}>\n" * 2 + "extern int not_empty;\n")
                self.run_in("work", *compiler, *STRICT, *flags, "-fsyntax-only", source)

    def declared(self):
        """The functions of the installed headers."""
        names = set()
        for header in self.headers:
            path = os.path.join(self.prefix, "include", "cnncl", header)
            with open(path, encoding="utf-8") as file:
                names |= set(API.findall(file.read()))
        self.assertGreater(len(names), 40)
        return sorted(names)

    def test_shows_what_the_headers_declare_and_no_more(self):
        library = os.path.join(self.libraries, "libcnncl.so")
        shown = sorted(self.symbols("-D", "--defined-only", library))
        self.assertEqual(shown, self.declared())
        self.assertEqual([name for name in shown if not name.startswith("cnn_")], [])

    def test_never_prints_and_never_exits(self):
        objects = glob.glob(os.path.join(glob.escape(BUILD), "src", "libcnncl_whole.a.p", "*.o"))
        objects = {os.path.basename(path): path for path in objects}
        generated = {name for name in objects if name.startswith("meson-generated_")}
        self.assertGreater(len(objects) - len(generated), 40)
        everything = set()
        for name in sorted(objects.keys() - generated):
            used = self.symbols("--undefined-only", objects[name])
            # With _FORTIFY_SOURCE printf() is __printf_chk().
            used = {re.sub(r"^__(\w+)_chk$", r"\1", symbol) for symbol in used}
            everything |= used
            allowed = IN_A_CHILD if name.startswith("doctor_") else OF_RANKS if name == "comm_mpi.c.o" else set()
            with self.subTest(file=name):
                self.assertEqual(sorted(used & HANDS_OFF - allowed), [])
        self.assertIn("vsnprintf", everything)

    def symbols(self, *arguments):
        return {line.split()[-1].split("@")[0]
                for line in self.run_in("work", "nm", *arguments).splitlines()}


class Embed(Install):
    """The programs of tests/embed/, which newcomers copy: the same in C and in C++."""

    def test_in_c(self):
        self.check_program(*C, "-std=c11", source="embed.c")

    def test_in_cxx(self):
        if shutil.which(CXX) is None:
            self.skipTest("no C++ compiler is there")
        self.check_program(CXX, "-std=c++17", source="embed.cpp")

    def check_program(self, *compiler, source):
        self.run_in(source, *compiler, *STRICT, "-Wshadow", "-Wconversion",
                    os.path.join(ROOT, "tests", "embed", source), "-o", "embed",
                    *self.flags("--cflags", "--libs"), "-Wl,-rpath," + self.libraries)
        folder = os.path.join(self.scratch, source)
        program = os.path.join(folder, "embed")
        with self.subTest("it does what it says"):
            self.check_output(self.run_in(source, program))
            self.assertEqual(sorted(os.listdir(folder)), ["embed", "model.safetensors"])
            self.assertRegex(self.run_command("params", "--model", folder + "/model.safetensors"),
                             r"name:\[net\.conv2d_00\.weight\]")
        with self.subTest("there is no such device"):
            self.check_failure(program, r'CNN_CL_DEVICE="none such": .*', CNN_CL_DEVICE="none such")
        with self.subTest("the model cannot be written"):
            os.remove(folder + "/model.safetensors")
            os.mkdir(folder + "/model.safetensors")
            self.check_failure(program, r".*model\.safetensors.*")

    def check_output(self, output):
        devices = json.loads(self.run_command("--list-devices", "--json"))["devices"]
        self.assertEqual(re.findall(r"(?m)^device (\d+): (.*), (.*)$", output),
                         [(str(one["index"]), one["name"], one["type"])
                          for one in devices if one["index"] is not None])
        accuracies = [(int(index), float(accuracy)) for index, accuracy
                      in re.findall(r"(?m)^epoch (-?\d+): test accuracy ([\d.]+)", output)]
        # One run to its end, one that its callback stopped as soon as it was good enough.
        self.assertEqual([index for index, _ in accuracies[:5]], [-1, 0, 1, 2, 3])
        stopped = accuracies[5:]
        self.assertEqual([index for index, _ in stopped], [-1, 0, 1, 2, 3][:len(stopped)])
        self.assertLess(len(stopped), 5)
        self.assertEqual([accuracy >= 0.9 for _, accuracy in stopped],
                         [False] * (len(stopped) - 1) + [True])
        self.assertRegex(output, r"\nstopped: that is enough\n\Z")
        right, count = re.search(r"(?m)^(\d+) of (\d+) test images right$", output).groups()
        self.assertGreaterEqual(int(right), 0.9 * int(count))
        self.assertIn("\nan image of class 0 is taken for class 0\n", output)

    def check_failure(self, program, message, **changes):
        result = subprocess.run([program], cwd=os.path.dirname(program), capture_output=True,
                                text=True, env=environment(**WHERE_IT_IS, **changes), timeout=300)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, rf"\Aembed: {message}\n\Z")


if __name__ == "__main__":
    unittest.main()
