/* IDX files as people have them: other names, folders in folders, wide labels, transposed images.
 */
#include "check_main.h"
#include "data/idx_names.h"
#include "data_folder.h"

enum { HEIGHT = 2, WIDTH = 3, IMAGE = HEIGHT * WIDTH, TRAIN = 4, TEST = 2 };

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

static void write_images(const char *name, uint8_t count)
{
    uint8_t data[16 + TRAIN * IMAGE] = {0, 0, 8, 3,      0, 0, 0, count,
                                        0, 0, 0, HEIGHT, 0, 0, 0, WIDTH};
    for (uint8_t i = 0; i < count * IMAGE; i++)
        data[16 + i] = i;
    nested_write(&at, name, data, (size_t)(16 + count * IMAGE));
}

/* Labels first, first + 1, ... of an element type's width, the class in the first of the columns.
 */
static void write_labels(const char *name, uint8_t count, uint8_t first, uint8_t type,
                         uint8_t width, uint8_t columns)
{
    uint8_t data[256] = {0, 0, type, columns > 1 ? 2 : 1, 0, 0, 0, count, 0, 0, 0, columns};
    size_t head = columns > 1 ? 12 : 8, row = (size_t)width * columns;
    memset(data + head, 77, (size_t)count * row);
    for (size_t i = 0; i < count; i++) {
        memset(data + head + i * row, 0, width);
        data[head + i * row + width - 1] = (uint8_t)(first + i);
    }
    nested_write(&at, name, data, head + (size_t)count * row);
}

static void write_bytes(const char *name, uint8_t count)
{
    write_labels(name, count, 0, 0x08, 1, 1);
}

static void assert_is_set(const char *path)
{
    cnn_dataset *dataset;
    assert_loads(&dataset, path);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), TRAIN);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TEST), TEST);
    ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN)[IMAGE + 1], IMAGE + 1);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[TRAIN - 1], TRAIN - 1);
    cnn_dataset_destroy(dataset);
}

static const struct {
    const char *files[CNN_IDX_NEEDED]; /* images and labels of both splits */
    const char *path;                  /* below the scratch folder; "" is that itself */
} layouts[] = {
    {{"train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte",
      "t10k-labels.idx1-ubyte"},
     ""},
    {{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "test-images-idx3-ubyte",
      "test-labels-idx1-ubyte"},
     ""},
    {{"train-images-idx3-ubyte/train-images-idx3-ubyte",
      "train-labels-idx1-ubyte/train-labels-idx1-ubyte",
      "t10k-images-idx3-ubyte/t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte/t10k-labels.idx1-ubyte.gz"},
     ""},
    {{"MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte",
      "MNIST/raw/t10k-images-idx3-ubyte", "MNIST/raw/t10k-labels-idx1-ubyte"},
     ""},
    {{"MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte",
      "MNIST/raw/t10k-images-idx3-ubyte", "MNIST/raw/t10k-labels-idx1-ubyte"},
     "MNIST"},
    {{"fruit-train-images-idx3-ubyte.gz", "fruit-train-labels-idx1-ubyte.gz",
      "fruit-test-images-idx3-ubyte.gz", "fruit-test-labels-idx1-ubyte.gz"},
     ""},
    {{"fruit-train-images-idx3-ubyte", "fruit-train-labels-idx1-ubyte",
      "fruit-test-images-idx3-ubyte", "fruit-test-labels-idx1-ubyte"},
     "fruit-test-labels-idx1-ubyte"},
};

static void write_layout(int index)
{
    write_images(layouts[index].files[0], TRAIN);
    write_bytes(layouts[index].files[1], TRAIN);
    write_images(layouts[index].files[2], TEST);
    write_bytes(layouts[index].files[3], TEST);
}

START_TEST(every_layout_is_found)
{
    write_layout(_i);
    assert_is_set(layouts[_i].path[0] ? scratch_path(&at, layouts[_i].path) : at.folder);
}
END_TEST

START_TEST(each_missing_file_is_named)
{
    static const char *const parts[] = {"train-images", "train-labels", "t10k-images",
                                        "t10k-labels"};
    write_layout(0);
    ck_assert_int_eq(remove(scratch_path(&at, layouts[0].files[_i])), 0);
    assert_refused(at.folder, parts[_i]);
    assert_message_has("is missing");
}
END_TEST

/* The folder that Kaggle's archive has beside each file. */
START_TEST(a_file_comes_before_a_folder_of_its_name)
{
    write_layout(0);
    write_images("train-images-idx3-ubyte/train-images-idx3-ubyte", 1);
    assert_is_set(at.folder);
}
END_TEST

