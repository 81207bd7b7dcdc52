"""README.md and docs/ say what is there: the example, the commands and their options, the packages, the variables, the links."""
import glob
import os
import re
import shlex
import unittest

from support import CommandTest
from tools import ROOT, SCRIPTS, ScriptCase

SCREENS = 2  # of README.md
SCREEN_LINES = 50
PAGES = ["README.md"] + sorted(page for folder in ("docs", "data", "src")
                               for page in glob.glob(folder + "/*.md", root_dir=ROOT))


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def section(page, title):
    """The text below a heading of a page."""
    found = re.search(rf"(?m)^## {re.escape(title)}\n((?:(?!^## ).*\n)*)", read(page))
    assert found, f"{page} has no section '{title}'"
    return found.group(1)


def first_column(text):
    """What stands between backticks in the first column of a section's tables."""
    cells = re.findall(r"(?m)^\|([^|]*)\|", text)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def links_of(page):
    return set(re.findall(r"\]\(([^)#:]+)\)", read(page)))


def command_lines(text):
    """The words of each call of cnn-cl that is to be typed: in a block, or between backticks."""
    lines = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))
    for kind, block in re.findall(r"(?ms)^```(sh|console)\n(.*?)^```", text):
        lines += re.findall(r"(?m)^\$ (.*)$", block) if kind == "console" else block.splitlines()
    found = [re.match(r"\s*(?:[A-Z_]+=\S+ )*(cnn-cl\b.*)", line) for line in lines]
    return [shlex.split(match.group(1), comments=True) for match in found if match]


class Pages(unittest.TestCase):
    def test_readme_is_short(self):
        self.assertLessEqual(read("README.md").count("\n"), SCREENS * SCREEN_LINES)
        self.assertLess(len(read("README.md")), 6000)

    def test_readme_leads_to_every_page(self):
        links = links_of("README.md")
        self.assertEqual(set(PAGES) - links, {"README.md"})

    def test_every_link_leads_somewhere(self):
        for page in PAGES:
            for link in links_of(page):
                with self.subTest(page=page, link=link):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, os.path.dirname(page), link)))

    def test_the_example_is_the_program_that_is_tested(self):
        program = read("tests", "embed", "embed.c")
        lines = re.search(r"(?s)/\* docs: begin \*/\n(.*?) */\* docs: end \*/", program).group(1)
        lines = re.sub("(?m)^    ", "", lines)
        self.assertEqual(lines.count("\n"), 10)
        self.assertIn(f"```c\n{lines}```\n", section("docs/library.md", "Embed it"))

    def test_names_every_variable(self):
        used = set()
        for pattern in ("src/*/*.[ch]", "scripts/*.sh"):
            for path in glob.glob(os.path.join(ROOT, pattern)):
                used |= set(re.findall(r"\bCNN_CL_[A-Z_]+\b", read(path)))
        named = first_column(section("docs/guide.md", "Environment variables"))
        self.assertEqual(sorted(name for name in named if name.startswith("CNN_CL_")), sorted(used))

    def test_scripts_that_are_named_are_there(self):
        for page in PAGES:
            for name in re.findall(r"\bscripts/[\w.]+\.(?:sh|py)\b", read(page)):
                with self.subTest(page=page, name=name):
                    self.assertTrue(os.path.exists(os.path.join(ROOT, name)))


class Commands(CommandTest):
    def commands(self):
        text = self.run_command("--help").stdout
        commands = re.search(r"(?s)Commands:\n(.*?)\nOptions", text).group(1)
        return re.findall(r"(?m)^  ([a-z]+)", commands)

    def options_of(self, *command):
        """What a help has rows for, and what it has the names of alone."""
        text = self.run_command(*command, "--help").stdout
        brief = re.search(r"(?s)\n(?:The network .*?|  And, as the manual says):(.*?)\nAlso ", text)
        return set(re.findall(r"(?m)^  (?:-\w, )?--([a-z-]+)", text) +
                   re.findall(r"--([a-z-]+)", re.sub(r"\('.*?\)", "", brief.group(1)) if brief else ""))

    def test_the_table_has_every_command(self):
        self.assertEqual(first_column(section("docs/guide.md", "Commands")),
                         [*self.commands(), "--list-devices"])

    def test_each_line_to_type_has_a_command_and_its_options(self):
        everywhere = self.options_of()
        options = {name: self.options_of(name) | everywhere for name in self.commands()}
        options["COMMAND"] = everywhere | {"json"}  # none is named: that of --list-devices
        found = 0
        for page in PAGES:
            for words in command_lines(read(page)):
                name = next((word for word in words[1:] if not word.startswith("-")), "COMMAND")
                given = {word[2:].split("=")[0] for word in words if word.startswith("--")}
                with self.subTest(page=page, line=" ".join(words)):
                    self.assertIn(name, options)
                    self.assertEqual(given - options[name], set())
                found += 1
        self.assertGreater(found, 30)

    def test_exit_codes(self):
        said = re.search(r"(?s)Exit codes: (.*)\Z", self.run_command("--help").stdout).group(1)
        self.assertEqual(re.findall(r"\d+", said),
                         re.findall(r"(?m)^\| (\d+) \|", section("docs/guide.md", "Exit codes")))


class Packages(ScriptCase):
    def test_the_tables_have_every_package(self):
        # Where apt-get is not there, the script prints the names.
        self.link_commands("sh")
        result = self.run_script(os.path.join(SCRIPTS, "setup.sh"), "--tests", "--bench",
                                 "--mpi", "--fashion-mnist", PATH=self.bin)
        packages = re.findall(r"(?m)^    (\S+)$", result.stderr)
        self.assertIn("libclblast-dev", packages)
        self.assertEqual(sorted(first_column(read("docs", "dependencies.md"))), sorted(set(packages)))


if __name__ == "__main__":
    unittest.main()
