/* Networks from text, and as text. */
#include <locale.h>
#include <time.h>

#include "base/preset.h"
#include "base/text.h"
#include "check_main.h"
#include "net/builder.h"
#include "network_text_refusals.h"
#include "random_graph.h"
#include "scratch.h"

static cnn_network *read_text(const char *text)
{
    cnn_network *network;
    ck_assert_msg(cnn_network_from_text(&network, "net", text, "some.net", NULL) == CNN_OK, "%s",
                  cnn_error_message());
    return network;
}

static char *write_text(const cnn_network *network)
{
    char *text;
    ck_assert_msg(cnn_network_to_text(&text, network) == CNN_OK, "%s", cnn_error_message());
    return text;
}

/* A text, and how it is written. */
static const struct {
    const char *text, *written;
} readings[] = {
    {"Flatten()\nLinear(3)\n", "input(1, 28, 28)\nFlatten()\nLinear(3)\n"},
    {"input()\nFlatten()\nLinear(classes)\n", "input(1, 28, 28)\nFlatten()\nLinear(10)\n"},
    {"input(3, 1, 1)\nLinear(classes)", "input(3, 1, 1)\nLinear(10)\n"},
    /* comments, blanks, tabs, CRLF, a byte order mark, nothing behind the last line */
    {"\xef\xbb\xbf# a\xc3\xa9\r\n\r\n  input ( 3,1 , 1 ) # b\r\n\tx=Linear( 2 )\r\nLinear(5)",
     "input(3, 1, 1)\nx = Linear(2)\nLinear(5)\n"},
    /* as PyTorch writes it */
    {"input(3, 9, 9)\nConv2d(out_channels=4, kernel_size=(3, 3), padding='same', bias=False,),\n"
     "BatchNorm2d(affine=True)\nGELU(approximate=\"tanh\")\nFlatten(),\n0 = Linear(2, bias=True)\n",
     "input(3, 9, 9)\nConv2d(4, 3, padding=1, bias=false)\nBatchNorm2d()\n"
     "GELU(approximate=tanh)\nFlatten()\n0 = Linear(2)\n"},
    /* arguments by position; defaults are left out, as those that follow from others */
    {"input(4, 9, 9)\nConv2d(8, (1, 3), 2, (0, 1), 1, 4, true)\nMaxPool2d(2, 2)\n"
     "MaxPool2d(1, stride=2, padding=(0, 0), ceil_mode=true)\nFlatten()\nLinear(2)",
     "input(4, 9, 9)\nConv2d(8, (1, 3), stride=2, padding=(0, 1), groups=4)\nMaxPool2d(2)\n"
     "MaxPool2d(1, stride=2, ceil_mode=true)\nFlatten()\nLinear(2)\n"},
    {"input(4, 9, 9)\nConv2d(8, 4, padding=same, groups=channels)\nConv2d(2, 3, padding=valid)\n"
     "Conv2d(2, 3, padding=(0, 0, 1, 1))\nFlatten()\nLinear(2)",
     "input(4, 9, 9)\nConv2d(8, 4, padding=(1, 1, 2, 2), groups=4)\nConv2d(2, 3)\n"
     "Conv2d(2, 3, padding=(0, 0, 1, 1))\nFlatten()\nLinear(2)\n"},
    {"input(4, 1, 1)\nDropout(0.25)\nLeakyReLU(-1e-3)\nScale(1e+2)\nBatchNorm2d(1e-3, 0.01)\n"
     "Dropout(p=0.5)\nLinear(2)",
     "input(4, 1, 1)\nDropout(p=0.25)\nLeakyReLU(negative_slope=-0.001)\nScale(1e+02)\n"
     "BatchNorm2d(eps=0.001, momentum=0.01)\nDropout()\nLinear(2)\n"},
    /* what changes no number is left out */
    {"input(4, 2, 2)\nReLU(inplace=True)\nReLU6(false)\nLeakyReLU(0.1, True)\n"
     "SiLU(inplace=true)\nHardswish(True)\nDropout(0.25, inplace=False)\nDropout2d(inplace=True)\n"
     "Flatten(1)\nLinear(2)\nReLU()\nFlatten(start_dim=1, end_dim=-1)\nLinear(2)",
     "input(4, 2, 2)\nReLU()\nReLU6()\nLeakyReLU(negative_slope=0.1)\nSiLU()\nHardswish()\n"
     "Dropout(p=0.25)\nDropout2d()\nFlatten()\nLinear(2)\nReLU()\nFlatten()\nLinear(2)\n"},
    {"input(2, 9, 9)\nConv2d(3, 3, 1, 1, 1, 1, True, 'zeros')\nBatchNorm2d(1e-5, 0.1, True, True)\n"
     "MaxPool2d(2, None, 0, 1, False, True)\nAvgPool2d(2, stride=None, divisor_override=None)\n"
     "BatchNorm2d(track_running_stats=true)\nMaxPool2d(2, return_indices=false)\n"
     "Conv2d(2, 1, padding_mode=zeros)\nFlatten()\nLinear(2)",
     "input(2, 9, 9)\nConv2d(3, 3, padding=1)\nBatchNorm2d()\nMaxPool2d(2, ceil_mode=true)\n"
     "AvgPool2d(2)\nBatchNorm2d()\nMaxPool2d(2)\nConv2d(2, 1)\nFlatten()\nLinear(2)\n"},
    /* lines as old Macs end them, and a stray one in a comment */
    {"# a net\rinput(4, 1, 1)\r\rReLU()\r# c\rLinear(3)\n# d\rLinear(2)\r\n",
     "input(4, 1, 1)\nReLU()\nLinear(3)\nLinear(2)\n"},
    /* what a line reads */
    {"input(4, 2, 2)\na = ReLU()\nTanh()\ns = Add(a)\nb = SiLU() <- input\nMul(b) <- s\nFlatten()\n"
     "Linear(2)",
     "input(4, 2, 2)\na = ReLU()\ntanh_01 = Tanh()\ns = Add(tanh_01, a)\nb = SiLU() <- input\n"
     "Mul(s, b)\nFlatten()\nLinear(2)\n"},
    {"input(4, 2, 2)\nConcat(input, input)\nFlatten()\nLinear(2)",
     "input(4, 2, 2)\nConcat(input, input)\nFlatten()\nLinear(2)\n"},
    /* defines: by position, by name, defaults from earlier parameters, pairs and words */
    {"define two(n, k=3, pad=same, both=n)\n  a = Conv2d(n, k, padding=pad)\n"
     "  Conv2d(both, (k, 1), padding=(k, 0))\nend\n"
     "input(1, 8, 8)\ntwo(2)\nx.y = two(3, both=1, pad=(1, 2), k=1)\nFlatten()\nLinear(classes)",
     "input(1, 8, 8)\na = Conv2d(2, 3, padding=1)\nConv2d(2, (3, 1), padding=(3, 0))\n"
     "x.y.a = Conv2d(3, 1, padding=(1, 2))\nConv2d(1, 1, padding=(1, 0))\nFlatten()\nLinear(10)\n"},
    /* a parameter `channels` wins over the word */
    {"define f(channels)\n  Conv2d(4, 1, groups=channels)\nend\n"
     "define g(n)\n  Conv2d(n, 1, groups=channels)\nend\n"
     "input(4, 1, 1)\nf(2)\ng(8)\nLinear(2)",
     "input(4, 1, 1)\nConv2d(4, 1, groups=2)\nConv2d(8, 1, groups=4)\nLinear(2)\n"},
    /* defines in defines; input and names are the block's; a block's value is its last line's */
    {"define inner(n)\n  c = Linear(n)\n  r = Add(c, input)\nend\n"
     "define outer(n)\n  s = inner(n)\n  t = inner(n) <- input\n  Add(s.r, t)\nend\n"
     "input(4, 1, 1)\nb1 = outer(4)\nb2 = outer(4) <- b1.s.c\nAdd(b1, b2)\nlast = Linear(2)",
     "input(4, 1, 1)\nb1.s.c = Linear(4)\nb1.s.r = Add(b1.s.c, input)\nb1.t.c = Linear(4) <- "
     "input\n"
     "b1.t.r = Add(b1.t.c, input)\nadd_04 = Add(b1.s.r, b1.t.r)\nb2.s.c = Linear(4) <- b1.s.c\n"
     "b2.s.r = Add(b2.s.c, b1.s.c)\nb2.t.c = Linear(4) <- b1.s.c\nb2.t.r = Add(b2.t.c, b1.s.c)\n"
     "add_09 = Add(b2.s.r, b2.t.r)\nAdd(add_04, add_09)\nlast = Linear(2)\n"},
    /* a define may have a parameter's name for a line's, and `classes` for a parameter */
    {"define head(classes, x=2)\n  x = Linear(x)\n  Linear(classes)\nend\ninput(2, 1, 1)\nhead(7)",
     "input(2, 1, 1)\nx = Linear(2)\nLinear(7)\n"},
};

