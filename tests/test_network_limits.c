/* Network files that are long, deep or no text: they end in time, with one line. */
#include <time.h>

#include <cnncl/network.h>

#include "base/text.h"
#include "check_main.h"
#include "scratch.h"

#define HEAD "input(4, 8, 8)\n"
#define TAIL "Flatten()\nLinear(2)\n"

/* The line `count` times; '@' in it is i, then i - 1. */
static char *repeat(const char *before, const char *line, int count, const char *after)
{
    cnn_text text = {0};
    char *string;
    cnn_text_append(&text, "%s", before);
    for (int i = 0; i < count; i++) {
        int numbers[2] = {i, i - 1}, next = 0;
        for (const char *at = line; *at; at++)
            if (*at == '@')
                cnn_text_append(&text, "%d", numbers[next++ % 2]);
            else
                cnn_text_append_bytes(&text, at, 1);
    }
    cnn_text_append(&text, "%s", after);
    ck_assert_int_eq(cnn_text_take(&string, &text), CNN_OK);
    return string;
}

enum { MANY = 1000000 };

/* What is said of it; NULL: it is a network. */
static const struct {
    const char *before, *line;
    int count;
    const char *after, *message;
} longs[] = {
    {"", "# ...\n", MANY, TAIL, NULL},
    {"", "define f@(n, k=1)\nx = Conv2d(n, k)\nend\n", MANY / 3, TAIL, NULL},
    {"define f()\n", "ReLU()\n", MANY, "end\n" TAIL, NULL},
    {"define f()\n", "ReLU()\n", MANY, "end\nf()\n" TAIL,
     "expected a network of at most 16384 layers, found more"},
    {"", "ReLU()\n", MANY, TAIL, "expected a network of at most 16384 layers, found more"},
    {"", "x@ = ReLU()\n", 16000, TAIL, NULL},
    {"define f()\n", "ReLU()\n", 4500000, "", "expected at most 4194304 lines, and arguments"},
    {"define f()\nReLU()\nend\n", "define g@()\nReLU()\nend\n", MANY / 3, "ff()\n",
     "found 'ff': is f meant?"},
    {HEAD "Concat(input", ", input", 1023, ")\n" TAIL, NULL},
    {HEAD "Concat(input", ", input", 1024, ")\n", "expected at most 1024 arguments, found more"},
    {HEAD "Conv2d(3", " ", MANY, ", 3)\n" TAIL, NULL},
    {HEAD "Conv2d(3, (3,", " ", MANY, " 3))\n" TAIL, "expected an argument of at most 256 bytes"},
    {HEAD "x", "x", 127, " = ReLU()\n", "at most 127 bytes"},
    {HEAD "x", "x", 126, " = ReLU()\n" TAIL, NULL},
    {HEAD, "(", MANY, "\n", "found '('"},
    {HEAD "Conv2d(", "(", MANY, "\n", "found '('"},
    {"define f(", "p@, ", 65, ")\n", "expected at most 64 parameters, found 65"},
    {"define f(", "p@=1, ", 64, ")\nReLU()\nend\nf()\n" TAIL, NULL},
    {"define f-1()\nReLU()\nend\n", "define f@()\n  f@()\nend\n", 63, "f62()\n" TAIL, NULL},
    {"define f-1()\nReLU()\nend\n", "define f@()\n  f@()\nend\n", 64, "f63()\n" TAIL,
     "expected at most 64 defines in each other, found more"},
    {"define f()\n  inner = ReLU()\nend\nx", "x", 121, " = f()\n" TAIL,
     "expected a name of at most 127 bytes with those of its blocks, found 128"},
    {"define f()\n  inner = ReLU()\nend\nx", "x", 120, " = f()\n" TAIL, NULL},
};

START_TEST(takes_long_texts_in_time)
{
    static const double enough = 10.0; /* seconds: a checked build on a busy machine */
    cnn_network *network;
    char *text = repeat(longs[_i].before, longs[_i].line, longs[_i].count, longs[_i].after);
    clock_t start = clock();
    cnn_status status = cnn_network_from_text(&network, "net", text, "long.net", NULL);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    if (longs[_i].message) {
        ck_assert_int_eq(status, CNN_ERROR_ARGUMENT);
        assert_message_has("long.net:");
        assert_message_has(longs[_i].message);
    } else {
        ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    }
    ck_assert_msg(seconds < enough, "%.1f s", seconds);
    cnn_network_destroy(network);
    free(text);
}
END_TEST

