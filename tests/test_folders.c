/* Folders of pictures: classes, splits, sizes, what is passed over and what is refused. */
#include <unistd.h>

#include "check_main.h"
#include "data_folder.h"

static scratch at;
static char lines[8192];

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

/* A picture of one colour. */
static void write_picture(const char *name, int height, int width, uint8_t color)
{
    char data[4096];
    int head = snprintf(data, sizeof data, "P6\n%d %d\n255\n", width, height);
    memset(data + head, color, (size_t)(3 * height * width));
    nested_write(&at, name, data, (size_t)(head + 3 * height * width));
}

/* Two classes of two pictures each. */
static void write_train(int height, int width)
{
    write_picture("train/b/2.ppm", height, width, 20);
    write_picture("train/b/1.PPM", height, width, 21);
    write_picture("train/a b/deep/x.pgm.ppm", height, width, 10);
    write_picture("train/a b/z.ppm", height, width, 11);
}

static cnn_dataset *open_with(const cnn_data_options *options)
{
    cnn_dataset *dataset;
    ck_assert_msg(cnn_dataset_open(&dataset, at.folder, options) == CNN_OK, "%s",
                  cnn_error_message());
    return dataset;
}

static void assert_shape(const cnn_dataset *dataset, int channels, int height, int width)
{
    const int shape[] = {channels, height, width};
    ck_assert_mem_eq(cnn_dataset_shape(dataset), shape, sizeof shape);
}

START_TEST(classes_and_pictures_are_in_the_order_of_their_names)
{
    static const uint8_t colors[] = {11, 10, 21, 20};
    write_train(2, 3);
    write_picture("val/b/v.ppm", 2, 3, 30);
    write_picture("test/a b/t.ppm", 2, 3, 40);
    nested_write(&at, "train/b/Thumbs.db", "x", 1);
    nested_write(&at, "train/.hidden/x.ppm", "x", 1);
    cnn_dataset *dataset = open_with(NULL);
    assert_shape(dataset, 3, 2, 3);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 4);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 2);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 0), "a b");
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[i], (int)i / 2);
        ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN)[i * 18 + 17], colors[i]);
    }
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_VAL)[0], 1);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 0);
    ck_assert(cnn_dataset_is_of_pictures(dataset, NULL));
    cnn_dataset_destroy(dataset);
    assert_said("a file that is no picture by its name is passed over: Thumbs.db");
}
END_TEST

START_TEST(one_split_is_divided)
{
    write_train(2, 2);
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "train/b/more%d.ppm", i);
        write_picture(name, 2, 2, 1);
    }
    cnn_dataset *dataset = open_with(NULL);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 8);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_VAL), 2);
    ck_assert(cnn_dataset_held_out(dataset) == 0.2);
    cnn_dataset_destroy(dataset);
    assert_loads(&dataset, scratch_path(&at, "train")); /* DIR/CLASS */
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_VAL), 2);
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(sizes_follow_the_option_the_network_or_the_pictures)
{
    cnn_data_options options;
    cnn_data_options_init(&options);
    write_train(4, 6);
    write_picture("val/b/v.ppm", 4, 6, 30);
    options.input[0] = 1;
    options.input[1] = options.input[2] = 5;
    cnn_dataset *dataset = open_with(&options);
    assert_shape(dataset, 1, 5, 5);
    cnn_dataset_destroy(dataset);
    options.height = 2;
    options.width = 7;
    dataset = open_with(&options);
    assert_shape(dataset, 1, 2, 7);
    cnn_dataset_destroy(dataset);
    write_picture("val/b/w.ppm", 6, 4, 30);
    dataset = open_with(NULL);
    assert_shape(dataset, 3, 224, 224);
    cnn_dataset_destroy(dataset);
    assert_said("the pictures differ in size: all are brought to 224 x 224 (--size), cropped");
}
END_TEST

START_TEST(a_models_classes_come_first)
{
    static const char *const names[] = {"z", "b", "a b"};
    cnn_data_options options;
    cnn_data_options_init(&options);
    write_train(2, 2);
    write_picture("val/b/v.ppm", 2, 2, 30);
    options.class_names = names;
    options.class_count = 3;
    cnn_dataset *dataset = open_with(&options);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 3);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[0], 2);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_VAL)[0], 1);
    cnn_dataset_destroy(dataset);
    options.class_count = 2;
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_ERROR_DATA);
    assert_message_has("the class a b is not one of the model's, which are z, b: give data");
    static const char *const twice[] = {"b", "a b", "b"};
    options.class_names = twice;
    options.class_count = 3;
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_ERROR_DATA);
    assert_message_has("the class b may be one of two of the model's");
}
END_TEST

