/* Tuning of matrix products: sets of parameters, the file that keeps them, their use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cache.h"
#include "base/file.h"
#include "check_main.h"
#include "on_device.h"
#include "support.h"
#include "tensor/gemm_check.h"
#include "tensor/tuning_file.h"

static char folder[] = "/tmp/cnn-cl-test-tuning-XXXXXX";
static char warning[1024]; /* the last one */
static int warnings;

static void take_log(cnn_log_level level, const char *line, void *user)
{
    (void)user;
    if (level != CNN_LOG_WARNING)
        return;
    warnings++;
    snprintf(warning, sizeof warning, "%s", line);
}

static char *record_path(void)
{
    char *path;
    check_ok(cnn_gemm_record_path(&path, test_device()));
    ck_assert_ptr_nonnull(path);
    return path;
}

static void remove_record(void)
{
    char *path = record_path();
    unlink(path);
    free(path);
}

static void set_up(void)
{
    setenv("CNN_CL_CACHE_DIR", folder, 1);
    remove_record();
    cnn_log_set_callback(take_log, NULL);
    warnings = 0;
    *warning = '\0';
    *test_device()->tuning = '\0'; /* as when it was opened */
}

static void tear_down(void)
{
    setenv("CNN_CL_CACHE_DIR", folder, 1);
    remove_record();
    cnn_log_set_callback(NULL, NULL);
}

/* Another set than what is built in, and right. */
static cnn_gemm_tuning other_tuning(void)
{
    cnn_gemm_tuning tuning = cnn_gemm_plain_tuning(test_device());
    tuning.values[CNN_GEMM_INDIRECT][cnn_gemm_parameter(CNN_GEMM_INDIRECT, "KWG")] *= 2;
    tuning.given[CNN_GEMM_DIRECT] = false;
    tuning.values[CNN_GEMM_SWITCH][0] = 1;
    ck_assert(cnn_gemm_tuning_is_legal(&tuning, test_device()));
    return tuning;
}

/* Legal, but wrong in CLBlast 1.5.3 (on pocl at least). */
static cnn_gemm_tuning wrong_tuning(void)
{
    static const char *const names[] = {"GEMMK", "KREG",  "KWG",   "KWI", "MDIMA", "MDIMC",
                                        "MWG",   "NDIMB", "NDIMC", "NWG", "SA",    "SB",
                                        "STRM",  "STRN",  "VWM",   "VWN"};
    static const size_t values[] = {1, 1, 32, 2, 1, 1, 16, 1, 1, 16, 0, 0, 0, 0, 8, 4};
    cnn_gemm_tuning tuning = {{true, false, true}, {{0}, {0}, {1}}};
    for (int i = 0; i < 16; i++)
        tuning.values[0][cnn_gemm_parameter(CNN_GEMM_INDIRECT, names[i])] = values[i];
    ck_assert(cnn_gemm_tuning_is_legal(&tuning, test_device()));
    return tuning;
}

static bool is_wrong_here(void)
{
    return strcmp(cnn_gemm_library_version(), "1.5.3") == 0 &&
           test_device()->info.type == CNN_DEVICE_CPU;
}

/* A record with all that one can have. */
static cnn_gemm_record make_record(cnn_gemm_tuning tuning)
{
    static const cnn_gemm_shape shapes[] = {{false, true, 8, 4, 6}, {true, false, 4, 6, 8}};
    cnn_gemm_record record = {.tuning = tuning};
    cnn_gemm_trial *trial;
    check_ok(cnn_gemm_record_set_shapes(&record, shapes, 2));
    for (int i = 0; i < 2; i++) {
        record.before[i] = 0.25 + i;
        record.after[i] = 0.125 + i;
        check_ok(cnn_gemm_record_add(&trial, &record));
        trial->part = (cnn_gemm_part)i;
        trial->failed = i == 1;
        for (int j = 0; j < cnn_gemm_parts[i].count; j++)
            trial->values[j] = (size_t)(i + j);
        trial->seconds[0] = i == 0 ? 0.5 : 0.0;
    }
    return record;
}

static void write_record(cnn_gemm_tuning tuning)
{
    cnn_gemm_record record = make_record(tuning);
    bool saved;
    check_ok(cnn_gemm_record_write(&saved, &record, test_device()));
    ck_assert(saved);
    cnn_gemm_record_finish(&record);
}

