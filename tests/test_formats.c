/* Data sets that are no IDX files: CIFAR's binary files, tables, npz; data of one split. */
#include "check_main.h"
#include "data_folder.h"

enum { PIXELS = 3 * 32 * 32, MOST = 3 };

static scratch at;
static char lines[4096];

static void keep_line(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)user;
    size_t length = strlen(lines);
    snprintf(lines + length, sizeof lines - length, "%s\n", line);
}

static void begin(void)
{
    scratch_init(&at);
    lines[0] = '\0';
    cnn_log_set_callback(keep_line, NULL);
}

static void end(void)
{
    cnn_log_set_callback(NULL, NULL);
    nested_finish(&at);
}

static void assert_said(const char *part)
{
    ck_assert_msg(strstr(lines, part) != NULL, "'%s' is not in '%s'", part, lines);
}

/* Records of `labels` bytes, `first` and on, and pixels of the record's number. */
static void write_cifar(const char *name, int labels, int first, int count)
{
    uint8_t data[MOST * (2 + PIXELS)];
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < labels; j++)
            data[size++] = (uint8_t)(first + i + 10 * j);
        memset(data + size, first + i, PIXELS);
        size += PIXELS;
    }
    nested_write(&at, name, data, size);
}

static void write_text(const char *name, const char *text)
{
    nested_write(&at, name, text, strlen(text));
}

START_TEST(cifar10_is_read_in_the_order_of_its_files)
{
    cnn_dataset *dataset;
    const int shape[] = {3, 32, 32};
    write_cifar("cifar-10-batches-bin/data_batch_1.bin", 1, 0, 2);
    write_cifar("cifar-10-batches-bin/data_batch_2.bin", 1, 2, 3);
    write_cifar("cifar-10-batches-bin/test_batch.bin", 1, 5, 1);
    write_text("cifar-10-batches-bin/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    assert_loads(&dataset, at.folder);
    ck_assert_mem_eq(cnn_dataset_shape(dataset), shape, sizeof shape);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 5);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[4], 4);
    ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN)[4 * PIXELS], 4);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 5);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 9), "j");
    cnn_dataset_destroy(dataset);
    ck_assert_int_eq(remove(scratch_path(&at, "cifar-10-batches-bin/data_batch_1.bin")), 0);
    assert_refused(at.folder, "data_batch_1.bin is missing");
    write_cifar("cifar-10-batches-bin/data_batch_1.bin", 1, 9, 2);
    assert_refused(at.folder, "label of image 1: expected 0 to 9, found 10");
    write_text("cifar-10-batches-bin/data_batch_1.bin", "short");
    assert_refused(at.folder, "expected CIFAR's records of 3073 bytes");
    write_text("cifar-100-binary/train.bin", "short");
    assert_refused(
        at.folder,
        "expected one data set, found cifar-10-batches-bin and cifar-100-binary: name one");
}
END_TEST

START_TEST(cifar100_has_labels_of_two_kinds)
{
    cnn_dataset *dataset;
    cnn_data_options options;
    cnn_data_options_init(&options);
    write_cifar("train.bin", 2, 1, 3);
    write_cifar("test.bin", 2, 7, 1);
    assert_loads(&dataset, at.folder);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[2], 13);
    cnn_dataset_destroy(dataset);
    options.coarse_labels = true;
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_OK);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 7);
    cnn_dataset_destroy(dataset);
    write_cifar("train.bin", 2, 19, 2);
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_ERROR_DATA);
    assert_message_has("expected 0 to 19, found 20");
    write_text("all.csv", "1,2,3,4,5\n0,0,0,0,0\n");
    ck_assert_int_eq(cnn_dataset_open(&dataset, scratch_path(&at, "all.csv"), &options),
                     CNN_ERROR_DATA);
    assert_message_has("--labels coarse: expected CIFAR-100");
}
END_TEST

