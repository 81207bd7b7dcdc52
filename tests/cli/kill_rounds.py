"""kill_rounds.py [ROUNDS [SEED]]: training is killed (SIGKILL) at random moments and goes on, over and over.

After each kill there is a whole checkpoint once one was saved, every file is whole, and each run that
comes to its end ends with the weights, the best model, the metrics and the lines of one that was
never killed. CNN_TEST_COMMAND is the command.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

import checkpoints
from support import CNN_CL, NETWORK, environment, make_data, read_safetensors

OPTIONS = [*NETWORK, "--batchnorm", "--epochs", "12", "--batch", "16", "--lr", "1e-2", "--val-split",
           "0.2", "--checkpoint-steps", "4"]
LONGEST = 0.9  # seconds from the first word of a run to its end by SIGKILL


class Killer:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.folder = tempfile.mkdtemp(prefix="cnn-cl-kill-")
        make_data(self.folder + "/data")
        self.kills = self.ends = self.saved = 0

    def command(self, out):
        return [CNN_CL, "train", "--data", "data", "--out", out, *OPTIONS]

    def run_whole(self):
        """What an uninterrupted run ends with, and its lines."""
        done = subprocess.run(self.command("whole"), cwd=self.folder, env=environment(),
                              capture_output=True, text=True, timeout=300, check=True)
        return checkpoints.result(self.folder + "/whole"), done.stdout.splitlines()

    def run_piece(self, lines, seconds):
        """One process, killed unless it ends before; says whether it came to its end."""
        process = subprocess.Popen([*self.command("killed"), "--resume"], cwd=self.folder,
                                   env=environment(), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        try:
            for line in process.stderr:  # kernels are ready: from here on it is about training
                if line.startswith("training takes"):
                    break
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
            stdout, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode in (0, -9), f"{process.returncode}: {stderr}"
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


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    print(f"{rounds} rounds of seed {seed}", flush=True)
    killer = Killer(seed)
    killer.run(rounds)
    shutil.rmtree(killer.folder)


if __name__ == "__main__":
    main()
