"""Optimizers against the PyTorch that is here, on values that no golden file has:
check_optimizers.py make_golden.py TEST_OPTIMIZER"""

import importlib.util
import os
import subprocess
import sys
import tempfile


def main():
    for module in ("numpy", "torch"):
        if importlib.util.find_spec(module) is None:
            print(f"skipped: no {module}")
            return 77
    make_golden, test_optimizer = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        golden = os.path.join(folder, "optimizers.txt")
        subprocess.run([sys.executable, make_golden, "--only", "optimizers", "--seed", "7", "--out", golden],
                       check=True)
        return subprocess.run([test_optimizer, golden]).returncode


if __name__ == "__main__":
    sys.exit(main())
