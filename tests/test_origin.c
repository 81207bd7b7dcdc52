/* What a model remembers of its data set, and what files may say about it. */
#include <cnncl/model.h>

#include "check_main.h"
#include "model/archive.h"
#include "net/network.h"
#include "scratch.h"

static scratch at;
static cnn_model *model;

static void set_up(void)
{
    cnn_config config;
    scratch_init(&at);
    cnn_config_init(&config);
    config.xdim[1] = config.xdim[2] = 1;
    config.cdim_count = config.hdim_count = 0;
    ck_assert_int_eq(cnn_model_create(&model, &config, 0), CNN_OK);
}

static void tear_down(void)
{
    cnn_model_destroy(model);
    scratch_finish(&at);
}

static void save_and_load(void)
{
    ck_assert_int_eq(cnn_model_save(model, scratch_path(&at, "model")), CNN_OK);
    cnn_model_destroy(model);
    cnn_status status = cnn_model_load(&model, scratch_path(&at, "model"));
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
}

START_TEST(nothing_is_known_at_first)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(cnn_model_data(model), "");
        ck_assert_str_eq(cnn_model_class_name(model, 0), "0");
        ck_assert_str_eq(cnn_model_class_name(model, 65534), "65534");
        ck_assert_str_eq(cnn_model_class_name(model, 65535), "?");
        ck_assert_str_eq(cnn_model_class_name(model, -1), "?");
        save_and_load();
    }
}
END_TEST

enum { SIDE = 28, COUNT = 40 };

/* Pictures of a ring whose longer side has `size` pixels, `off` from the middle. */
static cnn_dataset *make_rings(int size, int off, bool inverted)
{
    static uint8_t pixels[COUNT * SIDE * SIDE];
    static uint16_t labels[COUNT];
    cnn_dataset *dataset;
    int first = (SIDE - size) / 2;
    for (int i = 0; i < COUNT * SIDE * SIDE; i++) {
        int x = i % SIDE - first - off, y = i / SIDE % SIDE - first;
        bool in = x >= 2 && x < size - 2 && y >= 0 && y < size;
        bool hole = x >= 5 && x < size - 5 && y >= 3 && y < size - 3;
        pixels[i] = (in && !hole) != inverted ? 250 : 0;
    }
    for (int i = 0; i < COUNT; i++)
        labels[i] = (uint16_t)(i % 10);
    ck_assert_int_eq(
        cnn_dataset_create(&dataset, (int[]){1, SIDE, SIDE}, pixels, labels, COUNT, NULL, NULL, 0),
        CNN_OK);
    return dataset;
}

/* What is made as MNIST is remembered, and saved; what only has its shape is not. */
START_TEST(digits_are_known_by_how_they_are_made)
{
    static const struct {
        int size, off;
        bool inverted, expected;
    } cases[] = {
        {20, 0, false, true},  {26, 0, false, false}, {12, 0, false, false},
        {20, 3, false, false}, {20, 0, true, false},
    };
    ck_assert(!cnn_model_digits(model));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cnn_dataset *dataset = make_rings(cases[i].size, cases[i].off, cases[i].inverted);
        ck_assert(cnn_dataset_is_like_mnist(dataset) == cases[i].expected);
        ck_assert_int_eq(cnn_model_set_data(model, dataset), CNN_OK);
        ck_assert(cnn_model_digits(model) == cases[i].expected);
        save_and_load();
        ck_assert(cnn_model_digits(model) == cases[i].expected);
        cnn_dataset_destroy(dataset);
    }
    cnn_model_set_digits(model, true);
    save_and_load();
    ck_assert(cnn_model_digits(model));
}
END_TEST

START_TEST(numbers_are_no_names)
{
    const uint8_t pixels[2] = {0, 1};
    const uint16_t labels[2] = {0, 1};
    cnn_dataset *dataset;
    ck_assert_int_eq(
        cnn_dataset_create(&dataset, (int[]){1, 1, 1}, pixels, labels, 2, NULL, NULL, 0), CNN_OK);
    ck_assert_str_eq(cnn_dataset_known(dataset), "");
    ck_assert_int_eq(cnn_model_set_data(model, dataset), CNN_OK);
    ck_assert_int_eq(model->origin.class_count, 0);
    cnn_dataset_destroy(dataset);
}
END_TEST

/* Two images, 0 and 1 in both, whose classes are called so. */
static void write_named(const char *names)
{
    static const char images[] = "\0\0\x08\3\0\0\0\2\0\0\0\1\0\0\0\1\0\1";
    static const char labels[] = "\0\0\x08\1\0\0\0\2\0\1";
    static const char *const files[] = {"train", "t10k"};
    char name[64];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s-images-idx3-ubyte", files[i]);
        scratch_write(&at, name, images, sizeof images - 1);
        snprintf(name, sizeof name, "%s-labels-idx1-ubyte", files[i]);
        scratch_write(&at, name, labels, sizeof labels - 1);
    }
    scratch_write(&at, "labels.txt", names, strlen(names));
}

START_TEST(numbers_that_are_names_are_kept)
{
    cnn_dataset *dataset;
    write_named("0\n1\n");
    ck_assert_int_eq(cnn_dataset_load(&dataset, at.folder), CNN_OK);
    ck_assert_int_eq(cnn_model_set_data(model, dataset), CNN_OK);
    cnn_dataset_destroy(dataset);
    save_and_load();
    ck_assert_int_eq(cnn_model_class_count(model), 2);
}
END_TEST

