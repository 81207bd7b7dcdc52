"""serve's page in headless Chromium: a digit is drawn with the pointer, and read; phone and desktop.

Skipped where chromedriver or MNIST is not. CNN_TEST_SCREENSHOTS=DIR keeps pictures of the page."""
import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from support import CNN_CL, environment
from test_serve import Server

MNIST = os.environ.get("CNN_TEST_MNIST_DIR", "")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
SECONDS = 120

# Strokes in a square of 1 by 1.
DIGITS = {
    1: [[(0.52, 0.15), (0.50, 0.40), (0.48, 0.85)]],
    3: [[(0.32, 0.22), (0.45, 0.14), (0.62, 0.20), (0.62, 0.36), (0.45, 0.47), (0.64, 0.56),
         (0.66, 0.74), (0.50, 0.86), (0.30, 0.78)]],
    4: [[(0.36, 0.18), (0.32, 0.52), (0.70, 0.50)], [(0.62, 0.16), (0.58, 0.88)]],
    7: [[(0.28, 0.20), (0.70, 0.18), (0.58, 0.48), (0.46, 0.86)]],
}


class Driver:
    """WebDriver over HTTP, as far as it is needed."""

    def __init__(self, width, height, dark=False):
        self.start()
        self.profile = tempfile.mkdtemp(prefix="cnn-cl-chromium-")
        phone = {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 2.0,
                                   "touch": True, "mobile": True}} if width < 600 else None
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--user-data-dir=" + self.profile, f"--window-size={width},{height}",
                     "--force-prefers-color-scheme=dark" if dark else "--no-first-run"]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        options = {"args": arguments}
        if phone:
            options["mobileEmulation"] = phone
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = "/session/" + answer["sessionId"]

    def start(self):
        """chromedriver wants one port of IPv4 and IPv6, and ends where another program is faster: then it is asked again."""
        said = []
        for _ in range(5):
            self.process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT, text=True)
            for line in self.process.stdout:
                said.append(line)
                if "started successfully on port" in line:
                    self.base = "http://127.0.0.1:%d" % int(line.split("port")[-1].strip(" .\n"))
                    return
            self.process.stdout.close()
            said.append(f"exit status {self.process.wait(SECONDS)}\n")
        raise AssertionError("chromedriver named no port:\n" + "".join(said))

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data, method=method,
                                         headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.read().decode()[:500]}") from error

    def open(self, address):
        self.call("POST", self.session + "/url", {"url": address})

    def run(self, script):
        return self.call("POST", self.session + "/execute/sync", {"script": script, "args": []})

    def wait(self, script):
        """Until the script's value is true; returns it."""
        end = time.monotonic() + SECONDS
        while not (value := self.run("return " + script)):
            assert time.monotonic() < end, (script, self.run(
                "return [busy, wanted, strokes.length, document.body.innerText]"))
            time.sleep(0.05)
        return value

    def find(self, selector):
        return self.call("POST", self.session + "/element",
                         {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.call("POST", f"{self.session}/element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self.call("POST", f"{self.session}/element/{self.find(selector)}/value", {"text": text})

    def draw(self, strokes, kind, pause=20):
        """With a mouse, a pen or a finger; milliseconds from point to point."""
        box = self.run("const b = document.getElementById('canvas').getBoundingClientRect();"
                       "return [b.left, b.top, b.width, b.height]")
        actions = []
        for stroke in strokes:
            for i, (x, y) in enumerate(stroke):
                actions.append({"type": "pointerMove", "duration": pause, "origin": "viewport",
                                "x": round(box[0] + x * box[2]), "y": round(box[1] + y * box[3])})
                if i == 0:
                    actions.append({"type": "pointerDown", "button": 0})
            actions.append({"type": "pointerUp", "button": 0})
        self.call("POST", self.session + "/actions", {"actions": [
            {"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": actions}]})
        self.call("DELETE", self.session + "/actions")

    def problems(self):
        return [entry["message"] for entry in self.call("POST", self.session + "/se/log",
                                                        {"type": "browser"})]

    def screenshot(self, name):
        folder = os.environ.get("CNN_TEST_SCREENSHOTS")
        self.wait("document.getAnimations().length === 0")  # the bars have arrived
        data = base64.b64decode(self.call("GET", self.session + "/screenshot"))
        if folder:
            with open(f"{folder}/{name}.png", "wb") as file:
                file.write(data)

    def close(self):
        try:
            self.call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait(SECONDS)
            self.process.stdout.close()
            shutil.rmtree(self.profile, ignore_errors=True)


@unittest.skipUnless(shutil.which("chromedriver"), "chromedriver is not here (chromium-driver)")
@unittest.skipUnless(os.path.isdir(MNIST), "MNIST is not here: see scripts/fetch_mnist.sh")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="cnn-cl-test-")
        subprocess.run([CNN_CL, "train", "-q", "--data", MNIST, "--out", "run", "--cdims", "8,16",
                        "--dropout", "0.1", "--lr", "2e-3", "--epochs", "1", "--batch", "64"],
                       cwd=cls.folder, env=environment(), check=True, stdout=subprocess.DEVNULL,
                       timeout=600)
        cls.server = Server(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.server.end(signal.SIGTERM)
        shutil.rmtree(cls.folder)

    def browse(self, width, height, dark=False):
        driver = Driver(width, height, dark)
        self.addCleanup(driver.close)
        driver.open(f"http://127.0.0.1:{self.server.port}/")
        driver.wait("document.body.dataset.ready === 'yes'")
        return driver

    def read(self, driver):
        """The bars' parts once the page has its answer."""
        driver.wait("!busy && document.querySelector('li.best')")
        return driver.run("return [document.getElementById('label').textContent,"
                          "rows.map(row => Number(row.bar.style.getPropertyValue('--part'))),"
                          "document.querySelector('li.best b').textContent]")

    def clear(self, driver):
        """Chromium drops a tap when the machine is too busy to answer it in time."""
        for _ in range(5):
            driver.click("#clear")
            time.sleep(0.3)
            if driver.run("return strokes.length === 0"):
                break
        driver.wait("!busy && !document.querySelector('li.best')")

    def draw_digits(self, driver, kinds):
        for (digit, strokes), kind in zip(DIGITS.items(), kinds):
            driver.draw(strokes, kind)
            label, parts, best = self.read(driver)
            self.assertEqual((label, best), (str(digit), str(digit)))
            self.assertEqual(len(parts), 10)
            self.assertAlmostEqual(sum(parts), 1, delta=1e-3)
            self.assertEqual(parts.index(max(parts)), digit)
            if digit == 4:
                driver.screenshot(f"page-{driver.run('return innerWidth')}")
                self.assertTrue(driver.run(
                    "return document.getElementById('seen').getContext('2d')"
                    ".getImageData(0, 0, 28, 28).data.some(value => value > 0 && value < 255)"))
            self.clear(driver)
            self.assertEqual(driver.run("return document.getElementById('label').textContent"), "–")

    def assert_fits(self, driver, width):
        self.assertEqual(driver.run("return innerWidth"), width)
        self.assertEqual(driver.run("return document.documentElement.scrollWidth"), width)
        self.assertEqual(driver.run(
            "return [...document.querySelectorAll('button, .file')].filter(e => !e.hidden &&"
            " e.getBoundingClientRect().height < 44).length"), 0)

    def test_desktop(self):
        driver = self.browse(1280, 900)
        self.assert_fits(driver, 1280)
        self.draw_digits(driver, ["mouse", "mouse", "pen", "mouse"])
        self.assertEqual(driver.problems(), [])

    def test_phone(self):
        driver = self.browse(390, 844)
        self.assert_fits(driver, 390)
        self.draw_digits(driver, ["touch"] * 4)
        self.assertEqual(driver.run("return scrollY"), 0)
        self.assertEqual(driver.problems(), [])

    def test_bars_move_while_drawing(self):
        driver = self.browse(1280, 900, dark=True)
        driver.run("window.labels = []; const old = show; show = answer => {"
                   " if (answer) labels.push(answer.probabilities); old(answer); }")
        driver.draw(DIGITS[3], "mouse", 150)
        self.read(driver)
        driver.screenshot("page-dark")
        self.assertGreater(driver.run("return labels.length"), 2)
        driver.click("#undo")
        driver.wait("!busy && !document.querySelector('li.best')")

    def test_files(self):
        driver = self.browse(1280, 900)
        path = self.folder + "/one.pgm"
        with open(path, "wb") as file:
            file.write(b"P5 40 60 255\n" + bytes(20 if 18 <= x < 23 and 8 <= y < 52 else 240
                                                 for y in range(60) for x in range(40)))
        driver.type("#file", path)
        self.assertEqual(self.read(driver)[0], "1")
        with open(path, "wb") as file:
            file.write(b"hello")
        driver.click("#clear")
        driver.type("#file", path)
        driver.wait("document.getElementById('problem').textContent.includes('found text that starts with')")
        driver.screenshot("page-problem")


def write_color(path, color, width=24, height=16):
    with open(path, "wb") as file:
        file.write(b"P6 %d %d 255\n" % (width, height) + bytes(color) * (width * height))


# Pictures that a script makes, since no driver drops or pastes: how they arrive.
ARRIVE = """
const bytes = new Uint8Array(%s), data = new DataTransfer();
data.items.add(new File([bytes], %s));
const event = %s;
(document.activeElement || document.body).dispatchEvent(event);
"""
DROP = 'new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})'
PASTE = 'new ClipboardEvent("paste", {clipboardData: data, bubbles: true})'


@unittest.skipUnless(shutil.which("chromedriver"), "chromedriver is not here (chromium-driver)")
class Pictures(unittest.TestCase):
    """The page of a model that was trained on pictures."""
    COLORS = {"grass & <moss>": (40, 180, 60), "sky": (60, 120, 240), "Sonne": (240, 200, 40)}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="cnn-cl-test-")
        for name, color in cls.COLORS.items():
            for part in ("train", "val"):
                os.makedirs(f"{cls.folder}/photos/{part}/{name}")
                for i in range(12):
                    write_color(f"{cls.folder}/photos/{part}/{name}/{i}.ppm",
                                [max(0, value - 3 * i) for value in color])
        subprocess.run([CNN_CL, "train", "-q", "--data", "photos", "--size", "8,8", "--out", "run",
                        "--cdims", "4", "--hdims", "8", "--dropout", "0", "--lr", "2e-2", "--epochs", "10",
                        "--batch", "12"],
                       cwd=cls.folder, env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=600)
        cls.server = Server(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.server.end(signal.SIGTERM)
        shutil.rmtree(cls.folder)

    def browse(self, width, height):
        driver = Driver(width, height)
        self.addCleanup(driver.close)
        driver.open(f"http://127.0.0.1:{self.server.port}/")
        driver.wait("document.body.dataset.ready === 'yes'")
        return driver

    def answers(self, driver, count):
        driver.wait(f"!busy && document.querySelectorAll('.shot li.best, .shot .problem:not(:empty)').length >= {count}")
        return driver.run("return [...document.querySelectorAll('.shot')].map(shot => "
                          "[shot.querySelector('.file-name').textContent, (shot.querySelector('.verdict b') || "
                          "{textContent: shot.querySelector('.problem').textContent}).textContent])")

    def choose_all(self, driver):
        paths = []
        for i, (name, color) in enumerate(self.COLORS.items()):
            paths.append(f"{self.folder}/{i}.ppm")
            write_color(paths[-1], color)
        with open(f"{self.folder}/broken.png", "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n")
        driver.type("#files", "\n".join(paths + [f"{self.folder}/broken.png"]))
        found = self.answers(driver, 4)
        self.assertEqual(found[:3], [[f"{i}.ppm", name] for i, name in enumerate(self.COLORS)])
        self.assertIn("damaged or truncated PNG", found[3][1])
        self.assertTrue(driver.run("const c = document.querySelectorAll('.shot canvas')[1];"
                                   "const p = c.getContext('2d').getImageData(4, 4, 1, 1).data;"
                                   "return c.width === 8 && Math.abs(p[0] - 60) + Math.abs(p[2] - 240) < 6"))
        self.assertEqual(driver.run("return document.querySelectorAll('.shot:first-child li').length"), 3)

    def assert_fits(self, driver, width):
        self.assertLessEqual(driver.run("return document.documentElement.scrollWidth"), width)
        self.assertLessEqual(driver.run("return innerWidth"), width)

    def test_desktop(self):
        driver = self.browse(1280, 800)
        self.assertTrue(driver.run("return document.querySelector('.cards').hidden"))
        self.choose_all(driver)
        self.assert_fits(driver, 1280)
        driver.screenshot("pictures-1280")
        for number, (how, color) in enumerate(((DROP, (62, 118, 236)), (PASTE, (236, 198, 44)))):
            data = list(b"P6 2 2 255\n" + bytes(color) * 4)
            driver.run(ARRIVE % (json.dumps(data), json.dumps(f"new{number}.ppm"), how))
            found = self.answers(driver, 5 + number)
            self.assertEqual(found[0], [f"new{number}.ppm", ["sky", "Sonne"][number]])

    def test_phone(self):
        driver = self.browse(390, 844)
        self.choose_all(driver)
        self.assert_fits(driver, 390)
        driver.screenshot("pictures-390")
        problems = driver.problems()
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("400 (Bad Request)", problems[0])  # that is the broken one


if __name__ == "__main__":
    unittest.main()
