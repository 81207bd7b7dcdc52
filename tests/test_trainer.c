/* Training as the public API has it: what it makes of a model, and what it refuses. */
#include <math.h>
#include <string.h>

#include <cnncl/predictor.h>

#include "check_main.h"
#include "train_case.h"

enum { TRAIN = 47, TEST = 21, STEPS = 5 }; /* steps of an epoch at batch 10 */

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

/* Everything that the callbacks told. */
enum { MOST_EPOCHS = 16 };
typedef struct record {
    int epochs;
    cnn_epoch epoch[MOST_EPOCHS];
    int stop_after;   /* this many epochs, that before training included; 0: never */
    size_t stop_step; /* of the first training phase; 0: never */
    cnn_progress last;
    size_t phases;
} record;

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    record *at = user;
    ck_assert_int_lt(at->epochs, MOST_EPOCHS);
    at->epoch[at->epochs++] = *epoch;
    return at->epochs != at->stop_after;
}

static bool on_progress(const cnn_progress *progress, void *user)
{
    record *at = user;
    size_t of_phase = strcmp(progress->phase, "eval test") == 0 ? TEST : TRAIN;
    bool same = at->last.phase && at->last.epoch == progress->epoch &&
                strcmp(at->last.phase, progress->phase) == 0;
    ck_assert_uint_le(progress->step, progress->steps);
    ck_assert_uint_le(progress->images, of_phase);
    ck_assert(!same || progress->step >= at->last.step);
    ck_assert((progress->images == of_phase) == (progress->step == progress->steps));
    ck_assert(progress->seconds >= 0.0);
    at->phases += progress->step == progress->steps;
    at->last = *progress;
    return at->stop_step == 0 || strcmp(progress->phase, "train") != 0 ||
           progress->step < at->stop_step;
}

static cnn_train_callbacks callbacks_of(record *at)
{
    return (cnn_train_callbacks){.on_epoch = on_epoch, .on_progress = on_progress, .user = at};
}

/* _i: batch norm, and dropout. */
START_TEST(training_is_that_of_plain_c)
{
    cnn_config config = train_config(_i & 1, _i & 2 ? 0.4 : 0.0);
    cnn_train_options options = train_options();
    record told = {0};
    cnn_train_callbacks callbacks = callbacks_of(&told);
    float losses[2];
    cnn_model *actual = train_model(&config, dataset, &options, &callbacks, CNN_OK);
    cnn_model *expected = train_reference(losses, &config, dataset, &options, 2 * STEPS);
    check_models_close("ten steps", actual, expected, 1e-3, false);
    ck_assert_int_eq(batches_tracked(actual), _i & 1 ? 2 * STEPS : -1);
    ck_assert_int_eq(told.epochs, 3);
    for (int i = 0; i < 2; i++)
        check_close("epoch", "loss", &(float){(float)told.epoch[i + 1].loss}, &losses[i], 1, 1e-4,
                    0.0);
    cnn_model_destroy(actual);
    cnn_model_destroy(expected);
}
END_TEST

START_TEST(running_statistics_are_those_of_plain_c)
{
    cnn_config config = train_config(true, 0.4);
    cnn_train_options options = train_options();
    float losses[2];
    options.lr = 1e-8; /* see check_models_close() */
    options.fuse = _i == 1;
    cnn_model *actual = train_model(&config, dataset, &options, NULL, CNN_OK);
    cnn_model *expected = train_reference(losses, &config, dataset, &options, 2 * STEPS);
    check_models_close("ten steps", actual, expected, 1e-5, true);
    cnn_model_destroy(actual);
    cnn_model_destroy(expected);
}
END_TEST

START_TEST(one_seed_gives_one_model_to_the_bit)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options(), other = options;
    other.seed++;
    options.stream = _i == 1;
    cnn_model *first = train_model(&config, dataset, &options, NULL, CNN_OK);
    cnn_model *again = train_model(&config, dataset, &options, NULL, CNN_OK);
    cnn_model *different = train_model(&config, dataset, &other, NULL, CNN_OK);
    ck_assert(models_are_equal(first, again));
    ck_assert(!models_are_equal(first, different));
    cnn_model_destroy(first);
    cnn_model_destroy(again);
    cnn_model_destroy(different);
}
END_TEST

START_TEST(streamed_batches_give_the_same_model_to_the_bit)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options(), streamed = options;
    streamed.stream = true;
    cnn_model *resident = train_model(&config, dataset, &options, NULL, CNN_OK);
    cnn_model *other = train_model(&config, dataset, &streamed, NULL, CNN_OK);
    ck_assert(models_are_equal(resident, other));
    cnn_model_destroy(resident);
    cnn_model_destroy(other);
}
END_TEST

