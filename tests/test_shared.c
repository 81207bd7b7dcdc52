/* One training over several devices of a process: the values of one, bit for bit, whoever computes which
 * slices, and after a resume with another number of them. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "check_main.h"
#include "run_case.h"
#include "train/ranks.h"
#include "train/timeline.h"
#include "train/trainer.h"

enum { MOST_DEVICES = 4 };

/* The same device, opened several times. */
static cnn_device *devices[MOST_DEVICES];

static void set_up(void)
{
    run_set_up();
    for (int i = 0; i < MOST_DEVICES; i++)
        check_ok(cnn_device_create(&devices[i], NULL));
}

static void tear_down(void)
{
    for (int i = 0; i < MOST_DEVICES; i++)
        cnn_device_destroy(devices[i]);
    run_tear_down();
}

static void begin(run *this, const cnn_config *config, const cnn_train_options *options, int count)
{
    check_ok(cnn_model_create(&this->model, config, options->seed));
    check_ok(cnn_trainer_create_shared(&this->trainer, NULL, devices, count, this->model,
                                       run_dataset, options));
}

static void resume(run *this, int count)
{
    cnn_checkpoint *checkpoint;
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&run_scratch, "checkpoint")));
    check_ok(cnn_model_create_network(&this->model, cnn_checkpoint_network(checkpoint), 99));
    check_ok(cnn_trainer_create_shared(&this->trainer, NULL, devices, count, this->model,
                                       run_dataset, cnn_checkpoint_options(checkpoint)));
    check_ok(cnn_trainer_resume(this->trainer, checkpoint));
    cnn_checkpoint_destroy(checkpoint);
}

/* _i: 3 slices, 4, or 8, of which a short batch leaves some empty. */
START_TEST(any_number_of_devices_gives_the_same)
{
    static const int slices[] = {3, 4, 8};
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(_i == 1 ? 2 : 0);
    run one = {0};
    options.slices = slices[_i];
    options.ema = _i == 2 ? 0.875 : 0.0;
    options.clip_norm = _i == 2 ? 0.5 : 0.0;
    begin(&one, &config, &options, 1);
    check_ok(run_go(&one));
    for (int count = 2; count <= MOST_DEVICES; count++) {
        run several = {0};
        begin(&several, &config, &options, count);
        check_ok(run_go(&several));
        check_same_end(&several, &one);
        ck_assert_int_eq(several.epoch_count, one.epoch_count);
        run_end(&several);
    }
    run_end(&one);
}
END_TEST

/* The gradients of the later layers are summed while backward is at the earlier ones: with a slice a rank; with
 * four, of which the last is added to two sums; with three, which are no node of the tree, it is not so. */
START_TEST(a_sum_that_begins_early_is_the_same)
{
    static const struct {
        int slices, devices, held;
    } cases[] = {{3, 3, 0}, {8, 2, 2}, {6, 2, 0}};
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run one = {0}, several = {0};
    config.hdims[0] = 700;
    config.hdims[1] = 260;
    config.hdim_count = 2;
    options.slices = cases[_i].slices;
    begin(&one, &config, &options, 1);
    check_ok(run_go(&one));
    begin(&several, &config, &options, cases[_i].devices);
    check_ok(run_go(&several));
    ck_assert_int_gt(several.trainer->ranks->buckets.count, 1);
    /* In the first steps, before slices are dealt anew. */
    for (int i = 0; i < cases[_i].held; i++)
        ck_assert_ptr_nonnull(several.trainer->ranks->buckets.held[i].values);
    check_same_end(&several, &one);
    run_end(&several);
    run_end(&one);
}
END_TEST

START_TEST(a_slice_a_device_is_the_default)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run whole = {0}, one = {0}, two = {0};
    run_begin(&whole, &config, &options);
    check_ok(run_go(&whole));
    options.slices = 1;
    begin(&one, &config, &options, 2);
    check_ok(run_go(&one));
    check_same_end(&one, &whole);
    options.slices = 0;
    begin(&two, &config, &options, 2);
    ck_assert_int_eq(two.trainer->options.slices, 2);
    check_ok(run_go(&two));
    ck_assert(!models_are_equal(two.model, whole.model));
    run_end(&two);
    run_end(&one);
    run_end(&whole);
}
END_TEST

/* Stopped in every phase, and gone on with by another number of devices. */
START_TEST(a_run_goes_on_with_any_number)
{
    cnn_config config = train_config(true, 0.5);
    cnn_train_options options = run_options(0);
    run whole = {0};
    options.slices = 4;
    begin(&whole, &config, &options, 1);
    check_ok(run_go(&whole));
    for (int stop = 1; stop < whole.calls; stop += 9) {
        run first = {.stop_after = stop}, second = {0};
        begin(&first, &config, &options, 2 + stop % 3);
        cnn_status status = run_go(&first);
        ck_assert(status == CNN_ERROR_STOPPED || status == CNN_OK);
        check_ok(cnn_trainer_save(first.trainer, scratch_path(&run_scratch, "checkpoint"), NULL));
        run_end(&first);
        resume(&second, 1 + stop % 2);
        check_ok(run_go(&second));
        check_same_end(&second, &whole);
        run_end(&second);
    }
    run_end(&whole);
}
END_TEST

