"""safetensors files with nothing but NumPy: the tests' own reader and writer."""
import json

import numpy as np

TYPES = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


def read_safetensors(path):
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", None)
    values, tensors = data[8 + length :], {}
    covered = 0
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = TYPES[entry["dtype"]]
        assert begin % dtype.itemsize == 0, f"{name} is not aligned"
        tensors[name] = np.frombuffer(values[begin:end], dtype).reshape(entry["shape"])
        covered += end - begin
    assert (8 + length) % 8 == 0 and covered == len(values)
    return tensors, metadata


def write_safetensors(path, tensors, metadata=None):
    """Sorted by name and without padding: unlike cnn-cl's own files, and as valid. bfloat16, which
    NumPy does not have, is its upper half of a float32, in 16-bit words."""
    header, blob = {"__metadata__": metadata} if metadata else {}, b""
    names = {"f4": "F32", "i8": "I64", "f8": "F64", "f2": "F16", "u2": "BF16"}
    for name in sorted(tensors):
        data = tensors[name].tobytes()
        header[name] = {
            "data_offsets": [len(blob), len(blob) + len(data)],
            "shape": list(tensors[name].shape),
            "dtype": names[tensors[name].dtype.str[1:]],
        }
        blob += data
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + blob)