/* Replaces the first `from` in the file by `to`, or cuts it off there (NULL). */
static void edit_record(const char *from, const char *to)
{
    char *path = record_path(), *at;
    void *data;
    size_t size;
    check_ok(cnn_file_read(&data, &size, path, 1 << 20));
    at = strstr(data, from);
    ck_assert_ptr_nonnull(at);
    const cnn_piece pieces[] = {{data, (size_t)(at - (char *)data)},
                                {to ? to : "", to ? strlen(to) : 0},
                                {at + strlen(from), to ? strlen(at + strlen(from)) : 0}};
    check_ok(cnn_file_write_atomic(path, pieces, 3));
    free(data);
    free(path);
}

static void check_left_aside(const char *why)
{
    cnn_gemm_record record = {.shape_count = 0};
    char *path = record_path();
    bool found;
    warnings = 0;
    check_ok(cnn_gemm_record_read(&record, &found, test_device()));
    ck_assert(!found);
    ck_assert_uint_eq(record.shape_count, 0);
    ck_assert_int_eq(warnings, 1);
    ck_assert_msg(strstr(warning, path) && strstr(warning, why) && strstr(warning, "remove it"),
                  "%s", warning);
    free(path);
}

START_TEST(sets_are_legal_or_not)
{
    static const struct {
        const char *name;
        size_t value;
    } illegal[] = {{"KWI", 3}, {"MWG", 12}, {"VWN", 0},    {"GEMMK", 2},
                   {"SA", 2},  {"KWG", 0},  {"MWG", 4096}, {"NDIMC", 1 << 10}};
    const cnn_device *device = test_device();
    cnn_gemm_tuning plain = cnn_gemm_plain_tuning(device);
    cnn_gemm_tuning built_in = cnn_gemm_default_tuning(device);
    ck_assert(cnn_gemm_tuning_is_legal(&plain, device));
    ck_assert(cnn_gemm_tuning_is_legal(&built_in, device));
    for (size_t i = 0; i < sizeof illegal / sizeof illegal[0]; i++) {
        cnn_gemm_tuning tuning = plain;
        tuning.values[0][cnn_gemm_parameter(CNN_GEMM_INDIRECT, illegal[i].name)] = illegal[i].value;
        ck_assert_msg(!cnn_gemm_tuning_is_legal(&tuning, device), "%s", illegal[i].name);
    }
    cnn_gemm_tuning direct = plain;
    direct.values[1][cnn_gemm_parameter(CNN_GEMM_DIRECT, "WGD")] = 1000; /* of local memory */
    ck_assert(!cnn_gemm_tuning_is_legal(&direct, device));
}
END_TEST

START_TEST(a_fingerprint_follows_from_what_is_given)
{
    char first[CNN_GEMM_FINGERPRINT_SIZE], second[CNN_GEMM_FINGERPRINT_SIZE];
    cnn_gemm_tuning a = other_tuning(), b = a;
    b.values[CNN_GEMM_DIRECT][0] += 1; /* not given */
    ck_assert(cnn_gemm_tunings_are_equal(&a, &b));
    ck_assert_str_eq(cnn_gemm_tuning_fingerprint(first, &a),
                     cnn_gemm_tuning_fingerprint(second, &b));
    ck_assert_uint_eq(strspn(first, "0123456789abcdef"), 16);
    b.values[CNN_GEMM_INDIRECT][2] += 1;
    ck_assert(!cnn_gemm_tunings_are_equal(&a, &b));
    ck_assert_str_ne(first, cnn_gemm_tuning_fingerprint(second, &b));
}
END_TEST