/* For a model of so many classes: a picture of each class, then its label or what is said. */
static const struct {
    int classes;
    const char *folders[13];
    int labels[3];
    const char *refused;
} unnamed[] = {
    {10, {"3", "7"}, {3, 7}, NULL},
    {10, {"07"}, {7}, NULL},
    {3, {"0", "1", "2"}, {0, 1, 2}, NULL},
    {3, {"1", "2", "3"}, {0, 1, 2}, NULL},
    {3, {"a", "b", "c"}, {0, 1, 2}, NULL},
    {10, {"a", "b"}, {0}, "expected folders of all 10 classes, or such as are called by their"},
    {10, {"3", "03"}, {0}, "labels (0 to 9), as the model knows no names of its classes, found 2"},
    {10, {"9", "10"}, {0}, "found 2 (10, 9)"},
    {10,
     {"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"},
     {0},
     "the folders 1, 10, 2, ... are labels in one order by number and in another by name"},
    {10, {"a"}, {0}, "expected folders of two or more classes, found a alone"},
    {12,
     {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"},
     {0},
     "the folders 0, 1, 10, ... are labels in one order by number and in another by name"},
};

START_TEST(a_model_without_names_has_labels_or_all_classes)
{
    cnn_data_options options;
    cnn_dataset *dataset;
    char name[64];
    cnn_data_options_init(&options);
    options.class_count = unnamed[_i].classes;
    for (int i = 0; unnamed[_i].folders[i]; i++) {
        snprintf(name, sizeof name, "test/%s/x.ppm", unnamed[_i].folders[i]);
        write_picture(name, 2, 2, 1);
    }
    cnn_status status = cnn_dataset_open(&dataset, at.folder, &options);
    if (unnamed[_i].refused) {
        ck_assert_int_eq(status, CNN_ERROR_DATA);
        assert_message_has(unnamed[_i].refused);
        return;
    }
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    for (int i = 0; unnamed[_i].folders[i]; i++) {
        int label = cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[i];
        ck_assert_int_eq(label, unnamed[_i].labels[i]);
        ck_assert_str_eq(cnn_dataset_class_name(dataset, label), unnamed[_i].folders[i]);
    }
    ck_assert_int_eq(cnn_dataset_class_count(dataset), unnamed[_i].classes);
    cnn_dataset_destroy(dataset);
    assert_said("the model knows no names of its classes: the folders are taken ");
}
END_TEST

START_TEST(broken_pictures_are_named_or_left_out)
{
    cnn_data_options options;
    cnn_data_options_init(&options);
    write_train(2, 2);
    write_picture("val/b/v.ppm", 2, 2, 30);
    nested_write(&at, "train/a b/y.jpg", "\xff\xd8\xff broken", 10);
    nested_write(&at, "train/b/0.png", "no picture", 10);
    assert_refused(at.folder, "y.jpg: damaged or truncated JPEG");
    assert_message_has("--skip-broken");
    options.skip_broken = true;
    cnn_dataset *dataset = open_with(&options);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 4);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN)[2], 1);
    ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN)[2 * 12], 21);
    cnn_dataset_destroy(dataset);
    assert_said("2 of 7 pictures cannot be read and are left out; the first: ");
}
END_TEST

START_TEST(links_in_a_circle_end)
{
    write_train(2, 2);
    write_picture("val/b/v.ppm", 2, 2, 30);
    ck_assert_int_eq(symlink("..", scratch_path(&at, "train/b/all")), 0);
    ck_assert_int_eq(symlink(".", scratch_path(&at, "train/b/self")), 0);
    cnn_dataset *dataset = open_with(NULL);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 4);
    cnn_dataset_destroy(dataset);
}
END_TEST

static const struct {
    const char *name, *part; /* a picture more, and what is said */
} bad_folders[] = {
    {"val/c/x.ppm", "the class c is not one of those to train on"},
    {"train/c/x.txt", "train/c: expected pictures of the class"},
    {"train/c\nd/x.ppm", "the name of the class 'c?d' is not one line of UTF-8"},
    {"train/\xff/x.ppm", "the name of the class '?' is not one line of UTF-8"},
    {"Train/c/x.ppm", "expected one folder for each split"},
};

