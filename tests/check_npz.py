"""An exported npz in the eyes of NumPy: check_npz.py CNN_CL SAVE_MODEL"""
import os
import subprocess
import sys
import tempfile
import zipfile

try:
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from safetensors_file import read_safetensors

CASES = [
    [],
    ["xdim=3,9,13", "cdims=5,3", "hdims=7,6", "ksize=4", "ydim=3", "batchnorm=true"],
    ["cdims=none", "hdims=none", "ydim=1", "xdim=1,1,1"],
]


def check(cnn_cl, save_model, folder, options):
    model, path = os.path.join(folder, "model"), os.path.join(folder, "model.npz")
    subprocess.run([save_model, model, *options], check=True)
    tensors, _ = read_safetensors(model)
    subprocess.run([cnn_cl, "export", "-q", "--model", model, path], check=True)
    assert zipfile.ZipFile(path).testzip() is None
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays.files == list(tensors)
        for name, wanted in tensors.items():
            found = arrays[name]
            assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), name
            assert np.array_equal(found, wanted) and found.flags.c_contiguous, name
    again = os.path.join(folder, "again")
    subprocess.run([cnn_cl, "export", "-q", "--format", "npz", "--model", model, again], check=True)
    with open(path, "rb") as one, open(again, "rb") as other:
        assert one.read() == other.read(), "the same model gives another file"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        for case in CASES:
            check(*sys.argv[1:3], scratch, case)
            print("ok:", " ".join(case) or "default")
