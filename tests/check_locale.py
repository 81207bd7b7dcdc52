"""A program in a locale with a decimal comma writes what one in the C locale writes, and reads it:
check_locale.py WRITE_ALL"""
import csv
import json
import os
import re
import subprocess
import sys
import tempfile

WRITE_ALL = sys.argv[1]
SKIP = 77
TIMES = {"seconds", "images_per_second"}
# Without times of any kind: the same bytes.
SAME = ["cnn.safetensors", "cnn.onnx", "cnn.npz", "cnn.run.json", "confusion.png", "filters.png"]


def make_locale(folder):
    """German numbers: 1.234,5."""
    result = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", f"{folder}/de_DE.UTF-8"],
                            capture_output=True, text=True)
    if result.returncode > 1:
        print("skipped: localedef has no sources; apt install locales:", result.stderr)
        sys.exit(SKIP)


def write_all(folder, name):
    os.mkdir(folder)
    result = subprocess.run([WRITE_ALL, folder, name], capture_output=True, text=True)
    assert result.returncode == 0, (name, result.returncode, result.stderr)
    assert "--dropout: expected a number in [0, 1), found 1.5" in result.stdout, result.stdout


def read(folder, name):
    with open(f"{folder}/{name}", "rb") as file:
        return file.read()


def read_metrics(folder):
    """The CSV's rows, which the JSON log has too, without times."""
    with open(f"{folder}/cnn.metrics.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    objects = [json.loads(line) for line in read(folder, "log").splitlines()]
    assert len(rows) == len(objects) == 4, rows
    for row, one in zip(rows, objects):
        assert None not in row and None not in row.values(), row  # a comma too many
        for key, value in row.items():
            assert key == "device" or (float(value) if value else None) == one[key], (key, value, one)
    return [{key: row[key] for key in row if key not in TIMES} for row in rows]


with tempfile.TemporaryDirectory() as scratch:
    make_locale(scratch)
    os.environ.update(LOCPATH=scratch)
    plain, comma = f"{scratch}/plain", f"{scratch}/comma"
    write_all(plain, "C")
    write_all(comma, "de_DE.UTF-8")
    for file in SAME:
        assert read(plain, file) == read(comma, file), file
    assert read_metrics(plain) == read_metrics(comma)
    for file in ("bench.json", "trace.json"):
        json.loads(read(comma, file))
    header = read(comma, "cnn.ckpt.safetensors")
    json.loads(header[8:8 + int.from_bytes(header[:8], "little")])
    # Coordinates are "12.3 45.6"; a comma between digits parts the thousands of a count.
    for file in ("curves.svg", "report.html"):
        text = read(comma, file).decode()
        values = re.findall(r'\b(?:d|x|y|cx|cy|r|style|viewBox)="([^"]*)"', text)
        assert values and not [one for one in values if re.search(r"\d,\d", one)], file
        shapes = [re.sub(r"\d+(\.\d+)?", "0", read(one, file).decode()) for one in (plain, comma)]
        assert shapes[0].count(",") == shapes[1].count(","), file
