"""bench --tune: ended by Ctrl-C, gone on with, used, and without a folder to keep it."""
import json
import os
import re
import signal
import subprocess
import unittest

from support import CNN_CL, CommandTest, environment

TUNE = ["bench", "--tune", "--no-fuse", "--xdim", "1,4,4", "--cdims", "none", "--hdims", "8",
        "--batch", "8"]


class Tune(CommandTest):
    def tune(self, *more, cache="cache"):
        """Interrupts the search behind its first trial: stdout, and all that stderr said."""
        process = subprocess.Popen([CNN_CL, *TUNE, *more], cwd=self.folder, text=True,
                                   env=environment(CNN_CL_CACHE_DIR=cache),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = []
        while not said or not said[-1].startswith("["):
            said.append(process.stderr.readline())
            self.assertTrue(said[-1], "it ended early")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130, stderr)
        return stdout, "".join(said) + stderr

    def test_ends_and_goes_on(self):
        text, said = self.tune()
        self.assertRegex(said, r"(?m)^\[1\] Xgemm GEMMK=\d+ .*: \d+\.\d GFLOP/s, best \d+\.\d$")
        self.assertTrue(said.endswith("cnn-cl: interrupted; the same command goes on with the "
                                      "search\n"))
        self.assertRegex(text, r"(?m)^ +m +n +k transposed +before +after +gain$")
        self.assertEqual(len(re.findall(r"(?m)^ +8 +\d+ +\d+ (?:none|first|second) ", text)), 4)
        self.assertRegex(text, r"(?m)^all .*x$")
        tried = int(re.search(r"(\d+) sets of parameters tried, \1 of them now", text).group(1))
        place = re.search(r"Tuning \S+ is in (\S+\.json)\.", text)
        self.assertTrue(self.exists(place.group(1)))
        self.assertEqual(os.listdir(self.folder + "/cache"), [os.path.basename(place.group(1))])

        document, said = self.tune("--json")
        document = json.loads(document)
        self.assertIn(f"going on behind {tried} sets", said)
        self.assertRegex(said, rf"(?m)^\[{tried + 1}\] ")
        self.assertEqual(document["trials"], tried + document["new_trials"])
        self.assertEqual((document["complete"], document["saved"]), (False, True))
        self.assertEqual(len(document["rows"]), 5)

        # What was found serves the next command, and a damaged file does not harm it.
        run = [*TUNE[:1], *TUNE[2:], "--steps", "2", "-v"]
        cache = environment(CNN_CL_CACHE_DIR="cache")
        result = self.run_command(*run, env=cache)
        self.assertIn("matrix products are tuned: " + document["fingerprint"], result.stderr)
        with open(os.path.join(self.folder, place.group(1)), "a", encoding="utf-8") as file:
            file.write("{")
        result = self.run_command(*run, env=cache)
        self.assertEqual(result.stderr.count("warning"), 1)
        self.assertRegex(result.stderr, r"(?m)^cnn-cl: warning: cache/tuning-\w+\.json is left "
                                        r"aside: it is damaged; remove it")

    def test_cache_that_cannot_be_written(self):
        text, _ = self.tune(cache="/proc/no-such-folder")
        self.assertRegex(text, r"It is not kept: /proc/no-such-folder/tuning-\w+\.json cannot be "
                               r"written; set CNN_CL_CACHE_DIR\.")

    def test_nothing_to_tune(self):
        result = self.run_command("bench", "--tune", "--xdim", "1,4,4", "--cdims", "none")
        self.assertIn("Nothing to tune: ", result.stdout)
        self.assertNotIn("[1]", result.stderr)


if __name__ == "__main__":
    unittest.main()
