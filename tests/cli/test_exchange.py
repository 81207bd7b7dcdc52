"""export and import: what they say, what they leave, and the files that are none."""
import json
import os
import random
import re
import struct
import unittest

from support import TRAIN_COUNT, CommandTest, make_split, read_safetensors

SIZES = {"F32": 4, "F16": 2, "F64": 8, "I64": 8, "U8": 1}
NETWORK = ["--xdim", "1,8,8", "--cdims", "3,2", "--hdims", "5", "--ydim", "4"]


def shapes(**changes):
    """The tensors of NETWORK: (dtype, shape) by name; changes have '.' as '__', None removes."""
    result = {"conv2d_00.weight": [3, 1, 3, 3], "conv2d_00.bias": [3],
              "conv2d_04.weight": [2, 3, 3, 3], "conv2d_04.bias": [2],
              "linear_09.weight": [5, 8], "linear_09.bias": [5],
              "linear_11.weight": [4, 5], "linear_11.bias": [4]}
    result = {"net." + name: ("F32", shape) for name, shape in result.items()}
    for name, entry in changes.items():
        name = name.replace("__", ".")
        result[name] = ("F32", entry) if isinstance(entry, list) else entry
    return {name: entry for name, entry in result.items() if entry}


def renamed(**names):
    """The same under names that tell nothing; a value of None leaves one out."""
    names = {"conv2d_00": "conv1", "conv2d_04": "conv2", "linear_09": "fc1", "linear_11": "fc2", **names}
    return {names[key.split(".")[1]] + "." + key.split(".")[2]: entry
            for key, entry in shapes().items() if names[key.split(".")[1]]}


def network(convs, linears, kernel=3):
    """Layers of (outputs, inputs) under names that tell their kind alone."""
    result = {}
    for i, (outputs, inputs) in enumerate(convs):
        result[f"features.{3 * i}.weight"] = ("F32", [outputs, inputs, kernel, kernel])
        result[f"features.{3 * i}.bias"] = ("F32", [outputs])
    for i, (outputs, inputs) in enumerate(linears):
        result[f"classifier.{2 * i}.weight"] = ("F32", [outputs, inputs])
        result[f"classifier.{2 * i}.bias"] = ("F32", [outputs])
    return result


def sequential(*layers, prefix=""):
    """Layers of a Sequential: number, kernel's side (0: linear), outputs, inputs."""
    result = {}
    for number, kernel, outputs, inputs in layers:
        shape = [outputs, inputs, kernel, kernel] if kernel else [outputs, inputs]
        result[f"{prefix}{number}.weight"] = ("F32", shape)
        result[f"{prefix}{number}.bias"] = ("F32", [outputs])
    return result


