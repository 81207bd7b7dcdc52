"""Signals during training, and the progress bar."""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

from support import CNN_CL, TRAINING, CommandTest, environment

ENDLESS = [*TRAINING, "--epochs", "1000000"]


GOES_ON = r"in epoch \d+ \([a-z ]+, step \d+ of \d+\); to go on: cnn-cl train --resume --out "


class Endless(CommandTest):
    def start(self, out, *more, **options):
        return subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", out, *ENDLESS, *more],
                                cwd=self.folder, env=environment(), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def read_until(self, process, start):
        """The lines to the one that starts so."""
        lines = []
        while not lines or not lines[-1].startswith(start):
            lines.append(process.stdout.readline())
            self.assertTrue(lines[-1], "it ended early")
        return lines


class Signals(Endless):
    def interrupt(self, number, out, *again):
        """Sends the signal when the first epoch's line has come through the pipe, and others with pauses before.
        No page and no picture is there then, nor one of an earlier run."""
        process = self.start(out)
        self.read_until(process, "epoch:[1]")
        self.assertTrue(self.exists(out + "/cnn.safetensors"))
        process.send_signal(number)
        for pause, other in again:
            time.sleep(pause)
            process.send_signal(other)
        stdout, stderr = process.communicate(timeout=60)
        self.assertNotIn("Done", stdout)
        self.assertEqual([name for name in os.listdir(f"{self.folder}/{out}") if not name.startswith("cnn.")], [])
        self.assertRegex(stderr, rf"(?m)^cnn-cl: interrupted {GOES_ON}{out}\n\Z")
        self.run_command("eval", "--model", out + "/cnn.safetensors", "--data", self.data)
        return process.returncode

    def test_sigint_saves(self):
        self.train("sigint", "--augment", "shift=1")
        names = {"report.html", "curves.svg", "confusion.png", "filters.png", "predictions.png", "augmented.png"}
        self.assertLessEqual(names, set(os.listdir(self.folder + "/sigint")))
        self.assertEqual(self.interrupt(signal.SIGINT, "sigint"), 130)

    def test_sigterm_saves(self):
        """timeout(1) signals its child, and then the group that it is in."""
        self.assertEqual(self.interrupt(signal.SIGTERM, "sigterm", (0.0005, signal.SIGTERM)), 143)

    def test_sighup_saves(self):
        """A terminal that closes hangs up, and so does its shell."""
        again = [(pause, signal.SIGHUP) for pause in (0.0005, 0.003, 0.02)]
        self.assertEqual(self.interrupt(signal.SIGHUP, "sighup", *again), 129)

    def test_what_was_ignored_stays_so(self):
        """Behind nohup, and in the background of a shell without job control."""
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            ending = signal.SIGTERM if number != signal.SIGTERM else signal.SIGINT
            process = self.start("ignored", preexec_fn=lambda: signal.signal(number, signal.SIG_IGN))
            process.send_signal(number)  # while kernels are built
            self.read_until(process, "epoch:[0]")
            process.send_signal(number)
            self.read_until(process, "epoch:[4]")
            process.send_signal(ending)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + ending)


class Outputs(Endless):
    """Readers that leave, are not there yet, or do not read."""

    def test_a_closed_stdout_ends_with_how_to_go_on(self):
        for more in ([], ["--log-json", "/dev/stdout"]):
            process = self.start("closed", *more)
            self.read_until(process, "epoch:[1]")
            process.stdout.close()
            self.assertEqual(process.wait(timeout=60), 1)
            with process.stderr:
                self.assertRegex(process.stderr.read(),
                                 r"(?m)^cnn-cl: .*cannot be written: Broken pipe.*; to go on: cnn-cl "
                                 r"train --resume --out closed( --log-json /dev/stdout)?\n\Z")
            self.run_command("eval", "--model", "closed/cnn.safetensors", "--data", self.data)

    def end(self, process, code=143):
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code)
        self.assertRegex(stderr, rf"(?m)^cnn-cl: interrupted {GOES_ON}[^\n]*\n\Z")
        return stderr

    def pipe(self, name):
        path = os.path.join(self.folder, name)
        os.mkfifo(path)
        return path

    def test_a_pipe_that_nobody_reads(self):
        process = self.start("unread", "--log-json", self.pipe("unread.pipe"))
        self.read_until(process, "epoch:[1]")
        self.assertRegex(self.end(process), r"unread.pipe: nobody read its last \d+ lines")

    def test_a_reader_that_comes_later_gets_all_lines(self):
        path = self.pipe("late.pipe")
        process = self.start("late", "--log-json", path)
        self.read_until(process, "epoch:[2]")
        with open(path, encoding="utf-8") as reader:
            epochs = [json.loads(reader.readline())["epoch"] for _ in range(8)]
        self.assertEqual(epochs, list(range(-1, 7)))
        self.end(process)

    def test_a_reader_that_does_not_read(self):
        reader = os.open(self.pipe("stuck.pipe"), os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(reader, 1031, 4096)  # F_SETPIPE_SZ: it holds a few lines
        process = self.start("stuck", "--log-json", self.folder + "/stuck.pipe")
        self.read_until(process, "epoch:[30]")
        self.assertIn("nobody read its last", self.end(process))
        os.close(reader)


class Progress(CommandTest):
    def run_on_terminal(self, columns, *more):
        """What a training run writes on a terminal, and how many seconds it took."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        pieces = []

        def read():
            try:
                while data := os.read(master, 4096):
                    pieces.append(data)
            except OSError:
                pass  # the other end is closed

        started = time.monotonic()
        process = subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", "terminal",
                                    *TRAINING, "--epochs", "300", *more], cwd=self.folder,
                                   env=environment(TERM="xterm"), stdout=subprocess.DEVNULL,
                                   stderr=slave)
        os.close(slave)
        reader = threading.Thread(target=read)
        reader.start()
        self.assertEqual(process.wait(timeout=300), 0)
        seconds = time.monotonic() - started
        reader.join()
        os.close(master)
        return b"".join(pieces).decode(), seconds

    def test_shows_epoch_steps_speed_and_time(self):
        text, seconds = self.run_on_terminal(100)
        bars = re.findall(r"\r\x1b\[K([^\r\n]+)", text)
        bars = [bar for bar in bars if "images/s" in bar]
        self.assertTrue(bars)
        self.assertTrue(any(re.fullmatch(
            r"epoch:\[\d+\] train \[[#.]+\] \d+/7(  loss:\[\d+\.\d{3}\])?  \d+ images/s  \d+:\d\d left", bar)
            for bar in bars), bars[:5])
        self.assertLessEqual(len(bars), seconds * 10 + 1)
        self.assertRegex(text, r"\r\x1b\[Kmodel saved in [^\r\n]+\r\n")

    def test_fits_a_narrow_terminal(self):
        text, _ = self.run_on_terminal(30)
        bars = [bar for bar in re.findall(r"\r\x1b\[K([^\r\n\x1b]+)", text) if "/7" in bar]
        self.assertTrue(bars)
        self.assertLess(max(map(len, bars)), 30)

    def test_is_silenced(self):
        self.assertEqual(self.run_on_terminal(80, "-q")[0], "")

    def test_is_for_terminals_only(self):
        self.assertNotIn("images/s", self.train("pipe").stderr)


if __name__ == "__main__":
    unittest.main()
