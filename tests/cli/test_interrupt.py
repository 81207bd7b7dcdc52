"""Signals during training, and the progress bar."""
import fcntl
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


class Signals(CommandTest):
    def interrupt(self, number, out):
        """Sends the signal when the first epoch's line has come through the pipe."""
        process = subprocess.Popen([CNN_CL, "train", "--data", self.data, "--out", out, *ENDLESS],
                                   cwd=self.folder, env=environment(), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = []
        while not lines or not lines[-1].startswith("epoch:[1]"):
            lines.append(process.stdout.readline())
            self.assertTrue(lines[-1], "it ended early")
        self.assertTrue(self.exists(out + "/cnn.safetensors"))
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        self.assertNotIn("Done", stdout)
        self.assertFalse(self.exists(out + "/predictions.png"))
        self.assertRegex(stderr, r"(?m)^cnn-cl: interrupted in epoch \d+ \([a-z ]+, step \d+ of \d+\); "
                         rf"to go on: cnn-cl train --resume --out {out}\n\Z")
        self.run_command("eval", "--model", out + "/cnn.safetensors", "--data", self.data)
        return process.returncode

    def test_sigint_saves(self):
        self.assertEqual(self.interrupt(signal.SIGINT, "sigint"), 130)

    def test_sigterm_saves(self):
        self.assertEqual(self.interrupt(signal.SIGTERM, "sigterm"), 143)


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
