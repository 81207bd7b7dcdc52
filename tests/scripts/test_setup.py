"""scripts/setup.sh with stand-ins for the system's commands."""
import os
import unittest

from tools import SCRIPTS, ScriptCase

TOOLS = ["sh", "env", "mktemp", "rm", "cat", "grep"]


class SetupCase(ScriptCase):
    def setUp(self):
        super().setUp()
        self.link_commands(*TOOLS)

    def setup(self, *arguments):
        return self.run_script(os.path.join(SCRIPTS, "setup.sh"), *arguments, PATH=self.bin)

    def debian(self, installed="", available=".*", user=0):
        """A Debian whose dpkg knows the packages of one pattern and apt those of another."""
        self.command("dpkg-query", 'for last; do :; done\n'
                     f'echo "$last" | grep -qxE "{installed or "nothing"}" && printf "ii "')
        self.command("apt-cache", f'echo "$2" | grep -qxE "{available}" && echo "  Candidate: 1.0" || :')
        self.command("apt-get", f'printf "%s\\n" "$*" >>"{self.path("apt.log")}"')
        self.command("id", f"echo {user}")

    def apt_log(self):
        try:
            with open(self.path("apt.log"), encoding="utf-8") as log:
                return log.read().splitlines()
        except FileNotFoundError:
            return []


class ElsewhereThanDebian(SetupCase):
    def test_prints_the_names(self):
        result = self.setup()
        self.assertEqual(result.returncode, 1)
        for name in ["meson", "pocl-opencl-icd", "libclblast-dev", "libcairo2-dev"]:
            self.assertIn(f"    {name}\n", result.stderr)
        self.assertNotIn("    check\n", result.stderr)
        self.assertIn("    check\n", self.setup("--tests").stderr)

    def test_is_silent_where_the_tools_are_there(self):
        for name in ["cc", "meson", "ninja", "python3", "protoc-c"]:
            self.command(name, "")
        self.command("pkg-config", 'case $2 in check) exit 1 ;; esac')
        result = self.setup()
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertEqual(self.setup("--tests").returncode, 1)


class OnDebian(SetupCase):
    def test_is_silent_when_nothing_is_missing(self):
        self.debian(installed=".*", user=1000)
        result = self.setup("--tests")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
        self.assertEqual(self.apt_log(), [])

    def test_installs_what_is_missing_by_name(self):
        self.debian(installed="(build-.*|ninja.*|nettle.*|pkg-config|python3|.*ocl.*|opencl.*|lib.*|protobuf.*|gzip|c.*)")
        result = self.setup()
        self.assertEqual(result.returncode, 0, result.stderr)
        update, install = self.apt_log()
        self.assertTrue(update.endswith(" update"), update)
        self.assertTrue(install.endswith("install --no-install-recommends meson zlib1g-dev"), install)

    def test_names_optional_packages_that_are_not_to_be_had(self):
        self.debian(installed="([^pod].*|pkg-config|protobuf.*|python3|python3-numpy|p?ocl.*|opencl.*|.*-dev|.*icd)",
                    available="python3.*")
        result = self.setup("--tests")
        self.assertEqual(result.returncode, 0, result.stderr)
        installs = [line for line in self.apt_log() if " install " in line]
        self.assertEqual(len(installs), 1, installs)
        self.assertTrue(installs[0].endswith(" python3-torch"))
        self.assertRegex(result.stderr.splitlines()[-1], "skipped: dataset-fashion-mnist doxygen$")

    def test_fails_with_the_log_when_apt_fails(self):
        self.debian()
        self.command("apt-get", 'case "$*" in *" install "*) echo "E: no space"; exit 100 ;; esac')
        result = self.setup()
        self.assertEqual(result.returncode, 1)
        self.assertIn("E: no space", result.stderr)
        self.assertIn("could not install: build-essential", result.stderr)

    def test_prints_the_command_without_root_and_sudo(self):
        self.debian(user=1000)
        result = self.setup()
        self.assertEqual(result.returncode, 1)
        self.assertIn("apt-get install --no-install-recommends build-essential meson", result.stderr)
        self.assertEqual(self.apt_log(), [])

    def test_uses_sudo(self):
        self.debian(user=1000)
        self.command("sudo", 'exec "$@"')
        result = self.setup()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len(self.apt_log()), 2)

    def test_installs_fashion_mnist_on_demand(self):
        self.debian(installed="[^d].*")
        self.assertEqual(self.setup("--fashion-mnist").returncode, 0)
        self.assertTrue(self.apt_log()[-1].endswith(" dataset-fashion-mnist"))

    def test_refuses_unknown_options(self):
        result = self.setup("--test")
        self.assertEqual(result.returncode, 2)
        self.assertIn("found '--test'", result.stderr)


if __name__ == "__main__":
    unittest.main()
