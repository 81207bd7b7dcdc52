"""The page about a run: its files, what a browser shows of it, and what refuses it."""
import json
import os
import re
import shutil
import subprocess
import unittest
from xml.etree import ElementTree

from support import CNN_CL, TEST_COUNT, TRAIN_COUNT, TRAINING, CommandTest, environment, make_data, read_png_size

NAMES = ["a<b>&\"c\"", "<script>alert(1)</script>", "nord-öst", "plain"]
HEADER = ("epoch,step,loss,train_accuracy,val_accuracy,test_accuracy,seconds,images_per_second,"
          "learning_rate,device\n")
METRICS = HEADER + ('-1,0,,0.2,,0.25,,,0.01,"cpu, one"\n0,7,1.25,0.5,,0.45,0.5,400,0.01,"cpu, one"\n'
                    '1,14,0.5,0.75,,0.7,0.5,400,0.01,"cpu, one"\n')
CHROMIUM = shutil.which("chromium")


def describe(data):
    return {"name": "cnn", "version": "0.1.0", "device": "a <device>", "platform": "p",
            "driver": "1", "data": data, "train_images": TRAIN_COUNT, "val_images": 0,
            "test_images": TEST_COUNT, "network": {"name": "cnn", "cdims": [4, 8], "hdims": []},
            "options": {"epochs": 2, "batch": 32, "lr": 0.01, "seed": 0, "early_stop": None,
                        "fuse": True}}


