"""Data that is no IDX file: folders of pictures from training to prediction, CSV, what is refused."""
import os
import shutil
import unittest

from support import CLASSES, NETWORK, SHAPE, CommandTest, environment, make_split

NAMES = ["cat", "dog", "eel", "fox"]
# As the other tests' data, so that no other kernels are compiled.
INPUT = ["--xdim", ",".join(map(str, SHAPE))]


def write_pictures(folder, count, seed):
    images, labels = make_split(count, seed)
    size = SHAPE[1] * SHAPE[2]
    for i, label in enumerate(labels):
        path = os.path.join(folder, NAMES[label])
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, f"{i:03}.pgm"), "wb") as file:
            file.write(b"P5 %d %d 255\n" % (SHAPE[2], SHAPE[1]) + images[i * size:(i + 1) * size])


class Pictures(CommandTest):
    def setUp(self):
        for name in ("photos", "some", "run"):
            shutil.rmtree(self.path(name), ignore_errors=True)
        write_pictures(self.path("photos/train"), 120, 1)
        write_pictures(self.path("photos/val"), 40, 2)

    def path(self, name):
        return os.path.join(self.folder, name)

    def learn(self, *options, code=0, **changes):
        return self.run_command("train", "--data", "photos", *INPUT, *NETWORK, "--epochs", "2", "--batch",
                                "32", "--lr", "1e-2", "--out", "run", *options, code=code,
                                env=environment(**changes))

    def test_a_recipe_is_taken_unasked(self):
        """Where that is so is told before the pictures are refused: one class is too few."""
        shutil.rmtree(self.path("photos"))
        os.makedirs(self.path("photos/train/cat"))
        shutil.copy(os.path.join(self.data, os.listdir(self.data)[0]), self.path("photos/train/cat/0.png"))
        said = "a folder of pictures and no option of network, training or preparation: --recipe folder is taken"
        for options, taken in ([], True), (["--skip-broken", "--seed", "3"], True), (["--epochs", "3"], False), \
                (["--net", "resnet20"], False), (["--recipe", "folder"], False), (["--size", "8,8"], False):
            done = self.run_command("train", "--data", "photos", "--out", "run", *options, code=1)
            self.assertEqual(said in done.stderr, taken, options)
        self.assertNotIn("--recipe", self.run_command("train", "--data", self.data, "--help").stderr)

    def test_from_training_to_prediction(self):
        done = self.learn("--fit", "pad", "--early-stop", "5")
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^train_accr:\[0\.\d{3}\] val_accr:\[0\.\d{3}\]\.$")
        self.assertRegex(lines[2], r"^epoch:\[0\] loss:\[\d\.\d{3}\] train_accr:\[[01]\.\d{3}\] "
                                   r"val_accr:\[[01]\.\d{3}\]\.$")
        self.assertIn("validation images are taken", done.stderr)
        self.assertTrue(os.path.exists(self.path("run/predictions.png")))
        model = ["--model", "run/cnn.safetensors"]
        judged = self.run_command("eval", "--data", "photos", *model)
        self.assertIn("photos has no test images: the validation images are taken", judged.stderr)
        accuracy = lines[3].split("val_accr:[")[1][:5]
        self.assertIn(f"accr:[{accuracy}].", judged.stdout)
        self.assertEqual(self.run_command("eval", "--data", "photos", *model, "--split", "val").stdout,
                         judged.stdout)
        # A folder of one class gets the label that training gave it.
        os.makedirs(self.path("some/train"))
        os.rename(self.path("photos/val/eel"), self.path("some/train/eel"))
        part = self.run_command("eval", "--data", "some", *model, "--split", "train")
        self.assertRegex(part.stdout, r"(?m)^2 eel +(0\.\d{3}|1\.000|-) ")
        said = self.run_command("predict", *model, "photos/val/dog/" +
                                os.listdir(self.path("photos/val/dog"))[0]).stdout
        self.assertRegex(said, r"pred:\[(cat|dog|eel|fox)\]")
        self.assertNotIn("No data", self.run_command("report", "run").stderr)

    def test_goes_on_as_it_began(self):
        self.learn("--epochs", "1", "--fit", "stretch", "--skip-broken")
        with open(self.path("photos/train/cat/broken.jpg"), "wb") as file:
            file.write(b"\xff\xd8\xff")
        done = self.run_command("train", "--resume", "--out", "run", "--epochs", "2")
        self.assertIn("1 of 161 pictures cannot be read and is left out", done.stderr)
        self.assertIn("epoch:[1]", done.stdout)
        for option, then, now in (("--fit", "stretch", "crop"), ("--size", "8,8", "6,8")):
            self.assert_refused(["train", "--resume", "--out", "run", option, now], 1,
                                f"{option}: expected {then} as in run/cnn.ckpt.safetensors, found {now}")
        page = self.run_command("report", "run", "--no-bench")
        self.assertIn("1 of 161 pictures cannot be read and is left out", page.stderr)

    def test_kept_streamed_and_decoded_anew(self):
        """Where the pictures come from changes nothing."""
        cache = self.path("cache")
        shutil.rmtree(cache, ignore_errors=True)
        os.makedirs(cache)
        runs = [self.learn("--no-cache", CNN_CL_CACHE_DIR=cache)]
        self.assertEqual([name for name in os.listdir(cache) if name.endswith(".pack")], [])
        runs.append(self.learn(CNN_CL_CACHE_DIR=cache))
        self.assertEqual(len([name for name in os.listdir(cache) if name.endswith(".pack")]), 1)
        runs.append(self.learn(CNN_CL_CACHE_DIR=cache))
        runs.append(self.learn(CNN_CL_CACHE_DIR=cache, CNN_CL_DATA_MEMORY="0"))
        self.assertIn("stream from there", runs[-1].stderr)
        self.assertIn("batches are streamed from the host", runs[-1].stderr)
        for run in runs[1:]:
            self.assertEqual(run.stdout, runs[0].stdout)
        done = self.run_command("eval", "--data", "photos", "--model", "run/cnn.safetensors",
                                env=environment(CNN_CL_CACHE_DIR=cache, CNN_CL_DATA_MEMORY="0"))
        self.assertIn("stream from there", done.stderr)

    def test_digits_are_known_where_they_stream(self):
        """Pictures made as MNIST's are, that are not held in memory."""
        ring = bytes(250 if (4 <= x < 24 and 4 <= y < 24) and not (8 <= x < 20 and 8 <= y < 20) else 0
                     for y in range(28) for x in range(28))
        for name in "0123456789":
            os.makedirs(self.path(f"some/{name}"))
            for i in range(3):
                with open(self.path(f"some/{name}/{i}.pgm"), "wb") as file:
                    file.write(b"P5 28 28 255\n" + ring)
        self.run_command("train", "--data", "some", "--xdim", "1,28,28", "--cdims", "none", "--hdims", "4", "--epochs", "1",
                         "--batch", "4", "--out", "run", env=environment(CNN_CL_DATA_MEMORY="0"))
        done = self.run_command("predict", "--model", "run/cnn.safetensors", "some/0/0.pgm")
        self.assertIn("pictures are converted as MNIST's digits were", done.stderr)

    def test_size_wins_over_a_network_file(self):
        with open(self.path("own.net"), "w", encoding="ascii") as file:
            file.write("input(3, 12, 12)\nAdaptiveAvgPool2d(2)\nFlatten()\nfc = Linear(classes)\n")
        options = ["train", "--net", "own.net", "--data", "photos", "--epochs", "1", "--out", "run"]
        self.run_command(*options, "--size", "9,7")
        text = self.run_command("params", "--print", "--model", "run/own.safetensors").stdout
        self.assertTrue(text.startswith("input(3, 9, 7)\n"), text)
        self.run_command(*options[:-2], "--out", "run", "--resume")
        self.assert_named(self.run_command("train", "--net", "own.net", "--data", self.data, "--size", "9,7", code=1),
                          "own.net: expected images of 3,9,7, found 1,9,7 in")

    def test_what_is_wrong_is_named(self):
        self.assert_named(self.learn("--val-split", "0.5", code=2), "has a validation split of its own")
        with open(self.path("photos/train/cat/broken.png"), "wb") as file:
            file.write(b"nothing")
        self.assert_named(self.learn(code=1), "photos/train/cat/broken.png")
        os.remove(self.path("photos/train/cat/broken.png"))
        self.assert_named(self.learn("--size", "9,9", code=1), "--xdim")
        self.assert_named(self.run_command("train", "--data", "photos/train/cat", code=1),
                          "photos/train/cat: expected a data set")

    def assert_named(self, done, part):
        self.assertIn(part, done.stderr)
        self.assertEqual(done.stdout, "")


