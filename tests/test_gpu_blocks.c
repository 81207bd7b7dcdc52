/* The steps of the kernel class for GPUs, on whatever device there is: shapes that meet every edge
 * of their tiles, beside plain C; and how few launches a training step takes. */
#include <stdlib.h>

#include "check_main.h"
#include "plan_case.h"

static const plan_tolerance rounding = {1e-5, 3e-5, 1e-8};

static cnn_config parse(const char *const *options)
{
    cnn_config config;
    cnn_config_init(&config);
    for (; options[0]; options += 2)
        check_ok(cnn_config_set(&config, options[0], options[1]));
    return config;
}

/* Pairs of options. */
static const char *const shapes[][11] = {
    /* the notebook's */
    {"xdim", "1,28,28"},
    /* planes of more than one tile, whose last tiles are partly outside */
    {"xdim", "1,39,20", "cdims", "33,5", "hdims", "7", "dropout", "0.5"},
    /* kernels even and odd, to the largest; one is wider than the plane */
    {"xdim", "2,23,19", "ksize", "11", "cdims", "5,9", "hdims", "3", "dropout", "0.3"},
    {"xdim", "4,9,9", "ksize", "4", "cdims", "19,10", "hdims", "8", "dropout", "0.95"},
    /* channels of more than one chunk, work-group and block */
    {"xdim", "70,6,6", "cdims", "90,66", "hdims", "none", "dropout", "0.5"},
    /* a single window, a single channel */
    {"xdim", "1,2,2", "cdims", "1", "hdims", "none", "dropout", "0"},
    /* dense layers alone, up to the widest, and one beyond it */
    {"xdim", "3,9,7", "cdims", "none", "hdims", "256,30,257", "dropout", "0"},
    /* for a sweep */
    {"xdim", "3,18,35", "cdims", "6", "hdims", "none", "dropout", "0"},
    {"xdim", "2,9,7", "ksize", "8", "cdims", "20,18", "hdims", "3", "dropout", "0.5"},
    {"xdim", "5,8,8", "ksize", "1", "cdims", "9,37", "hdims", "none", "dropout", "0.5"},
    {"xdim", "7,6,6", "ksize", "2", "cdims", "8,40", "hdims", "70", "dropout", "0.95"},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0], FEW = SHAPES - 4, BATCH = 9 };

static void check_modes(plan_case *at, cnn_plan *fused)
{
    for (int training = 0; training < 2; training++) {
        at->pass.training = training == 1;
        plan_result expected = run_reference(at), actual = run_plan(fused, at);
        check_plan_result(at, &actual, &expected, rounding);
    }
}

START_TEST(tiles_have_edges)
{
    random_source random = {.seed = 320 + (uint64_t)_i};
    cnn_config config = parse(shapes[_i]);
    plan_case at = make_plan_case(&random, &config, _i % 2 ? BATCH : BATCH - 4);
    cnn_plan *fused = make_plan(&at, BATCH, true, true);
    check_modes(&at, fused);
    cnn_plan_destroy(fused);
    plan_case_finish(&at);
}
END_TEST

/* The same twice: every sum has a fixed order. */
START_TEST(gradients_are_the_same_again)
{
    random_source random = {.seed = 4};
    cnn_config config = parse(shapes[0]);
    plan_case at = make_plan_case(&random, &config, BATCH);
    cnn_plan *plan = make_plan(&at, BATCH, true, true);
    plan_result first = run_plan(plan, &at), second = run_plan(plan, &at);
    ck_assert_mem_eq(first.gradients, second.gradients,
                     at.model->network->parameter_count * sizeof *first.gradients);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

/* From the gather to the update, with the notebook's network. */
START_TEST(a_step_takes_few_launches)
{
    enum { MOST = 16, N = 5 };
    random_source random = {.seed = 1};
    cnn_config config;
    cnn_config_init(&config);
    plan_case at = make_plan_case(&random, &config, N);
    cnn_plan *plan = make_plan(&at, N, true, true);
    size_t pixels = cnn_shape_count(cnn_network_input_shape(at.model->network));
    cnn_gather_source source = {device_bytes(random_pixels(&random, N * pixels, 256), N * pixels),
                                device_bytes(at.labels, N * sizeof *at.labels), NULL};
    uint64_t before = test_device()->launches;
    check_ok(cnn_plan_gather(plan, &source, 0, N));
    check_ok(cnn_plan_forward(plan, &at.pass));
    check_ok(cnn_plan_loss(plan, &at.pass, 0));
    check_ok(cnn_plan_backward(plan, &at.pass));
    check_ok(cnn_plan_update(plan, 1e-3, 1));
    check_ok(cnn_device_finish(test_device()));
    ck_assert_uint_le(test_device()->launches - before, MOST);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

int main(void)
{
    setenv("CNN_CL_KERNEL_CLASS", "gpu", 1);
    Suite *suite = suite_create("blocks for GPUs");
    TCase *tests = add_device_case(suite, "blocks");
    tcase_add_loop_test(tests, tiles_have_edges, 0, sweep(FEW, SHAPES));
    tcase_add_test(tests, gradients_are_the_same_again);
    tcase_add_test(tests, a_step_takes_few_launches);
    return run_device_suite(suite);
}
