"""Training runs: their lines, their files, and what refuses or ends them."""
import json
import os
import re
import subprocess
import unittest

from support import (CLASSES, CNN_CL, TRAIN_COUNT, TRAINING, CommandTest, environment, make_data,
                     read_png_size, read_safetensors)

START = r"train_accr:\[[01]\.\d{3}\] test_accr:\[[01]\.\d{3}\]\.\nStart training\.\n"
FILES = ["cnn.best.safetensors", "cnn.ckpt.prev.safetensors", "cnn.ckpt.safetensors",
         "cnn.metrics.csv", "cnn.run.json", "cnn.safetensors", "confusion.png", "curves.svg",
         "filters.png", "predictions.png", "report.html"]
EPOCH = (r"epoch:\[%d\] loss:\[(\d+\.\d{3})\] train_accr:\[([01]\.\d{3})\] "
         r"test_accr:\[([01]\.\d{3})\]\.\n")


def lines_of(epochs):
    return r"\A" + START + "".join(EPOCH % epoch for epoch in epochs) + r"Done\n\Z"


class Run(CommandTest):
    def test_lines_and_files(self):
        result = self.train("run", "--epochs", "5")
        self.assertRegex(result.stdout, lines_of(range(5)))
        numbers = re.match(lines_of(range(5)), result.stdout).groups()
        self.assertLess(float(numbers[-3]), float(numbers[0]))
        self.assertGreater(float(numbers[-1]), 0.8)
        for said in (r"device \d+:\d+: ", re.escape(self.data), r"takes \d+\.\d MiB",
                     "on the device", "run/cnn.safetensors", "run/predictions.png",
                     "run/report.html"):
            self.assertRegex(result.stderr, said)
        self.assertEqual(sorted(os.listdir(self.folder + "/run")), FILES)
        width, height = read_png_size(self.folder + "/run/predictions.png")
        self.assertTrue(700 < width < 1500 and 700 < height < 1500)
        tensors, metadata = read_safetensors(self.folder + "/run/cnn.safetensors")
        self.assertEqual(tensors["net.conv2d_00.weight"]["shape"], [4, 1, 3, 3])
        self.assertEqual(tensors["net.linear_11.bias"]["shape"], [CLASSES])
        self.assertEqual(metadata["format"], "pt")

    def test_milestones_that_are_not_reached_are_told(self):
        for epochs, schedule, said in (("0", "step=1,2:0.5", "epoch 1 is not reached in 0 epochs, nor are those behind it"),
                                       ("1", "step=1:0.5", "epoch 1 is not reached in 1 epoch"),
                                       ("2", "step=1:0.5", None)):
            result = self.run_command("train", *TRAINING, "--epochs", epochs, "--schedule", schedule, "--data", self.data,
                                      "--out", "steps" + epochs)
            lines = re.findall("(?m)^--schedule: (.*)$", result.stderr)
            self.assertEqual(lines, [said] if said else [])

    def test_first_run_says_its_own_lines_alone(self):
        """Compilers print how many warnings there were, and where: nobody asked."""
        with open(self.folder + "/first.net", "w", encoding="utf-8") as file:
            file.write("input()\na = Conv2d(32, 3, padding=1)\nBatchNorm2d()\nReLU()\nMaxPool2d(2)\n"
                       "b = Conv2d(32, 1)\nFlatten()\nLinear(40)\nfc = Linear(classes)\n")
        env = environment(POCL_CACHE_DIR=self.folder + "/pocl")
        os.mkdir(self.folder + "/pocl")
        said = self.run_command("train", "--data", self.data, "--out", "first", "--net", "./first.net", "--epochs", "1",
                                env=env).stderr
        self.assertRegex(said, "compiling kernels")
        for line in said.splitlines():
            self.assertNotIn("warning", line)

    def test_default_folder_name_and_data(self):
        result = self.run_command("train", *TRAINING, "--epochs", "1", "--name", "mine",
                                  env=environment(CNN_CL_DATA=self.data))
        self.assertRegex(result.stdout, lines_of([0]))
        self.assertTrue(self.exists("runs/mine/mine.safetensors"))

    def test_print_every(self):
        result = self.train("every", "--epochs", "4", "--print-every", "2")
        self.assertRegex(result.stdout, lines_of([0, 2, 3]))

    def test_no_epochs(self):
        result = self.train("none", "--epochs", "0")
        self.assertRegex(result.stdout, lines_of([]))
        self.assertTrue(self.exists("none/cnn.safetensors"))
        self.assertTrue(self.exists("none/predictions.png"))

    def test_streaming_trains_alike(self):
        resident = self.train("resident")
        streamed = self.train("streamed", "--stream")
        self.assertEqual(streamed.stdout, resident.stdout)
        self.assertIn("streamed from the host", streamed.stderr)

    def test_augmented_images(self):
        whole = self.train("changed", "--epochs", "2", "--augment", "shift=1,mixup=0.3")
        self.assertIn("what the network is given: changed/augmented.png", whole.stderr)
        self.assertRegex(whole.stdout, lines_of([0, 1]))
        self.assertTrue(self.exists("changed/augmented.png"))
        with open(self.folder + "/changed/cnn.run.json", encoding="utf-8") as file:
            self.assertEqual(json.load(file)["options"]["augment"], "shift=1,mixup=0.3")
        refused = self.run_command("train", "--resume", "--out", "changed", "--augment", "flip", code=1)
        self.assertIn('--augment: expected "shift=1,mixup=0.3" as in ', refused.stderr)
        self.train("changed", "--epochs", "1")
        self.assertFalse(self.exists("changed/augmented.png"))
        refused = self.run_command("train", *TRAINING, "--data", self.data, "--out", "shifted",
                                   "--augment", "shift=500", code=2)
        self.assertIn("--augment: shift: expected fewer pixels than the images have, ", refused.stderr)

    def test_variants(self):
        for more in (["--no-fuse"], ["--batchnorm"], ["--cdims", "none"], ["--hdims", "none"],
                     ["--ksize", "2"], ["--batch", "1000000"], ["--batch", "7"],
                     ["--xdim", "1,8,8"], ["-q"], ["-v"]):
            with self.subTest(more):
                result = self.train("variant", "--epochs", "1", *more)
                self.assertRegex(result.stdout, lines_of([0]))
                if more == ["-q"]:
                    self.assertEqual(result.stderr, "")
        tensors, _ = read_safetensors(self.folder + "/variant/cnn.safetensors")
        self.assertNotIn("net.batchnorm2d_01.running_mean", tensors)

    def test_batchnorm_state_is_saved(self):
        self.train("state", "--epochs", "1", "--batchnorm")
        tensors, _ = read_safetensors(self.folder + "/state/cnn.safetensors")
        self.assertEqual(tensors["net.batchnorm2d_01.running_var"]["shape"], [4])
        self.assertEqual(tensors["net.batchnorm2d_01.num_batches_tracked"]["dtype"], "I64")

    def test_three_channels(self):
        colored = make_data(self.folder + "/colored", (3, 6, 9))
        result = self.run_command("train", "--data", colored, "--out", "rgb", *TRAINING)
        self.assertRegex(result.stdout, lines_of(range(2)))

    def test_seeds(self):
        models = []
        for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
            self.train(out, "--seed", seed)
            models.append(self.read(out + "/cnn.safetensors"))
        self.assertEqual(models[0], models[1])
        self.assertNotEqual(models[0], models[2])


