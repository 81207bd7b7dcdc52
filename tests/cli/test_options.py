"""The command line itself: help, places of options, everything that is wrong on its face."""
import os
import subprocess
import tempfile
import unittest

from support import CNN_CL, CommandTest, environment

COMMANDS = {
    "doctor": "all batch json name xdim ksize cdims hdims ydim batchnorm dropout",
    "train": "data size fit normalize skip-broken no-cache labels out init freeze lr-scale whiten recompute epochs lr print-every val-split early-stop checkpoint-every "
             "checkpoint-steps resume resume-from log-json stream no-clobber trust-device batch "
             "micro-batch slices rank-timeout no-fuse model name xdim ksize cdims hdims ydim batchnorm dropout",
    "eval": "data size fit normalize skip-broken no-cache labels val-split split tta rank-timeout batch no-fuse json model xdim cdims",
    "predict": "data size fit normalize skip-broken no-cache labels val-split samples grid top show digits no-preprocess tta rank-timeout no-fuse json model xdim cdims",
    "params": "plan augment batch micro-batch slices no-fuse model xdim cdims",
    "forward": "no-fuse model xdim cdims",
    "bench": "steps eval trace tune augment batch slices rank-timeout no-fuse json model name xdim ksize cdims hdims ydim batchnorm "
             "dropout",
    "export": "format model name xdim ksize cdims hdims ydim batchnorm dropout",
    "import": "digits fit name xdim dropout normalize mean std",
    "report": "data size fit normalize skip-broken no-cache labels val-split no-bench model name",
    "serve": "digits no-preprocess port host no-fuse model",
}

COMMANDS["train"] += (" optimizer schedule warmup fixed-momentum momentum nesterov weight-decay decay-all"
                      " clip-norm label-smoothing class-weights ema augment views recipe sentinel")