START_TEST(reads_as_documented)
{
    cnn_network *network = read_text(readings[_i].text);
    char *text = write_text(network);
    ck_assert_str_eq(text, readings[_i].written);
    free(text);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(refuses_with_line_and_reason)
{
    cnn_network *network;
    ck_assert_int_eq(cnn_network_from_text(&network, "net", refusals[_i].text, "some.net", NULL),
                     CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(network);
    ck_assert_str_eq(cnn_error_message(), refusals[_i].message);
}
END_TEST

START_TEST(lists_the_kinds_where_none_is_near)
{
    cnn_network *network;
    ck_assert_int_eq(cnn_network_from_text(&network, "net", "Zzzzz()", "some.net", NULL),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("some.net:1: expected a define that stands before its use, or a kind of "
                       "layer (Conv2d, Linear, ");
    assert_message_has(", found 'Zzzzz'");
}
END_TEST

/* What is not told by the text; and how it is written, or the message. */
static const struct {
    const char *text;
    cnn_network_given given;
    const char *written;
    bool fails;
} givens[] = {
    {"input()\nFlatten()\nLinear(classes)",
     {{3, 2, 1}, 5, {0}},
     "input(3, 2, 1)\nFlatten()\nLinear(5)\n",
     false},
    {"input(9, 9, 9)\nFlatten()\nLinear(classes)",
     {{3, 2, 1}, 0, {0}},
     "input(3, 2, 1)\nFlatten()\nLinear(10)\n",
     false},
    {"Flatten()\nLinear(4)", {{3, 2, 1}, 7, {0}}, "input(3, 2, 1)\nFlatten()\nLinear(4)\n", false},
    {"input(9, 9, 9)\nFlatten()\nLinear(classes)",
     {{0}, 1000, {0}},
     "input(9, 9, 9)\nFlatten()\nLinear(1000)\n",
     false},
    {"Flatten()\nLinear(classes)",
     {{0}, -1, {0}},
     "classes: expected a number above 0, found -1",
     true},
    {"Flatten()\nLinear(classes)\nLinear(3)",
     {{0}, 3, {0}},
     "input(1, 28, 28)\nFlatten()\nLinear(3)\nLinear(3)\n",
     false},
    {"Flatten()\nLinear(classes)\nLinear(3)",
     {{0}, 7, {0}},
     "some.net:3: expected an output of `classes`, 7, as it uses the word, found one of 3: end with "
     "Linear(classes), or write a number in the word's place",
     true},
    {"Flatten()\nLinear(classes)\nLinear(3)",
     {{0}, 0, {0}},
     "some.net:3: expected an output of `classes`, 10 by default, as it uses the word, found one of "
     "3: give --ydim 3, end with Linear(classes), or write a number in the word's place",
     true},
    {"Flatten()\nLinear(classes)",
     {{1, 0, 1}, 1, {0}},
     "input: expected channels, height and width from 1 to 65535, found 0",
     true},
    {"Flatten()\nLinear(classes)",
     {{1, 65536, 1}, 1, {0}},
     "input: expected channels, height and width from 1 to 65535, found 65536",
     true},
    {"Flatten()\nLinear(classes)",
     {{0}, 2000000, {0}},
     "some.net:2: out_features: expected a whole number from 1 to 1048576, found '2000000'",
     true},
};

START_TEST(takes_what_is_given)
{
    cnn_network *network;
    cnn_status status =
        cnn_network_from_text(&network, "net", givens[_i].text, "some.net", &givens[_i].given);
    if (givens[_i].fails) {
        ck_assert_int_eq(status, CNN_ERROR_ARGUMENT);
        ck_assert_str_eq(cnn_error_message(), givens[_i].written);
        return;
    }
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    char *text = write_text(network);
    ck_assert_str_eq(text, givens[_i].written);
    ck_assert_str_eq(cnn_network_name(network), "net");
    free(text);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(refuses_a_name_that_no_file_has)
{
    cnn_network *network;
    ck_assert_int_eq(cnn_network_from_text(&network, "a/b", "Flatten()\nLinear(2)", "x.net", NULL),
                     CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(network);
    assert_message_has("name");
}
END_TEST

/* The same nodes, by all that the tables know of them. */
static void check_same(const cnn_network *a, const cnn_network *b, const char *what)
{
    static const size_t sizes[] = {
        [CNN_ARGUMENT_INT] = sizeof(int),
        [CNN_ARGUMENT_PAIR] = 2 * sizeof(int),
        [CNN_ARGUMENT_PADDING] = 4 * sizeof(int),
        [CNN_ARGUMENT_BOOL] = sizeof(bool),
        [CNN_ARGUMENT_NUMBER] = sizeof(double),
        [CNN_ARGUMENT_CHOICE] = sizeof(bool),
        [CNN_ARGUMENT_MOOT] = 0,
    };
    ck_assert_msg(a->layer_count == b->layer_count, "%s: layers", what);
    ck_assert_mem_eq(a->input, b->input, sizeof a->input);
    for (int l = 0; l < a->layer_count; l++) {
        const cnn_layer *x = &a->layers[l], *y = &b->layers[l];
        const cnn_layer_class *class = cnn_layer_get_class(x->kind);
        ck_assert_msg(x->kind == y->kind && x->input_count == y->input_count, "%s: %s", what,
                      x->name);
        ck_assert_mem_eq(x->inputs, y->inputs, (size_t)x->input_count * sizeof(int));
        ck_assert_msg(cnn_shape_equal(x->out, y->out), "%s: %s", what, x->name);
        for (int i = 0; i < class->argument_count; i++) {
            const cnn_argument *argument = &class->arguments[i];
            ck_assert_msg(memcmp((const char *)&x->options + argument->offset,
                                 (const char *)&y->options + argument->offset,
                                 sizes[argument->type]) == 0,
                          "%s: %s: %s", what, x->name, argument->name);
        }
    }
    ck_assert_uint_eq(a->parameter_count, b->parameter_count);
    ck_assert_uint_eq(a->statistic_count, b->statistic_count);
}

static void check_same_names(const cnn_network *a, const cnn_network *b)
{
    for (int l = 0; l < a->layer_count; l++)
        ck_assert_str_eq(a->layers[l].name, b->layers[l].name);
}

enum { GRAPHS = 200 };

START_TEST(reads_back_what_it_wrote)
{
    random_graph_limits limits = random_graph_defaults();
    bool seen[CNN_LAYER_KIND_COUNT] = {false};
    int nodes = 0;
    for (uint64_t seed = 0; seed < GRAPHS; seed++) {
        limits.only_torch = seed % 2 == 1;
        cnn_network *network = random_graph(seed, &limits);
        char *text = write_text(network);
        cnn_network *again = read_text(text);
        char *text_again = write_text(again);
        check_same(network, again, text);
        check_same_names(network, again);
        ck_assert_str_eq(text, text_again);
        for (int l = 0; l < network->layer_count; l++)
            seen[network->layers[l].kind] = true;
        nodes += network->layer_count;
        free(text);
        free(text_again);
        cnn_network_destroy(network);
        cnn_network_destroy(again);
    }
    for (int kind = 0; kind < CNN_LAYER_KIND_COUNT; kind++)
        ck_assert_msg(seen[kind], "no %s", cnn_layer_get_class((cnn_layer_kind)kind)->name);
    ck_assert_int_ge(nodes, 15 * GRAPHS); /* not only the smallest */
}
END_TEST

/* The family's tensors keep their names. */
START_TEST(writes_the_family)
{
    cnn_config config;
    cnn_network *network;
    cnn_config_init(&config);
    ck_assert_int_eq(cnn_config_set(&config, "batchnorm", "true"), CNN_OK);
    ck_assert_int_eq(cnn_config_set(&config, "cdims", "32"), CNN_OK);
    ck_assert_int_eq(cnn_network_create(&network, &config), CNN_OK);
    char *text = write_text(network);
    ck_assert_str_eq(text, "input(1, 28, 28)\n"
                           "net.conv2d_00 = Conv2d(32, 3, padding=1)\n"
                           "net.batchnorm2d_01 = BatchNorm2d()\n"
                           "ReLU()\n"
                           "MaxPool2d(2)\n"
                           "Dropout2d()\n"
                           "Flatten()\n"
                           "net.linear_06 = Linear(32)\n"
                           "ReLU()\n"
                           "net.linear_08 = Linear(10)\n");
    cnn_network *again = read_text(text);
    check_same(network, again, "family");
    ck_assert_str_eq(again->layers[0].name, "net.conv2d_00");
    ck_assert_str_eq(again->layers[2].name, "relu_02");
    free(text);
    cnn_network_destroy(network);
    cnn_network_destroy(again);
}
END_TEST

START_TEST(does_not_write_a_name_that_no_line_has)
{
    static const char *const names[] = {"a b", "input", "end", "a/b"};
    cnn_builder builder;
    cnn_network *network;
    char *text;
    int culprit, value = 0;
    cnn_layer_options options = {.linear = {.features = 2}};
    ck_assert_int_eq(cnn_builder_init(&builder, "net", "", (cnn_shape){1, 1, 1}), CNN_OK);
    ck_assert_int_eq(
        cnn_builder_add(&builder, &value, CNN_LAYER_LINEAR, &options, names[_i], &value, 1),
        CNN_OK);
    ck_assert_int_eq(cnn_builder_take(&network, &culprit, &builder), CNN_OK);
    ck_assert_int_eq(cnn_network_to_text(&text, network), CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(text);
    assert_message_has(names[_i]);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(reads_numbers_in_any_locale)
{
    const char *text = "input(2, 1, 1)\nScale(0.1)\nLinear(2)\n";
    const char *locales[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "C"};
    for (size_t i = 0; i < sizeof locales / sizeof locales[0]; i++) {
        if (!setlocale(LC_ALL, locales[i]))
            continue;
        cnn_network *network = read_text(text);
        ck_assert_double_eq(network->layers[0].options.scale.factor, 0.1);
        char *written = write_text(network);
        ck_assert_str_eq(written, text);
        free(written);
        cnn_network_destroy(network);
    }
}
END_TEST

/* How many parameters the networks of data/nets have. */
static const struct {
    const char *name;
    int classes;
    size_t parameters;
} presets[] = {
    {"lenet5", 10, 61706},
    {"mnist_example", 10, 1199882},
    {"cifar94", 10, 1530144},
    {"resnet20", 10, 272474},
    {"resnet18", 1000, 11689512},
    {"mobilenet_v2", 1000, 3504872},
    {"efficientnet_lite0", 1000, 4652008},
};

START_TEST(reads_the_presets)
{
    char path[512];
    const char *root = getenv("CNN_TEST_SOURCE_DIR");
    cnn_network *network;
    cnn_network_given given = {.classes = presets[_i].classes};
    snprintf(path, sizeof path, "%s/data/nets/%s.net", root ? root : "..", presets[_i].name);
    ck_assert_msg(cnn_network_from_file(&network, presets[_i].name, path, &given) == CNN_OK, "%s",
                  cnn_error_message());
    ck_assert_uint_eq(network->parameter_count, presets[_i].parameters);
    ck_assert_int_eq(cnn_network_classes(network), presets[_i].classes);
    char *text = write_text(network);
    cnn_network *again = read_text(text);
    check_same(network, again, presets[_i].name);
    check_same_names(network, again);
    free(text);
    cnn_network_destroy(network);
    cnn_network_destroy(again);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

START_TEST(presets_that_are_not_installed_are_told)
{
    static const cnn_preset_kind nowhere = {"network", ".net", "/nowhere", "share/nowhere",
                                            "/proc/nowhere"};
    char *path;
    ck_assert_int_eq(cnn_preset_find(&path, &nowhere, "lenet5"), CNN_ERROR_ARGUMENT);
    assert_message_has("no network is called 'lenet5': /proc/nowhere, where those of cnn-cl are "
                       "looked for, is not there: install cnn-cl again, which puts them into "
                       "share/nowhere");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network_text");
    TCase *tests = tcase_create("network_text");
    tcase_add_loop_test(tests, reads_as_documented, 0, COUNT(readings));
    tcase_add_loop_test(tests, refuses_with_line_and_reason, 0, COUNT(refusals));
    tcase_add_test(tests, lists_the_kinds_where_none_is_near);
    tcase_add_loop_test(tests, takes_what_is_given, 0, COUNT(givens));
    tcase_add_test(tests, refuses_a_name_that_no_file_has);
    tcase_add_test(tests, reads_back_what_it_wrote);
    tcase_add_test(tests, writes_the_family);
    tcase_add_loop_test(tests, does_not_write_a_name_that_no_line_has, 0, 4);
    tcase_add_test(tests, reads_numbers_in_any_locale);
    tcase_add_test(tests, presets_that_are_not_installed_are_told);
    tcase_add_loop_test(tests, reads_the_presets, 0, COUNT(presets));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
