/* Pictures are decoded once: what is kept of them, when it is made again, and how much there is. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "data/pack.h"
#include "data_folder.h"

enum { SIDE = 4, IMAGE = 3 * SIDE * SIDE, PICTURES = 7 };

static scratch at, cache;
static char lines[8192];

static void keep_line(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)user;
    size_t length = strlen(lines);
    snprintf(lines + length, sizeof lines - length, "%s\n", line);
}

static bool was_said(const char *part)
{
    return strstr(lines, part) != NULL;
}

/* A picture of one color, changed at this time. */
static void write_picture(const char *name, uint8_t color, long time)
{
    char data[64 + IMAGE];
    const struct timespec times[2] = {{.tv_sec = time}, {.tv_sec = time}};
    int head = snprintf(data, sizeof data, "P6\n%d %d\n255\n", SIDE, SIDE);
    memset(data + head, color, IMAGE);
    nested_write(&at, name, data, (size_t)head + IMAGE);
    ck_assert_int_eq(utimensat(AT_FDCWD, scratch_path(&at, name), times, 0), 0);
}

static void begin(void)
{
    scratch_init(&at);
    scratch_init(&cache);
    setenv("CNN_CL_CACHE_DIR", cache.folder, 1);
    lines[0] = '\0';
    cnn_log_set_callback(keep_line, NULL);
    write_picture("train/a/1.ppm", 1, 1000);
    write_picture("train/a/2.ppm", 2, 1000);
    write_picture("train/b/3.ppm", 3, 1000);
    write_picture("train/b/4.ppm", 4, 1000);
    write_picture("val/a/5.ppm", 5, 1000);
    write_picture("test/a/6.ppm", 6, 1000);
    write_picture("test/b/7.ppm", 7, 1000);
}

static void end(void)
{
    unsetenv("CNN_CL_CACHE_LIMIT");
    unsetenv("CNN_CL_DATA_MEMORY");
    cnn_log_set_callback(NULL, NULL);
    nested_finish(&at);
    nested_finish(&cache);
}

/* The name of the one file in the cache; "" where there is none. */
static const char *kept(void)
{
    static char name[SCRATCH_PATH_SIZE];
    DIR *folder = opendir(cache.folder);
    int count = 0;
    name[0] = '\0';
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "%.200s", entry->d_name);
            count++;
        }
    closedir(folder);
    ck_assert_int_le(count, 1);
    return name;
}

/* Loads; the first training picture must have this color, and the others the usual ones. */
static void check(uint8_t color, const cnn_data_options *options)
{
    static const cnn_split splits[] = {CNN_SPLIT_TRAIN, CNN_SPLIT_VAL, CNN_SPLIT_TEST};
    static const uint16_t labels[PICTURES] = {0, 0, 1, 1, 0, 0, 1};
    cnn_dataset *dataset;
    uint8_t image[IMAGE], wanted[IMAGE];
    int number = 0;
    lines[0] = '\0';
    ck_assert_msg(cnn_dataset_open(&dataset, at.folder, options) == CNN_OK, "%s",
                  cnn_error_message());
    for (int s = 0; s < 3; s++)
        for (size_t i = 0; i < cnn_dataset_count(dataset, splits[s]); i++, number++) {
            ck_assert_int_eq(cnn_dataset_read(image, dataset, splits[s], i), CNN_OK);
            memset(wanted, number ? number + 1 : color, sizeof wanted);
            ck_assert_mem_eq(image, wanted, sizeof image);
            ck_assert_int_eq(cnn_dataset_labels(dataset, splits[s])[i], labels[number]);
        }
    ck_assert_int_eq(number, PICTURES);
    ck_assert_int_eq(cnn_dataset_read(image, dataset, CNN_SPLIT_VAL, 1), CNN_ERROR_ARGUMENT);
    cnn_dataset_destroy(dataset);
}

START_TEST(pictures_are_decoded_once)
{
    check(1, NULL);
    ck_assert_str_ne(kept(), "");
    write_picture("train/a/1.ppm", 99, 1000); /* nothing that is looked at is another */
    check(1, NULL);
    write_picture("train/a/1.ppm", 99, 1001);
    nested_remove(cache.folder);
    ck_assert_int_eq(mkdir(cache.folder, 0700), 0);
    check(99, NULL);
    const char *name = kept();
    ck_assert_int_eq(unlink(scratch_path(&cache, name)), 0);
    check(99, &(cnn_data_options){.no_cache = true});
    ck_assert_str_eq(kept(), "");
}
END_TEST

START_TEST(another_time_size_or_option_is_another_pack)
{
    static const cnn_data_options options[] = {
        {.fit = CNN_FIT_PAD}, {.skip_broken = true}, {.height = SIDE, .width = SIDE}};
    check(1, NULL);
    for (size_t i = 0; i < 3; i++) {
        char before[SCRATCH_PATH_SIZE];
        snprintf(before, sizeof before, "%s", kept());
        ck_assert_int_eq(unlink(scratch_path(&cache, before)), 0);
        check(1, &options[i]);
        ck_assert_str_ne(kept(), before);
    }
}
END_TEST

/* Flips a bit, or cuts the file off. */
static void damage(long place)
{
    FILE *file = fopen(scratch_path(&cache, kept()), "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    if (place < 0) {
        ck_assert_int_eq(ftruncate(fileno(file), size + place), 0);
    } else {
        fseek(file, place, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, place, SEEK_SET);
        fputc(byte ^ 4, file);
    }
    fclose(file);
}

