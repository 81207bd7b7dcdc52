"""eval and predict on saved and fresh models."""
import json
import os
import re
import unittest

from support import (NETWORK, TEST_COUNT, TRAIN_COUNT, CommandTest, environment,
                     make_data, make_split, read_png_size)

NAMES = ["north \"west\"", "nord-öst", "back\\slash", "south"]
EVALUATION = r"\Aloss:\[\d+\.\d{3}\] accr:\[([01]\.\d{3})\]\.\n\n"


class WithModel(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.named = make_data(cls.folder + "/named", names=NAMES)

    def setUp(self):
        self.model = self.folder + "/run/cnn.safetensors"
        if not self.exists("run"):
            type(self).training = self.train("run", "--epochs", "5").stdout


class Eval(WithModel):
    def eval(self, *more, **options):
        return self.run_command("eval", "--model", self.model, "--data", self.data, *more,
                                **options)

    def test_repeats_what_training_said(self):
        train, test = re.findall(r"train_accr:\[(\S+)\] test_accr:\[(\S+)\]\.\nDone",
                                 self.training)[0]
        result = self.eval()
        self.assertEqual(re.match(EVALUATION, result.stdout)[1], test)
        self.assertRegex(result.stderr, f"\\d+ of {TEST_COUNT} images right")
        self.assertEqual(re.match(EVALUATION, self.eval("--split", "train").stdout)[1], train)

    def test_batch_and_fusion_do_not_matter(self):
        expected = self.eval().stdout
        for more in (["--batch", "7"], ["--batch", "1000"], ["--no-fuse"], ["--name", "other"]):
            self.assertEqual(self.eval(*more).stdout, expected)

    def test_json(self):
        result = json.loads(self.eval("--json", "--split", "train").stdout)
        self.assertEqual(list(result), ["model", "data", "split", "tta", "loss", "accuracy", "hits",
                                        "count", "confusion", "classes", "precision", "recall"])
        self.assertEqual(result["split"], "train")
        self.assertEqual(result["count"], TRAIN_COUNT)
        self.assertAlmostEqual(result["accuracy"], result["hits"] / TRAIN_COUNT)
        self.assertEqual(result["model"], self.model)

    def test_confusion(self):
        result = self.run_command("eval", "--model", self.model, "--data", self.named)
        table, scores = result.stdout.split("\n\n")[1:]
        lines = table.splitlines()
        self.assertEqual(lines[0], "Confusion: a row for each true class, a column for each "
                         "predicted one.")
        self.assertEqual(lines[1].split(), ["0", "1", "2", "3"])
        self.assertEqual(len({len(line) for line in lines[1:]}), 1, table)
        counts = [[int(number) for number in line[-4 * 4:].split()] for line in lines[2:]]
        document = json.loads(self.run_command("eval", "--model", self.model, "--data", self.named,
                                               "--json").stdout)
        self.assertEqual(document["confusion"], counts)
        self.assertEqual(document["classes"], NAMES)
        self.assertEqual(sum(map(sum, counts)), TEST_COUNT)
        self.assertEqual(sum(counts[i][i] for i in range(4)), document["hits"])
        _, labels = make_split(TEST_COUNT, 2)
        for label, name in enumerate(NAMES):
            self.assertTrue(lines[2 + label].startswith(f"{label} {name} "), lines)
            self.assertEqual(sum(counts[label]), list(labels).count(label))
            taken = sum(row[label] for row in counts)
            recall, precision = document["recall"][label], document["precision"][label]
            self.assertAlmostEqual(recall, counts[label][label] / sum(counts[label]))
            if taken == 0:
                self.assertIsNone(precision)
            else:
                self.assertAlmostEqual(precision, counts[label][label] / taken)
                self.assertRegex(scores.splitlines()[1 + label],
                                 f" {precision:.3f} +{recall:.3f} +[01]\\.\\d+ +{sum(counts[label])}$")

    def test_classes_beyond_a_matrix(self):
        arguments = ["eval", "--data", self.data, "--cdims", "none", "--hdims", "none", "--ydim", "2001"]
        result = self.run_command(*arguments)
        self.assertIn("no confusion matrix: 2001 classes are more than 2000; ", result.stderr)
        self.assertIn("\nConfusion: the largest of 2001 classes.\n", result.stdout)
        document = json.loads(self.run_command(*arguments, "--json").stdout)
        self.assertIsNone(document["confusion"])
        self.assertEqual(len(document["recall"]), 2001)

    def test_many_classes(self):
        many = make_data(self.folder + "/many", classes=60)
        arguments = ["eval", "--data", many, *NETWORK, "--ydim", "60"]
        table, scores = self.run_command(*arguments).stdout.split("\n\n")[1:]
        lines = table.splitlines()
        self.assertRegex(lines[0], r"^Confusion: the largest of 60 classes")
        self.assertLessEqual(len(lines), 22)
        document = json.loads(self.run_command(*arguments, "--json").stdout)
        counts = document["confusion"]
        largest = sorted((counts[i][j] for i in range(60) for j in range(60) if i != j),
                         reverse=True)
        for line, expected in zip(lines[2:], largest):
            label, predicted, count = map(int, line.split())
            self.assertEqual(counts[label][predicted], count)
            self.assertEqual(count, expected)
        self.assertEqual(len(scores.splitlines()), 61)
        self.assertIn(None, document["precision"])
        self.assertRegex(scores, r"(?m)^ *\d+ +- ")

    def test_fresh_network(self):
        result = self.run_command("eval", "--json", "--data", self.data, *NETWORK)
        self.assertIsNone(json.loads(result.stdout)["model"])
        self.assertIn("no --model: a fresh network, not trained, of seed 0\n", result.stderr)
        self.assertNotIn("no --model", self.eval().stderr)
        self.assertRegex(self.run_command("eval", *NETWORK, env=environment(
            CNN_CL_DATA=self.data)).stdout, EVALUATION)


class Unfit(WithModel):
    def test_model_files(self):
        data = self.read("run/cnn.safetensors")
        for name, content in (("short", data[:-5]), ("long", data + b"x"), ("text", b"hello"),
                              ("empty", b"")):
            path = f"{self.folder}/{name}.safetensors"
            with open(path, "wb") as file:
                file.write(content)
            for command in (["eval", "--data", self.data], ["params"], ["forward"]):
                self.assert_refused([*command, "--model", path], 1, path)
        self.assert_refused(["eval", "--data", self.data, "--model", "absent"], 1, "absent")

    def test_data(self):
        wide = make_data(self.folder + "/wide", (1, 8, 9))
        more = make_data(self.folder + "/more", classes=7)
        for command in ("eval", "predict"):
            self.assert_refused([command, "--model", self.model, "--data", wide], 1,
                                "expected images of 1,8,8, found 1,8,9 in .*wide")
            self.assert_refused([command, "--model", self.model, "--data", more], 1,
                                "expected labels below ydim 4, found label 6 in .*more")
            self.assert_refused([command, "--xdim", "1,9,9", *NETWORK, "--data", wide], 1,
                                "expected images of 1,9,9, found 1,8,9 in .*wide")

    def test_absent_split(self):
        self.assert_refused(["eval", "--model", self.model, "--data", self.data, "--split", "val"], 1,
                            "--split: .*data has no images of the split val: give train or test, or ")

    def test_folders_for_a_model_without_names(self):
        def write_folder(name, *classes):
            for one in classes:
                os.makedirs(f"{self.folder}/{name}/test/{one}")
                with open(f"{self.folder}/{name}/test/{one}/x.pgm", "wb") as file:
                    file.write(b"P5 8 8 255\n" + bytes(64))
        write_folder("photos", "ants", "bees")
        write_folder("numbers", "1", "3")
        command = ["eval", "--model", self.model, "--data"]
        self.assert_refused([*command, "photos"], 1,
                            r"photos/test: expected folders of all 4 classes, or such as are called "
                            r"by their labels \(0 to 3\), .* found 2 \(ants, bees\): ")
        result = self.run_command(*command, "numbers", "--json")
        self.assertIn("numbers/test: the model knows no names of its classes: the folders are taken "
                      "by number, as labels\n", result.stderr)
        self.assertEqual([sum(row) for row in json.loads(result.stdout)["confusion"]], [0, 1, 0, 1])


class Predict(WithModel):
    def predict(self, *more, **options):
        return self.run_command("predict", "--model", self.model, "--data", self.data, *more,
                                **options)

    def test_lines(self):
        result = self.predict()
        lines = re.findall(r"^index:\[(\d+)\] pred:\[(\d)\] label:\[(\d)\]\.$", result.stdout, re.M)
        self.assertEqual(len(lines), 25)
        self.assertEqual(len(result.stdout.splitlines()), 25)
        self.assertEqual(len({index for index, _, _ in lines}), 25)
        _, labels = make_split(TEST_COUNT, 2)
        for index, _, label in lines:
            self.assertEqual(labels[int(index)], int(label))
        hits = sum(predicted == label for _, predicted, label in lines)
        self.assertGreater(hits, 15)
        self.assertIn(f"{hits} of 25 images right", result.stderr)

    def test_seed_and_count(self):
        self.assertEqual(self.predict("--seed", "3").stdout, self.predict("--seed", "3").stdout)
        self.assertNotEqual(self.predict("--seed", "3").stdout, self.predict().stdout)
        self.assertEqual(len(self.predict("--samples", "7").stdout.splitlines()), 7)
        everything = self.predict("--samples", "1000").stdout.splitlines()
        self.assertEqual(len(everything), TEST_COUNT)

    def test_grid(self):
        self.predict("--grid", "grid.png")
        width, height = read_png_size(self.folder + "/grid.png")
        self.assertTrue(700 < width < 1500 and 700 < height < 1500)
        self.predict("--grid", "grid.png", "--samples", "1")  # another grid is replaced
        self.assertLess(read_png_size(self.folder + "/grid.png")[0], width / 3)
        self.assertRegex(self.predict("--grid", "absent/grid.png", code=1).stderr,
                         r"(?m)^cnn-cl: --grid: absent/grid\.png cannot be written ")

    def test_class_names(self):
        result = self.run_command("predict", "--model", self.model, "--data", self.named,
                                  "--grid", "named.png", "--samples", "60")
        for name in NAMES:
            self.assertIn(f"label:[{name}].", result.stdout)
        self.assertTrue(self.exists("named.png"))

    def test_json(self):
        result = json.loads(self.run_command("predict", "--model", self.model, "--data",
                                             self.named, "--json", "--samples", "60").stdout)
        self.assertEqual(list(result), ["model", "data", "hits", "count", "samples"])
        self.assertEqual(result["count"], 60)
        self.assertEqual(sum(one["predicted"] == one["label"] for one in result["samples"]),
                         result["hits"])
        for one in result["samples"]:
            self.assertEqual(one["label_name"], NAMES[one["label"]])
            self.assertEqual(one["predicted_name"], NAMES[one["predicted"]])

    def test_fresh_network(self):
        result = self.run_command("predict", "--data", self.data, "--samples", "3", *NETWORK)
        self.assertEqual(len(result.stdout.splitlines()), 3)


if __name__ == "__main__":
    unittest.main()