# What is wrong with a state_dict, and what is said of it.
BAD = [
    (shapes(net__conv2d_04__bias=None), r"'net\.conv2d_04\.bias': expected it in the file"),
    (shapes(net__conv2d_00__weight=None, net__conv2d_00__bias=None), r"'net\.conv2d_04\.weight': the "
     r"network has no such tensor; it has 'net\.conv2d_00\.weight', which is missing \(6 missing: "
     r"net\.conv2d_00\.weight \(2, 3, 3, 3\), .*; 6 of the file fit nowhere: net\.conv2d_04"),
    (shapes(net__conv2d_04__weight=None, net__conv2d_04__bias=None, net__conv2d_03__weight=[2, 3, 3, 3],
            net__conv2d_03__bias=[2]), r"'net\.conv2d_03\.weight': the network has no such tensor; it "
     r"has 'net\.conv2d_04\.weight', which is missing"),
    (shapes(net__batchnorm2d_01__weight=[3]), r"'net\..*: the network has no such tensor; it has "),
    (shapes(net__conv2d_00__weight=[3, 1, 9]), r"'net\.conv2d_00\.weight': shape: expected 4 sizes "
     r"above 0, found \(3, 1, 9\)"),
    (shapes(net__linear_09__weight=[5, 0]), r"'net\.linear_09\.weight': shape: expected 2 sizes above "),
    (shapes(net__conv2d_00__weight=[3, 1, 3, 5]), r"shape: expected \(3, 1, 3, 3\), found \(3, 1, 3, 5"),
    (shapes(net__conv2d_00__weight=[3, 1, 13, 13]), r"--ksize: expected 1 to 11, found 13"),
    (shapes(net__conv2d_04__weight=[2, 4, 3, 3]), r"expected \(2, 3, 3, 3\), found \(2, 4, 3, 3\)"),
    (shapes(net__conv2d_00__bias=[4]), r"'net\.conv2d_00\.bias': shape: expected \(3,\), found \(4,\)"),
    (shapes(net__linear_11__weight=[70000, 5]), r"--ydim: expected 1 to 65535, found 70000"),
    (shapes(net__linear_11__weight=[4, 6]), r"'net\.linear_11\.weight': shape: expected \(4, 5\)"),
    (shapes(net__linear_09__weight=[5, 7]), r"'net\.linear_09\.weight': its 7 inputs are no square "
     r"planes of the last convolution's channels: .*give --xdim C,H,W$"),
    (shapes(net__linear_09__weight=[5, 12]), r"its 12 inputs are no square planes"),
    ({"net.linear_01.weight": ("F32", [4, 14]), "net.linear_01.bias": ("F32", [4])},
     r"'net\.linear_01\.weight': its 14 inputs are no square planes of 1 or 3 channels: "),
    ({"net.conv2d_00.weight": ("F32", [3, 1, 3, 3])}, "expected a last linear layer"),
    ({}, "expected a last linear layer"),
    ({f"net.conv2d_{4 * i:02d}.weight": ("F32", [1, 1, 1, 1]) for i in range(65)},
     r"'net\.conv2d_256\.weight': expected at most 64 layers of its kind"),
    (shapes(net__conv2d_00__bias=("U8", [3])), r"'net\.conv2d_00\.bias': dtype: expected F32, F16, "
     r"BF16 or F64, found 'U8': save it with \.float\(\)$"),
    (shapes(net__conv2d_00__bias=("I64", [3])), r"'net\.conv2d_00\.bias': dtype: expected F32, F16, "
     r"BF16 or F64, found 'I64': save it with \.float\(\)$"),
    # under other names
    ({**renamed(), "aux.weight": ("F32", [4, 2])}, r"expected linear layers that follow each other in one "
     r"way, .* found no such order of 3: aux\.weight \(4, 2\), fc1\.weight \(5, 8\)"),
    ({**renamed(), "ln.weight": ("F32", [5]), "ln.bias": ("F32", [5])}, r"'ln\.weight': \(5,\): "
     r"expected weights of 2D convolutions"),
    ({**renamed(), "rnn.weight_ih_l0": ("F32", [5, 5])}, r"'rnn\.weight_ih_l0': \(5, 5\): expected"),
    ({"parametrizations.weight.original0": ("F32", [10, 1]), "bias": ("F32", [10])}, "original0': "
     r"\(10, 1\): expected weights of 2D convolutions"),
    ({**renamed(), "bn.running_mean": ("F32", [3]), "bn.running_var": ("F32", [3])},
     r"'bn\.running_mean': expected a batch norm with weight and bias"),
    ({**renamed(), "bn.running_mean": ("F32", [3]), "bn.running_var": ("F32", [3]),
      "bn.weight": ("F32", [3]), "bn.bias": ("F32", [3])},
     "expected a batch norm behind each of 2 convolutions or none, found 1"),
    (network([(8, 4), (4, 16), (16, 8), (32, 8), (8, 32)], [(10, 8 * 49)]), "convolutions that follow .* "
     "found "),
    # whose images cannot be told
    (network([(32, 1), (64, 32)], [(128, 64 * 12 * 12), (10, 128)]), "convolutions that do not pad, with "
     "one pool behind the last, leave of images of 28 x 28"),
    (network([(32, 1), (64, 32)], [(128, 64 * 5 * 5), (10, 128)]), "do not pad, with a pool after each, "
     "leave of images of 28 x 28"),
    (network([(6, 3), (16, 6)], [(120, 400), (84, 120), (10, 84)], 5), "do not pad, with a pool after each, "
     "leave of images of 32 x 32"),
    (network([(10, 1), (20, 10)], [(50, 320), (10, 50)], 5), "do not pad, .* images of 28 x 28"),
    (network([(8, 1), (8, 8)], [(10, 8 * 24 * 24)]), "do not pad, without pools, leave of images of 28"),
    (network([(8, 3), (8, 8), (16, 8), (16, 16)], [(10, 16 * 64)]), "convolutions with fewer pools leave "
     "of images of 32 x 32"),
    # strides in the place of pools
    (sequential((0, 3, 8, 1), (2, 3, 16, 8), (5, 0, 10, 16 * 49)), r"between '0\.weight' and '2\.weight' is no place for an "
     "activation and a pool"),
    (sequential((0, 3, 8, 1), (3, 3, 16, 8), (6, 0, 10, 16 * 49), prefix="net."),
     r"between 'net\.3\.weight' and 'net\.6\.weight' is no place"),
    (network([(8, 1), (16, 8)], [(10, 16)]), "16 planes of 1 x 1, and the images' shape does not follow"),
    (network([(8, 1), (16, 8)], [(10, 16 * 17 * 17)]), "17 x 17, and the images' shape does not follow"),
]

