/* Data sets: from arrays, from folders of every spelling, and the places that are searched. */
#include <fcntl.h>
#include <zlib.h>

#include <cnncl/dataset.h>

#include "check_main.h"
#include "data/place.h"
#include "scratch.h"

static scratch at;
static char log_line[512];

static void keep_line(cnn_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == CNN_LOG_INFO)
        snprintf(log_line, sizeof log_line, "%s", line);
}

static void begin(void)
{
    scratch_init(&at);
    unsetenv("CNN_CL_DATA");
    log_line[0] = '\0';
    cnn_log_set_callback(keep_line, NULL);
}

static void end(void)
{
    cnn_log_set_callback(NULL, NULL);
    scratch_finish(&at);
}

/* Images (count, 2, 3) of 1, 2, 3, ... and labels 0, 1, 2, ... */
static void write_images(const char *name, uint8_t count)
{
    uint8_t data[256] = {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3};
    for (uint8_t i = 0; i < count * 6; i++)
        data[16 + i] = (uint8_t)(i + 1);
    scratch_write(&at, name, data, (size_t)(16 + count * 6));
}

static void write_labels(const char *name, uint8_t count)
{
    uint8_t data[64] = {0, 0, 8, 1, 0, 0, 0, count};
    for (uint8_t i = 0; i < count; i++)
        data[8 + i] = i;
    scratch_write(&at, name, data, (size_t)(8 + count));
}

static void write_folder(void)
{
    write_images("train-images-idx3-ubyte", 5);
    write_labels("train-labels-idx1-ubyte", 5);
    write_images("t10k-images-idx3-ubyte", 2);
    write_labels("t10k-labels-idx1-ubyte", 2);
}

static void assert_is_folder(const char *directory)
{
    cnn_dataset *dataset;
    ck_assert_msg(cnn_dataset_load(&dataset, directory) == CNN_OK, "%s", cnn_error_message());
    ck_assert_int_eq(cnn_dataset_shape(dataset)[0], 1);
    ck_assert_int_eq(cnn_dataset_shape(dataset)[1], 2);
    ck_assert_int_eq(cnn_dataset_shape(dataset)[2], 3);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 5);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TEST), 2);
    ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN)[29], 30);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[1], 1);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 5);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 4), "4");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 65534), "65534");
    cnn_dataset_destroy(dataset);
}

static void assert_load_fails(const char *directory, cnn_status expected, const char *part)
{
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_load(&dataset, directory), expected);
    ck_assert_ptr_null(dataset);
    assert_message_has(part);
}

START_TEST(loads_a_folder_and_says_so)
{
    write_folder();
    assert_is_folder(at.folder);
    ck_assert_ptr_nonnull(strstr(log_line, at.folder));
    ck_assert_ptr_nonnull(strstr(log_line, "5 training and 2 test images of 1 x 2 x 3"));
}
END_TEST

START_TEST(loads_the_other_spelling)
{
    write_images("train-images.idx3-ubyte", 5);
    write_labels("train-labels.idx1-ubyte", 5);
    write_images("t10k-images.idx3-ubyte.gz", 2); /* plain inside: zlib passes it through */
    write_labels("t10k-labels.idx1-ubyte.gz", 2);
    assert_is_folder(at.folder);
}
END_TEST

START_TEST(prefers_the_plain_file)
{
    write_folder();
    scratch_write(&at, "train-images-idx3-ubyte.gz", "broken", 6);
    assert_is_folder(at.folder);
    ck_assert_int_eq(remove(scratch_path(&at, "train-images-idx3-ubyte")), 0);
    assert_load_fails(at.folder, CNN_ERROR_DATA, "train-images-idx3-ubyte.gz: magic");
}
END_TEST

