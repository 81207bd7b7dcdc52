/* What a trainer is given: options and data sets that it refuses, data that it must stream. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "net/network.h"
#include "optim/rate.h"
#include "train/options.h"
#include "train_case.h"

enum { TRAIN = 47, TEST = 21 };

static const int shape[] = {3, 10, 8};
static cnn_dataset *dataset;

static void set_up(void)
{
    dataset = make_dataset(shape, TRAIN_CLASSES, TRAIN, TEST);
}

static void tear_down(void)
{
    cnn_dataset_destroy(dataset);
}

static void check_refused(const cnn_config *config, const cnn_dataset *data,
                          const cnn_train_options *options, cnn_status expected, const char *part)
{
    cnn_model *model;
    cnn_trainer *trainer;
    uint64_t before = test_device()->allocated;
    check_ok(cnn_model_create(&model, config, 0));
    ck_assert_int_eq(cnn_trainer_create(&trainer, test_device(), model, data, options), expected);
    ck_assert_ptr_null(trainer);
    ck_assert_msg(strstr(cnn_error_message(), part), "'%s' is not in '%s'", part,
                  cnn_error_message());
    ck_assert_uint_eq(test_device()->allocated, before);
    cnn_model_destroy(model);
}

/* What is above 0 may be 0 for the device, or infinite, with the factor of a layer or of the
 * schedule. */
START_TEST(rates_are_those_of_float32)
{
    const struct {
        double lr, factor;
        const char *scale, *part;
    } cases[] = {
        {1e-30, 0.0, "linear_*=1e-30", "--lr times --lr-scale: expected a rate that is not 0"},
        {1e20, 0.0, "conv2d_00=2,linear_*=1e30",
         "--lr-scale: expected a rate that is not infinite"},
        {1e-20, 1e-20, "linear_*=1e-10", "at the end of --schedule: expected a rate that is not 0"},
        {1e-20, 1e-30, "", "--lr at the end of --schedule: expected a rate that is not 0"},
        {1e20, 1e30, "", "--schedule: expected a rate that is not infinite"}};
    cnn_config config = train_config(false, 0.0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cnn_train_options options = train_options();
        options.epochs = 2;
        options.lr = cases[i].lr;
        snprintf(options.lr_scale, sizeof options.lr_scale, "%s", cases[i].scale);
        if (cases[i].factor > 0.0)
            options.schedule = (cnn_rate_schedule){.kind = CNN_SCHEDULE_STEP,
                                                   .milestones = {1},
                                                   .milestone_count = 1,
                                                   .factor = cases[i].factor};
        check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, cases[i].part);
    }
}
END_TEST

/* A run may end before its schedule does: what is not reached counts nowhere. */
START_TEST(a_schedule_may_end_behind_the_run)
{
    const int milestones[] = {1, 2, 3, 40};
    const int epochs[] = {0, 1, 2, 3, 4, 100}, reached[] = {0, 0, 1, 2, 3, 4};
    cnn_train_options options = train_options();
    options.schedule =
        (cnn_rate_schedule){.kind = CNN_SCHEDULE_STEP, .milestone_count = 4, .factor = 1e-30};
    memcpy(options.schedule.milestones, milestones, sizeof milestones);
    for (size_t i = 0; i < sizeof epochs / sizeof epochs[0]; i++) {
        options.epochs = epochs[i];
        ck_assert_int_eq(cnn_rate_milestones(&options), reached[i]);
        ck_assert_int_eq(cnn_train_options_check(&options),
                         reached[i] < 2 ? CNN_OK : CNN_ERROR_ARGUMENT);
    }
    options.schedule.milestones[1] = 1;
    options.epochs = 1;
    ck_assert_int_eq(cnn_train_options_check(&options), CNN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "ascending epochs from 1 on, found 1"));
}
END_TEST

START_TEST(options_are_checked)
{
    cnn_config config = train_config(false, 0.0);
    const cnn_train_options good = train_options();
    const double rates[] = {0.0, -1.0, NAN, INFINITY, -INFINITY};
    cnn_train_options options = good;
    options.epochs = -1;
    check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, "epochs");
    options = good;
    options.batch = 0;
    check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, "batch");
    options = good;
    options.print_every = 0;
    check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, "print-every");
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        options = good;
        options.lr = rates[i];
        check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, "lr");
    }
    for (int kind = -3; kind <= 99; kind += 102) {
        options = good;
        options.optimizer = (cnn_optimizer_kind)kind;
        check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, "--optimizer: expected ");
        options = good;
        options.schedule.kind = (cnn_schedule_kind)kind;
        check_refused(&config, dataset, &options, CNN_ERROR_ARGUMENT, "--schedule: expected ");
    }
}
END_TEST

START_TEST(a_data_set_that_does_not_fit_is_refused)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = train_options();
    const int turned[] = {3, 8, 10};
    cnn_dataset *other = make_dataset(turned, TRAIN_CLASSES, TRAIN, TEST);
    check_refused(&config, other, &options, CNN_ERROR_DATA, "3,8,10");
    cnn_dataset_destroy(other);
    other = make_dataset(shape, TRAIN_CLASSES + 1, TRAIN, TEST);
    check_refused(&config, other, &options, CNN_ERROR_DATA, "classes");
    cnn_dataset_destroy(other);
}
END_TEST