START_TEST(fused_and_plain_steps_give_the_same_model)
{
    cnn_config config = train_config(_i == 1, 0.5);
    cnn_train_options options = train_options(), unfused = options;
    unfused.fuse = false;
    cnn_model *fused = train_model(&config, dataset, &options, NULL, CNN_OK);
    cnn_model *plain = train_model(&config, dataset, &unfused, NULL, CNN_OK);
    check_models_close("ten steps", fused, plain, 1e-3, false);
    cnn_model_destroy(fused);
    cnn_model_destroy(plain);
}
END_TEST

START_TEST(a_batch_beyond_the_data_is_all_of_it)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options(), larger = options;
    options.batch = TRAIN;
    larger.batch = 100000;
    cnn_model *whole = train_model(&config, dataset, &options, NULL, CNN_OK);
    cnn_model *beyond = train_model(&config, dataset, &larger, NULL, CNN_OK);
    ck_assert(models_are_equal(whole, beyond));
    ck_assert_int_eq(batches_tracked(beyond), options.epochs);
    cnn_model_destroy(whole);
    cnn_model_destroy(beyond);
}
END_TEST

START_TEST(an_easy_task_is_learned)
{
    cnn_config config = train_config(_i & 1, _i & 2 ? 0.2 : 0.0);
    cnn_train_options options = train_options();
    record told = {0};
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = &told};
    cnn_dataset *easy = make_dataset(shape, TRAIN_CLASSES, 200, 60);
    options.epochs = 12;
    cnn_model *model = train_model(&config, easy, &options, &callbacks, CNN_OK);
    ck_assert_double_gt(told.epoch[12].train_accuracy, 0.9);
    ck_assert_double_gt(told.epoch[12].test_accuracy, 0.9);
    ck_assert_double_lt(told.epoch[12].loss, told.epoch[1].loss);
    ck_assert_double_lt(told.epoch[0].test_accuracy, 0.7);
    cnn_dataset_destroy(easy);
    cnn_model_destroy(model);
}
END_TEST

START_TEST(epochs_are_evaluated_as_asked)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = train_options();
    record told = {0};
    cnn_train_callbacks callbacks = callbacks_of(&told);
    options.epochs = 6;
    options.print_every = 3;
    cnn_model_destroy(train_model(&config, dataset, &options, &callbacks, CNN_OK));
    ck_assert_int_eq(told.epochs, 7);
    static const bool evaluated[] = {true, true, false, false, true, false, true};
    for (int i = 0; i < told.epochs; i++) {
        const cnn_epoch *epoch = &told.epoch[i];
        ck_assert_int_eq(epoch->index, i - 1);
        ck_assert(epoch->evaluated == evaluated[i]);
        ck_assert(isfinite(epoch->train_accuracy) == evaluated[i]);
        ck_assert(isfinite(epoch->test_accuracy) == evaluated[i]);
        ck_assert(isfinite(epoch->loss) == (i > 0));
    }
    ck_assert_uint_eq(told.phases, 6 + 2 * 4);
}
END_TEST

START_TEST(no_epochs_change_nothing)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options();
    record told = {0};
    cnn_train_callbacks callbacks = callbacks_of(&told);
    cnn_dataset *untested = make_dataset(shape, TRAIN_CLASSES, TRAIN, 0);
    cnn_model *fresh;
    options.epochs = 0;
    cnn_model *model = train_model(&config, untested, &options, &callbacks, CNN_OK);
    check_ok(cnn_model_create(&fresh, &config, options.seed));
    ck_assert(models_are_equal(model, fresh));
    ck_assert_int_eq(told.epochs, 1);
    ck_assert_int_eq(told.epoch[0].index, -1);
    ck_assert(isnan(told.epoch[0].loss) && isnan(told.epoch[0].test_accuracy));
    ck_assert(told.epoch[0].train_accuracy >= 0.0 && told.epoch[0].train_accuracy <= 1.0);
    cnn_dataset_destroy(untested);
    cnn_model_destroy(model);
    cnn_model_destroy(fresh);
}
END_TEST

START_TEST(a_stop_after_an_epoch_keeps_it)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options(), shorter = options;
    record told = {.stop_after = 1 + _i};
    cnn_train_callbacks callbacks = callbacks_of(&told);
    shorter.epochs = _i;
    cnn_model *stopped = train_model(&config, dataset, &options, &callbacks, CNN_ERROR_STOPPED);
    cnn_model *whole = train_model(&config, dataset, &shorter, NULL, CNN_OK);
    ck_assert_int_eq(told.epochs, 1 + _i);
    ck_assert(models_are_equal(stopped, whole));
    cnn_model_destroy(stopped);
    cnn_model_destroy(whole);
}
END_TEST