START_TEST(a_record_is_read_as_it_was_written)
{
    cnn_gemm_record expected = make_record(other_tuning()), record = {.shape_count = 0};
    bool found;
    check_ok(cnn_gemm_record_read(&record, &found, test_device()));
    ck_assert(!found);
    write_record(expected.tuning);
    check_ok(cnn_gemm_record_read(&record, &found, test_device()));
    ck_assert(found);
    ck_assert_int_eq(warnings, 0);
    ck_assert(cnn_gemm_tunings_are_equal(&record.tuning, &expected.tuning));
    ck_assert(!record.complete);
    ck_assert_uint_eq(record.shape_count, 2);
    ck_assert_uint_eq(record.trial_count, 2);
    for (int i = 0; i < 2; i++) {
        const cnn_gemm_trial *trial = &record.trials[i], *other = &expected.trials[i];
        ck_assert_uint_eq(record.shapes[i].k, expected.shapes[i].k);
        ck_assert_int_eq(record.shapes[i].transpose_a, expected.shapes[i].transpose_a);
        ck_assert_double_eq(record.before[i], expected.before[i]);
        ck_assert_double_eq(record.after[i], expected.after[i]);
        ck_assert_int_eq(trial->part, other->part);
        ck_assert_int_eq(trial->failed, other->failed);
        ck_assert_mem_eq(trial->values, other->values, sizeof trial->values);
        ck_assert_double_eq(trial->seconds[0], other->seconds[0]);
    }
    cnn_gemm_record_finish(&record);
    cnn_gemm_record_finish(&expected);
}
END_TEST