class Folder(CommandTest):
    def test_a_new_run_replaces(self):
        self.train("again", "--epochs", "1")
        first = self.read("again/cnn.safetensors")
        files = sorted(os.listdir(self.folder + "/again"))
        self.train("again", "--epochs", "1", "--seed", "5")
        self.assertNotEqual(self.read("again/cnn.safetensors"), first)
        self.assertEqual(sorted(os.listdir(self.folder + "/again")), FILES)

    def test_no_clobber(self):
        self.train("kept", "--epochs", "1", "--no-clobber")
        first = self.read("kept/cnn.safetensors")
        arguments = ["train", "--data", self.data, "--out", "kept", *TRAINING, "--no-clobber"]
        self.assert_refused(arguments, 1, r"kept/cnn\.safetensors: is there already.*--out")
        os.unlink(self.folder + "/kept/cnn.safetensors")
        self.assert_refused(arguments, 1, r"kept/predictions\.png: is there already")
        os.unlink(self.folder + "/kept/predictions.png")
        self.assert_refused(arguments, 1, r"kept/report\.html: is there already")
        self.assertTrue(first)

    def test_that_cannot_be_made(self):
        open(self.folder + "/file", "w").close()
        for out in ("file", "file/below", "file/far/below", "/proc/no/such"):
            with self.subTest(out):
                # The data is not there either: the folder is looked at first.
                self.assert_refused(["train", "--data", "absent", "--out", out, *TRAINING], 1,
                                    f"^cnn-cl: {out}: .*: give another --out")

    @unittest.skipIf(os.geteuid() == 0, "root writes everywhere")
    def test_that_cannot_be_written(self):
        os.makedirs(self.folder + "/locked", mode=0o555)
        self.assert_refused(["train", "--data", "absent", "--out", "locked", *TRAINING], 1,
                            "^cnn-cl: locked: no file can be written there")

    def test_where_the_model_is_a_folder(self):
        os.makedirs(self.folder + "/odd/cnn.safetensors")
        self.assert_refused(["train", "--data", self.data, "--out", "odd", *TRAINING], 1,
                            r"odd/cnn\.safetensors: expected a file to replace, found a folder")

    def test_nothing_is_left_of_a_refused_run(self):
        self.assert_refused(["train", "--data", "absent", "--out", "deep/er//run/", *TRAINING], 1,
                            "absent")
        self.assertFalse(self.exists("deep"))
        os.makedirs(self.folder + "/mine")
        self.assert_refused(["train", "--data", "absent", "--out", "mine/run", *TRAINING], 1,
                            "absent")
        self.assertEqual(os.listdir(self.folder + "/mine"), [])


