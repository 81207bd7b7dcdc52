/* Network files that are wrong, and what is said of them. */
#ifndef TESTS_NETWORK_TEXT_REFUSALS_H
#define TESTS_NETWORK_TEXT_REFUSALS_H

#define HEAD "input(4, 8, 8)\n"
#define TAIL "Flatten()\nLinear(2)\n"
#define BLOCK "define f(n, k=1)\n  a = Conv2d(n, k)\nend\n"

static const struct {
    const char *text, *message;
} refusals[] = {
    {"", "some.net:1: expected at least one layer, found none"},
    {"# nothing\n\ninput()\n", "some.net:3: expected at least one layer, found none"},
    /* numbers that are 0 on a device */
    {HEAD "Scale(1e-60)", "some.net:2: factor: expected a number from -1e+30 to 1e+30, found "
                          "'1e-60', which is 0 in float32"},
    {HEAD "Dropout2d(p=1e-50)", "some.net:2: p: expected a number from 0 to 0.9999999404, found "
                                "'1e-50', which is 0 in float32"},
    /* words */
    {HEAD "Conv2d 3", "some.net:2: expected '(' or '=', found '3'"},
    {HEAD "x = = ReLU()", "some.net:2: expected a kind of layer, found '='"},
    {HEAD "x = ReLU",
     "some.net:2: expected '(' behind the kind of layer, found the end of the line"},
    {HEAD "ReLU(",
     "some.net:2: expected a number, a word or (NUMBER, NUMBER), found the end of the line"},
    {HEAD "Conv2d(3, 3", "some.net:2: expected ',' or ')', found the end of the line"},
    {HEAD "Conv2d(3, , 3)", "some.net:2: expected a number, a word or (NUMBER, NUMBER), found ','"},
    {HEAD "Conv2d(3, (3, 3)", "some.net:2: expected ',' or ')', found the end of the line"},
    {HEAD "Conv2d(3, (3, (3, 3)))",
     "some.net:2: expected a number, a word or (NUMBER, NUMBER), found '('"},
    {HEAD "Conv2d(3, ())", "some.net:2: expected a number, a word or (NUMBER, NUMBER), found ')'"},
    {HEAD "Conv2d(3, (1, 2, 3, 4, 5))",
     "some.net:2: expected at most four numbers and ')', found '5'"},
    {HEAD "Conv2d(3, 3) ReLU()",
     "some.net:2: expected '<- NAME' or the end of the line, found 'ReLU'"},
    {HEAD "ReLU() <-",
     "some.net:2: expected the name of an earlier line, found the end of the line"},
    {HEAD "ReLU() <- input x", "some.net:2: expected the end of the line, found 'x'"},
    {HEAD "Conv2d(2 * 3, 3)", "some.net:2: expected ',' or ')', found '*'"},
    {HEAD "Conv2d(3, \"same)",
     "some.net:2: expected a number, a word or (NUMBER, NUMBER), found '\"'"},
    {HEAD "R\xe9LU()", "some.net:2: expected '(' or '=', found the byte 0xe9"},
    {HEAD "\x01", "some.net:2: expected NAME = KIND(...) or KIND(...), found the byte 0x01"},
    /* names */
    {HEAD "a+b = ReLU()",
     "some.net:2: expected a name of letters, digits, '_', '.' and '-', at most 127 bytes and none "
     "of input, define, end, found 'a+b'"},
    {HEAD "x = ReLU()\nx = ReLU()\n" TAIL,
     "some.net:3: expected a new name, found 'x', which is line 2's"},
    {HEAD "relu_01 = ReLU()\nReLU()\n" TAIL,
     "some.net:3: expected a new name, found 'relu_01', which is line 2's"},
    {BLOCK HEAD "f(2)\nf(2)\n" TAIL,
     "some.net:2 (in f, called in line 6): expected a new name, found 'a', which is line 2's"},
    {BLOCK HEAD "x = ReLU()\nx = f(2)\n" TAIL,
     "some.net:6: expected a new name, found 'x', which is line 5's"},
    {HEAD "x = ReLU() <- x\n",
     "some.net:2: expected the name of an earlier line or input, found 'x'"},
    {HEAD "x = ReLU() <- y\ny = ReLU()\n",
     "some.net:2: expected the name of an earlier line or input, found 'y'"},
    {HEAD "ReLU()\nTanh()\nAdd(relu_00)\n",
     "some.net:4: expected the name of an earlier line or input, found 'relu_00': line 2 has no "
     "name, write one before it"},
    {HEAD "Add((1, 2))\n",
     "some.net:2: expected the name of an earlier line or input, found '(1, 2)'"},
    {"define f()\n  ReLU() <- x\nend\n" HEAD "x = Tanh()\nf()\n" TAIL,
     "some.net:2 (in f, called in line 6): expected the name of an earlier line of the define or "
     "input, found 'x'"},
    /* kinds and their arguments */
    {HEAD "conv2d(3, 3)", "some.net:2: expected a kind of layer, or a define that stands before "
                          "its use, found 'conv2d': is Conv2d meant?"},
    {HEAD "x = nn.ReLU()", "some.net:2: expected a kind of layer, or a define that stands before "
                           "its use, found 'nn.ReLU': is ReLU meant?"},
    {BLOCK HEAD "ff(3)", "some.net:5: expected a kind of layer, or a define that stands before its "
                         "use, found 'ff': is f meant?"},
    {HEAD "Conv2d(3, 3, strides=1)",
     "some.net:2: expected the arguments of Conv2d(out_channels, kernel_size, stride, padding, "
     "dilation, groups, bias, padding_mode), found 'strides='"},
    {HEAD "Tanh(inplace=True)", "some.net:2: expected Tanh(), without arguments, found 'inplace='"},
    {HEAD "Tanh(1)", "some.net:2: expected Tanh(), found one argument more: '1'"},
    {HEAD "MaxPool2d(2, 2, 0, 1, True)",
     "some.net:2: return_indices: expected false, found 'True'"},
    {HEAD "Conv2d(3, 3, padding_mode='reflect')",
     "some.net:2: padding_mode: expected zeros, found 'reflect'"},
    {HEAD "BatchNorm2d(track_running_stats=False)",
     "some.net:2: track_running_stats: expected true, found 'False'"},
    {HEAD "AvgPool2d(2, divisor_override=3)",
     "some.net:2: divisor_override: expected none, found '3'"},
    {"ReLU()\r\rReLU(2)\r\n\r\n", "some.net:3: inplace: expected true or false, found '2'"},
    {HEAD "ReLU(1)", "some.net:2: inplace: expected true or false, found '1'"},
    {HEAD "Flatten(2)", "some.net:2: start_dim: expected a whole number from 1 to 1, found '2'"},
    {HEAD "BatchNorm2d(64)", "some.net:2: eps: expected a number from 0 to 0.99, found '64'"},
    {HEAD "GroupNorm(1, 8)", "some.net:2: eps: expected a number from 0 to 0.99, found '8'"},
    {HEAD "Linear(3, true, 4)",
     "some.net:2: expected Linear(out_features, bias), found one argument more: '4'"},
    {HEAD "Conv2d(3, 3, kernel_size=3)",
     "some.net:2: expected each argument once, found 'kernel_size' twice"},
    {HEAD "Conv2d(out_channels=3, 3)",
     "some.net:2: expected NAME=VALUE behind an argument with a name, found '3'"},
    {HEAD "Conv2d(3)",
     "some.net:2: expected Conv2d(out_channels, kernel_size, stride, padding, dilation, groups, "
     "bias, padding_mode), found no kernel_size"},
    {HEAD "Add(input, axis=1)",
     "some.net:2: expected Add(NAME, ...), without arguments, found 'axis='"},
    {BLOCK HEAD "f(3, n=2)", "some.net:5: expected each argument once, found 'n' twice"},
    {BLOCK HEAD "f(k=2)", "some.net:5: expected f(n, k), found no n"},
    {BLOCK HEAD "f(1, 2, 3)", "some.net:5: expected f(n, k), found one argument more: '3'"},
    {BLOCK HEAD "f(1, m=3)", "some.net:5: expected the arguments of f(n, k), found 'm='"},
    /* values */
    {HEAD "Conv2d(0, 3)",
     "some.net:2: out_channels: expected a whole number from 1 to 1048576, found '0'"},
    {HEAD "Conv2d(1e3, 3)",
     "some.net:2: out_channels: expected a whole number from 1 to 1048576, found '1e3'"},
    {HEAD "Conv2d((3, 3), 3)",
     "some.net:2: out_channels: expected a whole number from 1 to 1048576, found (3, 3)"},
    {HEAD "Linear(99999999999999999999)", "some.net:2: out_features: expected a whole number from "
                                          "1 to 1048576, found '99999999999999999999'"},
    {HEAD "Conv2d(3, 3, (1, 2, 3))", "some.net:2: stride: expected a whole number, or (height, "
                                     "width), each from 1 to 65535, found (1, 2, 3)"},
    {HEAD "Conv2d(3, 3, padding=-1)",
     "some.net:2: padding: expected a whole number, (height, width) or (top, left, bottom, right), "
     "each from 0 to 65535 or same or valid, found '-1'"},
    {HEAD "Conv2d(3, 3, padding=some)",
     "some.net:2: padding: expected a whole number, (height, width) or (top, left, bottom, right), "
     "each from 0 to 65535 or same or valid, found 'some'"},
    {HEAD "Conv2d(3, 3, bias=1)", "some.net:2: bias: expected true or false, found '1'"},
    {HEAD "GELU(erf)", "some.net:2: approximate: expected none or tanh, found 'erf'"},
    {HEAD "Dropout(1)", "some.net:2: p: expected a number from 0 to 0.9999999404, found '1'"},
    {HEAD "Dropout(nan)", "some.net:2: p: expected a number from 0 to 0.9999999404, found 'nan'"},
    {HEAD "Dropout(0,5)", "some.net:2: inplace: expected true or false, found '5'"},
    {BLOCK HEAD "x = f(0)", "some.net:2 (in x, called in line 5): out_channels: expected a whole "
                            "number from 1 to 1048576, found '0'"},
    {BLOCK "define g(n)\n  y = f(1, n)\nend\n" HEAD "x = g(wide)",
     "some.net:2 (in x.y, called in line 8): kernel_size: expected a whole number, or (height, "
     "width), each from 1 to 65535, found 'wide'"},
    {"define g(n)\n  Conv2d(1, (n, 1))\nend\n" HEAD "g((1, 2))",
     "some.net:2 (in g, called in line 5): expected numbers between the parentheses, found 'n', "
     "which is several"},
    /* what is read */
    {HEAD "Add()", "some.net:2: expected Add of one to 2 names, found 0: with one of them it reads "
                   "the line before, too"},
    {HEAD "Add(input, input, input)", "some.net:2: expected Add of one to 2 names, found 3: with "
                                      "one of them it reads the line before, too"},
    {HEAD "a = ReLU()\nConcat(a, input) <- a",
     "some.net:3: expected no '<-' where Concat names all that it reads, found one"},
    /* shapes: both nodes and both shapes */
    {HEAD "a = Conv2d(6, 3)\nb = Conv2d(6, 1) <- input\nc = Add(a, b)\n" TAIL,
     "some.net:4: layer c: expected inputs of one shape, found a (6, 6, 6) and b (6, 8, 8)"},
    {HEAD "a = Conv2d(6, 3)\nConcat(input)\n" TAIL,
     "some.net:3: layer concat_01: expected inputs of one height and width, found a (6, 6, 6) and "
     "input (4, 8, 8)"},
    {HEAD "a = Conv2d(6, 1)\nMul(input)\n" TAIL, "some.net:3: layer mul_01: expected inputs of one "
                                                 "shape, or one of them (channels, 1, 1), found "
                                                 "a (6, 8, 8) and input (4, 8, 8)"},
    {HEAD "a = ReLU()\nLinear(2)\n",
     "some.net:3: layer linear_01: expected an input of (features, 1, 1), found (4, 8, 8): put "
     "Flatten() before it; it reads a"},
    {"define f()\n  Conv2d(2, 9)\nend\n" HEAD "l.1 = f()\n",
     "some.net:2 (in l.1, called in line 5): layer conv2d_00: an input of 4 x 8 x 8 leaves no "
     "output "
     "for a kernel of 9 x 9; it reads the network's input"},
    {HEAD "Conv2d(6, 3, groups=3)\n",
     "some.net:2: layer conv2d_00: groups: expected a divisor of the input's 4 channels and of the "
     "output's 6, found 3; it reads the network's input"},
    {HEAD "AvgPool2d(65535, padding=32767)\n",
     "some.net:2: layer avgpool2d_00: a kernel of 65535 x 65535 exceeds 2^31 - 1 values; it reads "
     "the network's input"},
    {HEAD "AvgPool2d(4)\nMaxPool2d((1, 2), 1, padding=(0, 1), dilation=3)\n",
     "some.net:3: layer maxpool2d_01: expected windows with a value of the input's 2 x 2, found "
     "one of padding alone: less dilation, or no padding; it reads avgpool2d_00"},
    /* the whole */
    {HEAD "a = ReLU()\nb = Tanh() <- input\n" TAIL,
     "some.net:2: layer a: nothing reads what it gives: leave it out, or name it where it is to be "
     "read"},
    {BLOCK HEAD "x = f(2)\nReLU() <- input\n" TAIL,
     "some.net:2 (called in line 5): layer x.a: nothing reads what it gives: leave it out, or name "
     "it where it is to be read"},
    {HEAD "Conv2d(2, 3)\n", "some.net:2: layer conv2d_00: expected the last layer to give "
                            "(classes, 1, 1), found (2, 6, 6): "
                            "end with Flatten() and Linear(classes)"},
    {HEAD "Flatten()\nLinear(65536)\n",
     "some.net:3: layer linear_01: expected the last layer to give at most 65535 classes, found "
     "65536"},
    {HEAD "Flatten()\n\n", "some.net:3: expected a layer with parameters (Conv2d, Linear, ...), "
                           "found none: there is nothing to train"},
    /* input */
    {"input(3)\n",
     "some.net:1: expected input() or input(channels, height, width), found 1 numbers"},
    {"input(3, 0, 3)\n", "some.net:1: height: expected a whole number from 1 to 65535, found '0'"},
    {"input(c=3, 1, 3)\n",
     "some.net:1: expected input(channels, height, width) as numbers alone, found a name"},
    {"ReLU()\ninput(3, 1, 1)\n", "some.net:2: expected input(...) once, before the first layer and "
                                 "outside of defines, found it here"},
    {"input()\ninput()\n", "some.net:2: expected input(...) once, before the first layer and "
                           "outside of defines, found it here"},
    {"define f()\ninput()\n", "some.net:2: expected input(...) once, before the first layer and "
                              "outside of defines, found it here"},
    {"input = ReLU()\n", "some.net:1: expected '(', found '='"},
    {"x = input()\n",
     "some.net:1: expected input(...) once, before the first layer, found another"},
    /* defines */
    {"define f\n", "some.net:1: expected '(', found the end of the line"},
    {"define f()\nReLU()\n",
     "some.net:2: expected 'end' of the define in line 1, found the end of the file"},
    {"define f()\nend\n", "some.net:2: expected at least one layer in the define, found 'end'"},
    {"define f()\ndefine g()\n",
     "some.net:2: expected 'end' of the define in line 1 before another, found 'define'"},
    {"end\n", "some.net:1: expected a define before 'end', found none"},
    {"define f()\nReLU()\nend of it\n",
     "some.net:3: expected the end of the line behind 'end', found 'of'"},
    {"define ReLU()\n", "some.net:1: expected a new name, found 'ReLU', which is a kind of layer"},
    {BLOCK "define f()\n",
     "some.net:4: expected a new name, found 'f', which is defined in line 1"},
    {"define f(a, a)\n", "some.net:1: expected parameters of different names, found 'a' twice"},
    {"define f((1, 2))\n", "some.net:1: expected the name of a parameter, found '(1, 2)'"},
    {"define f()\n  f()\nend\n",
     "some.net:2: expected a kind of layer or an earlier define, found 'f' within its own define"},
    {"define first()\n  fist()\nend\ndefine fist()\n  first()\nend\n",
     "some.net:2: expected a kind of layer, or a define that stands before its use, found 'fist': "
     "is first meant?"},
};

#endif