/* 2^59 layers from 240 lines. */
START_TEST(stops_where_defines_multiply)
{
    cnn_network *network;
    cnn_text text = {0};
    cnn_text_append(&text, "define f0()\nReLU()\nend\n");
    for (int i = 1; i < 60; i++)
        cnn_text_append(&text, "define f%d()\n  f%d()\n  f%d()\nend\n", i, i - 1, i - 1);
    cnn_text_append(&text, "f59()\n");
    ck_assert_int_eq(cnn_network_from_text(&network, "net", text.data, "many.net", NULL),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("many.net:2 (in f0, called in line 240): ");
    assert_message_has("expected a network of at most 16384 layers, found more");
    cnn_text_finish(&text);
}
END_TEST

/* 60 calls for each layer. */
START_TEST(stops_where_calls_are_many)
{
    cnn_network *network;
    cnn_text text = {0};
    cnn_text_append(&text, "define f0()\nReLU()\nend\n");
    for (int i = 1; i < 60; i++)
        cnn_text_append(&text, "define f%d()\n  f%d()\nend\n", i, i - 1);
    for (int i = 0; i < 2000; i++)
        cnn_text_append(&text, "f59()\n");
    ck_assert_int_eq(cnn_network_from_text(&network, "net", text.data, "many.net", NULL),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("expected at most 65536 calls of defines in all, found more");
    cnn_text_finish(&text);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
    const char *message; /* NULL: a network */
} files[] = {
    {"input()\nReLU()\0\n", 16, "some.net:2: expected text in UTF-8, found a zero byte"},
    {"\xff\xfeR\0e\0", 6, "some.net:1: expected text in UTF-8, found a zero byte"}, /* UTF-16 */
    {"Flatten()\nLinear(classes)", 25, NULL},
    {"Flatten()\r\nLinear(classes)\r\n", 28, NULL},
    {"", 0, "some.net:1: expected at least one layer, found none"},
};

START_TEST(reads_files)
{
    scratch at;
    cnn_network *network;
    scratch_init(&at);
    scratch_write(&at, "some.net", files[_i].bytes, files[_i].size);
    cnn_status status = cnn_network_from_file(&network, "net", scratch_path(&at, "some.net"), NULL);
    if (files[_i].message) {
        ck_assert_int_eq(status, CNN_ERROR_ARGUMENT);
        assert_message_has(files[_i].message);
    } else {
        ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
        ck_assert_int_eq(cnn_network_classes(network), 10);
    }
    cnn_network_destroy(network);
    scratch_finish(&at);
}
END_TEST

START_TEST(refuses_what_is_no_such_file)
{
    scratch at;
    cnn_network *network;
    scratch_init(&at);
    ck_assert_int_eq(cnn_network_from_file(&network, "net", scratch_path(&at, "none.net"), NULL),
                     CNN_ERROR_FILE);
    ck_assert_ptr_null(network);
    assert_message_has("none.net");
    ck_assert_int_eq(cnn_network_from_file(&network, "net", at.folder, NULL), CNN_ERROR_FILE);
    scratch_write(&at, "long.net", "", 0);
    ck_assert_int_eq(truncate(scratch_path(&at, "long.net"), (64 << 20) + 1), 0);
    ck_assert_int_eq(cnn_network_from_file(&network, "net", scratch_path(&at, "long.net"), NULL),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("long.net: longer than the 67108864 bytes allowed");
    scratch_finish(&at);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof(table)[0]))

int main(void)
{
    Suite *suite = suite_create("network_limits");
    TCase *tests = tcase_create("network_limits");
    tcase_add_loop_test(tests, takes_long_texts_in_time, 0, COUNT(longs));
    tcase_add_test(tests, stops_where_defines_multiply);
    tcase_add_test(tests, stops_where_calls_are_many);
    tcase_add_loop_test(tests, reads_files, 0, COUNT(files));
    tcase_add_test(tests, refuses_what_is_no_such_file);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
