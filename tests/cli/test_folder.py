"""The folder of a run: one training at a time in it, and links in the places of its files."""
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

from support import CNN_CL, NETWORK, CommandTest, environment

TRAINING = NETWORK + ["--epochs", "1", "--batch", "32", "--lr", "1e-2"]
ENDLESS = [*TRAINING, "--epochs", "1000000"]
NOBODY = 65534


class Folder(CommandTest):
    def train(self, out, *more, **options):
        return self.run_command("train", "--data", self.data, "--out", out, *TRAINING, *more,
                                **options)

    def start(self, out, *more, **options):
        """A training run that has written its first epoch."""
        process = subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", out, *ENDLESS, *more],
                                   cwd=self.folder, env=environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        line = ""
        while not line.startswith("epoch:[0]"):
            line = process.stdout.readline()
            self.assertTrue(line, "it ended early")
        return process

    def end(self, process, number=signal.SIGTERM):
        process.send_signal(number)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -number if number == signal.SIGKILL else 128 + number)

    def assert_locked(self, out, owner, *more):
        line = rf"^cnn-cl: {out}: a training is running there \({re.escape(owner)}\): wait for its end"
        self.assert_refused(["train", "--data", self.data, "--out", out, *TRAINING, *more], 1, line)


class Lock(Folder):
    def test_the_second_is_refused(self):
        process = self.start("busy")
        owner = f"process {process.pid} on {socket.gethostname()}"
        self.assert_locked("busy", owner)
        self.assert_locked("busy", owner, "--name", "other")  # it has pictures and a page, too
        self.assert_refused(["train", "--resume", "--out", "busy"], 1, re.escape(owner))
        for command in (["eval", "--model", "busy/cnn.safetensors", "--data", self.data],
                        ["params", "--model", "busy/cnn.safetensors"],
                        ["report", "busy", "--no-bench"]):
            self.run_command(*command)
        self.end(process)
        self.assertFalse(self.exists("busy/.cnn-cl.lock"))
        self.train("busy")
        self.assertFalse(self.exists("busy/.cnn-cl.lock"))

    def test_is_gone_with_its_process(self):
        for _ in range(2):
            self.end(self.start("killed"), signal.SIGKILL)
            self.assertTrue(self.exists("killed/.cnn-cl.lock"))
        self.train("killed")
        self.assertFalse(self.exists("killed/.cnn-cl.lock"))

    def test_of_a_folder_that_both_make(self):
        both = [subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", "new", *TRAINING,
                                  "--epochs", "1000000"], cwd=self.folder, env=environment(),
                                 text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for _ in range(2)]
        while all(one.poll() is None for one in both):
            time.sleep(0.05)
        first = both[0] if both[0].poll() is None else both[1]
        second = both[1] if first is both[0] else both[0]
        self.assertEqual(second.returncode, 1)
        with second.stderr:
            self.assertRegex(second.stderr.read(),
                             rf"new: a training is running there \((process {first.pid}\b|another process\))")
        self.end(first)

    def test_that_does_not_name_its_owner_yet(self):
        os.mkdir(self.folder + "/early")
        with open(self.folder + "/early/.cnn-cl.lock", "w", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            self.assert_locked("early", f"process {os.getpid()}")

    def test_of_a_user_who_is_gone(self):
        if os.geteuid() != 0:
            self.skipTest("only root may be somebody else")
        folder = self.folder + "/shared"
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        os.chmod(self.folder, 0o755)
        lock = folder + "/.cnn-cl.lock"
        with open(lock, "w", encoding="utf-8") as file:
            file.write("process 1 on elsewhere\n")
        cache = self.folder + "/nobody"
        os.mkdir(cache)
        os.chmod(cache, 0o777)
        env = environment(CNN_CL_CACHE_DIR=cache + "/cnn-cl", POCL_CACHE_DIR=cache + "/pocl", HOME=cache)
        try:
            self.train("shared", env=env, user=NOBODY)
        except PermissionError:
            self.skipTest("the command cannot be reached by others")
        self.assertFalse(os.path.exists(lock))


class Links(Folder):
    """A link in the place of a file is replaced, and what it leads to stays as it was."""

    def targets(self, name):
        """Files elsewhere: (for a symbolic link, for a hard link)"""
        for kind in ("symbolic", "hard"):
            path = f"{self.folder}/{name}.{kind}"
            with open(path, "w", encoding="utf-8") as file:
                file.write("mine\n")
            yield path

    def assert_untouched(self, name):
        for path in (f"{name}.symbolic", f"{name}.hard"):
            self.assertEqual(self.read(path), b"mine\n", path)

    def test_in_the_folder_of_a_run(self):
        self.train("links", "--val-split", "0.2", "--log-json", "links/log")
        names = sorted(os.listdir(self.folder + "/links")) + [".cnn-cl.lock"]
        self.assertGreater(len(names), 8)
        for place in ("symbolic", "hard", "nowhere"):
            symbolic, hard = self.targets("target")
            for name in names:
                path = f"{self.folder}/links/{name}"
                if os.path.lexists(path):
                    os.unlink(path)
                if place == "hard":
                    os.link(hard, path)
                else:
                    os.symlink(symbolic if place == "symbolic" else self.folder + "/nowhere", path)
            result = self.train("links", "--val-split", "0.2", "--log-json", "links/log")
            self.assertIn("Done", result.stdout)
            self.assert_untouched("target")
            self.assertFalse(self.exists("nowhere"))
            left = sorted(os.listdir(self.folder + "/links"))
            self.assertEqual(left, names[:-1])
            for name in left:
                self.assertTrue(os.path.isfile(f"{self.folder}/links/{name}"), name)
                self.assertFalse(os.path.islink(f"{self.folder}/links/{name}"), name)

    def test_of_what_other_commands_write(self):
        self.train("made")
        model = ["--model", "made/cnn.safetensors"]
        for name, command in (("grid.png", ["predict", *model, "--data", self.data, "--grid", "grid.png"]),
                              ("out.onnx", ["export", *model, "out.onnx"]),
                              ("other.npz", ["export", *model, "other.npz"]),
                              ("copy.safetensors",
                               ["import", "made/cnn.safetensors", "copy.safetensors"])):
            symbolic, _ = self.targets("other")
            os.symlink(symbolic, f"{self.folder}/{name}")
            self.run_command(*command)
            self.assertFalse(os.path.islink(f"{self.folder}/{name}"), name)
            self.assert_untouched("other")

    def test_devices_are_written_to(self):
        self.train("device")
        command = ["export", "--model", "device/cnn.safetensors", "--format", "npz"]
        self.run_command(*command, "/dev/null")
        self.assertFalse(os.path.isfile("/dev/null"))
        self.run_command(*command, "out.npz")
        with open(self.folder + "/piped.npz", "wb") as file:
            subprocess.run([CNN_CL, *command, "/dev/stdout"], cwd=self.folder, env=environment(),
                           stdout=file, stderr=subprocess.DEVNULL, check=True)
        self.assertEqual(self.read("piped.npz"), self.read("out.npz"))


class Outputs(Folder):
    """Whether a file can be written, and what it would replace, is known before the work: what is to be read is
    not there either."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls("test_of_a_run").train("run", "--val-split", "0.2", "--augment", "shift=1")

    def refuse(self, code, pattern, *arguments):
        self.assert_refused(list(arguments), code, "^cnn-cl: " + pattern)

    def test_of_a_run(self):
        """Each is known: a log in its place, however that is written, would be lost."""
        names = [*os.listdir(self.folder + "/run"), ".cnn-cl.lock"]
        self.assertGreater(len(names), 12)
        for i, name in enumerate(names):
            path = ("new/", "./new//", self.folder + "/new/")[i % 3] + name
            self.refuse(2, f"--log-json: {re.escape(path)} is another file of the run: give another name",
                        "train", "--data", "absent", "--out", "new", "--log-json", path)
        os.makedirs(self.folder + "/odd/confusion.png")
        self.refuse(1, r"odd/confusion\.png: expected a file to replace, found a folder",
                    "train", "--data", "absent", "--out", "odd")
        self.assertFalse(self.exists("new"))

    def test_places(self):
        model = ["--model", "absent"]
        commands = (["train", "--data", "absent", "--out", "new", "--log-json"], ["bench", *model, "--trace"],
                    ["predict", *model, "--data", "absent", "--grid"], ["export", *model, "--format", "npz"])
        for command in commands:
            who = command[-1] if command[0] != "export" else "export"
            self.refuse(1, f"{who}: none/x cannot be written in its folder: No such file", *command, "none/x")
            self.refuse(1, f"{who}: data: expected a file to replace, found a folder", *command, "data")
            self.refuse(2, f"{who}: expected a file, found '-'", *command, "-")
        for name in ("confusion.png", "report.html"):
            os.rename(f"{self.folder}/run/{name}", f"{self.folder}/{name}")
            os.mkdir(f"{self.folder}/run/{name}")
            self.refuse(1, rf"report: run/{name}: expected a file", "report", "run", "--model", "absent")
            os.rmdir(f"{self.folder}/run/{name}")
            os.rename(f"{self.folder}/{name}", f"{self.folder}/run/{name}")

    def test_nothing_that_is_read_or_of_another_kind_is_replaced(self):
        model = "run/cnn.safetensors"
        labels, metrics = "data/train-labels-idx1-ubyte", "run/cnn.metrics.csv"
        before = {path: self.read(path) for path in (model, labels, metrics)}
        other = "is there already, and no"
        for pattern, *arguments in (
                (f"import: {model} is what is imported: ", "import", model, model),
                (f"import: run/../{model} is what is imported: ", "import", model, "run/../" + model),
                (f"--grid: {model} is the model itself: ", "predict", "--model", model, "--grid", model),
                (f"--grid: {labels} {other} PNG picture: ", "predict", "--model", model, "--grid", labels),
                (f"--trace: {metrics} {other} trace of a bench: ", "bench", "--model", model, "--trace", metrics),
                (f"--trace: {model} is the model itself: ", "bench", "--model", model, "--trace", model),
                (f"export: {metrics} {other} npz file: ", "export", "--format", "npz", metrics)):
            self.refuse(2, pattern + "give another name", *arguments)
        self.assertEqual({path: self.read(path) for path in before}, before)

    def test_links_to_what_is_read_are_replaced(self):
        model = "run/cnn.safetensors"
        before = self.read(model)
        os.symlink("run/cnn.safetensors", self.folder + "/link.safetensors")
        self.run_command("import", model, "link.safetensors")
        self.assertFalse(os.path.islink(self.folder + "/link.safetensors"))
        self.assertEqual(self.read(model), before)

    def test_an_own_file_in_the_place_of_a_page_is_replaced(self):
        self.train("own")
        for name in ("report.html", "curves.svg"):
            with open(f"{self.folder}/own/{name}", "w", encoding="utf-8") as file:
                file.write("mine")
        self.run_command("report", "own", "--no-bench")
        self.assertNotEqual(self.read("own/report.html"), b"mine")

    def test_a_complete_run_keeps_its_page(self):
        self.train("complete")
        pages = ("report.html", "curves.svg", "confusion.png", "predictions.png")
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([CNN_CL, "train", "--data", self.data, "--out", "complete", "--resume"], cwd=self.folder,
                                  env=environment(), stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual([name for name in pages if not self.exists("complete/" + name)], [])

    def test_a_folder_that_cannot_be_locked(self):
        os.makedirs(self.folder + "/unlocked/.cnn-cl.lock")
        for _ in range(2):
            self.train("unlocked")

    def test_pictures_of_the_data_stay(self):
        network = ["--xdim", "1,8,8", "--cdims", "2", "--hdims", "none", "--dropout", "0"]
        predict = ["predict", "--data", "pictures", *network, "--samples", "4", "--grid"]
        self.run_command("predict", "--data", self.data, *NETWORK, "--samples", "4", "--grid", "grid.png")
        for split in ("train", "test"):
            for name in "ab":
                os.makedirs(f"{self.folder}/pictures/{split}/{name}")
                for i in range(2):
                    shutil.copy(self.folder + "/grid.png", f"{self.folder}/pictures/{split}/{name}/{i}.png")
        of_data = "pictures/test/a/0.png"
        before = self.read(of_data)
        result = self.run_command(*predict, of_data, code=2)
        self.assertRegex(result.stderr, f"(?m)^cnn-cl: --grid: {of_data} is a picture of the data in .*pictures: give")
        self.assertEqual(self.read(of_data), before)
        self.run_command(*predict, "grid.png")  # one that was there
        self.assertNotEqual(self.read("grid.png"), before)
        os.makedirs(self.folder + "/pictures/runs/x")
        for path in ("pictures/grid.png", "pictures/grid.png", "pictures/runs/x/grid.png", "pictures/runs/x/grid.png"):
            self.run_command(*predict, path)  # in the folder, but of no class

    def test_of_its_kind_one_is_replaced(self):
        model = ["--model", "run/cnn.safetensors"]
        for _ in range(2):
            self.run_command("export", "--net", "lenet5", "--format", "npz", "lenet5")  # a preset's name is no path
        with open(self.folder + "/nobody.onnx", "wb") as file:
            file.write(bytes([8, 10, 58, 0]))  # a model without a producer
        self.run_command("export", *model, "nobody.onnx")
        self.refuse(2, "export: expected a file, found ''", "export", "--format", "npz", "")
        for command in (["import", "run/cnn.safetensors", "twice.safetensors"], ["export", *model, "twice.onnx"],
                        ["export", *model, "twice.npz"]):
            for _ in range(2):
                self.run_command(*command)


class Cache(Folder):
    """What is remembered of devices, in places that others could have made."""

    def setUp(self):
        self.cache = f"{self.folder}/cache-{self._testMethodName}"
        self.env = environment(CNN_CL_CACHE_DIR=self.cache)

    def remembered(self, out):
        """Trains; the file that keeps a passed check, and what was said."""
        result = self.train(out, env=self.env)
        names = [name for name in os.listdir(self.cache) if name.startswith("passed-")]
        self.assertEqual(len(names), 1, names)
        return f"{self.cache}/{names[0]}", result.stderr

    def test_a_pipe_in_its_place(self):
        path, _ = self.remembered("pipe")
        good = self.read(path)
        os.unlink(path)
        os.mkfifo(path)
        again, said = self.remembered("pipe")
        self.assertRegex(said, r"passed-\w+: expected a file, found something else: the device is checked")
        self.assertEqual((again, self.read(path)), (path, good))
        self.assertNotIn("warning", self.remembered("pipe")[1])

    def test_a_link_in_its_place(self):
        path, _ = self.remembered("link")
        os.unlink(path)
        symbolic, _ = self.targets_of("cached")
        os.symlink(symbolic, path)
        self.remembered("link")
        self.assertFalse(os.path.islink(path))
        self.assertEqual(self.read("cached.symbolic"), b"mine\n")

    targets_of = Links.targets

    def test_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root may be somebody else")
        path, _ = self.remembered("other")
        os.chown(path, NOBODY, NOBODY)
        said = self.remembered("other")[1]
        self.assertRegex(said, r"passed-\w+: belongs to another user, and is not trusted: the device is checked")
        self.assertEqual(os.stat(path).st_uid, 0)
        self.assertNotIn("another user", self.remembered("other")[1])
        os.chown(self.cache, NOBODY, NOBODY)
        before = os.stat(path).st_mtime_ns
        said = self.train("other", env=self.env).stderr
        told = re.findall(r"cache-test_of_another_user belongs to another user: nothing is kept there", said)
        self.assertEqual(len(told), 1, said)
        self.assertEqual(os.stat(path).st_mtime_ns, before)


if __name__ == "__main__":
    unittest.main()