class Data(CommandTest):
    def assert_unfit(self, arguments, code, pattern):
        self.assert_refused(["train", "--data", self.data, "--out", "unfit", *arguments], code,
                            pattern)
        self.assertFalse(self.exists("unfit"))

    def test_of_another_shape(self):
        self.assert_unfit([*TRAINING, "--xdim", "1,28,28"], 1,
                          "--xdim: expected images of 1,28,28, found 1,8,8 in")

    def test_with_labels_beyond_ydim(self):
        self.assert_unfit([*TRAINING, "--ydim", "3"], 1,
                          "--ydim: expected labels below ydim 3, found label 3")

    def test_with_labels_beyond_a_network_file(self):
        with open(self.folder + "/few.net", "w", encoding="ascii") as file:
            file.write("Flatten()\nLinear(3)\n")
        self.assert_unfit(["--net", "few.net"], 1,
                          r"few.net: expected labels below ydim 3, found label 3 in .*: "
                          r"its last layer is to be Linear\(classes\)")
        with open(self.folder + "/few.net", "w", encoding="ascii") as file:
            file.write("Flatten()\nLinear(classes)\nLinear(3)\n")
        self.assert_unfit(["--net", "few.net"], 2, r"few\.net:3: expected an output of `classes`, 4, as it uses the word, "
                          r"found one of 3: end with")  # the data's number

    def test_too_small_for_the_network(self):
        self.assert_unfit([*TRAINING, "--cdims", "4,4,4,4"], 2, "maxpool2d_14.*4 x 1 x 1")

    def write_net(self, text):
        with open(self.folder + "/some.net", "w", encoding="ascii") as file:
            file.write(text)
        return ["--net", "./some.net", "--epochs", "2"]

    def test_with_names_that_a_checkpoint_needs(self):
        for prefix in ("best.", "ema.", "adam.m.", "adam.v.", "sgd.momentum."):
            net = self.write_net(f"Flatten()\nfc = Linear(8)\nReLU()\n{prefix}fc = Linear(classes)\n")
            self.assert_unfit(net, 2, f"tensor '{prefix}fc.weight': a checkpoint calls so what it keeps beside 'fc.weight'")
        # Alone such a name is as good as any.
        net = self.write_net("Flatten()\nbest.fc = Linear(8)\nReLU()\nema = Linear(classes)\n")
        self.run_command("train", "--data", self.data, "--out", "best", *net, "--val-split", "0.2", "--ema", "0.9")

    def test_with_one_value_for_a_norm(self):
        """200 images; planes of one place."""
        net = self.write_net("Flatten()\nfc = Linear(8)\nbn = BatchNorm2d()\nReLU()\nlast = Linear(classes)\n")
        for more in (["--batch", "1"], ["--batch", "199"], ["--batch", "20", "--slices", "20"],
                     ["--batch", "32", "--slices", "5"], ["--batch", "64", "--val-split", "0.355"]):
            with self.subTest(more):
                self.assert_unfit([*net, *more], 2, "bn: batch norm needs more than one value for each channel, found one")
        for i, more in enumerate((["--batch", "198"], ["--batch", "20", "--slices", "10"],
                                  ["--batch", "1", "--freeze", "bn"])):
            self.run_command("train", "--data", self.data, "--out", f"norm{i}", *net, *more)
        net = self.write_net("bn = BatchNorm2d()\nFlatten()\nlast = Linear(classes)\n")
        self.run_command("train", "--data", self.data, "--out", "norm", *net, "--batch", "199")

    def test_with_pieces_as_large_as_a_batch(self):
        net = self.write_net("Flatten()\nfc = Linear(classes)\n")
        self.run_command("train", "--data", self.data, "--out", "pieces", *net, "--batch", "16", "--micro-batch", "16",
                         "--slices", "2")

    def test_that_is_broken(self):
        broken = make_data(self.folder + "/broken")
        path = broken + "/train-images-idx3-ubyte"
        with open(path, "r+b") as file:
            file.truncate(1000)
        self.assert_refused(["train", "--data", broken, "--out", "unfit", *TRAINING], 1, path)
        self.assertFalse(self.exists("unfit"))


