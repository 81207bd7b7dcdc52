/* The convolution as one step, with batch norm and without, against plain C, where work-items have
 * several samples each: what they add up must not depend on how many there are. */
#include "check_main.h"
#include "plan_case.h"

enum { BATCH = 70 };

static const plan_tolerance rounding = {1e-5, 1e-4, 1e-7};

typedef struct shape_case {
    int xdim[3], ksize, cdims[3], n; /* the first width of 0 ends them */
    double dropout;
} shape_case;

/* Short batches down to fewer samples than work-items; odd planes, rows and columns that no window
 * has; every remainder of the blocks of channels; more input channels than output channels. */
static const shape_case shapes[] = {
    {{1, 9, 11}, 3, {20, 9}, BATCH, 0.5}, {{3, 12, 7}, 2, {24, 40}, 41, 0.5},
    {{20, 6, 9}, 4, {8, 17}, 64, 0.0},    {{1, 8, 8}, 5, {33, 5}, 40, 0.3},
    {{3, 7, 5}, 1, {17, 25}, 69, 0.5},    {{20, 5, 5}, 3, {3, 0}, BATCH, 0.95},

    {{2, 13, 4}, 7, {1, 2}, 50, 0.5},     {{2, 17, 12}, 3, {9, 20, 11}, 37, 0.5},
    {{3, 12, 9}, 5, {10, 0}, 40, 0.5},    {{4, 9, 8}, 4, {9, 0}, 30, 0.3},
    {{7, 6, 7}, 2, {5, 0}, 33, 0.0},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0], CASES = 2 * SHAPES, STEP = 4 };

/* Each fourth of the cases, half of them with batch norm, no shape twice; all in a sweep. */
static int plan_of(int i)
{
    return i * sweep(STEP, 1);
}

static cnn_config make_config(const shape_case *shape)
{
    cnn_config config;
    cnn_config_init(&config);
    for (int i = 0; i < 3; i++)
        config.xdim[i] = shape->xdim[i];
    config.ksize = shape->ksize;
    for (config.cdim_count = 0; config.cdim_count < 3; config.cdim_count++) {
        if (shape->cdims[config.cdim_count] == 0)
            break;
        config.cdims[config.cdim_count] = shape->cdims[config.cdim_count];
    }
    config.hdim_count = 0;
    config.batchnorm = true;
    config.dropout = shape->dropout;
    return config;
}

START_TEST(several_samples_agree_with_plain_c)
{
    const int number = plan_of(_i);
    random_source random = {.seed = 40 + (uint64_t)number};
    const shape_case *shape = &shapes[number % SHAPES];
    cnn_config config = make_config(shape);
    config.batchnorm = number < SHAPES;
    plan_case at = make_plan_case(&random, &config, shape->n);
    cnn_plan *plan = make_plan(&at, BATCH, true, true);
    for (int training = 1; training >= 0; training--) {
        at.pass.training = training == 1;
        plan_result expected = run_reference(&at), actual = run_plan(plan, &at);
        check_plan_result(&at, &actual, &expected, rounding);
    }
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

/* Sums of squares are large beside the variance, as of a scanned page: against plain C in double.
 */
START_TEST(nearly_white_images_keep_their_precision)
{
    static const shape_case shape = {{1, 100, 90}, 3, {4, 0}, 16, 0.5};
    static const plan_tolerance white = {1e-4, 1e-3, 1e-6};
    random_source random = {.seed = 90};
    cnn_config config = make_config(&shape);
    plan_case at = make_plan_case(&random, &config, shape.n);
    size_t values = (size_t)shape.n * cnn_shape_count(cnn_network_input_shape(at.model->network));
    for (size_t i = 0; i < values; i++)
        at.x[i] = 0.98f + 0.01f * at.x[i];
    cnn_plan *fused = make_plan(&at, BATCH, true, true);
    plan_result expected = run_reference(&at), actual = run_plan(fused, &at);
    check_plan_result(&at, &actual, &expected, white);
    cnn_plan_destroy(fused);
    plan_case_finish(&at);
}
END_TEST

/* The same bits again, whatever the memory held before and whoever took which work-item. */
START_TEST(a_second_run_gives_the_same_bits)
{
    random_source random = {.seed = 3};
    const shape_case *shape = &shapes[plan_of(_i)];
    cnn_config config = make_config(shape);
    plan_case at = make_plan_case(&random, &config, shape->n);
    size_t count = at.model->network->parameter_count;
    cnn_plan *plan = make_plan(&at, BATCH, true, true);
    plan_result first = run_plan(plan, &at), second = run_plan(plan, &at);
    ck_assert_mem_eq(first.gradients, second.gradients, count * sizeof(float));
    ck_assert_mem_eq(first.statistics, second.statistics,
                     at.model->network->statistic_count * sizeof(float));
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("norm block");
    TCase *tests = add_device_case(suite, "plans");
    tcase_add_loop_test(tests, several_samples_agree_with_plain_c, 0,
                        sweep((CASES + STEP - 1) / STEP, CASES));
    tcase_add_test(tests, nearly_white_images_keep_their_precision);
    tcase_add_loop_test(tests, a_second_run_gives_the_same_bits, 0, 3);
    return run_device_suite(suite);
}