class Trained(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.named = make_data(cls.folder + "/named", names=NAMES)

    def setUp(self):
        """A run's folder of this test's own, as training left it, described."""
        if not self.exists("trained"):
            type(self).trained = self.run_command("train", "--data", self.named, "--out", "trained",
                                                  *TRAINING)
        self.out = self.folder + "/run"
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        shutil.copy(self.folder + "/trained/cnn.safetensors", self.out)
        self.write("run/cnn.metrics.csv", METRICS)
        self.write("run/cnn.run.json", json.dumps(describe(self.named)))

    def write(self, path, text):
        with open(os.path.join(self.folder, path), "w", encoding="utf-8") as file:
            file.write(text)

    def page(self, path="run/report.html"):
        return self.read(path).decode()

    def report(self, *more, **options):
        return self.run_command("report", "run", *more, **options)


class Page(Trained):
    def test_the_end_of_training_writes_it(self):
        self.assertIn("report on the run in trained/report.html\n", self.trained.stderr)
        self.assertIn("<svg" if self.exists("trained/cnn.metrics.csv") else "No curves",
                      self.page("trained/report.html"))
        for section in ("classes", "samples", "mistakes", "filters", "steps", "network", "facts"):
            self.assertIn(f'<section id="{section}"', self.page("trained/report.html"))

    def test_is_well_formed_and_alone(self):
        result = self.report()
        self.assertEqual(result.stdout, "")
        self.assertTrue(result.stderr.endswith("report in run/report.html\n"), result.stderr)
        self.assertEqual(sorted(os.listdir(self.out)),
                         ["cnn.metrics.csv", "cnn.run.json", "cnn.safetensors", "confusion.png",
                          "curves.svg", "filters.png", "report.html"])
        page = ElementTree.fromstring(self.page())
        ids = set()
        for element in page.iter():
            for name, value in element.attrib.items():
                if name in ("src", "href"):
                    self.assertRegex(value, r"^(data:|#)")
                if name == "id":
                    self.assertNotIn(value, ids)
                    ids.add(value)
            if element.tag == "img":
                self.assertTrue(element.attrib["alt"])
            if element.tag == "th" and not element.attrib.get("scope"):
                self.fail("a table's header without a scope")
        for link in page.iter("a"):
            self.assertIn(link.attrib["href"][1:], ids)
        self.assertNotIn("url(", self.page())
        self.assertIn("default-src 'none'", self.page())
        curves = ElementTree.fromstring(self.read("run/curves.svg"))
        self.assertTrue(curves.tag.endswith("}svg"))
        for name in ("confusion", "filters"):
            width, height = read_png_size(f"{self.out}/{name}.png")
            self.assertTrue(100 < width < 1000 and 50 < height < 1000)

    def test_what_is_missing_is_told(self):
        os.unlink(self.out + "/cnn.metrics.csv")
        os.unlink(self.out + "/cnn.run.json")
        self.report("--data", self.named, "--no-bench")
        for text in ("cnn.metrics.csv is not there", "cnn.run.json is not there"):
            self.assertIn(text, self.page())
        self.assertIn('id="matrix"', self.page())
        self.assertNotIn('id="plan"', self.page())
        self.assertNotIn("<svg", self.page())

        self.write("run/cnn.run.json", json.dumps(describe(self.folder + "/gone")))
        result = self.report("--no-bench")
        self.assertRegex(result.stderr, "No data: .*/gone, which it was trained on, is not there")
        self.assertIn("/gone, which it was trained on, is not there", self.page())
        self.assertNotIn('id="matrix"', self.page())
        self.assertIn('id="filters"', self.page())

        os.unlink(self.out + "/cnn.safetensors")
        self.write("run/cnn.metrics.csv", METRICS)
        self.report()
        self.assertIn("No model: run/cnn.safetensors is not there.", self.page())
        self.assertIn("<svg", self.page())
        self.assertIn("<b>70.0%</b>", self.page())

    def test_another_model_and_name(self):
        os.rename(self.out + "/cnn.safetensors", self.out + "/other.safetensors")
        self.assert_refused(["report", "run"], 1, "expected one run, found .*--name")
        self.report("--name", "cnn", "--model", "run/other.safetensors", "--no-bench")
        self.assertIn('id="matrix"', self.page())
        self.report("--name", "other", "--data", self.named, "--no-bench")
        self.assertIn("<h1>other</h1>", self.page())


class Refused(Trained):
    def refuse(self, pattern, *more):
        self.assert_refused(["report", "run", *more], 1, pattern)
        self.assertFalse(self.exists("run/report.html"))

    def test_broken_files(self):
        self.write("run/cnn.metrics.csv", METRICS.replace("0.5,0.75", "0.5,7.5"))
        self.refuse(r"run/cnn\.metrics\.csv: line 4: field train_accuracy: expected .*'7\.5'")
        self.write("run/cnn.metrics.csv", METRICS)
        self.write("run/cnn.run.json", '{"name":\n')
        self.refuse(r"run/cnn\.run\.json: line 2: expected JSON")
        self.write("run/cnn.run.json", '{"data": 3}')
        self.refuse(r"run/cnn\.run\.json: field data: expected text, found 3")
        self.write("run/cnn.run.json", "{}")
        self.write("run/cnn.safetensors", "no model")
        self.refuse(r"run/cnn\.safetensors")

    def test_pipes_in_their_place(self):
        """They are refused, not waited for."""
        for ending in ".run.json", ".metrics.csv":
            with self.subTest(ending):
                path = f"{self.folder}/run/cnn{ending}"
                content = self.read(path)
                os.unlink(path)
                os.mkfifo(path)
                self.assert_refused(["report", "run"], 1, "expected a regular file")
                os.unlink(path)
                with open(path, "wb") as file:
                    file.write(content)

    def test_what_was_named_and_is_not_there(self):
        self.refuse("absent", "--data", "absent")
        self.refuse("absent", "--model", "absent")
        self.refuse(r"absent\.safetensors: expected a run", "--name", "absent")
        self.assert_refused(["report", "absent"], 1, "absent: expected the folder of a run")
        self.assert_refused(["report", "named"], 1, "named: expected a run's NAME.safetensors")
        wide = make_data(self.folder + "/wide", (1, 8, 9))
        self.refuse("expected images of 1,8,8, found 1,8,9 in .*wide", "--data", wide)

    def test_a_folder_that_cannot_be_written(self):
        os.makedirs(self.out + "/report.html")
        self.assert_refused(["report", "run", "--no-bench"], 1, r"run/report\.html: ")

    def test_a_trained_model_is_kept(self):
        """What comes in the report's way ends the run with an error, after the model is saved."""
        process = subprocess.Popen([CNN_CL, "train", "--data", self.named, "--out", "kept", *TRAINING, "--epochs", "20"],
                                   cwd=self.folder, env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertRegex(process.stdout.readline(), "^train_accr")  # before training
        os.mkdir(self.folder + "/kept/filters.png")
        stdout, stderr = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(stderr, r"(?m)^cnn-cl: kept/filters\.png: ")
        self.assertIn("Done\n", stdout)
        self.run_command("eval", "--model", "kept/cnn.safetensors", "--data", self.named)


@unittest.skipIf(CHROMIUM is None, "chromium is not there")
class Browser(Trained):
    """The page as a browser has it: the elements it made of it, and its complaints."""

    def browse(self, path):
        """(The page's elements as text, its complaints, what it asked of the network)"""
        log = self.folder + "/net.json"
        result = subprocess.run(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-extensions", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-default-apps",
             "--host-resolver-rules=MAP * ~NOTFOUND", "--user-data-dir=" + self.folder + "/profile",
             "--enable-logging=stderr", "--log-net-log=" + log, "--dump-dom", "file://" + path],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        complaints = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        with open(log, encoding="utf-8") as file:
            asked = set(re.findall(r'"url":"((?:https?|wss?):[^"]*)"', file.read()))
        return result.stdout, complaints, asked

    def test_shows_the_run(self):
        self.report()
        page, complaints, asked = self.browse(self.out + "/report.html")
        self.assertEqual(complaints, [])
        self.assertEqual([url for url in asked if "google" not in url], [])
        text = re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", "", page))
        for said in ("test images right", "How training went", "What it takes for what",
                     "Images at random", "The mistakes it was surest of",
                     "What the first layer looks for", "Where the time of a step goes",
                     "The network", "The run", "a &lt;device&gt;", "conv2d_00", "early_stop",
                     "a&lt;b&gt;&amp;\"c\"", "&lt;script&gt;alert(1)&lt;/script&gt;", "nord-öst"):
            self.assertIn(said, text)
        self.assertNotIn("<script", page)
        # Elements that a browser had to mend would not be as many as were written.
        source = self.page()
        for tag in ("section", "table", "tr", "td", "th", "img", "svg", "path", "circle", "li", "span"):
            opening = re.compile(f"<{tag}[ >]")
            self.assertEqual(len(opening.findall(page)), len(opening.findall(source)), tag)
        counts = [int(count) for count in
                  re.findall(r'<td class="(?:hit|miss|hit on|zero)"[^>]*>(\d+)</td>', page)]
        self.assertEqual((len(counts), sum(counts)), (16, TEST_COUNT))

    def test_complaints_are_heard(self):
        """The check above would see a page that is not alone."""
        self.write("bad.html", "<!DOCTYPE html><html><head><title>x</title></head><body>"
                   "<script>console.error('oh no')</script>"
                   "<img src='http://cnn-cl.invalid/x.png'></body></html>")
        _, complaints, asked = self.browse(self.folder + "/bad.html")
        self.assertTrue(any("oh no" in line for line in complaints), complaints)
        self.assertIn("http://cnn-cl.invalid/x.png", asked)


if __name__ == "__main__":
    unittest.main()
