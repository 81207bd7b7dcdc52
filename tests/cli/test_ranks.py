"""One training over several ranks: devices of a process, and processes of MPI's launcher where it is
there."""
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import unittest

from launcher import HAS_MPI, LAUNCHER, RUN, ranks_of, read_process
from support import CNN_CL, CommandTest, NETWORK, TRAINING, environment, make_split, read_safetensors, write_idx

LONG = ["--epochs", "3000", "--checkpoint-steps", "3", "--slices", "4", "--batchnorm"]


class RankTest(CommandTest):
    def digest(self, out, name="cnn.safetensors"):
        return hashlib.sha256(self.read(f"{out}/{name}")).hexdigest()

    def launch(self, ranks, *arguments, env=None):
        return subprocess.Popen([LAUNCHER, "-n", str(ranks), CNN_CL, *arguments], cwd=self.folder,
                                env=env or RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def finish(self, process, code=0):
        output, errors = process.communicate(timeout=120)
        if code is not None:
            self.assertEqual(process.returncode, code, errors)
        own = [line for line in errors.splitlines() if line.startswith("cnn-cl: ")]
        return output, own

    def training(self, out, *more):
        return ["train", "--data", self.data, "--out", out, *TRAINING, *more]

    def shared_commands(self):
        """What several ranks share, each with its exit code: pictures, one of them broken and one not there, and an
        IDX file; random images; evaluations."""
        os.makedirs(self.folder + "/own", exist_ok=True)
        images = make_split(40, 9)[0]
        names = [f"own/{i:02}.pgm" for i in range(20)]
        for i, name in enumerate(names):
            with open(f"{self.folder}/{name}", "wb") as file:
                file.write(b"no picture" if i == 7 else b"P5 8 8 255\n" + images[64 * i:64 * i + 64])
        write_idx(self.folder + "/own/some-idx3-ubyte", (40, 8, 8), images)
        names[5:5] = ["own/some-idx3-ubyte", "own/none.pgm"]
        model = ["--model", "model/cnn.safetensors"]
        if not self.exists("model"):
            self.train("model")
        for more in ([], ["--json", "--top", "2", "--tta", "flip"]):
            yield ["predict", *model, *more, *names], 1
        yield ["predict", *model, "--data", self.data, "--json", "--samples", "60"], 0
        for more in ([], ["--tta", "flip", "--json"]):
            yield ["eval", *model, "--data", self.data, "--batch", "7", *more], 0

    def bench(self, *more):
        return ["bench", *NETWORK, "--xdim", "1,8,8", "--batch", "12", "--steps", "10", *more]

    def check_bench(self, document, ranks, slices):
        """What is said of the steps of several ranks, as JSON."""
        self.assertEqual([document[key] for key in ("ranks", "batch", "slices", "steps")], [ranks, 12, slices, 10])
        self.assertLessEqual(document["exposed_milliseconds"], document["communication_milliseconds"])
        self.assertLessEqual(document["communication_milliseconds"], document["milliseconds"])
        self.assertAlmostEqual(document["exposed_share"], document["exposed_milliseconds"] / document["milliseconds"], 6)
        self.assertEqual(sum(row["slices"] for row in document["rows"]), slices)
        for i, row in enumerate(document["rows"]):
            self.assertRegex(row["rank"], rf"^rank {i} on \S+ \(.+\)$")
            self.assertGreaterEqual(row["exposed_milliseconds"], document["exposed_milliseconds"] - 1e-6)

    def check_trace(self, path, document):
        """Each rank has its steps, one behind the other, and in each the sums of all that there is to sum."""
        events = json.loads(self.read(path))["traceEvents"]
        names = [event["args"]["name"] for event in events if event["name"] == "process_name"]
        self.assertEqual(names, [row["rank"] for row in document["rows"]])
        for process, row in enumerate(document["rows"], 1):
            own = [event for event in events if event["pid"] == process and event["ph"] == "X"]
            steps = [event for event in own if event["name"] == "step"]
            sums = [event for event in own if event["name"] == "sum over ranks"]
            self.assertEqual([event["args"]["step"] for event in steps], list(range(document["steps"])))
            for step, after in zip(steps, steps[1:]):
                self.assertLessEqual(step["ts"] + step["dur"], after["ts"])
            for number, step in enumerate(steps):
                inside = [event for event in sums if event["args"]["step"] == number]
                self.assertEqual(sum(event["args"]["bytes"] for event in inside), document["bytes"])
                for event in inside:
                    self.assertGreaterEqual(event["ts"], step["ts"])
                    self.assertLessEqual(event["ts"] + event["dur"], step["ts"] + step["dur"] + 1e-3)
                    self.assertLessEqual(event["args"]["exposed"], event["dur"] + 1e-3)
            said = [event for event in own if event["name"] in ("sum over ranks", "losses of all")]
            self.assertAlmostEqual(sum(event["dur"] for event in said) / 1e3 / document["steps"],
                                   row["communication_milliseconds"], 6)

    def wait_for(self, path):
        end = time.time() + 60
        while not self.exists(path):
            self.assertLess(time.time(), end, path)
            time.sleep(0.02)


class Devices(RankTest):
    def test_several_devices_give_what_one_gives(self):
        one = self.train("one", "--slices", "4", "--batchnorm")
        for devices in ("0,0", "0,0,0"):
            out = "of" + devices
            result = self.train(out, "--slices", "4", "--batchnorm", "--device", devices, "-v")
            self.assertRegex(result.stderr, r"the sums of \S+ MiB over \d ranks took \S+% of \S+ s, with the waits for slower "
                                            r"ranks; \d+\.\d% on the rank that waited least")
            self.assertEqual(result.stdout, one.stdout)
            self.assertEqual(self.digest(out), self.digest("one"))

    @unittest.skipUnless(os.environ.get("CNN_TEST_SWEEP"), "in scripts/slow_tests.sh exact")
    def test_exact_bits_are_those_of_any_kernels_and_ranks(self):
        arguments = ["--slices", "3", "--exact", "--batchnorm", "--epochs", "1"]
        optimised = {"POCL_EXTRA_BUILD_FLAGS": None}
        self.train("exact", *arguments, env=environment(**optimised))
        for kind in ("cpu", "gpu"):
            out = "exact-" + kind
            self.train(out, *arguments, "--device", "0,0", env=environment(CNN_CL_KERNEL_CLASS=kind, **optimised))
            self.assertEqual(self.digest(out), self.digest("exact"))

    def test_predictions_and_evaluations_are_shared(self):
        for arguments, code in self.shared_commands():
            alone = self.run_command("-q", *arguments, code=code)
            together = self.run_command("-q", *arguments, "--device", "0,0,0", code=code)
            self.assertEqual(together.stdout, alone.stdout)
            self.assertEqual(together.stderr, alone.stderr)
            self.assertEqual(len(alone.stderr.splitlines()), 2 if code else 0, alone.stderr)

    def test_the_bench_of_several_devices(self):
        for devices, slices in (("0,0", 2), ("0,0,0", 5)):
            arguments = self.bench("--device", devices, "--slices", str(slices))
            document = json.loads(self.run_command(*arguments, "--json", "--trace", "trace.json").stdout)
            self.check_bench(document, len(devices.split(",")), slices)
            self.check_trace("trace.json", document)
        alone = json.loads(self.run_command(*self.bench("--slices", "3", "--json")).stdout)
        self.check_bench(alone, 1, 3)
        self.assertEqual(alone["communication_milliseconds"], 0)
        text = self.run_command(*self.bench("--device", "0,0", "--batchnorm")).stdout
        dealt = re.findall(r"(?m)^ +(\d+) +\d+\.\d{3} ms +\d+\.\d{3} ms +\d+\.\d%  rank ([01]) on ", text)
        self.assertEqual([rank for _, rank in dealt], ["0", "1"], text)
        self.assertEqual(sum(int(slices) for slices, _ in dealt), 2, text)  # by time: on a busy machine not one each
        self.assertRegex(text, r"Batch 12 over 2 ranks, means of 10 training steps, \d+\.\d{3} ms each \(\d+ images/s\)")

    def test_what_of_the_bench_is_for_one_is_refused(self):
        for option in ("--eval", "--tune"):
            self.assert_refused(["bench", option, "--device", "0,0"], 2, "--device: expected one device, found a list of 2")
            self.assert_refused(["bench", option, "--slices", "2"], 2, f"{option} and --slices exclude each other")
        self.assert_refused(["bench", "--batch", "4", "--slices", "5"], 2, "--slices: expected at most 4")

    def test_what_is_not_for_several_is_refused(self):
        self.assert_refused(["params", "--device", "0,0"], 2, "--device: expected one device, found a list of 2")
        self.assert_refused(["train", "--data", self.data, "--device", "0,99"], 3, "99")
        for devices in (",", "0,", ",0", "0,,0"):
            self.assert_refused(["train", "--data", self.data, "--device", devices], 2,
                                "--device: expected devices with commas between them")
        self.assert_refused(["train", "--data", self.data, "--device", ",".join(["0"] * 1000)], 2,
                            "--device: expected at most [0-9]+ devices, found 1000")
        self.assert_refused([*self.training("x"), "--device", "0,0", "--micro-batch", "4"], 2,
                            "--slices and --micro-batch exclude each other")
        self.assertFalse(self.exists("x"))

    def test_a_launcher_without_its_library_is_refused(self):
        if HAS_MPI:
            self.skipTest("MPI is built in")
        for size, rank in (("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), ("PMI_SIZE", "PMI_RANK"),
                           ("SLURM_NTASKS", "SLURM_PROCID")):
            first = environment(**{size: "2", rank: "0", "SLURM_STEP_ID": "0"})
            self.assert_refused(self.training("x"), 2, "started as one of 2 ranks: expected a cnn-cl with MPI", env=first)
            second = self.run_command(*self.training("x"), code=2, env=environment(**{size: "2", rank: "1"}))
            self.assertEqual(second.stdout + second.stderr, "")


@unittest.skipUnless(LAUNCHER and HAS_MPI, "no MPI here")
class Processes(RankTest):
    def test_the_weights_are_those_of_one(self):
        one = self.train("alone", "--slices", "4", "--batchnorm", "--augment", "flip", "--ema", "0.9")
        for ranks in (2, 3):
            out = f"ranks{ranks}"
            output, own = self.finish(self.launch(ranks, *self.training(
                out, "--slices", "4", "--batchnorm", "--augment", "flip", "--ema", "0.9")))
            self.assertEqual(own, [])
            self.assertEqual(output, one.stdout)
            self.assertEqual(self.digest(out), self.digest("alone"))
            self.assertEqual(self.digest(out, "cnn.best.safetensors"),
                             self.digest("alone", "cnn.best.safetensors"))

    def test_a_rank_that_is_killed_ends_the_job_and_the_run_goes_on(self):
        short = ["--epochs", "60", "--checkpoint-steps", "20", "--slices", "4", "--batchnorm"]
        self.run_command(*self.training("whole", *short))
        job = self.launch(2, *self.training("killed", *short))
        self.wait_for("killed/cnn.ckpt.safetensors")
        os.kill(ranks_of(job)[1], signal.SIGKILL)
        _, own = self.finish(job, code=None)
        self.assertNotEqual(job.returncode, 0)
        self.assertEqual(len(own), 1, own)
        self.assertRegex(own[0], r"rank 1 on \S+ \(.+\) died: its process \d+ is gone")
        self.assertIn("cnn-cl train --resume", own[0])
        self.finish(self.launch(3, "train", "--resume", "--out", "killed"))
        self.assertEqual(self.digest("killed"), self.digest("whole"))

    def test_the_job_is_interrupted(self):
        job = self.launch(2, *self.training("stopped", *LONG))
        self.wait_for("stopped/cnn.ckpt.safetensors")
        os.kill(ranks_of(job)[0], signal.SIGTERM)
        _, own = self.finish(job, code=143)
        self.assertEqual(len(own), 1, own)
        self.assertRegex(own[0], "interrupted in epoch .*; to go on: cnn-cl train --resume")

    def test_the_launcher_is_killed(self):
        job = self.launch(2, *self.training("orphans", *LONG))
        self.wait_for("orphans/cnn.ckpt.safetensors")
        children = ranks_of(job)
        job.kill()
        start = time.time()
        while any(read_process(pid, "cmdline") for pid in children):
            self.assertLess(time.time() - start, 5)
            time.sleep(0.05)
        job.communicate()
        # The folder is free.
        again = subprocess.Popen([CNN_CL, "train", "--resume", "--out", "orphans"], cwd=self.folder,
                                 env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True)
        time.sleep(1)
        again.terminate()
        self.assertNotIn("a training is running there", again.communicate(timeout=60)[1])

    def test_ranks_that_differ_are_refused(self):
        command = [LAUNCHER, "-n", "1", CNN_CL, *self.training("other"), ":",
                   "-n", "1", CNN_CL, *self.training("other", "--seed", "5")]
        job = subprocess.Popen(command, cwd=self.folder, env=RUN, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
        _, own = self.finish(job, code=2)
        self.assertRegex(own[0], r"rank 1 on \S+ \(.+\): seed: expected 0 as on rank 0, found 5")
        self.assertFalse(self.exists("other"))

    def differ(self, first, second, pattern):
        """The second rank's command is another."""
        job = subprocess.Popen([LAUNCHER, "-n", "1", CNN_CL, *first, ":", "-n", "1", CNN_CL, *second], cwd=self.folder, env=RUN,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, own = self.finish(job, code=2)
        self.assertEqual(output, "")
        self.assertRegex(own[0], r"rank 1 on \S+ \(.+\): " + pattern)

    def test_ranks_of_other_data_options_or_statistics_are_refused(self):
        next(self.shared_commands())
        self.train("norm", "--batchnorm")
        other = shutil.copytree(self.data, self.folder + "/other-tests")
        with open(other + "/t10k-images-idx3-ubyte.gz", "rb") as file:
            images = bytearray(gzip.decompress(file.read()))
        images[16:] = bytes(255 - value for value in images[16:])
        with gzip.open(other + "/t10k-images-idx3-ubyte.gz", "wb") as file:
            file.write(images)
        moved = bytearray(self.read("norm/cnn.safetensors"))
        header, _ = read_safetensors(self.folder + "/norm/cnn.safetensors")
        at = 8 + int.from_bytes(moved[:8], "little") + next(
            entry["data_offsets"][0] for name, entry in header.items() if name.endswith("running_mean"))
        moved[at:at + 4] = struct.pack("<f", 5)
        with open(self.folder + "/moved.safetensors", "wb") as file:
            file.write(moved)
        seen = ["eval", "--model", "model/cnn.safetensors", "--data", self.data]
        pictures = ["predict", "--model", "model/cnn.safetensors", "own/01.pgm", "own/02.pgm"]
        for first, second, pattern in (
                (seen, [*seen[:-1], other], "test images of the data set"),
                (self.training("x"), ["train", "--data", other, "--out", "x", *TRAINING], "test images of the data set"),
                (["eval", "--model", "norm/cnn.safetensors", *seen[3:]], ["eval", "--model", "moved.safetensors", *seen[3:]],
                 "running statistics"),
                (seen, [*seen, "--tta", "flip"], "--tta: expected none as on rank 0, found flip"),
                (seen, [*seen, "--split", "train"], "--split: expected test as on rank 0, found train"),
                (seen, [*seen, "--no-fuse"], "--no-fuse: expected not given as on rank 0, found given"),
                (pictures, [*pictures, "--top", "2"], "--top: expected not given as on rank 0, found 2"),
                (pictures, [*pictures, "--tta", "flip"], "--tta: expected none as on rank 0, found flip")):
            with self.subTest(pattern):
                self.differ(first, second, pattern)

    def test_the_rank_that_hangs_is_named_and_not_one_that_waits_for_it(self):
        job = self.launch(3, *self.training("hangs", *LONG, "--rank-timeout", "1"))
        self.wait_for("hangs/cnn.ckpt.safetensors")
        os.kill(ranks_of(job)[2], signal.SIGSTOP)
        _, own = self.finish(job, code=None)
        self.assertEqual(len(own), 1, own)
        self.assertRegex(own[0], r"^cnn-cl: rank 2 on \S+ \(.+\) did not answer within 1 s")

    def test_a_rank_speaks_itself_where_the_first_is_busy(self):
        job = self.launch(2, *self.training("busy", *LONG, "--rank-timeout", "1"))
        self.wait_for("busy/cnn.ckpt.safetensors")
        first = ranks_of(job)[0]
        os.kill(first, signal.SIGSTOP)
        for line in job.stderr:
            if line.startswith("cnn-cl: "):
                break
        self.assertRegex(line, r"^cnn-cl: rank 0 on \S+ \(.+\) did not answer within 1 s")
        os.kill(first, signal.SIGKILL)
        self.finish(job, code=None)

    def test_an_interrupt_at_the_start_is_told_once(self):
        job = self.launch(3, *self.training("early"))
        ranks, ready, end = [], 0, time.time() + 60
        while len(ranks) < 3 or ready < 3:
            self.assertLess(time.time(), end)
            ranks = ranks_of(job)
            masks = [line for pid in ranks for line in read_process(pid, "status").splitlines() if line.startswith("SigCgt")]
            ready = sum(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1 for line in masks)
        for pid in ranks:
            os.kill(pid, signal.SIGINT)
        _, own = self.finish(job, code=None)
        self.assertLessEqual(len(own), 1, own)
        for line in own:
            self.assertRegex(line, "interrupted before training; nothing was saved")

    def test_a_loss_that_is_not_finite_names_its_rank(self):
        _, own = self.finish(self.launch(2, *self.training("nan", "--optimizer", "sgd", "--lr", "1e30")),
                             code=1)
        self.assertEqual(len(own), 1)
        self.assertRegex(own[0], r"rank \d on \S+ \(.+\): the loss is not finite")

    def test_the_bench(self):
        output, own = self.finish(self.launch(2, *self.bench("--json", "--slices", "3", "--trace", "trace.json")))
        self.assertEqual(own, [])
        document = json.loads(output)
        self.check_bench(document, 2, 3)
        self.check_trace("trace.json", document)

    def test_the_bench_with_other_options_is_refused(self):
        command = [LAUNCHER, "-n", "1", CNN_CL, *self.bench(), ":", "-n", "1", CNN_CL, *self.bench("--seed", "5")]
        job = subprocess.Popen(command, cwd=self.folder, env=RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, own = self.finish(job, code=2)
        self.assertEqual(output, "")
        self.assertEqual(len(own), 1, own)
        self.assertRegex(own[0], r"rank 1 on \S+ \(.+\): seed: expected 0 as on rank 0, found 5")

    def test_other_commands_are_refused(self):
        _, own = self.finish(self.launch(2, "params"), code=2)
        self.assertEqual(len(own), 1)
        self.assertRegex(own[0], "params: expected one process, found 2 ranks")
        _, own = self.finish(self.launch(2, "bench", "--tune"), code=2)
        self.assertEqual(len(own), 1)
        self.assertRegex(own[0], "bench --tune: expected one process, found 2 ranks")

    def test_predictions_and_evaluations_are_shared(self):
        for ranks, (arguments, code) in zip((2, 3, 2, 3, 2), self.shared_commands()):
            alone = self.run_command("-q", *arguments, code=code)
            output, own = self.finish(self.launch(ranks, "-q", *arguments), code=code)
            self.assertEqual(output, alone.stdout)
            self.assertEqual(own, alone.stderr.splitlines())

    def test_other_pictures_are_refused(self):
        next(self.shared_commands())
        command = [CNN_CL, "predict", "--model", "model/cnn.safetensors", "own/01.pgm"]
        job = subprocess.Popen([LAUNCHER, "-n", "1", *command, ":", "-n", "1", *command[:-1], "own/02.pgm"],
                               cwd=self.folder, env=RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, own = self.finish(job, code=2)
        self.assertEqual(output, "")
        self.assertRegex(own[0], r"rank 1 on \S+ \(.+\): IMAGE: expected own/01.pgm as on rank 0, found own/02.pgm")


if __name__ == "__main__":
    unittest.main()
