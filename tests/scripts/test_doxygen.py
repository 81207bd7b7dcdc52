"""docs/Doxyfile: doxygen documents the whole public API, and has nothing to say against it."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml

from tools import ROOT

DECLARED = re.compile(r"(?m)^CNN_API\b[^;(]*?\b(\w+)\(")


@unittest.skipUnless(shutil.which("doxygen"), "doxygen is not there")
class Doxygen(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="cnn-cl-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def run_doxygen(self, *lines):
        """What doxygen says with the project's settings and these."""
        settings = ["@INCLUDE = docs/Doxyfile", f"OUTPUT_DIRECTORY = {self.folder}",
                    "GENERATE_HTML = NO", "GENERATE_XML = YES", *lines]
        result = subprocess.run(["doxygen", "-"], cwd=ROOT, input="\n".join(settings), text=True,
                                capture_output=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout + result.stderr

    def documented(self):
        """The functions that have a comment."""
        names = set()
        for path in glob.glob(os.path.join(self.folder, "xml", "*_8h.xml")):
            for member in xml.parse(path).iterfind(".//memberdef[@kind='function']"):
                if any("".join(member.find(part).itertext()).strip()
                       for part in ("briefdescription", "detaileddescription")):
                    names.add(member.findtext("name"))
        return names

    def test_knows_every_function(self):
        self.assertEqual(self.run_doxygen(), "")
        declared = set()
        for path in glob.glob(os.path.join(ROOT, "include", "cnncl", "*.h")):
            with open(path, encoding="utf-8") as header:
                declared |= set(DECLARED.findall(header.read()))
        self.assertGreater(len(declared), 40)
        self.assertEqual(self.documented(), declared)

    def test_would_say_what_is_missing(self):
        with open(os.path.join(self.folder, "odd.h"), "w", encoding="utf-8") as header:
            header.write("/** @file\n * Odd. */\n/** One. */\nint one(void);\nint two(void);\n"
                         "/** Three. */\nstruct three {\n    int four;\n};\n")
        said = self.run_doxygen(f"INPUT = {self.folder}/odd.h")
        self.assertRegex(said, r"two\(void\).* is not documented")
        self.assertRegex(said, "Member four .* is not documented")
        self.assertNotIn("one(void)", said)


if __name__ == "__main__":
    unittest.main()
