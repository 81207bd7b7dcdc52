"""ONNX files with nothing but NumPy: the tests' own writer. Field numbers are those of onnx.proto."""
import struct

import numpy as np

TYPES = {"f4": 1, "u1": 2, "i1": 3, "i2": 5, "i4": 6, "i8": 7, "b1": 9, "f2": 10, "f8": 11}


def varint(number):
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """An integer, a float (32 bits), bytes or text."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, (int, np.integer)):
        return varint(number << 3) + varint(int(value))
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, array, form="raw"):
    """form: raw bytes; the typed field, packed, or one field a value."""
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("<"))
    kind = array.dtype.str[1:]
    out = b"".join(field(1, size) for size in array.shape) + field(2, TYPES[kind]) + field(8, name)
    if form == "raw":
        return out + field(9, array.tobytes())
    if form != "typed" and form != "loose":
        return out + form
    where = {"f4": 4, "i8": 7, "f8": 10}.get(kind, 5)
    values = array.view("u2").ravel() if kind == "f2" else array.ravel()
    if kind in ("f4", "f8"):
        each = [value.tobytes() for value in values]
        wire = 5 if kind == "f4" else 1
    else:
        each, wire = [varint(int(value)) for value in values], 0
    if form == "typed":
        return out + field(where, b"".join(each))
    return out + b"".join(varint(where << 3 | wire) + value for value in each)


def attribute(name, value):
    if isinstance(value, float):
        body = field(2, value) + field(20, 1)
    elif isinstance(value, int):
        body = field(3, value) + field(20, 2)
    elif isinstance(value, str):
        body = field(4, value) + field(20, 3)
    elif isinstance(value, bytes):  # a tensor
        body = field(5, value) + field(20, 4)
    else:
        body = b"".join(field(8, item) for item in value) + field(20, 7)
    return field(1, name) + body


def node(op, inputs, outputs, name="", domain="", **attributes):
    out = b"".join(field(1, item) for item in inputs.split(",")) if inputs else b""
    out += b"".join(field(2, item) for item in outputs.split(","))
    out += field(3, name) + field(4, op) + b"".join(field(5, attribute(*item)) for item in attributes.items())
    return out + (field(7, domain) if domain else b"")


def value(name, dims, kind=1):
    shape = b"".join(field(1, field(1, dim) if isinstance(dim, int) else field(2, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def graph(nodes, tensors=(), inputs=(), outputs=(), name="main"):
    out = b"".join(field(1, item) for item in nodes) + field(2, name)
    out += b"".join(field(5, item) for item in tensors) + b"".join(field(11, item) for item in inputs)
    return out + b"".join(field(12, item) for item in outputs)


def model(the_graph, opset=17):
    return field(1, 8) + field(2, "tests") + field(7, the_graph) + field(8, field(1, "") + field(2, opset))