static const struct {
    const char *text;
    uint8_t pixels[4];
    int label;
} tables[] = {
    {"label,pixel0,pixel1,pixel2,pixel3\n3,0,255,1,2\n0,9,9,9,9\n", {0, 255, 1, 2}, 3},
    {"3,0,255,1,2\r\n0,9,9,9,9", {0, 255, 1, 2}, 3},
    {"p1;p2;p3;p4;\"Class\"\n0;255;1;2;3\n\n9;9;9;9;0\n", {0, 255, 1, 2}, 3},
    {"letter,0,1,2,3\n3,0,255,1,2\n0,9,9,9,9\n", {0, 255, 1, 2}, 3}, /* pandas' header */
    {"kind,1,2,3,4\n3,0,255,1,2\n0,9,9,9,9\n", {0, 255, 1, 2}, 3},
    {"label\t1\t2\t3\t4\n3\t0\t255\t1\t2\n3\t9\t9\t9\t9\n", {0, 255, 1, 2}, 3},
    {"\xef\xbb\xbf"
     "Label, 1x1, 1x2, 2x1, 2x2\n 3, 0.0, 255.0, 1, 2\n0,9,9,9,9\n",
     {0, 255, 1, 2},
     3},
};

START_TEST(tables_are_read_with_a_header_or_without)
{
    cnn_dataset *dataset;
    write_text("mnist_train.csv", tables[_i].text);
    write_text("mnist_test.csv", "7,1,2,3,4\n");
    write_text("readme.txt", "x");
    assert_loads(&dataset, at.folder);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 2);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[0], tables[_i].label);
    ck_assert_mem_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN), tables[_i].pixels, 4);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 7);
    cnn_dataset_destroy(dataset);
}
END_TEST

static const struct {
    const char *text, *part;
} bad_tables[] = {
    {"1,2,3,4,256\n",
     "line 1, column 5: expected a pixel, a whole number of 0 to 255, found '256'"},
    {"label,a,b,c,d\n1,2,3,4,x\n", "line 2, column 5: expected a pixel"},
    {"1,2,3,4,5\n1,2,3\n", "line 2: expected 5 columns, found 3"},
    {"1,2,3,4,5\n1,2,3,4,5,6\n", "line 2: expected 5 columns, found 6"},
    {"-1,2,3,4,5\n", "line 1, column 1: expected a label of 0 to 65534, found '-1'"},
    {",2,3,4,5\n1,2,3,4,5\n", "line 1, column 1: expected a label of 0 to 65534, found ''"},
    {"cat,2,3,4,5\ndog,2,3,4,5\n", "line 1, column 1: expected a label of 0 to 65534, found 'cat'"},
    {"id,label\n1,2\n3,4\n", "found 2 columns: pictures that a table names are read from a folder"},
    {"<!DOCTYPE html>\n<html>",
     "expected a table, a row label,pixel,... for each image, found a page"},
    {"version https://git-lfs.github.com/spec/v1\n", "for each image, found the pointer"},
    {"\xff\xfel", "for each image, found text in UTF-16; save it as UTF-8"},
    {"1,2,3,4,5\n65535,2,3,4,5\n", "line 2, column 1: expected a label of 0 to 65534"},
    {"1,2,3,4,5\n1,2,,4,5\n", "line 2, column 3: expected a pixel"},
    {"1,2,3\n", "found 3 columns"},
    {"", "found an empty file"},
    {"label,p,p,p,p\n", "below the header, found none"},
    {"1,2,3,4\n1,2,3,4\n", "found pixels alone"},
};

START_TEST(bad_tables_are_refused)
{
    write_text("some.csv", bad_tables[_i].text);
    assert_refused(scratch_path(&at, "some.csv"), bad_tables[_i].part);
}
END_TEST