/* Kernels of another class round differently: every epoch begins and ends with the values of rank 0. */
START_TEST(devices_of_two_kinds_work_together)
{
    cnn_config config = train_config(false, 0.5);
    cnn_train_options options = run_options(0);
    run one = {0}, two = {0};
    const cnn_device kept = *devices[1];
    options.slices = 4;
    options.ema = 0.5;
    begin(&one, &config, &options, 1);
    check_ok(run_go(&one));
    devices[1]->kernel_class = CNN_KERNEL_GPU;
    snprintf(devices[1]->info.name, sizeof devices[1]->info.name, "another kind");
    begin(&two, &config, &options, 2);
    check_ok(run_go(&two));
    check_models_close("two kinds", two.model, one.model, 1e-4, true);
    run_end(&two);
    devices[1]->kernel_class = kept.kernel_class;
    devices[1]->info = kept.info;
    run_end(&one);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_names_its_rank)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = run_options(0);
    run broken = {0};
    options.slices = 2;
    options.optimizer = CNN_OPTIMIZER_SGD;
    options.lr = 1e30;
    begin(&broken, &config, &options, 2);
    ck_assert_int_eq(run_go(&broken), CNN_ERROR_ARITHMETIC);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "rank "));
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), devices[0]->info.name));
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "the loss is not finite"));
    run_end(&broken);
}
END_TEST

static void wait(void)
{
    const struct timespec nap = {.tv_nsec = 20000000};
    nanosleep(&nap, NULL);
}

/* A sum that begins while the device is at work: what of it comes behind the device's end is exposed. */
START_TEST(what_the_device_hides_is_not_exposed)
{
    cnn_timeline timeline = {.origin = cnn_seconds()};
    cl_int code;
    cl_event command = clCreateUserEvent(devices[0]->context, &code);
    ck_assert_int_eq(code, CL_SUCCESS);
    cnn_timeline_watch(&timeline, command);
    double begun = cnn_timeline_now(&timeline);
    wait();
    cnn_timeline_add(&timeline, CNN_TIMELINE_SUM, begun, 8); /* hidden */
    double next = cnn_timeline_now(&timeline);
    wait();
    ck_assert_int_eq(clSetUserEventStatus(command, CL_COMPLETE), CL_SUCCESS);
    while (timeline.watched > 0)
        ;
    double over = cnn_timeline_now(&timeline);
    wait();
    cnn_timeline_add(&timeline, CNN_TIMELINE_SUM, next, 8); /* half and half */
    cnn_timeline_add(&timeline, CNN_TIMELINE_STEP, begun, 0);
    cnn_timeline_watch(&timeline, NULL);
    next = cnn_timeline_now(&timeline);
    wait();
    cnn_timeline_add(&timeline, CNN_TIMELINE_SUM, next, 8); /* exposed */
    const cnn_timeline_event *events = timeline.events;
    ck_assert_uint_eq(timeline.count, 4);
    ck_assert_double_eq(events[0].exposed, 0.0);
    ck_assert_double_ge(events[1].exposed, events[1].ended + timeline.origin - over);
    ck_assert_double_lt(events[1].exposed, events[1].ended - events[1].begun - 0.019);
    ck_assert_double_eq_tol(events[3].exposed, events[3].ended - events[3].begun, 1e-6);
    ck_assert(events[1].step == 0 && events[2].step == 0 && events[3].step == 1);
    cnn_timeline_finish(&timeline);
    clReleaseEvent(command);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    cnn_config config = train_config(false, 0.0);
    cnn_train_options options = run_options(3); /* in pieces */
    cnn_model *model;
    cnn_trainer *trainer;
    check_ok(cnn_model_create(&model, &config, 0));
    ck_assert_int_eq(cnn_trainer_create_shared(&trainer, NULL, devices, 2, model, run_dataset,
                                               &options),
                     CNN_ERROR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(cnn_error_message(), "--slices and --micro-batch"));
    ck_assert_int_eq(cnn_trainer_create_shared(&trainer, NULL, devices, 0, model, run_dataset,
                                               &options),
                     CNN_ERROR_ARGUMENT);
    cnn_model_destroy(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shared");
    TCase *tests = add_device_case(suite, "shared");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, any_number_of_devices_gives_the_same, 0, 3);
    tcase_add_loop_test(tests, a_sum_that_begins_early_is_the_same, 0, 3);
    tcase_add_test(tests, a_slice_a_device_is_the_default);
    tcase_add_test(tests, a_run_goes_on_with_any_number);
    tcase_add_test(tests, devices_of_two_kinds_work_together);
    tcase_add_test(tests, a_loss_that_is_not_finite_names_its_rank);
    tcase_add_test(tests, what_the_device_hides_is_not_exposed);
    tcase_add_test(tests, what_cannot_be_is_refused);
    return run_device_suite(suite);
}