# What is left out, or told by shapes, and what is said of it.
GOOD = [
    (shapes(net__conv2d_04__gain=[2]), r"1 tensor is not the network's, left out: net\.conv2d_04\.gain \(2,\)"),
    (shapes(total_ops=("F64", [1]), net__conv2d_4__weight=[3]), "2 tensors are not the network's, left out: "),
    ({"module." + name: entry for name, entry in shapes().items()}, None),
    ({**{"module." + name: entry for name, entry in shapes().items()}, "n_averaged": ("I64", [])},
     r"left out: n_averaged \(\)"),
    ({"module._orig_mod." + name: entry for name, entry in shapes().items()}, None),
    ({name.replace("net.", "net._orig_mod."): entry for name, entry in shapes().items()}, None),
    ({"encoder." + name: entry for name, entry in shapes().items()}, None),
    ({name.replace("net.", ""): entry for name, entry in shapes().items()}, None),
    (renamed(), "matched by the chain of shapes: conv1 -> net.conv2d_00, conv2 -> net.conv2d_04, "
     "fc1 -> net.linear_09, fc2 -> net.linear_11"),
    (renamed(conv2d_00="z", conv2d_04="c", linear_09="b", linear_11="a"), "z -> net.conv2d_00, "
     "c -> net.conv2d_04, b -> net.linear_09, a -> net.linear_11"),
    ({"module." + name: entry for name, entry in renamed().items()}, "conv1 -> net.conv2d_00"),
]


def write(path, tensors, fill=b"\0", cut=0):
    header, size = {}, 0
    for name, (dtype, shape) in tensors.items():
        count = SIZES[dtype]
        for length in shape:
            count *= length
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [size, size + count]}
        size += count
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + fill * size
    with open(path, "wb") as file:
        file.write(data[:len(data) - cut])


class Exchange(CommandTest):
    def setUp(self):
        os.makedirs(self.folder + "/made", exist_ok=True)
        self.source = self.folder + "/made/theirs"
        self.model = "made/ours.safetensors"

    def tearDown(self):
        for name in os.listdir(self.folder + "/made"):
            os.remove(f"{self.folder}/made/{name}")

    def assert_left(self, *names):
        self.assertEqual(sorted(os.listdir(self.folder + "/made")), sorted(names))


