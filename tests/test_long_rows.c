/* A linear layer of a million inputs: how much its sums lose. */
#include <stdio.h>

#include "check_main.h"
#include "plan_case.h"

/* Twice what PyTorch 2 loses of such rows in float32, measured against float64: 7.1e-7 to 8.1e-7.
 */
static const double limit = 1.42e-6;

/* _i: 1 for a fused plan. */
START_TEST(sums_of_a_million_products_lose_no_more_than_twice_what_pytorch_loses)
{
    enum { SAMPLES = 4 };
    random_source random = {.seed = 3};
    cnn_config config = {
        .name = "rows", .xdim = {10, 400, 250}, .ksize = 3, .hdim_count = 0, .ydim = 10};
    plan_case at = make_plan_case(&random, &config, SAMPLES);
    at.pass.training = false;
    snprintf(at.name, sizeof at.name, "%s", _i ? "fused" : "plain");
    cnn_plan *plan = make_plan(&at, SAMPLES, false, _i == 1);
    plan_result expected = run_reference(&at), actual = run_plan(plan, &at);
    check_close(at.name, "the logits", actual.logits, expected.logits,
                (size_t)(SAMPLES * config.ydim), limit, 0.0);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("long_rows");
    TCase *rows = add_device_case(suite, "rows");
    tcase_add_loop_test(rows, sums_of_a_million_products_lose_no_more_than_twice_what_pytorch_loses,
                        0, 2);
    return run_device_suite(suite);
}