/* What data that is loaded for a model of three classes (a, b, c) has as labels. */
static const struct {
    const char *names; /* of the data's; NULL: none */
    int labels[2];
    const char *refused;
    const char *model[3];
    int classes; /* 0: 3 */
} for_model[] = {
    {"a\nb\n", {0, 1}, NULL, {NULL}, 0},
    {"b\na\n", {1, 0}, NULL, {NULL}, 0},
    {"c\na\nb\n", {2, 0}, NULL, {NULL}, 0},
    {"b\nc\nmore\n", {1, 2}, NULL, {NULL}, 0},
    {NULL, {0, 1}, NULL, {NULL}, 2},
    {"a\nx\n",
     {0},
     "the class x is not one of the model's, which are a, b, c: give data",
     {NULL},
     0},
    {"1\n0\n",
     {0},
     "the class 1 is not one of the model's, which are a, b, c: give data",
     {NULL},
     0},
    /* a network may have more outputs than it has seen labels of */
    {"a\nb\nc\nd\n", {0, 1}, NULL, {NULL}, 2},
    /* labels without names are the classes that are called so */
    {NULL, {0, 2}, NULL, {"0", "2", "1"}, 3},
    {NULL, {0, 1}, NULL, {"0", "1", "2"}, 2},
    {NULL, {0, 1}, NULL, {"1", "0", "7"}, 2},
};

START_TEST(data_has_the_labels_of_the_model)
{
    static const char *const names[] = {"a", "b", "c"};
    cnn_data_options options;
    cnn_dataset *dataset;
    cnn_data_options_init(&options);
    options.class_names = for_model[_i].model[0] ? for_model[_i].model : names;
    options.class_count = 3;
    write_named(for_model[_i].names ? for_model[_i].names : "");
    if (!for_model[_i].names)
        ck_assert_int_eq(remove(scratch_path(&at, "labels.txt")), 0);
    cnn_status status = cnn_dataset_open(&dataset, at.folder, &options);
    if (for_model[_i].refused) {
        ck_assert_int_eq(status, CNN_ERROR_DATA);
        assert_message_has(for_model[_i].refused);
        return;
    }
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    for (int split = CNN_SPLIT_TRAIN; split <= CNN_SPLIT_TEST; split++)
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(cnn_dataset_labels(dataset, (cnn_split)split)[i],
                             for_model[_i].labels[i]);
    int classes = for_model[_i].classes ? for_model[_i].classes : 3;
    ck_assert_int_eq(cnn_dataset_class_count(dataset), classes);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 2), options.class_names[2]);
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(names_travel_with_the_model)
{
    cnn_dataset *dataset;
    write_named("a \"cat\"\nh\xc3\xbchner\n");
    ck_assert_int_eq(cnn_dataset_load(&dataset, at.folder), CNN_OK);
    for (int again = 0; again < 2; again++)
        ck_assert_int_eq(cnn_model_set_data(model, dataset), CNN_OK);
    cnn_dataset_destroy(dataset);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(cnn_model_class_name(model, 0), "a \"cat\"");
        ck_assert_str_eq(cnn_model_class_name(model, 1), "h\xc3\xbchner");
        ck_assert_str_eq(cnn_model_class_name(model, 2), "2");
        save_and_load();
    }
}
END_TEST

static const struct {
    const char *classes, *message;
} wrong[] = {
    {"{}", "x: cnn-cl.classes: expected a JSON array of at most 65535 names"},
    {"[", "x: cnn-cl.classes: expected a JSON array of at most 65535 names"},
    {"[\"a\", 1]", "x: cnn-cl.classes: expected one line of text for class 1"},
    {"[\"\\u001b[2J\"]", "x: cnn-cl.classes: expected one line of text for class 0"},
    {"[\"a\\nb\"]", "x: cnn-cl.classes: expected one line of text for class 0"},
};

START_TEST(wrong_names_are_refused)
{
    cnn_origin origin;
    cnn_origin_init(&origin);
    ck_assert_int_eq(cnn_origin_read(&origin, "mnist", wrong[_i].classes, NULL, "x"),
                     CNN_ERROR_DATA);
    assert_message_has(wrong[_i].message);
    cnn_origin_finish(&origin);
}
END_TEST

START_TEST(too_many_names_are_refused)
{
    static char classes[5 * 65536];
    char *end = stpcpy(classes, "[\"0\"");
    cnn_origin origin;
    for (int i = 0; i < 65535; i++)
        end = stpcpy(end, ",\"a\"");
    stpcpy(end, "]");
    cnn_origin_init(&origin);
    ck_assert_int_eq(cnn_origin_read(&origin, NULL, classes, NULL, "x"), CNN_ERROR_DATA);
    ck_assert_int_eq(origin.class_count, 0);
    cnn_origin_finish(&origin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("origin");
    TCase *tests = tcase_create("origin");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, nothing_is_known_at_first);
    tcase_add_test(tests, digits_are_known_by_how_they_are_made);
    tcase_add_test(tests, numbers_are_no_names);
    tcase_add_test(tests, numbers_that_are_names_are_kept);
    tcase_add_loop_test(tests, data_has_the_labels_of_the_model, 0,
                        sizeof for_model / sizeof for_model[0]);
    tcase_add_test(tests, names_travel_with_the_model);
    tcase_add_loop_test(tests, wrong_names_are_refused, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tests, too_many_names_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