class Divergence(CommandTest):
    # Of this network and step size the logits leave float's range after some steps.
    ONE_LAYER = ["--cdims", "none", "--hdims", "none", "--batch", str(TRAIN_COUNT), "--epochs",
                 "40", "--lr", "2e37"]

    def test_names_the_step(self):
        self.train("kept", "--epochs", "1")
        before = self.read("kept/cnn.safetensors")
        result = self.train("kept", "--lr", "1e30", code=1)
        self.assertRegex(result.stderr, r"(?m)^cnn-cl: .*step \d+.*; no model was saved\n\Z")
        self.assertEqual(self.read("kept/cnn.safetensors"), before)
        self.assertNotIn("Done", result.stdout)

    def test_keeps_the_last_good_epoch(self):
        result = self.train("last", *self.ONE_LAYER, code=1)
        self.assertRegex(result.stderr, r"(?m)^cnn-cl: .*not finite.*; "
                         r"last/cnn\.safetensors keeps the model of epoch \d+\n\Z")
        self.run_command("params", "--model", "last/cnn.safetensors")


class Lost(CommandTest):
    def test_full_output_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([CNN_CL, "train", "--data", self.data, "--out", "lost",
                                     *TRAINING], cwd=self.folder, stdout=full,
                                    stderr=subprocess.PIPE, text=True, timeout=300)
        self.assertEqual(result.returncode, 1)
        self.assertIn("cnn-cl: standard output cannot be written", result.stderr)


if __name__ == "__main__":
    unittest.main()
