"""scripts/train.sh in a copy of the tree where the parts that it calls are stand-ins."""
import os
import shutil
import unittest

from tools import NAMES, SCRIPTS, ScriptCase

SAY = 'echo "$(basename "$0") $*" >>"$STEPS"\n'
CNN_CL = 'for argument; do printf "%s\\n" "$argument"; done'


class TrainCase(ScriptCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path("tree", "scripts"))
        shutil.copy(os.path.join(SCRIPTS, "train.sh"), self.path("tree", "scripts"))
        self.stub("setup.sh")
        self.stub("build.sh")
        self.stub("fetch_mnist.sh")
        self.write("tree/build/src/cli/cnn-cl", "#!/bin/sh\n" + CNN_CL + "\n", executable=True)
        os.mkdir(self.path("elsewhere"))

    def stub(self, name, body=""):
        self.write(f"tree/scripts/{name}", "#!/bin/sh\n" + SAY + body + "\n", executable=True)

    def train(self, *arguments, cwd=None, **environment):
        """What cnn-cl was given, and self.steps: the scripts that were called before."""
        for name in ["CNN_CL_DATA", "CNN_CL_DEVICE"]:
            environment.setdefault(name, None)
        self.result = self.run_script(self.path("tree", "scripts", "train.sh"), *arguments,
                                      cwd=cwd or self.path("elsewhere"), STEPS=self.path("steps"),
                                      **environment)
        with open(self.path("steps"), encoding="utf-8") as steps:
            self.steps = [line.split()[0] for line in steps]
        return self.result.stdout.splitlines()

    def fill(self, folder, names):
        for name in names:
            self.write(os.path.join(folder, name), "")

    def test_sets_up_builds_fetches_and_trains(self):
        given = self.train("--epochs", "2 3")
        self.assertEqual(self.steps, ["setup.sh", "build.sh", "fetch_mnist.sh"])
        data = self.path("tree", "data", "mnist")
        self.assertEqual(given, ["--device", "0", "train", "--data", data, "--epochs", "2 3"])

    def test_fetches_nothing_when_the_files_are_there(self):
        self.fill("tree/data/mnist", [NAMES[0] + ".gz", "train-labels.idx1-ubyte", NAMES[2],
                                      NAMES[3] + ".gz"])
        self.assertIn(self.path("tree", "data", "mnist"), self.train())
        self.assertEqual(self.steps, ["setup.sh", "build.sh"])

    def test_fetches_when_a_file_is_missing(self):
        self.fill("tree/data/mnist", NAMES[:3])
        self.train()
        self.assertEqual(self.steps[-1], "fetch_mnist.sh")

    def test_leaves_data_that_was_named(self):
        for given in [["--data", "x"], ["--data=x"], ["--dat=x"], ["--help"]]:
            self.assertEqual(self.train(*given), ["--device", "0", "train"] + given)
        self.assertEqual(self.train(CNN_CL_DATA="x"), ["--device", "0", "train"])
        self.fill("elsewhere/data/mnist", NAMES)
        self.assertEqual(self.train(), ["--device", "0", "train"])
        self.assertNotIn("fetch_mnist.sh", self.steps)

    def test_the_callers_device_wins(self):
        self.assertEqual(self.train("--data=x", CNN_CL_DEVICE="1:0")[:2], ["--device", "1:0"])
        # cnn-cl takes the last.
        self.assertEqual(self.train("--data=x", "--device", "3")[-2:], ["--device", "3"])

    def test_falls_back_on_fashion_mnist_and_says_so(self):
        self.stub("fetch_mnist.sh", "exit 1")
        given = self.train()
        self.assertEqual(given[2:], ["train", "--data", "/usr/share/datasets/fashion-mnist"])
        self.assertEqual(self.steps, ["setup.sh", "build.sh", "fetch_mnist.sh", "setup.sh"])
        self.assertIn("Fashion-MNIST", self.result.stderr)

    def test_fails_where_there_is_no_data_at_all(self):
        self.stub("fetch_mnist.sh", "exit 1")
        self.stub("setup.sh", '[ "${1-}" != --fashion-mnist ]')
        self.assertEqual(self.train(), [])
        self.assertEqual(self.result.returncode, 1)
        self.assertIn("give --data DIR", self.result.stderr.splitlines()[-1])

    def test_stops_where_a_step_fails(self):
        self.stub("build.sh", "exit 1")
        self.assertEqual(self.train(), [])
        self.assertEqual(self.result.returncode, 1)
        self.assertEqual(self.steps, ["setup.sh", "build.sh"])


if __name__ == "__main__":
    unittest.main()
