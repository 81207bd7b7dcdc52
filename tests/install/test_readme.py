"""README.md says what is there: the example, the commands, the packages, the variables, the links."""
import glob
import os
import re
import unittest

from support import CommandTest
from tools import ROOT, SCRIPTS, ScriptCase


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def section(title):
    """The text below a heading of README.md."""
    found = re.search(rf"(?m)^## {re.escape(title)}\n((?:(?!^## ).*\n)*)", read("README.md"))
    assert found, f"README.md has no section '{title}'"
    return found.group(1)


def first_column(text):
    """What stands between backticks in the first column of a section's tables."""
    cells = re.findall(r"(?m)^\|([^|]*)\|", text)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


class Readme(unittest.TestCase):
    def test_the_example_is_the_program_that_is_tested(self):
        program = read("tests", "embed", "embed.c")
        lines = re.search(r"(?s)/\* README: begin \*/\n(.*?) */\* README: end \*/", program).group(1)
        lines = re.sub("(?m)^    ", "", lines)
        self.assertEqual(lines.count("\n"), 10)
        self.assertIn(f"```c\n{lines}```\n", section("The library"))

    def test_names_every_variable(self):
        used = set()
        for pattern in ("src/*/*.[ch]", "scripts/*.sh"):
            for path in glob.glob(os.path.join(ROOT, pattern)):
                used |= set(re.findall(r"\bCNN_CL_[A-Z_]+\b", read(path)))
        named = first_column(section("Environment variables"))
        self.assertEqual(sorted(name for name in named if name.startswith("CNN_CL_")), sorted(used))

    def test_every_link_leads_somewhere(self):
        links = set(re.findall(r"\]\(([^)#:]+)\)", read("README.md")))
        self.assertIn("src/README.md", links)
        for link in links:
            self.assertTrue(os.path.exists(os.path.join(ROOT, link)), link)


class Commands(CommandTest):
    def test_the_table_has_every_command(self):
        text = self.run_command("--help").stdout
        commands = re.search(r"(?s)Commands:\n(.*?)\nOptions", text).group(1)
        commands = re.findall(r"(?m)^  ([a-z]+)", commands)
        self.assertEqual(first_column(section("Commands")), [*commands, "--list-devices"])

    def test_exit_codes(self):
        said = re.search(r"(?s)Exit codes: (.*)\Z", self.run_command("--help").stdout).group(1)
        self.assertEqual(re.findall(r"\d+", said), re.findall(r"(?m)^\| (\d+) \|", section("Exit codes")))


class Packages(ScriptCase):
    def test_the_tables_have_every_package(self):
        # Where apt-get is not there, the script prints the names.
        self.link_commands("sh")
        result = self.run_script(os.path.join(SCRIPTS, "setup.sh"), "--tests", "--bench",
                                 "--fashion-mnist", PATH=self.bin)
        packages = re.findall(r"(?m)^    (\S+)$", result.stderr)
        self.assertIn("libclblast-dev", packages)
        self.assertEqual(sorted(first_column(section("What it needs"))), sorted(set(packages)))


if __name__ == "__main__":
    unittest.main()