# What is refused, and what the message says.
WRONG = [
    ("", "a command is missing: see 'cnn-cl --help'"),
    ("frobnicate", "unknown command 'frobnicate': see 'cnn-cl --help'"),
    ("server", "unknown command 'server'"),
    ("train extra", "stray argument 'extra' after the command train: see 'cnn-cl train --help'"),
    ("train -- extra", "stray argument 'extra'"),
    ("--no-such-option", "option '--no-such-option': see 'cnn-cl --help'"),
    ("eval --no-such-option", "option '--no-such-option': see 'cnn-cl eval --help'"),
    ("eval --no-such=3", "option '--no-such=3'"),
    ("-z", "unknown option '-z'"),
    ("train --lr", "--lr: a value is missing: give RATE"),
    ("train --stream=yes", "--stream takes no value, found '--stream=yes'"),
    ("--epochs 3", "--epochs needs a command"),
    ("--json", "--json needs a command"),
    ("--list-devices train", "--list-devices is no option of the command train"),
    ("train --samples 3", "--samples is no option of the command train: see 'cnn-cl train --help'"),
    ("params --json", "--json is no option of the command params"),
    ("forward --data x", "--data is no option of the command forward"),
    ("bench --data x", "--data is no option of the command bench"),
    ("bench --epochs 3", "--epochs is no option of the command bench"),
    ("train --trace x", "--trace is no option of the command train"),
    ("doctor --data x", "--data is no option of the command doctor"),
    ("train --micro-batch 0", "--micro-batch: expected an integer of 1 to 1000000, found '0'"),
    ("train --micro-batch 257", "--micro-batch: expected at most 256, .*--batch.*found 257"),
    ("params --batch 4", "--batch: expected --plan with it, without which it does nothing"),
    ("params --micro-batch 4", "--micro-batch: expected --plan with it"),
    ("params --no-fuse", "--no-fuse: expected --plan with it"),
    ("params --augment flip", "--augment: expected --plan with it"),
    ("bench --eval --augment flip", "--augment and --eval exclude each other"),
    ("bench --tune --augment flip", "--tune and --augment exclude each other"),
    ("params --slices 2", "--slices: expected --plan with it"),
    ("train --recompute", "--recompute: expected --freeze with it, without which it does nothing"),
    ("params --plan --batch 4 --micro-batch 5", "--micro-batch: expected at most 4, .*found 5"),
    ("train --freeze=", "--freeze: expected patterns of layers' names with commas between them, found ''"),
    ("train --micro-batch 8 --batchnorm", "--micro-batch and --batchnorm exclude each other"),
    ("train --slices 0", "--slices: expected an integer of 1 to 1000000, found '0'"),
    ("train --slices 257", "--slices: expected at most 256, .*--batch.*found 257"),
    ("params --plan --batch 4 --slices 5", "--slices: expected at most 4, .*found 5"),
    ("train --slices 2 --micro-batch 8", "--slices and --micro-batch exclude each other"),
    ("train --rank-timeout 0", "--rank-timeout: expected an integer of 1 to 1000000, found '0'"),
    ("eval --slices 8", "--slices is no option of the command eval"),
    ("eval --micro-batch 8", "--micro-batch is no option of the command eval"),
    ("doctor --batch 0", "--batch: expected .*, found '0'"),
    ("bench --all", "--all is no option of the command bench"),
    ("bench --steps 0", "--steps: expected an integer of 1 to 1000000, found '0'"),
    ("bench --steps few", "--steps: expected .*, found 'few'"),
    ("bench --batch 0", "--batch: expected .*, found '0'"),
    ("bench --trace=", "--trace: expected a path, found ''"),
    ("report", "report: expected RUN_DIR, found 0 of 1: see 'cnn-cl report --help'"),
    ("report a b", "stray argument 'b' after the command report"),
    ("report a --name .x", "--name: expected a name of letters.*found '.x'"),
    ("report a --seed x", "--seed: expected"),
    ("report a --ksize 3", "--ksize is no option of the command report"),
    ("eval --no-bench", "--no-bench is no option of the command eval"),
    ("bench --eval=yes", "--eval takes no value"),
    ("bench --model x --ksize 3", "--ksize and --model exclude each other"),
    ("bench --tune --trace x", "--tune and --trace exclude each other"),
    ("bench --tune --eval", "--tune and --eval exclude each other"),
    ("bench --tune --steps 3", "--tune and --steps exclude each other"),
    ("train --tune", "--tune is no option of the command train"),
    ("train --model x --ksize 3", "--ksize and --model exclude each other"),
    ("train --model x --resume", "--model and --resume exclude each other"),
    ("train --model x --resume-from y", "--model and --resume exclude each other"),
    ("train --resume --no-clobber", "--resume and --no-clobber exclude each other"),
    ("train --early-stop 3", "--early-stop needs --val-split"),
    ("train --early-stop 0", "--early-stop: expected an integer of 1 to 1000000, found '0'"),
    ("train --val-split 0", "--val-split: expected a number between 0 and 1, found '0'"),
    ("train --val-split 1", "--val-split: expected .*, found '1'"),
    ("train --val-split nan", "--val-split: expected .*, found 'nan'"),
    ("train --val-split 0.1x", "--val-split: expected .*, found '0.1x'"),
    ("train --checkpoint-every -1", "--checkpoint-every: expected an integer of 0 to 1000000"),
    ("train --checkpoint-steps x", "--checkpoint-steps: expected .*, found 'x'"),
    ("train --sentinel -1", "--sentinel: expected an integer of 0 to 1000000, found '-1'"),
    ("eval --sentinel 5", "--sentinel is no option of the command eval"),
    ("train --resume-from=", "--resume-from: expected a path, found ''"),
    ("train --log-json=", "--log-json: expected a path, found ''"),
    ("eval --resume", "--resume is no option of the command eval"),
    ("params -q -v", "--quiet and --verbose exclude each other"),
    ("eval --model x --ksize 3", "--ksize and --model exclude each other.*leave --ksize out"),
    ("params --model x --batchnorm", "--batchnorm and --model exclude each other"),
    ("export", "export: expected OUT, found 0 of 1: see 'cnn-cl export --help'"),
    ("export a.onnx b.onnx", "stray argument 'b.onnx' after the command export"),
    ("export model.bin", "expected a name that ends in .onnx or .npz, found 'model.bin': give --fo"),
    ("export .onnx", "expected a name that ends in .onnx or .npz, found '.onnx'"),
    ("export --format pb a.onnx", "--format: expected onnx or npz, found 'pb'"),
    ("export --format npz a.onnx", "--format npz: expected .* not end in .onnx, found 'a.onnx'"),
    ("export --format onnx a.npz", "--format onnx: expected .* not end in .npz, found 'a.npz'"),
    ("export --model x --ksize 3 a.npz", "--ksize and --model exclude each other"),
    ("export --json a.npz", "--json is no option of the command export"),
    ("import", "import: expected FILE OUT, found 0 of 2: see 'cnn-cl import --help'"),
    ("import a", "import: expected FILE OUT, found 1 of 2"),
    ("import a b", "import: expected an output that ends in .safetensors, found 'b'"),
    ("import a b.safetensors c", "stray argument 'c' after the command import"),
    ("import a b.safetensors --ksize 3", "--ksize is no option of the command import"),
    ("import a b.safetensors --dropout 1", r"--dropout: expected a number in \[0, 1\), found '1'"),
    ("import a b.safetensors --xdim 28,28", "--xdim: expected three integers"),
    ("import a b.safetensors --model x", "--model is no option of the command import"),
    ("train --schedule cos", "--schedule: expected constant, cosine, onecycle, or step=E,E:F .*, found 'cos'"),
    ("train --schedule step=3,2:0.1", "--schedule: expected .* ascending epochs .*, found 'step=3,2:0.1'"),
    ("train --schedule step=3:0", "--schedule: expected .* a factor above 0, found 'step=3:0'"),
    ("train --schedule step=3,", "--schedule: expected .*, found 'step=3,'"),
    ("train --warmup 11", "--warmup: expected at most 10, the epochs of the run .*, found 11"),
    ("train --fixed-momentum", "--fixed-momentum: expected --schedule onecycle with it"),
    ("train --label-smoothing 1", r"--label-smoothing: expected a number in \[0, 1\), found '1'"),
    ("train --class-weights equal", "--class-weights: expected none or balanced, found 'equal'"),
    ("train --augment flop", "--augment: expected none, or of flip, shift=PIXELS, .*, found 'flop'"),
    ("train --augment shift=70000", "--augment: expected none, or .*, found 'shift=70000'"),
    ("eval --tta mirror", "--tta: expected flip or none, found 'mirror'"),
    ("predict --tta=", "--tta: expected flip or none, found ''"),
    ("train --tta flip", "--tta is no option of the command train"),
    ("serve --tta flip", "--tta is no option of the command serve"),
    ("train --views -1", "--views: expected an integer of 0 to 1000000, found '-1'"),
    ("train --views 3", "--views: expected --augment with it, found none"),
    ("train --views 3 --augment flip", "--views: expected --freeze with it, found none"),
    ("train --views 3 --freeze x --augment mixup=1", "--views: expected --augment without mixup"),
    ("eval --views 3", "--views is no option of the command eval"),
    ("eval --augment flip", "--augment is no option of the command eval"),
    ("train --ema 1", r"--ema: expected a number in \[0, 1\), found '1'"),
    ("params --exact", "--exact: expected --plan with it, without which it does nothing"),
    ("doctor --exact --net lenet5", "--net and --exact exclude each other"),
    ("doctor --exact --batch 4", "--batch and --exact exclude each other"),
    ("train --recipe nope", "no recipe is called 'nope' in .*: expected cifar94, finetune, finetune_all, folder, mnist99;"),
    ("train --recipe ./nope", r"--recipe: \./nope: cannot be opened"),
    ("train --recipe /dev/null", "--recipe: /dev/null: expected a regular file"),
    ("eval --recipe mnist99", "--recipe is no option of the command eval"),
    ("train --nesterov", "--nesterov: expected --optimizer sgd with it, found Adam"),
    ("train --optimizer sgd --nesterov", "--nesterov: expected a --momentum above 0 with it"),
    ("train --momentum 0.9", "--momentum: expected --optimizer sgd with it, found Adam"),
    ("train --optimizer sgd --momentum 1", r"--momentum: expected a number in \[0, 1\), found '1'"),
    ("train --optimizer rmsprop", "--optimizer: expected adam, adamw or sgd, found 'rmsprop'"),
    ("train --decay-all", "--decay-all: expected a --weight-decay above 0 with it"),
    ("train --weight-decay -1", "--weight-decay: expected a finite number of 0 or more, found '-1'"),
    ("train --clip-norm inf", "--clip-norm: expected a finite number of 0 or more, found 'inf'"),
    ("eval --optimizer sgd", "--optimizer is no option of the command eval"),
    ("train --lr 1e-60", "--lr: expected a finite number above 0, found '1e-60', which is 0 in float32"),
    ("train --lr 1e39", "--lr: expected a finite number above 0, found '1e39', which is inf in float32"),
    ("train --lr 1e-999", "--lr: expected a finite number above 0, found '1e-999'"),
    ("train --dropout 1e-50", r"--dropout: expected a number in \[0, 1\), found '1e-50', which is 0"),
    ("params --dropout 0.99999999999", "found '0.99999999999', which is 1 in float32"),
    ("import a b --dropout 3e-46", r"--dropout: expected a number in \[0, 1\), found '3e-46', which is 0"),
    ("train --val-split 1e-60", "--val-split: expected a number between 0 and 1, found '1e-60'"),
    ("train --lr nan", "--lr: expected a finite number above 0, found 'nan'"),
    ("train --lr inf", "--lr: expected .*, found 'inf'"),
    ("train --lr 0", "--lr: expected .*, found '0'"),
    ("train --lr -1e-3", "--lr: expected .*, found '-1e-3'"),
    ("train --lr 1e999", "--lr: expected .*, found '1e999'"),
    ("train --lr 0x1p-3", "--lr: expected .*, found '0x1p-3'"),
    ("train --lr 1e-3x", "--lr: expected .*, found '1e-3x'"),
    ("train --lr=", "--lr: expected .*, found ''"),
    ("train --batch 0", "--batch: expected an integer of 1 to 1000000, found '0'"),
    ("train --batch -1", "--batch: expected .*, found '-1'"),
    ("train --batch 2.5", "--batch: expected .*, found '2.5'"),
    ("train --batch 99999999999999999999", "--batch: expected .*, found '9"),
    ("train --epochs -1", "--epochs: expected an integer of 0 to 1000000, found '-1'"),
    ("train --epochs ten", "--epochs: expected .*, found 'ten'"),
    ("train --print-every 0", "--print-every: expected an integer of 1 to 1000000, found '0'"),
    ("train --seed -1", "--seed: expected an integer of 0 to 18446744073709551615, found '-1'"),
    ("train --seed 18446744073709551616", "--seed: expected .*, found '18446744073709551616'"),
    ("train --dropout 1", r"--dropout: expected a number in \[0, 1\), found '1'"),
    ("train --dropout nan", "--dropout: expected .*, found 'nan'"),
    ("train --ksize 0", "--ksize: expected an integer of 1 to 11, found '0'"),
    ("train --ksize 12", "--ksize: expected an integer of 1 to 11, found '12'"),
    ("train --cdims 32,,64", "--cdims: expected .* or none, found '32,,64'"),
    ("train --cdims 0", "--cdims: expected .*, found '0'"),
    ("train --hdims 32,", "--hdims: expected .* or none, found '32,'"),
    ("train --ydim 65536", "--ydim: expected an integer of 1 to 65535, found '65536'"),
    ("train --xdim 28,28", "--xdim: expected three integers .*, found '28,28'"),
    ("train --xdim 0,1,1", "--xdim: expected three integers .*, found '0,1,1'"),
    ("train --name a/b", "--name: expected a name .*, found 'a/b'"),
    ("train --name=..", "--name: expected a name .*, found '..'"),
    ("train --data=", "--data: expected a path, found ''"),
    ("train --out=", "--out: expected a path, found ''"),
    ("eval --split valid", "--split: expected train, val or test, found 'valid'"),
    ("predict --samples 0", "--samples: expected an integer of 1 to 1000000, found '0'"),
    ("params --xdim 1,4,4 --cdims 8,8,8", "maxpool2d_10: .*8 x 1 x 1"),
    ("forward --xdim 1,1,1", "maxpool2d_02: .*32 x 1 x 1"),
]