/* Steps may be in flight when the callback says stop: how many were made, the model tells. */
START_TEST(a_stop_within_an_epoch_keeps_its_steps)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = train_options();
    options.batch = 1; /* more steps than are in flight on any device */
    record told = {.stop_step = (size_t)_i};
    cnn_train_callbacks callbacks = callbacks_of(&told);
    float losses[2];
    cnn_model *stopped = train_model(&config, dataset, &options, &callbacks, CNN_ERROR_STOPPED);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "stopped after step"));
    int64_t steps = batches_tracked(stopped);
    ck_assert_int_ge(steps, _i);
    ck_assert_int_lt(steps, TRAIN);
    cnn_model *expected = train_reference(losses, &config, dataset, &options, (size_t)steps);
    check_models_close("stopped", stopped, expected, 1e-3, false);
    cnn_model_destroy(stopped);
    cnn_model_destroy(expected);
}
END_TEST

/* The first update throws the values beyond what a float's sums can take. */
START_TEST(a_loss_that_is_not_finite_ends_it)
{
    cnn_config config = train_config(_i == 1, 0.5);
    cnn_train_options options = train_options();
    record told = {0};
    cnn_train_callbacks callbacks = callbacks_of(&told);
    cnn_model *fresh;
    options.lr = 1e30;
    cnn_model *model = train_model(&config, dataset, &options, &callbacks, CNN_ERROR_ARITHMETIC);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "not finite"));
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "epoch 0, training step 2 of 5"));
    ck_assert_int_eq(told.epochs, 1);
    check_ok(cnn_model_create(&fresh, &config, options.seed));
    ck_assert(models_are_equal(model, fresh));
    cnn_model_destroy(model);
    cnn_model_destroy(fresh);
}
END_TEST

/* Trains with a learning rate and says whether some epochs were good, and a later one was not. */
static bool fails_late(record *told, cnn_model **model, const cnn_config *config,
                       const cnn_train_options *options)
{
    cnn_train_callbacks callbacks = callbacks_of(told);
    cnn_trainer *trainer;
    *told = (record){0};
    cnn_model_destroy(*model);
    check_ok(cnn_model_create(model, config, options->seed));
    check_ok(cnn_trainer_create(&trainer, test_device(), *model, dataset, options));
    cnn_status status = cnn_trainer_run(trainer, &callbacks);
    cnn_trainer_destroy(trainer);
    ck_assert(status == CNN_OK || status == CNN_ERROR_ARITHMETIC);
    return status == CNN_ERROR_ARITHMETIC && told->epochs >= 2;
}

/* Some learning rate is too large, but not so large that the first epoch shows it: it is found by
 * trying. The model is then the one that the epochs before made. */
START_TEST(a_later_bad_loss_keeps_the_last_good_epoch)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = train_options();
    record told = {0};
    cnn_model *model = NULL;
    options.batch = TRAIN;
    options.epochs = MOST_EPOCHS - 1;
    options.lr = 1e20;
    while (!fails_late(&told, &model, &config, &options)) {
        options.lr /= 2.0;
        ck_assert_double_gt(options.lr, 1e3);
    }
    options.epochs = told.epochs - 1;
    cnn_model *good = train_model(&config, dataset, &options, NULL, CNN_OK);
    ck_assert(models_are_equal(model, good));
    cnn_model_destroy(model);
    cnn_model_destroy(good);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("trainer");
    TCase *tests = add_device_case(suite, "trainer");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, training_is_that_of_plain_c, 0, 4);
    tcase_add_loop_test(tests, running_statistics_are_those_of_plain_c, 0, 2);
    tcase_add_loop_test(tests, one_seed_gives_one_model_to_the_bit, 0, 2);
    tcase_add_test(tests, streamed_batches_give_the_same_model_to_the_bit);
    tcase_add_loop_test(tests, fused_and_plain_steps_give_the_same_model, 0, 2);
    tcase_add_test(tests, a_batch_beyond_the_data_is_all_of_it);
    tcase_add_loop_test(tests, an_easy_task_is_learned, 0, 4);
    tcase_add_test(tests, epochs_are_evaluated_as_asked);
    tcase_add_test(tests, no_epochs_change_nothing);
    tcase_add_loop_test(tests, a_stop_after_an_epoch_keeps_it, 0, 2);
    tcase_add_loop_test(tests, a_stop_within_an_epoch_keeps_its_steps, 1, 3);
    tcase_add_loop_test(tests, a_loss_that_is_not_finite_ends_it, 0, 2);
    tcase_add_test(tests, a_later_bad_loss_keeps_the_last_good_epoch);
    return run_device_suite(suite);
}