START_TEST(loads_colour_images)
{
    const uint8_t colour[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0,
                              0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    scratch_write(&at, "train-images-idx4-ubyte", colour, sizeof colour);
    scratch_write(&at, "t10k-images.idx4-ubyte", colour, sizeof colour);
    write_labels("train-labels-idx1-ubyte", 1);
    write_labels("t10k-labels-idx1-ubyte", 1);
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_load(&dataset, at.folder), CNN_OK);
    const int shape[] = {3, 1, 2};
    ck_assert_mem_eq(cnn_dataset_shape(dataset), shape, sizeof shape);
    ck_assert_mem_eq(cnn_dataset_images(dataset, CNN_SPLIT_TEST), colour + 20, 6);
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(refuses_files_that_disagree)
{
    write_folder();
    write_labels("train-labels-idx1-ubyte", 4);
    assert_load_fails(at.folder, CNN_ERROR_DATA, "expected 5 labels");
    assert_message_has("found 4");
    write_labels("train-labels-idx1-ubyte", 5);
    const uint8_t wider[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 1, 2, 3, 4};
    scratch_write(&at, "t10k-images-idx3-ubyte", wider, sizeof wider);
    assert_load_fails(at.folder, CNN_ERROR_DATA, "expected 1 x 2 x 3");
    assert_message_has("found 1 x 1 x 4");
    write_images("t10k-labels-idx1-ubyte", 2);
    assert_load_fails(at.folder, CNN_ERROR_DATA, "dimensions: expected 1 (labels), found 3");
}
END_TEST

START_TEST(refuses_a_named_place_that_is_not_whole)
{
    assert_load_fails(at.folder, CNN_ERROR_FILE, "train-images-idx3-ubyte");
    assert_load_fails(scratch_path(&at, "absent"), CNN_ERROR_FILE, "no such folder");
    write_folder();
    ck_assert_int_eq(remove(scratch_path(&at, "t10k-labels-idx1-ubyte")), 0);
    assert_load_fails(at.folder, CNN_ERROR_FILE, "t10k-labels-idx1-ubyte");
}
END_TEST

START_TEST(takes_the_place_of_the_environment)
{
    write_folder();
    setenv("CNN_CL_DATA", at.folder, 1);
    assert_is_folder(NULL);
    setenv("CNN_CL_DATA", scratch_path(&at, "absent"), 1);
    assert_load_fails(NULL, CNN_ERROR_FILE, "CNN_CL_DATA: ");
    assert_is_folder(at.folder); /* an argument comes before it */
}
END_TEST

START_TEST(passes_over_what_is_absent_and_stops_at_what_is_broken)
{
    char missing[SCRATCH_PATH_SIZE + 16];
    snprintf(missing, sizeof missing, "%s/absent", at.folder);
    const cnn_data_options options = {0};
    const cnn_place places[] = {{missing, false}, {at.folder, false}};
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_load_first(&dataset, places, 2, &options), CNN_ERROR_FILE);
    assert_message_has(missing);
    assert_message_has("fetch_mnist.sh");
    write_folder();
    ck_assert_int_eq(cnn_dataset_load_first(&dataset, places, 2, &options), CNN_OK);
    ck_assert_str_eq(cnn_dataset_source(dataset), at.folder);
    cnn_dataset_destroy(dataset);
    ck_assert_int_eq(remove(scratch_path(&at, "train-labels-idx1-ubyte")), 0);
    ck_assert_int_eq(cnn_dataset_load_first(&dataset, places, 2, &options), CNN_ERROR_FILE);
    assert_message_has("train-labels-idx1-ubyte");
    assert_message_has("is missing");
}
END_TEST

static cnn_status load_with_labels(cnn_dataset **dataset, const char *text)
{
    write_folder();
    scratch_write(&at, "labels.txt", text, strlen(text));
    return cnn_dataset_load(dataset, at.folder);
}

START_TEST(names_the_classes)
{
    cnn_dataset *dataset;
    ck_assert_int_eq(
        load_with_labels(&dataset, "\xef\xbb\xbfzero\none \r\ntwo words\n\xc3\xa9t\xc3\xa9\nfour"),
        CNN_OK);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 0), "zero");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 1), "one");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 2), "two words");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 3), "\xc3\xa9t\xc3\xa9");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 4), "four");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 5), "5");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, -1), "?");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 65535), "?");
    cnn_dataset_destroy(dataset);
}
END_TEST

static const struct {
    const char *text, *part;
} bad_labels[] = {
    {"zero\none\ntwo\nthree\n", "labels.txt: expected 5 names"},
    {"", "labels.txt: expected 5 names"},
    {"zero\n\ntwo\nthree\nfour\n", "labels.txt: line 2: expected a class's name"},
    {"zero\none\ntwo\nthree\nf\xffur\n", "labels.txt: line 5: expected a class's name in UTF-8"},
    {"zero\none\tand\ntwo\nthree\nfour\n", "labels.txt: line 2"},
};

START_TEST(refuses_bad_labels)
{
    cnn_dataset *dataset;
    ck_assert_int_eq(load_with_labels(&dataset, bad_labels[_i].text), CNN_ERROR_DATA);
    ck_assert_ptr_null(dataset);
    assert_message_has(bad_labels[_i].part);
}
END_TEST

