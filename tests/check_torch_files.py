"""Files of torch.save(), and files that look like some: check_torch_files.py CNN_CL IMPORT_FILES

What PyTorch writes is imported, value by value, in both forms, of any type and layout, in
checkpoints too. What ends early, and pickles that would run something, are refused: nothing runs."""
import collections
import io
import os
import pickle
import re
import resource
import struct
import subprocess
import sys
import tempfile
import zipfile

try:
    import numpy as np
    import torch
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from check_saved_model import Network
from safetensors_file import read_safetensors

NETWORK = {"xdim": [1, 8, 8], "ksize": 3, "cdims": [3, 2], "hdims": [5], "ydim": 4,
           "batchnorm": True, "dropout": 0.5}
MEMORY = 1 << 30  # bytes of address space that a refusal may take


def make():
    network = Network(**NETWORK)
    network.train()(torch.rand(7, *NETWORK["xdim"]))
    return network


def renamed(state):
    """The names of a network that someone wrote for himself."""
    modules = {"net.conv2d_00": "features.0", "net.batchnorm2d_01": "features.1",
               "net.conv2d_05": "features.5", "net.batchnorm2d_06": "features.6",
               "net.linear_11": "classifier.0", "net.linear_13": "classifier.2"}
    return {modules[name.rpartition(".")[0]] + "." + name.rpartition(".")[2]: values
            for name, values in state.items()}


class Tagged(torch.nn.Parameter):
    pass


def checkpoint(network, state):
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.rand(3, *NETWORK["xdim"])).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    return {"epoch": 7, "best": 0.5, "names": ["a", "b"], "state_dict": state, "seen": {1, 2},
            "optimizer": optimizer.state_dict(), "rng": torch.get_rng_state(), "none": None, "big": 1 << 80,
            "device": torch.device("cpu"), "size": torch.Size([1, 2]), "dtype": torch.float16, "bytes": b"\xff"}


def forms(network, state):
    """(what it is, what is saved, what must come out)"""
    same = dict(state)
    whole = torch.cat([values.flatten().float() for values in state.values()])
    places = np.cumsum([0] + [values.numel() for values in state.values()])
    views = {name: whole[start:start + values.numel()].view(values.shape)
             for start, (name, values) in zip(places, state.items()) if values.is_floating_point()}
    turned = {name: values.t().contiguous().t() if values.dim() == 2 else
              values.to(memory_format=torch.channels_last) if values.dim() == 4 else values
              for name, values in state.items()}
    tied = dict(state)
    tied["net.batchnorm2d_01.bias"] = tied["net.batchnorm2d_01.weight"]
    old = {name: values for name, values in state.items() if "num_batches" not in name}
    parameters = {name: torch.nn.Parameter(values) if values.is_floating_point() else values
                  for name, values in state.items()}
    yield "a state_dict", state, same
    yield "a plain dict", same, same
    yield "views of one storage", {**state, **views}, same
    yield "other strides", turned, same
    yield "tied tensors", tied, tied
    yield "expanded", {**state, "net.conv2d_00.bias": torch.ones(1).expand(3)}, \
        {**state, "net.conv2d_00.bias": torch.ones(3)}
    yield "parameters", parameters, same
    yield "no counts of batches", old, {name: values if name in old else torch.tensor(0)
                                        for name, values in state.items()}
    yield "a checkpoint", checkpoint(network, state), same
    yield "in 'model'", {"model": {"module." + name: values for name, values in state.items()}}, same
    yield "compiled, in 'model_state_dict'", {"model_state_dict": {
        "_orig_mod." + name: values for name, values in state.items()}}, same
    yield "in a name of its own", {"epoch": 1, "mine": state}, same
    yield "with a prefix", {"model." + name: values for name, values in state.items()}, same
    yield "more tensors", {**state, "n_averaged": torch.tensor(3), "cube": torch.zeros(2, 2, 2, 2, 2),
                           "flags": torch.tensor([True]), "wave": torch.zeros(2, dtype=torch.complex64),
                           "empty": torch.zeros(0, 3)}, same
    yield "names of someone else's", renamed(state), same
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        yield str(dtype), {name: values.to(dtype) if values.is_floating_point() else values
                           for name, values in state.items()}, \
            {name: values.to(dtype).float() if values.is_floating_point() else values
             for name, values in state.items()}


