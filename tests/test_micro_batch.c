/* --micro-batch: batches in pieces make the model that whole batches make, in less memory, and the
 * message of a device that has too little says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "plan/plan.h"
#include "train_case.h"

enum { CASES = 12, FEW = 4, EPOCHS = 2 };

/* Of what Adam makes of sums in another order, in some steps at a learning rate of 0.01. */
static const double tolerance = 1e-5;

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    cnn_epoch *epochs = user;
    epochs[epoch->index + 1] = *epoch;
    return true;
}

/* The model, what was told of its epochs (EPOCHS + 1), and the kernels that were launched. */
static cnn_model *train(cnn_epoch *epochs, uint64_t *launches, const cnn_config *config,
                        const cnn_dataset *dataset, const cnn_train_options *options)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = epochs};
    uint64_t before = test_device()->launches;
    cnn_model *model = train_model(config, dataset, options, &callbacks, CNN_OK);
    *launches = test_device()->launches - before;
    return model;
}

static cnn_config random_network(random_source *random, double dropout)
{
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[0] = random_int(random, 1, 3);
    config.xdim[1] = random_int(random, 6, 11);
    config.xdim[2] = random_int(random, 6, 11);
    config.ksize = random_int(random, 1, 4);
    config.cdim_count = random_int(random, 1, 2);
    for (int i = 0; i < config.cdim_count; i++)
        config.cdims[i] = random_int(random, 2, 9);
    config.hdims[0] = random_int(random, 3, 9);
    config.ydim = TRAIN_CLASSES;
    config.dropout = dropout;
    return config;
}

static void check_epochs(const char *name, const cnn_epoch *actual, const cnn_epoch *expected)
{
    for (int i = 0; i <= EPOCHS; i++) {
        const float losses[] = {(float)actual[i].loss, (float)expected[i].loss};
        ck_assert_uint_eq(actual[i].step, expected[i].step);
        if (i > 0)
            check_close(name, "loss", &losses[0], &losses[1], 1, tolerance, 0.0);
    }
}

/* _i: the example; fused and plain, resident and streamed, with and without dropout. The batch does
 * not divide the samples. */
START_TEST(pieces_make_what_whole_batches_make)
{
    random_source random = {.seed = (uint64_t)_i};
    cnn_config config = random_network(&random, _i % 3 == 0 ? 0.0 : 0.2 * (_i % 3));
    cnn_train_options options = train_options();
    cnn_epoch expected[EPOCHS + 1], told[EPOCHS + 1];
    uint64_t launches, whole_launches;
    options.batch = random_int(&random, 8, 13);
    options.fuse = _i & 1;
    options.stream = _i & 2;
    cnn_dataset *dataset = make_dataset(
        config.xdim, TRAIN_CLASSES, (size_t)(3 * options.batch + random_int(&random, 1, 7)), 11);
    cnn_model *whole = train(expected, &whole_launches, &config, dataset, &options);
    const int pieces[] = {1, 3, 7, options.batch};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        char name[64];
        options.micro_batch = pieces[i];
        snprintf(name, sizeof name, "example %d, %d of %d", _i, pieces[i], options.batch);
        cnn_model *model = train(told, &launches, &config, dataset, &options);
        check_models_close(name, model, whole, tolerance, true);
        check_epochs(name, told, expected);
        if (pieces[i] == options.batch) {
            ck_assert(models_are_equal(model, whole));
            ck_assert_uint_eq(launches, whole_launches);
        }
        cnn_model_destroy(model);
    }
    cnn_model_destroy(whole);
    cnn_dataset_destroy(dataset);
}
END_TEST

static uint64_t bytes_of(const cnn_config *config, const cnn_dataset *dataset,
                         const cnn_train_options *options)
{
    cnn_model *model;
    cnn_trainer *trainer;
    check_ok(cnn_model_create(&model, config, 0));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, options));
    uint64_t bytes = cnn_trainer_device_bytes(trainer);
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
    return bytes;
}

static const int shape[] = {1, 20, 20};
enum { SAMPLES = 600 };

/* A network whose activations are what takes memory. */
static cnn_config wide_config(bool batchnorm)
{
    cnn_config config;
    cnn_config_init(&config);
    memcpy(config.xdim, shape, sizeof shape);
    config.ksize = 1;
    config.cdims[0] = 16;
    config.cdim_count = 1;
    config.hdim_count = 0;
    config.ydim = TRAIN_CLASSES;
    config.batchnorm = batchnorm;
    return config;
}

static cnn_train_options wide_options(void)
{
    cnn_train_options options = train_options();
    options.epochs = 1;
    options.batch = 512;
    options.stream = true;
    return options;
}

START_TEST(memory_is_that_of_a_piece)
{
    cnn_config config = wide_config(false);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, SAMPLES, 0);
    cnn_train_options options = wide_options();
    uint64_t whole = bytes_of(&config, dataset, &options);
    options.micro_batch = 32;
    uint64_t divided = bytes_of(&config, dataset, &options);
    ck_assert_msg(divided < whole / 4, "%llu of %llu bytes", (unsigned long long)divided,
                  (unsigned long long)whole);
    options.micro_batch = 512;
    ck_assert_uint_eq(bytes_of(&config, dataset, &options), whole);
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(the_plan_tells_of_pieces)
{
    cnn_config config = wide_config(false);
    cnn_network *network;
    char *text;
    check_ok(cnn_network_create(&network, &config));
    check_ok(cnn_plan_to_text(&text, test_device(), network, 256, 24, _i));
    ck_assert_ptr_nonnull(strstr(text, "output (24, "));
    ck_assert_ptr_null(strstr(text, "output (256, "));
    ck_assert_ptr_nonnull(strstr(text, "at batch 256 in pieces of 24, without the data set: "));
    cnn_string_free(text);
    ck_assert_int_eq(cnn_plan_to_text(&text, test_device(), network, 256, 257, _i),
                     CNN_ERROR_ARGUMENT);
    ck_assert_ptr_null(text);
    cnn_network_destroy(network);
}
END_TEST

