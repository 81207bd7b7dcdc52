"""scripts/bench.py and its likes with stand-ins for both sides: turns, ratios, the page that it writes."""
import json
import os
import re
import shutil
import subprocess
import sys
import unittest

from tools import NAMES, SCRIPTS, ScriptCase

OURS = {"device": "cpu", "platform": "pocl", "driver": "3.1", "train_ms_per_step": 10.0,
        "eval_ms_per_batch": 4.0, "peak_rss_mb": 100.0}
TORCH = {"nchw": {"torch": "9.9", "train_ms_per_step": 95.0, "eval_ms_per_batch": 20.0, "peak_rss_mb": 400.0},
         "channels_last": {"torch": "9.9", "train_ms_per_step": 75.0, "eval_ms_per_batch": 10.0,
                           "peak_rss_mb": 350.0}}


class Bench(ScriptCase):
    def setUp(self):
        super().setUp()
        os.makedirs(self.path("tree", "scripts"))
        shutil.copy(os.path.join(SCRIPTS, "bench.py"), self.path("tree", "scripts"))
        log = self.path("log")
        self.program("tree/build/tests/bench_step", log, f"print({json.dumps(json.dumps(OURS))})")
        self.program("tree/build/src/cli/cnn-cl", log, "print('Done')")
        # The stand-in of Python answers for bench_torch.py and claims to have PyTorch.
        self.program("python", log, f"""
if "-c" not in sys.argv:
    print({TORCH!r}[sys.argv[sys.argv.index("--layout") + 1]].__repr__().replace("'", '"'))""")

    def program(self, relative, log, body):
        """A program that logs its name and options."""
        self.write(relative, f"#!{sys.executable}\nimport os, sys\n"
                   f"with open({log!r}, 'a') as log:\n    print(*sys.argv, file=log)\n{body}\n",
                   executable=True)

    def bench(self, *arguments):
        result = self.run_script(sys.executable, self.path("tree", "scripts", "bench.py"),
                                 "--python", self.path("python"), *arguments)
        with open(self.path("log"), encoding="utf-8") as log:
            self.log = [line for line in log.read().splitlines() if " -c " not in line]
        return result

    def test_measures_in_turn_and_divides(self):
        result = self.bench("--only", "ksize5", "--rounds", "2", "--threads", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("| training step, `--ksize 5`, ms | 10.00 | 95.00 | 75.00 | 9.50x | 7.50x |", result.stdout)
        self.assertIn("| evaluation of a batch, `--ksize 5`, ms | 4.00 | 20.00 | 10.00 | 5.00x | 2.50x |",
                      result.stdout)
        self.assertIn("PyTorch 9.9, 1 threads", result.stdout)
        self.assertIn("pocl, cpu, driver 3.1", result.stdout)
        layouts = [line.split("--layout ")[1].split()[0] if "--layout" in line else "ours" for line in self.log]
        self.assertEqual(layouts, ["ours", "nchw", "channels_last"] * 2)
        self.assertTrue(all("--ksize 5" in line for line in self.log), self.log)

    def test_measures_a_second_pytorch(self):
        self.write("newer", self.read("python").replace("9.9", "12.1"), executable=True)
        result = self.bench("--only", "mlp", "--rounds", "1", "--newer-python", self.path("newer"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("| notebook's loop, 9.9 | PyTorch at its best, 9.9 | notebook's loop, 12.1 | ", result.stdout)
        self.assertIn("ms | 10.00 | 95.00 | 75.00 | 95.00 | 75.00 | 9.50x | 7.50x | 9.50x | 7.50x |", result.stdout)
        self.assertIn("PyTorch 9.9 and 12.1,", result.stdout)
        self.assertNotIn(self.path("newer"), result.stdout)
        self.assertEqual([self.path("newer") in line for line in self.log], [False] * 3 + [True] * 2)

    def test_measures_how_the_cost_grows(self):
        page = self.path("page.md")
        result = self.bench("--rounds", "1", "--output", page)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("| training, batch (64 at 1x) | 10.00 | 10.00 | 10.00 | 10.00 | 1.0 | 8.0 |", result.stdout)
        self.assertIn("| evaluation, a pass over images (2,560 at 1x) | 40.00 | 80.00 | 160.00 | 320.00 | 8.0 | 8.0 |",
                      result.stdout)
        for width in [16, 32, 64, 128]:
            self.assertTrue(any(f"--cdims {width},{width} --dropout 0" in line for line in self.log), width)
        self.assertIn("| training, channels", self.read(page))

    def test_measures_the_job_where_mnist_is(self):
        for name in NAMES:
            self.write(os.path.join("data", name), "")
        result = self.bench("--only", "job", "--quick", "--data", self.path("data"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"\| the whole main job, 1 epochs, seconds \| \d+\.\d \|")
        self.assertIn("train --epochs 1 --data", self.log[0])

    def test_replaces_its_part_of_the_page(self):
        page = self.write("page.md", "# Mine\n\n<!-- bench.sh begins -->\nold\n<!-- bench.sh ends -->\n\nafter\n")
        self.bench("--only", "mlp", "--quick", "--output", page)
        with open(page, encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.startswith("# Mine\n\n<!-- bench.sh begins -->\n- date: "), text)
        self.assertTrue(text.endswith("|\n<!-- bench.sh ends -->\n\nafter\n"), text)
        self.assertNotIn("old", text)

    def test_a_side_that_fails_is_told(self):
        self.write("tree/build/tests/bench_step", "#!/bin/sh\necho no device >&2\nexit 1\n")
        result = self.bench("--only", "mlp", "--quick")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no device", result.stderr)
        self.assertIn("ms | - | 95.00 | 75.00 | - | - |", result.stdout)

    def test_refuses_values_out_of_range(self):
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "bench.py"), "--rounds", "0")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--rounds: expected 1 or more, found 0", result.stderr)


class FineTuning(ScriptCase):
    """bench_finetune.py with stand-ins: what each side is asked for, and the table."""

    def stand_in(self, name, body):
        self.write(name, f"#!{sys.executable}\nimport sys\n{body}\n", executable=True)
        return self.path(name)

    def bench(self, *arguments):
        return self.run_script(sys.executable, os.path.join(SCRIPTS, "bench_finetune.py"), *arguments)

    def test_a_folder_that_is_none(self):
        os.makedirs(self.path("photos", "train"))
        result = self.bench(self.path("photos"))
        self.assertEqual(result.returncode, 2)
        self.assertIn("expected a folder with train and val, found no val in ", result.stderr)

    def test_both_sides_and_the_table(self):
        for split in ("train", "val"):
            os.makedirs(self.path("photos", split))
        self.stand_in("build/src/cli/cnn-cl", """
import time
if "--optimizer sgd" in " ".join(sys.argv):
    time.sleep(0.2 * int(sys.argv[sys.argv.index("--epochs") + 1]))
if sys.argv[1] == "train":
    print("epoch:[6] loss:[0.1] train_accr:[0.9] val_accr:[0.911].")
    print("epoch:[7] loss:[0.1] train_accr:[0.9] val_accr:[0.9" + ("50" if "--no-cache" in sys.argv else "41") + "].")
    print("Done")""")
        python = self.stand_in("python", """
if sys.argv[1] != "-c":
    print("Loaded weights")
    print('{"val_accuracy": 0.93, "seconds": 40.0, "processor": 70.0, "peak_rss_mb": 900}')
else:
    print("/weights.pth")""")
        result = self.bench(self.path("photos"), "--build", self.path("build"), "--python", python, "--rounds", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        seconds = re.search(r"\| cnn-cl, the tutorial's loop, pictures decoded before, 25 times one epoch \| (\d+\.\d) \| ", result.stdout)
        self.assertTrue(seconds, result.stdout)
        self.assertTrue(2.0 < float(seconds[1]) < 50.0, seconds[1])  # of 0.2 s
        for pattern in (r"\| cnn-cl, pictures decoded before \| .* \| 0\.941 \| 1\.0x \| 1\.0x \|",
                        r"\| cnn-cl, decoding them \| .* \| 0\.950 \| ", r"\| PyTorch, features once \| .* \| 0\.930 \| ",
                        r"\| PyTorch's tutorial, 25 times one epoch \| 1000\.0 \| 1750\.0 \| 900 \| - \| "):
            self.assertRegex(result.stdout, pattern)


class Ranks(ScriptCase):
    """bench_ranks.py with stand-ins: what is started, and what is judged."""

    def bench(self, speeds, *arguments):
        """speeds: images/s of one rank of one thread, of two ranks, of one program of two threads."""
        self.write("build/src/cli/cnn-cl", f"""#!{sys.executable}
import json, os, sys
two = "RANKS" in os.environ
threads = os.environ["POCL_MAX_PTHREAD_COUNT"]
with open({self.path("log")!r}, "a") as log:
    print("ranks" if two else threads, *sys.argv[1:], file=log)
print(json.dumps({{"images_per_second": {speeds!r}[1 if two else 0 if threads == "1" else 2],
                  "exposed_share": 0.04 if two else 0.0}}))""", executable=True)
        self.command("mpirun", 'shift 2\nRANKS=2 exec "$@"')
        self.link_commands("python3")
        return self.run_script(sys.executable, os.path.join(SCRIPTS, "bench_ranks.py"), "--build", self.path("build"),
                               *arguments, PATH=self.bin)

    def test_what_is_started_and_judged(self):
        page = self.write("page.md", "# Mine\n\n<!-- bench.sh ranks begins -->\nold\n<!-- bench.sh ranks ends -->\n\nafter\n")
        result = self.bench((100, 185, 200), "--rounds", "2", "--steps", "7", "--output", page)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("| the notebook's, 256 | 100 | 185 | 200 | 200 |", result.stdout)
        for line in ("1.9x of one rank, or 95% of two programs | 1.85x, 92.5% | no |",
                     "at most 3% slower than one program of two threads | +8.1% | no |",
                     "exposed communication below 5% of a step | 4.0% | yes |"):
            self.assertIn(line, result.stdout)
        one, ranks = "--json --batch 256 --steps 7 --slices 1", "--json --batch 512 --steps 7"
        round_of = [f"1 bench {one}", f"ranks bench {ranks}", f"1 bench {one}", f"1 bench {one}", f"2 bench {ranks} --slices 1"]
        self.assertEqual(self.read("log").splitlines()[:10], 2 * round_of)
        self.assertEqual(sum("--net resnet20 --batch 128" in line for line in self.read("log").splitlines()), 6)
        text = self.read("page.md")
        self.assertTrue(text.startswith("# Mine\n\n<!-- bench.sh ranks begins -->\n20"), text)
        self.assertTrue(text.endswith("|\n<!-- bench.sh ranks ends -->\n\nafter\n"), text)

    def test_enough(self):
        result = self.bench((100, 193, 195), "--rounds", "1")
        self.assertIn("| 1.93x, 96.5% | yes |", result.stdout)
        self.assertIn("| +1.0% | yes |", result.stdout)

    def test_without_a_launcher(self):
        result = self.run_script(sys.executable, os.path.join(SCRIPTS, "bench_ranks.py"), PATH=self.bin)
        self.assertEqual(result.returncode, 1)
        self.assertIn("expected mpirun, found none: run scripts/setup.sh --mpi", result.stderr)


class Hosts(ScriptCase):
    """bench_hosts.py with stand-ins: what hosts are made of, what is started on them, the model beside it."""

    def setUp(self):
        super().setUp()
        self.link_commands("python3", "sleep", "sh")

    def bench(self, *arguments, ip='echo ip "$@" >> "$LOG"\nshift 3\ncase $1 in mpirun) exec "$@" ;; esac'):
        self.write("build/tests/slow_link", '#!/bin/sh\necho link "$@" >> "$LOG"\necho ready\nexec sleep 600\n', executable=True)
        self.write("build/tests/rank_sums", '#!/bin/sh\necho "2 ranks, $1 floats: median $(($1 / 10000)).500 ms, least 1 ms"\n',
                   executable=True)
        self.write("build/src/cli/cnn-cl", f"""#!{sys.executable}
import json
print(json.dumps({{"milliseconds": 20.0, "exposed_milliseconds": 2.0, "exposed_share": 0.1, "bytes": 500000}}))""", executable=True)
        self.command("ip", ip)
        self.command("unshare", "exit 0")
        self.command("mpirun", 'while [ "${1#/}" = "$1" ] || [ "${1%agent}" != "$1" ]; do shift; done\nexec "$@"')
        self.write("log", "")
        return self.run_script(sys.executable, os.path.join(SCRIPTS, "bench_hosts.py"), "--build", self.path("build"), "--rounds", "1",
                               *arguments, PATH=self.bin, LOG=self.path("log"))

    def test_model(self):
        page = self.write("page.md", "# Mine\n")
        result = self.bench("--links", "1000:200", "--hosts", "4", "--output", page)
        self.assertEqual(result.returncode, 0, result.stderr)
        # 6 messages: of 120 KB (0.96 ms) and 0.23 ms; of 2 MB (16 ms) and 0.23 ms
        self.assertIn("| no limit, 0 ms | 12.5 | - | 200.5 | - |", result.stdout)
        self.assertIn("| 1 Gbit/s, 0.2 ms | 12.5 | 7.1 | 200.5 | 97.4 |", result.stdout)
        # 18 ms and 6 of 125 KB (1 ms)
        self.assertIn("| 1 Gbit/s, 0.2 ms | the notebook's, 256 | 20.0 | 19.4 | 25.4 | 10.0% |", result.stdout)
        self.assertIn("<!-- bench.sh hosts begins -->\n20", self.read("page.md"))
        log = self.read("log").splitlines()
        links = [re.sub(r"cnn\d+-", "", line) for line in log if line.startswith("link")]
        self.assertEqual(links, ["link 0 0 1 2 3 4", "link 1000 200 1 2 3 4"])
        self.assertEqual(sum(" netns add " in line for line in log), 8)
        self.assertEqual(sum(" netns del " in line for line in log), 8)
        self.assertTrue(any("--batch 1024" in line and "mpirun --host 10.213.0.1,10.213.0.2,10.213.0.3,10.213.0.4 -n 4" in line
                            for line in log), log)

    def test_settings_of_mpi(self):
        result = self.bench("--links", "1000:200", "--mca", "btl_tcp_eager_limit=9000000")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("--mca btl_tcp_eager_limit 9000000", self.read("log"))

    def test_what_is_refused(self):
        for arguments, message in ((["--hosts", "1"], "--hosts: expected 2 to 16, found 1"),
                                   (["--links", "fast"], "--links: expected MBIT:MICROSECONDS,..., found 'fast'"),
                                   (["--mca", "x"], "--mca: expected NAME=VALUE, found 'x'")):
            result = self.bench(*arguments)
            self.assertEqual(result.returncode, 2)
            self.assertIn(message, result.stderr)
        result = self.bench(ip='echo "ip: not permitted" >&2\nexit 1')
        self.assertEqual(result.returncode, 1)
        self.assertIn("bench_hosts.py: ip netns add cnn-cl-", result.stderr)
        self.assertIn("ip: not permitted", result.stderr)


@unittest.skipUnless(os.geteuid() == 0 and os.access("/dev/net/tun", os.W_OK) and shutil.which("ip"), "root makes hosts")
class Link(unittest.TestCase):
    """tests/slow_link between two namespaces: bytes and the delay take their time."""

    ECHO = """import socket
listener = socket.create_server(("0.0.0.0", 7007))
print("ready", flush=True)
link, _ = listener.accept()
link.sendall(link.recv(1))
count = 0
while count < 1000000:
    count += len(link.recv(65536))
link.sendall(b"!")"""
    CALL = """import socket, sys, time
link = socket.create_connection(("10.214.0.2", 7007), timeout=60)
times = [time.monotonic()]
for data in (b"?", bytes(1000000)):
    link.sendall(data)
    assert link.recv(1)
    times.append(time.monotonic())
print(times[1] - times[0], times[2] - times[1])"""

    def test_times(self):
        program = os.path.join(os.environ["CNN_TEST_BUILD_DIR"], "tests", "slow_link")
        names = [f"cnn-cl-t{os.getpid()}-{i}" for i in (1, 2)]
        devices = [f"ct{os.getpid()}-{i}" for i in (1, 2)]
        link = subprocess.Popen([program, "80", "20000", *devices], stdout=subprocess.PIPE, text=True)
        self.addCleanup(link.stdout.close)
        self.addCleanup(link.wait)
        self.addCleanup(link.terminate)
        if link.stdout.readline() != "ready\n":
            self.skipTest("no TUN devices here")
        for i, name in enumerate(names):
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
            if made.returncode:
                self.skipTest(made.stderr.strip())
            self.addCleanup(subprocess.run, ["ip", "netns", "del", name], check=False)
            for words in (["link", "set", devices[i], "netns", name], ["-n", name, "addr", "add", f"10.214.0.{i + 1}/24", "dev", devices[i]],
                          ["-n", name, "link", "set", devices[i], "up"]):
                subprocess.run(["ip", *words], check=True)
        echo = subprocess.Popen(["ip", "netns", "exec", names[1], sys.executable, "-c", self.ECHO], stdout=subprocess.PIPE, text=True)
        self.addCleanup(echo.stdout.close)
        self.addCleanup(echo.wait)
        self.addCleanup(echo.kill)
        self.assertEqual(echo.stdout.readline(), "ready\n")
        said = subprocess.run(["ip", "netns", "exec", names[0], sys.executable, "-c", self.CALL], capture_output=True, text=True,
                              check=True, timeout=120).stdout
        there_and_back, million = map(float, said.split())
        self.assertTrue(0.04 <= there_and_back < 1.0, said)  # two delays
        self.assertTrue(0.14 <= million < 5.0, said)  # 100 ms of bytes, and two delays


if __name__ == "__main__":
    unittest.main()