START_TEST(one_of_several_sets_is_named)
{
    write_layout(5);
    write_images("nuts-train-images-idx3-ubyte", 1);
    assert_refused(at.folder, "found several (fruit, nuts)");
    assert_is_set(scratch_path(&at, "fruit"));
    assert_refused(scratch_path(&at, "nuts"), "nuts-train-labels-idx1-ubyte");
    assert_refused(scratch_path(&at, "figs"), "no such folder");
    write_layout(0);
    assert_is_set(at.folder);
    ck_assert_ptr_nonnull(strstr(lines, "also has the sets fruit, nuts"));
}
END_TEST

static const struct {
    uint8_t type, width, columns;
} label_types[] = {{0x08, 1, 1}, {0x09, 1, 1}, {0x0b, 2, 1}, {0x0c, 4, 1},
                   {0x0c, 4, 8}, {0x08, 1, 3}, {0x0b, 2, 2}};

START_TEST(what_is_left_out_is_told)
{
    write_layout(0);
    ck_assert_ptr_null(strstr(lines, "left out"));
    write_images("test-images-idx3-ubyte", 1);
    assert_is_set(at.folder);
    ck_assert_ptr_nonnull(strstr(lines, ": t10k-images.idx3-ubyte is taken for the test images, "
                                        "test-images-idx3-ubyte is left out"));
    /* images of one and labels of the other are no pair */
    ck_assert_int_eq(remove(scratch_path(&at, "t10k-images.idx3-ubyte")), 0);
    assert_refused(at.folder, "expected test images and labels that belong together");
}
END_TEST

START_TEST(labels_may_be_wide_and_have_columns)
{
    uint8_t type = label_types[_i].type, width = label_types[_i].width;
    uint8_t columns = label_types[_i].columns;
    write_images("qmnist-train-images-idx3-ubyte", TRAIN);
    write_labels("qmnist-train-labels-idx2-int", TRAIN, 0, type, width, columns);
    write_images("qmnist-test-images-idx3-ubyte", TEST);
    write_labels("qmnist-test-labels-idx2-int", TEST, 0, type, width, columns);
    assert_is_set(at.folder);
    ck_assert_int_eq(strstr(lines, "columns: the first is taken for the class") != NULL,
                     columns > 1);
}
END_TEST

START_TEST(a_label_beyond_the_limits_is_refused)
{
    static const struct {
        uint8_t type, bytes[4];
        const char *part;
    } bad[] = {{0x09, {0xff}, "label 0: expected 0 to 65534, found -1"},
               {0x0b, {0xff, 0xfe}, "label 0: expected 0 to 65534, found -2"},
               {0x0c, {0, 0, 0xff, 0xff}, "label 0: expected 0 to 65534, found 65535"},
               {0x0c, {0x7f, 0xff, 0xff, 0xff}, "found 2147483647"},
               {0x0d, {0}, "or another type of whole numbers, found 0x0d"}};
    static const size_t widths[] = {[0x09] = 1, [0x0b] = 2, [0x0c] = 4, [0x0d] = 4};
    uint8_t data[12] = {0, 0, bad[_i].type, 1, 0, 0, 0, 1};
    write_layout(0);
    memcpy(data + 8, bad[_i].bytes, 4);
    write_images(layouts[0].files[0], 1);
    nested_write(&at, layouts[0].files[1], data, 8 + widths[bad[_i].type]);
    assert_refused(at.folder, bad[_i].part);
}
END_TEST

START_TEST(emnist_is_turned_upright)
{
    cnn_dataset *dataset;
    write_images("emnist-letters-train-images-idx3-ubyte", TRAIN);
    write_labels("emnist-letters-train-labels-idx1-ubyte", TRAIN, 1, 0x08, 1, 1);
    write_images("emnist-letters-test-images-idx3-ubyte", TEST);
    write_labels("emnist-letters-test-labels-idx1-ubyte", TEST, 1, 0x08, 1, 1);
    assert_loads(&dataset, at.folder);
    const int shape[] = {1, WIDTH, HEIGHT};
    const uint8_t turned[] = {0, 3, 1, 4, 2, 5};
    ck_assert_mem_eq(cnn_dataset_shape(dataset), shape, sizeof shape);
    ck_assert_mem_eq(cnn_dataset_images(dataset, CNN_SPLIT_TEST), turned, sizeof turned);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), TRAIN + 1);
    cnn_dataset_destroy(dataset);
    ck_assert_ptr_nonnull(strstr(lines, "transposed"));
    ck_assert_ptr_nonnull(strstr(lines, "labels go from 1 to 4"));
}
END_TEST

