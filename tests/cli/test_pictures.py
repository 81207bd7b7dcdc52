"""predict on pictures: lines, JSON, what is shown, what is refused."""
import json
import os
import re
import subprocess
import unittest

from support import (CNN_CL, NETWORK, CommandTest, environment, make_data, make_split, write_idx)

NAMES = ["north-west", "nord-öst", "back\\slash", "south"]
LINE = r"^image:\[(.*)\] pred:\[(.*)\] prob:\[(.*)\]\.$"


def pgm(pixels, width, height):
    return b"P5 %d %d 255\n" % (width, height) + bytes(pixels)


def quarter(label, scale=1, light=200, dark=40):
    """A picture of the training data's kind, `scale` times as large."""
    side = 8 * scale
    return pgm((light if (y * 2 // side) * 2 + x * 2 // side == label else dark
                for y in range(side) for x in range(side)), side, side)


class Pictures(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.named = make_data(cls.folder + "/named", names=NAMES)
        subprocess.run([CNN_CL, "train", "-q", "--data", cls.named, "--out", "run", *NETWORK,
                        "--epochs", "6", "--batch", "32", "--lr", "1e-2"], cwd=cls.folder,
                       env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=300)
        for label in range(4):
            for scale in (1, 3):
                cls.write(f"{label}-{scale}.pgm", quarter(label, scale))
        cls.write("broken.png", b"\x89PNG\r\n\x1a\nrubbish")
        cls.write("empty.pgm", b"")
        cls.write("blank.pgm", pgm([90] * 64, 8, 8))

    @classmethod
    def write(cls, name, data):
        with open(os.path.join(cls.folder, name), "wb") as file:
            file.write(data)

    def predict(self, *words, **options):
        return self.run_command("predict", "--model", "run/cnn.safetensors", *words, **options)

    def test_lines(self):
        files = [f"{label}-{scale}.pgm" for label in range(4) for scale in (1, 3)]
        lines = re.findall(LINE, self.predict(*files).stdout, re.M)
        self.assertEqual([line[0] for line in lines], files)
        for index, (_, name, probability) in enumerate(lines):
            self.assertEqual(name, NAMES[index // 2])
            self.assertGreater(float(probability), 0.5)

    def test_no_name_ends_a_line_or_moves_the_cursor(self):
        names = "a\nb.pgm\n", "\033[31mred\x7f.pgm", "\x9b31m ö.pgm"  # the last is a control character of two bytes
        for name in names:
            self.write(name, quarter(0))
        self.write("\x9bbroken\n.png", b"rubbish")
        result = self.predict(*names, "\x9bbroken\n.png", code=1)
        self.assertEqual([line[0] for line in re.findall(LINE, result.stdout, re.M)],
                         ["a?b.pgm?", "?[31mred?.pgm", "?31m ö.pgm"])
        self.assertEqual(result.stdout.count("\n"), 3)
        self.assertRegex(result.stderr, r"(?m)^cnn-cl: \?broken\?\.png: ")
        images = json.loads(self.predict("--json", *names).stdout)["images"]
        self.assertEqual([image["path"] for image in images], list(names))

    def test_top(self):
        for count in (2, 4, 9):
            (_, names, numbers), = re.findall(LINE, self.predict("--top", str(count),
                                                                 "2-1.pgm").stdout, re.M)
            numbers = [float(number) for number in numbers.split(",")]
            self.assertEqual(len(numbers), min(count, 4))
            self.assertEqual(len(set(names.split(","))), min(count, 4))
            self.assertEqual(numbers, sorted(numbers, reverse=True))
        self.assertAlmostEqual(sum(numbers), 1, delta=0.003)

    def test_json(self):
        result = self.predict("--json", "--top", "4", "1-3.pgm", "broken.png", "3-1.pgm", code=1)
        document = json.loads(result.stdout)
        self.assertEqual(list(document), ["model", "digits", "images"])
        self.assertIs(document["digits"], False)
        first, broken, last = document["images"]
        self.assertEqual(list(first), ["path", "index", "label", "name", "probability", "top"])
        self.assertEqual((first["label"], first["name"], first["index"]), (1, NAMES[1], None))
        self.assertEqual((last["label"], last["name"]), (3, NAMES[3]))
        self.assertAlmostEqual(sum(one["probability"] for one in first["top"]), 1, delta=1e-4)
        self.assertEqual(first["top"][0]["probability"], first["probability"])
        self.assertEqual(list(broken), ["path", "index", "error"])
        self.assertIn("broken.png: damaged or truncated PNG", broken["error"])

    def test_the_mean_of_a_picture_and_its_mirror(self):
        def probabilities(*words):
            image, = json.loads(self.predict("--json", "--top", "4", *words).stdout)["images"]
            return {one["label"]: one["probability"] for one in image["top"]}
        own, mirror = probabilities("0-1.pgm"), probabilities("1-1.pgm")
        mean = probabilities("--tta", "flip", "0-1.pgm")
        for label in range(4):
            self.assertAlmostEqual(mean[label], (own[label] + mirror[label]) / 2, delta=1e-5)
        self.assertNotAlmostEqual(mean[0], own[0], delta=1e-3)
        model = ["--model", "run/cnn.safetensors", "--data", self.named, "--json"]
        documents = [json.loads(self.run_command("eval", *model, *more).stdout)
                     for more in ([], ["--tta", "none"], ["--tta", "flip"])]
        self.assertEqual([one["tta"] for one in documents], ["none", "none", "flip"])
        self.assertEqual(documents[0], documents[1])
        self.assertGreater(documents[2]["loss"], documents[0]["loss"])

    def test_no_part_of_a_document_is_printed(self):
        self.assert_refused(["predict", "-q", "--json", "--model", "run/cnn.safetensors", "0-1.pgm"], 1,
                            "no such kernel file", env=environment(CNN_CL_KERNEL_DIR=self.folder))

    def test_broken_ones_do_not_stop_the_others(self):
        result = self.predict("0-1.pgm", "broken.png", "absent.jpg", "empty.pgm", "1-1.pgm", code=1)
        self.assertEqual([line[0] for line in re.findall(LINE, result.stdout, re.M)],
                         ["0-1.pgm", "1-1.pgm"])
        errors = [line for line in result.stderr.splitlines() if line.startswith("cnn-cl: ")]
        self.assertEqual(len(errors), 3)
        for error, pattern in zip(errors, ("broken.png: damaged", "absent.jpg: cannot be opened",
                                           "empty.pgm: expected a picture.*found an empty file")):
            self.assertRegex(error, "^cnn-cl: " + pattern)

    def test_standard_input(self):
        for data, code in ((quarter(3, 5), 0), (b"", 1), (b"GIF", 1)):
            result = subprocess.run([CNN_CL, "predict", "--model", "run/cnn.safetensors", "-"],
                                    input=data, cwd=self.folder, capture_output=True, timeout=300,
                                    env=environment())
            self.assertEqual(result.returncode, code, result.stderr)
            if code == 0:
                self.assertIn("image:[-] pred:[south]", result.stdout.decode())
            else:
                self.assertRegex(result.stderr.decode(), "(?m)^cnn-cl: -: expected a picture")

    def test_idx(self):
        images, labels = make_split(300, 9)
        write_idx(self.folder + "/many", (300, 8, 8), images, compress=True)
        document = json.loads(self.predict("--json", "many.gz", "0-1.pgm").stdout)
        found = document["images"]
        self.assertEqual([one["index"] for one in found], [*range(300), None])
        right = sum(one["label"] == label for one, label in zip(found, labels))
        self.assertGreater(right, 270)
        self.assertIn("image:[many.gz#299] ", self.predict("many.gz").stdout)

    def test_show(self):
        result = self.predict("--show", "--no-preprocess", "0-3.pgm")
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], LINE)
        self.assertEqual(lines[1:], ["████    "] * 2 + [" " * 8] * 2)

    def test_digits(self):
        dash = pgm([20 if 14 <= y < 18 and 4 <= x < 28 else 230
                    for y in range(32) for x in range(60)], 60, 32)
        self.write("dash.pgm", dash)
        lines = self.predict("--digits", "--show", "dash.pgm").stdout.splitlines()
        self.assertEqual(len(lines), 5)
        shown = "\n".join(lines[1:])
        self.assertTrue(set(shown) & set("▀▄█"), shown)
        result = self.predict("--digits", "blank.pgm", "dash.pgm", code=1)
        self.assertIn("cnn-cl: blank.pgm: expected ink on a ground, found none", result.stderr)
        self.assertIn("image:[dash.pgm]", result.stdout)
        self.predict("blank.pgm")

    def test_several_digits(self):
        """Two rings, the left one larger."""
        def is_ring(x, y, left, top, width, height):
            inside = left <= x < left + width and top <= y < top + height
            return inside and not (left + 8 <= x < left + width - 8 and
                                   top + 8 <= y < top + height - 8)
        self.write("two.pgm", pgm([20 if is_ring(x, y, 20, 20, 60, 90) or
                                   is_ring(x, y, 130, 30, 50, 70) else 230
                                   for y in range(130) for x in range(200)], 200, 130))
        warning = "found 2 pieces that look like digits; the largest was read"
        result = self.predict("--digits", "--json", "two.pgm")
        self.assertEqual(json.loads(result.stdout)["images"][0]["warning"], warning)
        self.assertIn(f"two.pgm: {warning}\n", result.stderr)
        self.assertNotIn(warning, self.predict("--digits", "-q", "two.pgm").stderr)
        self.assertNotIn(warning, self.predict("two.pgm").stderr)

    def test_what_is_done_to_pictures_is_said(self):
        self.write("stroke.pgm", pgm([20 if 14 <= x < 18 and 4 <= y < 28 else 230
                                      for y in range(32) for x in range(60)], 60, 32))
        self.assertIn("pictures are converted as MNIST's digits were (--digits)",
                      self.predict("--digits", "stroke.pgm").stderr)
        self.assertIn("pictures are only scaled to 1 x 8 x 8\n", self.predict("0-3.pgm").stderr)

    def test_what_the_data_was_is_in_the_file(self):
        with open(self.folder + "/run/cnn.safetensors", "rb") as file:
            data = file.read()
        self.assertIn(b"cnn-cl.classes", data)
        self.assertNotIn(b"cnn-cl.data", data)

    def test_data_is_of_the_models_classes(self):
        command = ["eval", "--model", "run/cnn.safetensors", "--json", "--data"]
        turned = make_data(self.folder + "/turned", names=NAMES[::-1])
        clothes = make_data(self.folder + "/clothes", names=[*NAMES[:-1], "shirt"])
        plain = make_data(self.folder + "/plain")
        expected = json.loads(self.run_command(*command, plain).stdout)
        self.assertEqual(expected["classes"], NAMES)
        result = self.run_command(*command, turned)
        self.assertIn("turned: the classes have other labels than the model's: they are taken by "
                      "their names\n", result.stderr)
        found = json.loads(result.stdout)
        self.assertEqual(found["classes"], NAMES)
        self.assertEqual(found["confusion"], expected["confusion"][::-1])
        self.assert_refused([*command, clothes], 1,
                            "clothes: the class shirt is not one of the model's, which are ")
        self.assert_refused(["train", "--model", "run/cnn.safetensors", "--out", "more", "--data",
                             clothes], 1, "clothes: the class shirt is not one of the model's, ")
        self.assert_refused(["train", "--resume", "--out", "run", "--epochs", "9", "--data",
                             clothes], 1, "clothes: the class shirt is not one of the model's, ")

    def test_wrong_command_lines(self):
        model = ["--model", "run/cnn.safetensors"]
        for words, pattern in (
                (["0-1.pgm"], "expected a trained model, found none: name one with --model"),
                ([*model, "--grid", "x.png", "0-1.pgm"], "--grid is for random test images"),
                ([*model, "--data", "x", "0-1.pgm"], "--data is for random test images"),
                ([*model, "--samples", "25", "0-1.pgm"], "--samples is for random test images"),
                ([*model, "--size", "8,8", "0-1.pgm"], "--size is for random test images"),
                ([*model, "--skip-broken", "0-1.pgm"], "--skip-broken is for random test images"),
                ([*model, "--samples", "3", "0-1.pgm"], "--samples is for random test images"),
                ([*model, "--top", "3"], "--top is for own pictures: name an IMAGE"),
                ([*model, "--show"], "--show is for own pictures"),
                ([*model, "--digits"], "--digits is for own pictures"),
                ([*model, "--digits", "--no-preprocess", "0-1.pgm"], "exclude each other"),
                ([*model, "--json", "--show", "0-1.pgm"], "--show and --json exclude each other"),
                ([*model, "--top", "0", "0-1.pgm"], "--top: expected an integer of 1 to")):
            with self.subTest(words):
                self.assert_refused(["predict", *words], 2, pattern)


if __name__ == "__main__":
    unittest.main()