class Help(CommandTest):
    def assert_fits_a_screen(self, text):
        lines = text.splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_of_the_program(self):
        text = self.run_command("--help").stdout
        self.assert_fits_a_screen(text)
        for word in [*COMMANDS, "--list-devices", "--version", "--device SEL", "--seed N", "-q",
                     "-v"]:
            self.assertIn(word, text)
        self.assertEqual(self.run_command("-h").stdout, text)

    def test_of_each_command(self):
        for command, options in COMMANDS.items():
            with self.subTest(command):
                text = self.run_command(command, "--help").stdout
                self.assert_fits_a_screen(text)
                self.assertIn(f"Usage: cnn-cl {command} [options]", text)
                for option in options.split():
                    self.assertRegex(text, rf"(?m)^( |The network ).*--{option}\b")
                self.assertEqual(self.run_command("-h", command).stdout, text)

    def test_version(self):
        result = self.run_command("--version")
        self.assertRegex(result.stdout, r"\Acnn-cl \d+\.\d+\.\d+\nMPI: [^\n]+\n\Z")
        self.assertEqual(result.stderr, "")


class Recipe(CommandTest):
    """What is wrong in a file of options is named with its line; what the command line gives wins."""

    def refuse(self, text, pattern, *more):
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "one.recipe")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.assert_refused(["train", "--recipe", path, *more], 2, pattern)

    def test_is_read_line_by_line(self):
        for text, pattern in (
                ("# one\n\nlr 1e-3\nfoo 3\n", r"one\.recipe: line 4: expected an option of train, found 'foo'"),
                ("\ufefflr = 1e-3\nepochs=2\nfoo = 3\n", r"one\.recipe: line 3: expected an option of train, found 'foo'"),
                ("lr = x", r"one\.recipe: line 1: --lr: expected a finite number above 0, found 'x'"),
                ("--lr x", r"one\.recipe: line 1: --lr: expected a finite number above 0, found 'x'"),
                ("epochs\n", r"one\.recipe: line 1: --epochs: a value is missing"),
                ("nesterov 1\n", r"one\.recipe: line 1: --nesterov takes no value, found '1'"),
                ("recipe mnist99\n", "line 1: expected an option of train, found 'recipe'"),
                ("samples 3\n", "line 1: expected an option of train, found 'samples'"),
                ("optimizer sgd\nnesterov\n", "--nesterov: expected a --momentum above 0")):
            with self.subTest(text):
                self.refuse(text, pattern)

    def test_is_undone_by_the_command_line(self):
        text = "augment flip\nviews 3\nfreeze conv*\nlr-scale nothing*=3\nwhiten nothing\nnet nowhere\n"
        undone = ["--augment", "none", "--views", "0", "--freeze", "none", "--lr-scale", "none", "--whiten", "none"]
        self.refuse(text, "nowhere", *undone)

    def test_yields_to_the_command_line(self):
        text = "optimizer=sgd\n momentum 0.9 # of sgd\n--epochs 7\nwarmup 5\n"
        self.refuse(text, "--warmup: expected at most 3, .*, found 5, as the recipe has it: give --warmup", "--epochs", "3")
        self.refuse(text + "epochs 3\n", "found 5$", "--warmup", "5")
        self.refuse(text + "net nowhere\n", "--nesterov: expected --optimizer sgd with it, found Adam",
                    "--cdims", "4", "--optimizer", "adam", "--nesterov")