START_TEST(the_column_that_is_taken_for_labels_is_told)
{
    cnn_dataset *dataset;
    write_text("last.csv", "0,1,2,3,1\n0,4,5,6,2\n0,4,5,6,3\n");
    write_text("notes.tsv", "not a table");
    assert_loads(&dataset, at.folder);
    assert_said(
        "the label, the first column, is 0 in all 3 rows: a label in another column is to be "
        "called label in a header");
    cnn_dataset_destroy(dataset);
    write_text("some.tsv", "kind\ta\tb\tc\td\n1\t2\t3\t4\t5\n2\t3\t4\t5\t6\n3\t0\t0\t0\t0\n");
    assert_loads(&dataset, scratch_path(&at, "some.tsv"));
    assert_said("no column is called label: the first, 'kind', is taken");
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(a_test_table_without_labels_is_left_out)
{
    cnn_dataset *dataset;
    write_text("train.csv",
               "label,a,b,c,d\n1,2,3,4,5\n2,3,4,5,6\n1,1,1,1,1\n0,0,0,0,0\n2,2,2,2,2\n");
    write_text("test.csv", "a,b,c,d\n2,3,4,5\n");
    write_text("sample_submission.csv", "id,label\n1,0\n");
    assert_loads(&dataset, at.folder);
    assert_said("test.csv has no labels: it is left out");
    assert_said("the table sample_submission.csv is passed over: its name says no split");
    assert_said("0.2 of it (1 of 5 images) is held out to validate (--val-split)");
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 4);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_VAL), 1);
    ck_assert_int_eq(cnn_dataset_judge(dataset), CNN_SPLIT_VAL);
    cnn_dataset_destroy(dataset);
}
END_TEST

/* A table of `count` images whose pixels are the image's number. */
static void write_numbers(const char *name, int count)
{
    char text[4096];
    int length = 0;
    for (int i = 0; i < count; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%d,%d,%d,%d,%d\n", i % 3,
                           i, i, i, i);
    write_text(name, text);
}

START_TEST(every_sample_is_in_one_part)
{
    enum { COUNT = 100 };
    static const double shares[] = {0.0, 0.01, 0.5, 0.99};
    static const size_t held[] = {20, 1, 50, 99};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        cnn_data_options options;
        cnn_dataset *dataset;
        bool seen[COUNT] = {false};
        size_t counts[3];
        cnn_data_options_init(&options);
        options.val_split = shares[i];
        write_numbers("all.csv", COUNT);
        ck_assert_int_eq(cnn_dataset_open(&dataset, scratch_path(&at, "all.csv"), &options),
                         CNN_OK);
        for (int split = 0; split < 3; split++) {
            counts[split] = cnn_dataset_count(dataset, (cnn_split)split);
            for (size_t n = 0; n < counts[split]; n++) {
                uint8_t number = cnn_dataset_images(dataset, (cnn_split)split)[4 * n];
                ck_assert(!seen[number]);
                seen[number] = true;
                ck_assert_int_eq(cnn_dataset_labels(dataset, (cnn_split)split)[n], number % 3);
            }
        }
        ck_assert_uint_eq(counts[CNN_SPLIT_VAL], held[i]);
        ck_assert_uint_eq(counts[CNN_SPLIT_TRAIN], COUNT - held[i]);
        cnn_dataset_destroy(dataset);
    }
}
END_TEST

START_TEST(a_share_that_leaves_nothing_is_refused)
{
    cnn_data_options options;
    cnn_dataset *dataset;
    cnn_data_options_init(&options);
    options.val_split = 0.01;
    write_numbers("all.csv", 3);
    ck_assert_int_ne(cnn_dataset_open(&dataset, scratch_path(&at, "all.csv"), &options), CNN_OK);
    assert_message_has("--val-split: expected some of the 3 training images");
}
END_TEST

START_TEST(many_classes_are_counted_and_named)
{
    cnn_dataset *dataset;
    write_text("train.csv", "0,1,1,1,1\n65534,1,1,1,1\n");
    write_text("test.csv", "300,1,1,1,1\n");
    assert_loads(&dataset, at.folder);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 65535);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 65534), "65534");
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 300);
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("formats");
    TCase *tests = tcase_create("formats");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, cifar10_is_read_in_the_order_of_its_files);
    tcase_add_test(tests, cifar100_has_labels_of_two_kinds);
    tcase_add_loop_test(tests, tables_are_read_with_a_header_or_without, 0,
                        (int)(sizeof tables / sizeof tables[0]));
    tcase_add_loop_test(tests, bad_tables_are_refused, 0,
                        (int)(sizeof bad_tables / sizeof bad_tables[0]));
    tcase_add_test(tests, the_column_that_is_taken_for_labels_is_told);
    tcase_add_test(tests, a_test_table_without_labels_is_left_out);
    tcase_add_test(tests, every_sample_is_in_one_part);
    tcase_add_test(tests, a_share_that_leaves_nothing_is_refused);
    tcase_add_test(tests, many_classes_are_counted_and_named);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