class Import(Exchange):
    def refuse(self, pattern, *more):
        return self.assert_refused(["import", "-q", self.source, self.model, *more], 1, pattern)

    def test_takes_a_sequential_with_places_for_pools(self):
        norms = {f"layers.{number}.{name}": ("F32", [width]) for number, width in ((1, 8), (3, 16))
                 for name in ("weight", "bias", "running_mean", "running_var")}
        write(self.source, {**sequential((0, 3, 8, 1), (2, 3, 16, 8), prefix="layers."), **norms,
                            **sequential((0, 0, 10, 16 * 49), prefix="fc.")})  # a list, as it stands in forward()
        self.assertIn("--cdims 8,16 --hdims none --ydim 10 --batchnorm",
                      self.run_command("import", self.source, self.model).stdout)
        for numbers in ((0, 3, 8), (0, 4, 9), (0, 1, 2)):  # the last ones are of a list of layers
            write(self.source, sequential((numbers[0], 3, 8, 1), (numbers[1], 3, 16, 8), (numbers[2], 0, 10, 16 * 49)))
            said = self.run_command("import", self.source, self.model).stdout
            self.assertIn("--xdim 1,28,28 --ksize 3 --cdims 8,16 --hdims none --ydim 10 ", said)

    def test_names_the_preset_of_its_shapes(self):
        write(self.source, {f"{module}.{kind}": ("F32", shape[:1] if kind == "bias" else shape)
                            for module, shape in {"features.0": [32, 1, 3, 3], "features.2": [64, 32, 3, 3],
                                                  "head.1": [128, 9216], "head.4": [10, 128]}.items()
                            for kind in ("weight", "bias")})
        self.refuse("; its shapes are those of --net mnist_example: give that")
        self.run_command("import", self.source, self.model, "--net", "mnist_example")

    def mnist_example(self, **names):
        """Tensors of that preset, its modules under other names."""
        return {f"{names.get(module, module)}.{kind}": ("F32", shape[:1] if kind == "bias" else shape)
                for module, shape in {"conv1": [32, 1, 3, 3], "conv2": [64, 32, 3, 3], "fc1": [128, 9216],
                                      "fc2": [10, 128]}.items() for kind in ("weight", "bias")}

    def test_names_the_preset_of_most_names(self):
        """The advice is one that says more, not one that is refused as the shapes' would be."""
        tensors = self.mnist_example(fc2="head")
        write(self.source, tensors)
        self.refuse("; most of its names and shapes are those of --net mnist_example: give that$")
        self.refuse(r"'head\.weight': the network has no such tensor; it has 'fc2\.weight', which is missing "
                    r"\(2 missing: fc2\.weight \(10, 128\), fc2\.bias \(10,\); 2 of the file fit nowhere: ",
                    "--net", "mnist_example")
        tensors.pop("fc1.bias")
        tensors["conv1.weight"] = ("F32", [32, 1, 5, 5])
        tensors["a.weight"] = ("F32", [7, 3])
        write(self.source, tensors)
        self.refuse(r"'a\.weight': the network has no such tensor; it has 'fc1\.bias', which is missing \(3 missing: "
                    r"fc1\.bias \(128,\), .*; 3 of the file fit nowhere: a\.weight \(7, 3\), .*\); 1 of another shape: "
                    r"expected conv1\.weight \(32, 1, 3, 3\); found conv1\.weight \(32, 1, 5, 5\) "
                    r"\(with --net mnist_example --xdim 1,28,28 --ydim 10\)$",
                    "--net", "mnist_example")

    def test_what_it_is_tells_more_than_its_name(self):
        write(self.folder + "/theirs.onnx", self.mnist_example())
        said = self.run_command("import", self.folder + "/theirs.onnx", self.model).stderr
        self.assertIn("names and shapes are those of --net mnist_example", said)
        self.assertNotIn("warning", said)

    def test_variances_below_zero(self):
        net = self.folder + "/norm.net"
        with open(net, "w", encoding="utf-8") as file:
            file.write("input(1,4,4)\nconv = Conv2d(2, 3, padding=1)\nbn = BatchNorm2d()\nFlatten()\nfc = Linear(classes)\n")
        tensors = {"conv.weight": ("F32", [2, 1, 3, 3]), "conv.bias": ("F32", [2]), "fc.weight": ("F32", [3, 32]),
                   "fc.bias": ("F32", [3]), **{f"bn.{kind}": ("F32", [2]) for kind in
                                               ("weight", "bias", "running_mean", "running_var")}}
        for fill, warnings in ((b"\xbf", 1), (b"\0", 0), (b"?", 0)):
            write(self.source, tensors, fill=fill)
            said = self.run_command("import", self.source, self.model, "--net", net).stderr
            self.assertEqual(len(re.findall(r"warning: .*bn\.running_var: expected variances of 0 or more, found -1\.4", said)),
                             warnings, said)

    def test_says_where_only_names_tell_layers_apart(self):
        net = self.folder + "/twins.net"
        with open(net, "w", encoding="utf-8") as file:
            file.write("input(8,6,6)\nconv_a = Conv2d(8, 3, padding=1)\nconv_b = Conv2d(8, 3, padding=1)\n"
                       "AdaptiveAvgPool2d(1)\nFlatten()\nfc = Linear(classes)\n")
        for names, guesses in ((("second", "first"), 1), (("c2", "c10"), 0), (("a.0.c", "a.1.c"), 0)):
            write(self.source, {f"{name}.{kind}": ("F32", [8] if kind == "bias" else [8, 8, 3, 3])
                                for name in names for kind in ("weight", "bias")} |
                  {"out.weight": ("F32", [5, 8]), "out.bias": ("F32", [5])})
            said = self.run_command("import", self.source, self.model, "--net", net).stderr
            self.assertIn(" -> conv_b, out -> fc", said)
            self.assertEqual(said.count("warning: "), guesses, said)
            if guesses:
                self.assertRegex(said, r"1 of these layers could have another's values, of the same shapes: the order "
                                       r"of the file's names decided; names as `params` lists them settle it")

    def network_file(self, text):
        net = self.folder + "/theirs.net"
        with open(net, "w", encoding="utf-8") as file:
            file.write("input(3,4,4)\n" + text + "AdaptiveAvgPool2d(1)\nFlatten()\n")
        return net

    def test_a_network_for_its_own_number_of_classes_alone(self):
        conv = {"a.weight": ("F32", [7, 3, 1, 1]), "a.bias": ("F32", [7])}
        norm = {"g.weight": ("F32", [7]), "g.bias": ("F32", [7]), "fc.weight": ("F32", [7, 7]), "fc.bias": ("F32", [7])}
        for tensors, text, end in ((norm, "a = Conv2d(7, 1)\ng = GroupNorm(classes)\n", "fc = Linear(classes)\n"),
                                   ({"b.weight": ("F32", [7, 3, 1, 1]), "b.bias": ("F32", [7])},
                                    "a = Conv2d(7, 1)\nb = Conv2d(classes, 1) <- input\nAdd(a, b)\n", "")):
            write(self.source, conv | tensors)
            net = self.network_file(text)
            with open(net, "a", encoding="utf-8") as file:
                file.write(end)
            self.assertIn("--ydim 7\n", self.run_command("import", "-q", self.source, self.model, "--net", net).stdout)
        net = self.network_file("a = Conv2d(classes, 1)\nb = Conv2d(5, 1)\n")
        write(self.source, {**conv, "b.weight": ("F32", [5, 7, 1, 1]), "b.bias": ("F32", [5])})
        self.refuse(r"'a\.weight': shape: expected \(5, 3, 1, 1\), found \(7, 3, 1, 1\).*--ydim 5\)$", "--net", net)

    def test_refuses_parameters_that_its_layers_leave_out(self):
        net = self.network_file("c = Conv2d(4, 3, bias=false)\nn = GroupNorm(2, affine=false)\n")
        conv, weight = {"c.weight": ("F32", [4, 3, 3, 3])}, ("F32", [4])
        for tensors, pattern in (({"c.bias": weight}, r"'c\.bias': the file has it, and the network's Conv2d 'c' has bias=false: "
                                                      r"leave bias=false out there, or the tensor in the file \(with --net"),
                                 ({"n.weight": weight}, "'n.weight': .* GroupNorm 'n' has affine=false"),
                                 ({"n.bias": weight}, "'n.bias': .* GroupNorm 'n' has affine=false")):
            write(self.source, conv | tensors)
            self.refuse(pattern, "--net", net)
        write(self.source, {"m.weight": conv["c.weight"], "m.bias": weight})
        self.refuse(r"'m\.bias': the file has it, and the network's Conv2d 'c' has", "--net", net)
        write(self.source, conv | {"other.bias": weight, "c.num_batches_tracked": ("I64", [])})
        self.assertIn("2 tensors are not the network's, left out: ",
                      self.run_command("import", self.source, self.model, "--net", net).stderr)
        write(self.source, {"c.weight": ("F64", [4, 3, 3, 3])})
        self.assertIn(": 1 tensor of F64 converted", self.run_command("import", self.source, self.model, "--net", net).stderr)
        write(self.source, shapes(net__conv2d_00__bias=("F64", [3]), net__linear_11__weight=("F16", [4, 5]),
                                  net__linear_11__bias=("F16", [4])))
        self.assertIn(": 2 tensors of F16, 1 of F64 converted to float32\n",
                      self.run_command("import", self.source, self.model).stderr)

    def test_names_the_network(self):
        write(self.source, shapes())
        result = self.run_command("import", self.source, self.model, "--name", "theirs")
        self.assertEqual(result.stdout, "--name theirs --xdim 1,8,8 --ksize 3 --cdims 3,2 --hdims 5 "
                                        "--ydim 4 --dropout 0.5\n")
        shape, dropout, pixels, saved = result.stderr.splitlines()
        self.assertTrue(pixels.endswith(": pixels from 0 to 1 are assumed: --normalize keeps another "
                                        "normalisation"), pixels)
        self.assertIn(": images of 1,8,8: square and halved without rest, as 'net.linear_09.weight' "
                      "has 8 inputs; ", shape)
        self.assertIn(": dropout 0.5 is assumed", dropout)
        self.assertEqual(saved, "model saved in " + self.model)
        _, metadata = read_safetensors(f"{self.folder}/{self.model}")
        self.assertEqual(json.loads(metadata["cnn-cl.config"])["name"], "theirs")
        self.assertEqual(self.run_command("import", "-q", self.source, self.model).stderr, "")
        self.assertIn("shape:[(4, 5)].",
                      self.run_command("params", "--model", self.model).stdout)

    def test_names_imagenets_classes(self):
        listed = self.run_command("params", "--net", "lenet5", "--ydim", "1000").stdout
        tensors = {name: ("F32", [int(size) for size in re.findall(r"\d+", shape)])
                   for name, shape in re.findall(r"name:\[(\S+)\] shape:\[\(([^)]*)\)\]", listed)}
        write(self.source, tensors)
        for options, fit in (([], "crop"), (["--net", "lenet5", "--fit", "pad"], "pad")):
            result = self.run_command("import", self.source, self.model, *options)
            self.assertIn("theirs: its 1000 classes are taken for ImageNet's: tench, goldfish, ...", result.stderr)
            _, metadata = read_safetensors(f"{self.folder}/{self.model}")
            names = json.loads(metadata["cnn-cl.classes"])
            self.assertEqual([names[i] for i in (0, 281, 999)], ["tench", "tabby", "toilet tissue"])
            self.assertEqual(json.loads(metadata["cnn-cl.preparation"])["fit"], fit)

    def test_pictures_in_colour_are_cropped(self):
        """As evaluation does; a model of cnn-cl's own says what it wants."""
        write(self.source, network([(8, 3)], [(10, 8 * 256)]))
        said = self.run_command("import", self.source, self.model).stderr
        self.assertIn("pictures are cropped to its input, as torchvision does, unless --fit says otherwise", said)
        for fit in ("pad", "crop"):
            self.run_command("import", self.source, self.model, "--fit", fit)
            again = self.run_command("import", self.model, "made/again.safetensors")
            self.assertNotIn("pictures are cropped", again.stderr)
            _, metadata = read_safetensors(f"{self.folder}/made/again.safetensors")
            self.assertEqual(json.loads(metadata["cnn-cl.preparation"]), {"fit": fit})

    def test_digits_are_kept(self):
        write(self.source, shapes())
        for options, kept in (([], None), (["--digits"], "digits")):
            result = self.run_command("import", self.source, self.model, *options)
            _, metadata = read_safetensors(f"{self.folder}/{self.model}")
            self.assertEqual(metadata.get("cnn-cl.pictures"), kept)
            self.assertEqual("converted as MNIST's" in result.stderr, kept is not None)

    def test_takes_what_the_options_settle(self):
        write(self.source, shapes())
        options = ["--xdim", "1,11,9", "--dropout", "0"]
        result = self.run_command("import", self.source, self.model, *options)
        self.assertRegex(result.stderr, rf"\A.*: pixels from 0 to 1 .*\nmodel saved in {self.model}\n\Z")
        self.assertIn("--xdim 1,11,9 ", result.stdout)
        self.assertIn("--dropout 0\n", result.stdout)
        self.refuse(r"'net\.linear_09\.weight': shape: expected \(5, 18\), found \(5, 8\) \(with --xdim "
                    r"1,12,12\)$", "--xdim", "1,12,12")
        self.refuse(r"'net\.conv2d_00\.weight': shape: expected \(3, 2, 3, 3\), found .* 2,8,8\)$",
                    "--xdim", "2,8,8")
        self.refuse(r"layer maxpool2d_02: an input of 3 x 1 x 8 leaves no output.*", "--xdim", "1,1,8")

    def test_refuses_other_networks(self):
        for tensors, pattern in BAD:
            with self.subTest(pattern):
                write(self.source, tensors)
                self.refuse(": .*" + pattern)
                self.assert_left("theirs")

    def test_refuses_what_is_no_file_of_tensors(self):
        self.refuse("theirs: cannot be opened: No such file")
        write(self.source, shapes(), cut=1)
        self.refuse("theirs: .*truncated")
        write(self.source, shapes(), fill=b"\xff")
        self.refuse(r"theirs: tensor 'net\.conv2d_00\.weight': expected finite values")
        write(self.source, shapes(net__conv2d_00__bias=("F64", [3])), fill=b"\x7e")
        self.refuse(r"'net\.conv2d_00\.bias': expected values in float32's range, up to 3\.4e\+38, found \d\.\d+e\+30\d$")
        write(self.source, {name: ("U8", shape) for name, (_, shape) in shapes().items()})
        said = self.run_command("import", self.source, self.model, code=1).stderr
        self.assertRegex(said, r"\A.*: dtype: expected F32, F16, BF16 or F64, found 'U8': save it with \.float\(\)\n\Z")
        for content in (b"", b"short", b"no safetensors file at all"):
            with open(self.source, "wb") as file:
                file.write(content)
            self.refuse("theirs: .*safetensors")
        for content, pattern in (
                (b"\x89HDF\r\n\x1a\n" + bytes(8), "found an HDF5 file .*; load it where it was made"),
                (b"PK\3\4" + bytes(22) + b"\5\0\0\0a.npy", r"found arrays of NumPy's \(npz\); python3 -c "),
                (b"RIFF\0\0\0\0WEBPVP8 ", "found a WebP picture"),
                (b"<!DOCTYPE html>", "found a page of the web .*download"), (b"", "found an empty file"),
                (b"hello", "found text that starts with 'hello'"),
                (b"\x80\4\x95\3\0\0\0\0\0\0\0K\1.", "found another pickle: save the weights with torch.save")):
            with open(self.source, "wb") as file:
                file.write(content)
            self.refuse("theirs: expected .*safetensors.*" + pattern)
            if content[:4] in (b"\x89HDF", b"RIFF"):
                self.assert_refused(["eval", "--model", self.source], 1, r"theirs: expected a saved model "
                                    r"\(safetensors\), found (an HDF5 file .*|a WebP picture)")
        self.source = self.folder
        self.refuse("expected a regular file")

    def test_takes_what_is_named_otherwise(self):
        for tensors, pattern in GOOD:
            with self.subTest(pattern):
                write(self.source, tensors)
                result = self.run_command("import", self.source, self.model)
                self.assertIn("--xdim 1,8,8 --ksize 3 --cdims 3,2 --hdims 5 --ydim 4 ", result.stdout)
                self.assertRegex(result.stderr, pattern or "saved in")
                self.assertEqual(len(result.stderr.splitlines()), 4 + bool(pattern), result.stderr)

    def test_several_files_with_an_index(self):
        tensors = list(shapes().items())
        folder = f"{self.folder}/made/"
        for i in range(2):
            write(f"{folder}part-{i}", dict(tensors[i::2]))
        places = {name: f"part-{i % 2}" for i, (name, _) in enumerate(tensors)}
        good = {"metadata": {"total_size": 1}, "weight_map": places}
        bad = [({"weight_map": {}}, "expected an index"), ({"weights": places}, "expected an index"),
               ({"weight_map": {**places, "more": "part-0"}}, "'more': weight_map: expected it in 'part-0'"),
               ({"weight_map": {**places, "x": "../part-0"}}, "'x': weight_map: expected the name of a file"),
               ({"weight_map": {**places, "x": 5}}, "'x': weight_map: expected the name of a file"),
               ({"weight_map": {**places, "x": "theirs"}}, "theirs: expected tensors, found another index"),
               ({"weight_map": {**places, "x": "none"}}, "none: cannot be opened")]
        for index, pattern in bad:
            with open(self.source, "w", encoding="utf-8") as file:
                json.dump(index, file)
            self.refuse(pattern)
        with open(self.source, "w", encoding="utf-8") as file:
            json.dump(good, file, indent=2)
        self.assertIn("--cdims 3,2 ", self.run_command("import", self.source, self.model).stdout)

    def test_an_output_that_cannot_be_written(self):
        write(self.source, shapes())
        self.assertRegex(self.run_command("import", self.source, "none/x.safetensors", code=1).stderr,
                         r"(?m)^cnn-cl: import: none/x\.safetensors cannot be written in its folder: No such")