START_TEST(a_file_that_is_not_right_is_left_aside)
{
    static const struct {
        const char *from, *to, *why;
    } rows[] = {{"\"KWI\": ", "\"KWI\": 1", "damaged"},
                {"\"shapes\"", NULL, "damaged"},
                {"cnn-cl gemm tuning", "something else", "damaged"},
                {"\"version\": 1", "\"version\": 0", "another version"},
                {"\"version\": 1", "\"version\": 2", "another version"},
                {"{", "[", "damaged"},
                {"\"checksum\"", "\"no checksum\"", "damaged"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_record(other_tuning());
        edit_record(rows[i].from, rows[i].to);
        check_left_aside(rows[i].why);
    }
}
END_TEST

START_TEST(another_devices_file_is_left_aside)
{
    cnn_device *device = test_device();
    const cnn_device_info kept = device->info;
    char *path = record_path(), *foreign;
    write_record(other_tuning());
    snprintf(device->info.driver, sizeof device->info.driver, "another");
    foreign = record_path();
    ck_assert_str_ne(foreign, path);
    ck_assert(!cnn_file_exists(foreign));
    ck_assert_int_eq(rename(path, foreign), 0);
    check_left_aside("another device");
    unlink(foreign);
    device->info = kept;
    free(foreign);
    free(path);
}
END_TEST

START_TEST(values_that_cannot_be_are_left_aside)
{
    cnn_gemm_tuning tuning = other_tuning();
    tuning.values[0][cnn_gemm_parameter(CNN_GEMM_INDIRECT, "KWI")] = 3;
    write_record(tuning);
    check_left_aside("do not go together");
}
END_TEST

START_TEST(a_folder_that_cannot_be_written_is_no_error)
{
    cnn_gemm_record record = make_record(other_tuning());
    bool saved = true, found = true;
    setenv("CNN_CL_CACHE_DIR", "/proc/no-such-folder", 1);
    check_ok(cnn_gemm_record_write(&saved, &record, test_device()));
    ck_assert(!saved);
    cnn_gemm_record_finish(&record);
    check_ok(cnn_gemm_record_read(&record, &found, test_device()));
    ck_assert(!found);
    check_ok(cnn_gemm_prepare(test_device()));
    ck_assert_str_eq(cnn_device_tuning(test_device()), "default");
    ck_assert_int_eq(warnings, 0);
}
END_TEST

/* The same product under what is in use now. */
static float *multiply(random_source random)
{
    cnn_gemm_shape shape = {false, true, 61, 47, 83};
    size_t bytes;
    cl_mem a = device_floats(random_normals(&random, shape.m * shape.k, 1.0), shape.m * shape.k);
    cl_mem b = device_floats(random_normals(&random, shape.n * shape.k, 1.0), shape.n * shape.k);
    cl_mem c = device_floats(NULL, shape.m * shape.n);
    check_ok(cnn_gemm_scratch_bytes(&bytes, test_device(), &shape, shape.k, shape.k, shape.n));
    check_ok(cnn_gemm(test_device(), &shape, (cnn_matrix){a, 0, shape.k},
                      (cnn_matrix){b, 0, shape.k}, (cnn_matrix){c, 0, shape.n},
                      bytes > 0 ? device_bytes(NULL, bytes) : NULL));
    return read_floats(c, shape.m * shape.n);
}

START_TEST(a_file_is_put_to_use)
{
    enum { COUNT = 61 * 47 };
    char fingerprint[CNN_GEMM_FINGERPRINT_SIZE];
    cnn_gemm_tuning tuning = other_tuning();
    cnn_device *device = test_device();
    bool right;
    ck_assert_str_eq(cnn_device_tuning(device), "default");
    check_ok(cnn_gemm_prepare(device));
    ck_assert_str_eq(cnn_device_tuning(device), "default");
    float *before = multiply((random_source){.seed = 7});

    write_record(tuning);
    *device->tuning = '\0';
    check_ok(cnn_gemm_prepare(device));
    ck_assert_int_eq(warnings, 0);
    ck_assert_str_eq(cnn_device_tuning(device), cnn_gemm_tuning_fingerprint(fingerprint, &tuning));
    check_ok(cnn_gemm_check(&right, device, true, 0));
    ck_assert(right);
    float *after = multiply((random_source){.seed = 7});
    check_close("tuned", "c", after, before, COUNT, 2e-6, 0.0);

    /* Another process with the same file: the same bits. */
    *device->tuning = '\0';
    check_ok(cnn_gemm_prepare(device));
    ck_assert_mem_eq(multiply((random_source){.seed = 7}), after, COUNT * sizeof *after);
}
END_TEST

/* With pocl's compiler those values compute wrong, Intel's refuses them. */
static bool products_are_right(bool thorough)
{
    bool right = false;
    return cnn_gemm_check(&right, test_device(), thorough, 0) == CNN_OK && right;
}

START_TEST(a_file_that_computes_wrong_is_not_used)
{
    if (!is_wrong_here())
        return;
    cnn_gemm_tuning wrong = wrong_tuning();
    check_ok(cnn_gemm_use(test_device(), &wrong));
    ck_assert(!products_are_right(false));
    ck_assert(!products_are_right(true));
    write_record(wrong);
    check_ok(cnn_gemm_prepare(test_device()));
    ck_assert_int_eq(warnings, 1);
    ck_assert_ptr_nonnull(strstr(warning, "not right"));
    ck_assert(products_are_right(true));
    if (test_device()->kernel_class == CNN_KERNEL_CPU)
        ck_assert_str_eq(cnn_device_tuning(test_device()), "default");
}
END_TEST

/* As on a device whose work-groups are small: products and the copies around them still fit. */
START_TEST(small_work_groups_get_what_fits)
{
    enum { SMALL = 64 };
    cnn_device *device = test_device();
    size_t most = device->info.max_work_group;
    bool right;
    device->info.max_work_group = SMALL;
    cnn_gemm_tuning tuning = cnn_gemm_default_tuning(device);
    ck_assert(tuning.given[CNN_GEMM_INDIRECT]);
    ck_assert(cnn_gemm_tuning_is_legal(&tuning, device));
    check_ok(cnn_gemm_use(device, &tuning));
    check_ok(cnn_gemm_check(&right, device, true, 0));
    device->info.max_work_group = most;
    ck_assert(right);
}
END_TEST

int main(void)
{
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    Suite *suite = suite_create("tuning");
    TCase *tests = add_device_case(suite, "tuning");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, sets_are_legal_or_not);
    tcase_add_test(tests, a_fingerprint_follows_from_what_is_given);
    tcase_add_test(tests, a_record_is_read_as_it_was_written);
    tcase_add_test(tests, a_file_that_is_not_right_is_left_aside);
    tcase_add_test(tests, another_devices_file_is_left_aside);
    tcase_add_test(tests, values_that_cannot_be_are_left_aside);
    tcase_add_test(tests, a_folder_that_cannot_be_written_is_no_error);
    tcase_add_test(tests, a_file_is_put_to_use);
    tcase_add_test(tests, a_file_that_computes_wrong_is_not_used);
    /* The last: CLBlast's own copies cannot be had back in this process. */
    tcase_add_test(tests, small_work_groups_get_what_fits);
    int result = run_device_suite(suite);
    rmdir(folder);
    return result;
}