class Judges(CommandTest):
    def test_a_share_of_what_has_test_images_is_training_s_alone(self):
        self.train("run", "--val-split", "0.25")
        for more in ([], ["--split", "val"]):
            self.assert_refused(["eval", "--data", self.data, "--model", "run/cnn.safetensors", "--val-split", "0.25", *more], 2,
                                "--val-split: .* has test images, which judge")


    def test_eval_holds_out_what_training_did(self):
        write_table(self.folder + "/one.csv", 100)
        self.run_command("train", "--data", "one.csv", *NETWORK, "--epochs", "1", "--val-split", "0.07", "--out", "part")
        seen = self.run_command("eval", "--data", "one.csv", "--model", "part/cnn.safetensors")
        self.assertIn("held out that was when the model was trained (--val-split 0.07)", seen.stderr)
        self.assertIn("0.07 of it (7 of 100 images)", seen.stderr)
        seen = self.run_command("eval", "--data", "one.csv", "--model", "part/cnn.safetensors", "--val-split", "0.5")
        self.assertIn("0.5 of it (50 of 100 images)", seen.stderr)
        self.run_command("import", "part/cnn.safetensors", "again.safetensors")
        seen = self.run_command("eval", "--data", "one.csv", "--model", "again.safetensors")
        self.assertIn("0.07 of it", seen.stderr)


def write_table(path, count):
    images, labels = make_split(count, 3)
    size = SHAPE[1] * SHAPE[2]
    with open(path, "w", encoding="utf-8") as file:
        for i, label in enumerate(labels):
            file.write(",".join(map(str, [label, *images[i * size:(i + 1) * size]])) + "\n")


class Tables(CommandTest):
    def test_one_table_is_divided(self):
        write_table(os.path.join(self.folder, "all.csv"), 100)
        done = self.run_command("train", "--data", "all.csv", *NETWORK, "--epochs", "1", "--batch", "32",
                                "--out", "run", "--val-split", "0.3")
        self.assertIn("0.3 of it (30 of 100 images) is held out to validate", done.stderr)
        self.assertIn("val_accr", done.stdout)
        self.assertNotIn("test_accr", done.stdout)
        self.run_command("train", "--resume", "--out", "run", "--epochs", "2")
        seen = self.run_command("eval", "--data", "all.csv", "--val-split", "0.3", "--json", "--model",
                                "run/cnn.safetensors").stdout
        self.assertIn('"split": "val"', seen)
        self.assertIn('"count": 30', seen)


assert len(NAMES) == CLASSES

if __name__ == "__main__":
    unittest.main()