class Normalisation(Exchange):
    """y = W (p - m) / s + b is what a network of the weights W / s and biases b - W m / s computes."""

    def setUp(self):
        super().setUp()
        draw = random.Random(7)
        weights = [[draw.gauss(0, 0.3) for _ in range(64)] for _ in range(4)]
        biases = [draw.gauss(0, 0.3) for _ in range(4)]
        folded = [[value / 0.25 for value in row] for row in weights]
        moved = [bias - sum(row) * 0.5 / 0.25 for row, bias in zip(weights, biases)]
        for name, (rows, column) in {"theirs": (weights, biases), "folded": (folded, moved)}.items():
            write(f"{self.folder}/made/{name}", {"fc.weight": ("F32", [4, 64]), "fc.bias": ("F32", [4])})
            with open(f"{self.folder}/made/{name}", "r+b") as file:
                file.seek(-4 * 4 * 65, os.SEEK_END)
                file.write(struct.pack("<260f", *(value for row in rows for value in row), *column))

    def imported(self, source, *more):
        out = f"made/{source}{len(more)}.safetensors"
        self.run_command("import", "made/" + source, out, *more)
        return out

    def loss(self, model):
        return json.loads(self.run_command("eval", "--json", "--data", self.data, "--model", model).stdout)["loss"]

    def test_is_applied_wherever_pixels_are(self):
        normal = self.imported("theirs", "--mean", "0.5", "--std", "0.25")
        plain, folded = self.imported("theirs"), self.imported("folded")
        self.assertAlmostEqual(self.loss(normal), self.loss(folded), 4)
        self.assertNotAlmostEqual(self.loss(normal), self.loss(plain), 2)
        picture = b"P5 8 8 255\n" + bytes(range(0, 256, 4))
        with open(self.folder + "/made/own.pgm", "wb") as file:
            file.write(picture)
        said = [self.run_command("predict", "--json", "--model", model, "--top", "4", "--no-preprocess",
                                 "made/own.pgm").stdout.split('"images"')[1] for model in (normal, folded, plain)]
        numbers = [[round(float(number), 4) for number in re.findall(r'"probability": ([^},]*)', one)]
                   for one in said]
        self.assertEqual(numbers[0], numbers[1])
        self.assertNotEqual(numbers[0], numbers[2])

    def test_stays_with_the_model(self):
        normal = self.imported("theirs", "--mean", "0.5", "--std", "0.25")
        self.assertEqual(self.saved(normal), "0.5:0.25")
        options = ["--data", self.data, "--epochs", "1", "--batch", "64"]
        self.run_command("train", "--model", normal, "--out", "run", *options)
        self.assertEqual(self.saved("run/cnn.safetensors"), "0.5:0.25")
        self.run_command("train", "--resume", "--out", "run", "--epochs", "2")
        self.assertEqual(self.saved("run/cnn.safetensors"), "0.5:0.25")
        result = self.run_command("export", "--model", normal, "made/a.npz")
        self.assertIn("the pixels' normalisation is not in it: 0.5:0.25", result.stderr)

    def test_options_say_it_too(self):
        self.assertEqual(self.saved(self.imported("theirs", "--normalize", "0.5:0.25")), "0.5:0.25")
        self.assertIsNone(self.saved(self.imported("theirs", "--normalize", "none")))
        normal, plain = self.imported("theirs", "--mean", "0.5", "--std", "0.25"), self.imported("theirs")
        tried = [json.loads(self.run_command("eval", "--json", "--data", self.data, "--model", plain,
                                             "--normalize", kind).stdout)["loss"] for kind in ("0.5:0.25", "none")]
        self.assertEqual(tried, [self.loss(normal), self.loss(plain)])
        options = ["train", "--data", self.data, "--epochs", "1", "--batch", "64", *NETWORK]
        said = self.run_command(*options, "--out", "by", "--normalize", "data").stderr
        images, _ = make_split(TRAIN_COUNT, 1)
        mean = sum(images) / len(images)
        deviation = (sum((value - mean) ** 2 for value in images) / len(images)) ** 0.5
        numbers = self.saved("by/cnn.safetensors")
        self.assertIn("pixels are normalised, (pixel - mean) / deviation: " + numbers, said)
        for number, expected in zip(numbers.split(":"), (mean / 255, deviation / 255)):
            self.assertAlmostEqual(float(number), expected, 6)
        self.run_command("train", "--resume", "--out", "by", "--epochs", "2", "--normalize", "data")
        self.assert_refused(["train", "--resume", "--out", "by", "-q", "--normalize", "none"], 1,
                            f"--normalize: expected {numbers} as in .*, found none: leave it out")
        for arguments, code, pattern in (
                ([*options, "--normalize", "imagenet"], 2, r"--normalize: normalisation: MEANS: expected a number, .* \(1\)"),
                ([*options, "--normalize", "some"], 2, "--normalize: expected none, data, imagenet or MEANS"),
                (["import", self.source, self.model, "--normalize", "data"], 2, "--normalize data: there are no"),
                (["import", self.source, self.model, "--normalize", "none", "--std", "1"], 2, "exclude each other"),
                (["serve", "--model", plain, "--normalize", "none"], 2, "--normalize is no option of the command")):
            self.assert_refused(arguments, code, pattern)

    def saved(self, model):
        return read_safetensors(f"{self.folder}/{model}")[1].get("cnn-cl.normalize")

    def test_numbers_that_are_none(self):
        for options, code, pattern in (
                (["--mean", "x"], 2, "--mean: expected a number, or one for each channel"),
                (["--std", "0"], 2, "STDS: expected a number above 0, .* found '0'"),
                (["--std", "-1"], 2, "STDS: expected"), (["--std", "1e-60"], 2, "STDS: expected"),
                (["--mean", "1e39"], 2, "MEANS: expected"), (["--mean", "0.1,0.2"], 2, r"MEANS: .* \(1\) .* found '0.1,0.2'"),
                (["--mean", ","], 2, "MEANS: expected"), (["--mean", "nan"], 2, "--mean: expected")):
            self.assert_refused(["import", "-q", self.source, self.model, *options], code, pattern)
        self.assert_left("folded", "theirs")
        normal = self.imported("theirs", "--mean", "0.5", "--std", "0.25")
        text = self.read(normal).replace(b'"0.5:0.25"', b'"0.5;0.25"')
        with open(f"{self.folder}/{normal}", "wb") as file:
            file.write(text)
        self.assert_refused(["eval", "--model", normal, "--data", self.data], 1,
                            "cnn-cl.normalize: normalisation: expected none, imagenet or MEANS:STDS, .* found '0.5;0.25'")


