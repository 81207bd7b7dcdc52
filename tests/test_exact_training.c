/* A training whose bits are published, on the device of this test. */
#include <stdio.h>

#include "check_main.h"
#include "on_device.h"

#include <cnncl/doctor.h>

static cnn_exact_row seen;
static int rows;

static void take_row(const cnn_exact_row *row, void *user)
{
    (void)user;
    seen = *row;
    rows++;
    printf("%s: %s after %d steps\n", row->name, row->hash, row->steps);
}

/* Every kind of layer; AdamW with decay, clipping and an average; label smoothing. */
START_TEST(a_network_of_all_kinds_has_the_published_bits)
{
    const cnn_doctor_exact callback = {.only = "small", .on_row = take_row};
    bool matched = false;
    check_ok(cnn_doctor_compare_exact(&matched, test_device(), &callback));
    ck_assert_int_eq(rows, 1);
    ck_assert_msg(seen.matched && matched && seen.differs == -1, "step %d differs", seen.differs);
}
END_TEST

/* The device is afterwards as before. */
START_TEST(what_the_device_was_comes_back)
{
    const cnn_doctor_exact none = {.only = "nothing"};
    bool matched = false;
    check_ok(cnn_device_use_exact(test_device(), true));
    check_ok(cnn_doctor_compare_exact(&matched, test_device(), &none));
    ck_assert(matched && test_device()->exact);
    check_ok(cnn_device_use_exact(test_device(), false));
    check_ok(cnn_doctor_compare_exact(&matched, test_device(), &none));
    ck_assert(matched && !test_device()->exact);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exact training");
    TCase *device = add_device_case(suite, "on the device");
    tcase_add_test(device, a_network_of_all_kinds_has_the_published_bits);
    tcase_add_test(device, what_the_device_was_comes_back);
    return run_device_suite(suite);
}
