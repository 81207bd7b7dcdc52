"""Whole networks at their real size against PyTorch: the same saved values, the same batch, dropout 0.
Logits within 1e-5, gradients within 1e-4, the losses of 20 steps of Adam within 1e-3, in fused and
in plain plans: check_against_pytorch.py make_golden.py SAVE_MODEL COMPARE_NETWORK"""

import importlib.util
import os
import subprocess
import sys
import tempfile

NETWORKS = {
    "default": [],
    "batch norm": ["batchnorm=true"],
    "MLP": ["cdims=none", "hdims=256"],
}


def check(make_golden, save_model, compare_network, options, folder):
    model = os.path.join(folder, "model.safetensors")
    golden = os.path.join(folder, "golden.txt")
    flags = []
    for key, value in (option.split("=") for option in options):
        flags += ["--" + key] + ([] if value == "true" else [value])
    subprocess.run([save_model, model, "dropout=0"] + options, check=True)
    subprocess.run(
        [sys.executable, make_golden, "--out", golden, "--params", model, "--batch", "64"] + flags,
        check=True,
    )
    return subprocess.run([compare_network, golden]).returncode == 0


def main():
    for module in ("numpy", "torch"):
        if importlib.util.find_spec(module) is None:
            print(f"skipped: no {module}")
            return 77
    failed = []
    for name, options in NETWORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            if not check(*sys.argv[1:4], options, folder):
                failed.append(name)
    print("failed: " + ", ".join(failed) if failed else "all agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