class Export(Exchange):
    def export(self, path, *more, **options):
        return self.run_command("export", path, *NETWORK, *more, **options)

    def test_says_what_it_wrote(self):
        result = self.export("made/a.onnx")
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.splitlines(), [
            "no --model: a fresh network, not trained, of seed 0",
            "made/a.onnx: input 'image' (batch, 1, 8, 8), pixels in 0..1; output 'logits' (batch, 4)"])
        self.run_command("train", "--data", self.data, "--out", "itself", *NETWORK, "--epochs", "0")
        for name in ("itself/cnn.safetensors", "itself/../itself/cnn.safetensors"):
            self.assert_refused(["export", "--model", "itself/cnn.safetensors", name, "--format", "onnx"], 2,
                                "is the model itself: give another name")
        self.assertIn("made/b.npz: 8 arrays under PyTorch's names\n", self.export("made/b.npz").stderr)
        self.assertEqual(self.export("made/c", "--format", "onnx", "-q").stderr, "")
        self.assertEqual(self.read("made/c"), self.read("made/a.onnx"))
        self.assertTrue(self.read("made/b.npz").startswith(b"PK\3\4"))
        self.assert_left("a.onnx", "b.npz", "c")

    def test_a_saved_model(self):
        write(self.source, shapes())
        self.run_command("import", self.source, self.model)
        for name in ("a.onnx", "a.npz"):
            result = self.run_command("export", "--model", self.model, "made/" + name)
            self.assertEqual(len(result.stderr.splitlines()), 1)
            self.assertRegex(self.run_command("export", "--model", self.source, "made/" + name,
                                              code=1).stderr, "theirs: .*not written by cnn-cl")
            self.assertRegex(self.run_command("export", "--model", "absent", "made/" + name,
                                              code=1).stderr, "absent: cannot be opened")

    def test_an_output_that_cannot_be_written(self):
        os.mkdir(self.folder + "/taken.npz")
        for path in ("none/a.onnx", "none/a.npz", "taken.npz"):
            self.assertRegex(self.export(path, code=1).stderr,
                             rf"(?m)^cnn-cl: export: {path}( cannot be written in its folder: |: expected a file)")
        self.assertEqual(sorted(os.listdir(self.folder)), ["data", "made", "taken.npz"])


if __name__ == "__main__":
    unittest.main()
