"""What the tests of the scripts share: where things are, and a PATH with chosen commands only."""
import os
import shutil
import stat
import subprocess
import tempfile
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SCRIPTS = os.path.join(ROOT, "scripts")
MNIST = os.environ.get("CNN_TEST_MNIST_DIR", os.path.join(ROOT, "..", "shared", "data", "mnist"))
NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


class ScriptCase(unittest.TestCase):
    """A test with a scratch folder, self.scratch, and a folder of commands, self.bin."""

    def setUp(self):
        self.scratch = tempfile.mkdtemp(prefix="cnn-cl test ")  # with blanks, as users have them
        self.addCleanup(shutil.rmtree, self.scratch)
        self.bin = os.path.join(self.scratch, "bin")
        os.mkdir(self.bin)

    def path(self, *parts):
        return os.path.join(self.scratch, *parts)

    def write(self, relative, text, executable=False):
        path = self.path(relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        if executable:
            os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return path

    def read(self, relative):
        with open(self.path(relative), encoding="utf-8") as file:
            return file.read()

    def command(self, name, body):
        """A command of ours, a shell script, in self.bin."""
        return self.write(os.path.join("bin", name), "#!/bin/sh\n" + body + "\n", executable=True)

    def link_commands(self, *names):
        """The machine's own commands, into self.bin."""
        for name in names:
            found = shutil.which(name)
            self.assertIsNotNone(found, name)
            os.symlink(found, os.path.join(self.bin, name))

    def run_script(self, *arguments, cwd=None, timeout=120, **environment):
        """The finished process of a command line; environment changes, None removes."""
        merged = dict(os.environ, LC_ALL="C")
        for key, value in environment.items():
            merged.pop(key, None)
            if value is not None:
                merged[key] = value
        return subprocess.run(
            arguments,
            cwd=cwd or self.scratch,
            env=merged,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