START_TEST(bad_folders_are_refused)
{
    write_train(2, 2);
    write_picture("val/b/v.ppm", 2, 2, 30);
    write_picture(bad_folders[_i].name, 2, 2, 1);
    assert_refused(at.folder, bad_folders[_i].part);
}
END_TEST

START_TEST(one_class_or_none_is_refused)
{
    write_picture("val/b/v.ppm", 2, 2, 30);
    assert_refused(at.folder, "expected a folder train");
    write_picture("train/b/v.ppm", 2, 2, 30);
    assert_refused(at.folder, "two or more classes, found b alone");
}
END_TEST

START_TEST(classes_that_differ_by_case_are_told)
{
    write_train(2, 2);
    write_picture("train/B/v.ppm", 2, 2, 30);
    cnn_dataset *dataset = open_with(NULL);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), 3);
    ck_assert_str_eq(cnn_dataset_class_name(dataset, 0), "B");
    cnn_dataset_destroy(dataset);
    assert_said("B and b are two classes: their names differ by case");
}
END_TEST

/* As ImageFolder passes GIF files over, so does this, but where there is nothing else. */
START_TEST(gif_files_count_where_all_are_such)
{
    static const char gif[] = "GIF89a\2\0\2\0\xf1\0\0\xff\0\0\0\xff\0\0\0\xff\x66\x33\0"
                              ",\0\0\0\0\2\0\2\0\0\2\3\x44\xa8\x15\0;";
    cnn_dataset *dataset;
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%d.gif", i % 2 ? "a" : "b", i);
        nested_write(&at, name, gif, sizeof gif - 1);
    }
    dataset = open_with(NULL);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 5);
    assert_shape(dataset, 3, 2, 2);
    cnn_dataset_destroy(dataset);
    write_picture("a/7.ppm", 2, 2, 1);
    assert_refused(
        at.folder,
        "/b: expected pictures of the class (.jpg, .png, ...), found 3 other files (0.gif");
}
END_TEST

/* The pictures of each split; -1: refused. */
static void assert_counts(int train, int val, int test, int classes)
{
    cnn_dataset *dataset = open_with(NULL);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), (size_t)train);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_VAL), (size_t)val);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TEST), (size_t)test);
    ck_assert_int_eq(cnn_dataset_class_count(dataset), classes);
    cnn_dataset_destroy(dataset);
}

static void write_class(const char *folder, int count)
{
    char name[SCRATCH_PATH_SIZE];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%d.ppm", folder, i);
        write_picture(name, 2, 2, (uint8_t)i);
    }
}

START_TEST(a_split_has_classes_and_a_class_has_none)
{
    static const char *const classes[][3] = {
        {"bus", "car", "train"}, {"control", "test", "x"}, {"train", "val", "test"}};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++)
            write_class(classes[i][j], 5);
        assert_counts(12, 3, 0, 3);
        end();
        begin();
    }
    write_class("Train/a", 2);
    write_class("Train/b", 2);
    write_class("dev/a", 1);
    write_class("test", 1);
    write_class("more/a", 1);
    assert_counts(4, 1, 0, 2);
    assert_said("2 folders of pictures beside the splits are passed over: more, test (without "
                "classes)");
}
END_TEST

START_TEST(one_word_of_a_name_says_a_split)
{
    static const char *const names[][2] = {
        {"training_set", "test_set"}, {"seg_train", "seg_test"}, {"my-Train", "my val.1"}};
    char name[64];
    for (int i = 0; i < 3; i++) {
        for (int split = 0; split < 2; split++)
            for (int c = 0; c < 2; c++) {
                snprintf(name, sizeof name, "%s/%c", names[i][split], 'a' + c);
                write_class(name, 2 - split);
            }
        write_class("seg_pred/a", 1);
        bool val = i == 2;
        assert_counts(4, val ? 2 : 0, val ? 0 : 2, 2);
        assert_said(names[i][0]);
        assert_said("is taken for the split train, by its name");
        assert_said("passed over: seg_pred");
        end();
        begin();
    }
    /* kinds of trains, by light; and a third kind of thing beside */
    for (int i = 0; i < 6; i++) {
        static const char *const kinds[] = {"bullet_train", "steam_train", "car"};
        snprintf(name, sizeof name, "%s/%s", kinds[i / 2], i % 2 ? "day" : "night");
        write_class(name, 5);
    }
    assert_counts(24, 6, 0, 3);
    end();
    begin();
    for (int i = 0; i < 6; i++) {
        static const char *const kinds[] = {"bullet_train", "test_tube", "car"};
        snprintf(name, sizeof name, "%s/%s", kinds[i / 2], i % 2 ? "day" : "night");
        write_class(name, 5);
    }
    assert_counts(24, 6, 0, 3);
    end();
    begin();
    /* two kinds of stations, by year */
    write_class("train_station/2019", 5);
    write_class("test_station/2020", 5);
    assert_counts(8, 2, 0, 2);
}
END_TEST

