"""What dump_dataset says of a data set."""
import subprocess
import sys

import numpy as np

DUMP = sys.argv[1]


def dump(path, *options):
    """The splits, (labels, images) each, the names of the classes, and what was said."""
    ran = subprocess.run([DUMP, path, *options], capture_output=True, check=False)
    if ran.returncode != 0:
        return None, None, ran.stderr.decode()
    head, rest = ran.stdout.split(b"\n", 1)
    c, h, w, train, test, val, classes = map(int, head.split())
    names = []
    for _ in range(classes):
        name, rest = rest.split(b"\n", 1)
        names.append(name.decode())
    splits = []
    for count in (train, test, val):
        labels = np.frombuffer(rest[:2 * count], np.uint16)
        size = count * c * h * w
        images = np.frombuffer(rest[2 * count:2 * count + size], np.uint8).reshape(count, c, h, w)
        rest = rest[2 * count + size:]
        splits.append((labels, images))
    assert not rest
    return splits, names, ran.stderr.decode()