def check_forms(cnn_cl, folder):
    network = make()
    path, out = os.path.join(folder, "the model's.pt"), os.path.join(folder, "out.safetensors")
    count = 0
    for what, saved, wanted in forms(network, network.state_dict()):
        for new in (True, False):
            for protocol in (2, 4):
                torch.save(saved, path, _use_new_zipfile_serialization=new, pickle_protocol=protocol)
                result = subprocess.run([cnn_cl, "import", path, out], text=True, capture_output=True)
                assert result.returncode == 0, (what, new, protocol, result.stderr)
                tensors, _ = read_safetensors(out)
                assert tensors.keys() == wanted.keys(), what
                for name, values in wanted.items():
                    assert np.array_equal(tensors[name], values.detach().numpy()), (what, name)
                count += 1
    print(f"ok: {count} files of torch.save()")


TWINS = """input(8,6,6)
conv_a = Conv2d(8, 3, padding=1)
conv_b = Conv2d(8, 3, padding=1)
AdaptiveAvgPool2d(1)
Flatten()
fc = Linear(classes)
"""


def check_order(cnn_cl, folder):
    """Layers of the same shapes under other names: numbers tell them apart, else the order in which they were
    saved."""
    with open(os.path.join(folder, "twins.net"), "w", encoding="utf-8") as file:
        file.write(TWINS)
    count = 0
    for first, second, saved in (("one", "two", 0), ("zeta", "alpha", 0), ("second", "first", 0), ("a.x", "a.b", 0),
                                 ("c2", "c10", 0), ("c2", "c10", 1), ("layer2.0.c", "layer10.1.c", 1)):
        values = {first: torch.rand(8, 8, 3, 3), second: torch.rand(8, 8, 3, 3)}
        state = collections.OrderedDict()
        for name in (second, first) if saved else (first, second):
            state[name + ".weight"], state[name + ".bias"] = values[name], torch.rand(8)
        state["out.weight"], state["out.bias"] = torch.rand(5, 8), torch.rand(5)
        for new in (True, False):
            torch.save(state, os.path.join(folder, "twins.pt"), _use_new_zipfile_serialization=new)
            result = subprocess.run([os.path.abspath(cnn_cl), "import", "twins.pt", "twins.safetensors", "--net",
                                     "./twins.net"], cwd=folder, text=True, capture_output=True)
            assert result.returncode == 0 and "warning" not in result.stderr, (first, second, result.stderr)
            tensors, _ = read_safetensors(os.path.join(folder, "twins.safetensors"))
            assert np.array_equal(tensors["conv_a.weight"], values[first].numpy()), (first, second, saved)
            assert np.array_equal(tensors["conv_b.weight"], values[second].numpy()), (first, second, saved)
            count += 1
    print(f"ok: {count} files whose layers have the same shapes")


