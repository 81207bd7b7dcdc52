/* What a profile records, and that nothing is recorded without one. */
#include "check_main.h"
#include "ocl/launch.h"
#include "ocl/profile.h"
#include "on_device.h"
#include "support.h"

enum { VECTORS = 1000, WIDTH = 4, VALUES = VECTORS * WIDTH };

/* A kernel to launch: target (VALUES) = source (VALUES). */
static cnn_kernel kernel;
static cl_mem source, target;
static const float *values;
static cnn_profile profile;

static void set_up(void)
{
    random_source random = {.seed = 1};
    values = random_normals(&random, VALUES, 1.0);
    source = device_floats(values, VALUES);
    target = device_floats(NULL, VALUES);
    check_ok(
        cnn_kernel_init(&kernel, test_device(), "peak.cl", "-DWIDTH=4 -DCHAINS=2", "peak_copy"));
}

static void tear_down(void)
{
    cnn_profile_finish(&profile);
    cnn_kernel_finish(&kernel);
}

static void launch(void)
{
    check_ok(CNN_LAUNCH(&kernel, cnn_kernel_items(test_device(), VECTORS), cnn_arg_mem(target),
                        cnn_arg_mem(source), cnn_arg_uint(VECTORS)));
}

static void check_copied(void)
{
    ck_assert_mem_eq(read_floats(target, VALUES), values, VALUES * sizeof *values);
    check_guards("peak_copy");
}

static void check_records(size_t count)
{
    ck_assert_uint_eq(profile.complete, count);
    for (size_t i = 0; i < count; i++) {
        const cnn_profile_record *record = &profile.records[i];
        ck_assert_str_eq(record->name, "peak_copy");
        ck_assert_uint_eq(record->group, i / 2);
        ck_assert_uint_gt(record->started, 0);
        ck_assert_uint_le(record->started, record->ended);
        if (i > 0)
            ck_assert_uint_le(record[-1].ended, record->ended);
    }
    ck_assert_uint_lt(profile.records[0].ended, profile.records[count - 1].ended);
}

/* By the driver's clock, and by the host's. */
START_TEST(records_while_it_is_open)
{
    enum { LAUNCHES = 600 };
    cnn_device *device = test_device();
    cl_command_queue queue = device->queue;
    launch();
    check_ok(cnn_profile_open(&profile, device));
    ck_assert_ptr_ne(device->queue, queue);
    profile.host_clock = profile.host_clock || _i == 1;
    for (size_t i = 0; i < LAUNCHES; i++) {
        profile.group = i / 2;
        launch();
        if (i == LAUNCHES / 3)
            check_ok(cnn_profile_collect(&profile));
    }
    check_ok(cnn_profile_collect(&profile));
    check_records(LAUNCHES);
    launch(); /* not collected: forgotten */
    size_t collected = profile.complete;
    cnn_profile_close(&profile);
    ck_assert_ptr_eq(device->queue, queue);
    ck_assert_ptr_null(device->profile);
    launch();
    ck_assert_uint_eq(profile.complete, collected);
    check_records(LAUNCHES);
    check_copied();
}
END_TEST

START_TEST(cleared_records_are_gone)
{
    check_ok(cnn_profile_open(&profile, test_device()));
    for (int i = 0; i < 3; i++)
        launch();
    check_ok(cnn_profile_collect(&profile));
    launch();
    cnn_profile_clear(&profile);
    ck_assert_uint_eq(profile.complete, 0);
    launch();
    launch();
    check_ok(cnn_profile_collect(&profile));
    check_records(2);
    check_copied();
}
END_TEST

/* Between a call's marker and its event lies all that it enqueued. */
START_TEST(a_call_is_one_record)
{
    cnn_device *device = test_device();
    check_ok(cnn_profile_open(&profile, device));
    cl_event *event = cnn_profile_call_event(device, "a call");
    if (profile.host_clock) {
        ck_assert_ptr_null(event);
        return;
    }
    ck_assert_ptr_nonnull(event);
    cl_event last;
    size_t bytes = VALUES * sizeof *values;
    for (int i = 0; i < 8; i++) {
        cl_event *at = i == 7 ? event : &last;
        ck_assert_int_eq(
            clEnqueueCopyBuffer(device->queue, source, target, 0, 0, bytes, 0, NULL, at),
            CL_SUCCESS);
        if (at == &last)
            clReleaseEvent(last);
    }
    clRetainEvent(*event);
    last = *event;
    check_ok(cnn_profile_collect(&profile));
    cl_ulong started;
    ck_assert_int_eq(
        clGetEventProfilingInfo(last, CL_PROFILING_COMMAND_START, sizeof started, &started, NULL),
        CL_SUCCESS);
    clReleaseEvent(last);
    ck_assert_uint_eq(profile.complete, 1);
    ck_assert_str_eq(profile.records[0].name, "a call");
    ck_assert_uint_lt(profile.records[0].started, started);
    check_copied();
}
END_TEST

START_TEST(nothing_is_recorded_without_one)
{
    ck_assert_ptr_null(cnn_profile_command_event(test_device(), "x"));
    ck_assert_ptr_null(cnn_profile_call_event(test_device(), "x"));
    launch();
    check_copied();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("profile");
    TCase *tests = add_device_case(suite, "profile");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, records_while_it_is_open, 0, 2);
    tcase_add_test(tests, cleared_records_are_gone);
    tcase_add_test(tests, a_call_is_one_record);
    tcase_add_test(tests, nothing_is_recorded_without_one);
    return run_device_suite(suite);
}
