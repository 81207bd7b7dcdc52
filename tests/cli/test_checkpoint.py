"""Runs that go on: from which checkpoint, with which options, and what is refused."""
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import unittest

import checkpoints
from support import (CNN_CL, NETWORK, TRAIN_COUNT, TRAINING, CommandTest, environment, make_data,
                     read_safetensors)

VALIDATED = [*TRAINING, "--val-split", "0.2"]
HEADER = ("epoch,step,loss,train_accuracy,val_accuracy,test_accuracy,seconds,images_per_second,"
          "learning_rate,device")


class RunTest(CommandTest):
    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def train_with(self, out, *options, **more):
        return self.run_command("train", "--data", self.data, "--out", out, *options, **more)

    def resume(self, out, *options, **more):
        return self.run_command("train", "--resume", "--out", out, *options, **more)

    def refuse_resume(self, out, *options, pattern, code=1):
        """Refused, with one line, and nothing in the folder is touched."""
        before = self.snapshot(out)
        result = self.assert_refused(["train", "--resume", "--out", out, *options], code, pattern)
        self.assertEqual(self.snapshot(out), before)
        return result

    def snapshot(self, out):
        return {name: self.read(f"{out}/{name}") for name in sorted(os.listdir(self.path(out)))}

    def flip(self, path, position=-1):
        data = bytearray(self.read(path))
        data[position] ^= 1
        with open(self.path(path), "wb") as file:
            file.write(data)

    def cut(self, path):
        os.truncate(self.path(path), os.path.getsize(self.path(path)) - 1)

    def assert_ends_alike(self, out, other):
        self.assertEqual(checkpoints.result(self.path(out)), checkpoints.result(self.path(other)))


class Signals(RunTest):
    """Interrupted, and gone on with as the program says."""

    def interrupt(self, out, *options, number=signal.SIGINT, after="epoch:[1]"):
        """Ends a run when a line has come; returns the lines, the message and the exit code."""
        process = subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", out, *options],
                                   cwd=self.folder, env=environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = []
        while not lines or not lines[-1].startswith(after):
            lines.append(process.stdout.readline())
            self.assertTrue(lines[-1], "it ended early")
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + number, stderr)
        return "".join(lines) + stdout, stderr.splitlines()[-1]

    def test_the_command_that_it_says_ends_the_run(self):
        options = [*VALIDATED, "--batchnorm", "--epochs", "60", "--name", "cnn"]
        whole = self.train_with("whole", *options)
        for number, out, name in ((signal.SIGINT, "a b'c", "mine"), (signal.SIGTERM, "d", "cnn")):
            with self.subTest(number):
                options[-1] = name
                stdout, line = self.interrupt(out, *options, "--log-json", out + ".log",
                                              number=number)
                self.assertRegex(line, r"^cnn-cl: interrupted in epoch \d+ \(.*\); to go on: ")
                self.assertTrue(checkpoints.is_whole(self.path(out, name + ".ckpt.safetensors")))
                command = shlex.split(line[line.index("cnn-cl train"):])
                result = self.run_command(*command[1:])
                self.assertEqual(stdout + result.stdout, whole.stdout)
                self.assertIn(f"going on from {out}/{name}.ckpt.safetensors: epoch ", result.stderr)
                self.assertEqual(checkpoints.read_metrics(self.path(out, name + ".metrics.csv")),
                                 checkpoints.read_metrics(self.path("whole", "cnn.metrics.csv")))
                with open(self.path(out + ".log"), encoding="utf-8") as log:
                    epochs = [json.loads(line)["epoch"] for line in log]
                self.assertEqual(epochs, list(range(-1, 60)))

    def test_without_checkpoints_the_model_is_saved(self):
        _, line = self.interrupt("none", *TRAINING, "--epochs", "100000", "--checkpoint-every", "0")
        self.assertRegex(line, r"interrupted in epoch \d+ \(step \d+ of 7\); the model as it was "
                               r"then is saved in none/cnn\.safetensors$")
        self.assertFalse(self.exists("none/cnn.ckpt.safetensors"))
        self.run_command("eval", "--model", "none/cnn.safetensors", "--data", self.data)

    def test_two_at_once_are_one_wish(self):
        process = subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", "twice",
                                    *TRAINING, "--epochs", "100000"], cwd=self.folder,
                                   env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        while not process.stdout.readline().startswith("epoch:[1]"):
            pass
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
        # Which of them comes first is the system's affair.
        self.assertIn(process.returncode, (130, 143))
        self.assertRegex(stderr.splitlines()[-1], "^cnn-cl: interrupted in epoch ")
        whole = [name for name in os.listdir(self.path("twice")) if "ckpt" in name
                 and name.endswith(".safetensors")]
        self.assertTrue(whole)
        for name in whole:
            self.assertTrue(checkpoints.is_whole(self.path("twice", name)))

    def test_before_training(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", "early",
                                        *TRAINING], cwd=self.folder, env=environment(), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stderr.readline()  # the data is there, the device is not yet
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number)
            self.assertEqual(stdout, "")
            self.assertRegex(stderr.splitlines()[-1],
                             "^cnn-cl: interrupted before (training|epoch 0); nothing was saved$")
            self.assertFalse(self.exists("early"))