def refusals(import_files, paths):
    """The status and the message of each file; little memory must do."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sanitized = "ASAN_OPTIONS" in os.environ
    result = subprocess.run([import_files, *paths], capture_output=True, timeout=120,
                            preexec_fn=None if sanitized else limit)
    assert result.returncode == 0, result
    lines = result.stdout.decode("utf-8", "replace").splitlines()
    assert len(lines) == len(paths), lines[-1]
    return [line.split(" ", 1) for line in lines]


def check_no_sums(import_files, folder):
    """PyTorch can be told to compute no checksums of what it writes: they are zero."""
    path = os.path.join(folder, "no_sums.pt")
    data = bytearray(as_zip(state()))
    for signature, place in ((b"PK\3\4", 14), (b"PK\1\2", 16)):
        at = data.find(signature)
        while at >= 0:
            data[at + place:at + place + 4] = bytes(4)
            at = data.find(signature, at + 1)
    with open(path, "wb") as file:
        file.write(data)
    assert refusals(import_files, [path])[0][0] == "0", refusals(import_files, [path])
    print("ok: no checksums")


def check_words(import_files, folder):
    """What is no state_dict is told what would be one."""
    network = make()
    cases = [(network, "'check_saved_model.Network' in it: .*save the weights alone"), (torch.zeros(3), "one tensor"),
             ([torch.zeros(3)], "a list"), ({"a": 1}, "a dict without"), (5, "another value"),
             ({"a": {"x": torch.ones(1)}, "b": {"y": torch.ones(1)}}, "those of 'a' and of 'b'")]
    for new in (True, False):
        paths = []
        for i, (saved, _) in enumerate(cases):
            paths.append(os.path.join(folder, f"word{i}.pt"))
            torch.save(saved, paths[-1], _use_new_zipfile_serialization=new)
        for (status, message), (_, pattern) in zip(refusals(import_files, paths), cases):
            assert status != "0" and re.search(pattern, message), (pattern, message)
    print("ok: what is no state_dict")


def check_cuts(import_files, folder):
    small = {"fc.weight": torch.rand(2, 4), "fc.bias": torch.rand(2)}
    path, copy = os.path.join(folder, "whole.pt"), os.path.join(folder, "cut.pt")
    for new in (True, False):
        torch.save(small, path, _use_new_zipfile_serialization=new)
        assert refusals(import_files, [path])[0][0] == "0"
        result = subprocess.run([import_files, "--cut", path, copy], check=True, capture_output=True, text=True)
        assert result.stdout == "0\n", result.stdout
        print(f"ok: none of {os.path.getsize(path)} beginnings of a file is taken")


# Machine code of pickles: https://docs.python.org/3/library/pickletools.html

def text(string):
    data = string.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    return b"J" + struct.pack("<i", value) if abs(value) < 1 << 31 else \
        b"\x8a\x08" + struct.pack("<q", value)


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def storage(key="0", count=8, kind="FloatStorage", module="torch", extra=b""):
    return b"(" + text("storage") + name(module, kind) + text(key) + text("cpu") + number(count) + extra + b"tQ"


def tensor(view, offset=0, shape=(2, 4), strides=(4, 1), call=name("torch._utils", "_rebuild_tensor_v2")):
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    steps = b"(" + b"".join(map(number, strides)) + b"t"
    return call + b"(" + view + number(offset) + sizes + steps + b"\x89}tR"


def state(weight=None, before=b"", more=b""):
    """The pickle of a state_dict of one linear layer, and what is put into it."""
    weight = weight or tensor(storage())
    return b"\x80\x02" + before + b"}(" + text("fc.weight") + weight + text("fc.bias") + \
        tensor(storage("1", 2), shape=(2,), strides=(1,)) + more + b"u."


def as_zip(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x/data.pkl", data)
        archive.writestr("x/data/0", bytes(32))
        archive.writestr("x/data/1", bytes(8))
    return file.getvalue()


def as_old(data):
    head = b"".join(pickle.dumps(value, 2) for value in
                    (0x1950a86a20f9469cfc6c, 1001, {"little_endian": True, "protocol_version": 1001}))
    return head + data + pickle.dumps(["0", "1"], 2) + struct.pack("<Q", 8) + bytes(32) + \
        struct.pack("<Q", 2) + bytes(8)


GLOBALS = """os.system posix.system nt.system os.popen os.execv os.remove subprocess.Popen subprocess.call
 builtins.eval builtins.exec builtins.open builtins.__import__ builtins.getattr builtins.compile
 __builtin__.eval __builtin__.file __builtin__.apply __builtin__.reduce builtins.print builtins.type
 shutil.rmtree pty.spawn socket.socket ctypes.CDLL webbrowser.open runpy.run_path code.interact
 importlib.import_module pickle.loads _pickle.loads marshal.loads types.FunctionType functools.partial
 operator.attrgetter operator.methodcaller sys.exit signal.raise_signal asyncio.run timeit.timeit pdb.run
 bdb.Bdb collections.namedtuple collections.abc.Mapping copyreg._reconstructor numpy.load
 numpy.core.multiarray._reconstruct numpy.core.multiarray.scalar numpy.dtype numpy.testing._private.utils.runstring
 torch.load torch.hub.load torch.save torch.nn.modules.linear.Linear torch.storage._load_from_bytes
 torch._utils._rebuild_qtensor torch._utils._rebuild_device_tensor_from_numpy torch.jit.load
 torch.serialization._get_layout torch.utils._python_dispatch.x torch.FloatStorage.x torch.os.system
 torch._utils.torch.load argparse.Namespace __main__.Net models.resnet.ResNet datetime.datetime uuid.UUID
 pathlib.PosixPath logging.config.listen requests.get urllib.request.urlopen""".split()


def harmful(marker):
    """(what it is, the pickle)"""
    command = text(f"touch {marker}")
    for whole in GLOBALS:
        module, _, attribute = whole.rpartition(".")
        yield whole + " in REDUCE", state(more=text("x") + name(module, attribute) + b"(" + command + b"tR")
        yield whole + " in STACK_GLOBAL", b"\x80\x04" + text(module) + text(attribute) + b"\x93(" + command + \
            b"tR0" + state()
        yield whole + " in INST", state(before=b"(" + command + f"i{module}\n{attribute}\n".encode() + b"0")
    yield "OBJ", state(before=b"(" + name("os", "system") + command + b"o0")
    yield "OBJ of text", state(before=b"(" + text("os") + command + b"o0")
    yield "NEWOBJ", state(before=name("os", "system") + b"(" + command + b"t\x810")
    yield "NEWOBJ_EX", state(before=name("torch", "Size") + b")}\x920")
    yield "BUILD of a global", state(before=name("torch", "Size") + b"}b0")
    yield "BUILD of a number", state(before=b"K\x01}b0")
    yield "REDUCE of a text", state(before=text("os.system") + b")R0")
    yield "REDUCE without a tuple", state(before=name("torch", "Size") + b"]R0")
    yield "REDUCE of a type", state(before=name("torch", "float32") + b")R0")
    yield "a type within a type", state(before=name("torch._tensor", "_rebuild_from_type_v2") + b"(" +
                                        name("torch._tensor", "_rebuild_from_type_v2") + b"N)NtR0")
    for code in (b"\x82\x01", b"\x83\x01\0", b"\x84\x01\0\0\0"):
        yield f"EXT {code}", state(before=code + b"0")
    yield "PERSID", state(before=b"Pos.system\n0")
    yield "NEXT_BUFFER", state(before=b"\x970")
    yield "unknown opcode", state(before=b"\xff")
    deep = 100000
    yield "deep lists", b"\x80\x02" + b"]" * deep + b"a" * (deep - 1) + b"."
    yield "deep tuples", b"\x80\x02)" + b"\x85" * deep + b"."
    yield "deep marks", b"\x80\x02" + b"(" * deep + b"t" * deep + b"."
    yield "deep dicts", b"\x80\x02" + b"}N" * deep + b"N" + b"s" * deep + b"."
    yield "deep, beside a network", state(more=text("x") + b"(" * deep + b"t" * deep)
    yield "deep marked lists", state(before=b"(" * 1000 + b"l" * 1000)
    laughs = b"]q\x00" + b"".join(b"](" + (b"h" + bytes([i])) * 20 + b"eq" + bytes([i + 1]) for i in range(30))
    yield "memo bomb of lists", b"\x80\x02(" + laughs + b"t."
    yield "memo bomb beside a network", state(more=text("x") + b"(" + laughs + b"t")
    doubled = b"]q\x00" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1])
                                   for i in range(60))
    yield "memo bomb of pairs", state(more=text("x") + b"(" + doubled + b"t")
    yield "memo far away", state(before=b"Nr\xff\xff\xff\xff0")
    yield "memo of 2^63", state(before=b"Np9223372036854775807\n0")
    yield "memo of minus one", state(before=b"Np-1\n0")
    yield "memo that is empty", state(before=b"h\x090")
    yield "memo without a value", b"\x80\x02q\x00."
    for opcode, width in ((b"X", 4), (b"T", 4), (b"B", 4), (b"\x8b", 4), (b"\x8d", 8), (b"\x8e", 8), (b"\x96", 8),
                          (b"\x95", 8)):
        yield f"a length of {opcode}", b"\x80\x04" + opcode + b"\xff" * (width - 1) + b"\x7f" + state()
    yield "no stack", b"\x80\x02."
    yield "two values", b"\x80\x02NN."
    yield "a mark at the end", b"\x80\x02N(."
    yield "below the mark", b"\x80\x02NN(\x86."
    yield "pop of nothing", b"\x80\x020N."
    yield "no mark", b"\x80\x02Nt."
    yield "a dict of odd length", state(before=b"(Nd0")
    yield "a list as a key", state(before=b"(]Nd0")
    yield "append to a text", state(before=text("x") + b"Na0")
    yield "set item of a list", state(before=b"]NNs0")
    yield "a cycle", b"\x80\x02]q\x00h\x00a."
    yield "no end", state()[:-1]
    for what, weight in {
            "more values than the storage": tensor(storage(), shape=(3, 4)),
            "an offset beyond": tensor(storage(), offset=1),
            "a far offset": tensor(storage(), offset=(1 << 62)),
            "a negative offset": tensor(storage(), offset=-1),
            "strides beyond": tensor(storage(), strides=(5, 1)),
            "strides that overflow": tensor(storage(), shape=(3, 4), strides=(1 << 62, 1 << 62)),
            "negative strides": tensor(storage(), offset=7, strides=(-4, -1)),
            "negative sizes": tensor(storage(), shape=(-2, -4)),
            "sizes that overflow": tensor(storage(), shape=(1 << 30, 1 << 30, 1 << 30), strides=(0, 0, 0)),
            "an expanded one": tensor(storage(), shape=(1 << 20, 1 << 20), strides=(0, 0)),
            "other strides than sizes": tensor(storage(), strides=(1,)),
            "too many axes": tensor(storage(), shape=(1,) * 9, strides=(1,) * 9),
            "sizes in a list": tensor(storage()).replace(b"(" + number(2) + number(4) + b"t",
                                                         b"(" + number(2) + number(4) + b"l"),
            "a storage beyond the file": tensor(storage(count=9)),
            "a storage of 2^61": tensor(storage(count=1 << 61)),
            "a storage of 2^62 doubles": tensor(storage(count=1 << 62, kind="DoubleStorage")),
            "a negative storage": tensor(storage(count=-8)),
            "a storage that is not there": tensor(storage(key="7")),
            "a storage of another file": tensor(storage(key="../../../../etc/passwd")),
            "a storage without a name": tensor(storage(key="")),
            "a storage twice": tensor(storage(count=4)) + b"0" + tensor(storage()),
            "a storage of an unknown type": tensor(storage(kind="EvilStorage")),
            "a storage of a function": tensor(storage(kind="_rebuild_tensor_v2", module="torch._utils")),
            "a part beyond its storage": tensor(storage(extra=b"(" + text("v") + number(4) + number(8) + b"t")),
            "a number for a storage": tensor(number(5)),
            "a tensor for a storage": tensor(tensor(storage())),
            "no arguments": name("torch._utils", "_rebuild_tensor_v2") + b")R",
            "a parameter of nothing": name("torch._utils", "_rebuild_parameter") + b")R",
            "a parameter of a text": name("torch._utils", "_rebuild_parameter") + text("x") + b"\x85R",
            "a type that is none": tensor(storage(), call=name("torch._utils", "_rebuild_tensor_v3")),
            "a text for a weight": text("x"),
            "a persistent text": text("0") + b"Q",
            "a persistent call": b"(" + text("storage") + name("os", "system") + text("0") + text("x") +
                                 number(8) + b"tQ",
            "a module": b"(" + text("module") + name("torch", "Tensor") + text("x") + text("y") + b"tQ",
    }.items():
        yield what, state(weight)
    yield "a name twice", state(more=text("fc.weight") + tensor(storage()))

    class Runs:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)
    for protocol in range(6):
        yield f"__reduce__ in protocol {protocol}", pickle.dumps({"state_dict": {"fc.weight": Runs()}}, protocol)


def check_harmful(import_files, folder):
    marker = os.path.join(folder, "it ran")
    cases = [(f"{what} in {form.__name__}", form(data)) for what, data in harmful(marker.replace(" ", "\\ "))
             for form in (as_zip, as_old)]
    cases += [("a pickle that is no file of torch.save()", pickle.dumps({"fc.weight": [1.0]}, protocol))
              for protocol in range(6)]
    cases += zips()
    paths = []
    for i, (what, data) in enumerate([("good", as_zip(state())), ("good", as_old(state())), *cases]):
        paths.append(os.path.join(folder, f"h{i}"))
        with open(paths[-1], "wb") as file:
            file.write(data)
    results = refusals(import_files, paths)
    assert [status for status, _ in results[:2]] == ["0", "0"], results[:2]
    for (what, _), (status, message) in zip(cases, results[2:]):
        assert status != "0", what
        assert "out of memory" not in message, (what, message)
        module = what.split(" in ")[0]
        assert module not in GLOBALS or f"'{module}'" in message, (what, message)
    assert not os.path.exists(marker)
    print(f"ok: {len(cases)} files that try to do harm")


def zips():
    """Archives that are none of torch.save()."""
    def build(entries, method=zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for entry, data in entries.items():
                archive.writestr(entry, data)
        return file.getvalue()
    good = {"x/data.pkl": state(), "x/data/0": bytes(32), "x/data/1": bytes(8)}
    yield "no pickle", build({"x/a.npy": b"1"})
    yield "compressed", build(good, zipfile.ZIP_DEFLATED)
    yield "a zip bomb", build({**good, "x/data.pkl": state(more=bytes(1 << 24))}, zipfile.ZIP_DEFLATED)
    yield "big-endian", build({**good, "x/byteorder": "big"})
    yield "a storage that is longer", build({**good, "x/data/0": bytes(33)})
    yield "a storage that is shorter", build({**good, "x/data/0": bytes(31)})
    yield "no entries", build({})
    yield "no parameters", build({**good, "x/data.pkl": b"\x80\2}."})
    data = bytearray(build({**good, "x/data/0": b"abcd" * 8}))
    data[data.index(b"abcd")] ^= 1
    yield "a flipped bit", bytes(data)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(1)
    with tempfile.TemporaryDirectory() as scratch:
        check_forms(sys.argv[1], scratch)
        check_order(sys.argv[1], scratch)
        check_words(sys.argv[2], scratch)
        check_no_sums(sys.argv[2], scratch)
        check_cuts(sys.argv[2], scratch)
        check_harmful(sys.argv[2], scratch)
