/* Sums of a million values, of a linear layer's rows and of a plane's mean: how much they lose. */
#include <math.h>
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

/* Twice what PyTorch 2 loses of the mean of such a plane: 5e-8 to 1e-7. */
static const double mean_limit = 2e-7;

static const char *const means[] = {"AdaptiveAvgPool2d(1)", "AvgPool2d(1000)"};
enum { MEANS = sizeof means / sizeof means[0] };

START_TEST(the_mean_of_a_million_values_loses_no_more_than_twice_what_pytorch_loses)
{
    enum { SAMPLES = 2, CLASSES = 3, PLANE = 1000 * 1000 };
    random_source random = {.seed = 5};
    char text[128];
    cnn_network *network;
    snprintf(text, sizeof text,
             "input(%d, 1000, 1000)\n%s\nFlatten()\nLinear(classes, bias=false)\n", CLASSES,
             means[_i]);
    cnn_network_given given = {.classes = CLASSES};
    check_ok(cnn_network_from_text(&network, "means", text, "means", &given));
    plan_case at = make_network_case(&random, network, SAMPLES);
    float expected[SAMPLES * CLASSES];
    for (int i = 0; i < CLASSES * CLASSES; i++)
        at.model->parameters[i] = i % (CLASSES + 1) == 0 ? 1.0f : 0.0f;
    for (int i = 0; i < SAMPLES * CLASSES; i++) {
        double sum = 0.0;
        for (size_t j = 0; j < PLANE; j++) {
            float *value = &at.x[(size_t)i * PLANE + j];
            *value = fabsf(*value);
            sum += (double)*value;
        }
        expected[i] = (float)(sum / PLANE);
    }
    at.pass.training = false;
    cnn_plan *plan = make_plan(&at, SAMPLES, false, true);
    plan_result actual = run_plan(plan, &at);
    check_close(means[_i], "the means", actual.logits, expected, SAMPLES * CLASSES, mean_limit,
                0.0);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("long_rows");
    TCase *rows = add_device_case(suite, "rows");
    tcase_add_loop_test(rows, sums_of_a_million_products_lose_no_more_than_twice_what_pytorch_loses,
                        0, 2);
    tcase_add_loop_test(
        rows, the_mean_of_a_million_values_loses_no_more_than_twice_what_pytorch_loses, 0, MEANS);
    return run_device_suite(suite);
}
