"""kill_rounds.py [ROUNDS [SEED]] [--ranks]: training is killed (SIGKILL) at random moments and goes on, over and over.
With --ranks it is one rank of two or three that is killed, which ends the others, and it goes on with another number.

After each kill there is a whole checkpoint once one was saved, every file is whole, and each run that
comes to its end ends with the weights, the best model, the metrics and the lines of one that was
never killed. CNN_TEST_COMMAND is the command.
"""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import checkpoints
import launcher
from support import CNN_CL, NETWORK, environment, make_data, read_safetensors

OPTIONS = [*NETWORK, "--batchnorm", "--epochs", "12", "--batch", "16", "--lr", "1e-2", "--val-split",
           "0.2", "--checkpoint-steps", "4"]
LONGEST = 0.9  # seconds from the first word of a run to its end by SIGKILL


class Killer:
    options = OPTIONS

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="cnn-cl-kill-")
        make_data(self.folder + "/data")
        self.kills = self.ends = self.saved = 0

    def command(self, out):
        return [CNN_CL, "train", "--data", "data", "--out", out, *self.options]

    def run_whole(self):
        """What an uninterrupted run ends with, and its lines."""
        done = subprocess.run(self.command("whole"), cwd=self.folder, env=environment(),
                              capture_output=True, text=True, timeout=300, check=True)
        return checkpoints.result(self.folder + "/whole"), done.stdout.splitlines()

    def start(self, command):
        return subprocess.Popen(command, cwd=self.folder, env=environment(), text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def kill(self, process):
        process.kill()

    def check_end(self, code, errors):
        assert code in (0, -9), f"{code}: {errors}"

    def run_piece(self, lines, seconds):
        """One process, killed unless it ends before; says whether it came to its end."""
        process = self.start([*self.command("killed"), "--resume"])
        try:
            for line in process.stderr:  # kernels are ready: from here on it is about training
                if line.startswith("training takes"):
                    break
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill(process)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
        self.check_end(process.returncode, stderr)
        for line in stdout.splitlines():
            assert line in lines, f"'{line}' is no line of the whole run"
        return process.returncode == 0

    def check_files(self):
        folder = self.folder + "/killed"
        names = os.listdir(folder) if os.path.isdir(folder) else []
        good = [name for name in ("cnn.ckpt.safetensors", "cnn.ckpt.prev.safetensors")
                if name in names]
        for name in good:
            assert checkpoints.is_whole(os.path.join(folder, name)), f"{name} is damaged"
        assert good or not self.saved, "the checkpoint is gone"
        self.saved = max(self.saved, len(good))
        for name in ("cnn.safetensors", "cnn.best.safetensors"):
            if name in names:
                read_safetensors(os.path.join(folder, name))
        assert sum(name.endswith(".tmp") for name in names) <= 2, f"left behind: {names}"

    def run(self, rounds):
        expected, lines = self.run_whole()
        while self.kills < rounds:
            if not self.run_piece(lines, self.random.uniform(0, LONGEST)):
                self.kills += 1
                self.check_files()
                continue
            self.ends += 1
            assert checkpoints.result(self.folder + "/killed") == expected, "it ended otherwise"
            shutil.rmtree(self.folder + "/killed")
            self.saved = 0
        assert self.run_piece(lines, 300), "the last run was too slow"
        assert checkpoints.result(self.folder + "/killed") == expected, "it ended otherwise"
        print(f"{self.kills} kills, {self.ends + 1} runs ended, all alike")


class RankKiller(Killer):
    """A rank dies, the first or another; the others end with a line that names it, unless it is the first that says so."""
    options = [*OPTIONS, "--slices", "3"]

    def start(self, command):
        self.ranks = self.random.choice((2, 3))
        return subprocess.Popen([launcher.LAUNCHER, "-n", str(self.ranks), *command], cwd=self.folder, env=launcher.RUN,
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kill(self, process):
        self.victim = self.random.randrange(self.ranks)
        ranks = launcher.ranks_of(process)
        if self.victim < len(ranks):
            os.kill(ranks[self.victim], signal.SIGKILL)
        process.wait(60)

    def check_end(self, code, errors):
        own = [line for line in errors.splitlines() if line.startswith("cnn-cl: ")]
        assert code in (0, 1, 137), f"{code}: {errors}"
        assert len(own) <= 1, own
        if code != 0 and own:
            # Behind the training the launcher is the one that ends the first rank.
            assert re.match(rf"cnn-cl: (rank {self.victim} on .* died: |interrupted after training; the model is saved)",
                            own[0]), own


def main():
    words = [word for word in sys.argv[1:] if word != "--ranks"]
    with_ranks = len(words) < len(sys.argv) - 1
    if with_ranks and not (launcher.LAUNCHER and launcher.HAS_MPI):
        print("no MPI here")
        sys.exit(77)
    rounds = int(words[0]) if words else 200
    seed = int(words[1]) if len(words) > 1 else random.randrange(1 << 32)
    print(f"{rounds} rounds of seed {seed}", flush=True)
    killer = RankKiller(seed) if with_ranks else Killer(seed)
    killer.run(rounds)
    shutil.rmtree(killer.folder)


if __name__ == "__main__":
    main()