START_TEST(damaged_packs_are_made_again)
{
    static const long places[] = {0,
                                  20,
                                  85,
                                  100,
                                  4000,
                                  4095,
                                  4096,
                                  4096 + 3 * IMAGE,
                                  4096 + PICTURES * IMAGE,
                                  4096 + PICTURES * (IMAGE + 8) - 1,
                                  -1,
                                  -PICTURES * (IMAGE + 8),
                                  -300};
    check(1, NULL);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        damage(places[i]);
        check(1, NULL);
        ck_assert_msg(was_said("made again"), "%ld: %s", places[i], lines);
        check(1, NULL);
        ck_assert(!was_said("made again"));
    }
    const char *name = kept();
    ck_assert_int_eq(unlink(scratch_path(&cache, name)), 0);
    ck_assert_int_eq(mkdir(scratch_path(&cache, name), 0700), 0);
    check(1, NULL);
    ck_assert(was_said("not kept"));
}
END_TEST

START_TEST(what_is_larger_than_memory_streams)
{
    cnn_dataset *dataset;
    uint8_t image[IMAGE];
    setenv("CNN_CL_DATA_MEMORY", "0", 1);
    for (int round = 0; round < 2; round++) {
        check(1, NULL);
        ck_assert(was_said("stream from there"));
    }
    ck_assert_int_eq(cnn_dataset_open(&dataset, at.folder, NULL), CNN_OK);
    ck_assert_ptr_null(cnn_dataset_images(dataset, CNN_SPLIT_TRAIN));
    damage(4096 + IMAGE);
    ck_assert_int_eq(cnn_dataset_read(image, dataset, CNN_SPLIT_TRAIN, 0), CNN_OK);
    ck_assert_int_eq(cnn_dataset_read(image, dataset, CNN_SPLIT_TRAIN, 1), CNN_ERROR_DATA);
    assert_message_has("damaged, and removed: start again");
    cnn_dataset_destroy(dataset);
    ck_assert_str_eq(kept(), "");
    check(1, NULL);
    ck_assert_str_ne(kept(), "");
}
END_TEST

/* A file of a number of MiB in the cache, used last at this time. */
static void write_other(const char *name, long mebibytes, long time)
{
    const struct timespec times[2] = {{.tv_sec = time}, {.tv_sec = time}};
    scratch_write(&cache, name, "x", 1);
    ck_assert_int_eq(truncate(scratch_path(&cache, name), mebibytes << 20), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, scratch_path(&cache, name), times, 0), 0);
}

static bool is_there(const char *name)
{
    return access(scratch_path(&cache, name), F_OK) == 0;
}

START_TEST(packs_take_no_more_than_the_limit)
{
    setenv("CNN_CL_CACHE_LIMIT", "5", 1);
    write_other("pictures-old.pack", 2, 2000);
    write_other("pictures-older.pack", 2, 1000);
    write_other("pictures-new.pack", 2, 3000);
    write_other("pictures-left.pack.1.part", 1, 3000);
    write_other("tuning.json", 9, 1);
    check(1, NULL);
    ck_assert(!is_there("pictures-older.pack") && is_there("pictures-old.pack"));
    ck_assert(is_there("pictures-new.pack") && is_there("tuning.json"));
    ck_assert(!is_there("pictures-left.pack.1.part"));
    ck_assert(was_said("removed to make room"));
}
END_TEST

START_TEST(without_room_nothing_is_kept)
{
    setenv("CNN_CL_CACHE_LIMIT", "0", 1);
    check(1, NULL);
    ck_assert_str_eq(kept(), "");
    setenv("CNN_CL_CACHE_LIMIT", "many", 1);
    check(1, NULL);
    static const char wrong[] = "CNN_CL_CACHE_LIMIT: expected a whole number of MiB, found 'many'";
    const char *first = strstr(lines, wrong);
    ck_assert(first && !strstr(first + 1, wrong)); /* told once */
    ck_assert_str_ne(kept(), "");
    if (geteuid() == 0) { /* only root can give files away */
        ck_assert_int_eq(chown(scratch_path(&cache, kept()), 1, 1), 0);
        check(1, NULL);
        ck_assert(was_said("belongs to another user, and is not trusted: made again"));
        ck_assert_int_eq(chown(cache.folder, 1, 1), 0);
        check(1, NULL);
        ck_assert(was_said("belongs to another user: nothing is kept there"));
        ck_assert_int_eq(chown(cache.folder, 0, 0), 0);
    }
}
END_TEST

START_TEST(what_was_left_out_is_told_again)
{
    const cnn_data_options options = {.skip_broken = true};
    nested_write(&at, "train/a/0.jpg", "no picture", 10);
    for (int round = 0; round < 2; round++) {
        check(1, &options);
        ck_assert(was_said("1 of 8 pictures cannot be read and is left out; the first: "));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack");
    TCase *tests = tcase_create("pack");
    tcase_set_timeout(tests, 0);
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, pictures_are_decoded_once);
    tcase_add_test(tests, another_time_size_or_option_is_another_pack);
    tcase_add_test(tests, damaged_packs_are_made_again);
    tcase_add_test(tests, what_is_larger_than_memory_streams);
    tcase_add_test(tests, packs_take_no_more_than_the_limit);
    tcase_add_test(tests, without_room_nothing_is_kept);
    tcase_add_test(tests, what_was_left_out_is_told_again);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
