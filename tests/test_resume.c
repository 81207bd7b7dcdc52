/* A run that was interrupted anywhere ends as one that was not. */
#include <string.h>

#include <cnncl/checkpoint.h>

#include "check_main.h"
#include "run_case.h"

/* _i: the variant. Interrupted once, after each third of the calls that there are: in each kind
 * of phase, and between them. */
START_TEST(a_run_interrupted_anywhere_ends_alike)
{
    cnn_config config = train_config(_i < 2, 0.5);
    cnn_train_options options = run_options(_i);
    run whole = {0};
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    for (int stop = 1 + _i; stop < whole.calls; stop += 3) {
        run first = {.stop_after = stop}, second = {0};
        run_begin(&first, &config, &options);
        ck_assert_int_eq(run_go(&first), CNN_ERROR_STOPPED);
        check_ok(cnn_trainer_save(first.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
        run_end(&first);
        run_resume(&second, 0);
        check_ok(run_go(&second));
        check_same_end(&second, &whole);
        ck_assert_int_eq(first.epoch_count + second.epoch_count, whole.epoch_count);
        for (int i = 0; i < second.epoch_count; i++)
            check_same_epoch(&second.epochs[i], &whole.epochs[first.epoch_count + i]);
        run_end(&second);
    }
    run_end(&whole);
}
END_TEST

/* An evaluation, which begins again each time, takes fewer calls than there are between two
 * interruptions. */
START_TEST(a_run_interrupted_all_the_time_ends_alike)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run whole = {0}, piece = {.stop_after = 13};
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    run_begin(&piece, &config, &options);
    while (run_go(&piece) == CNN_ERROR_STOPPED) {
        check_ok(cnn_trainer_save(piece.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
        run_end(&piece);
        piece.calls = 0;
        run_resume(&piece, 0);
    }
    check_same_end(&piece, &whole);
    run_end(&piece);
    run_end(&whole);
}
END_TEST

/* As a program that is killed leaves them: the last of those that were due. _i: training steps
 * between them; 0: at the ends of epochs. */
START_TEST(a_checkpoint_on_the_way_changes_nothing)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0), saving = options;
    run whole = {0}, first = {.saves = true, .stop_after = 40}, second = {.saves = true};
    options.checkpoint_every = 0;
    saving.checkpoint_every = _i == 0;
    saving.checkpoint_steps = _i;
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    ck_assert_int_eq(whole.checkpoints, 0);
    run_begin(&first, &config, &saving);
    ck_assert_int_eq(run_go(&first), CNN_ERROR_STOPPED);
    ck_assert_int_gt(first.checkpoints, 1);
    run_end(&first);
    run_resume(&second, 0);
    check_ok(run_go(&second));
    check_same_end(&second, &whole);
    ck_assert(cnn_trainer_position(second.trainer).complete);
    run_end(&second);
    run_resume(&second, 0);
    ck_assert_msg(cnn_trainer_position(second.trainer).complete, "the end was not saved");
    run_end(&second);
    run_end(&whole);
}
END_TEST

START_TEST(a_complete_run_may_grow)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run whole = {0}, first = {.saves = true}, second = {0};
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    options.epochs = 1;
    run_begin(&first, &config, &options);
    check_ok(run_go(&first));
    run_end(&first);
    run_resume(&second, 0);
    ck_assert(cnn_trainer_position(second.trainer).complete);
    check_ok(run_go(&second));
    ck_assert_int_eq(second.calls, 0);
    run_end(&second);
    run_resume(&second, 2);
    ck_assert(!cnn_trainer_position(second.trainer).complete);
    check_ok(run_go(&second));
    check_same_end(&second, &whole);
    run_end(&second);
    run_end(&whole);
}
END_TEST

START_TEST(before_training_there_is_a_checkpoint_too)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run whole = {0}, first = {.stop_after = 1}, second = {0};
    run_begin(&whole, &config, &options);
    check_ok(cnn_trainer_save(whole.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
    check_ok(run_go(&whole));
    run_resume(&second, 0);
    check_ok(run_go(&second));
    check_same_end(&second, &whole);
    run_end(&second);
    run_begin(&first, &config, &options);
    ck_assert_int_eq(run_go(&first), CNN_ERROR_STOPPED);
    ck_assert_int_eq(cnn_trainer_position(first.trainer).epoch, -1);
    run_end(&first);
    run_end(&whole);
}
END_TEST

static char warning[512];

static void take_warning(cnn_log_level level, const char *line, void *user)
{
    (void)user;
    if (level == CNN_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", line);
}

START_TEST(another_device_is_told)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    cnn_device *device = test_device();
    char driver[sizeof device->info.driver];
    run one = {.saves = true};
    run_begin(&one, &config, &options);
    check_ok(run_go(&one));
    run_end(&one);
    warning[0] = '\0';
    cnn_log_set_callback(take_warning, NULL);
    run_resume(&one, 0);
    run_end(&one);
    ck_assert_str_eq(warning, "");
    memcpy(driver, device->info.driver, sizeof driver);
    snprintf(device->info.driver, sizeof device->info.driver, "next");
    run_resume(&one, 0);
    cnn_log_set_callback(NULL, NULL);
    memcpy(device->info.driver, driver, sizeof driver);
    run_end(&one);
    ck_assert_ptr_nonnull(strstr(warning, "another driver: "));
    ck_assert_ptr_nonnull(strstr(warning, ", now next: the last bits"));
}
END_TEST

/* Pieces of another size, or none (_i), from the middle of an epoch on: the same up to rounding,
 * and the log says so. */
START_TEST(the_size_of_pieces_may_change)
{
    static const int pieces[] = {0, 4, 10};
    cnn_config config = train_config(false, 0.5);
    cnn_train_options options = run_options(3), changed;
    cnn_checkpoint *checkpoint;
    run whole = {0}, one = {.stop_after = 17}, other = {0};
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    run_begin(&one, &config, &options);
    ck_assert_int_eq(run_go(&one), CNN_ERROR_STOPPED);
    ck_assert_uint_gt(cnn_trainer_position(one.trainer).step, 0);
    check_ok(cnn_trainer_save(one.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint")));
    changed = *cnn_checkpoint_options(checkpoint);
    ck_assert_int_eq(changed.micro_batch, 3);
    changed.micro_batch = pieces[_i];
    run_begin(&other, &config, &changed);
    warning[0] = '\0';
    cnn_log_set_callback(take_warning, NULL);
    check_ok(cnn_trainer_resume(other.trainer, checkpoint));
    cnn_log_set_callback(NULL, NULL);
    ck_assert_ptr_nonnull(strstr(warning, "another plan: the last bits"));
    check_ok(run_go(&other));
    check_models_close("other pieces", other.model, whole.model, 1e-5, true);
    cnn_checkpoint_destroy(checkpoint);
    run_end(&one);
    run_end(&other);
    run_end(&whole);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resume");
    TCase *tests = add_device_case(suite, "resume");
    tcase_add_checked_fixture(tests, run_set_up, run_tear_down);
    tcase_add_loop_test(tests, a_run_interrupted_anywhere_ends_alike, 0, RUN_VARIANTS);
    tcase_add_test(tests, a_run_interrupted_all_the_time_ends_alike);
    tcase_add_loop_test(tests, a_checkpoint_on_the_way_changes_nothing, 0, 3);
    tcase_add_test(tests, a_complete_run_may_grow);
    tcase_add_test(tests, before_training_there_is_a_checkpoint_too);
    tcase_add_test(tests, another_device_is_told);
    tcase_add_loop_test(tests, the_size_of_pieces_may_change, 0, 3);
    return run_device_suite(suite);
}