START_TEST(copies_the_arrays_of_the_caller)
{
    uint8_t images[] = {1, 2, 3, 4};
    uint16_t labels[] = {0, 9};
    const int shape[] = {1, 1, 2};
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_create(&dataset, shape, images, labels, 2, NULL, NULL, 0), CNN_OK);
    images[3] = 0;
    labels[1] = 0;
    ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN)[3], 4);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[1], 9);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 10);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TEST), 0);
    ck_assert_str_eq(cnn_dataset_source(dataset), "memory");
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(refuses_bad_arrays)
{
    const uint8_t images[] = {1, 2};
    const uint16_t labels[] = {0};
    const int good[] = {1, 1, 2}, zero[] = {1, 0, 2}, wide[] = {1, 1, 65536};
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_create(&dataset, zero, images, labels, 1, NULL, NULL, 0),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("found 1 x 0 x 2");
    ck_assert_int_eq(cnn_dataset_create(&dataset, wide, images, labels, 1, NULL, NULL, 0),
                     CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_dataset_create(&dataset, good, NULL, NULL, 0, images, labels, 1),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("at least 1");
    ck_assert_int_eq(cnn_dataset_create(&dataset, good, images, NULL, 1, NULL, NULL, 0),
                     CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_dataset_create(&dataset, good, images, labels, 1, NULL, labels, 1),
                     CNN_ERROR_ARGUMENT);
    ck_assert_int_eq(cnn_dataset_create(&dataset, good, images, labels, 1ull << 32, NULL, NULL, 0),
                     CNN_ERROR_ARGUMENT);
    assert_message_has("4294967295");
    ck_assert_ptr_null(dataset);
}
END_TEST

START_TEST(loads_mnist)
{
    const char *folder = getenv("CNN_TEST_MNIST_DIR");
    if (!folder || access(folder, R_OK) != 0)
        return; /* the project's own checkout does not hold it */
    cnn_dataset *dataset;
    ck_assert_msg(cnn_dataset_load(&dataset, folder) == CNN_OK, "%s", cnn_error_message());
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 60000);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TEST), 10000);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 10);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[0], 5);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 7);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 7), "7");
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(knows_the_names_of_debians_fashion_mnist)
{
    if (access(CNN_DEBIAN_FASHION_MNIST, R_OK) != 0)
        return;
    cnn_dataset *dataset;
    ck_assert_int_eq(cnn_dataset_load(&dataset, CNN_DEBIAN_FASHION_MNIST "/"), CNN_OK);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 0), "T-shirt/top");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 9), "Ankle boot");
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 10), "10");
    cnn_dataset_destroy(dataset);
}
END_TEST

/* Below the working directory, as the command finds it. */
START_TEST(searches_data_mnist)
{
    int here = open(".", O_RDONLY | O_DIRECTORY);
    scratch outer = at;
    ck_assert_int_eq(mkdir(scratch_path(&outer, "data"), 0700), 0);
    ck_assert_int_eq(mkdir(scratch_path(&outer, "data/mnist"), 0700), 0);
    snprintf(at.folder, sizeof at.folder, "%.200s/data/mnist", outer.folder);
    write_folder();
    ck_assert_int_eq(chdir(outer.folder), 0);
    assert_is_folder(NULL);
    ck_assert_ptr_nonnull(strstr(log_line, "data/mnist"));
    ck_assert_int_eq(fchdir(here), 0);
    close(here);
    scratch_finish(&at);
    at = outer;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, loads_a_folder_and_says_so);
    tcase_add_test(tests, loads_the_other_spelling);
    tcase_add_test(tests, prefers_the_plain_file);
    tcase_add_test(tests, loads_colour_images);
    tcase_add_test(tests, refuses_files_that_disagree);
    tcase_add_test(tests, refuses_a_named_place_that_is_not_whole);
    tcase_add_test(tests, takes_the_place_of_the_environment);
    tcase_add_test(tests, passes_over_what_is_absent_and_stops_at_what_is_broken);
    tcase_add_test(tests, searches_data_mnist);
    tcase_add_test(tests, names_the_classes);
    tcase_add_loop_test(tests, refuses_bad_labels, 0,
                        (int)(sizeof bad_labels / sizeof bad_labels[0]));
    tcase_add_test(tests, copies_the_arrays_of_the_caller);
    tcase_add_test(tests, refuses_bad_arrays);
    tcase_add_test(tests, loads_mnist);
    tcase_add_test(tests, knows_the_names_of_debians_fashion_mnist);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