class Wrong(CommandTest):
    def test_is_named_in_one_line(self):
        for line, pattern in WRONG:
            with self.subTest(line):
                result = self.assert_refused(line.split(), 2, pattern)
                self.assertEqual(len(result.stderr.splitlines()), 1)


    def test_stays_one_line_whatever_it_quotes(self):
        for argument in ("--ep\nochs", "tr\x1b[2Jain", "x" * 5000 + "\n"):
            with self.subTest(argument[:10]):
                result = self.assert_refused([argument], 2, r"cnn-cl: .*\?")
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertNotIn("\x1b", result.stderr)


class Places(CommandTest):
    def test_options_stand_before_or_after(self):
        network = ["--xdim", "1,8,8", "--cdims", "2"]
        after = self.run_command("params", "--seed", "3", *network).stdout
        self.assertEqual(self.run_command("--seed", "3", "params", *network).stdout, after)
        self.assertEqual(self.run_command(*network, "--seed=3", "params").stdout, after)
        self.assertEqual(
            self.run_command("--seed=3", *network, "params",
                             env=environment(POSIXLY_CORRECT="1")).stdout, after)
        self.assertNotEqual(self.run_command("params", "--seed", "4", *network).stdout, after)

    def test_the_last_one_counts(self):
        self.assertEqual(self.run_command("params", "--seed", "4", "--seed", "3").stdout,
                         self.run_command("params", "--seed", "3").stdout)

    def test_the_largest_seed_is_taken(self):
        self.run_command("params", "--seed", "18446744073709551615")


class Output(CommandTest):
    """A result that does not arrive is an error."""

    def assert_write_error(self, code, stderr):
        self.assertEqual(code, 1)
        self.assertRegex(stderr, r"\Acnn-cl: standard output cannot be written: .+\n\Z")

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            for line in ("--help", "--version", "params"):
                result = subprocess.run([CNN_CL, *line.split()], stdout=full,
                                        stderr=subprocess.PIPE, text=True, timeout=60)
                self.assert_write_error(result.returncode, result.stderr)

    def test_closed_pipe(self):
        reader, writer = os.pipe()
        os.close(reader)
        result = subprocess.run([CNN_CL, "params"], stdout=writer, stderr=subprocess.PIPE,
                                text=True, timeout=60)
        os.close(writer)
        self.assert_write_error(result.returncode, result.stderr)

    def test_closed_stdout(self):
        result = subprocess.run(["sh", "-c", '"$0" params >&-', CNN_CL], stderr=subprocess.PIPE,
                                text=True, timeout=60)
        self.assert_write_error(result.returncode, result.stderr)


if __name__ == "__main__":
    unittest.main()