static double try_option(const char *key, double value, cnn_status *status)
{
    cnn_train_options options = train_options();
    char text[64];
    options.lr = options.val_split = 0.125;
    snprintf(text, sizeof text, "%.17g", value);
    *status = cnn_train_options_set(&options, key, text);
    return strcmp(key, "lr") == 0 ? options.lr : options.val_split;
}

/* By powers of two through all that a double holds: what float32 loses is refused, and so is it in
 * options that did not come from text. */
START_TEST(numbers_are_those_of_float32)
{
    for (int power = -1074; power <= 1023; power++) {
        double value = ldexp(1.0, power);
        cnn_train_options options = train_options();
        cnn_config config = train_config(false, 0.0);
        cnn_status status;
        bool exists = (float)value > 0.0f && isfinite((float)value);
        double found = try_option("lr", value, &status);
        ck_assert_int_eq(status, exists ? CNN_OK : CNN_ERROR_ARGUMENT);
        ck_assert(found == (exists ? value : 0.125));
        found = try_option("val-split", value, &status);
        ck_assert_int_eq(status, exists && value < 1.0 ? CNN_OK : CNN_ERROR_ARGUMENT);
        options.lr = value;
        ck_assert_int_eq(cnn_train_options_check(&options), exists ? CNN_OK : CNN_ERROR_ARGUMENT);
        config.dropout = value;
        ck_assert_int_eq(cnn_config_check(&config),
                         exists && value < 1.0 ? CNN_OK : CNN_ERROR_ARGUMENT);
        config.dropout = 1.0 - value; /* in float32 it may be 1 */
        exists = value > 0x1p-25 && value <= 1.0;
        ck_assert_int_eq(cnn_config_check(&config), exists ? CNN_OK : CNN_ERROR_ARGUMENT);
    }
    ck_assert_int_eq(cnn_train_options_set(&(cnn_train_options){0}, "epochs", "1"),
                     CNN_ERROR_ARGUMENT);
}
END_TEST

/* A checkpoint of before knows no pieces. */
START_TEST(pieces_are_in_the_json)
{
    cnn_train_options options = train_options(), found;
    options.micro_batch = 3;
    json_t *json = cnn_train_options_to_json(&options);
    check_ok(cnn_train_options_from_json(&found, json, "a file"));
    ck_assert_int_eq(found.micro_batch, 3);
    ck_assert_int_eq(json_object_set_new(json, "micro_batch", json_integer(11)), 0);
    ck_assert_int_eq(cnn_train_options_from_json(&found, json, "a file"), CNN_ERROR_DATA);
    ck_assert_int_eq(json_object_set_new(json, "micro_batch", json_string("3")), 0);
    ck_assert_int_eq(cnn_train_options_from_json(&found, json, "a file"), CNN_ERROR_DATA);
    ck_assert_int_eq(json_object_del(json, "micro_batch"), 0);
    check_ok(cnn_train_options_from_json(&found, json, "a file"));
    ck_assert_int_eq(found.micro_batch, 0);
    ck_assert_int_eq(json_object_del(json, "batch"), 0);
    ck_assert_int_eq(cnn_train_options_from_json(&found, json, "a file"), CNN_ERROR_DATA);
    json_decref(json);
}
END_TEST

/* A device whose largest allocation, or whose memory, is a little below what the data set wants. */
START_TEST(the_data_set_is_streamed_where_it_does_not_fit)
{
    enum { IMAGES = 1000, SHORT = 5000, IMAGE_BYTES = 3 * 10 * 8 };
    cnn_config config = train_config(false, 0.5);
    cnn_train_options options = train_options();
    cnn_dataset *large = make_dataset(shape, TRAIN_CLASSES, IMAGES, TEST);
    cnn_device *device = test_device();
    const cnn_device_info kept = device->info;
    uint64_t before = device->allocated, bytes = 0;
    cnn_model *models[3];
    options.epochs = 1;
    for (int i = 0; i < 3; i++) {
        cnn_trainer *trainer;
        if (i == 1)
            device->info.max_allocation = IMAGES * IMAGE_BYTES - SHORT;
        if (i == 2)
            device->info.memory = before + bytes - SHORT;
        check_ok(cnn_model_create(&models[i], &config, options.seed));
        check_ok(cnn_trainer_create(&trainer, device, models[i], large, &options));
        if (i == 0) /* with the data set, which takes no memory of its own on a CPU */
            bytes = cnn_trainer_device_bytes(trainer) +
                    (device->kernel_class == CNN_KERNEL_CPU ? IMAGES * (IMAGE_BYTES + 1) : 0);
        ck_assert(cnn_trainer_is_streaming(trainer) == (i > 0));
        ck_assert_uint_eq(cnn_trainer_device_bytes(trainer), device->allocated - before);
        check_ok(cnn_trainer_run(trainer, NULL));
        cnn_trainer_destroy(trainer);
        ck_assert_uint_eq(device->allocated, before);
        device->info = kept;
        ck_assert(models_are_equal(models[0], models[i]));
    }
    for (int i = 0; i < 3; i++)
        cnn_model_destroy(models[i]);
    cnn_dataset_destroy(large);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trainer options");
    TCase *tests = add_device_case(suite, "options");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_schedule_may_end_behind_the_run);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, rates_are_those_of_float32);
    tcase_add_test(tests, a_data_set_that_does_not_fit_is_refused);
    tcase_add_test(tests, numbers_are_those_of_float32);
    tcase_add_test(tests, pieces_are_in_the_json);
    tcase_add_test(tests, the_data_set_is_streamed_where_it_does_not_fit);
    return run_device_suite(suite);
}