START_TEST(emnist_is_turned_upright_alone_and_in_tables)
{
    const char name[] = "EMNIST-digits-test-images-idx3-ubyte";
    const char table[] = "7,1,2,3,4\n9,1,2,3,4\n7,1,2,3,4\n9,1,2,3,4\n7,1,2,3,4\n9,1,2,3,4\n";
    const uint8_t turned[] = {0, 3, 1, 4, 2, 5}, turned_rows[] = {1, 3, 2, 4, 1, 3, 2, 4};
    cnn_images *images;
    cnn_dataset *dataset;
    char *path;
    write_images(name, 1);
    ck_assert_int_eq(cnn_path_join(&path, at.folder, name), CNN_OK);
    ck_assert_int_eq(cnn_images_load(&images, path), CNN_OK);
    const cnn_image image = cnn_images_get(images, 0);
    ck_assert_int_eq(image.shape[1], WIDTH);
    ck_assert_int_eq(image.shape[2], HEIGHT);
    ck_assert_mem_eq(image.pixels, turned, sizeof turned);
    cnn_images_destroy(images);
    free(path);
    nested_write(&at, "tables/emnist-balanced-train.csv", table, sizeof table - 1);
    ck_assert_int_eq(cnn_path_join(&path, at.folder, "tables/emnist-balanced-train.csv"), CNN_OK);
    assert_loads(&dataset, path);
    ck_assert_mem_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN), turned_rows, sizeof turned_rows);
    cnn_dataset_destroy(dataset);
    free(path);
    ck_assert_ptr_nonnull(
        strstr(lines, "emnist-balanced-train.csv: EMNIST stores its images transposed"));
}
END_TEST

/* Below folders, too; a file that --data takes itself is named as such. */
START_TEST(what_lies_deeper_is_named)
{
    nested_write(&at, "a/b/c/d.heic",
                 "\0\0\0\x18"
                 "ftypheic",
                 12);
    assert_refused(at.folder,
                   "found 1 folder (a), of which a/b/c/d.heic is a HEIC picture: convert");
    nested_write(&at, "x.npz",
                 "PK\3\4"
                 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                 "\5\0\0\0a.npy",
                 35);
    assert_refused(at.folder, "of which x.npz is arrays of NumPy's (npz): name the file itself");
}
END_TEST

START_TEST(what_is_there_instead_is_named)
{
    nested_write(&at, "cats/1.txt", "x", 1);
    nested_write(&at, "data.pkl", "\x80\x04K\x01.", 5);
    assert_refused(at.folder, "found 1 folder (cats) and 1 file (data.pkl)");
    assert_message_has("pickle");
    assert_message_has("train-images-idx3-ubyte");
    assert_refused(scratch_path(&at, "data.pkl"), "found a pickle");
}
END_TEST

static const char *const no_names[] = {"train-images",
                                       "train-images-idx3",
                                       "train-images-idx5-ubyte",
                                       "train-images-idx0-int",
                                       "trains-images-idx3-ubyte",
                                       "train-images-idx3-ubyte.gz.part",
                                       "train-images_idx3-ubyte",
                                       "",
                                       "-",
                                       "images-idx3-ubyte",
                                       "-train-images-idx3-ubyte"};

START_TEST(other_names_are_not_taken)
{
    cnn_idx_name parsed;
    ck_assert(!cnn_idx_name_parse(&parsed, no_names[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idx names");
    TCase *tests = tcase_create("idx names");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_loop_test(tests, every_layout_is_found, 0, (int)(sizeof layouts / sizeof layouts[0]));
    tcase_add_loop_test(tests, each_missing_file_is_named, 0, CNN_IDX_NEEDED);
    tcase_add_test(tests, a_file_comes_before_a_folder_of_its_name);
    tcase_add_test(tests, one_of_several_sets_is_named);
    tcase_add_test(tests, what_is_left_out_is_told);
    tcase_add_loop_test(tests, labels_may_be_wide_and_have_columns, 0,
                        (int)(sizeof label_types / sizeof label_types[0]));
    tcase_add_loop_test(tests, a_label_beyond_the_limits_is_refused, 0, 5);
    tcase_add_test(tests, emnist_is_turned_upright);
    tcase_add_test(tests, emnist_is_turned_upright_alone_and_in_tables);
    tcase_add_test(tests, what_is_there_instead_is_named);
    tcase_add_test(tests, what_lies_deeper_is_named);
    tcase_add_loop_test(tests, other_names_are_not_taken, 0,
                        (int)(sizeof no_names / sizeof no_names[0]));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
