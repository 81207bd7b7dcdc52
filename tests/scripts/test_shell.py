"""The shell scripts themselves: ShellCheck, and build.sh on a small project."""
import glob
import os
import shutil
import unittest

from tools import ROOT, SCRIPTS, ScriptCase

PROJECT = "project('small', 'c')\nif get_option('tests')\n  message('with tests')\nendif\n"
OPTIONS = "option('tests', type: 'boolean', value: true)\n"
PROGRAM = "executable('small', 'small.c')\n"


class Shell(ScriptCase):
    def test_shellcheck_finds_nothing(self):
        if shutil.which("shellcheck") is None:
            self.skipTest("shellcheck is not there")
        scripts = glob.glob(os.path.join(SCRIPTS, "*.sh")) + [os.path.join(ROOT, ".ci", "run")]
        self.assertGreater(len(scripts), 4)
        result = self.run_script("shellcheck", "-x", *scripts)
        self.assertEqual(result.stdout + result.stderr, "")

    def test_scripts_can_be_run(self):
        for name in os.listdir(SCRIPTS):
            if name.endswith(".sh"):
                self.assertTrue(os.access(os.path.join(SCRIPTS, name), os.X_OK), name)
        self.assertTrue(os.access(os.path.join(ROOT, ".ci", "run"), os.X_OK))


class Build(ScriptCase):
    def setUp(self):
        super().setUp()
        self.write("tree/meson.build", PROJECT + PROGRAM)
        self.write("tree/meson_options.txt", OPTIONS)
        self.write("tree/small.c", "int main(void) { return 0; }\n")
        os.mkdir(self.path("tree", "scripts"))
        shutil.copy(os.path.join(SCRIPTS, "build.sh"), self.path("tree", "scripts"))

    def build(self, *arguments, **environment):
        return self.run_script(self.path("tree", "scripts", "build.sh"), *arguments, **environment)

    def has_tests(self):
        with open(self.path("build", "meson-logs", "meson-log.txt"), encoding="utf-8") as log:
            return "with tests" in log.read()

    def test_builds_once_and_is_silent_then(self):
        result = self.build("build", "small")
        self.assertEqual((result.returncode, result.stderr), (0, "Building cnn-cl in build.\n"))
        program = self.path("build", "small")
        before = os.stat(program).st_mtime_ns
        result = self.build("build", "small")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertEqual(os.stat(program).st_mtime_ns, before)

    def test_says_why_it_failed(self):
        self.write("tree/small.c", "int main(void) { return nothing; }\n")
        result = self.build("build")
        self.assertEqual(result.returncode, 1)
        self.assertIn("nothing", result.stderr)
        self.assertIn("build.sh: this failed: ninja", result.stderr)

    def test_mends_a_configuration_that_was_interrupted(self):
        self.build("build")
        os.remove(self.path("build", "build.ninja"))
        self.assertEqual(self.build("build").returncode, 0)

    def test_tests_are_switched_on_in_a_build_without_them(self):
        self.command("pkg-config", "exit 1")
        result = self.build("build", PATH=self.bin + os.pathsep + os.environ["PATH"])
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse(self.has_tests())
        self.assertEqual(self.build("--tests", "build").returncode, 0)
        self.assertTrue(self.has_tests())


if __name__ == "__main__":
    unittest.main()
