"""docs/cnn-cl.1 says what --help says: every command, every option with its argument and default."""
import os
import re
import shutil
import subprocess
import unittest

from tools import ROOT

CNN_CL = os.environ["CNN_TEST_COMMAND"]
PAGE = os.path.join(ROOT, "docs", "cnn-cl.1")
# "  -q, --quiet       no information": the name, its argument, the rest
ROW = re.compile(r"(?m)^  (?:-\w, )?--([a-z-]+)(?: ([A-Z]\S*))? +(.*)$")
# What begins the names that have no rows
BRIEF = r"(?:The network .*?|  And, as the manual says):"
# A line of the page that begins with an option, and one that begins its description
NAMED = re.compile(r"(?m)^\.(?:It )?(?:Fl \w , )?Fl -([a-z-]+)")
ITEM = re.compile(r"(?ms)^\.It (?:Fl \w , )?Fl -([a-z-]+)(?: Ar (\S+))?\n(.*?)(?=^\.(?:It|El|Sh|Ss)\b)")


def rows_of(text):
    """Name, argument, description of each option in a help, but the names alone at its end."""
    return ROW.findall(re.split("(?m)^" + BRIEF, text)[0])


def named_in(text):
    """Names that a help has without a row: each with its argument."""
    found = re.search(rf"(?s)\n{BRIEF}(.*?)\nAlso ", text)
    return re.findall(r"--([a-z-]+)(?: ([A-Z]\S*))?", re.sub(r"\('.*?\)", "", found.group(1)) if found else "")


def help_of(*command):
    result = subprocess.run([CNN_CL, *command, "--help"], capture_output=True, text=True,
                            timeout=60, check=True)
    return result.stdout


def commands():
    listed = re.search(r"(?s)Commands:\n(.*?)\nOptions", help_of()).group(1)
    return re.findall(r"(?m)^  ([a-z]+)", listed)


def options_of(*command):
    """What a command's help names, but the options of every command."""
    text = help_of(*command)
    return sorted([name for name, _, _ in rows_of(text)] + [name for name, _ in named_in(text)])


class Page(unittest.TestCase):
    def setUp(self):
        with open(PAGE, encoding="utf-8") as file:
            self.page = file.read()

    def part(self, macro, title):
        """What stands below a heading, up to the next one."""
        found = re.search(rf"(?ms)^\.{macro} {re.escape(title)}\n(.*?)(?=^\.S[hs] |\Z)", self.page)
        self.assertIsNotNone(found, f"no heading '{title}'")
        return found.group(1)

    def test_has_every_command_and_no_other(self):
        listed = re.search(r"(?ms)^\.Sh COMMANDS\n(.*?)^\.Sh ", self.page).group(1)
        self.assertEqual(re.findall(r"(?m)^\.Ss (.*)$", listed), commands())

    def test_has_the_options_of_each_command_and_no_others(self):
        network = NAMED.findall(self.part("Sh", "THE NETWORK").split(".Bl", 1)[1])
        for command in commands():
            with self.subTest(command):
                text = self.part("Ss", command)
                named = set(NAMED.findall(text))
                if "and those of\n.Sx THE NETWORK ." in text:
                    named |= set(network)
                self.assertEqual(sorted(named), options_of(command))

    def test_has_the_options_of_the_program_and_no_others(self):
        named = [name for title in ("Options of the program", "Options of every command")
                 for name in re.findall(r"(?m)^\.It (?:Fl \w , )?Fl -([a-z-]+)",
                                        self.part("Ss", title))]
        self.assertEqual(named, [name for name, _, _ in rows_of(help_of())])

    def test_describes_each_option_once_with_its_argument_and_default(self):
        items = ITEM.findall(self.page)
        described = {name: (argument, text) for name, argument, text in items}
        self.assertEqual(len(described), len(items))
        rows = {row for command in [(), *((name,) for name in commands())]
                for row in rows_of(help_of(*command))}
        short = {row for name in commands() for row in named_in(help_of(name))}
        self.assertEqual(sorted(described), sorted({name for name, *_ in [*rows, *short]}))
        self.assertEqual({name: described[name][0] for name, _ in short}, dict(short))
        for name, argument, help_text in rows:
            with self.subTest(name):
                self.assertEqual(described[name][0], argument)
                default = re.search(r"\(default (?!for )([\w,.-]+)", help_text)
                if default:
                    self.assertIn(f"(default {default.group(1)}",
                                  described[name][1].replace("\n.Pa ", " "))

    def test_exit_codes(self):
        said = re.search(r"(?s)Exit codes: (.*)\Z", help_of()).group(1)
        self.assertEqual(re.findall(r"(?m)^\.It (\d+)$", self.part("Sh", "EXIT STATUS")),
                         re.findall(r"\d+", said))

    def test_has_every_variable_of_the_program(self):
        used = set()
        for folder, _, names in os.walk(os.path.join(ROOT, "src")):
            for name in names:
                if name.endswith((".c", ".h")):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        used |= set(re.findall(r"\bCNN_CL_[A-Z_]+\b", file.read()))
        named = re.findall(r"(?m)^\.It Ev (CNN_CL_\w+)", self.part("Sh", "ENVIRONMENT"))
        self.assertEqual(sorted(named), sorted(used))


class Format(unittest.TestCase):
    @unittest.skipUnless(shutil.which("mandoc"), "mandoc is not there")
    def test_mandoc_finds_nothing(self):
        result = subprocess.run(["mandoc", "-T", "lint", "-W", "style", PAGE], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.stdout + result.stderr, "")

    @unittest.skipUnless(shutil.which("groff"), "groff is not there")
    def test_groff_finds_nothing(self):
        result = subprocess.run(["groff", "-ww", "-mdoc", "-Tascii", PAGE], capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.stderr, "")
        self.assertIn("checkpoint", result.stdout)


if __name__ == "__main__":
    unittest.main()
