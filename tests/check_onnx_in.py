"""ONNX files of others, imported: the network that each is, as text; what is refused, and why; beginnings of a file;
and, where Python has onnxruntime and PyTorch, the same logits, of what both of PyTorch's exporters write, too:
check_onnx_in.py CNN_CL IMPORT_FILES PLAIN_NETWORK [all]
With "all" more of what the exporters write.
Runs itself in the Python that CNN_CL_TEST_PYTHON names, else in this one."""
import os
import re
import resource
import subprocess
import sys
import tempfile

OTHER = os.environ.pop("CNN_CL_TEST_PYTHON", None)
if OTHER:
    os.execvp(OTHER, [OTHER, *sys.argv])

try:
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)
try:
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
except ImportError:
    onnxruntime = None

from onnx_file import TYPES, field, graph, model, node, tensor, value

TOLERANCE = 1e-4
MEMORY = 1 << 30  # bytes
KINDS = {"tensor(uint8)": "u1", "tensor(int32)": "i4", "tensor(float)": "f4"}  # onnxruntime's names
draw = np.random.default_rng(3)


def random(*shape):
    return draw.normal(0, 0.5, shape).astype("f4")


CONV = node("Conv", "x,w,b", "c", "conv")
W, B = random(4, 3, 3, 3), random(4)
# after c, (batch, 4, 6, 5): a mean, and logits
END = [node("GlobalAveragePool", "e", "g"), node("Flatten", "g", "f"), node("Gemm", "f,v,u", "y", "last", transB=1)]
V, U = random(2, 4), random(2)
PIXELS = np.array([0.1, 0.2, 0.3], "f4").reshape(3, 1, 1)
ONES = np.ones(4, "f4")


def build(nodes, tensors=None, opset=17, dims=("n", 3, 8, 7), forms=None, inputs=(), output=("n", 2), kind="f4"):
    """The nodes between c and e; the tensors beside w, b, v and u."""
    everything = {"w": W, "b": B, "v": V, "u": U, **(tensors or {})}
    parts = [tensor(name, array, (forms or {}).get(name, "raw")) for name, array in everything.items()]
    return model(graph(nodes, parts, [value("x", dims, TYPES[kind]), *inputs], [value("y", output)]), opset)


def middle(*nodes, **options):
    return build([CONV, *nodes, *END], **options)


def after(name, op, *more, **attributes):
    """One operator between c and e."""
    return node(op, ",".join(["c", *more]), "e", name, **attributes)