class Resume(RunTest):
    def test_a_complete_run_says_so_and_may_grow(self):
        self.train_with("whole", *VALIDATED, "--epochs", "4")
        self.train_with("grown", *VALIDATED, "--epochs", "2")
        os.unlink(self.path("grown/predictions.png"))
        os.unlink(self.path("grown/cnn.best.safetensors"))
        os.unlink(self.path("grown/cnn.metrics.csv"))
        before = self.read("grown/cnn.safetensors")
        result = self.resume("grown")
        self.assertIn("grown/cnn.ckpt.safetensors: the run is complete: 2 of 2 epochs", result.stderr)
        self.assertEqual(result.stdout, "Done\n")
        self.assertEqual(self.read("grown/cnn.safetensors"), before)
        self.assertTrue(self.exists("grown/predictions.png"))
        self.assertEqual(len(checkpoints.read_metrics(self.path("grown/cnn.metrics.csv"))), 3)
        result = self.resume("grown", "--epochs", "4")
        self.assertRegex(result.stdout, r"\Aepoch:\[2\] .*\nepoch:\[3\] .*\nDone\n\Z")
        self.assert_ends_alike("grown", "whole")

    def test_without_a_checkpoint_it_starts_afresh(self):
        result = self.resume("fresh", "--data", self.data, *TRAINING)
        self.assertIn("no checkpoint in fresh: training starts afresh", result.stderr)
        self.assertIn("Start training.", result.stdout)
        self.train_with("other", *TRAINING)
        self.assert_ends_alike("fresh", "other")

    def test_the_only_run_of_a_folder_needs_no_name(self):
        self.train_with("named", *TRAINING, "--name", "cat")
        self.assertFalse(self.exists("named/cnn.ckpt.safetensors"))
        result = self.resume("named")
        self.assertIn("named: going on with the run cat, the only one there", result.stderr)
        self.assertIn("named/cat.ckpt.safetensors: the run is complete", result.stderr)
        for ending in ("ckpt", "ckpt.prev"):
            shutil.copy(self.path("named/cat.ckpt.safetensors"), self.path(f"named/dog.{ending}.safetensors"))
        self.refuse_resume("named", code=2, pattern=r"--resume: named: expected one run, found 2 \(cat, dog\): name one "
                                                    "with --name")
        self.assertIn("cat.ckpt.safetensors: the run is complete", self.resume("named", "--name", "cat").stderr)

    def test_from_another_working_directory(self):
        data = os.path.relpath(self.data, os.path.realpath(self.folder))
        self.run_command("train", "--data", data, "--out", "moved-from", *TRAINING)
        elsewhere = self.path("elsewhere")
        os.mkdir(elsewhere)
        result = subprocess.run([CNN_CL, "train", "--resume", "--out", self.path("moved-from"),
                                 "--epochs", "3"], cwd=elsewhere, env=environment(),
                                capture_output=True, text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\Aepoch:\[2\] .*\nDone\n\Z")

    def test_from_elsewhere(self):
        self.train_with("from", *VALIDATED, "--name", "mine")
        result = self.run_command("train", "--resume-from", "from/mine.ckpt.safetensors", "--out", "to",
                                  "--epochs", "3", "--checkpoint-every", "0")
        self.assertIn("going on from from/mine.ckpt.safetensors: epoch 2, step 0", result.stderr)
        self.assertEqual(sorted(name for name in os.listdir(self.path("to")) if "mine" in name),
                         ["mine.best.safetensors", "mine.metrics.csv", "mine.run.json",
                          "mine.safetensors"])
        self.train_with("whole", *VALIDATED, "--name", "mine", "--epochs", "3")
        self.assertEqual(checkpoints.result(self.path("to"), "mine"),
                         checkpoints.result(self.path("whole"), "mine"))
        self.assert_refused(["train", "--resume-from", "from/mine.ckpt.safetensors", "--out", "to",
                             "--no-clobber", "--epochs", "4"], 1, "is there already")
        self.assert_refused(["train", "--resume-from", "absent"], 1, "^cnn-cl: absent: cannot be")

    def test_options_that_contradict_are_named(self):
        self.train_with("options", *VALIDATED)
        for options, pattern in (
                (["--lr", "0.5"], "--lr: expected 0.01 as in options/cnn.ckpt.safetensors, found 0.5"),
                (["--batch", "7"], "--batch: expected 32 as in .*, found 7: leave it out, or"),
                (["--seed", "7"], "--seed: expected 0 as in .*, found 7"),
                (["--epochs", "1"], "--epochs: expected 2 as in .*, or more, found 1"),
                (["--cdims", "4"], r"--cdims: expected \[4,8\] as in .*, found \[4\]"),
                (["--batchnorm"], "--batchnorm: expected false as in .*, found true"),
                (["--xdim", "1,9,9"], r"--xdim: expected \[1,8,8\] as in"),
                (["--val-split", "0.5"], "--val-split: expected 0.2 as in .*, found 0.5"),
                (["--early-stop", "5"], "--early-stop: expected 0 as in"),
                (["--no-fuse"], "--no-fuse")):
            with self.subTest(options):
                self.refuse_resume("options", *options, pattern="^cnn-cl: " + pattern)
        same = ["--lr", "1e-2", "--batch", "32", "--seed", "0", *NETWORK, "--stream",
                "--checkpoint-steps", "5"]
        self.assertIn("is complete", self.resume("options", *same).stderr)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return "./" + name

    def test_what_a_recipe_said_is_the_checkpoint_s(self):
        """The same command again, with --resume: the recipe was taken then, the command line won over it."""
        recipe = self.write("some.recipe", "net ./some.net\nlr 0.02\nlabel-smoothing 0.1\nepochs 2\nbatch 32\n")
        self.write("some.net", "Flatten()\nfc = Linear(classes)\n")
        command = ["train", "--data", self.data, "--recipe", recipe, "--lr", "0.01", "--out", "of-recipe"]
        self.run_command(*command)
        self.write("some.recipe", "net ./some.net\nlr 0.5\ninit absent.safetensors\nnormalize 0.5:2\n"
                                  "label-smoothing 0.3\n")
        result = self.run_command("train", "--data", self.data, "--recipe", recipe, "--out", "of-recipe", "--resume",
                                  "--epochs", "3")
        self.assertIn("going on from of-recipe/some.ckpt.safetensors: epoch 2", result.stderr)
        stays = f"--recipe {recipe}: what of-recipe/some.ckpt.safetensors has otherwise stays as it is there: "
        self.assertIn(stays + "--lr, --label-smoothing\n", result.stderr)
        self.write("some.recipe", "net ./some.net\nbatch 32\nlr 0.01\nlabel-smoothing 0.1\n")
        self.assertNotIn(stays, self.run_command(*command, "--resume").stderr)
        self.assert_refused([*command[:-2], "--out", "of-recipe", "--resume", "--lr", "0.02"], 1,
                            "--lr: expected 0.01 as in of-recipe/some.ckpt.safetensors, found 0.02")
        self.assert_refused([*command, "--resume", "--init", "absent.safetensors"], 2,
                            "--init and --resume exclude each other")
        self.write("some.recipe", "cdims 4\nfit pad\nbatch 16\n")
        self.assertIn(stays + "its network, --fit, --batch\n", self.run_command(*command, "--resume").stderr)

    def test_shapes_of_a_network_file_may_be_said_again(self):
        net = self.write("fixed.net", "Flatten()\nfc = Linear(classes)\n")
        self.run_command("train", "--data", self.data, "--net", net, "--out", "fixed", "--epochs", "1")
        for same in (["--ydim", "4"], ["--xdim", "1,8,8"]):
            self.assertIn("is complete", self.resume("fixed", *same).stderr)
        for other, pattern in ((["--ydim", "5"], "--ydim: expected 4 as in fixed/fixed.ckpt.safetensors, found 5"),
                               (["--xdim", "1,9,9"], "--xdim: expected 1,8,8 as in .*, found 1,9,9"),
                               (["--dropout", "0.3"], "--dropout: the network is that of fixed/fixed.ckpt.safetensors"),
                               (["--labels", "coarse"], "--labels: expected fine as in .*, found coarse")):
            with self.subTest(other):
                self.refuse_resume("fixed", *other, pattern="^cnn-cl: " + pattern)

    def test_other_data_is_refused(self):
        self.train_with("data-of", *TRAINING)
        other = make_data(self.path("other-data"))
        with open(other + "/train-labels-idx1-ubyte", "r+b") as file:
            file.seek(100)
            value = file.read(1)
            file.seek(100)
            file.write(bytes([value[0] ^ 1]))
        self.refuse_resume("data-of", "--data", other, pattern="--data: expected the data set of "
                           "data-of/cnn.ckpt.safetensors, SHA-256 [0-9a-f]{12}")
        smaller = make_data(self.path("smaller"), (1, 6, 6))
        self.refuse_resume("data-of", "--data", smaller, pattern="--data: expected the data set of")
        # The same images elsewhere are the same data.
        shutil.copytree(self.data, self.path("moved"))
        self.run_command("train", "--data", "moved", "--out", "data-of", *TRAINING)
        shutil.move(self.path("moved"), self.path("moved-again"))
        self.refuse_resume("data-of", pattern="^cnn-cl: data-of/cnn.ckpt.safetensors has its data in a place that is "
                                              "not as it was; --data NEW goes on with them elsewhere: .*/moved: there is")
        self.resume("data-of", "--data", "moved-again")
        shutil.rmtree(self.path("moved-again"))
        shutil.copytree(other, self.path("moved"))
        self.refuse_resume("data-of", pattern=r"found another in \S*moved, [^:]*: the data there have changed since: name")
        self.refuse_resume("data-of", "--data", "moved/", pattern="the data there have changed since: name a copy of")

    def test_another_plan_is_told(self):
        self.train_with("plan", *TRAINING)
        result = self.resume("plan", env=environment(CNN_CL_KERNEL_CLASS="gpu"))
        self.assertRegex(result.stderr, "(?m)^cnn-cl: warning: the checkpoint was made with another "
                                        "plan: the last bits of the results may differ")


class Damage(RunTest):
    def test_the_one_before_is_named(self):
        self.train_with("damage", *VALIDATED)
        good = "the one before it is good: --resume-from damage/cnn.ckpt.prev.safetensors --out damage$"
        for damage in (lambda: self.flip("damage/cnn.ckpt.safetensors"),
                       lambda: self.cut("damage/cnn.ckpt.safetensors")):
            damage()
            self.refuse_resume("damage", pattern=r"^cnn-cl: damage/cnn\.ckpt\.safetensors: .*" + good)
        previous = "damage/cnn.ckpt.prev.safetensors"
        before = self.read(previous)
        self.assertEqual(checkpoints.position(self.path(previous)), (1, 0))
        # It is never replaced by the damaged one.
        self.resume("damage", "--resume-from", previous, "--checkpoint-every", "5")
        self.assertEqual(self.read(previous), before)
        self.assertTrue(checkpoints.is_whole(self.path("damage/cnn.ckpt.safetensors")))
        self.train_with("whole", *VALIDATED)
        self.assert_ends_alike("damage", "whole")

    def test_both_are_damaged(self):
        self.train_with("both", *TRAINING)
        self.flip("both/cnn.ckpt.safetensors")
        self.flip("both/cnn.ckpt.prev.safetensors")
        self.refuse_resume("both", pattern="damaged.*; there is no good one before it$")

    def test_where_only_the_one_before_is_there(self):
        self.train_with("only", *VALIDATED)
        os.unlink(self.path("only/cnn.ckpt.safetensors"))
        result = self.resume("only")
        self.assertIn("is not there: going on from the one before it", result.stderr)
        self.train_with("whole", *VALIDATED)
        self.assert_ends_alike("only", "whole")

    def test_no_checkpoint_at_all(self):
        self.train_with("model", *TRAINING)
        shutil.copy(self.path("model/cnn.safetensors"), self.path("model/cnn.ckpt.safetensors"))
        self.refuse_resume("model", pattern="model/cnn.ckpt.safetensors: a saved model, not a checkpoint: "
                                            "--model model/cnn.ckpt.safetensors begins with its values; the one before it is good")
        for path, why in ("model/cnn.safetensors", "a saved model, not a checkpoint: --model .* its values"), \
                         ("absent.safetensors", "cannot be opened: No such file or directory"):
            self.assert_refused(["train", "--resume-from", path], 1, f"^cnn-cl: {path}: {why}$")


class Afresh(RunTest):
    def test_the_checkpoints_of_another_run_go(self):
        self.train_with("again", *TRAINING)
        self.train_with("again", *TRAINING, "--epochs", "1", "--seed", "4")
        self.train_with("single", *TRAINING, "--epochs", "1", "--seed", "4")
        for name in ("cnn.ckpt.prev.safetensors", "cnn.ckpt.safetensors"):
            self.assertEqual(checkpoints.position(self.path("again", name)),
                             checkpoints.position(self.path("single", name)))
        self.assert_ends_alike("again", "single")
        self.train_with("again", *TRAINING, "--checkpoint-every", "0")
        self.assertFalse([name for name in os.listdir(self.path("again")) if "ckpt" in name])

    def test_what_a_killed_program_left_goes(self):
        os.makedirs(self.path("left"))
        gone = subprocess.run(["sh", "-c", "echo $$"], capture_output=True, text=True).stdout.strip()
        names = [f"cnn.ckpt.safetensors.{gone}-3.tmp", f"cnn.metrics.csv.{gone}-0.tmp",
                 f"cnn.ckpt.prev.safetensors.{gone}-link.tmp"]
        kept = [f"cnn.safetensors.{os.getpid()}-0.tmp", f"mine.safetensors.{gone}-0.tmp",
                "cnn.safetensors.tmp", "cnn.safetensors.1-x"]
        for name in names + kept:
            open(self.path("left", name), "w").close()
        self.train_with("left", *TRAINING)
        left = os.listdir(self.path("left"))
        self.assertFalse(set(names) & set(left))
        self.assertLessEqual(set(kept), set(left))

    def test_from_a_saved_model(self):
        self.train_with("first", *TRAINING, "--batchnorm", "--name", "first")
        trained = self.run_command("eval", "--model", "first/first.safetensors", "--data", self.data)
        result = self.train_with("second", "--model", "first/first.safetensors", "--epochs", "1",
                                 "--batch", "32")
        start = re.match(r"train_accr:\[[\d.]+\] test_accr:\[([\d.]+)\]", result.stdout).group(1)
        self.assertIn(f"accr:[{start}]", trained.stdout)
        tensors, metadata = read_safetensors(self.path("second/first.safetensors"))
        self.assertIn("net.batchnorm2d_01.running_mean", tensors)
        self.assertEqual(json.loads(metadata["cnn-cl.config"])["name"], "first")
        self.train_with("third", "--model", "first/first.safetensors", "--epochs", "1", "--name", "x")
        _, metadata = read_safetensors(self.path("third/x.safetensors"))
        self.assertEqual(json.loads(metadata["cnn-cl.config"])["name"], "x")
        self.assertIn("is complete", self.resume("third", "--name", "x").stderr)
        self.assert_refused(["train", "--model", "absent"], 1, "^cnn-cl: absent: cannot be opened")


class Metrics(RunTest):
    def test_files(self):
        result = self.train_with("files", *VALIDATED, "--epochs", "3", "--print-every", "2",
                                 "--log-json", "files.log")
        lines = self.read("files/cnn.metrics.csv").decode().splitlines()
        self.assertEqual(lines[0], HEADER)
        rows = [line.split(",") for line in lines[1:]]
        self.assertEqual([row[0] for row in rows], ["-1", "0", "1", "2"])
        self.assertEqual([row[1] for row in rows], ["0", "5", "10", "15"])
        self.assertEqual(rows[0][2], "")
        self.assertEqual(rows[2][3:6], ["", "", ""])
        self.assertEqual(len({row[9] for row in rows}), 1)
        self.assertRegex(result.stdout, r"\Atrain_accr:\[[\d.]+\] val_accr:\[[\d.]+\] test_accr")
        for row in (rows[1], rows[3]):
            self.assertIn("epoch:[%s] loss:[%.3f] train_accr:[%.3f] val_accr:[%.3f] test_accr:[%.3f].\n"
                          % (row[0], *map(float, row[2:6])), result.stdout)
        with open(self.path("files.log"), encoding="utf-8") as log:
            objects = [json.loads(line) for line in log]
        self.assertEqual([list(o) for o in objects], [HEADER.split(",")] * 4)
        self.assertIsNone(objects[0]["loss"])
        run = json.loads(self.read("files/cnn.run.json"))
        self.assertEqual((run["train_images"], run["val_images"], run["data"], run["name"]),
                         (TRAIN_COUNT * 4 // 5, TRAIN_COUNT // 5, os.path.abspath(self.data), "cnn"))
        self.assertEqual((run["options"]["epochs"], run["options"]["lr"], run["network"]["cdims"]),
                         (3, 0.01, [4, 8]))

    def test_log_to_a_pipe(self):
        result = self.train_with("pipe", *TRAINING, "--log-json", "/dev/stdout")
        objects = [json.loads(line) for line in result.stdout.splitlines() if line[0] == "{"]
        self.assertEqual([o["epoch"] for o in objects], [-1, 0, 1])

    def test_a_log_replaces_nothing_but_a_log(self):
        self.train_with("logged", *TRAINING, "--log-json", "logged.json")
        self.train_with("logged", *TRAINING, "--log-json", "logged.json")
        shutil.copytree(self.data, self.path("logged-data"))
        images = self.read("logged-data/train-images-idx3-ubyte")
        for path, pattern in (("logged/cnn.metrics.csv", "another file of the run"), ("logged/cnn.run.json", "another file"),
                              ("logged/../logged/report.html", "another file"),
                              ("logged-data/train-images-idx3-ubyte", "is there already, and no log of a run")):
            self.assert_refused(["train", "--data", self.data, "--out", "logged", *TRAINING, "--log-json", path], 2,
                                f"--log-json: {re.escape(path)} .*{pattern}")
        self.assertEqual(self.read("logged-data/train-images-idx3-ubyte"), images)

    def test_that_cannot_be_written(self):
        """The folder stays as it was: it is not made, and of another run's files none goes."""
        full = ["--augment", "shift=1", "--log-json", "/dev/full"]
        no_model = r"(?m)^cnn-cl: /dev/full: cannot be written: .*; no model was saved\n\Z"
        self.assertRegex(self.train_with("full/run", *TRAINING, *full, code=1).stderr, no_model)
        self.assertFalse(self.exists("full"))
        self.train_with("full", *TRAINING, "--augment", "shift=1")
        before = {name: self.read("full/" + name) for name in os.listdir(self.path("full"))}
        self.assertIn("augmented.png", before)
        self.assertRegex(self.train_with("full", *TRAINING, *full, code=1).stderr, no_model)
        self.assertEqual({name: self.read("full/" + name) for name in os.listdir(self.path("full"))}, before)

    def test_early_stop_where_a_run_goes_on(self):
        """The last epoch's evaluation is none of a run in one go."""
        options = [*VALIDATED, "--print-every", "3", "--early-stop", "2", "--lr", "1e-12"]
        self.train_with("once", *options, "--epochs", "30")
        for epochs in ("5", "30"):
            self.train_with("twice", "--resume", *options, "--epochs", epochs)
        stopped = [len(checkpoints.read_metrics(self.path(f"{run}/cnn.metrics.csv"))) for run in ("once", "twice")]
        self.assertEqual(stopped[0], stopped[1])
        self.assertEqual(self.read("twice/cnn.safetensors"), self.read("once/cnn.safetensors"))

    def test_early_stop(self):
        options = [*VALIDATED, "--epochs", "200", "--early-stop", "3"]
        result = self.train_with("early", *options)
        self.assertIn("stopped early: 3 evaluations without a better validation accuracy",
                      result.stderr)
        found = re.search(r"the best one, of epoch (\d+) \(validation accuracy ([\d.]+)\), in "
                          r"early/cnn\.best\.safetensors", result.stderr)
        epochs = re.findall(r"epoch:\[(\d+)\].* val_accr:\[([\d.]+)\]", result.stdout)
        self.assertEqual(int(epochs[-1][0]), int(found.group(1)) + 3)
        self.assertEqual(max(accuracy for _, accuracy in epochs), found.group(2))
        self.assertNotEqual(self.read("early/cnn.best.safetensors"),
                            self.read("early/cnn.safetensors"))
        result = self.resume("early", "--epochs", "300")
        self.assertIn("the run is complete: it stopped early after epoch", result.stderr)
        self.assertEqual(result.stdout, "Done\n")


if __name__ == "__main__":
    unittest.main()