static cnn_status try(const cnn_config *config, const cnn_dataset *dataset,
                      const cnn_train_options *options)
{
    cnn_model *model;
    cnn_trainer *trainer;
    check_ok(cnn_model_create(&model, config, 0));
    cnn_status status = cnn_trainer_create(&trainer, test_device(), model, dataset, options);
    if (status == CNN_OK)
        check_ok(cnn_trainer_run(trainer, NULL));
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
    return status;
}

static void check_told(const char *part, bool there)
{
    ck_assert_msg((strstr(cnn_error_message(), part) != NULL) == there, "%s '%s' in '%s'",
                  there ? "no" : "there is", part, cnn_error_message());
}

START_TEST(what_cannot_be_is_refused)
{
    static const struct {
        int micro_batch;
        bool batchnorm;
        const char *parts[2];
    } rows[] = {
        {-1, false, {"--micro-batch: expected 1 to 512", "found -1"}},
        {513, false, {"--micro-batch: expected 1 to 512", "found 513"}},
        {511, true, {"--micro-batch: expected", "--batchnorm"}},
        {1, true, {"--micro-batch: expected", "--batchnorm"}},
    };
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, SAMPLES, 0);
    cnn_train_options options = wide_options();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cnn_config config = wide_config(rows[i].batchnorm);
        options.micro_batch = rows[i].micro_batch;
        ck_assert_int_eq(try(&config, dataset, &options), CNN_ERROR_ARGUMENT);
        check_told(rows[i].parts[0], true);
        check_told(rows[i].parts[1], true);
        check_told("\n", false);
    }
    cnn_config config = wide_config(true);
    options.micro_batch = options.batch;
    check_ok(try(&config, dataset, &options));
    cnn_dataset_destroy(dataset);
}
END_TEST

/* What the last message says; below the number that did not fit. */
static int advised_piece(int before)
{
    static const char words[] = "use --micro-batch ";
    const char *advice = strstr(cnn_error_message(), words);
    ck_assert_msg(advice != NULL, "no advice in '%s'", cnn_error_message());
    ck_assert_ptr_null(test_device()->advice);
    int piece = atoi(advice + strlen(words));
    ck_assert_int_lt(piece, before);
    return piece;
}

/* _i: how much memory the device has, for all or for one buffer; plain and fused. */
START_TEST(advice_is_good_to_follow)
{
    cnn_device *device = test_device();
    const cnn_device_info kept = device->info;
    cnn_config config = wide_config(false);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, SAMPLES, 0);
    cnn_train_options options = wide_options();
    uint64_t room = bytes_of(&config, dataset, &options) * (uint64_t)(2 * _i + 3) / 32;
    options.fuse = _i & 1;
    if (_i & 2)
        device->info.max_allocation = room / 4;
    else
        device->info.memory = device->allocated + room;
    ck_assert_int_eq(try(&config, dataset, &options), CNN_ERROR_MEMORY);
    options.micro_batch = advised_piece(options.batch);
    cnn_status status = try(&config, dataset, &options);
    if (status == CNN_ERROR_MEMORY) { /* it may have been too hopeful once */
        options.micro_batch = advised_piece(options.micro_batch);
        status = try(&config, dataset, &options);
    }
    check_ok(status);
    device->info = kept;
    cnn_dataset_destroy(dataset);
}
END_TEST

START_TEST(advice_knows_where_pieces_do_not_help)
{
    cnn_device *device = test_device();
    const cnn_device_info kept = device->info;
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, SAMPLES, 0);
    cnn_train_options options = wide_options();
    cnn_config config = wide_config(true);
    device->info.memory = device->allocated + bytes_of(&config, dataset, &options) / 2;
    ck_assert_int_eq(try(&config, dataset, &options), CNN_ERROR_MEMORY);
    check_told("use a smaller --batch ", true);
    check_told("--micro-batch", false);
    config = wide_config(false);
    device->info.memory = device->allocated + 1000;
    ck_assert_int_eq(try(&config, dataset, &options), CNN_ERROR_MEMORY);
    check_told("use a smaller network", true);
    check_told("--micro-batch", false);
    device->info = kept;
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("micro batch");
    TCase *tests = add_device_case(suite, "micro batch");
    tcase_add_loop_test(tests, pieces_make_what_whole_batches_make, 0, sweep(FEW, CASES));
    tcase_add_test(tests, memory_is_that_of_a_piece);
    tcase_add_loop_test(tests, the_plan_tells_of_pieces, 0, 2);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_loop_test(tests, advice_is_good_to_follow, 0, 4);
    tcase_add_test(tests, advice_knows_where_pieces_do_not_help);
    return run_device_suite(suite);
}