HEAD = r"input\(3, 8, 7\)\nconv = Conv2d\(4, 3\)\n"
TAIL = r"AdaptiveAvgPool2d\(1\)\nlast = Linear\(2\)\n$"
# what it is, the file, its network's text from the first line on
TAKEN = [
    ("relu", middle(after("a", "Relu")), HEAD + r"ReLU\(\)\n" + TAIL),
    ("relu6 of attributes", middle(after("a", "Clip", min=0.0, max=6.0), opset=9), HEAD + r"ReLU6\(\)\n" + TAIL),
    ("relu6 of inputs", middle(after("a", "Clip", "lo", "hi"), tensors={"lo": np.float32(0), "hi": np.float32(6)}),
     HEAD + r"ReLU6\(\)\n" + TAIL),
    ("clip above 0", middle(after("a", "Clip", "lo"), tensors={"lo": np.float32(0)}), HEAD + r"ReLU\(\)\n" + TAIL),
    ("leaky", middle(after("a", "LeakyRelu", alpha=0.2)), HEAD + r"LeakyReLU\(negative_slope=0\.2\)\n" + TAIL),
    ("prelu of one number", middle(after("a", "PRelu", "s"), tensors={"s": np.full((4, 1, 1), 0.25, "f4")}),
     HEAD + r"LeakyReLU\(negative_slope=0\.25\)\n" + TAIL),
    ("silu", middle(node("Sigmoid", "c", "s"), after("a", "Mul", "s")), HEAD + r"SiLU\(\)\n" + TAIL),
    ("silu, exp", middle(node("Neg", "c", "n1"), node("Exp", "n1", "n2"), node("Add", "one,n2", "n3"),
                         node("Div", "c,n3", "e"), tensors={"one": np.float32(1)}), HEAD + r"SiLU\(\)\n" + TAIL),
    ("hard swish", middle(node("HardSigmoid", "c", "s", alpha=1 / 6, beta=0.5), after("a", "Mul", "s")),
     HEAD + r"Hardswish\(\)\n" + TAIL),
    ("hard sigmoid", middle(node("HardSigmoid", "c", "e", alpha=1 / 6, beta=0.5)),
     HEAD + r"ReLU6\(\)\nScale\(0\.16666666666666666\)\n" + TAIL),
    ("one more, and what it is of", middle(node("Add", "c,one", "d", "more"), node("Concat", "c,d", "j", axis=1),
                                           node("Conv", "j,k", "e", "join"),
                                           tensors={"one": np.float32(1), "k": random(4, 8, 1, 1)}),
     HEAD + r"more = Conv2d\(4, 1, groups=4\)\nConcat\(conv, more\)\njoin = Conv2d\(4, 1, bias=false\)\n" + TAIL),
    ("hard swish of parts", middle(node("Add", "c,three", "p"), node("Clip", "p,lo,six", "q"), node("Mul", "c,q", "r"),
                                   node("Div", "r,six", "e"),
                                   tensors={"lo": np.float32(0), "three": np.float32(3), "six": np.float32(6)}),
     HEAD + r"Hardswish\(\)\n" + TAIL),
    ("gelu", middle(node("Mul", "c,r", "p"), node("Erf", "p", "q"), node("Add", "q,one", "r1"), node("Mul", "c,half", "h"),
                    node("Mul", "h,r1", "e"),
                    tensors={"r": np.float32(0.5**0.5), "one": np.float32(1), "half": np.float32(0.5)}),
     HEAD + r"GELU\(\)\n" + TAIL),
    ("gelu, opset 20", middle(after("a", "Gelu", approximate="tanh"), opset=20),
     HEAD + r"GELU\(approximate=tanh\)\n" + TAIL),
    ("no formula as a whole", middle(node("Relu", "c", "r"), node("Mul", "r,k", "s"), node("Add", "s,c", "e"),
                                     tensors={"k": np.float32(0.5)}),
     HEAD + r"ReLU\(\)\nscale_02 = Scale\(0\.5\)\nAdd\(scale_02, conv\)\n" + TAIL),
    ("batch norm", middle(after("a", "BatchNormalization", "o", "z", "m", "s", epsilon=1e-3, momentum=0.99),
                          tensors={"o": random(4), "z": random(4), "m": random(4), "s": ONES}),
     HEAD + r"a = BatchNorm2d\(eps=0\.001, momentum=0\.01\)\n" + TAIL),
    ("numbers of channels become the convolution's",
     middle(node("Mul", "c,k", "m"), node("Sub", "m,t", "e"),
            tensors={"k": random(1, 4, 1, 1), "t": random(4, 1, 1)}), HEAD + TAIL),
    ("numbers of channels behind a formula", middle(node("Tanh", "c", "t"), node("Mul", "t,k", "e", "gamma"),
                                                    tensors={"k": random(4, 1, 1)}),
     HEAD + r"Tanh\(\)\ngamma = Conv2d\(4, 1, groups=4\)\n" + TAIL),
    ("group norm", middle(node("Reshape", "c,g1", "r"), node("InstanceNormalization", "r,one,zero", "i"),
                          node("Shape", "c", "sh"), node("Reshape", "i,sh", "j"), node("Mul", "j,k", "m"),
                          node("Add", "m,t", "e"),
                          tensors={"g1": np.array([0, 2, -1]), "one": np.ones(2, "f4"), "zero": np.zeros(2, "f4"),
                                   "k": random(4, 1, 1), "t": random(4, 1, 1)}),
     HEAD + r"GroupNorm\(2\)\n" + TAIL),
    ("group norm, opset 21", middle(after("a", "GroupNormalization", "k", "t", num_groups=2),
                                    tensors={"k": random(4), "t": random(4)}, opset=21),
     HEAD + r"a = GroupNorm\(2\)\n" + TAIL),
    ("max pool", middle(after("a", "MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1])),
     HEAD + r"MaxPool2d\(\(3, 2\), stride=\(2, 1\), padding=\(1, 0, 1, 1\)\)\n" + TAIL),
    ("max pool, same", middle(after("a", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")),
     HEAD + r"MaxPool2d\(3, stride=2, padding=\(0, 1, 1, 1\)\)\n" + TAIL),
    ("average pool", middle(after("a", "AveragePool", kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1])),
     HEAD + r"AvgPool2d\(2, padding=1, count_include_pad=false\)\n" + TAIL),
    ("zeros before a maximum of what is not below 0",
     middle(node("Relu", "c", "r"), node("Pad", "r,p", "q"), node("MaxPool", "q", "e", kernel_shape=[3, 3]),
            tensors={"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
     HEAD + r"ReLU\(\)\nMaxPool2d\(3, stride=1, padding=1\)\n" + TAIL),
    ("zeros before a convolution", build([node("Pad", "x,p", "q"), node("Conv", "q,w,b", "e", "conv"), *END],
                                         tensors={"p": np.array([0, 0, 0, 1, 0, 0, 1, 2])}),
     r"input\(3, 8, 7\)\nconv = Conv2d\(4, 3, padding=\(0, 1, 1, 2\)\)\n" + TAIL),
    ("a mean", build([node("Conv", "x,w", "c", "conv"), node("ReduceMean", "c", "f", axes=[2, 3], keepdims=0),
                      node("MatMul", "f,m", "l"), node("Add", "l,u", "y")], tensors={"m": random(4, 2)}),
     r"input\(3, 8, 7\)\nconv = Conv2d\(4, 3, bias=false\)\nAdaptiveAvgPool2d\(1\)\nLinear\(2\)\n$"),
    ("a maximum", build([CONV, node("ReduceMax", "c", "f", axes=[-1, -2], keepdims=0), node("Gemm", "f,v,u", "y", "last",
                                                                                             transB=1)]),
     HEAD + r"MaxPool2d\(\(6, 5\)\)\nlast = Linear\(2\)\n$"),
    ("a global maximum", build([CONV, node("GlobalMaxPool", "c", "g"), *END[1:]]),
     HEAD + r"MaxPool2d\(\(6, 5\)\)\nlast = Linear\(2\)\n$"),
    ("sums of one and of three", middle(node("Tanh", "c", "t"), node("Sigmoid", "c", "s"), node("Sum", "t", "t1"),
                                        node("Sum", "c,t1,s", "e")),
     HEAD + r"tanh_\d+ = Tanh\(\)\nadd_\d+ = Add\(.*\)\nsigmoid_\d+ = Sigmoid\(\) <- conv\nAdd\(.*\)\n" + TAIL),
    ("maximum with a number", build([node("Max", "zero,x", "r"), node("Conv", "r,w,b", "e", "conv"), *END],
                                    tensors={"zero": np.float32(0)}),
     r"input\(3, 8, 7\)\nReLU\(\)\nconv = Conv2d\(4, 3\)\n" + TAIL),
    ("casts between floats", middle(node("Cast", "c", "h", to=11), node("Cast", "h", "g0", to=1), node("CastLike", "g0,x", "g1"),
                                    node("Relu", "g1", "e")), HEAD + r"ReLU\(\)\n" + TAIL),
    ("a shape of the batch", build([CONV, node("Shape", "c", "s"), node("Gather", "s,zero", "n1"),
                                    node("Unsqueeze", "n1,zeros", "n2"), node("Concat", "n2,minus", "t", axis=0),
                                    node("Reshape", "c,t", "f"), node("Gemm", "f,big", "y", "last")],
                                   tensors={"zero": np.int64(0), "zeros": np.array([0]), "minus": np.array([-1]),
                                            "big": random(120, 2)}),
     HEAD + r"Flatten\(\)\nlast = Linear\(2, bias=false\)\n$"),
    ("joined, softmax left out", build([CONV, node("Tanh", "c", "t"), node("Concat", "c,t", "j", axis=-3),
                                        node("GlobalAveragePool", "j", "g"), node("Squeeze", "g,a", "f"),
                                        node("Gemm", "f,k,u", "l", "last", alpha=0.5, beta=2.0),
                                        node("Softmax", "l", "y", axis=1)],
                                       tensors={"k": random(8, 2), "a": np.array([2, 3])}),
     HEAD + r"tanh_01 = Tanh\(\)\nConcat\(conv, tanh_01\)\nAdaptiveAvgPool2d\(1\)\nlast = Linear\(2\)\n$"),
    ("channels last", build([node("Transpose", "x", "t", perm=[0, 3, 1, 2]), node("Conv", "t,w,b", "c", "conv"),
                             node("Transpose", "c", "d", perm=[0, 2, 3, 1]), node("Reshape", "d,s", "f"),
                             node("MatMul", "f,big", "y", "last")], dims=("n", 8, 7, 3),
                            tensors={"s": np.array([-1, 120]), "big": random(120, 2)}),
     HEAD + r"Flatten\(\)\nlast = Linear\(2, bias=false\)\n$"),
    ("one channel, last", build([node("Reshape", "x,t", "p"), node("Conv", "p,k,b", "e", "conv"), *END], dims=("n", 8, 7, 1),
                                tensors={"t": np.array([-1, 1, 8, 7]), "k": random(4, 1, 3, 3)}),
     r"input\(1, 8, 7\)\nconv = Conv2d\(4, 3\)\n" + TAIL),
    *[(f"{label}, pixels to 255", build([node("Cast", "x", "f0", to=1), node(op, "f0,m", "q"),
                                         node("Conv", "q,w,b", "e", "conv"), *END], tensors={"m": number}, kind=kind), HEAD + TAIL)
      for label, kind, op, number in (("bytes divided", "u1", "Div", np.float32(255)),
                                      ("bytes normalised", "u1", "Sub", 255 * PIXELS),
                                      ("integers divided", "i4", "Div", 100 * PIXELS),
                                      ("floats divided", "f4", "Mul", np.float32(1 / 127.5)))],
    ("bytes as they are, pixels to 255", build([node("Cast", "x", "f0", to=1), node("Conv", "f0,w,b", "e", "conv"), *END],
                                               kind="u1"), HEAD + TAIL),
    ("sigmoid at the end", build([CONV, node("GlobalAveragePool", "c", "g"), node("Flatten", "g", "f"),
                                  node("Gemm", "f,v,u", "l", "last", transB=1), node("Sigmoid", "l", "y")]), HEAD + TAIL),
    ("pixels normalised", build([node("Sub", "x,m", "p"), node("Div", "p,s", "q"), node("Conv", "q,w,b", "e", "conv"),
                                 *END], tensors={"m": PIXELS, "s": 2 * PIXELS}), HEAD + TAIL),
    ("values in fields, one by one, of half and of double", middle(after("a", "Relu"), forms={"w": "typed", "b": "loose", "v": "typed"},
                                           tensors={"v": V.astype("f2"), "u": U.astype("f8")}),
     HEAD + r"ReLU\(\)\n" + TAIL),
    ("initialisers among the inputs, a fixed batch", middle(after("a", "Relu"), dims=(2, 3, 8, 7), output=(2, 2), inputs=[
        value("w", W.shape), value("b", B.shape)]), HEAD + r"ReLU\(\)\n" + TAIL),
    ("dropout", middle(after("a", "Dropout", "r"), tensors={"r": np.float32(0.25)}),
     HEAD + r"Dropout\(p=0\.25\)\n" + TAIL),
    ("names of PyTorch", build([node("Conv", "x,w,b", "c", "/a/a.0/conv:1/Conv"), node("Conv", "c,k", "e", "/a/a.0/conv:1/Conv_1"),
                                *END], tensors={"k": random(4, 4, 1, 1)}),
     r"input\(3, 8, 7\)\na\.0\.conv_1 = Conv2d\(4, 3\)\na\.0\.conv_1_2 = Conv2d\(4, 1, bias=false\)\n" + TAIL),
]
# what is refused, and what the line says
REFUSED = [
    *[(middle(node(op, ",".join(["c", *more]), "d", "a", **named), node("Cast", "d", "e", to=1), tensors={"k": np.int64([1])}),
       rf"node 'a' \({op}\): (to|its second input): expected a type of floats, found (I64|BOOL|U8): no kind of layer rounds")
      for op, more, named in (("Cast", [], {"to": 7}), ("Cast", [], {"to": 9}), ("Cast", [], {"to": 2}), ("CastLike", ["k"], {}))],
    (build([node("Div", "x,m", "q", "a"), node("Cast", "q", "f0", to=1), node("Conv", "f0,w,b", "e", "conv"), *END],
           tensors={"m": np.int32(255)}, kind="i4"), r"node 'a' \(Div\): expected floats"),
    (middle(after("a", "Add", "x")), r"node 'a' \(Add\): expected inputs of one shape, found c \(4, 6, 5\) and x \(3, 8, 7\)$"),
    (middle(after("a", "ReduceMax", axes=[1])), r"node 'a' \(ReduceMax\): axes"),
    (middle(node("Sum", "one,one,c", "e", "a"), tensors={"one": np.float32(1)}), r"node 'a' \(Sum\): expected a value of the"),
    (build([CONV, node("GlobalAveragePool", "c", "g"), node("Flatten", "g", "f"), node("Gemm", "f,v,u", "l", transB=1),
            node("Sigmoid", "l", "y")], tensors={"v": random(1, 4), "u": random(1)}, output=("n", 1)),
     r"an output for each class, found one output alone"),
    (middle(after("a", "LSTM")), r"node 'a' \(LSTM\): no kind of layer computes this operator"),
    (middle(after("a", "Relu", domain="com.microsoft")), r"node 'a' \(Relu\): operators of the domain 'com.microsoft'"),
    (middle(after("a", "Mish")), r"node 'a' \(Mish\): no kind"),
    (middle(after("a", "Softplus")), r"node 'a' \(Softplus\): no kind"),
    (middle(after("a", "Add", "k"), tensors={"k": random(4, 6, 5)}), r"node 'a' \(Add\): expected one number, or one for each of 4"),
    (middle(after("a", "Add", "k"), tensors={"k": random(3, 1, 1)}), r"node 'a' \(Add\): expected one number, or one for each of 4"),
    (middle(after("a", "Transpose", perm=[0, 1, 3, 2])), r"node 'a' \(Transpose\): expected NCHW to NHWC"),
    (middle(after("a", "Softmax", axis=1)), r"node 'a' \(Softmax\): only the graph's output may read it"),
    (middle(node("Pad", "c,p", "e", "a"), tensors={"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
     r"node 'a' \(Pad\): only convolutions and pools"),
    (middle(node("Pad", "c,p", "q", "a"), node("MaxPool", "q", "e", kernel_shape=[3, 3]),
            tensors={"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}), r"node 'a' \(Pad\): what it pads with"),
    (middle(after("a", "Pad", "p", mode="reflect"), tensors={"p": np.zeros(8, "i8")}), r"node 'a' \(Pad\): mode"),
    (middle(after("a", "Reshape", "s"), tensors={"s": np.array([0, 7, -1])}), r"node 'a' \(Reshape\): expected a shape of 120"),
    (middle(after("a", "Reshape", "s"), tensors={"s": np.array([4, -1])}), r"node 'a' \(Reshape\): .* begins with the batch"),
    (middle(after("a", "Relu"), tensors={"w": random(4, 2, 3, 3)}), r"node 'conv' \(Conv\): expected a weight for 3 channels"),
    (middle(after("a", "Relu"), tensors={"w": random(4, 3, 9, 9)}), r"node 'conv' \(Conv\): .*leaves no output"),
    (middle(after("a", "Relu"), tensors={"b": random(5)}), r"node 'conv' \(Conv\): expected 4 values in its input 2, found 5"),
    (middle(after("a", "Relu"), forms={"w": field(9, b"12345678")}), r"tensor 'w': it has not as many values"),
    (middle(after("a", "Relu"), forms={"w": field(14, 1) + field(13, field(1, "location") + field(2, "../w"))}),
     r"tensor 'w': its values are in another file \(external data\)"),
    (middle(after("a", "Relu"), forms={"w": field(14, 1) + field(13, field(1, "location") + field(2, "none"))}),
     r"none: cannot be opened"),
    (middle(after("a", "Relu"), tensors={"b": np.full(4, np.inf, "f4")}), r"tensor 'conv\.bias': expected finite values"),
    (middle(after("a", "Relu", "c2")), r"node 'a' \(Relu\): it reads 'c2', which nothing before it gives"),
    (middle(after("a", "Relu"), after("b", "Tanh")), r"node 'b' \(Tanh\): it gives 'e', which is there already"),
    (middle(after("a", "Relu"), opset=6), r"expected an opset from 7 to \d+, found 6"),
    (middle(after("a", "Relu"), dims=("n", 3, "h", "w")), r"expected an input .* --xdim C,H,W"),
    (middle(after("a", "Relu"), inputs=[value("z", (1,))]), r"expected a graph with one input, found 'x' and 'z'"),
    (build([node("Identity", "w", "y")]), r"expected an output that follows from the input, found 'y', which is a constant"),
    (build([node("Relu", "x", "q")]), r"found 'y', which nothing gives"),
    (build([node("ConstantOfShape", "s", "k", "a"), node("Add", "x,k", "y")], tensors={"s": np.array([1 << 30])}),
     r"takes much more memory"),
    (field(1, 8) + field(7, b"\x0a\xff"), r"expected an ONNX file, found a broken one"),
    (b"", r"expected an ONNX file, found a broken one"),
]


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def take(cnn_cl, path, saved):
    result = subprocess.run([cnn_cl, "import", "-q", path, saved], check=True, stdout=subprocess.PIPE, text=True)
    assert result.stdout == f"--model {saved}\n" or result.stdout.startswith("--net "), result.stdout


def compare(plain_network, folder, path, saved, label):
    """Where onnxruntime is there: the same logits."""
    if not onnxruntime:
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    batch = taken.shape[0] if isinstance(taken.shape[0], int) else 3
    x = draw.uniform(0, 1, (batch, *taken.shape[1:])).astype("f4")
    if label.endswith("pixels to 255"):
        whole = np.round(255 * x)
        x = whole / 255
    given = whole.astype(KINDS[taken.type]) if label.endswith("pixels to 255") else x
    theirs = session.run(None, {taken.name: given})[0].reshape(batch, -1)
    if label.endswith("last"):
        x = x.transpose(0, 3, 1, 2)
    images, logits = os.path.join(folder, "x"), os.path.join(folder, "y")
    np.ascontiguousarray(x).tofile(images)
    subprocess.run([plain_network, "logits", saved, images, logits, str(batch)], check=True)
    ours = np.fromfile(logits, "f4").reshape(theirs.shape)
    if np.allclose(np.exp(theirs).sum(1), 1, atol=1e-4):  # a log softmax, which is left out
        ours = ours - np.log(np.exp(ours).sum(1, keepdims=True))
    elif np.allclose(theirs.sum(1), 1, atol=1e-4) and (theirs > 0).all():
        ours = np.exp(ours) / np.exp(ours).sum(1, keepdims=True)
    elif label.startswith("sigmoid"):
        ours = 1 / (1 + np.exp(-ours))
    difference = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert difference <= TOLERANCE, f"{label}: logits are off by {difference}"


def check_taken(cnn_cl, plain_network, folder):
    path, saved = os.path.join(folder, "a.onnx"), os.path.join(folder, "a.safetensors")
    for label, data, pattern in TAKEN:
        write(path, data)
        take(cnn_cl, path, saved)
        text = subprocess.run([cnn_cl, "params", "--model", saved, "--print"], check=True, capture_output=True, text=True)
        assert re.fullmatch(pattern, text.stdout.replace(text.stdout[:text.stdout.index("input(")], "")), \
            f"{label}: {text.stdout}"
        if "half" not in label:  # onnxruntime wants one type
            compare(plain_network, folder, path, saved, label)
        print(f"ok: {label}")


def check_refused(import_files, folder):
    paths = []
    for i, (data, _) in enumerate(REFUSED):
        paths.append(os.path.join(folder, f"{i}.onnx"))
        write(paths[-1], data)
    result = subprocess.run([import_files, *paths], check=True, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert len(lines) == len(REFUSED), lines
    for line, path, (_, pattern) in zip(lines, paths, REFUSED):
        assert re.match(r"[1-9]\d* .*" + pattern, line), f"expected {pattern}, found {line}"
    print(f"ok: {len(lines)} files are refused")


def check_memory(import_files, folder):
    """Many small messages must not become much more in memory."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    path = os.path.join(folder, "many.onnx")
    for label, part in (("nodes", field(1, b"")), ("names", field(1, node("Relu", "x", "y")))):
        many = part * (1 << 18)
        write(path, model(graph([], [], [value("x", (1, 3, 4, 4))], [value("y", (1, 2))]) + many))
        result = subprocess.run([import_files, path], capture_output=True, text=True, timeout=60,
                                preexec_fn=None if "ASAN_OPTIONS" in os.environ else limit)
        assert result.returncode == 0 and re.match("[1-9]", result.stdout), (label, result)
    print("ok: many small messages")


def check_cuts(import_files, folder):
    path, copy = os.path.join(folder, "whole.onnx"), os.path.join(folder, "cut.onnx")
    write(path, middle(after("a", "Clip", min=0.0, max=6.0), opset=9))
    result = subprocess.run([import_files, "--cut", path, copy], check=True, capture_output=True, text=True)
    assert result.stdout == "0\n", result.stdout
    print(f"ok: none of {os.path.getsize(path)} beginnings of a file is taken")


def check_beside(cnn_cl, plain_network, folder):
    """Values in a file beside, as PyTorch's newer exporter writes them."""
    path, saved = os.path.join(folder, "b.onnx"), os.path.join(folder, "b.safetensors")
    place = [("location", "b.data"), ("offset", "8"), ("length", str(W.nbytes))]
    form = field(14, 1) + b"".join(field(13, field(1, key) + field(2, text)) for key, text in place)
    write(os.path.join(folder, "b.data"), b"12345678" + W.tobytes() + b"123")
    write(path, middle(after("a", "Relu"), forms={"w": form}))
    take(cnn_cl, path, saved)
    compare(plain_network, folder, path, saved, "values beside")
    write(os.path.join(folder, "b.data"), b"12345678" + W.tobytes()[:-1])
    result = subprocess.run([cnn_cl, "import", "-q", path, saved], capture_output=True, text=True)
    assert result.returncode == 1 and "outside of the file" in result.stderr, result
    print("ok: values in a file beside")


def main(cnn_cl, import_files, plain_network, everything=""):
    with tempfile.TemporaryDirectory() as folder:
        check_taken(cnn_cl, plain_network, folder)
        check_refused(import_files, folder)
        check_memory(import_files, folder)
        check_cuts(import_files, folder)
        check_beside(cnn_cl, plain_network, folder)
        if onnxruntime:
            try:
                from onnx_networks import export_all
            except ImportError as missing:
                print(f"skipped: {missing}: no files of PyTorch's exporters")
                return
            saved = os.path.join(folder, "c.safetensors")
            for label, path in export_all(folder, everything == "all"):
                take(cnn_cl, path, saved)
                compare(plain_network, folder, path, saved, label)
                print(f"ok: {label}")
        else:
            print(f"skipped: {sys.executable} has no onnxruntime: CNN_CL_TEST_PYTHON=PYTHON names one: no logits")


if __name__ == "__main__":
    main(*sys.argv[1:])