START_TEST(what_a_training_left_is_no_class)
{
    write_class("cats", 5);
    write_class("dogs", 5);
    nested_write(&at, "runs/cnn/cnn.run.json", "{}", 2);
    write_class("runs/cnn", 1);
    nested_write(&at, "dogs/old/a.ckpt.safetensors", "x", 1);
    write_class("dogs/old", 1);
    assert_counts(8, 2, 0, 2);
    assert_said("the folder runs holds runs of cnn-cl: it is passed over");
    /* a class stays one, however deep its pictures lie beside a run */
    write_class("deep/1/2/3/4/5", 5);
    nested_write(&at, "deep/r/x.run.json", "{}", 2);
    assert_counts(12, 3, 0, 3);
    nested_remove(scratch_path(&at, "deep"));
    /* with a run in it or a name like it, too */
    nested_write(&at, "runs/b/x.ppm", "P5 1 1 255\nx", 12);
    lines[0] = '\0';
    assert_counts(9, 2, 0, 3);
    ck_assert_ptr_null(strstr(lines, "holds runs"));
}
END_TEST

START_TEST(pictures_to_judge_by_alone_are_for_a_model)
{
    static const char *const names[] = {"b", "a", "c"};
    cnn_data_options options;
    cnn_dataset *dataset;
    write_class("test/a", 2);
    write_class("test/b", 1);
    assert_refused(at.folder, "expected a folder train, with a folder for each class, beside test");
    cnn_data_options_init(&options);
    options.class_names = names;
    options.class_count = 3;
    dataset = open_with(&options);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), 0);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_TEST), 3);
    ck_assert_int_eq(cnn_dataset_labels(dataset, CNN_SPLIT_TEST)[0], 1);
    cnn_dataset_destroy(dataset);
    nested_remove(scratch_path(&at, "test"));
    write_class("test/a/r", 1);
    nested_write(&at, "test/b/x.ppm", "P6 1 1 255\nxxx", 14);
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_OK);
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(what_a_class_has_instead_of_pictures_is_named)
{
    static const char heic[] = "\0\0\0\x18"
                               "ftypheic\0\0\0\0mif1heic";
    static const char jpeg[] = "\xff\xd8\xff\xe0\0\x10JFIF";
    write_class("a", 2);
    nested_write(&at, "b/1.heic", heic, sizeof heic);
    nested_write(&at, "b/2.heic", heic, sizeof heic);
    assert_refused(at.folder,
                   "found 2 other files (1.heic, a HEIC picture: convert it: heif-convert");
    write_class("b", 2);
    assert_counts(3, 1, 0, 2);
    assert_said(
        "2 files that are no pictures by their names are passed over: 1.heic, a HEIC picture");
    nested_write(&at, "c/1.jfif", jpeg, sizeof jpeg);
    assert_refused(at.folder, "1.jfif, a JPEG picture: its name should say so (.jpg, .png, ...)");
}
END_TEST

START_TEST(the_folder_below_the_named_one_is_told)
{
    write_class("set/train/a", 1);
    write_class("set/train/b", 1);
    assert_refused(at.folder, "two or more classes, found set alone: is --data ");
    assert_refused(at.folder, "/set meant, which has folders of pictures?");
}
END_TEST

