"""The fast check before training: of a right device, a wrong one, and of what is large."""
import os
import re
import resource
import shutil
import signal
import subprocess
import unittest

from support import CLASSES, CNN_CL, TRAINING, CommandTest, environment, kernels_with, make_data, make_split, write_idx


class Training(CommandTest):
    """The fast check before training."""

    FAULT = ("gather.cl", "of_255((float)source[p])", "((float)source[p] / 256.0f)")
    PIECE = ("optimizer.cl", "sum[i] + gradients[i]", "gradients[i]")

    def setUp(self):
        self.cache = self.folder + "/cache"
        shutil.rmtree(self.cache, ignore_errors=True)
        self.env = environment(CNN_CL_CACHE_DIR=self.cache)

    def broken(self):
        return dict(self.env, CNN_CL_KERNEL_DIR=kernels_with(self.folder + "/kernels", *self.FAULT))

    def assert_checked(self, result, checked=True):
        (self.assertRegex if checked else self.assertNotRegex)(result.stderr, r"\d+ checks of ")

    def test_a_pass_is_remembered(self):
        self.assert_checked(self.train("run", "-v", env=self.env))
        (memo,) = os.listdir(self.cache)
        self.assertRegex(memo, r"\Apassed-[0-9a-f]{16}\Z")
        with open(os.path.join(self.cache, memo), encoding="utf-8") as file:
            text = file.read()
        for line in ("cnn-cl ", "device ", "platform ", "driver ", "kernels cpu", "plan fused"):
            self.assertRegex(text, rf"(?m)^{line}")
        self.assert_checked(self.train("run", "-v", env=self.env), checked=False)
        self.assert_checked(self.train("run", "-v", "--name", "other", env=self.env), checked=False)
        self.assert_checked(self.train("run", "-v", "--no-fuse", env=self.env))
        self.assert_checked(self.train("run", "-v", "--dropout", "0", env=self.env))
        self.assert_checked(
            self.train("run", "-v", env=dict(self.env, CNN_CL_KERNEL_CLASS="gpu")))

    def tune(self):
        """A record of CLBlast's tuning: the search is ended behind its first trial."""
        with subprocess.Popen([CNN_CL, "bench", "--tune", "--no-fuse", "--xdim", "1,4,4", "--cdims", "none", "--hdims",
                               "8", "--batch", "8"], cwd=self.folder, env=self.env, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            for line in process.stderr:
                if line.startswith("[1]"):
                    process.send_signal(signal.SIGINT)
        self.assertEqual(process.returncode, 130)

    def test_products_count_with_their_batch_and_tuning(self):
        def assert_checked(*more, checked=True):
            self.assert_checked(self.train("run", "-v", *more, env=self.env), checked=checked)

        other = ["--batch", "33"]
        assert_checked()
        assert_checked(*other, checked=False)
        for batch in [], other:
            assert_checked("--no-fuse", *batch)
            assert_checked("--no-fuse", *batch, checked=False)
        self.tune()
        assert_checked("--no-fuse", *other)
        assert_checked("--no-fuse", *other, checked=False)
        assert_checked(*other, checked=False)

    def processor_seconds(self, env):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.run_command("train", "--data", self.notebook, "--out", "timed", "--epochs", "0", env=env)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def test_it_takes_little_time(self):
        """The notebook's network: a tenth of a second is usual, half of it in plain C."""
        if "ASAN_OPTIONS" in os.environ:
            self.skipTest("sanitizers take their time")
        self.notebook = make_data(self.folder + "/notebook", shape=(1, 28, 28))
        env = {name: value for name, value in self.env.items() if name != "POCL_EXTRA_BUILD_FLAGS"}  # optimised
        self.processor_seconds(env)
        known = min(self.processor_seconds(env) for _ in range(2))
        checked = []
        for _ in range(2):
            shutil.rmtree(self.cache)
            checked.append(self.processor_seconds(env))
        self.assertLess(min(checked) - known, 1.5)

    def test_a_damaged_memo_is_no_pass(self):
        self.train("run", env=self.env)
        (memo,) = os.listdir(self.cache)
        with open(os.path.join(self.cache, memo), "a", encoding="utf-8") as file:
            file.write("x")
        self.assert_checked(self.train("run", "-v", env=self.env))

    def test_a_cache_that_cannot_be_written_is_no_error(self):
        for place, why in ("/proc/no-such-folder", "cannot be made"), ("/dev/null", "is no folder"):
            result = self.train("run", "-v", env=dict(self.env, CNN_CL_CACHE_DIR=place))
            self.assert_checked(result)
            self.assertNotIn("warning", result.stderr)
            said = rf"(?m)^{place} {why}: nothing is kept there, .* \(CNN_CL_CACHE_DIR names it\)$"
            self.assertEqual(len(re.findall(said, result.stderr)), 1, result.stderr)

    def test_a_device_that_computes_wrong_is_refused(self):
        self.train("run", env=self.env)  # a pass with other kernels does not count
        for _ in range(2):
            result = self.assert_refused(
                ["train", "--data", self.data, "--out", "refused", *TRAINING], 1,
                "computes wrong: gather: the batch: relative error .*cnn-cl doctor --device 0:0 "
                "--xdim 1,8,8 .*--trust-device", env=self.broken())
        self.assertFalse(self.exists("refused"))
        command = re.search("'cnn-cl (doctor [^']*)'", result.stderr).group(1)
        text = self.run_command(*command.split(), code=1, env=self.broken()).stdout
        self.assertRegex(text, "FAIL  fused +gather")

    def test_unless_it_is_trusted(self):
        result = self.train("trusted", "--trust-device", env=self.broken())
        self.assertRegex(result.stderr, "(?m)^cnn-cl: warning: .* computes wrong: .*all the same$")
        self.assertTrue(self.exists("trusted/cnn.safetensors"))
        self.assertNotIn("warning", self.train("run", "--trust-device", env=self.env).stderr)

    def test_the_doctors_word_counts(self):
        network = [*TRAINING[:8], "--xdim", "1,8,8"]
        self.run_command("doctor", *network, env=self.env)
        self.assertEqual(len(os.listdir(self.cache)), 16)  # fused and plain; in pieces; images changed; other losses
        for options in [], ["--micro-batch", "8"], ["--augment", "flip"]:
            self.assert_checked(self.train("run", "-v", *options, env=self.env), checked=False)

    def test_the_update_of_the_optimizer_is_checked(self):
        sgd = ["--optimizer", "sgd", "--momentum", "0.9"]
        fault = ("optimizer.cl", "momentum * b[i] + g;", "momentum * b[i] + 1.01f * g;")
        env = dict(self.env, CNN_CL_KERNEL_DIR=kernels_with(self.folder + "/kernels", *fault))
        self.train("run", env=env)  # Adam has nothing of it
        result = self.assert_refused(["train", "--data", self.data, "--out", "refused", *TRAINING, *sgd], 1,
                                     "computes wrong: update: .*the momentum: relative error", env=env)
        self.assertIn(" ".join(["--batch 32", *sgd]) + "' says more", result.stderr)
        small = ["--cdims", "none", "--hdims", "none", "--xdim", "1,2,2", "--ydim", "3"]
        text = self.run_command("doctor", *small, *sgd, code=1, env=env).stdout
        self.assertRegex(text, "FAIL  fused +update")

    def test_pieces_are_checked_where_batches_come_in_pieces(self):
        pieces = ["--micro-batch", "5"]
        env = dict(self.env, CNN_CL_KERNEL_DIR=kernels_with(self.folder + "/kernels",
                                                            *self.PIECE))
        self.train("run", env=env)
        for plain in [], ["--no-fuse"]:
            self.assert_refused(["train", "--data", self.data, "--out", "refused", *TRAINING, *pieces, *plain], 1,
                                "computes wrong: 2 steps, .*batches in pieces: the losses of the steps", env=env)
        self.assert_checked(self.train("run", "-v", *pieces, env=self.env))
        self.assert_checked(self.train("run", "-v", *pieces, env=self.env), checked=False)


class Large(CommandTest):
    """What is too large for the fast check before training."""

    def setUp(self):
        self.cache = self.folder + "/cache"
        shutil.rmtree(self.cache, ignore_errors=True)
        self.env = environment(CNN_CL_CACHE_DIR=self.cache)
        self.few = self.folder + "/few"
        if not os.path.exists(self.few):
            os.mkdir(self.few)
            for prefix, count in ("train", 4), ("t10k", 2):
                images, labels = make_split(count, 1, (1, 100, 100))
                write_idx(f"{self.few}/{prefix}-images-idx3-ubyte", (count, 100, 100), images)
                write_idx(f"{self.few}/{prefix}-labels-idx1-ubyte", (count,), labels)

    def train_few(self, *network):
        """The lines that it says about its check."""
        lines = self.run_command("-v", "train", "--data", self.few, "--out", "few", "--epochs", "1", "--ydim",
                                 str(CLASSES), *network, env=self.env).stderr.splitlines()
        return [line for line in lines if re.search("checked in full| checks of ", line)]

    def passes(self):
        return os.listdir(self.cache) if os.path.exists(self.cache) else []

    def memo(self, name):
        with open(os.path.join(self.cache, name), encoding="utf-8") as file:
            return file.read().splitlines()

    def test_one_sample_where_two_are_too_many(self):
        (count,) = self.train_few("--batch", "4", "--ksize", "11", "--cdims", "8,32", "--hdims", "none")
        self.assertRegex(count, r"\A\d+ checks of ")
        self.assertEqual(len(self.passes()), 1)

    def test_a_step_is_left_out_with_a_word(self):
        network = ["--batch", "4", "--ksize", "11", "--cdims", "8,64", "--hdims", "none"]
        for count in 1, 0:  # it is not checked again, and said again
            warning, *counts = self.train_few(*network)
            self.assertEqual(len(counts), count)
            self.assertRegex(warning, r"\Acnn-cl: warning: .* was not checked in full: conv2d_04..dropout2d_07: too "
                                      r"large for a fast check; 'cnn-cl doctor --device 0:0 --xdim 1,100,100 --ksize "
                                      r"11 --cdims 8,64 --hdims none --ydim 4 --dropout 0.5 --batch 4' takes its time "
                                      r"for that\Z")

    def test_pieces_are_left_out_with_a_word(self):
        warning, _ = self.train_few("--batch", "4", "--ksize", "11", "--cdims", "8,32", "--hdims", "none",
                                    "--micro-batch", "2")
        self.assertRegex(warning, "in full: batches in pieces: too large for a fast check; 'cnn-cl doctor ")

    def test_products_are_checked_at_the_batch(self):
        """Of which there are no more than images."""
        wide = ["--cdims", "1,1,1,1,1,1", "--ksize", "1", "--hdims", "5000"]  # no fused step is as wide
        for piece, options in (4, ["--batch", "1000000"]), (3, ["--batch", "3"]), (2, ["--micro-batch", "2"]):
            self.train_few(*wide, *options)
            found = [line for memo in self.passes() for line in self.memo(memo) if line.startswith("products ")]
            self.assertIn(f"products of batch {piece} by CLBlast", " ".join(found))

    def test_products_that_are_not_done_are_not_checked(self):
        (count,) = self.train_few("--cdims", "1,1", "--ksize", "1", "--hdims", "10", "--batch", "1000000")
        self.assertRegex(count, r"\A\d+ checks of ")


if __name__ == "__main__":
    unittest.main()