/* Folders that all lead to all others. */
START_TEST(each_folder_is_looked_into_once)
{
    enum { CLASSES = 9 };
    char name[64], path[SCRATCH_PATH_SIZE + 64], target[64];
    for (int i = 0; i < CLASSES; i++) {
        snprintf(name, sizeof name, "train/%c", 'a' + i);
        write_class(name, 1);
        for (int j = 0; j < CLASSES; j++) {
            snprintf(path, sizeof path, "%s/train/%c/to_%c", at.folder, 'a' + i, 'a' + j);
            snprintf(target, sizeof target, "../%c", 'a' + j);
            ck_assert_int_eq(symlink(target, path), 0);
        }
    }
    write_class("val/a", 1);
    assert_counts(CLASSES * CLASSES, 1, 0, CLASSES);
}
END_TEST

START_TEST(pictures_of_every_size_up_to_the_limit)
{
    char bomb[128];
    cnn_data_options options = {.height = 2, .width = 2, .skip_broken = true};
    write_train(2, 2);
    write_picture("val/b/1.ppm", 1, 1, 9);
    cnn_dataset *dataset = open_with(&options);
    ck_assert_int_eq(cnn_dataset_images(dataset, CNN_SPLIT_VAL)[11], 9);
    cnn_dataset_destroy(dataset);
    int size = snprintf(bomb, sizeof bomb, "P4 30000 30000\n");
    nested_write(&at, "val/b/2.ppm", bomb, (size_t)size);
    options.skip_broken = false;
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_ERROR_DATA);
    assert_message_has("2.ppm: truncated PNM: expected at least 112500000 bytes");
    ck_assert_int_eq(symlink("/no/such/place", scratch_path(&at, "val/b/0.ppm")), 0);
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, &options), CNN_ERROR_FILE);
    assert_message_has("val/b/0.ppm: cannot be opened: No such file");
    options.skip_broken = true;
    dataset = open_with(&options);
    ck_assert_uint_eq(cnn_dataset_count(dataset, CNN_SPLIT_VAL), 1);
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(folders_without_permission_are_named)
{
    cnn_dataset *dataset;
    write_train(2, 2);
    if (geteuid() == 0) /* who may read everything */
        return;
    ck_assert_int_eq(chmod(scratch_path(&at, "train/b"), 0), 0);
    ck_assert_int_eq(cnn_dataset_load(&dataset, at.folder), CNN_ERROR_FILE);
    assert_message_has("train/b: the folder cannot be opened: Permission denied");
    ck_assert_int_eq(chmod(scratch_path(&at, "train/b"), 0700), 0);
}
END_TEST

START_TEST(a_table_beside_the_classes_is_no_data)
{
    write_train(2, 2);
    nested_write(&at, "labels.csv", "id,breed\n1,2\n", 13);
    cnn_dataset *dataset = open_with(NULL);
    ck_assert(cnn_dataset_is_of_pictures(dataset, NULL));
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("folders");
    TCase *tests = tcase_create("folders");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, classes_and_pictures_are_in_the_order_of_their_names);
    tcase_add_test(tests, one_split_is_divided);
    tcase_add_test(tests, sizes_follow_the_option_the_network_or_the_pictures);
    tcase_add_test(tests, a_models_classes_come_first);
    tcase_add_loop_test(tests, a_model_without_names_has_labels_or_all_classes, 0,
                        (int)(sizeof unnamed / sizeof unnamed[0]));
    tcase_add_test(tests, broken_pictures_are_named_or_left_out);
    tcase_add_test(tests, links_in_a_circle_end);
    tcase_add_loop_test(tests, bad_folders_are_refused, 0,
                        (int)(sizeof bad_folders / sizeof bad_folders[0]));
    tcase_add_test(tests, one_class_or_none_is_refused);
    tcase_add_test(tests, classes_that_differ_by_case_are_told);
    tcase_add_test(tests, gif_files_count_where_all_are_such);
    tcase_add_test(tests, a_split_has_classes_and_a_class_has_none);
    tcase_add_test(tests, one_word_of_a_name_says_a_split);
    tcase_add_test(tests, what_a_training_left_is_no_class);
    tcase_add_test(tests, pictures_to_judge_by_alone_are_for_a_model);
    tcase_add_test(tests, what_a_class_has_instead_of_pictures_is_named);
    tcase_add_test(tests, the_folder_below_the_named_one_is_told);
    tcase_add_test(tests, each_folder_is_looked_into_once);
    tcase_add_test(tests, pictures_of_every_size_up_to_the_limit);
    tcase_add_test(tests, folders_without_permission_are_named);
    tcase_add_test(tests, a_table_beside_the_classes_is_no_data);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
